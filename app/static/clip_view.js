// Listen: the time line of one clip, and how many codebooks the sound of the codes keeps.
import { Latest } from "./latest.js";
import { Timeline } from "./widgets/timeline.js";

const KEEP = `<label class="af-keep"><span>Keep</span><input type="range" min="1" step="1" aria-label="Codebooks kept"></label>
  <output class="af-kept"></output>`;

export function mount(page) {
  new ClipView(page).load();
}

class ClipView {
  constructor({ element, read, watch, send }) {
    this.host = element.querySelector(".af-listen");
    this.read = read;
    this.keeping = new Latest((n_codebooks) => send("keep", { n_codebooks }));
    this.hearing = new Latest((cursor) => send("hear", cursor));
    this.timeline = new Timeline(this.host, { hear: (cursor) => this.hearing.send(cursor) });
    this.host.querySelector(".af-slot").innerHTML = KEEP; // fixed text
    this.slider = this.host.querySelector(".af-keep input");
    this.slider.addEventListener("input", () => this.showKept(null));
    this.slider.addEventListener("change", () => this.keeping.send(Number(this.slider.value)));
    watch("value", () => this.load());
    watch("reply", () => this.answer(JSON.parse(this.read("reply") || "null")));
  }

  load() {
    const text = this.read("value");
    const shown = text ? JSON.parse(text) : null;
    this.shown = shown;
    if (shown) {
      this.slider.max = shown.n_codebooks; // first: a value is held below the maximum
      this.slider.value = shown.n_codebooks;
      this.showKept(shown.reply);
      shown.sounds.kept = shown.reply.wav;
    }
    this.timeline.show(shown);
  }

  // An answer from the server; one about an earlier clip is dropped.
  answer(reply) {
    if (!reply) return;
    (reply.to === "keep" ? this.keeping : this.hearing).done();
    if (reply.failed || reply.token !== this.shown?.token) return;
    const { player } = this.timeline.link;
    if (reply.to === "keep" && reply.n_codebooks === Number(this.slider.value)) {
      this.showKept(reply);
      player.set("kept", reply.wav);
      this.timeline.choose("kept");
    }
    if (reply.to === "hear") {
      player.once(reply.wav);
      this.host.dataset.heard = `${reply.row}:${reply.frame}:${reply.code}`;
      const rows = reply.row === 1 ? "row 1" : `rows 1-${reply.row}`;
      const time = ((reply.frame + 0.5) / this.shown.frame_rate).toFixed(3);
      this.timeline.say(`Heard: code ${reply.code} of codebook ${reply.row} at ${time} s, with ${rows} held for ${this.shown.hold_s} s.`);
    }
  }

  showKept(reply) {
    const [kept, all] = [Number(this.slider.value), this.shown.n_codebooks];
    const rate = (kept * this.shown.kbps_per_codebook).toFixed(1);
    const difference = reply ? ` · differs by ${reply.difference_db.toFixed(1)} dB` : " · …";
    const text = this.host.querySelector(".af-kept");
    text.textContent = `${kept} of ${all} codebooks · ${rate} kbit/s${difference}`;
    text.title = "Mean difference of the two log-mel pictures";
    this.slider.setAttribute("aria-valuetext", `${kept} of ${all}`);
  }
}
