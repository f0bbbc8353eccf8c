// Teach: name classes, bring a handful of examples of each, learn, try. The sounds stay in this page; the server keeps codes.
import { LATE, Latest } from "./latest.js";
import { part } from "./room.js";
import { Microphone } from "./widgets/microphone.js";
import { EmbeddingMap, classMark, mark } from "./widgets/embedding_map.js";
import { linked } from "./widgets/link.js";
import { readWav, writeWav } from "./widgets/player.js";
import { drawings, quoted, saveMenu } from "./widgets/save.js";
import { look, onLook } from "./widgets/colours.js";

const LONGEST_S = 5; // of a recording
const TEMPLATE = `
  <div class="af-controls" role="group" aria-label="How to learn">
    <label>Learn <select class="af-method" aria-label="What learns"><option value="probe">the last layer (seconds)</option>
      <option value="ft1">everything (a minute or more)</option></select></label>
    <label>from <select class="af-start" aria-label="Model to begin with"></select></label>
    <button type="button" class="af-button af-more">+ Class</button>
    <span class="af-rule"></span>
    <button type="button" class="af-play af-teach" disabled>Teach</button>
    <button type="button" class="af-button af-stop" hidden>Enough</button>
    <output class="af-ready" aria-live="polite"></output>
  </div>
  <div class="af-progress" role="status" hidden><span></span><div><i></i></div></div>
  <div class="af-pupils"></div>
  <div class="af-duo af-taught" hidden>
    <section class="af-card"><h3>Loss</h3><div class="af-loss" role="img"></div><p class="af-loss-told"></p></section>
    <section class="af-card"><h3>Your examples</h3><div class="af-own-map"></div><p class="af-own-told"></p></section>
  </div>
  <section class="af-card af-result" aria-live="polite" hidden><h3>It is listening</h3><p></p><div class="af-controls"></div></section>`;
const SVG = "http://www.w3.org/2000/svg";

export function mount(page) {
  new TeachRoom(page);
}

class TeachRoom {
  constructor({ element, read, watch, send, upload }) {
    this.host = element.querySelector(".af-room");
    this.host.dataset.room = "teach";
    this.host.innerHTML = TEMPLATE; // fixed text
    Object.assign(this, { send, upload, classes: [], waiting: [], number: 0, tasks: 0, limits: { examples: 60, classes: 8, fewest: 2, letters: 40 } });
    this.find = (name) => this.host.querySelector(name);
    this.map = new EmbeddingMap(this.find(".af-own-map"), {
      pick: (index) => this.hear(this.done?.ids[index]),
      select: (indices) => this.map.choose(indices),
    });
    this.find(".af-more").addEventListener("click", () => this.addClass());
    this.find(".af-teach").addEventListener("click", () => this.teach());
    this.find(".af-stop").addEventListener("click", () => this.send("ask", { what: "stop" }));
    this.greeting = new Latest(() => this.send("ask", { what: "hello" }), () => (this.greeted = false));
    this.adding = new Latest((task) => this.send("ask", { what: "add", ...task }), () => this.added({ failed: LATE }));
    watch("reply", () => this.take(JSON.parse(read("reply") || "null")));
    this.savers();
    onLook(() => this.curve && this.drawCurve());
    new ResizeObserver(() => this.visit()).observe(this.host);
  }

  visit() {
    if (this.greeted || this.host.offsetParent === null) return;
    this.greeted = true;
    while (this.classes.length < 2) this.addClass();
    this.greeting.send();
  }

  take(reply) {
    if (!reply) return;
    if (reply.to === "hello") this.greeting.done();
    if (reply.to === "hello" && reply.failed) this.greeted = false; // the next visit asks again
    if (reply.to === "hello" && !reply.failed) this.welcome(reply);
    if (reply.to === "add") this.arrived(reply);
    if (reply.to === "train") this.trained(reply);
    this.host.dataset.answer = reply.answer;
  }

