// One clip on one time axis: lanes, a playhead that runs through all of them, a stretch to loop, a code to hear.
//
// In Gradio: new Timeline(host, { hear, paint }).show(view). In a notebook: audioformer.widgets.timeline(...) shows the
// same module through anywidget, by mount(). What a view holds is written down in audioformer/widgets/lanes.py.
import { DASHES, look, onLook } from "./colours.js";
import { KINDS } from "./lanes.js";
import { linked } from "./link.js";
import { writeWav } from "./player.js";
import { pictures, quoted, saveMenu } from "./save.js";

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
const ROUNDING_S = 1e-6; // two moments nearer than this are one
const HINT = "a moment to play from there; drag to loop a stretch.";
const TICK_PX = 10;
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
    if (other) this.say(this.codes ? `Click a code to hear it, ${HINT}` : `Click ${HINT}`);
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
    this.rows = [...lanes, { kind: "axis", name: "", weight: 0 }].map((lane) => {
      const row = element("div", "af-lane");
      row.dataset.lane = lane.id ?? "";
      row.dataset.kind = lane.kind;
      row.style.flexGrow = 100 * lane.weight; // shares of the whole height, whatever they add up to
      const [name, ticks, canvas] = [element("div", "af-lane-name", lane.name), element("div", "af-ticks"), element("canvas", "")];
      name.title = lane.name;
      for (const [place, text] of lane.ticks ?? []) {
        const tick = element("span", "", text);
        tick.style.bottom = `${place * 100}%`;
        if (place < 0.04 || place > 0.94) tick.style.transform = place < 0.5 ? "none" : "translateY(100%)"; // never into the next lane
        ticks.append(tick);
      }
      row.append(name, ticks, canvas);
      if (lane.lines?.length > 1 || lane.legend) row.append(legend(lane));
      row.classList.toggle("af-low", Boolean(lane.points)); // where nothing is drawn
      return { lane, row, canvas };
    });
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
      const button = element("button", "", label);
      button.type = "button";
      button.dataset.sound = name;
      button.setAttribute("role", "radio");
      button.addEventListener("click", () => this.choose(name));
      return button;
    }));
    this.choose(this.choice, false);
  }

  draw() {
    const colours = look();
    const [from, to] = this.range;
    for (const { lane, row, canvas } of this.rows ?? []) {
      const [width, height] = [canvas.clientWidth, canvas.clientHeight];
      if (!width || !height) continue; // in a hidden room
      const short = lane.short && height < 6.4 * lane.name.length;
      row.firstElementChild.textContent = short ? lane.short : lane.name;
      const ticks = [...row.querySelectorAll(".af-ticks span")];
      const every = lane.codes ? Math.ceil((TICK_PX * ticks.length) / height) : 1; // as many names of rows as there is room for
      ticks.forEach((tick, place) => (tick.hidden = place % every > 0));
      const scale = devicePixelRatio || 1;
      [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
      const context = canvas.getContext("2d");
      context.setTransform(scale, 0, 0, scale, 0, 0);
      const frame = { lane, width, height, from, to, link: this.link, colours, veil: this.veil };
      if (lane.kind === "axis") drawAxis(context, frame);
      else KINDS[lane.kind].draw(context, frame);
      for (const line of row.querySelectorAll(".af-legend-line")) line.style.color = colours.lines[line.dataset.place % colours.lines.length];
    }
    this.find(".af-plot").dataset.look = colours.name;
    this.place();
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
    const [csv, wav] = [() => this.table(), () => this.sound()];
    const drawn = pictures(() => this.figure(), () => ({ csv: csv(), wav: wav() }));
    this.find(".af-tools").append(saveMenu({ ...drawn, csv, wav }));
    plot.addEventListener("pointerdown", (event) => event.button === 0 && this.press(event));
    plot.addEventListener("pointermove", (event) => this.hover(event));
    plot.addEventListener("pointerleave", () => (this.find(".af-tip").hidden = true));
    plot.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(plot);
    onLook(() => this.draw());
  }

  press(event) {
    const start = this.view && this.locate(event);
    if (!start) return;
    const brushing = this.brush && start.lane.kind === "codes";
    let moved = false;
    const move = (later) => {
      const end = this.locate(later, start);
      moved ||= Math.abs(later.clientX - event.clientX) > 5 || (brushing && Math.abs(later.clientY - event.clientY) > 5);
      if (moved && !brushing) this.link.select([start.time, end.time].sort((one, other) => one - other));
      if (moved && brushing) this.showBrush(start, end);
    };
    const up = (later) => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      window.removeEventListener("pointercancel", up);
      if (later.type === "pointercancel") return;
      if (brushing) this.brushed(start, this.locate(later, start));
      else if (moved) this.play();
      else this.click(start);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
    window.addEventListener("pointercancel", up);
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

  // Where a pointer is: {lane, row (of codes, from 1), time, share}; kept inside the lane of `start` if that is given.
  locate(event, start = null) {
    const found = start?.entry ?? this.rows?.find(({ lane, canvas }) => {
      const box = canvas.getBoundingClientRect();
      return lane.kind !== "axis" && event.clientY >= box.top && event.clientY < box.bottom && event.clientX >= box.left && event.clientX <= box.right;
    });
    if (!found) return null;
    const box = found.canvas.getBoundingClientRect();
    const [from, to] = this.range;
    const share = clamp((event.clientY - box.top) / box.height, 0, 0.9999);
    const time = clamp(from + ((event.clientX - box.left) / box.width) * (to - from), from, to);
    return { entry: found, lane: found.lane, time, share, row: Math.floor(share * (found.lane.codes?.length ?? 1)) + 1 };
  }

  hover(event) {
    const tip = this.find(".af-tip");
    const place = this.view && this.locate(event);
    tip.hidden = !place || event.pointerType === "touch";
    if (tip.hidden) return;
    const values = KINDS[place.lane.kind].value(place.lane, place.time, place.share, this.link);
    tip.replaceChildren(...[`${place.time.toFixed(3)} s`, ...values].map((line) => element("div", "", line)));
    const box = this.find(".af-plot").getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    tip.style.left = `${x > box.width - 190 ? x - tip.offsetWidth - 12 : x + 14}px`;
    tip.style.top = `${Math.min(y + 12, box.height - tip.offsetHeight - 4)}px`;
  }

  showBrush(start, end) {
    const [low, high] = [start.row, end.row].sort((one, other) => one - other);
    const [first, last] = [this.frameAt(start.time), this.frameAt(end.time)].sort((one, other) => one - other);
    this.box(this.find(".af-cursor"), start.entry, low, high, first, last);
    return { row: low, rows: high - low + 1, frame: first, frames: last - first + 1 };
  }

  brushed(start, end) {
    const { row, rows, frame, frames } = this.showBrush(start, end);
    this.point(row, frame);
    const inside = Math.min(frames, this.codes[0].length - frame);
    if (inside > 0) this.paint?.({ row, rows, frame, frames: inside });
  }

  // Playhead, selection and cursor lie over the lanes, so that they move without drawing them again.
  place() {
    if (!this.view || !this.rows?.length) return;
    const { player, selection, cursor } = this.link;
    const [from, to] = this.range;
    const time = player.time;
    if (time !== null && (time > to || time < from) && to - from < this.view.duration_s && !selection && this.turn(time)) return;
    const share = (moment) => ((moment - from) / (to - from)) * 100;
    const head = this.find(".af-playhead");
    head.hidden = time === null || time < from - ROUNDING_S || time > to + ROUNDING_S;
    head.style.left = `${share(time)}%`;
    const stretch = this.find(".af-stretch");
    stretch.hidden = !selection || selection[1] <= from || selection[0] >= to || (selection[0] <= from && selection[1] >= to);
    if (selection) {
      const [left, right] = selection.map((edge) => clamp(share(edge), 0, 100));
      [stretch.style.left, stretch.style.width] = [`${left}%`, `${right - left}%`];
    }
    const entry = this.rows.find(({ lane }) => lane.kind === "codes");
    const box = this.find(".af-cursor");
    box.hidden = !cursor;
    box.classList.toggle("af-moment", !entry);
    if (cursor && entry) this.box(box, entry, cursor.row, cursor.row, cursor.frame, cursor.frame);
    if (cursor && !entry) this.moment(box, share((cursor.frame + 0.5) / this.view.frame_rate));
  }

  box(box, { lane, row, canvas }, low, high, first, last) {
    const [from, to] = this.range;
    const scale = canvas.clientWidth / (to - from);
    const left = (first / this.view.frame_rate - from) * scale;
    const width = Math.max(((last - first + 1) / this.view.frame_rate) * scale, 5);
    const tall = canvas.clientHeight / lane.codes.length;
    box.hidden = left + width < 0 || left > canvas.clientWidth;
    Object.assign(box.style, {
      left: `${left}px`, width: `${width}px`, top: `${row.offsetTop + (low - 1) * tall}px`, height: `${(high - low + 1) * tall}px`,
    });
  }

  // Without codes the cursor is a moment: a line through all lanes.
  moment(box, percent) {
    box.hidden = percent < 0 || percent > 100;
    Object.assign(box.style, { left: `calc(${percent}% - 1px)`, width: "2px", top: "0", height: "calc(100% - 16px)" });
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

  // --- saving

  // All lanes as they are on the screen, for a file.
  figure() {
    const plot = this.find(".af-plot");
    const draw = (context) => {
      const colours = look();
      for (const { lane, row, canvas } of this.rows) {
        const [left, top, height] = [canvas.offsetLeft, row.offsetTop, row.clientHeight];
        const frame = { lane, width: canvas.clientWidth, height: canvas.clientHeight, from: this.range[0], to: this.range[1], link: this.link, colours, veil: this.veil };
        context.save();
        context.translate(left, top);
        if (lane.kind === "axis") drawAxis(context, frame);
        else KINDS[lane.kind].draw(context, frame);
        context.restore();
        Object.assign(context, { font: "11px system-ui, sans-serif", fillStyle: colours.soft, textBaseline: "alphabetic", textAlign: "right" });
        for (const [place, text] of lane.ticks ?? []) context.fillText(text, left - 6, top + height * (1 - place) + 4);
        if (lane.lines?.length > 1) writeNames(context, lane, left + 6, top + 12, colours);
        context.save();
        context.translate(12, top + height / 2);
        context.rotate(-Math.PI / 2);
        context.textAlign = "center";
        context.fillStyle = colours.soft;
        if (lane.name) context.fillText(lane.name, 0, 0);
        context.restore();
      }
    };
    return { width: plot.clientWidth, height: plot.clientHeight, alt: this.lanes.map((lane) => lane.alt).join(" "), draw };
  }

  // One line a frame: time, the codes of every row, every line at the nearest moment, and the events that sound.
  table() {
    const codes = this.codes ?? [];
    const lines = this.lanes.flatMap((lane) => (lane.lines ?? []).map((line) => ({ ...line, lane })));
    const events = this.lanes.filter((lane) => lane.kind === "events");
    const names = [...lines.map(({ name, lane }) => `${lane.name}: ${name}`), ...events.map(({ name }) => name)].map(quoted);
    const head = ["time_s", ...codes.map((_, row) => `codebook_${row + 1}`), ...names];
    const rows = Array.from({ length: Math.ceil(this.view.duration_s * this.view.frame_rate) }, (_, frame) => {
      const time = (frame + 0.5) / this.view.frame_rate;
      const at = ({ values, lane }) => values[Math.round((time - lane.start_s) / lane.step_s)] ?? "";
      const sounding = (lane) => quoted(lane.events.filter(({ start_s, end_s }) => start_s <= time && time < end_s).map(({ label }) => label).join("; "));
      return [time.toFixed(4), ...codes.map((row) => row[frame] ?? ""), ...lines.map(at), ...events.map(sounding)].join(",");
    });
    return new Blob([[head.join(","), ...rows].join("\n") + "\n"], { type: "text/csv" });
  }

  sound() {
    const { sounds } = this.link.player;
    const sound = sounds.get(this.choice) ?? sounds.get("original");
    if (!sound) throw new Error("the sound is not here yet.");
    if (!sounds.has(this.choice)) this.say("That sound is not here yet: saved with the original.");
    const { samples, rate } = sound;
    const [from, to] = (this.link.selection ?? [0, this.view.duration_s]).map((edge) => Math.round(edge * rate));
    return writeWav(samples.slice(from, to), rate);
  }
}

function drawAxis(context, { width, from, to, colours }) {
  const wanted = (to - from) / Math.max(2, width / 90);
  const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10].find((size) => size >= wanted) ?? 20;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = context.strokeStyle = colours.soft;
  context.textBaseline = "top";
  for (let time = Math.ceil(from / step - 1e-6) * step; time <= to + 1e-6; time += step) {
    const x = ((time - from) / (to - from)) * width;
    context.fillRect(Math.min(x, width - 1), 0, 1, 4);
    context.textAlign = x < 12 ? "left" : x > width - 24 ? "right" : "center";
    context.fillText(`${time.toFixed(digits)}${x > width - 24 || time + step > to + 1e-6 ? " s" : ""}`, x, 6);
  }
}

// Names of the lines of a lane, one below the other, each in its colour.
function writeNames(context, lane, left, top, colours) {
  Object.assign(context, { textAlign: "left", textBaseline: "alphabetic" });
  lane.lines.forEach(({ name }, place) => {
    context.fillStyle = colours.lines[place % colours.lines.length];
    context.fillText(name, left, top + 13 * place);
  });
}

function legend(lane) {
  const box = element("div", "af-legend-box");
  if (lane.legend) box.append(element("span", "", lane.legend));
  (lane.lines ?? []).forEach(({ name }, place) => {
    const entry = element("span", "");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    line.setAttribute("class", "af-legend-line");
    line.setAttribute("viewBox", "0 0 24 6");
    line.dataset.place = place;
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", "M0 3H24");
    path.setAttribute("stroke-dasharray", DASHES[place % DASHES.length].join(" "));
    line.append(path);
    entry.append(line, name);
    box.append(entry);
  });
  return box;
}

function element(tag, name, text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== "") made.textContent = text;
  return made;
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// Anywidget and Gradio alike: read a prop, watch it, send an event. The prop `value` is a view as JSON text, `reply` is
// {wav} of a code that was asked for.
export function mount({ element: root, read, watch, send }) {
  const host = root.querySelector(".af-timeline") ?? root.appendChild(element("div", "af-timeline"));
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
