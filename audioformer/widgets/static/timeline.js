// One clip on one time axis: lanes, a playhead that runs through all of them, a stretch to loop, a code to hear.
//
// In Gradio: new Timeline(host, { hear, paint }).show(view). In a notebook: audioformer.widgets.timeline(...) shows the
// same module through anywidget, by mount(). What a view holds is written down in audioformer/widgets/lanes.py.
import { look, onLook } from "./colours.js";
import { clamp, part } from "./dom.js";
import { linked } from "./link.js";
import { pictures, saveMenu } from "./save.js";
import { ROUNDING_S, hover, placeMarks, press } from "./timeline_pointer.js";
import { drawRow, laneRow } from "./timeline_rows.js";
import { lanesPicture, stretchSound, valueTable } from "./timeline_save.js";

const TEMPLATE = `
  <div class="af-bar" role="group" aria-label="Hear it">
    <button type="button" class="af-play" aria-pressed="false"><span aria-hidden="true">▶</span> <span>Play</span></button>
    <div class="af-swap" role="radiogroup" aria-label="What to hear"></div>
    <div class="af-slot"></div>
  </div>
  <div class="af-plot" tabindex="0" role="application" aria-roledescription="time line">
    <div class="af-lanes"></div>
    <div class="af-over" aria-hidden="true">
      <div class="af-stretch" hidden></div><div class="af-cursor" hidden></div><div class="af-playhead" hidden></div>
    </div>
    <div class="af-tip" hidden></div>
  </div>
  <div class="af-foot">
    <p class="af-status" aria-live="polite"></p>
    <div class="af-tools" role="group" aria-label="View and save">
      <button type="button" class="af-zoom" title="Show only the selected stretch (Z)" disabled>Zoom</button>
    </div>
  </div>`;
const HINT = "a moment to play from there; drag to loop a stretch.";
const SHORTEST_CUT_S = 0.06; // a single frame of 13 ms is a click; this much around it can be heard

export class Timeline {
  // hear({row, frame}): plays one code held, if somebody can; paint({row, rows, frame, frames}): codes were brushed.
  // chosen(name): a sound was chosen, which may still have to be fetched.
  constructor(host, { hear = null, paint = null, chosen = null } = {}) {
    Object.assign(this, { host, hearCode: hear, paint, chosen, view: null, range: [0, 1], choice: null, brush: false, veil: null });
    host.classList.add("af-clip", "af-blank");
    host.innerHTML = TEMPLATE; // fixed text; everything variable goes in through textContent
    this.listen();
  }

  find(name) {
    return this.host.querySelector(name);
  }

  // --- what is shown

  show(view) {
    this.host.classList.toggle("af-blank", !view);
    if (!view) return;
    this.view = view;
    this.connect(view.link ?? "clip");
    const other = view.token !== this.token;
    if (other) this.range = [0, view.duration_s];
    this.link.bring({ ...view, lanes: view.lanes.filter((lane) => typeof lane !== "string") });
    this.token = view.token;
    this.buildSwap(view.hear ?? []);
    this.build();
    this.host.dataset.token = view.token;
    const hint = this.codes ? `Click a code to hear it, ${HINT}` : `Click ${HINT}`;
    if (other) this.say([...(view.notes ?? []), hint].join(" · "));
  }

  connect(name) {
    if (this.linkName === name) return;
    [this.linkName, this.link] = [name, linked(name)];
    const on = (what, act) => this.link.addEventListener(what, () => this.view && this.link.token === this.view.token && act());
    on("time", () => this.place());
    on("playing", () => this.showPlaying());
    on("selection", () => this.showSelection());
    on("cursor", () => this.place());
    on("clip", () => this.view.lanes.some((lane) => typeof lane === "string") && this.build());
  }

  // Lanes named by id come from another view of the same clip, so that they travel once.
  get lanes() {
    return this.view.lanes.map((lane) => (typeof lane === "string" ? this.link.lanes.get(lane) : lane)).filter(Boolean);
  }

  build() {
    const lanes = this.lanes;
    this.rows = [...lanes, { kind: "axis", name: "", weight: 0 }].map(laneRow);
    this.find(".af-lanes").replaceChildren(...this.rows.map(({ row }) => row));
    const alt = lanes.map((lane) => lane.alt).join(" ");
    this.find(".af-plot").setAttribute("aria-label", `${alt} Arrow keys move from code to code, Enter plays one, space plays the clip.`);
    this.draw();
  }

