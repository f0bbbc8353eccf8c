// Guess hidden codes and fill the gap, as audioformer/explain/fill.py. `codes` are K rows of T numbers, `hidden` one flag a
// place, row by row.
import { even, tokens, windowStarts } from "./reading.js";

const total = (values) => values.reduce((sum, value) => sum + value, 0);

export class Guesser {
  // run(tokens, dims): scores of every code, (K, S, V), for one clip; about: {name, n_codebooks, codebook_size, window,
  // same_frames}.
  constructor(run, about) {
    Object.assign(this, { run, ...about });
  }

  // What act(place, log_p) makes of each hidden place, row by row; place: {row, frame}; log_p: (V,) log probabilities.
  // Each place is read in the window whose middle is nearest.
  async expected(codes, hidden, act) {
    const [rows, frames, size] = [this.n_codebooks, codes[0].length, this.codebook_size];
    const [starts, length] = [windowStarts(frames, this.window), Math.min(this.window, frames)];
    const away = (start, frame) => Math.abs(frame - (start + length / 2 - 0.5));
    const nearest = (frame) => starts.reduce((best, start, i) => (away(start, frame) < away(starts[best], frame) ? i : best), 0);
    const found = [];
    for (const [number, start] of starts.entries()) {
      const places = [];
      for (let row = 0; row < rows; row++) {
        for (let frame = start; frame < start + length; frame++) {
          if (hidden[row * frames + frame] && nearest(frame) === number) places.push({ row, frame });
        }
      }
      if (!places.length) continue;
      const scores = await this.run(tokens(codes.slice(0, rows), size, start, length, hidden), [1, rows, length + 2]);
      for (const place of places) {
        const at = (place.row * (length + 2) + place.frame - start + 1) * size;
        found.push({ ...place, ...act(place, logSoftmax(scores.subarray(at, at + size))) });
      }
    }
    return found.sort((one, other) => one.row - other.row || one.frame - other.frame);
  }

  // {row, frame, log_p of the truth, rank, codes and p of the likeliest} of each hidden place.
  guess(codes, hidden, most) {
    return this.expected(codes, hidden, ({ row, frame }, scores) => {
      const truth = scores[codes[row][frame]];
      const best = likeliest(scores, most);
      const rank = 1 + scores.reduce((n, value) => n + (value > truth), 0);
      return { log_p: truth, rank, codes: best, p: best.map((code) => Math.exp(scores[code])) };
    });
  }

  // The codes with the gap closed, and in which step, from 1, each place was filled: the surest guesses first.
  async fill(codes, hidden, steps) {
    const [frames, left] = [codes[0].length, Uint8Array.from(hidden)];
    const filled = codes.slice(0, this.n_codebooks).map((row, k) => row.map((code, t) => (hidden[k * frames + t] ? 0 : code)));
    const [stepOf, all] = [new Array(hidden.length).fill(0), total(left)];
    for (let step = 1; step <= steps && total(left); step++) {
      const places = await this.expected(filled, left, (_, scores) => {
        const [code] = likeliest(scores, 1);
        return { code, p: scores[code] };
      });
      const keep = step === steps ? 0 : Math.floor(all * Math.cos((Math.PI / 2) * (step / steps)));
      const surest = places.sort((one, other) => other.p - one.p).slice(0, Math.max(1, places.length - keep));
      for (const { row, frame, code } of surest) {
        filled[row][frame] = code;
        left[row * frames + frame] = 0;
        stepOf[row * frames + frame] = step;
      }
    }
    return { codes: filled, steps: stepOf };
  }
}

function logSoftmax(scores) {
  const top = scores.reduce((most, value) => Math.max(most, value), -Infinity);
  const level = top + Math.log(scores.reduce((sum, value) => sum + Math.exp(value - top), 0));
  return scores.map((value) => value - level);
}

// Numbers of the `most` largest values, the largest first.
function likeliest(values, most) {
  const best = [];
  values.forEach((value, i) => {
    if (best.length === most && value <= values[best[most - 1]]) return;
    const after = best.findIndex((one) => values[one] < value);
    best.splice(after < 0 ? best.length : after, 0, i);
    best.length = Math.min(best.length, most);
  });
  return best;
}

// One flag a place: a share of the frames of each row, in runs; the same frames in all rows where `same`. As
// audioformer/masking.py, but `random` (numbers from 0 to 1) is another source than torch's.
export function randomGap(rows, frames, { ratio, span }, same, random) {
  const hidden = new Uint8Array(rows * frames);
  const most = Math.max(1, even(ratio * frames));
  for (let row = 0; row < (same ? 1 : rows); row++) {
    const draws = Array.from({ length: frames + span - 1 }, random);
    const urgent = Array.from({ length: frames }, (_, t) => Math.max(...draws.slice(t, t + span)));
    const order = [...urgent.keys()].sort((one, other) => urgent[other] - urgent[one]);
    for (const frame of order.slice(0, most)) hidden[row * frames + frame] = 1;
  }
  if (same) for (let row = 1; row < rows; row++) hidden.copyWithin(row * frames, 0, frames);
  return hidden;
}
