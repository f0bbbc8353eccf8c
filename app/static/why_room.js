// Why: what made this label? A map of importance, a test of the map, and the evidence to hear.
import { PlotlyView } from "./plotly_view.js";
import { bars, fact, packBits, part, put } from "./parts.js";
import { Room } from "./room.js";
import { Timeline } from "./widgets/timeline.js";

const TEMPLATE = `
  <div class="af-controls" role="group" aria-label="What to explain">
    <label>Why <select class="af-label" aria-label="Label to explain"></select></label>
    <label>asked by <select class="af-method" aria-label="Way of asking">
      <option value="occlusion">hiding it (occlusion)</option>
      <option value="gradients">integrated gradients</option>
      <option value="rollout">attention rollout</option></select></label>
    <span class="af-rule"></span>
    <label>Evidence: the top <input type="range" class="af-top-share" min="5" max="95" step="5" value="15" aria-label="Share kept as evidence, percent"><output>15 %</output> of the clip</label>
  </div>
  <div class="af-view"></div>
  <div class="af-panels">
    <section class="af-card af-map" aria-live="polite"><h3>What it hangs on</h3><div></div></section>
    <section class="af-card af-trust"><h3>Can it be believed?</h3><div class="af-chart" role="img"></div>
      <p class="af-legend"><i class="af-key"></i> only these shown <i class="af-key af-hid"></i> these hidden; dotted: in random order</p>
      <p class="af-gain" aria-live="polite"></p></section>
    <section class="af-card af-alone" aria-live="polite"><h3>The evidence alone</h3><div></div></section>
  </div>`;
const HEAR = [["original", "original"], ["evidence", "evidence"], ["rest", "without it"]].map(([name, label]) => ({ name, label })); // prettier-ignore
const percent = (p) => `${(100 * p).toFixed(0)} %`;
const points = (p) => `${p > 0 ? "−" : "+"}${Math.abs(100 * p).toFixed(1)} points`; // of a fall

export function mount(page) {
  new WhyRoom(page).open();
}

class WhyRoom extends Room {
  constructor(page) {
    super(page, "why", TEMPLATE);
    this.timeline = new Timeline(this.find(".af-view"), { chosen: (name) => this.fetch(name) });
    this.chart = new PlotlyView(this.find(".af-chart"));
    this.find(".af-trust").append(this.chart.saveMenu("faithfulness"));
    this.chart.onDraw = () => (this.find(".af-trust").dataset.drawn = this.trusted);
    this.answers = { look: this.looked, rows: this.rowed, trust: this.tested, hear: this.heard };
    for (const name of [".af-label", ".af-method"]) this.find(name).addEventListener("change", () => this.look());
    this.find(".af-top-share").addEventListener("input", () => this.cover());
    this.find(".af-top-share").addEventListener("change", () => this.weigh());
  }

  enter() {
    this.view = null;
    const { why, by, top } = this.wished();
    put(this.find(".af-method"), by);
    put(this.find(".af-top-share"), top);
    this.named = why; // a label by its name, which the first answer tells the number of
    this.ask("look", { method: this.find(".af-method").value });
  }

  look() {
    if (this.view) this.ask("look", { method: this.find(".af-method").value, label: Number(this.find(".af-label").value) });
  }

  looked(reply, more) {
    if (more) return;
    this.view = reply;
    this.host.classList.toggle("af-empty", Boolean(reply.empty));
    if (reply.empty) return;
    this.find(".af-label").replaceChildren(...reply.labels.map(({ number, name, sounds }) => {
      return new Option(sounds ? `${name} (sounds)` : name, number, false, number === reply.label);
    }));
    const other = reply.labels.find(({ name, number }) => name === this.named && number !== reply.label);
    this.named = null;
    if (other) return this.ask("look", { method: reply.method, label: other.number });
    this.timeline.show({ ...reply, hear: HEAR });
    this.showMap(reply);
    this.find(".af-gain").textContent = "Hiding and showing it piece by piece …";
    this.find(".af-trust").classList.add("af-stale"); // of another clip, label or map
    this.find(".af-alone div").replaceChildren(part("p", "", "Listening to the evidence …"));
    if (reply.method === "occlusion") this.ask("rows", { label: reply.label });
    this.ask("trust", { order: reply.order, label: reply.label });
    this.cover();
    this.weigh();
  }

  // --- the evidence: the first blocks of the order

  get kept() {
    const { order, block, frames } = this.view;
    const share = Number(this.find(".af-top-share").value) / 100;
    const kept = new Uint8Array(order.length);
    for (const number of order.slice(0, Math.max(1, Math.round(share * order.length)))) kept[number] = 1;
    return { kept, step_s: block / this.view.frame_rate, frames };
  }

  get bits() {
    return packBits(this.kept.kept);
  }

  // What is no evidence pales on the spectrogram, at once.
  cover() {
    const slider = this.find(".af-top-share");
    slider.nextElementSibling.textContent = `${slider.value} %`;
    if (!this.view || this.view.empty) return;
    this.remember({ why: this.view.name, by: this.view.method, top: Number(slider.value) });
    const { kept, step_s } = this.kept;
    const covers = this.strength; // where the evidence hardly matters, the rest is hardly covered
    this.timeline.veil = { start_s: 0, step_s, shares: Array.from(kept, (on) => (on ? 1 : 1 - covers)) };
    this.timeline.draw();
  }