  welcome({ starts, limits }) {
    this.limits = limits;
    this.find(".af-start").replaceChildren(...starts.map((name) => new Option(name, name)));
    this.state();
  }

  // Below both figures: what can be saved of them.
  savers() {
    const add = (name, told, drawing, size, table) => {
      const csv = () => new Blob([table().map((line) => `${line.join(",")}\n`).join("")], { type: "text/csv" });
      const alt = () => this.find(told).textContent;
      const menu = saveMenu({ ...drawings(drawing, alt, size, () => ({ csv: csv() })), csv }, name);
      menu.hidden = true; // until there is a figure
      this.find(told).after(menu);
    };
    const steps = () => [["step", "loss_nats"], ...this.curve.curve.map((value, i) => [i + 1, value])];
    add("loss", ".af-loss-told", () => new XMLSerializer().serializeToString(this.find(".af-loss svg")), [840, 380], steps);
    const names = () => this.done.ids.map((id) => this.classes.flatMap(({ examples }) => examples).find((one) => one.id === id)?.name ?? "");
    const examples = () => {
      const { labels, points, predictions, confidence } = this.done;
      const file = names();
      return [["name", "label", "x", "y", "prediction", "confidence"], ...labels.map((label, i) => [quoted(file[i]), quoted(label), ...points[i], quoted(predictions[i]), confidence[i].toFixed(4)])];
    };
    add("examples", ".af-own-told", () => this.map.save(), [600, 600], examples);
  }

  // --- classes and their examples

  addClass() {
    if (this.classes.length >= this.limits.classes) return;
    const one = { number: this.number++, examples: [], card: part("section", "af-card af-pupil") };
    const name = (one.name = part("input", "af-class-name"));
    Object.assign(name, { type: "text", placeholder: `Class ${one.number + 1}: its name`, maxLength: this.limits.letters });
    name.setAttribute("aria-label", `Name of class ${one.number + 1}`);
    const head = part("div", "af-pupil-head");
    const button = (text, title, act) => {
      const made = part("button", "af-button", text);
      Object.assign(made, { type: "button", title });
      made.addEventListener("click", act);
      return made;
    };
    one.record = button("● Record", `Record up to ${LONGEST_S} s`, () => this.record(one));
    const files = part("input", "af-files");
    Object.assign(files, { type: "file", multiple: true, accept: ".wav,.flac,.ogg,.oga,.mp3,.aif,.aiff,audio/*" });
    files.setAttribute("aria-label", `Files for class ${one.number + 1}`);
    files.addEventListener("change", () => {
      this.bring(one, [...files.files]);
      files.value = "";
    });
    const remove = button("×", "Remove this class", () => this.removeClass(one));
    remove.classList.add("af-remove");
    const called = () => remove.setAttribute("aria-label", `Remove class ${name.value.trim() || one.number + 1}`);
    called();
    name.addEventListener("input", () => {
      called();
      this.state();
    });
    head.append(name, remove);
    const tools = part("div", "af-controls");
    tools.append(one.record, button("Files", "Add sound files, or drop them on this card", () => files.click()), files);
    tools.append(button("+ this sound", "Add the sound on the page", () => this.queue({ one, what: "page" })));
    one.list = part("div", "af-examples");
    one.card.append(head, tools, one.list);
    one.card.addEventListener("dragover", (event) => event.preventDefault());
    one.card.addEventListener("drop", (event) => {
      event.preventDefault();
      this.bring(one, [...event.dataTransfer.files]);
    });
    this.classes.push(one);
    this.find(".af-pupils").append(one.card);
    this.state();
  }

  removeClass(one) {
    if (this.classes.length <= 2) return;
    this.send("ask", { what: "forget", ids: one.examples.map(({ id }) => id) });
    this.classes = this.classes.filter((other) => other !== one);
    one.card.remove();
    this.state();
  }

  bring(one, files) {
    for (const file of files) this.queue({ one, what: "file", file });
  }

