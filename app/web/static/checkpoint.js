// The checkpoint of a taught classifier: config.json, model.safetensors and README.md in a zip file, as the library writes
// them (audioformer/checkpoint.py, app/taught.py), and read again. Numbers have 16 bits there.
import { unzip, zip } from "./zip.js";

const FOLDER = "taught/";
const [CONFIG, WEIGHTS, CARD] = ["config.json", "model.safetensors", "README.md"].map((name) => FOLDER + name);
const BITS = new Uint32Array(1);
const words = new Float32Array(BITS.buffer);
const product = (shape) => shape.reduce((all, size) => all * size, 1);

// A number to its nearest of 16 bits, halves to the even one.
export function toHalf(value) {
  words[0] = value;
  const [sign, size, rest] = [(BITS[0] >>> 16) & 0x8000, ((BITS[0] >>> 23) & 255) - 112, BITS[0] & 0x7fffff];
  if (size >= 31) return sign | 0x7c00; // too large
  if (size < -10) return sign;
  const [mantissa, cut] = size > 0 ? [rest, 13] : [rest | 0x800000, 14 - size];
  const [kept, left, middle] = [mantissa >>> cut, mantissa & ((1 << cut) - 1), 1 << (cut - 1)];
  const up = left > middle || (left === middle && kept & 1) ? 1 : 0;
  return sign | ((size > 0 ? size << 10 : 0) + kept + up); // what is carried over lands in the exponent, as it must
}

export function fromHalf(half) {
  const [sign, size, rest] = [half & 0x8000 ? -1 : 1, (half >> 10) & 31, half & 1023];
  if (size === 31) return rest ? NaN : sign * Infinity;
  return sign * (size ? 2 ** (size - 15) * (1 + rest / 1024) : 2 ** -14 * (rest / 1024));
}

// The weights that a page has already, {name, shape, halves}: places of lessons.py; graph, rest: bytes.
export function weightsOf(places, graph, rest) {
  return places.map(({ name, shape, at, wide, turned, rest: apart }) => {
    const n = product(shape);
    const raw = (apart ? rest : graph).slice(at, at + n * (wide ? 4 : 2)).buffer;
    const halves = wide ? Uint16Array.from(new Float32Array(raw), toHalf) : new Uint16Array(raw);
    const [rows, columns] = shape;
    return { name, shape, halves: turned ? halves.map((_, i) => halves[(i % columns) * rows + Math.floor(i / columns)]) : halves };
  });
}

// {weight: (C, D), bias: (C,)} as weights of a checkpoint.
export const weightsOfLayer = ({ weight, bias }) => [
  { name: "head.weight", shape: [weight.length, weight[0].length], halves: Uint16Array.from(weight.flatMap((row) => [...row]), toHalf) },
  { name: "head.bias", shape: [bias.length], halves: Uint16Array.from(bias, toHalf) },
];

export function layerOf(weights) {
  const of = (name) => Array.from(weights.find((one) => one.name === name).halves, fromHalf);
  const [flat, bias] = [of("head.weight"), of("head.bias")];
  const width = flat.length / bias.length;
  return { weight: bias.map((_, c) => flat.slice(c * width, (c + 1) * width)), bias };
}

// A file of safetensors: length of the header, header, numbers.
export function safetensors(weights) {
  let at = 0;
  const header = { __metadata__: { format: "pt" } };
  for (const { name, shape, halves } of weights) header[name] = { dtype: "F16", shape, data_offsets: [at, (at += halves.byteLength)] };
  const text = JSON.stringify(header);
  const head = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8));
  const bytes = new Uint8Array(8 + head.length + at);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(head.length), true);
  bytes.set(head, 8);
  at = 8 + head.length;
  for (const { halves } of weights) {
    bytes.set(new Uint8Array(halves.buffer, halves.byteOffset, halves.byteLength), at);
    at += halves.byteLength;
  }
  return bytes;
}

function tensors(bytes) {
  const begin = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, begin)));
  return Object.entries(header).filter(([name]) => name !== "__metadata__").map(([name, { dtype, shape, data_offsets: [from, to] }]) => {
    if (dtype !== "F16" || to - from !== 2 * product(shape)) throw new Error(`${name} is ${dtype}`);
    return { name, shape, halves: new Uint16Array(bytes.slice(begin + from, begin + to).buffer) };
  });
}

export function packed(about, card, weights) {
  const text = (value) => new TextEncoder().encode(value);
  return zip([[CONFIG, text(`${JSON.stringify(about, null, 2)}\n`)], [WEIGHTS, safetensors(weights)], [CARD, text(card)]]);
}

// {about, weights}; throws, with a sentence, where a file is no such checkpoint.
export async function unpacked(blob) {
  try {
    const parts = await unzip(blob);
    return { about: JSON.parse(new TextDecoder().decode(parts.get(CONFIG))), weights: tensors(parts.get(WEIGHTS)) };
  } catch (error) {
    throw new Error(`the file holds no classifier that this room has taught (${error.message}); save the project again`);
  }
}
