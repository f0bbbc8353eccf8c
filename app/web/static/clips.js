// The clip on the page, and what the room Listen asks about it: as app/analysis.py, app/handlers.py and app/rooms/edit.py.
import { answer, levelDb } from "./answer.js";
import * as lanes from "./lanes_data.js";
import { silentFrames } from "./reading.js";
import { wavBytes } from "./widgets/player.js";

const TOP = 5;
const SHOWN_S = 30; // longest stretch that is analysed
export const wavBase64 = (samples, rate) => lanes.base64(wavBytes(samples, rate));
const FADE_S = 0.01; // each end of a code that is held

export class Clips {
  constructor(kit) {
    Object.assign(this, { kit, clip: null, n: 0 });
    const now = (act) => (data) => act.call(this, data);
    this.answers = { open: now(this.open), keep: now(this.keep), hear: now(this.hear), change: now(this.change) };
  }

  // A sound, (N,) samples at the codec's rate, becomes the clip; its view, and what it is.
  async open({ samples: all, name, note = "", truth = "", events = [], sample = -1 }) {
    const { codec, classifier, site } = this.kit;
    const samples = all.subarray(0, SHOWN_S * codec.rate);
    if (!samples.length) throw new Error(`${name}: holds no sound`);
    const notes = samples.length < all.length ? `first ${SHOWN_S} s of ${(all.length / codec.rate).toFixed(0)} s` : note;
    const began = performance.now();
    const codes = await codec.encode(samples);
    const coded = performance.now();
    const verdict = await classifier.classify(codes);
    const labelled = performance.now();
    const moments = await classifier.moments(codes);
    this.clip = { token: `clip-${++this.n}`, samples, codes, verdict, moments, name };
    const rate = site.classifier.frame_rate;
    const shown = [
      lanes.wave(samples),
      lanes.mel(samples, this.kit.picture),
      this.grid(codes, { id: "codes" }),
      lanes.scores(moments, rate, classifier.labels, verdict.order, silentFrames(samples, codec.rate, rate, moments.length)),
      ...(events.length ? [lanes.events(events)] : []),
    ];
    const labels = verdict.order.slice(0, TOP).map((c) => ({ label: classifier.labels[c], p: verdict.probabilities[c] }));
    const says = answer(labels, classifier.labels, classifier.multi_label, levelDb(samples, codec.rate), truth);
    const view = {
      token: this.clip.token, lanes: shown, sounds: { original: wavBase64(samples, codec.rate) },
      hear: [{ name: "original", label: "A · original" }, { name: "kept", label: "B · codes" }],
      n_codebooks: codec.rows, frame_rate: rate, duration_s: samples.length / codec.rate,
      kbps_per_codebook: site.codec.kbps, hold_s: site.codec.hold_s,
    }; // prettier-ignore
    const took = { encode_ms: coded - began, label_ms: labelled - coded, all_ms: performance.now() - began };
    const listener = { names: classifier.labels, several: classifier.multi_label, checkpoint: site.checkpoint };
    return { view, verdict: { labels, says, name, notes, truth, duration_s: view.duration_s, listener }, codes, logits: Array.from(verdict.logits), sample, took };
  }

  grid(codes, more) {
    const { site } = this.kit;
    return lanes.codes(codes, site.classifier.frame_rate, site.shades, site.codec.codebook_size, more);
  }

  // The clip decoded from its first codebooks, as loud as the original.
  async keep({ n_codebooks: n, ask }) {
    const { codec, picture } = this.kit;
    const { samples, codes, token } = this.clip;
    const decoded = await codec.decode(codes.slice(0, n), samples.length);
    const [one, other] = [picture.of(samples).values, picture.of(decoded).values];
    const difference_db = one.reduce((sum, value, i) => sum + Math.abs(value - other[i]), 0) / one.length;
    const sound = asLoud(decoded, samples);
    const marks = codes.flatMap((row, k) => row.map(() => (k < n ? 0 : lanes.HIDDEN)));
    const heard = { mel: lanes.mel(sound, picture, null), codes: this.grid(codes, { marks, id: null }) };
    const label = ask ? await this.label(await codec.encode(sound)) : null;
    return { token, n_codebooks: n, difference_db, lanes: heard, label, wav: wavBase64(sound, codec.rate) };
  }

