// The room Teach: examples of sounds that somebody names, and a last layer learnt from them on the vectors of the page's own
// model; as app/rooms/teach.py and app/rooms/examples.py.
import { levelDb, quietness } from "./answer.js";
import { fromHalf, layerOf, packed, toHalf, unpacked, weightsOf, weightsOfLayer } from "./checkpoint.js";
import { wavBase64 } from "./clips.js";
import { LastLayer, logits, plane, purity } from "./last_layer.js";
import { Classifier, softmax } from "./reading.js";

const STEPS = 6; // between two pictures of the progress
const LETTERS = 80; // of an example's name
const OWN = "yours";
const newName = () => Math.random().toString(36).slice(2);
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

export class Teaching {
  // clips: the room Listen, which has the sound of the page; graph, rest: bytes that hold the weights of the model.
  constructor(kit, clips, { graph, rest }) {
    Object.assign(this, { kit, clips, graph, rest, examples: new Map(), base: kit.classifier, name: kit.site.checkpoint, own: null });
    this.answers = {
      hello: () => this.hello(), add: (data) => this.add(data), others: (data) => this.others(data), forget: (data) => this.forget(data),
      train: (data) => this.train(data), more: () => this.more(), stop: () => this.stop(), open: (data) => this.open(data), listens: (data) => this.listens(data),
    }; // prettier-ignore
  }

  get about() {
    return this.kit.site.lesson;
  }

  hello() {
    const { limits, none } = this.about;
    return { starts: [this.name], limits: { ...limits, methods: ["probe"] }, none };
  }

  // --- examples

  // A sound, or the one on the page, as one example, or a long one as several.
  async add({ samples = this.clips.clip.samples, name = this.clips.clip.name, piece_s = 0, take = "" }) {
    const { codec } = this.kit;
    const [pieces, said] = this.cut(samples, Number(piece_s));
    const loud = pieces.filter((piece) => piece.some((value) => value !== piece[0])); // else it is 0, or stands still
    if (!loud.length) throw new Error(`${name}: is silent; is the right microphone chosen?`);
    const most = this.about.limits.examples;
    if (this.examples.size + loud.length > most) throw new Error(`${most} examples are the most that this room keeps; remove some`);
    if (loud.length < pieces.length) said.push(`${pieces.length - loud.length} silent pieces left out`);
    const [added, of] = [[], take || newName()];
    for (const [number, piece] of loud.entries()) {
      const notes = [...(number ? [] : said), quietness(levelDb(piece, codec.rate))].filter(Boolean);
      const own = name.slice(0, LETTERS) + (loud.length > 1 ? `, piece ${number + 1}` : "");
      const example = { id: newName(), name: own, duration_s: piece.length / codec.rate, note: notes.join("; ") };
      this.examples.set(example.id, { codes: await codec.encode(piece), take: of });
      added.push({ ...example, take: of, wav: wavBase64(piece, codec.rate) });
    }
    return { added, ...added[0] };
  }

  // Pieces of a sound, and what is to be said of it; a rest of at least half a piece is a piece, too.
  cut(samples, piece_s) {
    const [{ rate }, heard_s] = [this.kit.codec, this.about.limits.heard_s];
    if (!piece_s) return [[samples.slice(0, heard_s * rate)], samples.length > heard_s * rate ? [`only the first ${heard_s} s are used`] : []];
    if (samples.length <= 1.5 * piece_s * rate) return [[samples], []];
    const size = Math.round(piece_s * rate);
    const pieces = Array.from({ length: Math.ceil(samples.length / size) }, (_, i) => samples.slice(i * size, (i + 1) * size));
    const rest = pieces.at(-1).length < size / 2 ? pieces.pop() : null;
    return [pieces, [`cut into ${pieces.length} pieces`, ...(rest ? [`its last ${(rest.length / rate).toFixed(1)} s left out`] : [])]];
  }

  // Sounds of the page for a class "none of these".
  async others({ sounds }) {
    const added = [];
    for (const sound of sounds) added.push(...(await this.add(sound)).added);
    return { added };
  }

  forget({ ids }) {
    ids.forEach((id) => this.examples.delete(id));
    return { left: this.examples.size };
  }

  // --- a lesson: each answer tells how far it is and whether there is more

  train(data) {
    this.stopped = false;
    this.lesson = this.learn(data);
    return this.more();
  }

  async more() {
    const { value } = await this.lesson.next();
    return { to: "train", ...value, more: value.stage !== "done" };
  }

  stop() {
    this.stopped = true;
    return {};
  }

