// The strip above all rooms: where in the picture one is, with this clip's numbers at the moment of the cursor.
import { drawStrip } from "./flow_strip.js";
import { tabs } from "./permalink.js";
import { Room } from "./room.js";

const LIT = { listen: ["sound", "codes"], mask: ["tokens"], attention: ["query"], why: ["label"], switches: ["codes", "query", "label"], map: ["mean"], results: ["label"] }; // prettier-ignore

export function mount(page) {
  new Strip(page).open();
}

class Strip extends Room {
  constructor(page) {
    super(page, "strip", "<div class='af-strip' role='group' aria-label='From sound to label'></div>");
    this.answers = { look: this.looked };
    this.link.addEventListener("cursor", () => this.moved());
    this.link.addEventListener("flow", () => this.link.flow && this.looked(this.link.flow));
    for (const kind of ["click", "keyup"]) document.addEventListener(kind, (event) => event.target.closest?.("[role=tab]") && this.light());
    new MutationObserver(() => this.light()).observe(document.querySelector("#af-rooms"), { attributes: true, subtree: true, attributeFilter: ["aria-selected"] });
  }

  enter() {
    this.ask("look", {});
  }

  // The room Flow asks for the same, and tells.
  moved() {
    const open = document.querySelector(".af-room[data-room=flow]")?.offsetParent;
    const { cursor, token } = this.link;
    if (!open && cursor && token === this.token) this.ask("look", { frame: cursor.frame });
  }

  looked(reply, more) {
    if (more) return;
    this.host.classList.toggle("af-empty", Boolean(reply.empty));
    if (reply.empty) return;
    this.host.classList.remove("af-stale");
    this.opened = reply.step ? { step: reply.in_block ? "query" : reply.step, block: reply.in_block ? reply.block : null } : null;
    drawStrip(this.find(".af-strip"), reply, this.link, (box) => this.go(box));
    this.host.dataset.frame = reply.frame;
    this.light();
  }

  go({ step, block }) {
    this.link.wanted = { step, ...(block === null ? {} : { block }) };
    tabs().get("flow")?.click();
    this.link.tell("step");
  }

  // The boxes that the present room is about.
  light() {
    const room = [...tabs()].find(([, tab]) => tab.getAttribute("aria-selected") === "true")?.[0];
    const { step, block } = this.opened ?? {};
    for (const box of this.find(".af-strip").children) {
      const mine = room === "flow" ? box.dataset.step === step && (block === null || box.dataset.block === String(block)) : LIT[room]?.includes(box.dataset.step);
      box.classList.toggle("af-lit", Boolean(mine));
      if (mine && room === "flow") box.setAttribute("aria-current", "step");
      else box.removeAttribute("aria-current");
    }
    const [strip, lit] = [this.find(".af-strip"), this.find(".af-lit")]; // on a phone the strip is wider than the screen
    if (lit && strip.scrollWidth > strip.clientWidth) strip.scrollLeft = lit.offsetLeft - (strip.clientWidth - lit.offsetWidth) / 2;
  }
}
