// What a checkpoint's probabilities are worth: the rule of app/answers.py, so that page and app say the same.
import { words } from "./lanes_data.js";

const SURE = 0.5;
const NONE = "none of these"; // a class of other sounds
const TOGETHER = " + "; // between the labels of a scene of several sounds
const [QUIET_DB, FLOOR_DB] = [-45, -100];
const percent = (share) => `${(100 * share).toFixed(0)}%`;

// Of the loudest half second, for one bark in a quiet hour is not quiet: root mean square around the mean, which nobody
// hears; dB of full scale, -100 at least.
export function levelDb(samples, rate) {
  const mean = samples.reduce((sum, value) => sum + value, 0) / Math.max(1, samples.length);
  const n = Math.max(2, Math.min(samples.length, rate >> 1)), step = n >> 1;
  let loudest = 1e-12;
  for (let start = -step; start < samples.length; start += step) {
    const piece = samples.subarray(Math.max(0, start), start + n);
    loudest = Math.max(loudest, piece.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
  }
  return Math.max(FLOOR_DB, 10 * Math.log10(loudest));
}

// What is to be said about a sound that is too quiet to be named, "" for any other.
export function quietness(level) {
  if (level <= FLOOR_DB) return "silence: nothing in it is above -100 dB of full scale, no label means anything; is the microphone on?";
  if (level >= QUIET_DB) return "";
  return `very quiet (${level.toFixed(0)} dB of full scale): its label means little; record closer or louder`;
}

// best: {label, p}, most probable first; truth: what the sound is known to be, or "". Gives {kind, text, detail, remark}.
export function answer(best, names, multiLabel, level, truth = "") {
  const [first, share] = [words(best[0].label), percent(best[0].p)];
  const said = (kind, text, detail, remark) => ({ kind, text, detail, remark });
  const quiet = quietness(level);
  const warned = `${quiet.slice(0, 1).toUpperCase()}${quiet.slice(1)}${quiet.endsWith("?") ? "" : "."}`;
  if (level <= FLOOR_DB) return said("silent", "silence", "", warned);
  if (quiet) return said("quiet", "too quiet", `${first} ${share}`, warned);
  if (first === NONE) return said("unsure", NONE, share, "It was taught other sounds, too, and takes this for one of them.");
  const likely = best.filter(({ p }) => p >= SURE).map(({ label }) => words(label));
  if (multiLabel) {
    const remark = `Any of its ${names.length} sounds can be in it, or none.`;
    return likely.length ? said("sure", likely.join(", "), "", remark) : said("unsure", "nothing sure", `all below ${percent(SURE)}`, remark);
  }
  const remark = choice(first, names.map(words), truth && words(truth));
  return likely.length ? said("sure", first, share, remark) : said("unsure", "nothing sure", `${first} ${share}, below ${percent(SURE)}`, remark);
}

// What to make of an answer that had to be one of some classes.
function choice(best, names, truth) {
  const must = `It must choose one of its ${names.length} classes`;
  if (!truth) return `${must}, whatever it hears.`;
  const sounds = truth.split(TOGETHER);
  if (!sounds.some((one) => names.includes(one))) return `${must}, and “${truth}” is none of them: no answer can be right.`;
  return `${must}: ${sounds.includes(best) ? "✓ right" : `✗ wrong, it is ${truth}`}.`;
}
