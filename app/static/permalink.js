// The address of the page says what is on it: sample, codec, checkpoint, room and what is asked there, selected stretch,
// code under the cursor. All of it stands behind the #, which browsers send to nobody. What an address says is checked like anything from
// outside: here by its form, names once more by the server. Nothing of it is ever inserted as HTML.
import { linked } from "./widgets/link.js";

const LONGEST = 400;
const FORMS = {
  sample: /^[^/\\<>]{1,80}$/, codec: /^[^/\\<>]{1,80}$/, checkpoint: /^[^/\\<>]{1,80}$/, room: /^[a-z]{1,12}$/,
  from: /^\d{1,2}(\.\d{1,3})?$/, to: /^\d{1,2}(\.\d{1,3})?$/, row: /^\d{1,2}$/, frame: /^\d{1,4}$/,
}; // prettier-ignore
const NUMBERS = ["from", "to", "row", "frame"];
// What a room may be asked; it checks the value once more, and so does the server.
const NUMBER = /^\d{1,9}$/;
const [WORD, NAME] = [/^[a-z]{1,12}$/, /^[^\\<>]{0,80}$/];
const ASKED = {
  mask: { ratio: NUMBER, span: NUMBER, seed: NUMBER }, attention: { layer: NUMBER, head: NUMBER }, why: { why: NAME, by: WORD, top: NUMBER },
  flow: { step: WORD, block: NUMBER, head: NUMBER }, map: { left: NAME, right: NAME, map: WORD, colour: WORD }, results: { result: WORD, on: NAME },
  sight: { seed: NUMBER },
}; // prettier-ignore
const PATIENCE_MS = 600;

// What an address asks for, less what is not of the right form.
export function parse(hash) {
  const wanted = {};
  if (hash.length > LONGEST) return wanted;
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  for (const [name, form] of Object.entries(FORMS)) {
    const value = given.get(name);
    if (value !== null && form.test(value)) wanted[name] = NUMBERS.includes(name) ? Number(value) : value;
  }
  if (!(wanted.from < wanted.to)) ["from", "to"].forEach((name) => delete wanted[name]);
  if (!(wanted.row >= 1 && wanted.frame >= 0)) ["row", "frame"].forEach((name) => delete wanted[name]);
  const asked = Object.entries(ASKED[wanted.room] ?? {}).filter(([name, form]) => form.test(given.get(name) ?? "\\"));
  if (asked.length) wanted.asked = Object.fromEntries(asked.map(([name, form]) => [name, form === NUMBER ? Number(given.get(name)) : given.get(name)]));
  return wanted;
}

// Rooms by their names, whatever language stands on their tabs.
export function tabs() {
  return new Map([...document.querySelectorAll("#af-rooms [role=tab]")].map((tab) => [tab.dataset.tabId, tab]));
}

export class Permalink {
  // open({sample, codec, checkpoint}): asks the server for what is not on the page yet.
  constructor(open) {
    [this.open, this.link, this.token, this.wanted, this.writing] = [open, linked("clip"), "", parse(location.hash), null];
    for (const what of ["clip", "selection", "cursor", "says"]) this.link.addEventListener(what, () => this.changed());
    window.addEventListener("hashchange", () => this.follow());
    document.addEventListener("click", (event) => event.target.closest?.("[role=tab]") && this.changed());
    document.addEventListener("keyup", (event) => event.target.closest?.("[role=tab]") && this.changed());
    this.changed();
  }

  // What is on the page now; a sound or a classifier of one's own has no name that another browser could open.
  get shown() {
    const radio = (name) => document.querySelector(`#${name} input:checked`)?.value;
    const room = [...tabs()].find(([, tab]) => tab.getAttribute("aria-selected") === "true")?.[0];
    const checkpoint = radio("af-checkpoint");
    const own = checkpoint?.startsWith("yours-"); // a secret of this page
    return { sample: document.querySelector(".af-tile.af-on")?.title, codec: radio("af-codec"), checkpoint: own ? undefined : checkpoint, room };
  }

  changed() {
    this.mark();
    setTimeout(() => this.mark(), 60); // a tab is selected after the click
    const other = this.link.token !== this.token;
    this.token = this.link.token;
    if (!this.token) return;
    if (!this.wanted) this.write();
    else if (!this.asked) this.restore();
    else if (other) this.apply();
  }

  // Somebody pasted another address.
  follow() {
    [this.wanted, this.asked] = [parse(location.hash), false];
    this.restore();
  }

  restore() {
    const [wanted, shown] = [this.wanted, this.shown];
    const missing = ["sample", "codec", "checkpoint"].filter((name) => wanted[name] && wanted[name] !== shown[name]);
    this.asked = true;
    if (missing.length) this.open(Object.fromEntries(["sample", "codec", "checkpoint"].map((name) => [name, wanted[name] ?? null])));
    else this.apply();
  }

  // The server has answered: what it refused is left as it was.
  answered() {
    setTimeout(() => this.wanted && this.apply(), PATIENCE_MS);
  }

  apply() {
    const { room, from, to, row, frame, asked } = this.wanted;
    [this.wanted, this.asked] = [null, false];
    this.room = room ?? this.room; // that is where the address has led
    this.link.wishes = asked ? { [room]: asked } : {};
    tabs().get(room)?.click();
    this.link.tell("wish");
    const codes = this.link.lanes.get("codes")?.codes;
    if (from < this.link.duration_s) this.link.select([from, Math.min(to, this.link.duration_s)]);
    if (row && codes) this.link.point({ row: Math.min(row, codes.length), frame: Math.min(frame, codes[0].length - 1) });
    this.write();
  }

  // The style sheet leaves out what a room has no use for.
  mark() {
    const { room } = this.shown;
    for (const name of tabs().keys()) document.body.classList.toggle(`af-in-${name}`, name === room);
  }

  write() {
    clearTimeout(this.writing);
    this.writing = setTimeout(() => {
      if (this.wanted) return;
      const { selection, cursor } = this.link;
      const says = { ...this.shown };
      if (says.sample && selection) [says.from, says.to] = selection.map((time) => time.toFixed(3));
      if (says.sample && cursor) Object.assign(says, cursor);
      Object.assign(says, this.link.says?.[says.room]);
      const given = Object.entries(says).filter(([, value]) => value !== undefined && value !== null);
      const other = this.room && says.room !== this.room; // Back leads to the room before
      this.room = says.room;
      history[other ? "pushState" : "replaceState"](history.state, "", `#${new URLSearchParams(given)}`);
    }, 250);
  }
}

// A button that copies the address; where the browser forbids that, it says where the address is.
export function copies(button) {
  const name = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      const painted = document.body.classList.contains("af-in-mask") && linked("clip").says?.mask === null;
      const copied = painted ? "Copied, without what you painted" : "Copied";
      button.textContent = document.querySelector(".af-tile.af-on") ? copied : "Copied, without your sound";
    } catch {
      button.textContent = "See address bar";
    }
    setTimeout(() => (button.textContent = name), 2000);
  });
}
