// Codes to labels and guesses: windows, special tokens, what is hidden. As audioformer/predict.py, explain/moments.py and
// explain/fill.py. `codes` are K rows of T numbers, `hidden` one flag a place, row by row.
const STRETCH_S = 0.5;
const SILENT = 1e-6; // power of -60 dB
const BATCH = 16; // windows at a time

// First frames of windows that cover a clip: at most half a window apart, the last one flush with the end.
export function windowStarts(frames, window) {
  const last = Math.max(0, frames - window);
  const steps = Math.ceil(last / Math.floor((window + 1) / 2));
  return Array.from({ length: steps + 1 }, (_, i) => even((i * last) / Math.max(1, steps)));
}

// Rounds halves to the even number, as Python does.
export function even(value) {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

// BOA, the codes from one frame to another, EOA, in each row; MASK where hidden.
export function tokens(codes, size, first, length, hidden = null) {
  const [boa, eoa, mask] = [size + 1, size + 2, size + 3];
  const out = new BigInt64Array(codes.length * (length + 2));
  codes.forEach((row, k) => {
    const at = k * (length + 2);
    out[at] = BigInt(boa);
    out[at + length + 1] = BigInt(eoa);
    for (let t = 0; t < length; t++) {
      out[at + 1 + t] = BigInt(hidden?.[k * row.length + first + t] ? mask : row[first + t]);
    }
  });
  return out;
}

export function softmax(values) {
  const top = Math.max(...values);
  const powers = Array.from(values, (value) => Math.exp(value - top));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

export class Classifier {
  // run(tokens, dims, gates, named): logits, vectors and attention, or what is named; about: {labels, window, multi_label, n_codebooks,
  // codebook_size, frame_rate}.
  constructor(run, about) {
    Object.assign(this, { run, about, ...about });
  }

  // What the feed-forward units say in one window, {data, dims: (1, L, P, F)}.
  async unitsOf(codes, start, length) {
    const batch = tokens(codes.slice(0, this.n_codebooks), this.codebook_size, start, length);
    return (await this.run(batch, [1, this.n_codebooks, length + 2], {}, ["activity"])).activity;
  }

  async windows(codes, window, hidden = null) {
    const [frames, rows] = [codes[0].length, codes.slice(0, this.n_codebooks)];
    const [starts, length] = [windowStarts(frames, window), Math.min(window, frames)];
    const found = [];
    for (let first = 0; first < starts.length; first += BATCH) {
      const group = starts.slice(first, first + BATCH);
      const batch = new BigInt64Array(group.length * rows.length * (length + 2));
      group.forEach((start, i) => batch.set(tokens(rows, this.codebook_size, start, length, hidden), (i * batch.length) / group.length));
      const answer = await this.run(batch, [group.length, rows.length, length + 2]);
      group.forEach((start, i) => found.push({ start, length, ...cut(answer, i, group.length) }));
    }
    return found;
  }

  probabilities(logits) {
    return this.multi_label ? Array.from(logits, (value) => 1 / (1 + Math.exp(-value))) : softmax(logits);
  }

  // Probabilities of each class: the mean over windows.
  async classify(codes, hidden = null) {
    const windows = await this.windows(codes, this.window, hidden);
    const each = windows.map(({ logits }) => this.probabilities(logits));
    const probabilities = this.labels.map((_, c) => mean(each.map((one) => one[c])));
    const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
    return { probabilities, order, windows, logits: windows[0].logits };
  }

  // (T, C): of each frame the mean over the half seconds that it lies in.
  async moments(codes) {
    const frames = codes[0].length;
    const windows = await this.windows(codes, Math.max(1, Math.round(STRETCH_S * this.frame_rate)));
    const [sum, count] = [Array.from({ length: frames }, () => this.labels.map(() => 0)), new Float64Array(frames)];
    for (const { start, length, logits } of windows) {
      const shares = this.probabilities(logits);
      for (let t = start; t < start + length; t++) {
        shares.forEach((share, c) => (sum[t][c] += share));
        count[t] += 1;
      }
    }
    return sum.map((row, t) => row.map((value) => value / count[t]));
  }
}

// The part of a batch's answer that is one clip's.
function cut(answer, i, n) {
  const of = (values) => values && values.slice((i * values.length) / n, ((i + 1) * values.length) / n);
  return { logits: of(answer.logits), vector: of(answer.vectors), attention: answer.attention };
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Where the half second around a frame is silent: below -60 dB of full scale.
export function silentFrames(samples, rate, frameRate, frames) {
  const half = Math.max(1, Math.round(STRETCH_S * rate)) / 2;
  const power = new Float64Array(samples.length + 1);
  samples.forEach((value, i) => (power[i + 1] = power[i] + value * value));
  return Array.from({ length: frames }, (_, frame) => {
    const middle = Math.min(Math.floor(((frame + 0.5) / frameRate) * rate), samples.length - 1);
    const [from, to] = [Math.max(0, Math.ceil(middle - half)), Math.min(samples.length, Math.ceil(middle + half))];
    return (power[to] - power[from]) / (2 * half) < SILENT;
  });
}
