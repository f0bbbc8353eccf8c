// One clip: player, choice of codebooks, and the pictures on one time axis with a playhead and a code cursor.
import { Latest } from "./latest.js";
import { Player } from "./player.js";
import { PlotlyView } from "./plotly_view.js";

const TEMPLATE = `
  <div class="af-bar" role="group" aria-label="Hear it">
    <button type="button" class="af-play" aria-pressed="false"><span aria-hidden="true">▶</span> <span>Play</span></button>
    <div class="af-swap" role="radiogroup" aria-label="What to hear">
      <button type="button" role="radio" data-sound="original">A · original</button>
      <button type="button" role="radio" data-sound="kept">B · codes</button>
    </div>
    <label class="af-keep"><span>Keep</span><input type="range" min="1" step="1" aria-label="Codebooks kept"></label>
    <output class="af-kept"></output>
  </div>
  <div class="af-stage">
    <div class="af-plot" tabindex="0" role="application"></div>
    <div class="af-playhead" hidden></div><div class="af-cursor" hidden></div>
  </div>
  <p class="af-status" aria-live="polite"></p>`;
const HINT = "Click a code to hear it, or a moment to play from there. Hover for values.";

export function mount(page) {
  new ClipView(page).load();
}

class ClipView {
  constructor({ element, read, watch, send }) {
    this.host = element.querySelector(".af-clip");
    this.host.innerHTML = TEMPLATE; // fixed text; everything variable goes in through textContent
    this.read = read;
    this.keeping = new Latest((n_codebooks) => send("keep", { n_codebooks }));
    this.hearing = new Latest((cursor) => send("hear", cursor));
    this.find = (name) => this.host.querySelector(name);
    this.player = new Player();
    this.player.onEnd = () => this.showPlaying(false);
    this.view = new PlotlyView(this.find(".af-plot"));
    this.view.onDraw = () => this.place();
    this.listen();
    watch("value", () => this.load());
    watch("reply", () => this.answer(JSON.parse(this.read("reply") || "null")));
  }

