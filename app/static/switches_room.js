// Switches: turn parts of the classifier off and see the label move; colours say what each part alone is worth.
import { bars, part } from "./parts.js";
import { Room } from "./room.js";
import { Timeline } from "./widgets/timeline.js";

const TEMPLATE = `
  <div class="af-controls" role="group" aria-label="Switches">
    <label>Score of <select class="af-label" aria-label="Label to watch"></select></label>
    <button type="button" class="af-button af-turn">Switch off each in turn</button>
    <button type="button" class="af-button af-reset" disabled>All on</button>
    <output class="af-turned" aria-live="polite">Click a part to switch it off.</output>
  </div>
  <div class="af-duo af-switching">
    <section class="af-card af-board" aria-label="Parts of the classifier"></section>
    <div class="af-now-column">
      <section class="af-card af-outcome" aria-live="polite"><h3>What it says now</h3><p class="af-verdict-now"></p><div></div></section>
      <div class="af-view"></div>
    </div>
  </div>
  <section class="af-card af-units"><div class="af-controls">
    <label>Feed-forward units of block <select class="af-unit-block" aria-label="Block of the units"></select></label>
    <button type="button" class="af-button af-show-units">Show the strongest</button></div>
    <div class="af-unit-board" role="group" aria-label="Units"></div><div class="af-drive" aria-live="polite"></div></section>`;
const points = (fall, fine = false) => `${fall >= 0 ? "−" : "+"}${Math.abs(100 * fall).toFixed(fine && Math.abs(fall) < 0.001 ? 2 : Math.abs(fall) < 0.095 ? 1 : 0)}`;
const percent = (p) => `${(100 * p).toFixed(0)} %`;
const KINDS = ["rows", "blocks", "heads", "forward", "units"];

export function mount(page) {
  new SwitchesRoom(page).open();
}

class SwitchesRoom extends Room {
  constructor(page) {
    super(page, "switches", TEMPLATE);
    this.timeline = new Timeline(this.find(".af-view"));
    this.answers = { look: this.looked, turn: this.turned, units: this.listed, drive: this.driven };
    this.clear();
    this.find(".af-label").addEventListener("change", () => this.changed());
    this.find(".af-reset").addEventListener("click", () => (this.clear(), this.changed()));
    this.find(".af-turn").addEventListener("click", () => {
      this.find(".af-turned").textContent = "Switching off one after the other …";
      this.ask("turn", this.question);
    });
    this.find(".af-show-units").addEventListener("click", () => this.showUnits());
    this.find(".af-unit-block").addEventListener("change", () => this.showUnits());
    this.find(".af-board").addEventListener("keydown", (event) => this.key(event));
  }

  clear() {
    this.off = Object.fromEntries(KINDS.map((kind) => [kind, new Set()]));
    this.falls = null;
  }

  // Other sounds are asked about with the same parts off; another model has other parts.
  enter() {
    this.view = null;
    this.falls = null;
    this.find(".af-unit-board").replaceChildren();
    this.find(".af-drive").replaceChildren();
    this.ask("look", { ...this.question, label: null });
  }

  get question() {
    const numbers = (kind) => [...this.off[kind]].map((one) => (one.includes(":") ? one.split(":").map(Number) : Number(one)));
    return { ...Object.fromEntries(KINDS.map((kind) => [kind, numbers(kind)])), label: this.view ? Number(this.find(".af-label").value) : null };
  }

  toggle(kind, name) {
    const set = this.off[kind];
    if (!set.delete(name)) set.add(name);
    this.changed();
  }

  changed() {
    if (!this.view || this.view.empty) return;
    this.stale = Boolean(this.falls); // of another state or label, until the answer is there
    this.mark();
    this.ask("look", this.question);
    if (this.falls) this.ask("turn", this.question);
  }

