// Sound to codes and back. Blocks of fixed sizes, as in audioformer/codecs/blocks.py and stream.py: a clip that comes in
// portions is computed in the very same blocks as a whole one, so both give the same codes.
import { Frames } from "./spectra.js";

const KEPT_FRAMES = 4500; // a minute at a time
const blockFrames = (start) => Math.min(128, Math.max(32, start));

export class Codec {
  // run: {encode({features, logMel, frames, memory}), decode(codes, rows)}: the two graphs; about: of the codec.
  constructor(run, about) {
    Object.assign(this, { run, about, frames: new Frames(about.frames), hop: about.frames.hop_length, rows: about.n_codebooks });
    this.rate = about.frames.sample_rate;
  }

  // (N,) samples to K rows of ceil(N / hop) codes.
  async encode(samples) {
    const stream = new Stream(this);
    const [codes, rest] = [await stream.push(samples), await stream.finish()];
    return joined(codes, rest);
  }

  // K' rows of T codes, K' <= K, to samples; n: how many, all of them without it.
  async decode(codes, n = codes[0].length * this.hop) {
    const total = codes[0].length;
    const sound = new Float32Array(total * this.hop);
    const { before, after } = this.about;
    for (let start = 0; start < total; start += KEPT_FRAMES) {
      const [first, end] = [Math.max(0, start - before), Math.min(total, start + KEPT_FRAMES)];
      const read = codes.map((row) => row.slice(first, end + after));
      const { real, imaginary } = await this.run.decode(read, this.rows);
      const samples = this.frames.synthesise(real, imaginary);
      sound.set(samples.subarray((start - first) * this.hop, (end - first) * this.hop), start * this.hop);
    }
    return sound.subarray(0, n);
  }
}

// Codes of one sound while it comes in; see CodecStream of audioformer/codecs/stream.py.
export class Stream {
  constructor(codec) {
    Object.assign(this, { codec, n: 0, given: 0, start: 0, memory: null, samples: new Float32Array(codec.hop) });
  }

  // (N,) samples to the codes that are known now and were not before.
  async push(samples) {
    this.n += samples.length;
    const codes = await this.wholeBlocks(samples);
    return joined(codes, await this.known(this.n));
  }

  // The sound is over: the codes that were still open.
  async finish() {
    if (!this.n) return this.nothing();
    const { hop } = this.codec;
    const end = (Math.ceil(this.n / hop) + 1) * hop;
    const codes = await this.wholeBlocks(new Float32Array(end - this.n));
    return joined(codes, await this.known(end));
  }

  nothing() {
    return Array.from({ length: this.codec.rows }, () => []);
  }

  async wholeBlocks(samples) {
    const { hop } = this.codec;
    this.samples = concatenated(this.samples, samples);
    let codes = this.nothing();
    for (let frames = blockFrames(this.start); this.samples.length >= (frames + 2) * hop; frames = blockFrames(this.start)) {
      const block = await this.block(this.samples.subarray(0, (frames + 2) * hop));
      this.memory = block.memory;
      codes = joined(codes, this.fresh(block.codes, frames));
      this.samples = this.samples.slice(frames * hop);
      this.start += frames;
    }
    return codes;
  }

  // Codes of the present block that do not depend on sound after n samples; the rest of the block counts as silent.
  async known(n) {
    const { hop } = this.codec;
    const known = Math.max(0, Math.floor((n - hop) / hop));
    if (known <= this.given) return this.nothing();
    const whole = new Float32Array((blockFrames(this.start) + 2) * hop);
    whole.set(this.samples.subarray(0, whole.length));
    return this.fresh((await this.block(whole)).codes, known - this.start);
  }

  async block(samples) {
    return this.codec.run.encode({ ...this.codec.frames.analyse(samples), memory: this.memory });
  }

  // Of a block's codes those that were not given out before, up to a frame of it.
  fresh(codes, stop) {
    const from = this.given - this.start;
    this.given = this.start + stop;
    return codes.map((row) => row.slice(from, stop));
  }
}

export const joined = (one, other) => one.map((row, k) => row.concat(other[k]));

export function concatenated(one, other) {
  const both = new Float32Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
