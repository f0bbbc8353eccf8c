// Listening live: capture apart from everything else, one portion on its way at a time. While an answer is awaited sound
// is collected, so a slow model gets longer portions and only its latest window, and no sound is lost.
import { onLook } from "./colours.js";
import { part } from "./dom.js";
import { inBase64, Microphone, MicrophoneChoice, PAUSED, reason } from "./microphone.js";
import { Player } from "./player.js";
import { Rolling } from "./rolling.js";

const KEEP_S = 30;
const SPAN_S = 12;
const PORTION_S = 10; // most that is sent at once
const BACKLOG_S = 20; // more than this waiting: the oldest is let go, counted and shown
const RESEND_MS = 20000; // an answer that was lost, not one that is late
const ALONE_S = 600; // nobody touched anything for so long
const MOST_TOLD = 40; // lines of the history
const PAGE = `
  <div class="af-bar" role="group" aria-label="Listen">
    <button type="button" class="af-play af-listen-live" aria-pressed="false"><span aria-hidden="true">●</span> <span>Listen</span></button>
    <div class="af-slot"></div>
    <div class="af-level" role="meter" aria-label="Input level, dB of full scale" aria-valuemin="-80" aria-valuemax="0"><i></i></div>
    <output class="af-db">– dB</output>
    <label>ask every <select class="af-every"><option>0.25</option><option selected>0.5</option><option>1</option></select> s</label>
    <label>about the last <select class="af-window"></select></label>
    <label title="Echo cancelling, noise suppression and automatic level of the browser: they take out sounds that a classifier should hear">
      <input type="checkbox" class="af-processed"> Browser noise suppression: <b>off</b></label>
  </div>
  <div class="af-now">
    <section class="af-said"><p class="af-word">–</p><p class="af-about">Press Listen and make a sound.</p></section>
    <ol class="af-likely" aria-label="Most probable labels"></ol>
    <ol class="af-told-live" role="log" aria-label="Labels so far; each can be heard again"></ol>
  </div>
  <canvas class="af-roll" role="img" aria-label="Waveform, spectrogram, codes and labels of the last ${SPAN_S} seconds, once the microphone is on. Click a moment to hear it again."></canvas>
  <p class="af-status"><span role="status"></span><span class="af-pace"></span></p>`;

export class LiveView {
  // send(data): a portion to the listener; answers come to answer(). stopped(): the last answer of a recording is here.
  constructor(host, { send, stopped = () => {} }) {
    Object.assign(this, { host, send, stopped, checkpoint: null, on: false, take: null, blocks: [], remarks: [], about: "" });
    host.classList.add("af-live", "af-clip");
    host.innerHTML = PAGE; // fixed text
    this.rolling = new Rolling(this.find(".af-roll"), KEEP_S);
    const ended = () => this.stop("The microphone was taken away: plug it in again or choose another, and press Listen.");
    this.microphone = new Microphone({ block: (samples) => this.block(samples), ended, paused: (on) => this.paused(on) });
    this.choice = new MicrophoneChoice(() => this.processing());
    this.find(".af-bar").append(this.choice.host);
    this.player = new Player();
    this.windows(0);
    this.find(".af-listen-live").addEventListener("click", () => (this.on ? this.stop() : this.start()));
    this.find(".af-processed").addEventListener("change", () => this.processing());
    this.find(".af-roll").addEventListener("click", (event) => this.point(event));
    for (const name of ["pointerdown", "keydown"]) document.addEventListener(name, () => this.touch(), { passive: true });
    document.addEventListener("visibilitychange", () => this.on && this.remark());
    new ResizeObserver(() => this.resized()).observe(host);
    onLook(() => this.draw());
  }

  find(name) {
    return this.host.querySelector(name);
  }

