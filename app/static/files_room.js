// Files: long recordings and folders as one table of moments: sorted, filtered, reviewed by ear, and taken away corrected.
import { TEMPLATE } from "./files_page.js";
import { LATE, Latest } from "./latest.js";
import { button, part, percent } from "./parts.js";
import { tabs } from "./permalink.js";
import { shelf } from "./shelf.js";
import { zip } from "./zip.js";
import { asWav, isPhones } from "./widgets/decode.js";
import { linked } from "./widgets/link.js";
import { download, quoted } from "./widgets/save.js";

const [MOST_MOMENTS, MOST_LISTED] = [1200, 200];
const [KEPT_MOMENTS, KEPT_REVIEW] = ["files/", "files-review"]; // where this browser keeps them
const SOUNDS = /\.(wav|flac|ogg|oga|opus|mp3|aif|aiff)$/i;

export function mount(page) {
  new FilesRoom(page);
}

class FilesRoom {
  constructor({ element, read, watch, send, upload }) {
    this.host = element.querySelector(".af-room");
    this.host.dataset.room = "files";
    this.host.innerHTML = TEMPLATE; // fixed text
    Object.assign(this, { upload, moments: [], waiting: [], done: [], labels: [], like: null, task: 0, notes: [] });
    this.find = (name) => this.host.querySelector(name);
    this.asking = new Latest((data) => send("ask", { what: "read", ...data }), () => this.failed(LATE));
    watch("reply", () => this.take(JSON.parse(read("reply") || "null")));
    const acts = {
      ".af-bring": () => this.find(".af-of-files").click(), ".af-bring-folder": () => this.find(".af-of-folder").click(), ".af-halt": () => this.halt(),
      ".af-undo": () => this.undo(), ".af-take-set": () => this.saveSet(), ".af-take-table": () => this.saveTable(), ".af-train-again": () => this.again(), ".af-anew": () => this.anew(),
    }; // prettier-ignore
    for (const [name, act] of Object.entries(acts)) this.find(name).addEventListener("click", act);
    for (const input of this.host.querySelectorAll("input[type=file]")) {
      input.addEventListener("change", () => {
        this.bring([...input.files]);
        input.value = "";
      });
    }
    for (const name of [".af-sort", ".af-only-label", ".af-from-p", ".af-only-review"]) this.find(name).addEventListener("input", () => this.list());
    this.host.addEventListener("dragover", (event) => event.preventDefault());
    this.host.addEventListener("drop", (event) => {
      event.preventDefault();
      this.bring([...event.dataTransfer.files]);
    });
    this.find("tbody").addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("beforeunload", (event) => this.unsafe && this.done.length && event.preventDefault()); // a review would be lost
    this.before = this.restore();
  }

  // --- what this browser keeps: the moments as they come, and the review at every change

  async restore() {
    const [pieces, kept] = [await shelf.all(KEPT_MOMENTS), await shelf.get(KEPT_REVIEW)];
    if (!pieces.length) return;
    this.moments = pieces.flat();
    for (const [place, review, truth] of kept?.review ?? []) Object.assign(this.moments[place] ?? {}, { review, truth });
    this.notes = [`${this.moments.length} moments of an earlier visit`];
    this.offer(kept?.labels ?? []);
    this.tell();
  }

  async keep(moments = []) {
    const review = this.moments.filter(({ review: said }) => said).map(({ place, review: said, truth }) => [place, said, truth]);
    const parts = [[KEPT_REVIEW, { labels: this.labels, review }]];
    if (moments.length) parts.push([KEPT_MOMENTS + String(moments[0].place).padStart(6, "0"), moments]);
    const done = await Promise.all(parts.map(([key, value]) => shelf.put(key, value)));
    this.unsafe = done.includes(false);
    this.host.dataset.kept = review.length;
  }

  anew() {
    if (this.done.length && !window.confirm("Forget the table and its review?")) return;
    this.halt();
    Object.assign(this, { moments: [], done: [], labels: [], like: null, notes: [] });
    for (const key of [KEPT_MOMENTS, KEPT_REVIEW]) shelf.drop(key);
    this.list();
    this.tell();
  }

  // --- reading: one file after the other, one stretch of it after the other

  bring(files) {
    const sounds = files.filter((file) => SOUNDS.test(file.name) || isPhones(file));
    this.notes = files.length > sounds.length ? [`${files.length - sounds.length} files are no sounds and were left out`] : [];
    const idle = !this.waiting.length;
    this.waiting.push(...sounds);
    if (idle) this.next();
    this.tell();
  }

  async next() {
    await this.before;
    const [file] = this.waiting;
    this.tell();
    if (!file) return;
    if (this.moments.length >= MOST_MOMENTS) {
      this.notes.push(`${MOST_MOMENTS} moments are the most; ${this.waiting.length} files were left out`);
      return this.halt();
    }
    const task = ++this.task;
    try {
      const wav = await asWav(file);
      const named = new File([wav], `${Math.random().toString(36).slice(2)} ${wav.name}`, { type: wav.type });
      const { path } = await this.upload(named);
      this.now = { task, path, begin_s: 0, piece_s: Number(this.find(".af-moment").value) };
      this.asking.send(this.now);
    } catch {
      this.failed("could not be sent: is it too large?");
    }
  }

