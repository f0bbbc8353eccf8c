// Listen: the time line of one clip, how many codebooks the sound of the codes keeps, and codes changed by hand.
import { CodebookPanel } from "./codebook_panel.js";
import { drawHeard } from "./heard_lanes.js";
import { LATE, Latest } from "./latest.js";
import { PlotlyView } from "./plotly_view.js";
import { StabilityPanel } from "./stability_panel.js";
import { Timeline } from "./widgets/timeline.js";

const KEEP = `<label class="af-keep"><span>Keep</span><input type="range" min="1" step="1" aria-label="Codebooks kept"></label>
  <output class="af-kept"></output>`;
const EDIT = `
  <label>Rows <select class="af-rows" aria-label="Rows to change"></select></label>
  <button type="button" class="af-button" data-edit="silence" title="The codes that the codec writes for silence">Silence</button>
  <button type="button" class="af-button" data-edit="shuffle" title="The same codes in another order">Shuffle</button>
  <button type="button" class="af-button" data-edit="copy" title="Lay the selected stretch over what begins at the cursor">Copy to cursor</button>
  <button type="button" class="af-button af-undo" disabled>Undo</button>
  <output class="af-edited" aria-live="polite">Drag a stretch, or change the whole clip.</output>`;

export function mount(page) {
  new ClipView(page).load();
}

class ClipView {
  constructor({ element, read, watch, send }) {
    this.host = element.querySelector(".af-listen");
    this.read = read;
    const late = () => this.timeline.say(LATE);
    this.keeping = new Latest((n_codebooks) => send("ask", { what: "keep", n_codebooks, ask: this.pulled }), late);
    this.hearing = new Latest((cursor) => send("ask", { what: "hear", ...cursor }), late);
    this.timeline = new Timeline(this.host, { hear: (cursor) => this.hearing.send(cursor), chosen: () => this.drawHeard() });
    this.host.querySelector(".af-slot").innerHTML = KEEP; // fixed text
    this.changing = new Latest((edits) => send("ask", { what: "change", edits }), () => {
      this.edits = this.edits.slice(0, -1);
      late();
    });
    this.edits = [];
    this.addTools(send);
    this.slider = this.host.querySelector(".af-keep input");
    this.slider.addEventListener("input", () => this.showKept(null));
    this.slider.addEventListener("change", () => {
      [this.pulled, this.pulling] = [true, true]; // once somebody has chosen how many, that holds for other clips, too
      this.keeping.send(Number(this.slider.value));
    });
    watch("value", () => this.load());
    watch("reply", () => this.answer(JSON.parse(this.read("reply") || "null")));
  }