  buildSwap(hear) {
    if (!hear.some(({ name }) => name === this.choice)) this.choice = hear[0]?.name ?? "original";
    const group = this.find(".af-swap");
    group.hidden = hear.length < 2;
    group.replaceChildren(...hear.map(({ name, label }) => {
      const button = part("button", "", label);
      button.type = "button";
      button.dataset.sound = name;
      button.setAttribute("role", "radio");
      button.addEventListener("click", () => this.choose(name));
      return button;
    }));
    this.choose(this.choice, false);
  }

  // What all lanes need to be drawn.
  frame() {
    const [from, to] = this.range;
    return { from, to, link: this.link, colours: look(), veil: this.veil };
  }

  draw() {
    const frame = this.frame();
    for (const row of this.rows ?? []) drawRow(row, frame);
    this.find(".af-plot").dataset.look = frame.colours.name;
    this.place();
  }

  // Playhead, selection and cursor lie over the lanes, so that they move without drawing them again.
  place() {
    placeMarks(this);
  }

  // --- pointer and keys

  listen() {
    const plot = this.find(".af-plot");
    this.find(".af-play").addEventListener("click", () => this.toggle());
    this.find(".af-zoom").addEventListener("click", () => this.zoom());
    this.find(".af-swap").addEventListener("keydown", (event) => {
      if (!event.key.startsWith("Arrow")) return;
      event.preventDefault();
      this.swap(event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : -1);
      this.find("[aria-checked=true]").focus();
    });
    const [csv, wav] = [() => valueTable(this), () => stretchSound(this)];
    const drawn = pictures(() => lanesPicture(this), () => ({ csv: csv(), wav: wav() }));
    this.find(".af-tools").append(saveMenu({ ...drawn, csv, wav }));
    plot.addEventListener("pointerdown", (event) => event.button === 0 && press(this, event));
    plot.addEventListener("pointermove", (event) => hover(this, event));
    plot.addEventListener("pointerleave", () => (this.find(".af-tip").hidden = true));
    plot.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(plot);
    onLook(() => this.draw());
  }

  click({ lane, row, time }) {
    if (this.link.selection && (time < this.link.selection[0] || time > this.link.selection[1])) this.link.select(null);
    if (lane.kind === "codes") {
      this.move(row, this.frameAt(time));
      this.hear();
    } else {
      this.point(1, this.frameAt(time));
      this.play(time);
    }
  }