  // What the label can be about; a checkpoint that was trained on shorter windows offers fewer.
  windows(longest) {
    const chosen = this.find(".af-window").value;
    const lengths = [1, 2, 5].filter((seconds) => !longest || seconds < longest);
    const whole = longest ? `${longest.toFixed(1)} s` : "window"; // what the checkpoint was trained on
    this.find(".af-window").replaceChildren(new Option(whole, ""), ...lengths.map((seconds) => new Option(`${seconds} s`, seconds)));
    if (lengths.includes(Number(chosen))) this.find(".af-window").value = chosen;
  }

  // --- the microphone

  async start() {
    const button = this.find(".af-listen-live");
    button.disabled = true;
    let rate;
    try {
      rate = await this.microphone.start(this.find(".af-processed").checked);
    } catch (error) {
      this.microphone.stop();
      if (!error.cancelled) this.say(reason(error));
      return;
    } finally {
      button.disabled = false;
    }
    if (this.host.offsetParent === null) return this.microphone.stop(); // the room was left while the browser asked
    this.take = crypto.getRandomValues(new Uint32Array(3)).join("-");
    Object.assign(this, { rate, on: true, blocks: [], captured: 0, acked: 0, sent: null, frames: 0, columns: 0, lost: 0, answers: 0, latencies: [] });
    this.touched = this.arrived = performance.now();
    this.rolling.clear();
    this.find(".af-told-live").replaceChildren();
    for (const name of Object.keys(this.host.dataset)) delete this.host.dataset[name];
    Object.assign(this.host.dataset, { take: this.take, state: "on" });
    this.show(true);
    this.say("Listening …");
    this.opened();
    this.timer = setInterval(() => this.tick(), 50);
    this.roll();
  }

  stop(why = "") {
    if (!this.on) return this.microphone.stop(); // it may be being opened
    this.on = false;
    this.microphone.stop();
    clearInterval(this.timer);
    this.host.dataset.state = "stopping";
    this.show(false);
    if (why) this.say(why);
    this.why = why;
    if (this.sent === null) this.push();
    else this.last = true; // the answer on its way asks for the rest
  }

  show(on) {
    const [sign, word] = this.find(".af-listen-live").children;
    [sign.textContent, word.textContent] = on ? ["■", "Stop"] : ["●", "Listen"];
    this.find(".af-listen-live").setAttribute("aria-pressed", String(on));
  }

  async processing() {
    const on = this.find(".af-processed").checked;
    this.find(".af-processed").parentElement.querySelector("b").textContent = on ? "on" : "off";
    if (!this.on) return;
    const rate = await this.microphone.start(on).catch(({ cancelled }) => (cancelled ? this.rate : null)); // the same recording goes on
    if (rate !== this.rate) return this.stop("The microphone changed: press Listen again.");
    return this.opened();
  }

  // What is to be said of the microphone for as long as it is in use, and which others there are.
  async opened() {
    this.choice.fill(this.microphone.device);
    this.remarks = await this.microphone.remarks();
    this.paused(false);
  }

  // No sound comes for now, or it comes again.
  paused(on) {
    this.waiting = on;
    if (this.on) this.remark();
  }

  remark() {
    const hidden = document.hidden ? ["This page is hidden: it goes on listening, and draws when it is seen again."] : [];
    this.about = [...(this.waiting ? [PAUSED] : this.remarks), ...hidden].join(" ");
    this.say(this.about || (this.answers ? "" : "Listening …"));
  }

  touch() {
    this.touched = performance.now();
    this.microphone.wake();
  }

  // A block of samples from the audio thread.
  block(samples) {
    if (!this.on) return;
    const from = this.captured;
    this.captured += samples.length;
    this.blocks.push({ from, samples });
    this.arrived = performance.now();
    if (this.waiting) this.paused(false);
    while (this.blocks[0].from + this.blocks[0].samples.length < this.captured - KEEP_S * this.rate) this.blocks.shift();
    this.rolling.wave(from / this.rate, this.captured / this.rate, samples);
    const power = samples.reduce((sum, value) => sum + value * value, 0) / samples.length;
    this.level = Math.max((this.level ?? -80) - 1.2, 10 * Math.log10(power + 1e-8)); // falls slowly, as meters do
  }

