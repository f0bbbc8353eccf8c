// Lanes of a time line as plain data: what audioformer/widgets/lanes.py makes in Python and widgets/lanes.js draws.
const RANGE_DB = 80;
const LEAST_HIGH_DB = -20;
const MAX_COLUMNS = 1500;
export const [HIDDEN, CHANGED, RIGHT] = [1, 2, 3];
export const words = (label) => label.replaceAll("_", " ");

// Numbers from 0 to 255 as base64 of bytes.
export function packed(values) {
  return base64(Uint8Array.from(values, (value) => Math.max(0, Math.min(255, value))));
}

export function base64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

export function unpacked(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

export function wave(samples, sound = "original") {
  const loudest = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const alt = `Waveform; its largest amplitude is ${loudest.toFixed(2)} of full scale.`;
  return { id: "wave", kind: "wave", sound, name: "Waveform", about: "air pressure over time", weight: 0.22, alt, ticks: [[0.5, "0"]] };
}

// Log-mel picture of a sound: the loudest 80 dB. `picture` is a MelPicture.
export function mel(samples, picture, id = "mel") {
  const { values, rows, columns: all } = picture.of(samples);
  const step = Math.ceil(all / MAX_COLUMNS);
  const columns = Math.ceil(all / step);
  const most = new Float32Array(rows * columns).fill(-Infinity);
  values.forEach((value, i) => {
    const at = Math.floor(i / all) * columns + Math.floor((i % all) / step);
    most[at] = Math.max(most[at], value);
  });
  const loudest = most.reduce((best, value, i) => (value > most[best] ? i : best), 0);
  const high = Math.max(most[loudest], LEAST_HIGH_DB);
  const low = high - RANGE_DB;
  const { hz, sample_rate: rate, hop } = picture;
  return {
    id, kind: "image", name: "Spectrogram", about: "Hz", unit: "dB", weight: 0.34, rows, columns, low, high,
    alt: `Log-mel spectrogram in ${rows} bands; the loudest cell is near ${hz[Math.floor(loudest / columns)].toFixed(0)} Hz.`,
    data: packed(most.map((value) => Math.round(((value - low) / RANGE_DB) * 255))),
    start_s: -hop / rate / 2, step_s: (step * hop) / rate, colours: "viridis",
    row_names: hz.map((value) => `${value.toFixed(0)} Hz`), ticks: melTicks(hz), digits: 0,
  }; // prettier-ignore
}

// [share of the height, text] of some bands.
export function melTicks(hz) {
  return [500, 2000, 8000].filter((value) => value >= hz[0] && value <= hz[hz.length - 1]).map((value) => {
    const above = hz.findIndex((middle) => middle >= value);
    const rest = above ? (value - hz[above - 1]) / (hz[above] - hz[above - 1]) : 1;
    return [(above - 1 + rest + 0.5) / hz.length, value >= 1000 ? `${value / 1000}k` : String(value)];
  });
}

// The grid of codes; shades: (K, V) bytes, similar shade, similar vector; marks: (K * T) of 0, HIDDEN, CHANGED, RIGHT.
export function codes(grid, frameRate, shades, size, { marks = null, id = "codes", weight = 0.34 } = {}) {
  const rows = grid.length;
  const shown = [...Array(rows).keys()].filter((row) => rows <= 8 || row % 4 === 0);
  const different = new Set(grid[0]).size;
  return {
    id, kind: "codes", name: "Codes", about: "a row for each codebook", weight, codes: grid,
    alt: `Code grid: ${rows} codebooks by ${grid[0].length} frames, ${different} different codes in codebook 1.`,
    shades: packed(grid.flatMap((row, k) => row.map((code) => shades[k * size + code]))),
    marks: marks && packed(marks), start_s: 0, step_s: 1 / frameRate,
    ticks: shown.map((row) => [1 - (row + 0.5) / rows, String(row + 1)]),
  }; // prettier-ignore
}

// Values over time; series: [name, values] pairs, null leaves a gap.
export function lines(series, step_s, more) {
  const { low = 0, high = 1, unit = "" } = more;
  return {
    id: null, kind: "lines", about: unit, unit, weight: 0.24, start_s: step_s / 2, step_s, chance: null, digits: 3, points: false, legend: "",
    lines: series.map(([name, values]) => ({ name, values: values.map((value) => (value === null ? null : Math.round(value * 1e4) / 1e4)) })),
    ticks: [[0.02, String(low)], [0.95, String(high)]], low, high, ...more,
  }; // prettier-ignore
}

// Scores of the first three labels, (T, C); no line where it is silent.
export function scores(values, frameRate, labels, order, silent) {
  const series = order.slice(0, 3).map((c) => [words(labels[c]), values.map((row, t) => (silent[t] ? null : row[c]))]);
  const alt = `Scores of ${series.length} labels over time, ${series.map(([name]) => name).join(", ")}; no line: silence.`;
  return lines(series, 1 / frameRate, { name: "Score", about: "of each half second alone, not of the whole clip", alt, id: "scores" });
}

export function events(known) {
  const labels = [...new Set(known.map(({ label }) => label))];
  const said = known.map(({ label, start_s, end_s }) => `${words(label)} ${start_s.toFixed(1)}-${end_s.toFixed(1)} s`).join("; ");
  return {
    id: "events", kind: "events", name: "Events", weight: 0.07 * Math.max(2, labels.length), events: known, labels,
    alt: `Known events: ${said}.`, ticks: [],
  }; // prettier-ignore
}
