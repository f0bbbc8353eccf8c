// The card of one class in the room Teach: its name, ways to bring examples, the examples themselves, and what went wrong with one.
import { button, part } from "./parts.js";
import { LONGEST_S, Recording } from "./widgets/recording.js";
import { look } from "./widgets/colours.js";
import { readWav } from "./widgets/player.js";

const HOLD_MS = 350; // a longer press is no click

export class ClassCard {
  // changed(): name or examples are others. bring(files), page(): sounds for it. forget(ids), hear(id), remove(card): the rest.
  // recorders: the one recording of the page, {now}. none: whether this is the class of all other sounds, whose name is fixed.
  constructor({ number, letters, name = "", none = false }, recorders, does) {
    Object.assign(this, { number, none, recorders, does, examples: [], host: part("section", "af-card af-pupil") });
    this.input = part("input", "af-class-name");
    Object.assign(this.input, { type: "text", placeholder: `Class ${number + 1}: its name`, maxLength: letters, value: name, readOnly: none });
    this.input.setAttribute("aria-label", `Name of class ${number + 1}`);
    this.away = button("×", "Remove this class", () => does.remove(this), "af-button af-remove");
    const files = part("input", "af-files");
    Object.assign(files, { type: "file", multiple: true, accept: ".wav,.flac,.ogg,.oga,.mp3,.aif,.aiff,.m4a,.3gp,.amr,.webm,audio/*" });
    files.setAttribute("aria-label", `Files for class ${number + 1}`);
    files.addEventListener("change", () => {
      this.bring([...files.files]);
      files.value = "";
    });
    this.input.addEventListener("input", () => this.named());
    this.record = button("● Record", `Click to start and to stop, or hold it down; up to ${LONGEST_S} s`, () => this.clicked(), "af-button af-record");
    this.record.addEventListener("pointerdown", () => this.press());
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) this.record.addEventListener(end, () => this.release());
    const tools = part("div", "af-controls");
    tools.append(this.record, button("Files", "Add sound files, or drop them on this card", () => files.click()), files);
    tools.append(button("+ this sound", "Add the sound on the page", () => this.ask(() => does.page())));
    if (none) tools.append(button("+ sounds of the kit", "Add eight computed sounds of different kinds", () => this.ask(() => does.others())));
    const head = part("div", "af-pupil-head");
    head.append(this.input, this.away);
    this.list = part("div", "af-examples");
    this.said = part("p", "af-card-said");
    this.said.setAttribute("role", "alert");
    this.host.append(head, tools, this.said, this.list);
    this.host.addEventListener("dragover", (event) => event.preventDefault());
    this.host.addEventListener("drop", (event) => {
      event.preventDefault();
      this.bring([...event.dataTransfer.files]);
    });
    this.named();
  }

  get name() {
    return this.input.value.trim();
  }

  named() {
    this.away.setAttribute("aria-label", `Remove class ${this.name || this.number + 1}`);
    this.does.changed();
  }

  // Whether another class has its name already.
  same(on) {
    this.input.classList.toggle("af-invalid", Boolean(on));
    this.input.setAttribute("aria-invalid", String(Boolean(on)));
    this.input.title = on ? "Another class has this name" : "";
  }

  // What went wrong with one of its sounds; each sentence stays until something else is brought.
  say(text) {
    this.said.append(part("span", "", text));
  }

  ask(act) {
    this.said.replaceChildren();
    act();
  }

  bring(files) {
    this.ask(() => this.does.bring(files));
  }

  add(example) {
    this.examples.push(example);
    if (example.note) this.say(`${example.name}: ${example.note}`);
    this.show();
  }

  show() {
    this.list.replaceChildren(...this.examples.map((example) => {
      const chip = part("span", "af-example");
      const told = [example.name, example.note].filter(Boolean).join(", ");
      const play = button(`▶ ${example.duration_s.toFixed(1)} s`, told, () => this.does.hear(example.id), "af-guess");
      const away = button("×", "Remove this example", () => this.drop(example), "af-guess");
      away.setAttribute("aria-label", `Remove ${example.name}`);
      chip.append(play, picture(example.wav), away);
      return chip;
    }));
  }

  drop(example) {
    this.examples = this.examples.filter((other) => other !== example);
    this.does.forget([example.id]);
    this.show();
    this.does.changed();
  }

  // Held down for a moment, the button records until it is let go; a click starts, the next one stops.
  press() {
    this.holding = false;
    if (this.recorders.now) return;
    this.hold = setTimeout(() => {
      this.holding = true;
      this.toggle();
    }, HOLD_MS);
  }

  release() {
    clearTimeout(this.hold);
    if (this.holding && this.recorders.now?.card === this) this.recorders.now.finish();
  }

  clicked() {
    if (!this.holding) this.toggle();
    this.holding = false;
  }

  // One class records at a time.
  async toggle() {
    const { recorders } = this;
    if (recorders.now) return recorders.now.card === this && recorders.now.finish();
    const left = (seconds) => (this.record.textContent = `■ Stop (${seconds.toFixed(1)} s)`);
    const recording = new Recording({ left, done: (wav) => this.recorded(wav), say: (text) => this.say(text) });
    recorders.now = Object.assign(recording, { card: this });
    this.said.replaceChildren();
    try {
      await recording.start();
      this.record.setAttribute("aria-pressed", "true");
      recorders.choice.fill(recording.microphone.device);
    } catch (error) {
      recorders.now = null;
      this.say(error.message);
    }
    return true;
  }

  recorded(wav) {
    this.recorders.now = null;
    this.record.textContent = "● Record";
    this.record.setAttribute("aria-pressed", "false");
    if (wav) this.does.bring([new File([wav], `recording ${this.examples.length + 1}.wav`, { type: "audio/wav" })]);
  }
}

// A thumbnail of the waveform: what is recorded can be seen.
function picture(wav) {
  const { samples } = readWav(wav);
  const canvas = part("canvas", "af-thumb");
  [canvas.width, canvas.height] = [56, 20];
  const paper = canvas.getContext("2d");
  paper.fillStyle = look().blue;
  for (let x = 0; x < canvas.width; x++) {
    const [from, to] = [x, x + 1].map((at) => Math.floor((at * samples.length) / canvas.width));
    let most = 0;
    for (let i = from; i < to; i++) most = Math.max(most, Math.abs(samples[i]));
    const size = Math.max(1, most * canvas.height);
    paper.fillRect(x, (canvas.height - size) / 2, 1, size);
  }
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}
