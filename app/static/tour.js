// A guided tour: short steps that point at real parts of the page, which stay usable all the while. Escape leaves it.
import { tabs } from "./permalink.js";
import { part } from "./parts.js";

const PATIENCE_MS = 8000;
const GAP = 12;

export class Tour {
  // steps: [{room, at, title, text, notebook}]; those whose room this installation lacks are left out.
  constructor(button, steps) {
    [this.button, this.steps, this.step, this.box] = [button, steps, 0, null];
    button.setAttribute("aria-expanded", "false");
    button.addEventListener("click", () => (this.box ? this.leave() : this.start()));
    document.addEventListener("keydown", (event) => this.box && this.key(event), true);
    for (const what of ["resize", "scroll"]) window.addEventListener(what, () => this.box && this.place(), { passive: true });
  }

  start() {
    this.there = this.steps.filter(({ room }) => !room || tabs().has(room));
    this.ring = part("div", "af-tour-ring");
    this.ring.setAttribute("aria-hidden", "true");
    this.box = part("section", "af-tour");
    this.box.setAttribute("role", "dialog");
    this.box.setAttribute("aria-labelledby", "af-tour-title");
    this.box.tabIndex = -1;
    document.body.append(this.ring, this.box);
    this.button.setAttribute("aria-expanded", "true");
    this.watch = new ResizeObserver(() => this.place());
    this.go(0);
  }

  leave() {
    this.watch.disconnect();
    this.ring.remove();
    this.box.remove();
    [this.box, this.target] = [null, null];
    this.button.setAttribute("aria-expanded", "false");
    this.button.focus();
  }

  key(event) {
    if (event.key === "Escape") this.leave();
    else if (this.box.contains(document.activeElement) && event.key === "ArrowRight") this.go(this.step + 1);
    else if (this.box.contains(document.activeElement) && event.key === "ArrowLeft") this.go(this.step - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async go(number) {
    if (number >= this.there.length) return this.leave();
    this.step = Math.max(number, 0);
    const { room, at } = this.there[this.step];
    if (room) tabs().get(room).click();
    this.show();
    const step = this.step;
    const target = await seen(at);
    if (!this.box || step !== this.step) return;
    this.watch.disconnect();
    this.target = target;
    if (target) this.watch.observe(target);
    target?.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    this.place();
    this.box.dataset.step = this.step; // the ring is where it belongs
  }

  show() {
    const { title, text, notebook, readable } = this.there[this.step];
    const last = this.step === this.there.length - 1;
    const heading = part("h2", "", title);
    heading.id = "af-tour-title";
    const foot = part("div", "af-tour-foot");
    const act = (label, name, run) => {
      const button = part("button", `af-button ${name}`, label);
      button.type = "button";
      button.addEventListener("click", run);
      foot.append(button);
      return button;
    };
    foot.append(part("span", "af-tour-count", `${this.step + 1} of ${this.there.length}`));
    act("Leave", "af-tour-leave", () => this.leave());
    if (this.step) act("Back", "af-tour-back", () => this.go(this.step - 1));
    const next = act(last ? "Done" : "Next", "af-tour-next", () => this.go(this.step + 1));
    const more = notebook ? [part("p", "af-tour-more", `In depth: notebook ${readable ? "" : notebook}`)] : [];
    if (notebook && readable) {
      const link = Object.assign(part("a", "", notebook), { href: `notebooks/${notebook}.html`, target: "_blank" });
      more[0].append(link);
    }
    this.box.replaceChildren(heading, part("p", "", text), ...more, foot);
    next.focus({ preventScroll: true });
  }

  // The ring around the part of the page, the box beside it: where it covers least of what it speaks of.
  place() {
    const target = this.target?.isConnected ? this.target.getBoundingClientRect() : null;
    this.ring.hidden = !target;
    if (!target || innerWidth < 560) this.box.removeAttribute("style"); // the style sheet puts it at the bottom
    if (!target) return;
    Object.assign(this.ring.style, { left: `${target.left - 5}px`, top: `${target.top - 5}px`, width: `${target.width + 10}px`, height: `${target.height + 10}px` });
    if (innerWidth < 560) return;
    const [left, top] = beside(target, this.box.offsetWidth, this.box.offsetHeight);
    Object.assign(this.box.style, { top: `${top}px`, left: `${left}px`, right: "auto", bottom: "auto" });
  }
}

// [left, top] of a box beside a part of the page: below, above, right or left of it, or in a corner, where it hides least of it.
function beside(target, width, height) {
  const fit = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));
  const [across, down] = [fit(target.left, GAP, innerWidth - width - GAP), fit(target.top, GAP, innerHeight - height - GAP)];
  const [right, bottom] = [innerWidth - width - GAP, innerHeight - height - GAP];
  const places = [
    [across, target.bottom + GAP], [across, target.top - GAP - height], [target.right + GAP, down], [target.left - GAP - width, down],
    [GAP, bottom], [right, bottom], [GAP, GAP], [right, GAP],
  ].map(([x, y]) => [fit(x, GAP, right), fit(y, GAP, bottom)]); // prettier-ignore
  const hidden = ([x, y]) => {
    const [wide, high] = [Math.min(x + width, target.right) - Math.max(x, target.left), Math.min(y + height, target.bottom) - Math.max(y, target.top)];
    return wide > 0 && high > 0 ? wide * high : 0;
  };
  return places.reduce((best, one) => (hidden(one) < hidden(best) ? one : best));
}

// The first part that a selector names, once it is on the screen; null if it does not come.
async function seen(selector) {
  for (const since = performance.now(); performance.now() - since < PATIENCE_MS; ) {
    const found = [...document.querySelectorAll(selector)].find((one) => one.getClientRects().length);
    if (found) return found;
    await new Promise((later) => setTimeout(later, 100));
  }
  return null;
}
