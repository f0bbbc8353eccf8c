// One question at a time, and only the newest of those that came meanwhile: quick clicks never pile up on the server,
// and an older answer never arrives after a newer one. Whoever gets the answer calls done().
const GIVE_UP_MS = 30000;

export class Latest {
  constructor(ask) {
    this.ask = ask;
    this.since = null;
    this.waiting = null;
  }

  send(data) {
    if (this.since !== null && performance.now() - this.since < GIVE_UP_MS) {
      this.waiting = { data };
      return;
    }
    this.since = performance.now();
    this.ask(data);
  }

  done() {
    const next = this.waiting;
    this.since = this.waiting = null;
    if (next) this.send(next.data);
  }
}
