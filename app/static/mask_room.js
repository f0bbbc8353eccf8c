// Mask: hide codes at random or by hand, see what the model guesses, hear the gap and its filling.
import { bars, fact, packBits, part, put, unpackBits } from "./parts.js";
import { drawHeard } from "./heard_lanes.js";
import { Room } from "./room.js";
import { unpack } from "./widgets/lanes.js";
import { Timeline } from "./widgets/timeline.js";

const TEMPLATE = `
  <p class="af-lead">Hide a piece of the sound: the model guesses what was there, and you hear what it puts in its place.</p>
  <div class="af-controls" role="group" aria-label="What to hide">
    <label>Hide <input type="range" class="af-ratio" min="2" max="90" value="25" aria-label="Share hidden, percent"><output>25 %</output></label>
    <label>in runs of <input type="number" class="af-span" min="1" max="300" value="5" aria-label="Frames in a run"> frames</label>
    <label>seed <input type="number" class="af-seed" min="0" max="999999999" value="0" aria-label="Seed"></label>
    <button type="button" class="af-button af-random">Random</button>
    <span class="af-rule"></span>
    <button type="button" class="af-button af-brush" aria-pressed="false" title="Drag over codes to hide them or show them again">Paint</button>
    <label title="Paint the same frames in every row"><input type="checkbox" class="af-all" checked> all rows</label>
    <button type="button" class="af-button af-hide" disabled>Hide stretch</button>
    <button type="button" class="af-button af-clear">Show all</button>
    <span class="af-rule"></span>
    <label>Surprise of <select class="af-row-asked" aria-label="Row whose surprise is drawn"></select></label>
  </div>
  <div class="af-view"></div>
  <div class="af-controls af-filling" hidden><label>Filled in steps: <input type="range" class="af-fill-step" min="0" max="8" value="8" aria-label="Step of the filling"></label>
    <output aria-live="polite"></output></div>
  <div class="af-panels">
    <section class="af-card af-sum" aria-live="polite"><h3>The gap</h3><div></div></section>
    <section class="af-card af-place" aria-live="polite"><h3>One hidden place</h3><div></div></section>
    <section class="af-card af-classes" aria-live="polite"><h3>The label</h3><div></div></section>
  </div>`;
const HEAR = [
  ["original", "original"], ["codes", "codes"], ["gap", "gap"], ["oneshot", "filled at once"], ["steps", "filled in steps"],
].map(([name, label]) => ({ name, label })); // prettier-ignore

const [HIDDEN, STEP_MS] = [1, 450];

export function mount(page) {
  new MaskRoom(page).open();
}

class MaskRoom extends Room {
  constructor(page) {
    super(page, "mask", TEMPLATE);
    const { find } = this;
    this.timeline = new Timeline(find(".af-view"), {
      hear: ({ row, frame }) => this.ask("hear", { row: Math.min(row, this.rows), frame }),
      paint: (box) => this.painted(box),
      chosen: (name) => this.fetch(name),
    });
    this.answers = { look: this.looked, listen: this.listened, hear: this.heard };
    find(".af-ratio").addEventListener("input", () => (find(".af-controls output").textContent = `${find(".af-ratio").value} %`));
    for (const name of [".af-ratio", ".af-span", ".af-seed"]) find(name).addEventListener("change", () => this.random());
    find(".af-row-asked").addEventListener("change", () => this.hidden && this.ask("look", { ...this.question, row: this.row }));
    find(".af-random").addEventListener("click", () => {
      find(".af-seed").value = Number(find(".af-seed").value) + 1;
      this.random();
    });
    find(".af-fill-step").addEventListener("input", () => (clearInterval(this.filling), this.showStep(Number(find(".af-fill-step").value))));
    find(".af-brush").addEventListener("click", () => {
      this.timeline.brush = !this.timeline.brush;
      find(".af-brush").setAttribute("aria-pressed", String(this.timeline.brush));
      this.timeline.say(this.timeline.brush ? "Drag over codes: hidden ones are shown again, others hidden. X does it at the cursor." : "");
    });
    find(".af-clear").addEventListener("click", () => this.hidden && this.put(new Uint8Array(this.hidden.length)));
    find(".af-hide").addEventListener("click", () => this.hideSelection());
    this.link.addEventListener("selection", () => (find(".af-hide").disabled = !this.link.selection));
    this.link.addEventListener("cursor", () => this.showPlace());
  }

  enter() {
    this.hidden = null;
    this.wavs = {};
    const wish = this.wished();
    for (const name of ["ratio", "span", "seed"]) put(this.find(`.af-${name}`), wish[name]);
    this.random();
  }

