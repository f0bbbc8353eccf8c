// Attention: all heads at a glance, one head as a map, one moment on the spectrogram.
import { fact, part } from "./parts.js";
import { Room } from "./room.js";
import { AttentionView } from "./widgets/attention.js";
import { Timeline } from "./widgets/timeline.js";

const TEMPLATE = `
  <div class="af-view"></div>
  <div class="af-duo">
    <div class="af-card af-pair"></div>
    <section class="af-card af-told" aria-live="polite"><h3>This head</h3><div></div>
      <button type="button" class="af-button af-weighted" disabled>▶ Hear where it looks</button></section>
  </div>`;

export function mount(page) {
  new AttentionRoom(page).open();
}

class AttentionRoom extends Room {
  constructor(page) {
    super(page, "attention", TEMPLATE);
    this.timeline = new Timeline(this.find(".af-view"));
    this.find(".af-slot").append(part("span", "af-hint", "Choose a head below, then click a moment here: what stays clear is where the head looks from there."));
    this.heads = new AttentionView(this.find(".af-pair"), {
      pick: (layer, head) => this.look({ layer, head }),
      look: (share) => this.timeline.point(1, Math.floor((this.view.window[0] + share * (this.view.window[1] - this.view.window[0])) * this.view.frame_rate)),
    });
    this.answers = { look: this.looked };
    this.link.addEventListener("cursor", () => this.moved());
    this.find(".af-weighted").addEventListener("click", () => this.hear());
  }

  enter() {
    this.view = null;
    this.ask("look", { ...this.wanted, ...this.wished() });
  }

  forget() {
    this.wanted = null;
  }

  look(change) {
    if (!this.view) return;
    const { layer, head, frame } = this.view;
    this.wanted = { layer, head, ...change };
    this.ask("look", { layer, head, frame: this.link.cursor?.frame ?? frame, ...change });
  }

  looked(reply, more) {
    if (more) return;
    this.view = reply;
    this.host.classList.toggle("af-empty", Boolean(reply.empty));
    if (reply.empty) return;
    const { layer, head } = reply;
    this.wanted = { layer, head };
    this.remember(this.wanted);
    this.timeline.show({ ...reply, hear: [{ name: "original", label: "original" }] });
    this.heads.show(reply);
    const { cursor } = this.link;
    if (cursor && this.share(cursor.frame) !== null) this.moved();
    else this.timeline.point(1, reply.frame);
  }

  // Place of a frame in the window, 0 to 1; null outside.
  share(frame) {
    const [start, end] = this.view.window;
    const share = ((frame + 0.5) / this.view.frame_rate - start) / (end - start);
    return share < 0 || share >= 1 ? null : share;
  }

  moved() {
    const { cursor } = this.link;
    if (!this.view || this.view.empty || !cursor || this.link.token !== this.token || this.host.offsetParent === null) return;
    const share = this.share(cursor.frame);
    if (share === null) return this.look({}); // another window
    this.heads.mark(share);
    const profile = this.heads.profile();
    const most = Math.max(...profile, 1e-9);
    const [start, end] = this.view.window;
    this.timeline.veil = { start_s: start, step_s: (end - start) / profile.length, shares: profile.map((weight) => weight / most) };
    this.timeline.draw();
    this.tell(cursor, profile);
    this.find(".af-weighted").disabled = false;
  }

  tell(cursor, profile) {
    const { layer, head, stats, window, map, n_windows, group } = this.view;
    const { reach_s, spread, edges } = stats[layer][head];
    const time = (cursor.frame + 0.5) / this.view.frame_rate;
    const step = (window[1] - window[0]) / profile.length;
    const best = window[0] + (profile.indexOf(Math.max(...profile)) + 0.5) * step;
    const facts = [
      ["Moment", `${time.toFixed(2)} s`, `looks most at ${best.toFixed(2)} s`],
      ["Reach", `${reach_s.toFixed(2)} s`, "mean distance it looks"],
      ["Spread", `${spread.toFixed(0)} positions`, `of ${Math.round((window[1] - window[0]) * this.view.frame_rate) + 2}, from its entropy`],
      ["Begin, end", `${(100 * edges).toFixed(0)} %`, "goes to these two tokens"],
    ];
    if (group > 1) facts.push(["Grain", `${group} frames`, "joined before the first layer: they look as one, hence the squares"]);
    if (n_windows > 1) facts.push(["Window", `${window[0].toFixed(2)}-${window[1].toFixed(2)} s`, `one of ${n_windows}; the cursor chooses`]);
    this.find(".af-told div").replaceChildren(...facts.map((one) => fact(...one)));
    this.host.dataset.moment = `${layer}:${head}:${cursor.frame}`;
    this.host.dataset.top = map.top.toFixed(6);
  }

  // The window's sound, as loud at each moment as the head looks there.
  hear() {
    if (this.source) return this.source.stop();
    const { samples, rate } = this.link.player.sounds.get("original");
    const { shares, start_s, step_s } = this.timeline.veil;
    const first = Math.round(start_s * rate);
    const heard = samples.slice(first, Math.round((start_s + shares.length * step_s) * rate));
    for (let i = 0; i < heard.length; i++) {
      const place = i / rate / step_s - 0.5; // between the middles of two frames
      const [low, rest] = [Math.floor(place), place - Math.floor(place)];
      const share = (shares[Math.max(low, 0)] ?? 0) * (1 - rest) + (shares[Math.min(low + 1, shares.length - 1)] ?? 0) * rest;
      heard[i] *= share;
    }
    const button = this.find(".af-weighted");
    this.source = this.link.player.samples(heard, rate);
    button.textContent = "■ Stop";
    this.source.onended = () => {
      this.source = null;
      button.textContent = "▶ Hear where it looks";
    };
    this.host.dataset.heard = heard.length;
  }
}