  looked(reply, more) {
    if (more) return;
    this.host.classList.toggle("af-empty", Boolean(reply.empty));
    const before = this.view;
    this.view = reply;
    if (reply.empty) return;
    const { labels, label, sizes } = reply;
    const offered = labels.some(({ number }) => number === label) ? labels : [...labels, { number: label, name: reply.name }];
    this.find(".af-label").replaceChildren(...offered.map(({ number, name }) => new Option(name, number, false, number === label)));
    if (JSON.stringify(before?.sizes) !== JSON.stringify(sizes) || !this.find(".af-board").firstElementChild) this.build(sizes);
    this.timeline.show({ ...reply, hear: [{ name: "original", label: "original" }], lanes: this.unitLane ? [...reply.lanes, this.unitLane] : reply.lanes });
    const said = this.find(".af-verdict-now");
    const fall = reply.before - reply.now;
    said.replaceChildren(part("b", "", `${reply.name} ${percent(reply.now)}`), part("span", "", this.count ? ` ${percent(reply.before)} with everything on: ${points(fall)} points` : " with everything on"));
    this.find(".af-outcome div").replaceChildren(
      bars(reply.classes.map((one) => ({ label: one.label, value: one.now, ghost: one.before, text: percent(one.now), title: `${one.label}: ${percent(one.before)} before, ${percent(one.now)} now` })), reply.chance),
      part("p", "af-legend", "bar: now; outline: everything on; tick: chance"),
    );
    this.mark();
    this.host.dataset.now = reply.now.toFixed(4);
    this.host.dataset.off = this.count;
  }

  get count() {
    return KINDS.reduce((sum, kind) => sum + this.off[kind].size, 0);
  }

  // --- the board: rows on the left; a column for each block: its heads, its units, all of it

  build({ rows, blocks, heads }) {
    this.clear();
    const board = this.find(".af-board");
    const column = (title, parts) => {
      const made = part("div", "af-parts");
      made.append(part("h3", "", title), ...parts.map(([kind, name, label, say]) => this.switchOf(kind, name, label, say)));
      return made;
    };
    const numbers = (n) => Array.from({ length: n }, (_, i) => i);
    board.replaceChildren(
      column("Codes", numbers(rows).map((row) => ["rows", String(row), `row ${row + 1}`, `row ${row + 1} of the codes`])),
      ...numbers(blocks).map((block) => column(`Block ${block + 1}`, [
        ...numbers(heads).map((head) => ["heads", `${block}:${head}`, `head ${head + 1}`, `head ${head + 1} of block ${block + 1}`]),
        ["forward", String(block), "units", `all feed-forward units of block ${block + 1}`],
        ["blocks", String(block), "whole", `the whole block ${block + 1}`],
      ])),
    );
    const select = this.find(".af-unit-block");
    select.replaceChildren(...numbers(blocks).map((block) => new Option(block + 1, block)));
  }

  switchOf(kind, name, label, say) {
    const button = part("button", "af-switch");
    button.type = "button";
    button.setAttribute("role", "switch");
    Object.assign(button.dataset, { kind, part: name, say });
    button.append(part("span", "", label), part("small", "", ""));
    button.addEventListener("click", () => this.toggle(kind, name));
    return button;
  }

  // What is off, and by colour what each part alone is worth.
  mark() {
    const most = this.falls ? Math.max(0.05, ...this.falls.flat.map(Math.abs)) : 1;
    for (const button of this.host.querySelectorAll(".af-switch")) {
      const { kind, part: name, say } = button.dataset;
      const off = this.off[kind].has(name);
      button.setAttribute("aria-checked", String(!off));
      const fall = kind === "units" ? Number(button.dataset.fall) : this.falls?.of(kind, name);
      const known = fall !== undefined && Number.isFinite(fall);
      const scale = kind === "units" ? Math.max(0.02, this.unitMost ?? 0) : most;
      button.style.setProperty("--share", known && !off ? Math.min(1, Math.sqrt(Math.abs(fall) / scale)) : 0);
      button.classList.toggle("af-helps", known && fall > 0);
      button.classList.toggle("af-old", kind !== "units" && Boolean(this.stale));
      button.querySelector("small").textContent = off ? "off" : known ? points(fall, kind === "units") : "";
      button.title = `${say}${off ? ", off" : ""}${known ? `: without it ${points(fall)} points` : ""}`;
      button.setAttribute("aria-label", button.title);
    }
    this.find(".af-reset").disabled = !this.count;
  }