  // Samples from a number to another, of those that are still here.
  samples(from, to) {
    const first = Math.max(from, this.blocks[0]?.from ?? 0);
    const cut = new Float32Array(Math.max(0, Math.min(to, this.captured) - first));
    for (const block of this.blocks) {
      const [low, high] = [Math.max(first, block.from), Math.min(first + cut.length, block.from + block.samples.length)];
      if (low < high) cut.set(block.samples.subarray(low - block.from, high - block.from), low - first);
    }
    return cut;
  }

  // --- portions and answers

  tick() {
    if (performance.now() - this.touched > ALONE_S * 1000) return this.stop("Stopped: nobody touched anything for ten minutes.");
    const late = this.sent !== null && performance.now() - this.sent.at > RESEND_MS;
    const enough = this.captured - this.acked >= Number(this.find(".af-every").value) * this.rate;
    if (late || (this.sent === null && enough)) this.push();
  }

  push() {
    const first = Math.max(this.acked, this.captured - BACKLOG_S * this.rate);
    const samples = this.samples(first, first + PORTION_S * this.rate);
    const pcm = Int16Array.from(samples, (value) => Math.max(-1, Math.min(1, value)) * 32767);
    const window_s = Number(this.find(".af-window").value) || null;
    const ended = this.arrived - (1000 * (this.captured - first - samples.length)) / this.rate; // when its last sample came
    this.sent = { at: performance.now(), ended };
    this.send({ take: this.take, first, rate: this.rate, pcm: inBase64(pcm), frames: this.frames, columns: this.columns, window_s });
  }

  answer(reply) {
    if (!reply || reply.take !== this.take) return;
    if (reply.failed) {
      this.sent = null;
      this.stop(reply.failed);
      return this.finished();
    }
    const { sent } = this;
    this.sent = null;
    if (sent === null) return; // the answer to a portion that was sent again
    this.acked = Math.max(this.acked, reply.received);
    this.lost = reply.lost;
    this.answers += 1;
    this.frames = Math.max(this.frames, reply.codes.first + reply.codes.columns);
    this.columns = Math.max(this.columns, reply.mel.first + reply.mel.columns);
    const changed = this.rolling.add(reply);
    if (reply.checkpoint !== this.checkpoint) this.windows(reply.trained_s);
    this.checkpoint = reply.checkpoint;
    if (reply.heard) this.tell(reply.heard);
    if (changed) this.remember(changed);
    requestAnimationFrame(() => this.measure(sent, reply));
    if (this.on) return;
    if (this.last || this.acked < this.captured) {
      this.last = false;
      this.push();
    } else this.finished();
  }

  finished() {
    this.host.dataset.state = "off";
    this.draw();
    this.stopped(this.why);
  }

  // answer: what the page says of it, where it has a rule of its own for silence and unsure labels.
  tell({ labels, level_db, start_s, end_s, said, answer }) {
    const { label, p } = labels[0];
    const [quiet, sure] = [said !== label, `${(100 * p).toFixed(0)} %`];
    const says = answer ?? { text: said, detail: quiet ? `${label} ${sure}` : sure, kind: quiet ? "quiet" : "sure", remark: quiet ? `${level_db.toFixed(0)} dB of full scale: no label means anything.` : "" };
    this.find(".af-word").replaceChildren(`${says.text} `, part("small", "", says.detail));
    this.find(".af-said").classList.toggle("af-quiet", says.kind !== "sure");
    const about = `${(end_s - start_s).toFixed(1)} s up to ${end_s.toFixed(1)} s${this.checkpoint ? `, says ${this.checkpoint}` : ""}`;
    this.find(".af-about").textContent = [says.remark, about].filter(Boolean).join(" · ");
    this.find(".af-likely").replaceChildren(...labels.map(({ label: name, p: one }) => {
      const [row, track, bar] = [part("li", ""), part("span", "af-likely-track"), part("i", "")];
      bar.style.width = `${100 * one}%`;
      track.append(bar);
      row.append(part("span", "", name), track, part("span", "", `${(100 * one).toFixed(1)} %`));
      return row;
    }));
    Object.assign(this.host.dataset, { label, until: end_s.toFixed(3) });
  }