  random() {
    const [ratio, span, seed] = [".af-ratio", ".af-span", ".af-seed"].map((name) => {
      const { min, max, value } = this.find(name);
      return (this.find(name).value = Math.min(Math.max(Math.round(Number(value)), Number(min)), Number(max)));
    });
    this.find(".af-controls output").textContent = `${ratio} %`;
    this.remember({ ratio, span, seed });
    this.question = { random: { ratio: ratio / 100, span, seed } };
    this.ask("look", { ...this.question, row: this.row });
  }

  // Row whose surprise is drawn; 0: the mean of all.
  get row() {
    return Number(this.find(".af-row-asked").value || 1);
  }

  offerRows() {
    const select = this.find(".af-row-asked");
    if (select.options.length === this.rows + 1) return;
    const rows = Array.from({ length: this.rows }, (_, row) => new Option(`row ${row + 1}`, row + 1));
    select.replaceChildren(...rows, new Option("all rows", 0));
  }

  // A place that is brushed turns over; the first one decides which way the whole stroke goes.
  painted({ row, rows, frame, frames }) {
    if (!this.hidden) return;
    const hide = !this.hidden[(row - 1) * this.frames + frame];
    const [first, last] = this.find(".af-all").checked ? [1, this.rows] : [row, row + rows - 1];
    this.cover(first, last, frame, frames, hide);
  }

  hideSelection() {
    if (!this.hidden || !this.link.selection) return;
    const [start, end] = this.link.selection.map((time) => Math.round(time * this.view.frame_rate));
    const { cursor } = this.link;
    const [first, last] = this.find(".af-all").checked || !cursor ? [1, this.rows] : [cursor.row, cursor.row];
    this.cover(first, last, start, Math.max(1, end - start), true);
  }

  cover(first, last, frame, frames, hide) {
    const hidden = this.hidden.slice();
    for (let row = first; row <= last; row++) {
      hidden.fill(hide ? 1 : 0, (row - 1) * this.frames + frame, (row - 1) * this.frames + Math.min(frame + frames, this.frames));
    }
    this.put(hidden);
  }

  put(hidden) {
    this.hidden = hidden;
    this.remember(null); // what is painted by hand is too much for an address
    this.question = { hidden: packBits(hidden) };
    this.ask("look", { ...this.question, row: this.row });
  }

  looked(reply, more) {
    if (more) return; // another stroke is on its way
    this.view = reply;
    [this.rows, this.frames, this.bits] = [reply.rows, reply.frames, reply.hidden];
    this.hidden = unpackBits(reply.hidden, this.rows * this.frames);
    this.places = new Map(reply.guesses.map((place) => [`${place[0]}:${place[1]}`, place]));
    this.offerRows();
    this.timeline.show({ ...reply, hear: HEAR });
    this.wavs = { codes: this.wavs.codes };
    this.steps = null;
    clearInterval(this.filling);
    this.find(".af-filling").hidden = true;
    this.lanes = { codes: this.lanes?.codes };
    if (this.timeline.choice !== "original") this.fetch(this.timeline.choice);
    this.showSum(reply.summary, reply.guesser);
    this.showClasses(reply.classes);
    if (!this.places.size) this.showPlace();
    else if (!this.places.has(this.here)) this.timeline.point(...reply.first_look);
    else this.showPlace();
  }

  get here() {
    const { cursor } = this.link;
    return cursor ? `${cursor.row}:${cursor.frame}` : "";
  }

  // Sounds come when they are asked for: filling in steps takes a while.
  fetch(name) {
    if (!this.bits) return;
    clearInterval(this.filling);
    this.find(".af-filling").hidden = name !== "steps" || !this.steps;
    if (name === "original") return drawHeard(this.timeline, this.view, null);
    if (this.wavs[name]) {
      this.link.player.choose(name);
      if (name === "steps") return this.showStep(Number(this.find(".af-fill-step").value));
      return drawHeard(this.timeline, this.view, this.lanes[name]);
    }
    this.timeline.say("The model is filling the gap …");
    this.ask("listen", { name, hidden: this.bits });
  }

  listened(reply) {
    if (reply.hidden !== this.bits && reply.name !== "codes") return;
    this.wavs[reply.name] = true;
    this.link.player.set(reply.name, reply.wav);
    this.link.player.choose(this.timeline.choice);
    this.lanes[reply.name] = reply.lanes;
    if (reply.name === "steps") this.steps = { at: unpack(reply.steps), marks: unpack(reply.lanes.codes.marks) };
    if (this.timeline.choice === reply.name && reply.name === "steps") this.playSteps();
    else if (this.timeline.choice === reply.name) drawHeard(this.timeline, this.view, reply.lanes);
    const share = `${(100 * reply.same).toFixed(1)} % of the hidden codes are the true ones (framed blue; others orange)`;
    const said = { codes: "All codes, decoded.", gap: "Hidden codes are those of silence.", oneshot: `Filled at once: ${share}.`, steps: `Filled in 8 steps: ${share}.` };
    this.timeline.say(said[reply.name]);
    this.host.dataset.sound = reply.name;
  }

