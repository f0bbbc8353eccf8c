// Recordings for a classifier of one's own: press, make the sound, and it lies in the folder of its kind.
import { part } from "./dom.js";
import { inBase64, Microphone, MicrophoneChoice, PAUSED, reason } from "./microphone.js";

const PAGE = `
  <div class="af-bar" role="group" aria-label="Record">
    <button type="button" class="af-play"><span aria-hidden="true">●</span> <span>Record</span></button>
    <label>kind <select class="af-kind"></select></label>
    <label>place or day <select class="af-day"></select></label>
    <div class="af-level" role="meter" aria-label="Input level, dB of full scale" aria-valuemin="-80" aria-valuemax="0"><i></i></div>
    <button type="button" class="af-button" disabled>Delete the last one</button>
  </div>
  <p class="af-status"><span role="status"></span></p>
  <audio controls hidden></audio>
  <p class="af-status af-count"></p>`;

export class RecordView {
  // about: { kinds, days, seconds, counts }; send(name, data) to Python, whose replies come to answer().
  constructor(host, about, send) {
    Object.assign(this, { host, seconds: about.seconds, send, blocks: null, remarks: [] });
    host.classList.add("af-live", "af-record");
    host.innerHTML = PAGE; // fixed text
    for (const [name, values] of [[".af-kind", about.kinds], [".af-day", about.days]]) {
      this.find(name).replaceChildren(...values.map((value) => new Option(value, value)));
    }
    this.microphone = new Microphone({
      block: (samples) => this.block(samples),
      ended: () => this.fail("The microphone was taken away."),
      paused: (on) => this.say(on ? PAUSED : this.going),
    });
    this.choice = new MicrophoneChoice();
    this.find(".af-bar").append(this.choice.host);
    this.find(".af-play").addEventListener("click", () => (this.blocks ? this.done() : this.start()));
    this.find(".af-button").addEventListener("click", () => this.send("delete", {}));
    this.count(about.counts);
  }

  find(name) {
    return this.host.querySelector(name);
  }

  async start() {
    const button = this.find(".af-play");
    button.disabled = true;
    try {
      this.remarks = [];
      this.rate = await this.microphone.start();
    } catch (error) {
      if (!error.cancelled) this.fail(reason(error));
      return;
    } finally {
      button.disabled = false;
    }
    this.choice.fill(this.microphone.device);
    Object.assign(this, { blocks: [], captured: 0 });
    this.show("■", "Stop");
    this.going = `Recording ${this.seconds} seconds …`;
    this.remarks = await this.microphone.remarks();
    if (this.blocks) this.say(this.going);
  }

  block(samples) {
    if (!this.blocks) return;
    this.blocks.push(samples);
    this.captured += samples.length;
    const level = 10 * Math.log10(samples.reduce((sum, value) => sum + value * value, 0) / samples.length + 1e-8);
    this.find(".af-level").setAttribute("aria-valuenow", String(Math.round(level)));
    this.find(".af-level i").style.width = `${Math.min(100, Math.max(0, (level + 80) * 1.25))}%`;
    if (this.captured >= this.seconds * this.rate) this.done();
  }

  done() {
    const pcm = new Int16Array(this.captured);
    let at = 0;
    for (const block of this.blocks) for (const value of block) pcm[at++] = Math.max(-32768, Math.min(32767, Math.round(value * 32767)));
    const recording = { pcm: inBase64(pcm), rate: this.rate, kind: this.find(".af-kind").value, day: this.find(".af-day").value };
    this.close();
    this.say("Saving …");
    this.send("save", recording);
  }

  // What Python says of the last recording: { text, counts, sound, last }.
  answer(reply) {
    if (!reply) return;
    this.say(reply.text);
    this.count(reply.counts);
    this.find(".af-button").disabled = !reply.last;
    this.find("audio").hidden = !reply.sound;
    if (reply.sound) this.find("audio").src = `data:audio/wav;base64,${reply.sound}`;
  }

  count(counts) {
    const lines = Object.entries(counts).map(([kind, days]) => `${kind}: ${Object.entries(days).map(([day, n]) => `${n} ${day}`).join(", ")}`);
    this.find(".af-count").textContent = `In the folder so far: ${lines.join(" · ")}`;
  }

  fail(text) {
    this.close();
    this.say(text);
  }

  close() {
    this.microphone.stop();
    this.blocks = null;
    this.show("●", "Record");
    this.find(".af-level i").style.width = "0";
  }

  show(sign, word) {
    [this.find(".af-play").children[0].textContent, this.find(".af-play").children[1].textContent] = [sign, word];
  }

  say(text) {
    this.find(".af-status > [role=status]").textContent = [...this.remarks, text].join(" "); // of the microphone first
  }
}

export function mount({ element, read, watch, send }) {
  const view = new RecordView(element.appendChild(part("div", "")), JSON.parse(read("value")), send);
  watch("reply", () => view.answer(JSON.parse(read("reply") || "null")));
  return view;
}
