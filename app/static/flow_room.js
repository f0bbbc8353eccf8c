// Flow: the way from sound to label, one box open at a time, for the moment under the cursor.
import { bars, heat } from "./heat.js";
import { stretch } from "./flow_strip.js";
import { part, put } from "./parts.js";
import { ProductView } from "./product_view.js";
import { Room } from "./room.js";
import { Timeline } from "./widgets/timeline.js";

const TEMPLATE = `
  <div class="af-view"></div>
  <div class="af-walk" role="group" aria-label="Step by step">
    <button type="button" class="af-button af-back">◀ Back</button>
    <button type="button" class="af-button af-next">Next ▶</button>
    <p class="af-lead af-flow-say" aria-live="polite"><b></b> <span></span> <small class="af-count"></small></p>
  </div>
  <div class="af-controls af-inside" role="group" aria-label="Inside the block">
    <label class="af-of-block">Block <select class="af-block" aria-label="Block"></select></label>
    <label class="af-of-head">Head <select class="af-head" aria-label="Head"></select></label>
    <span class="af-steps-of-block"></span>
  </div>
  <section class="af-card af-opened"></section>`;
const INSIDE = {
  query: ["Q", "Query: what this moment looks for"], key: ["K", "Key: what others find it by"], value: ["V", "Value: what it hands over"],
  fit: ["softmax", "Where it looks"], mix: ["sum of V", "What it takes over"], out: ["add heads", "The heads' results are added"],
  units: ["units", "Feed-forward units"], back: ["add units", "What the units find is added"],
}; // prettier-ignore
const HEADLESS = ["out", "units", "back"];

export function mount(page) {
  new FlowRoom(page).open();
}

class FlowRoom extends Room {
  constructor(page) {
    super(page, "flow", TEMPLATE);
    this.at = { step: "sound", block: 0, head: 0 };
    this.timeline = new Timeline(this.find(".af-view"));
    this.answers = { look: this.looked };
    this.link.addEventListener("cursor", () => this.moved());
    this.link.addEventListener("step", () => this.wish());
    this.find(".af-back").addEventListener("click", () => this.walk(-1));
    this.find(".af-next").addEventListener("click", () => this.walk(1));
    for (const name of ["block", "head"]) {
      this.find(`.af-${name}`).addEventListener("change", (event) => this.go({ [name]: Number(event.target.value) }));
    }
  }

  enter() {
    this.view = null;
    const asked = { ...this.link.wanted, ...this.wished() };
    this.link.wanted = null;
    Object.assign(this.at, asked);
    this.ask("look", { ...this.at, frame: this.link.cursor?.frame });
  }

  forget() {
    this.at = { step: "sound", block: 0, head: 0 };
  }

  // A box of the strip was clicked while this room is open.
  wish() {
    if (!this.view || !this.link.wanted) return;
    const wanted = this.link.wanted;
    this.link.wanted = null;
    const inside = wanted.step === "query" && this.view.in_block; // another block, the same step in it
    this.go(inside ? { block: wanted.block } : wanted);
  }

  go(change) {
    if (!this.view || this.view.empty) return;
    Object.assign(this.at, change);
    this.ask("look", { ...this.at, frame: this.link.cursor?.frame ?? this.view.frame });
  }

  walk(by) {
    const { walk } = this.view ?? { walk: [] };
    const next = walk[walk.indexOf(this.at.step) + by];
    if (next) this.go({ step: next });
  }

  moved() {
    const { cursor } = this.link;
    if (this.view && !this.view.empty && cursor && cursor.frame !== this.view.frame && this.link.token === this.token && this.host.offsetParent !== null) this.go({});
  }

  looked(reply, more) {
    if (more) return;
    const first = !this.view;
    this.view = reply;
    this.host.classList.toggle("af-empty", Boolean(reply.empty));
    if (reply.empty) return;
    const { step, block, head, walk, in_block } = reply;
    this.at = { step, block, head };
    this.remember(in_block ? { step, block, head } : { step });
    if (first) this.timeline.show({ ...reply, hear: [{ name: "original", label: "original" }] });
    this.link.flow = reply;
    this.link.tell("flow");
    if (first && !this.link.cursor) this.timeline.point(1, reply.frame);
    const count = walk.indexOf(step) + 1;
    this.find(".af-count").textContent = `${count} of ${walk.length} · ${reply.moment}`;
    this.find(".af-back").disabled = count === 1;
    this.find(".af-next").disabled = count === walk.length;
    this.find(".af-flow-say b").replaceChildren(...(in_block ? [`Block ${block + 1}: ${reply.title}.`] : [reply.title, "."]));
    this.find(".af-flow-say span").textContent = reply.sentence;
    this.offer(reply);
    this.unfold(reply);
    this.host.dataset.shown = `${step}:${block}:${head}:${reply.frame}`;
  }

