// The room Attention: where the heads of the classifier look, as app/rooms/attention.py and audioformer/explain/attention.py.
//
// Shapes: L layers, H heads, S positions (BOA, the frames of a window, EOA). A map is S rows of S weights.
import * as lanes from "./lanes_data.js";
import { tokens, windowStarts } from "./reading.js";

const [THUMB, LARGEST] = [40, 512]; // pixels a side of a small map, most of a large one

export class Looking {
  constructor(kit, clips) {
    Object.assign(this, { kit, clips });
    this.answers = { look: (data) => this.look(data) };
  }

  // All heads small, one head large, for the window around a frame; without one, for where the label is surest.
  async look({ frame: asked = null, layer: ofLayer = Infinity, head: ofHead = 0 }) {
    const { classifier, site } = this.kit;
    const { clip } = this.clips;
    const [codes, rate] = [clip.codes.slice(0, classifier.n_codebooks), classifier.frame_rate];
    const frames = codes[0].length;
    const best = clip.verdict.order[0];
    const surest = clip.moments.reduce((most, row, t) => (row[best] > clip.moments[most][best] ? t : most), 0);
    const frame = Math.min(asked ?? surest, frames - 1);
    const starts = windowStarts(frames, classifier.window);
    const length = Math.min(classifier.window, frames);
    const away = (first) => Math.abs(first + length / 2 - frame - 0.5);
    const start = starts.reduce((one, other) => (away(other) < away(one) ? other : one));
    const { attention } = await classifier.run(tokens(codes, classifier.codebook_size, start, length), [1, codes.length, length + 2]);
    const [, layers, heads, positions] = attention.dims;
    const [layer, head] = [Math.min(ofLayer, layers - 1), Math.min(ofHead, heads - 1)];
    const size = positions * positions;
    const maps = Array.from({ length: layers }, (_, l) =>
      Array.from({ length: heads }, (_h, h) => attention.data.subarray((l * heads + h) * size, (l * heads + h + 1) * size)));
    return {
      token: clip.token, frame_rate: rate, duration_s: clip.samples.length / this.kit.codec.rate, frame, layer, head,
      n_layers: layers, n_heads: heads, window: [start / rate, (start + length) / rate], n_windows: starts.length,
      thumbs: thumbs(maps.flat(), positions), map: large(maps[layer][head], positions),
      stats: maps.map((row) => row.map((map) => stats(map, positions, 1 / rate))),
      lanes: ["mel", rolloutLane(maps, positions, start, 1 / rate), "scores"], checkpoint: site.checkpoint, group: site.classifier.group,
    }; // prettier-ignore
  }
}

// The frames' part of a map made small: the mean of what falls together.
export function shrunk(map, positions, side) {
  const inner = positions - 2;
  const [from, to] = [(i) => Math.floor((i * inner) / side), (i) => Math.ceil(((i + 1) * inner) / side)];
  const out = new Float64Array(side * side);
  for (let i = 0; i < side; i++) {
    for (let j = 0; j < side; j++) {
      let sum = 0;
      for (let row = from(i); row < to(i); row++) {
        for (let column = from(j); column < to(j); column++) sum += map[(row + 1) * positions + column + 1];
      }
      out[i * side + j] = sum / ((to(i) - from(i)) * (to(j) - from(j)));
    }
  }
  return out;
}

// 0 to 255: square root of the share of the largest, so that small weights stay visible.
function levels(values) {
  const top = Math.max(1e-9, values.reduce((most, value) => Math.max(most, value), 0));
  return { top, data: Array.from(values, (value) => Math.round(255 * Math.sqrt(value / top))) };
}

function thumbs(maps, positions) {
  const side = Math.min(positions - 2, THUMB);
  return { side, data: lanes.packed(maps.flatMap((map) => levels(shrunk(map, positions, side)).data)) };
}

function large(map, positions) {
  const side = Math.min(positions - 2, LARGEST);
  const { top, data } = levels(shrunk(map, positions, side));
  return { side, data: lanes.packed(data), top, edges: edges(map, positions) };
}

// The share that goes to BOA and EOA.
function edges(map, positions) {
  let sum = 0;
  for (let i = 1; i < positions - 1; i++) sum += map[i * positions] + map[(i + 1) * positions - 1];
  return sum / (positions - 2);
}

// Reach in seconds, and spread: the effective number of positions.
export function stats(map, positions, frame_s) {
  let [reach, entropy] = [0, 0];
  map.forEach((weight, at) => {
    reach += weight * Math.abs(Math.floor(at / positions) - (at % positions));
    entropy -= weight * Math.log(Math.max(weight, 1e-12));
  });
  return { reach_s: (reach / positions) * frame_s, spread: Math.exp(entropy / positions), edges: edges(map, positions) };
}

// How much of each frame can have reached the clip's vector, times an even share: 1 everywhere if all count alike.
// Attention is followed through all layers, half of each position staying where it is; only the mean over the positions
// that look is needed, so a row is multiplied through the layers from the last to the first.
export function rollout(maps, positions) {
  let share = new Float64Array(positions).fill(1 / positions);
  for (const heads of [...maps].reverse()) {
    const before = share.map((value) => value / 2);
    for (let i = 0; i < positions; i++) {
      for (const map of heads) {
        for (let j = 0; j < positions; j++) before[j] += (share[i] * map[i * positions + j]) / (2 * heads.length);
      }
    }
    share = before;
  }
  return Array.from(share.subarray(1, -1), (value) => value * positions);
}

function rolloutLane(maps, positions, start, frame_s) {
  const share = rollout(maps, positions);
  const most = Math.max(...share);
  const loudest = (start + share.indexOf(most) + 0.5) * frame_s;
  return lanes.lines([["rollout", share]], frame_s, {
    name: "Share", alt: `Attention rollout; most of it comes from ${loudest.toFixed(2)} s.`, high: Math.ceil(10 * Math.max(2, most)) / 10,
    start_s: (start + 0.5) * frame_s, chance: 1, digits: 2, unit: "x even share", legend: "rollout; dashed: its even share",
  }); // prettier-ignore
}
