// The room Switches: parts of the classifier off, and what it says then; as app/rooms/switches.py and
// audioformer/explain/switches.py. Parts count from 0; heads and units are [block, number].
import { wavBase64 } from "./clips.js";
import * as lanes from "./lanes_data.js";
import { Classifier, silentFrames, windowStarts } from "./reading.js";

const [SHOWN, UNITS, MOMENTS, HALF_S] = [5, 24, 5, 0.3];
const numbers = (n) => Array.from({ length: n }, (_, i) => i);
const ALL_ON = { rows: [], blocks: [], heads: [], units: [], forward: [] };

export class Switching {
  constructor(kit, clips) {
    Object.assign(this, { kit, clips, strongest: null });
    const now = (act) => (data) => act.call(this, data);
    this.answers = { look: now(this.look), turn: now(this.turn), units: now(this.units), drive: now(this.drive) };
  }

  get sizes() {
    return this.kit.site.classifier.sizes;
  }

  get codes() {
    return this.clips.clip.codes.slice(0, this.kit.classifier.n_codebooks);
  }

  // The same classifier with parts off: rows behind MASK, the others behind the gates of its graph.
  switched({ rows, blocks, heads, units, forward }) {
    const { classifier } = this.kit;
    const n = this.sizes;
    const gates = { heads: new Float32Array(n.blocks * n.heads).fill(1), units: new Float32Array(n.blocks * n.units).fill(1), blocks: new Float32Array(n.blocks).fill(1) };
    for (const [block, head] of heads) gates.heads[block * n.heads + head] = 0;
    for (const [block, unit] of units) gates.units[block * n.units + unit] = 0;
    for (const block of forward) gates.units.fill(0, block * n.units, (block + 1) * n.units);
    for (const block of blocks) gates.blocks[block] = 0;
    const [size, mask] = [BigInt(classifier.codebook_size), BigInt(classifier.codebook_size + 3)];
    const run = (batch, dims) => {
      const hide = (code, i) => (code < size && rows.includes(Math.floor(i / dims[2]) % dims[1]) ? mask : code);
      return classifier.run(rows.length ? batch.map(hide) : batch, dims, gates);
    };
    return new Classifier(run, classifier.about);
  }

  label(asked) {
    return asked ?? this.clips.clip.verdict.order[0];
  }

  async look({ label: asked, ...off }) {
    const { classifier, site, codec } = this.kit;
    const { clip } = this.clips;
    const label = this.label(asked);
    const less = this.switched({ ...ALL_ON, ...off });
    const before = clip.verdict.probabilities;
    const now = (await less.classify(this.codes)).probabilities;
    const most = (c) => Math.max(before[c], now[c]);
    const leading = numbers(before.length).sort((one, other) => most(other) - most(one)).slice(0, SHOWN);
    const name = lanes.words(classifier.labels[label]);
    const silent = silentFrames(clip.samples, codec.rate, classifier.frame_rate, clip.moments.length);
    const course = (moments) => moments.map((row, t) => (silent[t] ? null : row[label]));
    const lane = lanes.lines([["all on", course(clip.moments)], ["now", course(await less.moments(this.codes))]], 1 / classifier.frame_rate, {
      name: "Score", alt: `Score of ${name} over time, with all parts on and now.`, legend: `score of ${name}`, weight: 0.4,
    }); // prettier-ignore
    return {
      token: clip.token, frame_rate: classifier.frame_rate, duration_s: clip.samples.length / codec.rate, sizes: this.sizes, label, name,
      labels: clip.verdict.order.slice(0, SHOWN).map((c) => ({ number: c, name: lanes.words(classifier.labels[c]) })),
      classes: leading.map((c) => ({ label: lanes.words(classifier.labels[c]), before: before[c], now: now[c] })),
      chance: classifier.multi_label ? null : 1 / classifier.labels.length, before: before[label], now: now[label],
      lanes: ["mel", lane], checkpoint: site.checkpoint,
    }; // prettier-ignore
  }

  // How far the probability of a label falls with more parts off.
  async falls(label, off, parts) {
    const probability = async (now) => (await this.switched(now).classify(this.codes)).probabilities[label];
    const all = { ...ALL_ON, ...off };
    const before = await probability(all);
    const found = [];
    for (const [kind, part] of parts) found.push(before - (await probability({ ...all, [kind]: [...all[kind], part] })));
    return { before, found };
  }

