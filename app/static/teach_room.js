// Teach: name classes, bring a handful of examples of each, learn, try. The sounds stay in this browser; the server keeps codes.
import { ClassCard } from "./class_card.js";
import { LATE, Latest } from "./latest.js";
import { put } from "./parts.js";
import { asFile, bytesOf, fromFile, kept } from "./project.js";
import { Outcome, modelAddress } from "./teach_outcome.js";
import { TEMPLATE } from "./teach_page.js";
import { asWav } from "./widgets/decode.js";
import { MicrophoneChoice } from "./widgets/microphone.js";
import { linked } from "./widgets/link.js";
import { download } from "./widgets/save.js";

const KEEP_MS = 400; // between a change and its being kept

const full = (project) => project?.classes.some(({ examples }) => examples.length);

export function mount(page) {
  new TeachRoom(page);
}

class TeachRoom {
  constructor({ element, read, watch, send, upload }) {
    this.host = element.querySelector(".af-room");
    this.host.dataset.room = "teach";
    this.host.innerHTML = TEMPLATE; // fixed text
    Object.assign(this, { send, upload, classes: [], waiting: [], number: 0, tasks: 0, recorders: { now: null, choice: new MicrophoneChoice() }, model: null });
    this.limits = { examples: 60, classes: 8, fewest: 2, letters: 40, pieces_s: [] };
    this.find = (name) => this.host.querySelector(name);
    this.outcome = new Outcome(this.find, { example: (id) => this.examples.find((one) => one.id === id), hear: (id) => this.hear(id) });
    const acts = {
      ".af-more": () => this.addClass(), ".af-none": () => this.addClass(this.none, true), ".af-teach": () => this.teach(),
      ".af-stop": () => this.send("ask", { what: "stop" }), ".af-save-project": () => this.save(), ".af-anew": () => this.anew(),
      ".af-open-project": () => this.find(".af-project-file").click(),
    }; // prettier-ignore
    for (const [name, act] of Object.entries(acts)) this.find(name).addEventListener("click", act);
    this.find(".af-project-file").addEventListener("change", ({ target }) => {
      if (target.files[0]) this.openFile(target.files[0]);
      target.value = "";
    });
    this.find(".af-none").after(this.recorders.choice.host);
    this.greeting = new Latest(() => this.send("ask", { what: "hello" }), () => (this.greeted = false));
    this.adding = new Latest((task) => this.send("ask", task), () => this.added({ failed: LATE }));
    watch("reply", () => this.take(JSON.parse(read("reply") || "null")));
    window.addEventListener("beforeunload", (event) => this.total && this.unsafe && event.preventDefault()); // examples would be lost
    linked("clip").addEventListener("project", () => this.bring());
    new ResizeObserver(() => this.visit()).observe(this.host);
    this.before = kept.read(); // what this browser kept of an earlier visit
    this.before.then((project) => full(project) && this.greet());
    this.bring();
  }

  // Another room has sounds for a lesson, maybe from before this room was there.
  bring() {
    const [link, replaces] = [linked("clip"), (there) => !there || window.confirm("Replace the classes that are in Teach?")];
    const { project } = link;
    link.project = null;
    if (!project) return;
    if (this.before) this.before = this.before.then((earlier) => (replaces(full(earlier)) ? project : earlier));
    else if (replaces(this.total)) this.restore(project);
    this.greet();
  }

  visit() {
    if (this.host.offsetParent !== null) this.greet();
  }

  greet() {
    if (this.greeted) return;
    this.greeted = true;
    while (this.classes.length < 2) this.addClass();
    this.greeting.send();
  }

  take(reply) {
    if (!reply) return;
    if (reply.to === "hello") this.greeting.done();
    if (reply.to === "hello" && reply.failed) this.greeted = false; // the next visit asks again
    if (reply.to === "hello" && !reply.failed) this.welcome(reply);
    if (reply.to === "add" || reply.to === "others") this.arrived(reply);
    if (reply.to === "train") this.trained(reply);
    if (reply.to === "open") this.opened(reply);
    this.host.dataset.answer = reply.answer;
  }