  take(reply) {
    if (!reply || reply.to !== "read") return;
    this.asking.done();
    this.host.dataset.answer = reply.answer;
    if (reply.failed) return this.failed(reply.failed);
    if (reply.task !== this.task || !this.waiting.length) return; // it was stopped meanwhile
    const [file] = this.waiting;
    const name = file.webkitRelativePath || file.name;
    const [first, made] = [this.moments.length, { file: name, review: "", truth: "" }];
    const moments = reply.moments.map((one, number) => ({ ...one, ...made, said: one.label, place: first + number, vector: bytes(one.vector) }));
    this.moments.push(...moments);
    this.offer(reply.labels);
    this.keep(moments);
    if (reply.next_s === null || this.moments.length >= MOST_MOMENTS) {
      this.waiting.shift();
      this.next();
    } else {
      this.now = { ...this.now, begin_s: reply.next_s };
      this.tell(reply.next_s / reply.total_s);
      this.asking.send(this.now);
    }
  }

  failed(text) {
    const file = this.waiting.shift();
    if (file) this.notes.push(`${file.name}: ${text}`);
    this.next();
  }

  halt() {
    this.waiting = [];
    this.task++;
    this.tell();
  }

  tell(share = 0) {
    const [file] = this.waiting;
    this.find(".af-halt").hidden = !file;
    const now = file ? [`Reading ${file.name} ${percent(share)}, ${this.waiting.length} to go …`] : [];
    this.find(".af-reading").replaceChildren(...[...now, ...this.notes].map((text) => part("span", "", text)));
    this.host.dataset.moments = this.moments.length;
    this.host.dataset.waiting = this.waiting.length;
  }

  // --- the table

  // Labels that a moment may have.
  offer(labels) {
    this.labels = [...new Set([...this.labels, ...labels])];
    this.find("datalist").replaceChildren(...[...this.labels, "none of these"].map((label) => new Option(words(label))));
    this.choices();
    this.list();
  }

  choices() {
    const select = this.find(".af-only-label");
    const chosen = select.value;
    const counts = new Map();
    for (const { said } of this.moments) counts.set(said, (counts.get(said) ?? 0) + 1);
    const options = [...counts].sort(([, one], [, other]) => other - one).map(([name, count]) => new Option(`${words(name)} (${count})`, name));
    select.replaceChildren(new Option("all", ""), ...options);
    select.value = counts.has(chosen) ? chosen : "";
  }

  get listed() {
    const value = (name) => this.find(name).value;
    const [order, label, from, review] = [value(".af-sort"), value(".af-only-label"), Number(value(".af-from-p")) / 100, value(".af-only-review")];
    const kept = this.moments.filter((one) => (!label || one.said === label) && one.p >= from && (!review || Boolean(one.review) === (review === "done")));
    const loud = (one) => (one.quiet ? 1 : 0); // what is silent has no label: it stands last
    const near = (one) => (this.like ? cosine(one.vector, this.like.vector) : 0);
    const orders = { sure: (a, b) => loud(a) - loud(b) || b.p - a.p, unsure: (a, b) => loud(a) - loud(b) || a.p - b.p, time: (a, b) => a.place - b.place, like: (a, b) => near(b) - near(a) };
    return kept.sort(orders[order]);
  }

  list() {
    this.find(".af-found").hidden = !this.moments.length;
    this.find(".af-from-p + output").textContent = `${this.find(".af-from-p").value} %`;
    const all = this.listed;
    this.find("tbody").replaceChildren(...all.slice(0, MOST_LISTED).map((one) => this.line(one)));
    const reviewed = this.moments.filter(({ review }) => review);
    const rest = all.length > MOST_LISTED ? `, the first ${MOST_LISTED} listed` : "";
    this.find(".af-count").textContent = `${all.length} of ${this.moments.length} moments${rest}, ${reviewed.length} reviewed, ${reviewed.filter(({ review }) => review === "yes").length} right`;
    for (const name of [".af-take-set", ".af-train-again"]) this.find(name).disabled = !reviewed.some(({ truth }) => truth);
    this.find(".af-undo").disabled = !this.done.length;
    this.host.dataset.listed = all.length;
    this.host.dataset.reviewed = reviewed.length;
  }

