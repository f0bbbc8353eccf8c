// A sound of the visitor's own: a file that is dropped or chosen, or a recording.
import { part } from "./parts.js";
import { MicrophoneChoice } from "./widgets/microphone.js";
import { Recording } from "./widgets/recording.js";

const MOST_MB = 50;

// Any sound file that this browser knows, to mono samples at a rate.
export async function decoded(bytes, rate) {
  const buffer = bytes instanceof ArrayBuffer ? bytes : bytes.slice().buffer;
  if (buffer.byteLength > MOST_MB * 1e6) throw new Error(`this file has ${(buffer.byteLength / 1e6).toFixed(0)} MB; up to ${MOST_MB} MB are read`);
  const context = new OfflineAudioContext(1, 1, rate);
  let sound;
  try {
    sound = await context.decodeAudioData(buffer);
  } catch {
    throw new Error("this browser cannot read the file as a sound; try WAV, FLAC, Ogg or MP3");
  }
  const mono = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel++) {
    sound.getChannelData(channel).forEach((value, i) => (mono[i] += value / sound.numberOfChannels));
  }
  return mono;
}

export class SoundSource {
  // take(file): a File or Blob with a name.
  constructor(host, take) {
    Object.assign(this, { host, take, recording: null });
    this.input = Object.assign(document.createElement("input"), { type: "file", accept: "audio/*", hidden: true });
    this.input.addEventListener("change", () => this.input.files[0] && take(this.input.files[0]));
    const choose = this.button("Drop a sound anywhere, or click to choose one", () => this.input.click());
    choose.className = "af-button af-choose";
    this.record = this.button("● Record", () => (this.recording ? this.recording.finish() : this.start()));
    this.said = part("p", "af-note", "");
    this.said.setAttribute("role", "status");
    this.choice = new MicrophoneChoice();
    host.append(this.input, choose, this.record, this.choice.host, this.said);
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) take(file);
    });
  }

  button(text, act) {
    const made = Object.assign(part("button", "af-button", text), { type: "button" });
    made.addEventListener("click", act);
    return made;
  }

  async start() {
    this.said.textContent = "";
    this.recording = new Recording({
      left: (seconds) => (this.record.textContent = `■ Stop (${seconds.toFixed(1)} s left)`),
      done: (wav) => this.finished(wav),
      say: (sentence) => (this.said.textContent = sentence),
    });
    try {
      await this.recording.start();
      this.choice.fill(this.recording?.microphone.device);
    } catch (error) {
      this.finished(null);
      this.said.textContent = error.message;
    }
  }

  finished(wav) {
    this.recording = null;
    this.record.textContent = "● Record";
    if (wav) this.take(Object.assign(wav, { name: "recording" }));
  }
}