  async welcome({ starts, limits, none }) {
    Object.assign(this, { limits, none });
    this.find(".af-start").replaceChildren(...starts.map((name) => new Option(name, name)));
    this.find(".af-piece").replaceChildren(...limits.pieces_s.map((length) => new Option(`${length} s`, length)));
    put(this.find(".af-piece"), limits.pieces_s.at(-1));
    for (const option of [...this.find(".af-method").options]) if (!limits.methods.includes(option.value)) option.remove();
    this.state();
    const before = await this.before;
    this.before = null;
    if (before && !this.total && !this.waiting.length) this.restore(before);
  }

  // --- classes and their examples

  addClass(name = "", none = false) {
    if (this.classes.length >= this.limits.classes || (none && this.classes.some((card) => card.none))) return null;
    const card = new ClassCard({ number: this.number++, letters: this.limits.letters, name, none }, this.recorders, {
      changed: () => this.changed(),
      bring: (files) => files.forEach((file) => this.queue({ card, what: "file", file })),
      page: () => this.queue({ card, what: "page" }),
      others: () => this.queue({ card, what: "others" }),
      forget: (ids) => this.send("ask", { what: "forget", ids }),
      hear: (id) => this.hear(id),
      remove: () => this.removeClass(card),
    });
    this.classes.push(card);
    this.find(".af-pupils").append(card.host);
    this.changed();
    return card;
  }