  async label(codes) {
    const { probabilities, order } = await this.kit.classifier.classify(codes);
    return { label: lanes.words(this.kit.classifier.labels[order[0]]), probability: probabilities[order[0]] };
  }

  // One code held for a moment, together with the codes above it in its column.
  async hear({ row, frame }) {
    const { codec } = this.kit;
    const column = this.clip.codes.slice(0, row).map((codes) => codes[frame]);
    const wav = wavBase64(await held(column, codec), codec.rate);
    return { token: this.clip.token, row, frame, code: column[row - 1], wav };
  }

  // The clip's codes after some edits, one after the other.
  async change({ edits }) {
    const { codec, picture } = this.kit;
    const { samples, codes, token } = this.clip;
    const changed = codes.map((row) => row.slice());
    for (const edit of edits) await this.edit(changed, edit);
    const marks = changed.flatMap((row, k) => row.map((code, t) => (code === codes[k][t] ? 0 : lanes.CHANGED)));
    const sound = await codec.decode(changed, samples.length);
    const heard = { mel: lanes.mel(sound, picture, null), codes: this.grid(changed, { marks, id: null }) };
    const share = marks.filter(Boolean).length / marks.length;
    return { token, lanes: heard, changed: share, n_edits: edits.length, wav: wavBase64(sound, codec.rate), label: await this.label(changed) };
  }

  async edit(codes, { action, row, frame, frames, to, seed }) {
    const silent = action === "silence" ? await silentColumn(this.kit.codec) : null;
    const order = action === "shuffle" ? shuffled(frames, seed) : null;
    codes.forEach((line, k) => {
      if (row && k !== row - 1) return;
      const stretch = line.slice(frame, frame + frames);
      const [put, at] = {
        silence: () => [stretch.map(() => silent[k]), frame],
        shuffle: () => [order.map((i) => stretch[i]), frame],
        copy: () => [stretch.slice(0, line.length - to), to],
      }[action]();
      put.forEach((code, i) => (line[at + i] = code));
    });
  }
}

// The codes that a codec writes for silence, once it has settled.
export async function silentColumn(codec) {
  return (await codec.encode(new Float32Array(codec.hop * 40))).map((row) => row[20]);
}

// A column of codes held for a moment, both ends faded.
export async function held(column, codec) {
  const frames = Math.max(1, Math.round(codec.about.hold_s * (codec.rate / codec.hop)));
  const sound = await codec.decode(column.map((code) => new Array(frames).fill(code)));
  const fade = Math.min(Math.round(FADE_S * codec.rate), Math.floor(sound.length / 2));
  return sound.map((value, i) => value * Math.min(1, (i + 0.5) / fade, (sound.length - i - 0.5) / fade));
}

// A source of numbers from 0 to 1 that a seed decides.
export function randomFrom(seed) {
  let state = seed + 1;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

// Numbers 0 to n - 1 in an order that a seed decides.
function shuffled(n, seed) {
  const next = randomFrom(seed);
  const order = [...Array(n).keys()];
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// A sound with the root mean square of another, by at most 12 dB, and never beyond full scale.
function asLoud(sound, original) {
  const level = (samples) => Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
  const [wanted, is] = [level(original), level(sound)];
  if (Math.min(wanted, is) < 1e-5) return sound;
  const peak = sound.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const gain = Math.min(Math.max(0.25, Math.min(4, wanted / is)), Math.max(1, 1 / peak));
  return sound.map((value) => value * gain);
}