  // Each part in turn.
  async turn({ label: asked, ...off }) {
    const [label, n] = [this.label(asked), this.sizes];
    const pairs = numbers(n.blocks).flatMap((block) => numbers(n.heads).map((head) => ["heads", [block, head]]));
    const each = (kind, count) => numbers(count).map((part) => [kind, part]);
    const parts = [...each("rows", n.rows), ...each("blocks", n.blocks), ...each("forward", n.blocks), ...pairs];
    const { before, found } = await this.falls(label, off, parts);
    const next = (count) => found.splice(0, count);
    const falls = { rows: next(n.rows), blocks: next(n.blocks), feed_forward: next(n.blocks), heads: numbers(n.blocks).map(() => next(n.heads)) };
    return { token: this.clips.clip.token, label, probability: before, falls };
  }

  // (L, T, F): what every feed-forward unit says at each frame; the mean where windows overlap.
  async activity(codes) {
    const { classifier, site } = this.kit;
    const { group } = site.classifier;
    const [frames, n] = [codes[0].length, this.sizes];
    const total = numbers(n.blocks).map(() => numbers(frames).map(() => new Float32Array(n.units)));
    const count = new Float64Array(frames);
    const length = Math.min(classifier.window, frames);
    for (const start of windowStarts(frames, classifier.window)) {
      const { data, dims } = await classifier.unitsOf(codes, start, length);
      for (let t = 0; t < length; t++) {
        count[start + t] += 1;
        total.forEach((block, b) => {
          const at = (b * dims[2] + Math.floor((t + 1) / group)) * n.units;
          for (let unit = 0; unit < n.units; unit++) block[start + t][unit] += data[at + unit];
        });
      }
    }
    return total.map((block) => block.map((units, t) => units.map((value) => value / count[t])));
  }

  // The units of a block that add most to this clip, each switched off in turn.
  async units({ block, label: asked, ...off }) {
    const label = this.label(asked);
    const active = (await this.activity(this.codes))[block];
    const added = numbers(this.sizes.units).map((unit) => {
      const mean = active.reduce((sum, units) => sum + Math.abs(units[unit]), 0) / active.length;
      return mean * this.sizes.norms[block][unit];
    });
    const chosen = numbers(added.length).sort((one, other) => added[other] - added[one]).slice(0, UNITS);
    const { found } = await this.falls(label, off, chosen.map((unit) => ["units", [block, unit]]));
    const top = added[chosen[0]] || 1;
    const units = chosen.map((unit, i) => ({ unit, size: added[unit] / top, fall: found[i] }));
    return { token: this.clips.clip.token, block, label, units };
  }

  // A unit over this clip, and the moments in all sample sounds that drive it most, at most one of each.
  async drive({ block, unit }) {
    const { classifier, codec, site } = this.kit;
    const rate = classifier.frame_rate;
    this.strongest ??= await this.peaks();
    const peaks = this.strongest.map((clip, i) => ({ i, ...clip(block, unit) }));
    const moments = [];
    for (const { i, frame, value } of peaks.sort((one, other) => other.value - one.value).slice(0, MOMENTS)) {
      const half = Math.round(HALF_S * rate);
      const piece = site.samples[i].codes.map((row) => row.slice(Math.max(0, frame - half), frame + half + 1));
      const wav = wavBase64(await codec.decode(piece), codec.rate);
      moments.push({ label: lanes.words(site.samples[i].label), time_s: (frame + 0.5) / rate, value, wav });
    }
    const course = (await this.activity(this.codes))[block].map((units) => units[unit]);
    const lowest = course.reduce((least, value) => Math.min(least, value), 0);
    const highest = course.reduce((most, value) => Math.max(most, value), Math.max(moments[0]?.value ?? 0, 1e-6));
    const lane = lanes.lines([[`unit ${unit + 1} of block ${block + 1}`, course]], 1 / rate, {
      name: "Unit", alt: `Activation of unit ${unit + 1} of block ${block + 1} over this clip.`, weight: 0.4, digits: 2,
      low: Math.floor(10 * lowest) / 10, high: Math.ceil(10 * highest) / 10, legend: "activation",
    }); // prettier-ignore
    return { token: this.clips.clip.token, block, unit, lane, moments };
  }

  // Of each sample a function that gives a unit's strongest frame.
  async peaks() {
    const found = [];
    for (const { codes } of this.kit.site.samples) {
      const active = await this.activity(codes.slice(0, this.kit.classifier.n_codebooks));
      const best = active.map((frames) => numbers(this.sizes.units).map((unit) => {
        const frame = frames.reduce((most, units, t) => (units[unit] > frames[most][unit] ? t : most), 0);
        return { frame, value: frames[frame][unit] };
      }));
      found.push((block, unit) => best[block][unit]);
    }
    return found;
  }
}