  // A line of the history: another label than before, to be heard again while its sound is kept.
  remember(entry) {
    const list = this.find(".af-told-live");
    const button = part("button", "", `▶ ${entry.from.toFixed(1)} s  ${entry.label}`);
    button.type = "button";
    button.addEventListener("click", () => this.replay(entry.from, Math.max(entry.to, entry.from + 0.5)));
    const line = part("li", "");
    line.append(button);
    list.prepend(line);
    while (list.children.length > MOST_TOLD) list.lastChild.remove();
  }

  // From the arrival of a portion's last sample in this page to its label on the screen.
  measure(sent, { work_ms }) {
    if (sent) this.latencies.push(performance.now() - sent.ended);
    if (this.latencies.length > 400) this.latencies.shift();
    const sorted = [...this.latencies].sort((one, other) => one - other);
    const [median, p95] = [0.5, 0.95].map((share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(0));
    const dropped = Math.ceil(this.lost / (Number(this.find(".af-every").value) * this.rate));
    Object.assign(this.host.dataset, { answers: this.answers, lost: this.lost, dropped, median, p95, work: work_ms });
    if (!this.on) return;
    const lost = dropped ? ` · ${dropped} portions lost` : "";
    this.say(this.about, `${(this.captured / this.rate).toFixed(0)} s heard · an answer ${median} ms after its sound · ${this.answers} answers${lost}`);
    this.find(".af-pace").title = `95 of 100 answers within ${p95} ms; the model needs ${work_ms.toFixed(0)} ms; ${(this.rate / 1000).toFixed(1)} kHz`;
  }

  // --- pictures and sound

  roll() {
    this.draw();
    const level = Math.round(this.level ?? -80);
    this.find(".af-level i").style.width = `${Math.min(100, Math.max(0, 1.25 * (level + 80)))}%`;
    this.find(".af-level").setAttribute("aria-valuenow", level);
    this.find(".af-db").textContent = `${level} dB`;
    if (this.on) requestAnimationFrame(() => this.roll());
  }

  draw() {
    const now = this.rate ? this.captured / this.rate : 0;
    const since = this.on && this.arrived ? Math.min(0.1, (performance.now() - this.arrived) / 1000) : 0;
    this.rolling.draw(now + since, this.host.clientWidth < 520 ? SPAN_S / 2 : SPAN_S);
  }

  resized() {
    if (this.host.offsetParent === null) this.stop("Stopped: the room was left.");
    else this.draw();
  }

  point(event) {
    const time = this.rolling.timeAt(event);
    if (time === null || !this.take) return;
    const entry = this.rolling.labels.find(({ from, to }) => from <= time && time < to);
    const y = event.clientY - this.find(".af-roll").getBoundingClientRect().top;
    const lane = this.rolling.boxes(this.find(".af-roll").clientHeight).find(({ top, height }) => y >= top && y < top + height);
    if (lane?.kind === "labels" && entry) this.replay(entry.from, entry.to);
    else this.replay(time - 0.25, time + 0.75);
  }

  // A moment again, from what the browser itself keeps.
  replay(from, to) {
    const samples = this.samples(Math.round(Math.max(0, from) * this.rate), Math.round(to * this.rate));
    if (!samples.length) return this.say("That sound is no longer kept.");
    this.player.samples(samples, this.rate);
    this.host.dataset.replayed = samples.length;
  }

  // text is read out by screen readers; pace, which is new at every answer, is not.
  say(text, pace = "") {
    this.find(".af-status > [role=status]").textContent = text;
    this.find(".af-pace").textContent = pace;
  }
}

// In a notebook: `reply` takes the answers.
export function mount({ element, read, watch, send }) {
  const view = new LiveView(element.appendChild(part("div", "")), { send: (data) => send("push", data) });
  watch("reply", () => view.answer(JSON.parse(read("reply") || "null")));
  return view;
}
