// The room Mask: hide codes, see what the model makes of it, hear it; as app/rooms/mask.py.
import { held, randomFrom, silentColumn, wavBase64 } from "./clips.js";
import { randomGap } from "./guesses.js";
import * as lanes from "./lanes_data.js";
import { packBits, unpackBits } from "./parts.js";

const [TOP, STEPS, SHOWN_CLASSES] = [5, 8, 5];
const AUDIBLE = 10 ** (-70 / 20); // amplitude: louder than digital silence and what a coder leaves of it
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const rounded = (value, digits) => Number(value.toFixed(digits));

export class Masking {
  // clips: the room Listen, which has the clip.
  constructor(kit, clips, guesser) {
    Object.assign(this, { kit, clips, guesser });
    this.answers = { look: (data) => this.look(data), listen: (data) => this.listen(data), hear: (data) => this.hear(data) };
  }

  // The clip's codes that the model reads.
  get codes() {
    return this.clips.clip.codes.slice(0, this.guesser.n_codebooks);
  }

  // What the model says about a gap: `random` {ratio, span, seed} or `hidden`; `row` whose surprise is drawn, 0: all.
  async look({ random = {}, hidden: bits, row = 1 }) {
    const { guesser, codes } = this;
    const { clip } = this.clips;
    const frames = codes[0].length;
    const hidden = bits ? unpackBits(bits, codes.length * frames) : this.gap(random, frames);
    const found = hidden.some(Boolean) ? await guesser.guess(codes, hidden, TOP) : [];
    const loudest = peaks(clip.samples, frames, this.kit.codec.hop);
    const grid = this.clips.grid(codes, { marks: Array.from(hidden, (on) => on * lanes.HIDDEN), id: null, weight: 0.5 });
    return {
      token: clip.token, rows: codes.length, frames, hidden: packBits(hidden), ours: guesser.same_frames,
      frame_rate: this.kit.site.classifier.frame_rate, duration_s: clip.samples.length / this.kit.codec.rate,
      lanes: ["mel", grid, this.surprise(found, frames, row)],
      guesses: found.map(({ row: k, frame, log_p, rank, codes: best, p }) => [k + 1, frame, rounded(-log_p, 3), rank, best, p.map((one) => rounded(one, 4))]),
      first_look: firstLook(found, loudest), summary: this.summary(found, hidden, loudest), guesser: guesser.name,
      classes: await this.classes(hidden),
    }; // prettier-ignore
  }

  gap({ ratio = 0.25, span = 5, seed = 0 }, frames) {
    return randomGap(this.guesser.n_codebooks, frames, { ratio, span }, this.guesser.same_frames, randomFrom(seed));
  }

  // Surprise at the hidden code of each frame in a row, or the mean over all rows.
  surprise(found, frames, asked) {
    const row = found.some((place) => place.row === asked - 1) ? asked : 0; // nothing of that row is hidden: all rows
    const places = Array.from({ length: frames }, () => []);
    for (const { row: k, frame, log_p } of found) if (!row || k === row - 1) places[frame].push(-log_p);
    const values = places.map((list) => (list.length ? mean(list) : null));
    const chance = Math.log(this.guesser.codebook_size);
    const alt = found.length
      ? `Surprise at the hidden codes, ${mean(found.map(({ log_p }) => -log_p)).toFixed(2)} nats on average; chance is ${chance.toFixed(2)}.`
      : "Nothing is hidden, so there is no surprise.";
    const legend = `surprise at the truth ${row ? `in row ${row}` : "over all rows"}; dashed: chance`;
    const high = Math.ceil(Math.max(chance * 1.25, ...values));
    return lanes.lines([["surprise", values]], 1 / this.kit.site.classifier.frame_rate, {
      name: "Nats", about: "nats", unit: "nats", alt, high, chance, points: true, digits: 2, weight: 0.5, legend,
    }); // prettier-ignore
  }