  // How much the best block matters, 0.1 to 1: a fall of 20 points, 1 nat, or three times an even share of attention is much.
  get strength() {
    const { method, means, order, block } = this.view;
    const most = means[order[0]];
    const much = { occlusion: most / 0.2, gradients: most * block, rollout: (most - 1) / 2 }[method];
    return Math.min(1, Math.max(0.1, much));
  }

  weigh() {
    if (!this.view || this.view.empty) return;
    this.sounds = {};
    this.parts = {};
    this.find(".af-alone").dataset.parts = "";
    this.ask("hear", { name: this.timeline.choice === "rest" ? "rest" : "evidence", kept: this.bits, label: this.view.label });
  }

  // Sounds come when they are asked for.
  fetch(name) {
    if (name === "original" || !this.view || this.view.empty) return;
    if (this.sounds[name]) return this.link.player.choose(name);
    this.ask("hear", { name, kept: this.bits, label: this.view.label });
  }

  heard(reply) {
    if (reply.kept !== this.bits || reply.label !== this.view.label) return;
    this.sounds[reply.name] = true;
    this.parts[reply.name] = reply.probability;
    this.link.player.set(reply.name, reply.wav);
    this.link.player.choose(this.timeline.choice);
    this.host.dataset.sound = reply.name;
    this.showAlone();
    if (!("rest" in this.parts)) this.ask("hear", { name: "rest", kept: this.bits, label: this.view.label });
    else if (!("evidence" in this.parts)) this.ask("hear", { name: "evidence", kept: this.bits, label: this.view.label });
  }

  // --- what is told

  stretch(number) {
    const [start, end] = [number, number + 1].map((at) => Math.min(at * this.view.block, this.view.frames) / this.view.frame_rate);
    return `${start.toFixed(2)}-${end.toFixed(2)} s`;
  }

  showMap({ method, name, whole, nothing, missing, complete, order, means, rows, block }) {
    const first = this.stretch(order[0]);
    const facts = [];
    if (method === "occlusion") {
      facts.push(fact(name, percent(whole), `with everything hidden ${percent(nothing)}`));
      facts.push(fact("Most", first, `hiding it: ${points(means[order[0]])}`));
    } else if (method === "gradients") {
      facts.push(fact("Log-odds", `${whole.toFixed(2)} nats`, `with everything hidden ${nothing.toFixed(2)}`));
      facts.push(fact("Most", first, `${(means[order[0]] * block).toFixed(2)} nats`));
      facts.push(fact("Left over", `${Math.abs(missing).toFixed(3)} nats`, complete ? "0 if the integral were exact" : "too much: doubt these shares"));
    } else {
      facts.push(fact("Most", first, `${means[order[0]].toFixed(2)} times an even share`));
      facts.push(part("p", "", "Rollout knows no label: it is the same whatever you ask about."));
    }
    if (rows) facts.push(this.rows(rows, method));
    else if (method === "occlusion") facts.push(part("p", "", "Row by row …"));
    this.find(".af-map div").replaceChildren(...facts);
    Object.assign(this.find(".af-map").dataset, { method, label: name });
  }

  // What occlusion says of rows comes after its map.
  rowed({ rows, label }, more) {
    if (more || label !== this.view.label || this.view.method !== "occlusion") return;
    this.view.rows = rows;
    this.showMap(this.view);
  }

  rows(rows, method) {
    const most = Math.max(...rows.map(Math.abs), 1e-9);
    const box = part("div", "");
    const told = (value) => (method === "occlusion" ? `${value > 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(0)} pts` : value.toFixed(2));
    const made = rows.map((value, row) => ({ label: `row ${row + 1}`, value: Math.abs(value) / most, text: told(value), mark: value < 0 }));
    const legend = method === "occlusion" ? "probability without this row; orange: it rises" : "nats of this row; orange: against the label";
    box.append(bars(made), part("p", "af-legend", legend));
    return box;
  }

  tested(reply, more) {
    if (more || String(reply.order) !== String(this.view.order) || reply.label !== this.view.label) return;
    this.trusted = `${this.view.method}:${reply.label}`;
    this.find(".af-trust").classList.remove("af-stale");
    this.chart.show(reply);
    const better = reply.gain - reply.chance;
    const verdict = better > 0.1 ? "it finds what the model uses" : better < -0.1 ? "worse than guessing" : "hardly better than guessing";
    this.find(".af-gain").textContent = `Area between the lines ${reply.gain.toFixed(2)}, in random order ${reply.chance.toFixed(2)}: ${verdict}.`;
    this.host.dataset.gain = reply.gain.toFixed(4);
  }

  showAlone() {
    const { name, whole, truth, method } = this.view;
    const { evidence, rest } = this.parts;
    const facts = [];
    const share = `${this.find(".af-top-share").value} %`;
    if (evidence !== undefined) facts.push(fact("Only this", percent(evidence), `${name}, from ${share} of the clip`));
    if (rest !== undefined) facts.push(fact("Without it", percent(rest), method === "occlusion" ? `whole clip ${percent(whole)}` : ""));
    facts.push(part("p", "", "Choose “evidence” above the picture to hear it: what is no evidence is silent."));
    if (truth) {
      facts.push(fact("Truth", truth.hit ? "hit" : "missed", `its peak lies ${truth.hit ? "in" : "outside"} the true event`));
      facts.push(fact("Frames", truth.precision.toFixed(2), `average precision; chance ${truth.chance.toFixed(2)}`));
    }
    this.find(".af-alone div").replaceChildren(...facts);
    this.find(".af-alone").dataset.parts = Object.keys(this.parts).sort().join(" ");
  }
}
