// What every room shares: it asks its questions when it is on the screen and the clip is another one, one at a time.
import { LATE, Latest } from "./latest.js";
import { part } from "./parts.js";
import { linked } from "./widgets/link.js";

export class Room {
  constructor({ element, read, watch, send }, name, template) {
    this.host = element.querySelector(".af-room");
    this.host.innerHTML = template; // fixed text
    this.find = (what) => this.host.querySelector(what);
    this.name = name;
    this.link = linked("clip");
    this.questions = new Map();
    this.send = send;
    this.token = null; // of the clip that it has asked about
    this.shown = null; // of the clip that it shows
    watch("reply", () => this.take(JSON.parse(read("reply") || "null")));
    this.link.addEventListener("clip", () => this.visit());
    this.link.addEventListener("wish", () => this.visit());
    this.host.dataset.room = name;
  }

  // Called by the room when it is built.
  open() {
    new ResizeObserver(() => this.visit()).observe(this.host);
    this.visit();
  }

  visit() {
    const there = this.host.isConnected && this.host.offsetParent !== null;
    if (!there || !this.link.token || (this.link.token === this.token && !this.link.wishes?.[this.name])) return;
    this.token = this.link.token;
    if (this.shown !== this.token) this.host.classList.add("af-stale"); // what it shows is of another clip
    this.enter();
  }

  // What the address of the page asks of this room, once; see permalink.js.
  wished() {
    const wish = this.link.wishes?.[this.name] ?? {};
    if (this.link.wishes) delete this.link.wishes[this.name];
    this.hoping = Object.keys(wish).length > 0;
    return wish;
  }

  // What the address is to say, so that it brings this view back: words and numbers; null: it cannot be said.
  remember(says) {
    (this.link.says ??= {})[this.name] = says;
    this.link.tell("says");
  }

  ask(what, data = {}) {
    const made = () => new Latest((question) => this.send("ask", { what, ...question }), () => this.lost(what));
    if (!this.questions.has(what)) this.questions.set(what, made());
    this.host.classList.add("af-busy");
    this.questions.get(what).send(data);
  }

  // An answer; one about another clip is dropped.
  take(reply) {
    if (!reply) return;
    const question = this.questions.get(reply.to);
    const more = question?.waiting;
    question?.done();
    if (!more) this.host.classList.remove("af-busy");
    this.late?.remove();
    if (reply.failed && !more) this.refused(reply.to);
    if (reply.failed || reply.token !== this.link.token) return;
    if (reply.to === "look") {
      [this.shown, this.hoping] = [reply.token, false];
      this.host.classList.remove("af-stale");
    }
    this.answers[reply.to]?.call(this, reply, Boolean(more));
    this.host.dataset.answer = reply.answer;
  }

  // No answer for long. That it is told is a visit, too: a view is asked for once more.
  lost(what) {
    this.host.classList.remove("af-busy");
    this.late ??= part("p", "af-late");
    this.late.setAttribute("role", "alert");
    this.late.textContent = LATE;
    this.host.prepend(this.late);
    this.refused(what);
  }

  // The view could not be had: what was asked for is forgotten. Where nothing is shown of this clip, the next visit asks once
  // more; after a wish, which may have been the reason, at once.
  refused(what) {
    if (what !== "look") return;
    const again = this.hoping;
    this.hoping = false;
    this.forget();
    if (this.shown === this.link.token) return;
    this.token = null;
    if (again) this.visit();
  }

  // A room forgets here what it would ask for again.
  forget() {}
}