  // Numbers of the gap where there is sound, and what chance gives.
  summary(found, hidden, loudest) {
    const size = this.guesser.codebook_size;
    const [share, chance] = [mean(Array.from(hidden)), Math.log(size)];
    if (!found.length) return { share, places: 0, chance, size };
    const audible = found.filter(({ frame }) => loudest[frame] > AUDIBLE);
    const counted = audible.length ? audible : found; // nothing but silence is hidden
    const surprise = (places) => (places.length ? mean(places.map(({ log_p }) => -log_p)) : null);
    const per_row = this.codes.map((_, k) => surprise(counted.filter(({ row }) => row === k)));
    return {
      share, places: found.length, silent: found.length - counted.length, surprise: surprise(counted), chance, size,
      accuracy: mean(counted.map(({ rank }) => Number(rank === 1))), per_row: per_row.map((one) => one && rounded(one, 2)),
    }; // prettier-ignore
  }

  // Probabilities of the leading labels before and with the gap; null where the classifier reads more rows.
  async classes(hidden) {
    const { classifier, site } = this.kit;
    if (classifier.n_codebooks > this.codes.length) return null;
    const before = this.clips.clip.verdict.probabilities;
    const now = (await classifier.classify(this.codes, hidden)).probabilities;
    const most = (c) => Math.max(before[c], now[c]);
    const leading = [...before.keys()].sort((one, other) => most(other) - most(one)).slice(0, SHOWN_CLASSES);
    const rows = leading.map((c) => ({ label: lanes.words(classifier.labels[c]), before: before[c], now: now[c] }));
    return { checkpoint: site.checkpoint, chance: classifier.multi_label ? null : 1 / classifier.labels.length, rows };
  }

  // The codes as a sound: "codes" whole, "gap" with silence in it, filled at once ("oneshot") or in "steps".
  async listen({ name, hidden: bits }) {
    const { guesser, codes } = this;
    const { codec, picture } = this.kit;
    const { clip } = this.clips;
    const frames = codes[0].length;
    const hidden = unpackBits(bits, codes.length * frames);
    let [sounding, steps] = [codes, new Array(hidden.length).fill(0)];
    if (hidden.some(Boolean) && name === "gap") {
      const silent = await silentColumn(codec);
      sounding = codes.map((row, k) => row.map((code, t) => (hidden[k * frames + t] ? silent[k] : code)));
    } else if (hidden.some(Boolean) && name !== "codes") {
      ({ codes: sounding, steps } = await guesser.fill(codes, hidden, name === "oneshot" ? 1 : STEPS));
    }
    const right = (i) => sounding[Math.floor(i / frames)][i % frames] === codes[Math.floor(i / frames)][i % frames];
    const places = [...hidden.keys()].filter((i) => hidden[i]);
    const mark = (i) => (name === "codes" || !hidden[i] ? 0 : name === "gap" ? lanes.HIDDEN : right(i) ? lanes.RIGHT : lanes.CHANGED);
    const sound = await codec.decode(sounding, clip.samples.length);
    const marks = [...hidden.keys()].map(mark);
    return {
      token: clip.token, name, hidden: bits, same: places.length ? mean(places.map((i) => Number(right(i)))) : 1,
      lanes: { mel: lanes.mel(sound, picture, null), codes: this.clips.grid(sounding, { marks, id: null, weight: 0.5 }) },
      steps: lanes.packed(steps), wav: wavBase64(sound, codec.rate),
    }; // prettier-ignore
  }

  // One code held, the true one or a guess in its place.
  async hear({ row, frame, code = null }) {
    const { codec } = this.kit;
    const column = this.codes.slice(0, row).map((codes) => codes[frame]);
    if (code !== null) column[row - 1] = code;
    return { token: this.clips.clip.token, row, frame, code: column[row - 1], wav: wavBase64(await held(column, codec), codec.rate) };
  }
}

// The largest amplitude in each frame.
function peaks(samples, frames, hop) {
  const stretch = (t) => samples.subarray(t * hop, t === frames - 1 ? samples.length : (t + 1) * hop);
  return Array.from({ length: frames }, (_, t) => stretch(t).reduce((most, value) => Math.max(most, Math.abs(value)), 0));
}

// [row (from 1), frame] of the loudest hidden place of the first row.
function firstLook(found, loudest) {
  if (!found.length) return null;
  const { row } = found[0];
  const frames = found.filter((place) => place.row === row).map(({ frame }) => frame);
  return [row + 1, frames.reduce((best, frame) => (loudest[frame] > loudest[best] ? frame : best))];
}