  // Below the time line: changing codes, and the curve of what each codebook adds.
  addTools(send) {
    const tools = this.host.querySelector(".af-tools");
    const offers = this.read("offers"); // the questions that this page can answer; nothing said: all
    const toggle = (what, label, panel, opened = () => {}) => {
      if (offers && !offers.includes(what)) return;
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: label });
      button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", () => {
        panel.hidden = !panel.hidden;
        button.setAttribute("aria-expanded", String(!panel.hidden));
        if (!panel.hidden) opened();
      });
      tools.prepend(button);
    };
    const panel = (name, html = "") => {
      const made = document.createElement("div");
      Object.assign(made, { className: name, innerHTML: html, hidden: true });
      this.host.append(made);
      return made;
    };
    this.curve = panel("af-curve", "<div class='af-chart' role='img'></div>");
    this.chart = new PlotlyView(this.curve.firstElementChild);
    this.curve.append(this.chart.saveMenu("codebooks"));
    this.chart.onDraw = () => (this.curve.dataset.drawn = this.shown.token);
    toggle("curve", "Each codebook", this.curve, () => send("ask", { what: "curve" }));
    this.askCurve = () => !this.curve.hidden && send("ask", { what: "curve" });
    const book = panel("af-book");
    this.book = new CodebookPanel(book, this.timeline, (what, data) => send("ask", { what, ...data }));
    toggle("codebook", "Codebook", book, () => this.book.load(this.shown?.n_codebooks ?? 1, true));
    const table = panel("af-stability");
    this.stability = new StabilityPanel(table, (what, data) => send("ask", { what, ...data }));
    toggle("stability", "Small changes", table, () => this.stability.load(this.shown?.token));
    const edit = panel("af-controls af-edit", EDIT);
    toggle("change", "Change codes", edit);
    for (const button of edit.querySelectorAll("[data-edit]")) button.addEventListener("click", () => this.change(button.dataset.edit));
    edit.querySelector(".af-undo").addEventListener("click", () => this.changing.send((this.edits = this.edits.slice(0, -1))));
  }

  change(action) {
    if (!this.shown) return;
    const { selection, cursor } = this.timeline.link;
    const all = this.timeline.codes[0].length;
    const [first, last] = (selection ?? [0, this.shown.duration_s]).map((time) => Math.round(time * this.shown.frame_rate));
    const frame = Math.min(first, all - 1);
    const frames = Math.max(1, Math.min(last, all) - frame);
    const row = Number(this.host.querySelector(".af-rows").value);
    const edit = { action, row, frame, frames, to: action === "copy" ? (cursor?.frame ?? 0) : 0, seed: this.edits.length };
    this.edits = [...this.edits, edit];
    this.changing.send(this.edits);
  }

  changed(reply) {
    this.offer("edited", "C · changed", reply, Boolean(reply.n_edits));
    const says = reply.label ? `: now ${reply.label.label} ${(100 * reply.label.probability).toFixed(0)} %` : "";
    const share = (100 * reply.changed).toFixed(reply.changed < 0.1 ? 1 : 0);
    this.host.querySelector(".af-edited").textContent = reply.n_edits ? `${share} % of the codes changed${says}` : "As it was.";
    this.host.querySelector(".af-undo").disabled = !reply.n_edits;
    this.host.dataset.edits = reply.n_edits;
    if (reply.n_edits) this.timeline.play();
  }

  // One more sound beside A and B, chosen at once; or not any more.
  offer(name, label, reply, there = true) {
    this.lanes[name] = reply.lanes;
    if (there) this.more.set(name, label);
    else this.more.delete(name);
    const hear = [...this.shown.hear, ...[...this.more].map(([one, called]) => ({ name: one, label: called }))];
    this.timeline.show({ ...this.shown, hear, sounds: { [name]: reply.wav } });
    this.timeline.choose(there ? name : "kept");
  }

  varied(reply) {
    this.offer("varied", "D · slightly different", reply);
    this.stability.heard(reply);
    this.host.dataset.varied = reply.change;
    this.timeline.play();
  }

  // Spectrogram and codes are those of the sound that is chosen.
  drawHeard() {
    drawHeard(this.timeline, this.shown, this.lanes[this.timeline.choice]);
  }

  load() {
    const text = this.read("value");
    const shown = text ? JSON.parse(text) : null;
    this.shown = shown;
    this.lanes = {}; // of other sounds than the original
    this.more = new Map(); // sounds beside A and B, by what they are called
    if (shown) {
      const kept = this.pulled ? Number(this.slider.value) : shown.n_codebooks;
      this.slider.max = shown.n_codebooks; // first: a value is held below the maximum
      this.slider.value = kept;
      this.showKept(null);
      this.edits = [];
      this.host.querySelector(".af-undo").disabled = true;
      const rows = this.host.querySelector(".af-rows");
      rows.replaceChildren(...Array.from({ length: shown.n_codebooks + 1 }, (_, row) => new Option(row ? `row ${row}` : "all", row)));
    }
    this.timeline.show(shown);
    if (shown) this.keeping.send(Number(this.slider.value)); // the sound of the codes follows
    if (shown) this.askCurve();
    if (shown && !this.stability.host.hidden) this.stability.load(shown.token);
    if (shown) this.book.load(shown.n_codebooks, !this.book.host.hidden);
  }

  // An answer from the server; one about an earlier clip is dropped.
  answer(reply) {
    if (!reply) return;
    ({ keep: this.keeping, hear: this.hearing, change: this.changing, stability: this.stability.asking, varied: this.stability.hearing, codebook: this.book.looking, entry: this.book.hearing })[reply.to]?.done();
    if (reply.to === "change" && reply.failed) this.edits = this.edits.slice(0, -1);
    if (reply.failed || reply.token !== this.shown?.token) return;
    const { player } = this.timeline.link;
    if (reply.to === "change") this.changed(reply);
    if (reply.to === "stability") this.stability.show(reply);
    if (reply.to === "varied") this.varied(reply);
    if (reply.to === "curve") this.chart.show(reply);
    if (reply.to === "codebook") this.book.show(reply);
    if (reply.to === "entry") this.book.heard(reply);
    if (reply.to === "keep" && reply.n_codebooks === Number(this.slider.value)) {
      this.showKept(reply);
      player.set("kept", reply.wav);
      this.lanes.kept = reply.lanes;
      if (this.pulling) this.timeline.choose("kept");
      else this.drawHeard();
      this.pulling = false;
    }
    if (reply.to === "hear") {
      player.once(reply.wav);
      this.host.dataset.heard = `${reply.row}:${reply.frame}:${reply.code}`;
      const rows = reply.row === 1 ? "row 1" : `rows 1-${reply.row}`;
      const time = ((reply.frame + 0.5) / this.shown.frame_rate).toFixed(3);
      this.timeline.say(`Heard: code ${reply.code} of codebook ${reply.row} at ${time} s, with ${rows} held for ${this.shown.hold_s} s.`);
    }
  }

  showKept(reply) {
    const [kept, all] = [Number(this.slider.value), this.shown.n_codebooks];
    const rate = (kept * this.shown.kbps_per_codebook).toFixed(1);
    const difference = reply ? ` · differs by ${reply.difference_db.toFixed(1)} dB` : " · …";
    const heard = reply?.label ? ` · heard as ${reply.label.label} ${(100 * reply.label.probability).toFixed(0)} %` : "";
    const text = this.host.querySelector(".af-kept");
    text.textContent = `${kept} of ${all} codebooks · ${rate} kbit/s${difference}${heard}`;
    text.title = "Mean difference of the log-mel pictures of A and B; B is played as loud as A, and the checkpoint is asked what it hears in B";
    this.slider.setAttribute("aria-valuetext", `${kept} of ${all}`);
  }
}
