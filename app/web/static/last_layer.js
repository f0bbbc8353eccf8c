// A linear layer learnt from the vectors of a few examples, and what they look like from above: as
// audioformer/evaluation/frozen_head.py with audioformer/optim.py, and evaluation/embedding_map.py.
//
// Shapes: n examples, D width, C classes. Matrices are lists of rows.
import { randomFrom } from "./clips.js";
import { softmax } from "./reading.js";

const [FRESH, SMALLEST, EPSILON] = [0.02, 1e-4, 1e-8]; // deviation of fresh weights; least scale; of AdamW
const zeros = (n) => new Float64Array(n);
const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values) => sum(values) / values.length;

// W z + b of one vector, layer: {weight: (C, D), bias: (C,)}.
export const logits = ({ weight, bias }, vector) => weight.map((row, c) => bias[c] + row.reduce((total, w, d) => total + w * vector[d], 0));

// Mean and deviation of each of D features.
function spread(vectors) {
  const middle = zeros(vectors[0].length).map((_, d) => mean(vectors.map((vector) => vector[d])));
  return [middle, middle.map((value, d) => Math.sqrt(mean(vectors.map((vector) => (vector[d] - value) ** 2))))];
}

export class LastLayer {
  // vectors: (n, D); targets: n class numbers; recipe: of config.json; {betas, lowest} of the optimiser; weight: (C, D) to begin with.
  constructor(vectors, targets, nClasses, recipe, { betas, lowest }, weight = null) {
    Object.assign(this, { targets, nClasses, betas, lowest, steps: recipe.train, smoothing: recipe.label_smoothing, step: 0, curve: [] });
    const [middle, deviations] = spread(vectors);
    this.mean = middle;
    this.scale = Math.max(SMALLEST, Math.sqrt(mean(deviations.map((value) => value ** 2)))); // one for all features
    this.inputs = vectors.map((vector) => middle.map((value, d) => (vector[d] - value) / this.scale));
    this.layer = { weight: weight ?? this.fresh(), bias: zeros(nClasses) };
    this.moments = [...this.layer.weight, this.layer.bias].map((row) => ({ first: zeros(row.length), second: zeros(row.length) }));
  }

  fresh() {
    const next = randomFrom(this.steps.seed);
    const normal = () => FRESH * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    return Array.from({ length: this.nClasses }, () => zeros(this.mean.length).map(normal));
  }

  // Loss of knowing nothing, and the lowest there is with smoothed labels, nats.
  get bounds() {
    const shares = Array.from({ length: this.nClasses }, (_, c) => this.share(c, 0)).filter((share) => share > 0);
    return { chance: Math.log(this.nClasses), floor: -sum(shares.map((share) => share * Math.log(share))) };
  }

  share(c, target) {
    return this.smoothing / this.nClasses + (c === target ? 1 - this.smoothing : 0);
  }

  get done() {
    return this.step >= this.steps.n_steps;
  }

  // Share of the learning rate: a linear rise, then a cosine.
  get rate() {
    const { n_steps: all, warm_up_share: share } = this.steps;
    const rise = Math.max(1, Math.round(share * all));
    if (this.step < rise) return (this.step + 1) / rise;
    const progress = Math.min(1, (this.step - rise) / Math.max(1, all - rise));
    return this.lowest + (1 - this.lowest) * 0.5 * (1 + Math.cos(Math.PI * progress));
  }

  // One step over all examples: loss, gradient, clipping, AdamW.
  next() {
    const { inputs, targets, layer, steps } = this;
    const gradient = [...layer.weight, layer.bias].map((row) => zeros(row.length));
    let loss = 0;
    inputs.forEach((input, i) => {
      softmax(logits(layer, input)).forEach((p, c) => {
        const share = this.share(c, targets[i]);
        loss -= (share * Math.log(Math.max(p, 1e-300))) / inputs.length;
        const slope = (p - share) / inputs.length;
        input.forEach((value, d) => (gradient[c][d] += slope * value));
        gradient[this.nClasses][c] += slope;
      });
    });
    const length = Math.sqrt(sum(gradient.map((row) => sum(row.map((value) => value ** 2)))));
    const shorter = Math.min(1, steps.clip_norm / (length + 1e-6));
    const rate = steps.learning_rate * this.rate;
    this.step += 1;
    this.curve.push(Math.round(loss * 1e4) / 1e4);
    [...layer.weight, layer.bias].forEach((row, k) => {
      const decay = row === layer.bias ? 0 : steps.weight_decay;
      this.move(row, gradient[k].map((value) => value * shorter), this.moments[k], rate, decay);
    });
  }

  move(row, gradient, { first, second }, rate, decay) {
    const [one, two] = this.betas;
    const [fade, wide] = [1 - one ** this.step, Math.sqrt(1 - two ** this.step)];
    gradient.forEach((value, d) => {
      first[d] = one * first[d] + (1 - one) * value;
      second[d] = two * second[d] + (1 - two) * value * value;
      row[d] = row[d] * (1 - rate * decay) - ((rate / fade) * first[d]) / (Math.sqrt(second[d]) / wide + EPSILON);
    });
  }

  // The layer that reads vectors as they are: centring and scaling are in it.
  folded() {
    const weight = this.layer.weight.map((row) => row.map((value) => value / this.scale));
    return { weight, bias: this.layer.bias.map((value, c) => value - sum(weight[c].map((w, d) => w * this.mean[d]))) };
  }
}

// (n, 2): the plane in which vectors spread most, features standardised.
export function plane(vectors) {
  const rows = standardised(vectors);
  let products = rows.map((one) => rows.map((other) => sum(one.map((value, d) => value * other[d]))));
  const axes = [0, 1].map((axis) => {
    const next = randomFrom(axis);
    let [vector, length] = [rows.map(() => next() - 0.5), 0];
    for (let turn = 0; turn < 300; turn++) {
      const turned = products.map((row) => sum(row.map((value, i) => value * vector[i])));
      length = Math.sqrt(sum(turned.map((value) => value ** 2)));
      if (length < 1e-9) return rows.map(() => 0);
      vector = turned.map((value) => value / length);
    }
    products = products.map((row, i) => row.map((value, j) => value - length * vector[i] * vector[j]));
    return vector.map((value) => value * Math.sqrt(length));
  });
  return rows.map((_, i) => axes.map((axis) => Math.round(axis[i] * 1e4) / 1e4));
}

// How often an example's nearest other one is of its class, and what chance gives, among those that are not the only one.
export function purity(vectors, labels) {
  const rows = standardised(vectors);
  const units = rows.map((row) => row.map((value) => value / Math.max(1e-12, Math.sqrt(sum(row.map((one) => one * one))))));
  const nearest = units.map((one, i) => {
    const near = units.map((other, j) => (i === j ? -Infinity : sum(one.map((value, d) => value * other[d]))));
    return near.indexOf(near.reduce((best, value) => Math.max(best, value)));
  });
  const others = labels.map((label) => labels.filter((other) => other === label).length - 1);
  const counted = [...labels.keys()].filter((i) => others[i] > 0);
  if (!counted.length) return { purity: 0, blind: 0, counted: 0 };
  const share = mean(counted.map((i) => Number(labels[nearest[i]] === labels[i])));
  return { purity: share, blind: mean(counted.map((i) => others[i])) / (labels.length - 1), counted: counted.length };
}

function standardised(vectors) {
  const [middle, deviations] = spread(vectors);
  return vectors.map((vector) => Array.from(middle, (value, d) => (vector[d] - value) / (deviations[d] > 1e-8 ? deviations[d] : 1)));
}