  removeClass(card, least = 2) {
    if (this.classes.length <= least) return;
    this.send("ask", { what: "forget", ids: card.examples.map(({ id }) => id) });
    this.classes = this.classes.filter((other) => other !== card);
    card.host.remove();
    this.changed();
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
    const { what, file, take } = task;
    const cut = { piece_s: what === "kept" ? 0 : Number(this.find(".af-piece").value) || 0, take };
    try {
      const from = file ? await this.sent(file) : {};
      this.adding.send({ what: what === "others" ? "others" : "add", ...from, ...cut, task: task.number });
    } catch ({ message }) {
      const known = message?.startsWith(file.name);
      this.added({ failed: known ? message : `${file.name} could not be sent: is it too large?` });
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
    const ids = (reply.added ?? []).map(({ id }) => id);
    if (reply.task !== this.waiting[0]?.number) return reply.failed || this.send("ask", { what: "forget", ids });
    this.adding.done();
    return this.added(reply);
  }

  added(reply) {
    const task = this.waiting.shift();
    if (!task) return;
    if (reply.failed) task.card.say(reply.failed);
    else if (!this.classes.includes(task.card)) this.send("ask", { what: "forget", ids: reply.added.map(({ id }) => id) });
    else reply.added.forEach((example) => task.card.add(example));
    this.next();
    this.restored();
    this.changed();
  }

  hear(id) {
    const example = this.examples.find((one) => one.id === id);
    if (!example) return linked("clip").player.play();
    linked("clip").player.once(example.wav);
    this.host.dataset.heard = id;
  }

  // --- the project: kept in this browser at every change, and as a file

  get examples() {
    return this.classes.flatMap(({ examples }) => examples);
  }

  get total() {
    return this.examples.length;
  }

  get project() {
    const [start, method, piece] = [".af-start", ".af-method", ".af-piece"].map((name) => this.find(name).value);
    const classes = this.classes.map(({ name, none, examples }) => ({ name, none, examples: examples.map(({ name: own, take, wav }) => ({ name: own, take, wav })) }));
    return { classes, start, method, piece, model: this.model };
  }

  changed() {
    this.state();
    if (this.before || this.restoring) return; // not before it is known what was kept
    clearTimeout(this.keeping);
    this.keeping = setTimeout(async () => {
      const there = this.total || this.classes.some(({ name, none }) => name && !none);
      this.unsafe = !(there ? await kept.write(this.project) : (await kept.clear(), true));
      this.host.dataset.kept = this.total;
    }, KEEP_MS);
  }

  async save() {
    const names = this.classes.map(({ name }) => name).filter(Boolean).join("-").replaceAll(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60); // prettier-ignore
    download(await asFile(this.project), `project-${names || "audioformer"}.zip`);
  }

  async openFile(file) {
    try {
      this.restore(await fromFile(file));
    } catch (error) {
      this.say(`${file.name}: ${error.message}.`);
    }
  }

  // Classes, sounds and classifier of a project, in place of what is here.
  restore(project) {
    this.restoring = true; // first: what is kept must not be overwritten by a part of it
    this.clear();
    for (const [name, value] of [[".af-start", project.start], [".af-method", project.method], [".af-piece", project.piece]]) put(this.find(name), value);
    for (const { name, none, examples } of project.classes.slice(0, this.limits.classes)) {
      const card = this.addClass(name, none);
      for (const { name: own, take, wav } of examples) {
        this.queue({ card, what: "kept", take, file: new File([bytesOf(wav)], own, { type: "audio/wav" }) });
      }
    }
    while (this.classes.length < 2) this.addClass();
    this.model = project.model ?? null;
    this.restored();
  }

  // Once all its sounds are here, the classifier follows.
  async restored() {
    if (this.waiting.length || !this.restoring) return;
    this.restoring = false;
    this.changed();
    if (!this.model) return;
    const { path } = await this.sent(new File([this.model], "model.zip", { type: "application/zip" }));
    this.send("open", { path });
  }

  opened(reply) {
    if (reply.failed) {
      this.model = null;
      return this.say(reply.failed);
    }
    this.outcome.result(reply.choice);
    this.host.dataset.taught = reply.choice[1];
  }

  clear() {
    for (const card of [...this.classes]) this.removeClass(card, 0);
    [this.waiting, this.model, this.said] = [[], null, ""];
    this.outcome.hide();
  }

  anew() {
    this.clear();
    while (this.classes.length < 2) this.addClass();
  }

  // --- learning

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
    const names = this.classes.map(({ name }) => name.toLowerCase());
    this.classes.forEach((card, i) => card.same(card.name && names.indexOf(names[i]) !== i));
    if (names.some((name) => !name)) return "Give every class a name.";
    if (new Set(names).size < names.length) return "Give each class its own name.";
    const few = this.classes.find(({ examples }) => examples.length < this.limits.fewest);
    return few ? `“${few.name}” needs ${this.limits.fewest} examples or more.` : "";
  }

  state() {
    const missing = this.missing();
    const { classes, busy } = this;
    this.find(".af-teach").disabled = Boolean(missing || this.waiting.length || busy);
    this.find(".af-more").disabled = classes.length >= this.limits.classes;
    this.find(".af-none").disabled = this.find(".af-more").disabled || classes.some(({ none }) => none);
    const still = this.waiting.length ? `${this.waiting.length} on the way …` : "";
    this.find(".af-ready").textContent = this.said || still || missing || `${classes.length} classes, ${this.total} examples`;
    for (const { away } of classes) away.hidden = classes.length <= 2;
    const other = this.outcome.done && this.asked !== JSON.stringify(this.lesson); // what stands below was learnt from other examples
    this.outcome.stale(Boolean(busy || other));
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

  async trained(reply) {
    if (reply.failed) {
      this.working(false);
      return this.say(reply.failed);
    }
    this.progress(reply);
    this.outcome.progress(reply);
    if (reply.stage !== "done") return;
    this.working(false);
    this.outcome.finished(reply);
    this.host.dataset.taught = reply.choice[1];
    this.say(`Learnt in ${reply.seconds.toFixed(1)} s.`);
    this.model = await fetch(modelAddress(reply.choice[1])).then((answer) => (answer.ok ? answer.blob() : null), () => null);
    this.changed();
  }
}
