// One question at a time, and only the newest of those that came meanwhile: quick clicks never pile up on the server,
// and an older answer never arrives after a newer one. Whoever gets the answer calls done().
const GIVE_UP_MS = 90000; // a question can get lost: the server refuses it when too many wait
export const LATE = "No answer for a minute and a half: the server is busy or gone. Try again.";

export class Latest {
  // ask(data) puts a question; lost() is told when its answer has not come for long and no other question takes its place.
  constructor(ask, lost = () => {}) {
    Object.assign(this, { ask, lost, timer: null, waiting: null });
  }

  get asked() {
    return this.timer !== null;
  }

  send(data) {
    if (this.asked) {
      this.waiting = { data };
      return;
    }
    this.timer = setTimeout(() => this.done() || this.lost(), GIVE_UP_MS);
    this.ask(data);
  }

  // Returns whether another question was asked at once.
  done() {
    const next = this.waiting;
    clearTimeout(this.timer);
    this.timer = this.waiting = null;
    if (next) this.send(next.data);
    return next !== null;
  }
}