  // The surest codes come first: the grid fills before one's eyes, or at once where the system asks for less motion.
  playSteps() {
    const slider = this.find(".af-fill-step");
    slider.max = Math.max(...this.steps.at);
    this.find(".af-filling").hidden = false;
    let step = matchMedia("(prefers-reduced-motion: reduce)").matches ? Number(slider.max) : 0;
    clearInterval(this.filling);
    const next = () => {
      slider.value = step;
      this.showStep(step);
      if (step++ >= Number(slider.max)) clearInterval(this.filling);
    };
    this.filling = setInterval(next, STEP_MS);
    next();
  }

  showStep(step) {
    const { at, marks } = this.steps;
    const seen = marks.map((mark, i) => (at[i] > step ? HIDDEN : mark));
    const packed = btoa(Array.from(seen, (mark) => String.fromCharCode(mark)).join(""));
    drawHeard(this.timeline, this.view, { ...this.lanes.steps, codes: { ...this.lanes.steps.codes, marks: packed } });
    const filled = at.reduce((sum, one) => sum + (one > 0 && one <= step), 0);
    const all = at.reduce((sum, one) => sum + (one > 0), 0);
    this.find(".af-filling output").textContent = `step ${step} of ${this.find(".af-fill-step").max}: ${filled} of ${all} codes filled, the surest first`;
    this.host.dataset.step = step;
  }

  heard(reply) {
    this.link.player.once(reply.wav);
    this.host.dataset.heard = `${reply.row}:${reply.frame}:${reply.code}`;
    this.timeline.say(`Heard: code ${reply.code} of codebook ${reply.row}, held together with the rows above it.`);
  }

  showSum({ share, places, silent, surprise, chance, accuracy, size, per_row }, guesser) {
    const box = this.find(".af-sum div");
    if (!places) return box.replaceChildren(part("p", "", "Nothing is hidden. Hide some codes for the model to guess."));
    box.replaceChildren(
      part("p", "", `Guessed by the model “${guesser}”.`),
      fact("Hidden", `${(100 * share).toFixed(0)} %`, `${places} codes${silent ? `; ${silent} of them in silence, not counted below` : ""}`),
      fact("Surprise", `${surprise.toFixed(2)} nats`, `chance ${chance.toFixed(2)}`),
      fact("Right", `${(100 * accuracy).toFixed(1)} %`, `chance ${(100 / size).toFixed(1)} %`),
      fact("By row", per_row.map((value) => (value === null ? "–" : value.toFixed(1))).join(" "), "nats"),
    );
    box.dataset.surprise = surprise.toFixed(4);
  }

  showPlace() {
    const box = this.find(".af-place div");
    const { cursor } = this.link;
    const place = this.places?.get(this.here);
    if (!place) {
      box.replaceChildren(part("p", "", "Click a hidden (hatched) code to see what the model would put there."));
      return;
    }
    const [row, frame, surprise, rank, codes, p] = place;
    const truth = this.timeline.codes[row - 1][frame];
    const rows = codes.map((code, i) => ({
      label: `▶ ${code}`, value: p[i], text: `${(100 * p[i]).toFixed(1)} %`, mark: code === truth,
      title: code === truth ? "the true code" : "hear this guess in its place", act: () => this.ask("hear", { row, frame, code }),
    }));
    const time = ((cursor.frame + 0.5) / this.view.frame_rate).toFixed(2);
    const told = part("p", "", `Row ${row}, ${time} s. True code ${truth}: surprise ${surprise.toFixed(2)} nats, place ${rank} of ${this.view.summary.size} guesses.`);
    box.replaceChildren(told, bars(rows, 1 / this.view.summary.size));
  }

  showClasses(classes) {
    const box = this.find(".af-classes div");
    if (!classes) return box.replaceChildren(part("p", "", "The chosen checkpoint reads other codes than this model: no label to compare."));
    const rows = classes.rows.map(({ label, before, now }) => ({
      label, value: now, ghost: before, text: `${(100 * now).toFixed(0)} %`, title: `${label}: ${(100 * before).toFixed(1)} % before, ${(100 * now).toFixed(1)} % with the gap`,
    }));
    box.replaceChildren(bars(rows, classes.chance), part("p", "af-legend", `by “${classes.checkpoint}”; bar: with the gap; outline: whole clip`));
  }
}