  async *learn({ classes }) {
    const began = performance.now();
    const names = classes.map(({ name }) => name);
    const items = classes.flatMap(({ ids }, target) => ids.map((id) => ({ id, target, example: this.examples.get(id) })));
    const lost = items.find(({ example }) => !example);
    if (lost) throw new Error("an example is not here any more; remove it and bring it again");
    for (const [i, { example }] of items.entries()) {
      yield { stage: "listen", done: i, total: items.length, curve: [] };
      if (this.stopped) throw new Error("Stopped before anything was learnt.");
      example.vectors ??= await this.vectors(example.codes);
    }
    const held = this.heldBack(items);
    const learnt = items.filter(({ id }) => !held.has(id));
    const vector = ({ example: { vectors } }) => vectors[0].map((_, d) => mean(vectors.map((one) => one[d])));
    const { recipe } = this.about.about;
    const layer = new LastLayer(learnt.map(vector), learnt.map(({ target }) => target), names.length, recipe, this.about);
    const told = () => ({ done: layer.step, total: recipe.train.n_steps, curve: layer.curve, ...layer.bounds });
    while (!layer.done && !this.stopped) {
      layer.next();
      if (layer.step % STEPS === 0) yield { stage: "learn", ...told() };
    }
    yield { stage: "check", ...told() };
    const folded = layer.folded();
    const round = (values) => Array.from(values, (value) => fromHalf(toHalf(value))); // as the checkpoint has them
    const last = { weight: folded.weight.map(round), bias: round(folded.bias) };
    const seconds = (performance.now() - began) / 1000;
    const model = this.checkpoint(names, last, learnt.length, layer, seconds);
    this.keep(names, last);
    yield { stage: "done", ...told(), ...this.check(items, names, last, held, items.map(vector)), choice: [this.title, OWN], seconds, model };
  }

  // Vectors of the windows of a sound.
  async vectors(codes) {
    return (await this.base.windows(codes, this.about.window)).map(({ vector }) => Array.from(vector));
  }

  // One example of each class with enough of them: its last, rather one of a recording that no other is of. Its id, to
  // whether another example is a piece of the same recording.
  heldBack(items) {
    const held = new Map();
    for (const target of new Set(items.map((item) => item.target))) {
      const own = items.filter((item) => item.target === target);
      if (own.length < this.about.limits.hold_from) continue;
      const alone = own.filter(({ example }) => own.filter((other) => other.example.take === example.take).length === 1);
      held.set((alone.length ? alone : own).at(-1).id, !alone.length);
    }
    return held;
  }

  // The examples as the new layer sees them.
  check(items, names, last, held, vectors) {
    const found = items.map(({ example }) => {
      const each = example.vectors.map((vector) => softmax(logits(last, vector)));
      return names.map((_, c) => mean(each.map((one) => one[c])));
    });
    const best = found.map((shares) => shares.indexOf(Math.max(...shares)));
    const [ids, labels] = [items.map(({ id }) => id), items.map(({ target }) => names[target])];
    return {
      points: plane(vectors), ids, labels, predictions: best.map((c) => names[c]), confidence: found.map((shares, i) => shares[best[i]]),
      held: [...held].map(([id, alike]) => [ids.indexOf(id), alike]), ...purity(vectors, labels),
    }; // prettier-ignore
  }

  // --- the classifier

  get title() {
    return `yours: ${this.own.labels.join(", ")}`;
  }

  get weights() {
    return weightsOf(this.about.weights, this.graph, this.rest);
  }

  checkpoint(names, last, n, { step, curve, bounds }, seconds) {
    const filled = (text) => text.replaceAll("{{names}}", names.join(", ")).replaceAll("{{number}}", n).replaceAll("{{steps}}", step);
    const { about, card } = this.about;
    const told = Object.fromEntries(["title", "about", "data", "limits"].map((name) => [name, filled(about[name])]));
    const trained = { n_clips: n, steps: step, seconds: Math.round(seconds * 1000) / 1000, losses: { mlc: curve.at(-1) }, chance: { mlc: bounds.chance } };
    const recipe = { ...about.recipe, train: { ...about.recipe.train, batch_size: n } };
    const learns = names.length * (last.weight[0].length + 1);
    const { trainable, parameters } = about.adapt;
    const adapt = { ...about.adapt, trainable: learns, parameters: parameters - trainable + learns };
    const weights = [...this.weights, ...weightsOfLayer(last)];
    return packed({ ...about, ...told, ...trained, recipe, adapt, label_names: names }, filled(card).replace("Classes (1)", `Classes (${names.length})`), weights);
  }

  // A classifier out of a zip file that this room gave out earlier.
  async open({ file }) {
    const { about, weights } = await unpacked(file);
    const others = new Map(weights.map((one) => [one.name, one.halves]));
    const same = ({ name, halves }) => others.get(name)?.length === halves.length && others.get(name).every((half, i) => half === halves[i]);
    if (about.codec?.fingerprint !== this.about.about.codec.fingerprint || about.time_bins > 1 || about.frame_head || !this.weights.every(same)) {
      throw new Error(`the classifier of this project was taught from another model than “${this.name}” of this page; teach it here anew`);
    }
    this.keep(about.label_names, layerOf(weights));
    return { choice: [this.title, OWN] };
  }

  keep(labels, last) {
    const run = async (batch, dims, gates, named = ["logits", "vectors", "attention"]) => {
      const found = await this.base.run(batch, dims, gates, [...new Set([...named.filter((name) => name !== "logits"), "vectors"])]);
      const n = dims[0];
      const each = Array.from({ length: n }, (_, i) => logits(last, found.vectors.slice((i * found.vectors.length) / n, ((i + 1) * found.vectors.length) / n)));
      return { ...found, logits: Float32Array.from(each.flat()) };
    };
    this.own = new Classifier(run, { ...this.base.about, labels, multi_label: false, window: this.about.window });
    this.listens({ name: OWN });
  }

  // Whether the page's own classifier answers from now on, or the one that was taught.
  listens({ name }) {
    const own = name === OWN && this.own;
    this.kit.classifier = own || this.base;
    this.kit.site.checkpoint = own ? OWN : this.name;
    return {};
  }
}