  // One sound after the other goes to the server; each answer calls for the next.
  queue(task) {
    if (this.total + this.waiting.length >= this.limits.examples) return this.say(`${this.limits.examples} examples are the most.`);
    this.waiting.push(task);
    if (this.waiting.length === 1) this.next();
    this.state();
  }

  async next() {
    const [task] = this.waiting;
    if (!task) return;
    task.number = ++this.tasks;
    try {
      const { path, name } = task.what === "page" ? {} : await this.sent(task.file);
      this.adding.send({ path, name, task: task.number });
    } catch {
      this.added({ failed: `${task.file.name} could not be sent: is it too large?` });
    }
  }

  // Under a name of its own: the same file may come from others at the same time, and the server deletes it when it is read.
  async sent(file) {
    const name = `${Math.random().toString(36).slice(2)} ${file.name}`;
    return { path: (await this.upload(new File([file], name, { type: file.type }))).path, name: file.name };
  }

  // An answer about a sound; one that nobody waits for any more is forgotten there, too.
  arrived(reply) {
    if (reply.task !== this.waiting[0]?.number) return reply.failed || this.send("ask", { what: "forget", ids: [reply.id] });
    this.adding.done();
    return this.added(reply);
  }

  added(reply) {
    const task = this.waiting.shift();
    if (!task) return;
    if (reply.failed) this.say(reply.failed);
    else if (!this.classes.includes(task.one)) this.send("ask", { what: "forget", ids: [reply.id] });
    else {
      task.one.examples.push({ ...reply, name: task.file?.name ?? reply.name });
      this.showExamples(task.one);
      this.say("");
    }
    this.next();
    this.state();
  }

  showExamples(one) {
    one.list.replaceChildren(...one.examples.map((example) => {
      const chip = part("span", "af-example");
      const play = part("button", "af-guess", `▶ ${example.duration_s.toFixed(1)} s`);
      Object.assign(play, { type: "button", title: [example.name, example.note].filter(Boolean).join(", ") });
      play.addEventListener("click", () => this.hear(example.id));
      const away = part("button", "af-guess", "×");
      Object.assign(away, { type: "button", title: "Remove this example" });
      away.setAttribute("aria-label", `Remove ${example.name}`);
      away.addEventListener("click", () => {
        one.examples = one.examples.filter((other) => other !== example);
        this.send("ask", { what: "forget", ids: [example.id] });
        this.showExamples(one);
        this.state();
      });
      chip.append(play, picture(example.wav), away);
      return chip;
    }));
  }

  hear(id) {
    const example = this.classes.flatMap(({ examples }) => examples).find((one) => one.id === id);
    if (!example) return linked("clip").player.play();
    linked("clip").player.once(example.wav);
    this.host.dataset.heard = id;
  }

  // --- the microphone: one class records at a time

  async record(one) {
    if (this.recording) return this.recording.one === one && this.finish();
    const taken = { one, blocks: [], rate: 0, length: 0 };
    this.recording = taken;
    const microphone = (taken.microphone = new Microphone({
      block: (samples) => {
        taken.blocks.push(samples);
        taken.length += samples.length;
        const left = LONGEST_S - taken.length / (taken.rate || 48000);
        one.record.textContent = `■ Stop (${Math.max(0, left).toFixed(1)} s)`;
        if (left <= 0) this.finish();
      },
      ended: () => this.finish(),
    }));
    try {
      taken.rate = await microphone.start(window.audioformerRawMicrophone === false);
      one.record.setAttribute("aria-pressed", "true");
    } catch (error) {
      this.recording = null;
      microphone.stop();
      this.say(error.name === "NotAllowedError" ? "The browser was not allowed to use the microphone." : error.message);
    }
  }

  finish() {
    const taken = this.recording;
    if (!taken) return;
    this.recording = null;
    taken.microphone.stop();
    taken.one.record.textContent = "● Record";
    taken.one.record.setAttribute("aria-pressed", "false");
    if (!taken.length || !taken.rate) return;
    const samples = new Float32Array(taken.length);
    let at = 0;
    for (const block of taken.blocks) {
      samples.set(block, at);
      at += block.length;
    }
    this.bring(taken.one, [new File([writeWav(samples, taken.rate)], `recording ${taken.one.examples.length + 1}.wav`, { type: "audio/wav" })]);
  }

