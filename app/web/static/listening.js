// The room Live: portions of a recording to codes and labels, as audioformer/live.py and audioformer/widgets/live.py.
import { answer, levelDb } from "./answer.js";
import { wavBase64 } from "./clips.js";
import { Stream, concatenated, joined } from "./codec.js";
import * as lanes from "./lanes_data.js";
import { Resampler } from "./resample.js";

const KEEP_S = 30;
const SHORTEST_S = 0.25; // less sound than this is given no label
const [LOW_DB, HIGH_DB] = [-70, 10];
const TOP = 5;

export class Listening {
  constructor(kit) {
    Object.assign(this, { kit, take: null });
    this.answers = { push: (data) => this.push(data), freeze: (data) => this.freeze(data), cut: (data) => this.cut(data) };
  }

  begin(take, rate) {
    const { codec } = this.kit;
    Object.assign(this, { take, rate, stream: new Stream(codec), resampler: rate === codec.rate ? null : new Resampler(rate, codec.rate) });
    Object.assign(this, { received: 0, lost: 0, n: 0, first: 0, samples: new Float32Array(0), codes: this.stream.nothing(), history: [] });
  }

  // A portion of the recording, and all that is new since the page's last answer.
  async push({ take, rate, first, pcm, frames, columns, window_s }) {
    const began = performance.now();
    if (take !== this.take) this.begin(take, rate);
    const bytes = lanes.unpacked(pcm);
    const portion = Float32Array.from(new Int16Array(bytes.buffer), (value) => value / 32768);
    const gap = first - this.received;
    if (gap > 0) {
      await this.add(new Float32Array(Math.min(gap, KEEP_S * rate)));
      this.lost += gap;
      this.received += gap;
    }
    const fresh = portion.subarray(Math.max(0, -gap));
    await this.add(fresh);
    this.received += fresh.length;
    const heard = await this.label(window_s);
    const { codec, site } = this.kit;
    return {
      to: "push", take, received: this.received, lost: this.lost, time_s: this.n / codec.rate, kept_s: this.first / this.frameRate,
      codes: this.newCodes(frames), mel: this.newColumns(columns), heard, checkpoint: site.checkpoint,
      trained_s: site.classifier.window / site.classifier.frame_rate, work_ms: performance.now() - began,
    }; // prettier-ignore
  }

  get frameRate() {
    return this.kit.site.classifier.frame_rate;
  }

  get frames() {
    return this.first + this.codes[0].length;
  }

  async add(portion) {
    const { codec } = this.kit;
    const samples = this.resampler ? this.resampler.push(portion) : portion;
    this.samples = concatenated(this.samples, samples);
    this.n += samples.length;
    this.codes = joined(this.codes, await this.stream.push(samples));
    const old = Math.min(Math.floor(this.n / codec.hop) - KEEP_S * this.frameRate, this.frames) - this.first;
    if (old <= 0) return;
    this.first += old;
    this.samples = this.samples.slice(old * codec.hop);
    this.codes = this.codes.map((row) => row.slice(old));
    this.history = this.history.filter(({ end_s }) => end_s > this.first / this.frameRate);
  }

  // What the classifier says about the latest window.
  async label(window_s) {
    const { classifier, codec } = this.kit;
    if (this.frames < SHORTEST_S * this.frameRate) return null;
    const length = Math.min(classifier.window, window_s ? Math.round(window_s * this.frameRate) : classifier.window);
    const codes = this.codes.map((row) => row.slice(-length));
    const { order, probabilities } = await classifier.classify(codes);
    const start_s = (this.frames - codes[0].length) / this.frameRate;
    const end_s = Math.min(this.frames / this.frameRate, this.n / codec.rate);
    const level_db = levelDb(this.between(start_s, end_s), this.kit.codec.rate);
    const labels = order.slice(0, TOP).map((c) => ({ label: lanes.words(classifier.labels[c]), p: probabilities[c] }));
    const says = answer(labels, classifier.labels, classifier.multi_label, level_db);
    const said = ["silent", "quiet"].includes(says.kind) ? says.text : labels[0].label;
    const heard = { start_s, end_s, level_db, labels, said, answer: says };
    this.history = [...this.history.filter((one) => one.end_s < end_s), heard];
    return heard;
  }

