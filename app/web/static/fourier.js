// The fast Fourier transform for any size made of small primes (Cooley and Tukey 1965): 960 and 1024 samples here.
//
//     X[k] = sum_n x[n] exp(-2 pi i n k / N)

export class Fourier {
  constructor(size) {
    Object.assign(this, { size, factors: factors(size) });
    this.cos = Float64Array.from({ length: size }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.sin = Float64Array.from({ length: size }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
    this.part = new Float64Array(2 * Math.max(...this.factors));
  }

  // Complex to complex: arrays of real and imaginary parts.
  transform(real, imaginary) {
    const out = [new Float64Array(this.size), new Float64Array(this.size)];
    this.work(out, 0, [real, imaginary], 0, 1, 0);
    return out;
  }

  // One of every `stride` inputs from `from` on, transformed into the outputs from `at` on.
  work(out, at, input, from, stride, depth) {
    const n = this.size / stride;
    const p = this.factors[depth];
    const m = n / p;
    for (let q = 0; q < p; q++) {
      if (m > 1) this.work(out, at + q * m, input, from + q * stride, stride * p, depth + 1);
      else [out[0][at + q], out[1][at + q]] = [input[0][from + q * stride], input[1][from + q * stride]];
    }
    for (let k = 0; k < m; k++) this.butterfly(out, at + k, p, m, k * stride);
  }

  // Joins p transforms at one frequency; `turn` says by how much each of them is turned.
  butterfly([real, imaginary], at, p, m, turn) {
    const { cos, sin, part, size } = this;
    for (let q = 0; q < p; q++) {
      const w = (q * turn) % size;
      const [re, im] = [real[at + q * m], imaginary[at + q * m]];
      part[2 * q] = re * cos[w] - im * sin[w];
      part[2 * q + 1] = re * sin[w] + im * cos[w];
    }
    const step = size / p;
    for (let r = 0; r < p; r++) {
      let [re, im] = [part[0], part[1]];
      for (let q = 1; q < p; q++) {
        const w = (q * r * step) % size;
        re += part[2 * q] * cos[w] - part[2 * q + 1] * sin[w];
        im += part[2 * q] * sin[w] + part[2 * q + 1] * cos[w];
      }
      real[at + r * m] = re;
      imaginary[at + r * m] = im;
    }
  }

  // Spectra of two real signals at the cost of one: they travel as real and imaginary part. F = size / 2 + 1 bins each.
  ofTwo(one, other) {
    const [re, im] = this.transform(one, other);
    const n = this.size;
    const spectra = Array.from({ length: 4 }, () => new Float64Array(n / 2 + 1));
    for (let k = 0; k <= n / 2; k++) {
      const back = (n - k) % n;
      spectra[0][k] = (re[k] + re[back]) / 2;
      spectra[1][k] = (im[k] - im[back]) / 2;
      spectra[2][k] = (im[k] + im[back]) / 2;
      spectra[3][k] = (re[back] - re[k]) / 2;
    }
    return [spectra.slice(0, 2), spectra.slice(2)];
  }

  // The way back, for two at once: F bins each to real signals. What first and last bin have of an imaginary part is
  // left out, as numpy and torch do.
  toTwo([reA, imA], [reB, imB]) {
    const n = this.size;
    const [re, im] = [new Float64Array(n), new Float64Array(n)];
    for (let k = 0; k <= n / 2; k++) {
      const edge = k === 0 || 2 * k === n;
      const [a, b] = edge ? [0, 0] : [imA[k], imB[k]];
      re[k] = reA[k] - b;
      im[k] = -(a + reB[k]); // the conjugate of what is transformed
      if (!edge) [re[n - k], im[n - k]] = [reA[k] + b, a - reB[k]];
    }
    const [one, other] = this.transform(re, im);
    for (let i = 0; i < n; i++) [one[i], other[i]] = [one[i] / n, -other[i] / n];
    return [one, other];
  }
}

// 4 is cheaper than 2 times 2.
function factors(size) {
  const found = [];
  let rest = size;
  for (const p of [4, 2, 3, 5, 7]) while (rest % p === 0) [found[found.length], rest] = [p, rest / p];
  if (rest !== 1) throw new Error(`${size} has a prime factor larger than 7`);
  return found;
}