  line(one) {
    const row = part("tr", one.review ? `af-said-${one.review}` : "");
    row.dataset.place = one.place;
    row.tabIndex = 0;
    const cell = (...parts) => {
      const made = part("td", "");
      made.append(...parts);
      row.append(made);
    };
    cell(button("▶", "Hear it", () => this.hear(one), "af-guess"));
    cell(part("span", "af-file", one.file));
    cell(clock(one.start_s));
    cell(one.quiet || words(one.said));
    cell(one.quiet ? "–" : percent(one.p));
    const answers = ["yes", "no"].map((say) => {
      const made = button(say, say === "yes" ? "The label is right" : "The label is wrong", () => this.review(one, say), "af-guess");
      made.setAttribute("aria-pressed", String(one.review === say));
      return made;
    });
    const truth = part("input", "af-truth");
    Object.assign(truth, { type: "text", value: words(one.truth), placeholder: "what is it?", maxLength: 40, hidden: one.review !== "no" });
    truth.setAttribute("list", "af-file-labels");
    truth.setAttribute("aria-label", `What ${one.file} ${clock(one.start_s)} is`);
    truth.addEventListener("change", () => this.correct(one, truth.value.trim()));
    cell(...answers, truth);
    cell(button("like this", "The moments whose vectors are nearest come first", () => this.search(one), "af-guess"));
    return row;
  }

  hear(one) {
    linked("clip").player.once(one.wav);
    this.host.dataset.heard = one.place;
  }

  search(one) {
    this.like = one;
    const select = this.find(".af-sort");
    select.querySelector("[value=like]").disabled = false;
    select.value = "like";
    this.list();
  }

  // --- the review

  review(one, say) {
    this.remember(one);
    one.review = say;
    one.truth = say === "yes" ? one.said : one.truth === one.said ? "" : one.truth;
    this.changed();
    this.focus(one, say === "no" ? ".af-truth" : "");
  }

  correct(one, text) {
    this.remember(one);
    one.truth = this.labels.find((label) => words(label) === text) ?? text;
    this.changed();
  }

  changed() {
    this.list();
    this.keep();
  }

  remember(one) {
    this.done.push([one, one.review, one.truth]);
  }

  undo() {
    const last = this.done.pop();
    if (!last) return;
    [last[0].review, last[0].truth] = [last[1], last[2]];
    this.changed();
    this.focus(last[0]);
  }

  focus(one, inside = "") {
    this.find(`.af-moment-table [data-place="${one.place}"] ${inside}`)?.focus();
  }

  key(event) {
    const row = event.target;
    const one = this.moments[row.dataset.place]; // none: a button or a box of the line
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
    const acts = { " ": () => this.hear(one), y: () => this.review(one, "yes"), n: () => this.review(one, "no"), u: () => this.undo() };
    if (!one || !(step || acts[event.key])) return;
    event.preventDefault();
    event.stopPropagation();
    if (step) step.focus();
    else acts[event.key]();
  }

  // --- what is taken away

  get reviewed() {
    return this.moments.filter(({ truth }) => truth);
  }

  saveSet() {
    const names = new Map();
    const name = (one) => `sounds/${one.file.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")}-${one.start_s.toFixed(2)}.wav`;
    for (const one of this.reviewed) names.set(one, name(one));
    const lines = [["filename", "label", "group"], ...[...names].map(([one, file]) => [file, one.truth, one.file].map(quoted))];
    const csv = lines.map((line) => `${line.join(",")}\r\n`).join("");
    const parts = [["labels.csv", new TextEncoder().encode(csv)], ...[...names].map(([one, file]) => [file, bytes(one.wav)])];
    download(zip(parts), "reviewed.zip");
  }

  saveTable() {
    const head = ["file", "start_s", "end_s", "label", "probability", "quiet", "review", "truth"];
    const lines = this.listed.map((one) => [safe(one.file), one.start_s, one.end_s, safe(one.said), one.p, safe(one.quiet), one.review, safe(one.truth)]);
    download(new Blob([[head, ...lines].map((line) => `${line.join(",")}\r\n`).join("")], { type: "text/csv" }), "moments.csv");
  }

  // The room Teach gets the reviewed moments as its classes.
  again() {
    const classes = new Map();
    for (const one of this.reviewed) classes.set(one.truth, [...(classes.get(one.truth) ?? []), one]);
    const plain = (file) => file.split("/").pop().replace(/\.\w+$/, "");
    const examples = (some) => some.map((one) => ({ name: `${plain(one.file)} ${clock(one.start_s)}.wav`, take: one.file.slice(-40), wav: one.wav }));
    linked("clip").project = { classes: [...classes].map(([name, some]) => ({ name: words(name), none: name === "none of these", examples: examples(some) })) };
    linked("clip").tell("project");
    tabs().get("teach")?.click();
  }
}

const safe = (value) => quoted(String(value).replace(/^[=+\-@\t\r]/, "'$&")); // a spreadsheet would run it as a formula
const words = (label) => String(label).replaceAll("_", " ");
const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

function cosine(one, other) {
  let [dot, own, others] = [0, 0, 0];
  for (let i = 0; i < one.length; i++) {
    const [a, b] = [one[i] - 128, other[i] - 128];
    [dot, own, others] = [dot + a * b, own + a * a, others + b * b];
  }
  return dot / Math.sqrt(own * others || 1);
}
