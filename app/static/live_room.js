// Live: the listener, and a stretch of what it heard, frozen, on a time line, from where it can go to any other room.
import { LiveView } from "./widgets/live.js";
import { linked } from "./widgets/link.js";
import { Timeline } from "./widgets/timeline.js";
import { button, part } from "./parts.js";
import { tabs } from "./permalink.js";

export function mount(page) {
  new LiveRoom(page);
}

class LiveRoom {
  constructor({ element, read, watch, send }) {
    this.host = element.querySelector(".af-room");
    this.host.dataset.room = "live";
    this.send = send;
    const [ear, frozen] = [part("div", ""), part("div", "af-frozen")];
    this.host.append(ear, frozen);
    this.live = new LiveView(ear, { send: (data) => send("push", data), stopped: () => this.shown || this.freeze() });
    this.buttons();
    this.timeline = new Timeline(frozen.appendChild(part("div", "")));
    this.bar(frozen);
    watch("reply", () => this.take(JSON.parse(read("reply") || "null")));
    linked("clip").addEventListener("clip", () => this.arrived());
    this.show(false);
  }

  buttons() {
    const title = "Keep the last half minute on a time line: hear it, step through it, send it to another room";
    this.button = button("Freeze", title, () => (this.shown ? this.show(false) : this.freeze()), "af-button af-freeze");
    this.button.disabled = true;
    this.live.find(".af-slot").append(this.button);
    new MutationObserver(() => this.state()).observe(this.live.host, { attributes: true, attributeFilter: ["data-state"] });
  }

  // Above the frozen time line: where it can go. The rooms are those of the page.
  bar(frozen) {
    const bar = part("div", "af-controls af-send");
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Send to a room");
    bar.append(part("span", "", "Send the selected stretch, or all of it, to"));
    for (const [room, tab] of tabs()) {
      if (["live", "files"].includes(room)) continue; // neither is about one clip
      const sends = button(tab.textContent.trim(), "", () => this.use(room));
      sends.dataset.to = room;
      bar.append(sends);
    }
    frozen.prepend(bar);
  }

  state() {
    const { state } = this.live.host.dataset;
    this.host.dataset.state = state;
    this.button.disabled = !state;
    if (state === "on" && this.was !== "on") this.show(false); // another recording
    this.was = state;
  }

  freeze() {
    if (this.live.frames) this.send("freeze", { take: this.live.take });
  }

  take(reply) {
    if (reply?.to === "push") this.live.answer(reply);
    if (reply?.to !== "freeze" || reply.failed || reply.take !== this.live.take) return;
    this.view = reply.view;
    this.show(true);
    this.timeline.show(reply.view);
    const [start, end] = [reply.view.start_s, reply.view.start_s + reply.view.duration_s];
    this.timeline.say(`Frozen: ${start.toFixed(1)} to ${end.toFixed(1)} s of the recording. Drag to choose a stretch.`);
    this.host.dataset.frozen = reply.view.token;
  }

  show(frozen) {
    this.shown = frozen;
    this.host.classList.toggle("af-is-frozen", frozen);
    this.button.textContent = frozen ? "Unfreeze" : "Freeze";
    if (!frozen) linked("live").player.stop();
    this.live.draw();
  }

  use(room) {
    const [start_s, end_s] = linked("live").selection ?? [0, this.view.duration_s];
    this.going = { room, from: linked("clip").token };
    linked("live").player.stop();
    this.send("use", { start_s, end_s });
  }

  // The stretch is the clip of all rooms now: go where it was sent.
  arrived() {
    if (!this.going || linked("clip").token === this.going.from) return;
    const { room } = this.going;
    this.going = null;
    tabs().get(room)?.click();
  }
}
