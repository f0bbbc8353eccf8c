// A sound at another rate, in portions or as a whole: a windowed sinc (Kaiser, about 100 dB), whose values between two
// samples are computed for each of the few places that occur.
const ZEROS = 48; // of the sinc on either side
const BETA = 10;
const PASS = 0.93; // of the lower of both halves of the rates

function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-12 * sum; k++) [term, sum] = [term * (x / 2 / k) ** 2, sum + term * (x / 2 / k) ** 2];
  return sum;
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

export class Resampler {
  constructor(from, to) {
    const common = divisor(from, to);
    Object.assign(this, { up: to / common, down: from / common, n: 0, first: 0, made: 0 });
    this.cut = PASS * Math.min(1, to / from);
    this.half = Math.ceil(ZEROS / this.cut);
    this.kept = new Float32Array(this.half); // silence before the first sample
    this.first = -this.half; // number of the first sample kept
    this.weights = Array.from({ length: this.up }, (_, phase) => this.kernel(phase / this.up));
  }

  // Weights of the samples around a place that lies by `rest` after one of them.
  kernel(rest) {
    return Float64Array.from({ length: 2 * this.half }, (_, i) => {
      const t = i - this.half + 1 - rest;
      const x = Math.PI * this.cut * t;
      const edge = 1 - (t / this.half) ** 2;
      return edge <= 0 ? 0 : (this.cut * (x ? Math.sin(x) / x : 1) * bessel(BETA * Math.sqrt(edge))) / bessel(BETA);
    });
  }

  // (N,) samples to those that are known now; `last`: nothing follows.
  push(samples, last = false) {
    this.n += samples.length;
    const all = new Float32Array(this.kept.length + samples.length + (last ? this.half : 0));
    all.set(this.kept);
    all.set(samples, this.kept.length);
    const end = last ? Math.ceil((this.n * this.up) / this.down) : Math.floor(((this.n - this.half) * this.up) / this.down);
    const out = new Float32Array(Math.max(0, end - this.made));
    for (let i = 0; i < out.length; i++, this.made++) {
      const place = this.made * this.down;
      const base = Math.floor(place / this.up) - this.half + 1 - this.first;
      const weights = this.weights[place % this.up];
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * (all[base + k] ?? 0);
      out[i] = sum;
    }
    const keep = Math.max(0, Math.floor((this.made * this.down) / this.up) - this.half - this.first);
    this.kept = all.slice(keep);
    this.first += keep;
    return out;
  }
}

export function resample(samples, from, to) {
  return from === to ? samples : new Resampler(from, to).push(samples, true);
}
