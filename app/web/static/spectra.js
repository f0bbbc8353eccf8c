// Windows, spectra and mel bands: what audioformer/codecs/spectra.py computes, for the page. Numbers between two models
// are 32 bits wide, in between 64.
import { Fourier } from "./fourier.js";

const HOPS = 3; // of a codec frame's window
const DB_PER_NEPER = 20 / Math.LN10;

export const hann = (size) => Float64Array.from({ length: size }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size));

const melOf = (hz) => (hz < 1000 ? (hz * 3) / 200 : 15 + (Math.log(hz / 1000) * 27) / Math.log(6.4));
const hzOf = (mel) => (mel < 15 ? (mel * 200) / 3 : 1000 * Math.exp(((mel - 15) * Math.log(6.4)) / 27));

// Triangles on Slaney's mel scale, as [first bin, weights] of each band.
export function melFilters(rate, size, bands) {
  const top = melOf(rate / 2);
  const edges = Array.from({ length: bands + 2 }, (_, i) => hzOf((top * i) / (bands + 1)));
  return Array.from({ length: bands }, (_, band) => {
    const [low, middle, high] = edges.slice(band, band + 3);
    const weights = Array.from({ length: size / 2 + 1 }, (_v, bin) => {
      const hz = (rate / size) * bin;
      const height = Math.max(0, Math.min((hz - low) / (middle - low), (high - hz) / (high - middle)));
      return Math.fround((height * 2) / (high - low));
    });
    const first = Math.max(0, weights.findIndex((weight) => weight > 0));
    return [first, Float64Array.from(weights.slice(first, weights.findLastIndex((weight) => weight > 0) + 1))];
  });
}

export function throughBands(filters, magnitude) {
  return filters.map(([first, weights]) => {
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += weights[i] * magnitude[first + i];
    return sum;
  });
}

function lengths(re, im) {
  const found = new Float64Array(re.length);
  for (let k = 0; k < re.length; k++) found[k] = Math.sqrt(re[k] * re[k] + im[k] * im[k]);
  return found;
}

// Spectra of all frames that begin every `hop` samples, two transforms at a time; act(frame, real, imaginary).
function eachFrame(samples, fourier, window, hop, frames, act) {
  const cut = (frame) => window.map((weight, n) => weight * samples[frame * hop + n]);
  const silence = new Float64Array(fourier.size);
  for (let frame = 0; frame < frames; frame += 2) {
    const spectra = fourier.ofTwo(cut(frame), frame + 1 < frames ? cut(frame + 1) : silence);
    act(frame, ...spectra[0]);
    if (frame + 1 < frames) act(frame + 1, ...spectra[1]);
  }
}

// A codec's frames: what its encoder reads of samples, and samples out of what its decoder gives.
export class Frames {
  // about: {sample_rate, hop_length, n_mels, lowest, power, quietest}, of the codec.
  constructor(about) {
    Object.assign(this, about, { size: HOPS * about.hop_length });
    this.bins = this.size / 2 + 1;
    this.window = hann(this.size);
    this.fourier = new Fourier(this.size);
    this.filters = melFilters(this.sample_rate, this.size, this.n_mels);
  }

  // (n + 2) hops of samples to n frames: features (n, 3F) and log-mel (n, M).
  analyse(samples) {
    const { bins, n_mels } = this;
    const frames = samples.length / this.hop_length - (HOPS - 1);
    const features = new Float32Array(frames * 3 * bins);
    const logMel = new Float32Array(frames * n_mels);
    eachFrame(samples, this.fourier, this.window, this.hop_length, frames, (frame, re, im) => {
      const magnitude = lengths(re, im);
      const at = frame * 3 * bins;
      for (let k = 0; k < bins; k++) {
        const size = Math.max(magnitude[k], this.lowest);
        const gain = size ** (this.power - 1);
        features[at + k] = 0.3 * Math.log(size);
        features[at + bins + k] = re[k] * gain;
        features[at + 2 * bins + k] = im[k] * gain;
      }
      logMel.set(throughBands(this.filters, magnitude).map((value) => Math.log(Math.max(value, this.quietest))), frame * n_mels);
    });
    return { frames, features, logMel };
  }

  // Real and imaginary parts (T, F) to T hops of samples: each frame is windowed once more, neighbours are added, and
  // the sum is divided by that of the squared windows.
  synthesise(real, imaginary) {
    const { bins, size, window, hop_length: hop } = this;
    const frames = real.length / bins;
    const [sum, weight] = [new Float64Array((frames + 2) * hop), new Float64Array((frames + 2) * hop)];
    const cut = (frame) => [real, imaginary].map((part) => part.subarray(frame * bins, (frame + 1) * bins));
    const silence = [new Float32Array(bins), new Float32Array(bins)];
    for (let frame = 0; frame < frames; frame += 2) {
      const pair = this.fourier.toTwo(cut(frame), frame + 1 < frames ? cut(frame + 1) : silence);
      for (const [i, samples] of pair.slice(0, frames - frame).entries()) {
        for (let n = 0, at = (frame + i) * hop; n < size; n++, at++) {
          sum[at] += samples[n] * window[n];
          weight[at] += window[n] ** 2;
        }
      }
    }
    return Float32Array.from(sum.subarray(hop, -hop), (value, n) => value / Math.max(weight[n + hop], 1e-3));
  }
}

// Log-mel pictures in decibel: (bands, columns) of a stretch of sound, column c in the middle of its window.
export class MelPicture {
  // about: {sample_rate, n_fft, hop, n_mels}, of the pictures.
  constructor(about) {
    Object.assign(this, about);
    this.fourier = new Fourier(this.n_fft);
    this.window = hann(this.n_fft);
    this.filters = melFilters(this.sample_rate, this.n_fft, this.n_mels);
    this.hz = this.filters.map(([first, weights]) => {
      const total = weights.reduce((sum, value) => sum + value, 0);
      return weights.reduce((sum, value, i) => sum + value * (first + i), 0) * (this.sample_rate / this.n_fft / Math.max(total, 1e-12));
    });
  }

  of(samples) {
    const columns = 1 + Math.floor(samples.length / this.hop);
    const padded = new Float32Array(samples.length + this.n_fft);
    padded.set(samples, this.n_fft / 2);
    const values = new Float32Array(this.n_mels * columns);
    eachFrame(padded, this.fourier, this.window, this.hop, columns, (column, re, im) => {
      const magnitude = lengths(re, im);
      throughBands(this.filters, magnitude).forEach((value, band) => {
        values[band * columns + column] = Math.log(Math.max(value, 1e-5)) * DB_PER_NEPER;
      });
    });
    return { values, rows: this.n_mels, columns };
  }
}