  // --- learning

  get total() {
    return this.classes.reduce((sum, { examples }) => sum + examples.length, 0);
  }

  say(text) {
    this.said = text;
    this.state();
  }

  // What is missing, in words; "" when it can begin.
  missing() {
    const unnamed = this.classes.find(({ name }) => !name.value.trim());
    if (unnamed) return "Give every class a name.";
    const few = this.classes.find(({ examples }) => examples.length < this.limits.fewest);
    if (few) return `“${few.name.value.trim()}” needs ${this.limits.fewest} examples or more.`;
    return "";
  }

  state() {
    const missing = this.missing();
    this.find(".af-teach").disabled = Boolean(missing || this.waiting.length || this.busy);
    this.find(".af-more").disabled = this.classes.length >= this.limits.classes;
    const still = this.waiting.length ? `${this.waiting.length} on the way …` : "";
    this.find(".af-ready").textContent = this.said || still || missing || `${this.classes.length} classes, ${this.total} examples`;
    for (const one of this.classes) one.card.querySelector(".af-remove").hidden = this.classes.length <= 2;
    this.host.dataset.examples = this.total;
  }

  teach() {
    this.said = "";
    this.working(true);
    const classes = this.classes.map(({ name, examples }) => ({ name: name.value.trim(), ids: examples.map(({ id }) => id) }));
    this.progress({ stage: "queue", done: 0, total: 1 });
    this.send("train", { classes, start: this.find(".af-start").value, method: this.find(".af-method").value });
  }

  working(busy) {
    this.busy = busy;
    this.find(".af-stop").hidden = !busy;
    this.find(".af-progress").hidden = !busy;
    this.state();
  }

  progress({ stage, done, total }) {
    const told = {
      queue: "Waiting for a turn: one class is taught at a time", listen: `Reading example ${done} of ${total}`,
      learn: `Step ${done} of ${total}`, check: "Looking at the result", done: "Done",
    }[stage]; // prettier-ignore
    this.find(".af-progress span").textContent = told;
    this.find(".af-progress i").style.width = `${(100 * done) / Math.max(total, 1)}%`;
  }

  trained(reply) {
    if (reply.failed) {
      this.working(false);
      return this.say(reply.failed);
    }
    this.progress(reply);
    if (reply.curve.length > 1) {
      this.find(".af-taught").hidden = false;
      this.curve = reply;
      this.drawCurve();
    }
    if (reply.stage === "done") this.finished(reply);
  }

  // Loss by step: a line, and chance as a dashed one.
  drawCurve() {
    const { curve, chance, total } = this.curve;
    const { lines, soft, grid } = look();
    const top = Math.max(chance, ...curve) * 1.1;
    const [wide, high, left, low] = [420, 190, 40, 26];
    const x = (step) => left + ((wide - left - 8) * step) / Math.max(total, 1);
    const y = (value) => high - low - ((high - low - 8) * value) / top;
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
    svg.setAttribute("font-family", "system-ui, sans-serif");
    const draw = (tag, values, text = "") => {
      const made = document.createElementNS(SVG, tag);
      for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
      made.textContent = text;
      svg.append(made);
    };
    const label = { fill: soft, "font-size": 11 };
    for (const value of [0, top / 2, top]) {
      draw("line", { x1: left, x2: wide - 8, y1: y(value), y2: y(value), stroke: grid });
      draw("text", { ...label, x: left - 5, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2));
    }
    draw("line", { x1: left, x2: wide - 8, y1: y(chance), y2: y(chance), stroke: lines[4], "stroke-dasharray": "5 4", "stroke-width": 1.5 });
    draw("text", { ...label, x: wide - 10, y: y(chance) - 4, "text-anchor": "end" }, `chance ${chance.toFixed(2)}`);
    draw("polyline", { points: curve.map((value, i) => `${x(i + 1).toFixed(1)},${y(value).toFixed(1)}`).join(" "), fill: "none", stroke: lines[0], "stroke-width": 2 });
    draw("text", { ...label, x: wide - 10, y: high - 6, "text-anchor": "end" }, `step (of ${total})`);
    draw("text", { ...label, x: left, y: high - 6 }, "loss (nats)");
    this.find(".af-loss").replaceChildren(svg);
    this.find(".af-loss-told + .af-save").hidden = false;
    const last = curve.at(-1);
    const told = `Loss ${curve[0].toFixed(2)} at first, ${last.toFixed(2)} after ${curve.length} steps; knowing nothing costs ${chance.toFixed(2)} nats.`;
    this.find(".af-loss").setAttribute("aria-label", told);
    this.find(".af-loss-told").textContent = told;
  }