  between(start_s, end_s) {
    const { codec } = this.kit;
    const place = (time) => Math.round(time * codec.rate) - this.first * codec.hop;
    return this.samples.subarray(Math.max(0, place(start_s)), place(end_s));
  }

  newCodes(from) {
    const { site } = this.kit;
    const first = Math.min(Math.max(from, this.first), this.frames);
    const codes = this.codes.map((row) => row.slice(first - this.first));
    const shades = codes.flatMap((row, k) => row.map((code) => site.shades[k * site.codec.codebook_size + code]));
    return { first, rows: codes.length, columns: codes[0].length, step_s: 1 / this.frameRate, shades: lanes.packed(shades) };
  }

  // Columns of the log-mel picture that are known, on a fixed scale.
  newColumns(from) {
    const { picture, codec } = this.kit;
    const { hop, n_fft: size } = picture;
    const kept = this.first * codec.hop;
    const end = Math.max(0, Math.floor((this.n - size / 2) / hop) + 1);
    const first = Math.min(Math.max(from, Math.ceil(kept / hop)), end);
    const about = { first, rows: picture.n_mels, columns: end - first, step_s: hop / codec.rate, ticks: lanes.melTicks(picture.hz) };
    if (first === end) return { ...about, data: "" };
    const start = Math.max(first - Math.ceil(size / 2 / hop), Math.ceil(kept / hop));
    const { values, rows, columns } = picture.of(this.samples.subarray(start * hop - kept));
    const levels = [];
    for (let row = 0; row < rows; row++) {
      for (let column = first - start; column < end - start; column++) {
        levels.push(Math.round(((values[row * columns + column] - LOW_DB) / (HIGH_DB - LOW_DB)) * 255));
      }
    }
    return { ...about, data: lanes.packed(levels) };
  }

  // What is kept, as a time line on a link of its own.
  freeze({ take }) {
    if (!this.take || !this.codes[0].length) throw new Error("nothing to freeze yet: not a single frame of sound is known; listen for a moment");
    const { codec, picture, site } = this.kit;
    const start_s = this.first / this.frameRate;
    this.frozen = { samples: this.samples.slice(), start_s };
    const shown = [
      lanes.wave(this.samples), lanes.mel(this.samples, picture),
      lanes.codes(this.codes, this.frameRate, site.shades, site.codec.codebook_size),
    ]; // prettier-ignore
    const heard = stretches(this.history).filter(({ end_s }) => end_s > start_s);
    const moved = heard.map(({ label, ...times }) => ({ label, start_s: Math.max(0, times.start_s - start_s), end_s: times.end_s - start_s }));
    if (moved.length) {
      const lane = lanes.events(moved);
      shown.push({ ...lane, id: "heard", name: "Label", weight: Math.min(0.4, 0.12 * lane.labels.length), alt: lane.alt.replace("Known events", "Labels while listening") });
    }
    const view = {
      token: `live-${take}-${this.n}`, link: "live", lanes: shown, frame_rate: this.frameRate, start_s, duration_s: this.samples.length / codec.rate,
      hear: [{ name: "original", label: "sound" }], sounds: { original: wavBase64(this.samples, codec.rate) },
    }; // prettier-ignore
    return { to: "freeze", take, view };
  }

  // A stretch of what is frozen, to become the clip of all rooms.
  cut({ start_s, end_s }) {
    const { rate } = this.kit.codec;
    const { samples, start_s: began } = this.frozen;
    const name = `live ${(began + start_s).toFixed(1)}-${(began + end_s).toFixed(1)} s`;
    return { samples: samples.slice(Math.round(start_s * rate), Math.round(end_s * rate)), name };
  }
}

// {label, start_s, end_s} of the stretches over which an answer stayed the same; the five commonest. An answer stands at
// the middle of the stretch that it is about, and holds from the one before it.
export function stretches(history) {
  const found = [];
  for (const { said: label, start_s, end_s } of history) {
    const [last, middle] = [found[found.length - 1], (start_s + end_s) / 2];
    if (last?.label === label) last.end_s = middle;
    else found.push({ label, start_s: last?.end_s ?? start_s, end_s: middle });
  }
  const length = {};
  for (const { label, start_s, end_s } of found) length[label] = (length[label] ?? 0) + end_s - start_s;
  const common = Object.keys(length).sort((one, other) => length[other] - length[one]).slice(0, TOP);
  return found.filter(({ label }) => common.includes(label));
}