  listen() {
    this.find(".af-play").addEventListener("click", () => this.toggle());
    for (const button of this.host.querySelectorAll("[data-sound]")) {
      button.addEventListener("click", () => this.choose(button.dataset.sound));
    }
    this.find(".af-swap").addEventListener("keydown", (event) => {
      if (!event.key.startsWith("Arrow")) return;
      event.preventDefault();
      this.swap();
      this.find("[aria-checked=true]").focus();
    });
    const slider = this.find("input");
    slider.addEventListener("input", () => this.showKept(null));
    slider.addEventListener("change", () => this.keeping.send(Number(slider.value)));
    const plot = this.find(".af-plot");
    let down = null;
    plot.addEventListener("pointerdown", (event) => (down = event), true);
    window.addEventListener("pointerup", (event) => {
      const start = down;
      down = null;
      if (start && Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) < 5) this.click(start);
    }, true);
    plot.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.place()).observe(plot);
  }

  async load() {
    const text = this.read("value");
    this.host.classList.toggle("af-blank", !text);
    if (!text) return;
    const shown = JSON.parse(text);
    this.player.forget();
    this.shown = shown;
    this.cursor = null;
    this.ready = null;
    const slider = this.find("input");
    slider.max = shown.codes.length; // first: a value is held below the maximum
    slider.value = shown.codes.length;
    this.kept = shown.reply;
    this.choose(this.player.heard);
    this.showKept(shown.reply);
    this.say(HINT);
    await this.view.show(shown);
    this.host.dataset.token = shown.token;
  }

  // An answer from the server; one about an earlier clip is dropped.
  async answer(reply) {
    if (!reply) return;
    (reply.to === "keep" ? this.keeping : this.hearing).done();
    if (reply.failed || reply.token !== this.shown?.token) return;
    if (reply.to === "keep" && reply.n_codebooks === Number(this.find("input").value)) {
      this.kept = reply;
      this.showKept(reply);
      const time = this.player.time;
      this.ready = null;
      if (time !== null) {
        await this.prepare();
        this.choose("kept");
        this.player.play(time);
        this.showPlaying(true);
      } else this.choose("kept");
    }
    if (reply.to === "hear") {
      await this.player.once(reply.wav);
      this.host.dataset.heard = `${reply.row}:${reply.frame}:${reply.code}`;
      const rows = reply.row === 1 ? "row 1" : `rows 1-${reply.row}`;
      this.say(`Heard: code ${reply.code} of codebook ${reply.row} at ${this.seconds(reply.frame)} s, with ${rows} held for ${this.shown.hold_s} s.`);
    }
  }

  prepare() {
    this.ready ??= Promise.all([this.player.decode(this.shown.original), this.player.decode(this.kept.wav)]).then(
      ([original, kept]) => (this.player.buffers = { original, kept }),
    );
    return this.ready;
  }

  async play(from = 0) {
    if (!this.shown) return;
    this.player.wake();
    await this.prepare();
    this.player.play(from);
    this.showPlaying(true);
  }

  toggle() {
    if (this.player.time === null) this.play();
    else this.player.stop();
  }

  choose(name) {
    this.player.choose(name);
    for (const button of this.host.querySelectorAll("[data-sound]")) {
      const on = button.dataset.sound === name;
      button.setAttribute("aria-checked", String(on));
      button.tabIndex = on ? 0 : -1;
    }
  }

  swap() {
    this.choose(this.player.heard === "original" ? "kept" : "original");
  }

  click(event) {
    const place = this.shown && this.view.locate(event);
    if (!place) return;
    if (this.shown.figure.layout.meta.lanes[place.index] === "Codebook") {
      this.move(Math.round(place.value), Math.floor(place.time * this.shown.frame_rate));
      this.hear();
    } else this.play(Math.min(Math.max(place.time, 0), this.shown.duration_s));
  }

  key(event) {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const { row, frame } = this.cursor ?? { row: 1, frame: 0 };
    if (!this.shown || event.ctrlKey || event.metaKey || event.altKey) return;
    if (steps[event.key]) this.move(row + steps[event.key][0], frame + steps[event.key][1] * (event.shiftKey ? 10 : 1));
    else if (event.key === "Enter") this.move(row, frame), this.hear();
    else if (event.key === " ") this.toggle();
    else if (event.key.toLowerCase() === "b") this.swap();
    else return;
    event.preventDefault();
  }

  move(row, frame) {
    const { codes } = this.shown;
    const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
    this.cursor = { row: clamp(row, 1, codes.length), frame: clamp(frame, 0, codes[0].length - 1) };
    const code = codes[this.cursor.row - 1][this.cursor.frame];
    this.say(`Codebook ${this.cursor.row}, ${this.seconds(this.cursor.frame)} s: code ${code}. Enter plays it.`);
    this.place();
  }

  hear() {
    this.player.wake();
    this.hearing.send({ ...this.cursor });
  }

  seconds(frame) {
    return ((frame + 0.5) / this.shown.frame_rate).toFixed(3); // the middle of the frame
  }

  say(text) {
    this.find(".af-status").textContent = text;
  }

  showKept(reply) {
    const [kept, all] = [Number(this.find("input").value), this.shown.codes.length];
    const rate = (kept * this.shown.kbps_per_codebook).toFixed(1);
    const difference = reply ? ` · differs by ${reply.difference_db.toFixed(1)} dB` : " · …";
    this.find(".af-kept").textContent = `${kept} of ${all} codebooks · ${rate} kbit/s${difference}`;
    this.find(".af-kept").title = "Mean difference of the two log-mel pictures";
    this.find("input").setAttribute("aria-valuetext", `${kept} of ${all}`);
  }

  showPlaying(on) {
    const [sign, word] = this.find(".af-play").children;
    sign.textContent = on ? "■" : "▶";
    word.textContent = on ? "Stop" : "Play";
    this.find(".af-play").setAttribute("aria-pressed", String(on));
    if (on) this.follow();
    else this.place();
  }

  follow() {
    this.place();
    if (this.player.time !== null) requestAnimationFrame(() => this.follow());
  }

  // Playhead and code cursor lie over the picture, so that they move without drawing it again.
  place() {
    const { lanes } = this.view;
    const time = this.player.time;
    const head = this.find(".af-playhead");
    const box = this.find(".af-cursor");
    const inside = (x, left) => left >= x._offset - 1 && left <= x._offset + x._length + 1;
    head.hidden = box.hidden = true;
    if (!lanes.length || !this.shown) return;
    const [first, last] = [lanes[0], lanes[lanes.length - 1]];
    if (time !== null && time <= this.shown.duration_s) {
      const left = first.x._offset + first.x.d2p(time);
      head.hidden = !inside(first.x, left);
      head.style.left = `${left}px`;
      head.style.top = `${first.y._offset}px`;
      head.style.height = `${last.y._offset + last.y._length - first.y._offset}px`;
    }
    const lane = lanes[this.shown.figure.layout.meta.lanes.indexOf("Codebook")];
    if (this.cursor && lane) {
      const { row, frame } = this.cursor;
      const [left, right] = [frame, frame + 1].map((f) => lane.x._offset + lane.x.d2p(f / this.shown.frame_rate));
      const [top, bottom] = [row - 0.5, row + 0.5].map((r) => lane.y._offset + lane.y.d2p(r));
      box.hidden = !inside(lane.x, left);
      const width = Math.max(right - left, 5);
      box.style.left = `${(left + right - width) / 2}px`;
      box.style.width = `${width}px`;
      box.style.top = `${Math.min(top, bottom)}px`;
      box.style.height = `${Math.abs(bottom - top)}px`;
    }
  }
}
