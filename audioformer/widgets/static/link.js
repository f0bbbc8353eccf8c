// What all views of one clip share: its sounds, the playhead, the stretch that is selected, the code under the cursor.
// Views ask for a link by name; in a notebook every widget brings its own copy of this module, so the links live on the
// window, where all copies find them.
import { Player } from "./player.js";

export function linked(name = "clip") {
  const links = (globalThis.audioformerLinks ??= new Map());
  if (!links.has(name)) links.set(name, new Link());
  return links.get(name);
}

class Link extends EventTarget {
  constructor() {
    super();
    this.player = new Player();
    this.player.onChange = (on) => {
      this.tell("playing");
      if (on) this.follow();
    };
    this.reset("");
  }

  reset(token) {
    this.player.forget();
    [this.token, this.selection, this.cursor, this.lanes] = [token, null, null, new Map()];
  }

  // A view brings its clip: another token is another clip and forgets the old one, the same token adds to it.
  bring({ token, duration_s, frame_rate, lanes, sounds }) {
    const other = token !== this.token;
    if (other) this.reset(token);
    Object.assign(this, { duration_s, frame_rate });
    for (const lane of lanes) if (lane.id) this.lanes.set(lane.id, lane);
    for (const [name, wav] of Object.entries(sounds ?? {})) this.player.set(name, wav);
    this.tell("clip");
    if (other) for (const what of ["selection", "cursor", "playing"]) this.tell(what);
  }

  tell(what) {
    this.dispatchEvent(new Event(what));
  }

  // selection: [start, end] in seconds, or null.
  select(selection) {
    this.selection = selection;
    this.tell("selection");
  }

  // cursor: {row, frame}; row from 1, frame from 0.
  point(cursor) {
    this.cursor = cursor;
    this.tell("cursor");
  }

  follow() {
    this.tell("time");
    if (this.player.time !== null) requestAnimationFrame(() => this.follow());
  }
}
