// The graphs as functions: arrays in, arrays out. What they compute is written down in app/web/graphs.py.
import * as ort from "./runtime.js";

export const session = (bytes) => ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
const tensor = (type, data, dims) => new ort.Tensor(type, data, dims);

export function encoding(graph, shape) {
  return async ({ features, logMel, frames, memory }) => {
    const before = memory ?? new Float32Array(shape.reduce((product, size) => product * size, 1));
    const found = await graph.run({
      features: tensor("float32", features, [1, frames, features.length / frames]),
      log_mel: tensor("float32", logMel, [1, frames, logMel.length / frames]),
      memory: tensor("float32", before, shape),
    });
    const codes = Array.from(found.codes.data, Number);
    const rows = Array.from({ length: codes.length / frames }, (_, k) => codes.slice(k * frames, (k + 1) * frames));
    return { codes: rows, memory: found.remembered.data };
  };
}

export function decoding(graph) {
  return async (codes, all) => {
    const frames = codes[0].length;
    const grid = new BigInt64Array(all * frames);
    codes.forEach((row, k) => row.forEach((code, t) => (grid[k * frames + t] = BigInt(code))));
    const heard = Float32Array.from({ length: all }, (_, k) => (k < codes.length ? 1 : 0));
    const { real, imaginary } = await graph.run({ codes: tensor("int64", grid, [1, all, frames]), rows: tensor("float32", heard, [all]) });
    return { real: real.data, imaginary: imaginary.data };
  };
}

// Scores (K, S, V) of the first clip.
export function guessing(graph) {
  return async (batch, dims) => (await graph.run({ tokens: tensor("int64", batch, dims) })).guesses.data;
}

// sizes: {blocks, heads, units}; the gates {heads, units, blocks} are all 1 where nothing is switched off. `named`: which
// outputs are of use.
export function labelling(graph, { blocks, heads, units }) {
  const shapes = { heads: [blocks, heads], units: [blocks, units], blocks: [blocks] };
  const gate = (values, shape) => tensor("float32", values ?? new Float32Array(shape.reduce((a, b) => a * b)).fill(1), shape);
  return async (batch, dims, gates = {}, named = ["logits", "vectors", "attention"]) => {
    const open = Object.entries(shapes).map(([name, shape]) => [name, gate(gates[name], shape)]);
    const found = await graph.run({ tokens: tensor("int64", batch, dims), ...Object.fromEntries(open) }, named);
    return { ...found, logits: found.logits?.data, vectors: found.vectors?.data };
  };
}