  key(event) {
    if (!this.view || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const { row, frame } = this.link.cursor ?? { row: 1, frame: 0 };
    const step = steps[event.key];
    const acts = {
      Enter: () => (this.move(row, frame), this.hear()),
      " ": () => this.toggle(),
      b: () => this.swap(1),
      z: () => this.zoom(),
      "[": () => this.edge(0, frame),
      "]": () => this.edge(1, frame + 1),
      Escape: () => (this.link.player.stop(), this.link.select(null)),
      x: () => this.paint && this.paint({ row, rows: 1, frame, frames: 1 }),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (step) {
      this.move(row + step[0], frame + step[1] * (event.shiftKey ? 10 : 1));
      this.cut();
    } else if (act) act();
    else return;
    event.preventDefault();
  }

  // --- sound

  play(from = null) {
    const { selection, player } = this.link;
    player.wake();
    player.choose(this.choice);
    if (from !== null && !(selection && from >= selection[0] && from <= selection[1])) player.play(clamp(from, 0, this.view.duration_s));
    else player.play(selection ? (from ?? selection[0]) : 0, selection && selection[1] - selection[0] > 0.02 ? selection : null);
  }

  toggle() {
    if (!this.view) return;
    if (this.link.player.time === null) this.play();
    else this.link.player.stop();
  }

  choose(name, heard = true) {
    this.choice = name;
    if (heard) this.link.player.choose(name);
    if (heard) this.chosen?.(name);
    for (const button of this.host.querySelectorAll("[data-sound]")) {
      const on = button.dataset.sound === name;
      button.setAttribute("aria-checked", String(on));
      button.tabIndex = on ? 0 : -1;
    }
  }

  swap(step) {
    const names = (this.view.hear ?? []).map(({ name }) => name);
    if (names.length) this.choose(names[(names.indexOf(this.choice) + step + names.length) % names.length]);
  }

  // One code held, by whoever has the codec; without one, the sound around it.
  hear() {
    this.link.player.wake();
    if (this.hearCode) this.hearCode({ ...this.link.cursor });
    else this.cut();
  }

  cut() {
    const { player, cursor } = this.link;
    const middle = (cursor.frame + 0.5) / this.view.frame_rate;
    const half = Math.max(SHORTEST_CUT_S, 1 / this.view.frame_rate) / 2;
    player.choose(this.choice);
    player.cut(Math.max(0, middle - half), Math.min(this.view.duration_s, middle + half));
    this.host.dataset.cut = cursor.frame;
  }

  // --- places

  get codes() {
    return this.lanes.find((lane) => lane.kind === "codes")?.codes ?? null;
  }

  frameAt(time) {
    return Math.floor(time * this.view.frame_rate);
  }

  // Moves the cursor within the grid of codes; returns where it is.
  point(row, frame) {
    const [rows, frames] = this.codes ? [this.codes.length, this.codes[0].length] : [1, Math.ceil(this.view.duration_s * this.view.frame_rate)];
    this.link.point({ row: clamp(row, 1, rows), frame: clamp(frame, 0, frames - 1) });
    return this.link.cursor;
  }

  move(row, frame) {
    const cursor = this.point(row, frame);
    const time = ((cursor.frame + 0.5) / this.view.frame_rate).toFixed(3);
    const code = this.codes?.[cursor.row - 1][cursor.frame];
    this.say(this.codes ? `Codebook ${cursor.row}, ${time} s: code ${code}. Enter plays it.` : `${time} s.`);
  }

  edge(side, frame) {
    const selection = this.link.selection ?? [0, this.view.duration_s];
    const moved = side === 0 ? [frame / this.view.frame_rate, selection[1]] : [selection[0], frame / this.view.frame_rate];
    if (moved[1] > moved[0]) this.link.select(moved);
  }

  zoom() {
    const { selection } = this.link;
    const whole = [0, this.view.duration_s];
    const zoomed = this.range[1] - this.range[0] < this.view.duration_s;
    if (zoomed) this.range = whole;
    else if (selection && selection[1] - selection[0] > 0.02) this.range = [...selection];
    else return;
    this.showSelection();
    this.draw();
  }

  // The next page, when the playhead leaves a view that is zoomed in; false on the last one.
  turn(time) {
    const length = this.range[1] - this.range[0];
    const start = clamp(time, 0, this.view.duration_s - length);
    if (Math.abs(start - this.range[0]) < ROUNDING_S) return false;
    this.range = [start, start + length];
    this.draw();
    return true;
  }

  showSelection() {
    const { selection } = this.link;
    const zoomed = this.range[1] - this.range[0] < this.view.duration_s;
    const button = this.find(".af-zoom");
    button.disabled = !selection && !zoomed;
    button.textContent = zoomed ? "Whole clip" : "Zoom";
    if (selection) {
      const [start, end] = selection.map((edge) => edge.toFixed(2));
      this.say(`Selected ${start}-${end} s: it plays in a loop. Escape clears it, Z zooms.`);
    }
    this.place();
  }

  showPlaying() {
    const on = this.link.player.time !== null;
    const [sign, word] = this.find(".af-play").children;
    sign.textContent = on ? "■" : "▶";
    word.textContent = on ? "Stop" : "Play";
    this.find(".af-play").setAttribute("aria-pressed", String(on));
    this.place();
  }

  say(text) {
    this.find(".af-status").textContent = text;
  }
}

// Anywidget and Gradio alike: read a prop, watch it, send an event. The prop `value` is a view as JSON text, `reply` is
// {wav} of a code that was asked for.
export function mount({ element: root, read, watch, send }) {
  const host = root.querySelector(".af-timeline") ?? root.appendChild(part("div", "af-timeline"));
  const hear = read("can_hear") ? (cursor) => send("hear", cursor) : null;
  const timeline = new Timeline(host, { hear });
  let told = null;
  const load = () => {
    timeline.show(JSON.parse(read("value") || "null"));
    if (!timeline.link || told === timeline.link) return;
    told = timeline.link;
    told.addEventListener("selection", () => send("select", { selection: told.selection }));
    told.addEventListener("cursor", () => send("point", { cursor: told.cursor }));
  };
  watch("value", load);
  watch("reply", () => {
    const reply = JSON.parse(read("reply") || "null");
    if (!reply?.wav) return;
    timeline.link.player.once(reply.wav);
    host.dataset.heard = `${reply.row}:${reply.frame}:${reply.code}`;
    timeline.say(`Heard: code ${reply.code} of codebook ${reply.row}, held together with the rows above it.`);
  });
  load();
  return timeline;
}
