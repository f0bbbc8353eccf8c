// Teach: name classes, bring a handful of examples of each, learn, try. The sounds stay in this page; the server keeps codes.
import { ClassCard } from "./class_card.js";
import { LATE, Latest } from "./latest.js";
import { lossCurve, lossInWords } from "./loss_curve.js";
import { button, part } from "./parts.js";
import { MicrophoneChoice } from "./widgets/microphone.js";
import { asWav } from "./widgets/decode.js";
import { EmbeddingMap, classMark, mark } from "./widgets/embedding_map.js";
import { linked } from "./widgets/link.js";
import { drawings, quoted, saveMenu } from "./widgets/save.js";
import { onLook } from "./widgets/colours.js";

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

export function mount(page) {
  new TeachRoom(page);
}

class TeachRoom {
  constructor({ element, read, watch, send, upload }) {
    this.host = element.querySelector(".af-room");
    this.host.dataset.room = "teach";
    this.host.innerHTML = TEMPLATE; // fixed text
    Object.assign(this, { send, upload, classes: [], waiting: [], number: 0, tasks: 0, recorders: { now: null, choice: new MicrophoneChoice() }, limits: { examples: 60, classes: 8, fewest: 2, letters: 40 } });
    this.find = (name) => this.host.querySelector(name);
    this.map = new EmbeddingMap(this.find(".af-own-map"), {
      pick: (index) => this.hear(this.done?.ids[index]),
      select: (indices) => this.map.choose(indices),
    });
    this.find(".af-more").after(this.recorders.choice.host);
    this.find(".af-more").addEventListener("click", () => this.addClass());
    this.find(".af-teach").addEventListener("click", () => this.teach());
    this.find(".af-stop").addEventListener("click", () => this.send("ask", { what: "stop" }));
    this.greeting = new Latest(() => this.send("ask", { what: "hello" }), () => (this.greeted = false));
    this.adding = new Latest((task) => this.send("ask", { what: "add", ...task }), () => this.added({ failed: LATE }));
    watch("reply", () => this.take(JSON.parse(read("reply") || "null")));
    this.savers();
    onLook(() => this.curve && this.drawCurve());
    window.addEventListener("beforeunload", (event) => this.total && event.preventDefault()); // the browser asks: examples would be lost
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
    const card = new ClassCard(this.number++, this.limits.letters, this.recorders, {
      changed: () => this.state(),
      bring: (files) => files.forEach((file) => this.queue({ card, what: "file", file })),
      page: () => this.queue({ card, what: "page" }),
      forget: (ids) => this.send("ask", { what: "forget", ids }),
      hear: (id) => this.hear(id),
      remove: () => this.removeClass(card),
    });
    this.classes.push(card);
    this.find(".af-pupils").append(card.host);
    this.state();
  }

  removeClass(card) {
    if (this.classes.length <= 2) return;
    this.send("ask", { what: "forget", ids: card.examples.map(({ id }) => id) });
    this.classes = this.classes.filter((other) => other !== card);
    card.host.remove();
    this.state();
  }

  // One sound after the other goes to the server; each answer calls for the next.
  queue(task) {
    if (this.total + this.waiting.length >= this.limits.examples) return task.card.say(`${this.limits.examples} examples are the most.`);
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
    } catch ({ message }) {
      const known = message?.startsWith(task.file.name);
      this.added({ failed: known ? message : `${task.file.name} could not be sent: is it too large?` });
    }
  }

  // Under a name of its own: the same file may come from others at the same time, and the server deletes it when it is read.
  async sent(file) {
    const wav = await asWav(file);
    const name = `${Math.random().toString(36).slice(2)} ${wav.name}`;
    return { path: (await this.upload(new File([wav], name, { type: wav.type }))).path, name: file.name };
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
    if (reply.failed) task.card.say(reply.failed);
    else if (!this.classes.includes(task.card)) this.send("ask", { what: "forget", ids: [reply.id] });
    else task.card.add({ ...reply, name: task.file?.name ?? reply.name });
    this.next();
    this.state();
  }

  hear(id) {
    const example = this.classes.flatMap(({ examples }) => examples).find((one) => one.id === id);
    if (!example) return linked("clip").player.play();
    linked("clip").player.once(example.wav);
    this.host.dataset.heard = id;
  }

  // --- learning

  get total() {
    return this.classes.reduce((sum, { examples }) => sum + examples.length, 0);
  }

  // What is to be learnt.
  get lesson() {
    return this.classes.map(({ name, examples }) => ({ name, ids: examples.map(({ id }) => id) }));
  }

  say(text) {
    this.said = text;
    this.state();
  }

  // What is missing, in words; "" when it can begin.
  missing() {
    if (this.classes.some(({ name }) => !name)) return "Give every class a name.";
    const few = this.classes.find(({ examples }) => examples.length < this.limits.fewest);
    return few ? `“${few.name}” needs ${this.limits.fewest} examples or more.` : "";
  }

  state() {
    const missing = this.missing();
    this.find(".af-teach").disabled = Boolean(missing || this.waiting.length || this.busy);
    this.find(".af-more").disabled = this.classes.length >= this.limits.classes;
    const still = this.waiting.length ? `${this.waiting.length} on the way …` : "";
    this.find(".af-ready").textContent = this.said || still || missing || `${this.classes.length} classes, ${this.total} examples`;
    for (const { away } of this.classes) away.hidden = this.classes.length <= 2;
    const other = this.done && this.asked !== JSON.stringify(this.lesson); // what stands below was learnt from other examples
    for (const name of [".af-taught", ".af-result"]) this.find(name).classList.toggle("af-stale", Boolean(this.busy || other));
    this.host.dataset.examples = this.total;
  }

  teach() {
    this.said = "";
    this.working(true);
    const classes = this.lesson;
    this.asked = JSON.stringify(classes);
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

  drawCurve() {
    const told = lossInWords(this.curve);
    this.find(".af-loss").replaceChildren(lossCurve(this.curve));
    this.find(".af-loss-told + .af-save").hidden = false;
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
      tools.append(button(`To ${name}`, "", () => tab.click()));
    }
  }
}