  // What can be chosen inside a block.
  offer({ in_block, n_blocks, n_heads, block, head, step }) {
    const fill = (name, n, value) => {
      const select = this.find(`.af-${name}`);
      if (select.options.length !== n) select.replaceChildren(...Array.from({ length: n }, (_, i) => new Option(i + 1, i)));
      put(select, value);
    };
    fill("block", n_blocks, block);
    fill("head", n_heads, head);
    this.find(".af-inside").hidden = !in_block;
    this.find(".af-of-head").hidden = !in_block || HEADLESS.includes(step);
    const steps = this.find(".af-steps-of-block");
    const focused = steps.contains(document.activeElement);
    steps.replaceChildren(...Object.entries(INSIDE).map(([name, [label, title]]) => {
      const button = part("button", "af-button", label);
      Object.assign(button, { type: "button", title });
      button.dataset.inside = name;
      button.setAttribute("aria-pressed", String(name === step));
      button.addEventListener("click", () => this.go({ step: name }));
      return button;
    }));
    if (focused) steps.querySelector("[aria-pressed=true]")?.focus();
  }

  // --- the box that is open

  unfold(reply) {
    const box = this.find(".af-opened");
    if (reply.product) {
      if (!box.classList.contains("af-product")) {
        box.replaceChildren();
        this.product = new ProductView(box, (cell) => this.ask("look", { ...this.at, cell, frame: this.view.frame }));
      }
      return this.product.show(reply.product);
    }
    box.classList.remove("af-product");
    const made = { sound: this.sound, frame: this.frame, codes: this.codes, tokens: this.tokens }[reply.step];
    box.replaceChildren(...made.call(this, reply));
    if (this.product) this.product.shown = null;
  }

  sound({ frame, hop, rate }) {
    const values = stretch(this.link, frame, 3, 960);
    const third = values.length / 3;
    const middle = values.slice(Math.floor(third), Math.floor(2 * third));
    const some = middle.slice(0, 8).map((value) => value.toFixed(4).replace("-", "−")).join(", ");
    const wave = bars(values, "af-stems af-tall", (i) => (i < third || i >= 2 * third ? null : false));
    return [wave, part("p", "af-numbers", `${some}, … ${hop} numbers, ${(1000 * hop / rate).toFixed(1)} ms; grey: the frames before and after`)];
  }

  frame({ column }) {
    const some = column.values.slice(0, 10).map((value) => value.toFixed(2).replace("-", "−")).join(", ");
    return [bars(column.values, "af-stems af-tall"), part("p", "af-numbers", `${some}, …`)];
  }

  codes({ column }) {
    const table = part("table", "af-residuals");
    const row = (...cells) => {
      const line = part("tr");
      line.append(...cells.map((cell) => {
        const one = part("td");
        one.append(cell);
        return one;
      }));
      table.append(line);
    };
    const head = part("tr");
    head.append(...["", "code", "the entry it stands for", "what is left over", ""].map((text) => part("th", "", text)));
    table.append(head);
    row("frame", "", "", heat(column.heat), this.size(1));
    column.rows.forEach(({ code, entry, left, share }, i) => row(`row ${i + 1}`, part("b", "", code), heat(entry), heat(left), this.size(share)));
    return [table];
  }

  size(share) {
    const bar = part("span", "af-left-over");
    const track = part("i", "af-share");
    track.style.setProperty("--share", share);
    bar.append(track, part("span", "", `${(100 * share).toFixed(0)} %`));
    return bar;
  }

  tokens({ tokens }) {
    const { rows, first, place, n } = tokens;
    const table = part("table", "af-tokens");
    const head = part("tr");
    head.append(part("th", "", "position"), ...rows[0].map((_, i) => part("th", i === place ? "af-here" : "", first + i)));
    table.append(head, ...rows.map((codes, row) => {
      const line = part("tr");
      line.append(part("th", "", `row ${row + 1}`), ...codes.map((code, i) => part("td", i === place ? "af-here" : "", code)));
      return line;
    }));
    return [table, part("p", "af-numbers", `${n} positions in all; framed: this moment`)];
  }
}