  finished(reply) {
    this.done = reply;
    this.working(false);
    const names = [...new Set(reply.labels)];
    const words = reply.labels.map((label, i) => `${label}\nnow taken for ${reply.predictions[i]}, ${(100 * reply.confidence[i]).toFixed(0)} %`);
    const alt = `Map of your ${reply.labels.length} examples (PCA).`;
    this.map.choose([]);
    this.find(".af-own-told + .af-save").hidden = false;
    this.map.show({ points: reply.points, told: words, marks: () => reply.labels.map((label) => classMark(names.indexOf(label))), alt, own: null });
    const legend = part("span", "af-classes-key");
    names.forEach((name, i) => {
      const entry = part("span", "af-class");
      entry.append(mark(classMark(i)), part("span", "", name));
      legend.append(entry);
    });
    const close = Math.round(reply.purity * reply.counted);
    this.find(".af-own-told").replaceChildren(
      legend, document.createTextNode(`Nearest other example of the same class: ${close} of ${reply.counted} (chance ${(reply.blind * reply.counted).toFixed(1)}).`),
    );
    this.result(reply);
    this.host.dataset.taught = reply.choice[1];
    this.say(`Learnt in ${reply.seconds.toFixed(1)} s.`);
  }

  result(reply) {
    const card = this.find(".af-result");
    card.hidden = false;
    card.querySelector("p").textContent = `The page now listens with “${reply.choice[0]}”: what it says of the sound on the page stands above. `
      + "Try a sound that it has not learnt from: drop or record one on the left, or go to Live."; // prettier-ignore
    const link = part("a", "af-button af-download", "Download the checkpoint");
    Object.assign(link, { href: new URL(`taught/${reply.choice[1]}.zip`, import.meta.url), download: "taught.zip" });
    link.title = "config.json, model.safetensors and README.md; unpacked, `audioformer classify --checkpoint taught` takes it";
    const tools = card.querySelector(".af-controls");
    tools.replaceChildren(link);
    for (const name of ["Listen", "Live"]) {
      const tab = [...document.querySelectorAll("#af-rooms [role=tab]")].find((one) => one.textContent.trim() === name);
      if (!tab) continue;
      const button = part("button", "af-button", `To ${name}`);
      Object.assign(button, { type: "button" }).addEventListener("click", () => tab.click());
      tools.append(button);
    }
  }
}

// A thumbnail of the waveform: what is recorded can be seen.
function picture(wav) {
  const { samples } = readWav(wav);
  const canvas = part("canvas", "af-thumb");
  [canvas.width, canvas.height] = [56, 20];
  const paper = canvas.getContext("2d");
  paper.fillStyle = look().blue;
  for (let x = 0; x < canvas.width; x++) {
    const [from, to] = [x, x + 1].map((at) => Math.floor((at * samples.length) / canvas.width));
    let most = 0;
    for (let i = from; i < to; i++) most = Math.max(most, Math.abs(samples[i]));
    const size = Math.max(1, most * canvas.height);
    paper.fillRect(x, (canvas.height - size) / 2, 1, size);
  }
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}