  turned(reply, more) {
    if (more || reply.label !== this.view?.label) return;
    const { rows, blocks, heads, feed_forward } = reply.falls;
    const table = { rows, blocks, forward: feed_forward };
    const of = (kind, name) => (kind === "heads" ? heads[name.split(":")[0]][name.split(":")[1]] : table[kind]?.[Number(name)]);
    this.falls = { of, flat: [rows, blocks, feed_forward, heads.flat()].flat() };
    this.stale = false;
    this.mark();
    this.find(".af-turned").textContent = `Points that ${this.view.name} loses (blue) or gains (orange) without each part alone.`;
    this.host.dataset.turned = reply.label;
  }

  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const here = event.target.closest(".af-switch");
    if (!step || !here) return;
    event.preventDefault();
    const columns = [...this.find(".af-board").children].map((one) => [...one.querySelectorAll(".af-switch")]);
    const x = columns.findIndex((one) => one.includes(here));
    const other = columns[x + step[0]] ?? columns[x];
    other[Math.min(Math.max(columns[x].indexOf(here) + step[1], 0), other.length - 1)].focus();
  }

  // --- single feed-forward units

  get unitBlock() {
    return Number(this.find(".af-unit-block").value);
  }

  showUnits() {
    if (!this.view || this.view.empty) return;
    this.find(".af-drive").replaceChildren(part("p", "", "Looking for the strongest units …"));
    this.ask("units", { ...this.question, block: this.unitBlock });
  }

  listed({ units, block, label }, more) {
    if (more || block !== this.unitBlock || label !== this.view.label) return;
    this.unitMost = Math.max(...units.map(({ fall }) => Math.abs(fall)));
    const boxes = units.map(({ unit, fall }) => {
      const pair = part("span", "af-unit");
      const button = this.switchOf("units", `${block}:${unit}`, `${unit + 1}`, `unit ${unit + 1} of block ${block + 1}`);
      button.dataset.fall = fall;
      const hear = part("button", "af-button af-what", "▶ what drives it");
      hear.type = "button";
      hear.setAttribute("aria-label", `What drives unit ${unit + 1}`);
      hear.addEventListener("click", () => this.ask("drive", { block, unit }));
      pair.append(button, hear);
      return pair;
    });
    this.find(".af-unit-board").replaceChildren(...boxes);
    const told = `The ${units.length} units that add most to this clip; the number: points that ${this.view.name} loses without it.`;
    this.find(".af-drive").replaceChildren(part("p", "", told));
    this.mark();
    this.host.dataset.units = block;
  }

  // The moments in all sample sounds that drive a unit most, to hear, and its course over this clip.
  driven({ unit, block, moments, lane }, more) {
    if (more) return;
    this.unitLane = lane;
    this.timeline.show({ ...this.view, hear: [{ name: "original", label: "original" }], lanes: [...this.view.lanes, lane] });
    const list = part("div", "af-moments");
    list.append(...moments.map(({ label, time_s, value, wav }) => {
      const button = part("button", "af-button af-moment-heard", `▶ ${label}, ${time_s.toFixed(2)} s`);
      button.type = "button";
      button.title = `activation ${value.toFixed(2)}`;
      button.addEventListener("click", () => {
        this.link.player.once(wav);
        this.host.dataset.heard = `${block}:${unit}:${label}`;
      });
      return button;
    }));
    this.find(".af-drive").replaceChildren(part("p", "", `Unit ${unit + 1} of block ${block + 1}: the moments in all sample sounds that drive it most. What have they in common?`), list);
    this.host.dataset.drive = `${block}:${unit}`;
  }
}
