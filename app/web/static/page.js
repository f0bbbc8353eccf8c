// The app without a server: its own rooms, which ask their questions of a worker on this computer.
//
// A room takes {element, read, watch, send}: in the app Gradio stands behind it, here a Part does.
import * as attentionRoom from "./attention_room.js";
import * as clipView from "./clip_view.js";
import * as header from "./header.js";
import { Lessons } from "./lessons.js";
import * as liveRoom from "./live_room.js";
import * as maskRoom from "./mask_room.js";
import { part } from "./parts.js";
import { SoundSource, decoded } from "./sound_source.js";
import * as samplePicker from "./sample_picker.js";
import { Engine } from "./engine_client.js";
import * as switchesRoom from "./switches_room.js";
import * as teachRoom from "./teach_room.js";
import { verdictCard } from "./verdict.js";

// An element with named values, whose changes are watched; events go to `heard`.
class Part {
  constructor(element, values, heard) {
    Object.assign(this, { element, values, watchers: new Map(), heard, replies: 0 });
  }

  mount(module) {
    module.mount({
      element: this.element,
      read: (name) => this.values[name],
      watch: (name, act) => this.watchers.set(name, [...(this.watchers.get(name) ?? []), act]),
      send: (name, data) => this.heard(name, data),
      upload: (file) => this.upload(file),
    });
    return this;
  }

  set(name, value) {
    this.values[name] = value;
    for (const act of this.watchers.get(name) ?? []) act();
  }

  reply(data) {
    this.set("reply", JSON.stringify({ ...data, answer: ++this.replies }));
  }
}

class Page {
  constructor(site, engine) {
    Object.assign(this, { site, engine, picks: 0 });
    const { sentence, tour, samples } = site;
    this.head = this.part("#af-head", { value: JSON.stringify({ sentence, tour }) }, (event, wanted) => event === "open" && this.follow(wanted)).mount(header);
    this.picker = this.part("#af-samples", { value: JSON.stringify(samples), selected: -1 }, (_, { index }) => this.pick(index)).mount(samplePicker);
    this.source = new SoundSource(document.querySelector("#af-input"), (file) => this.take(file));
    this.clip = this.room("listen", clipView, { value: "", offers: ["keep", "hear", "change"] });
    if (site.guesser) this.room("mask", maskRoom, {});
    this.room("switches", switchesRoom, {});
    this.room("attention", attentionRoom, {});
    this.room("live", liveRoom, {});
    const lessons = new Lessons(this, document.querySelector("#af-who"), () => this.sound && this.open(() => this.sound));
    this.room("teach", teachRoom, {}, (what, data) => lessons.ask(what, data)).upload = (file) => lessons.upload(file);
    this.tabs();
    this.verdict(null);
  }

  part(place, values, heard) {
    return new Part(document.querySelector(place), values, heard);
  }

  // A room whose questions go to the engine by their name; an answer may say that there is more of it.
  room(name, module, values, ask = (what, data) => this.engine.ask(name, what, data)) {
    const room = this.part(`#af-room-${name} > div`, { ...values, reply: "" }, async (event, data) => {
      if (event === "use") return this.open(() => this.engine.ask("live", "cut", data));
      const what = event === "ask" ? data.what : event;
      try {
        let answer = await ask(what, data);
        room.reply({ to: what, ...answer });
        while (answer.more) room.reply({ to: what, ...(answer = await ask("more", data)) });
      } catch (error) {
        if (name !== "teach") this.say(error.message); // which says it beside what it is about
        room.reply({ to: what, failed: error.message, token: this.token, take: data.take, task: data.task });
      }
    });
    return room.mount(module);
  }

  tabs() {
    const tabs = [...document.querySelectorAll("#af-rooms [role=tab]")];
    const show = (chosen) => tabs.forEach((tab) => {
      const on = tab === chosen;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !on;
    });
    tabs.forEach((tab, i) => {
      tab.addEventListener("click", () => show(tab));
      tab.addEventListener("keydown", ({ key }) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
        if (!step) return;
        const next = tabs[(i + step + tabs.length) % tabs.length];
        next.focus();
        next.click();
      });
    });
    show(tabs[0]);
  }

  // --- what is on the page

  pick(index) {
    const { file, label, events } = this.site.samples[index];
    return this.open(async () => {
      const bytes = await globalThis.audioformerSite.file(`samples/${file}`);
      return { samples: await decoded(bytes, this.rate), name: file, truth: label, events, sample: index };
    });
  }

  take(file) {
    return this.open(async () => ({ samples: await decoded(await file.arrayBuffer(), this.rate), name: file.name }));
  }

  follow({ sample }) {
    const index = this.site.samples.findIndex(({ file }) => file === sample);
    const done = () => this.head.set("answer", String(++this.picks));
    if (index < 0) return done();
    return this.pick(index).then(done);
  }

  get rate() {
    return this.site.codec.frames.sample_rate;
  }

  // A sound, as soon as it is read, becomes the clip of all rooms; of several only the last that was asked for.
  async open(read) {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    document.querySelector("#af-verdict").classList.add("af-stale");
    try {
      const sound = await read();
      if (asked !== this.asked) return;
      this.sound = sound;
      const found = await this.engine.ask("listen", "open", sound);
      if (asked !== this.asked) return;
      this.show(found);
    } catch (error) {
      if (asked === this.asked) this.say(error.message);
    } finally {
      document.querySelector("#af-verdict").classList.toggle("af-stale", asked !== this.asked);
      this.picker.set("answer", String(++this.picks));
    }
  }

  show(found) {
    this.found = found;
    this.token = found.view.token;
    this.say("");
    this.verdict(found.verdict);
    this.clip.set("value", JSON.stringify(found.view));
    this.picker.set("selected", found.sample);
    Object.assign(document.body.dataset, { clip: found.view.token, tookMs: found.took.all_ms.toFixed(0) });
  }

  verdict(shown) {
    document.querySelector("#af-verdict").replaceChildren(verdictCard(shown));
  }

  say(text) {
    const box = document.querySelector("#af-message");
    box.replaceChildren();
    if (!text) return;
    const card = part("div", "af-message");
    card.setAttribute("role", "alert");
    card.append(part("p", "", text));
    box.append(card);
  }
}

export async function start() {
  const engine = new Engine();
  const load = document.querySelector("#af-loading");
  try {
    const site = JSON.parse(new TextDecoder().decode(await globalThis.audioformerSite.file("site.json")));
    const page = new Page(site, engine);
    await engine.start(site);
    load.remove();
    document.body.dataset.ready = "yes";
    const named = new URLSearchParams(location.hash.slice(1)).get("sample"); // by the address of an earlier visit
    const first = [site.samples.findIndex(({ file }) => file === named), site.samples.findIndex(({ label }) => label === "dog"), 0];
    await page.pick(first.find((index) => index >= 0));
    globalThis.audioformerPage = page;
  } catch (error) {
    load.textContent = `The page cannot start: ${error.message}`;
    load.setAttribute("role", "alert");
  }
}
