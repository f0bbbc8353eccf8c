// Sound from the microphone, every sample of it: captured on the browser's audio thread, so that nothing the page does
// loses any. Channels are averaged; the rate is the device's own. Which one it is can be chosen, for the whole page.
import { part } from "./dom.js";

const CAPTURE = `registerProcessor("af-capture", class extends AudioWorkletProcessor {
  constructor() { super(); this.fresh(); }
  fresh() { this.block = new Float32Array(1024); this.filled = 0; }
  process([channels]) {
    const n = channels.length ? channels[0].length : 0;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.block[this.filled++] = sum / channels.length;
      if (this.filled === this.block.length) { this.port.postMessage(this.block, [this.block.buffer]); this.fresh(); }
    }
    return true;
  }
});`;

const CHOSEN = "audioformer-microphone"; // deviceId of the one chosen last in this browser
const REMEMBERED = { chosen: null }; // where nothing may be stored, as in some notebooks
const LOW_HZ = 16000; // a microphone below this rate is spoken of
const DEAF_MS = 3000; // without a block of sound
export const PAUSED = "No sound comes from the microphone: a call, a locked screen, another program or its own switch holds it. It goes on when that ends.";
const FROM_DISK = "This browser gives no microphone to a page that was opened from a disk: open it in Chrome or Edge, or from a web address (https).";
const REASONS = {
  NotAllowedError: "The browser was not allowed to listen: allow the microphone for this page.",
  NotFoundError: "There is no microphone here: plug one in, or allow it in the settings of the system.",
  NotReadableError: "The microphone cannot be opened: another program holds it, or the system does not give it to the browser.",
};

function chosen() {
  try {
    return localStorage.getItem(CHOSEN);
  } catch {
    return REMEMBERED.chosen;
  }
}

// deviceId: null forgets it.
function choose(deviceId) {
  REMEMBERED.chosen = deviceId;
  try {
    if (deviceId) localStorage.setItem(CHOSEN, deviceId);
    else localStorage.removeItem(CHOSEN);
  } catch {
    // remembered as long as the page is open
  }
}

export const reason = (error) => REASONS[error.name] ?? error.message;

export class Microphone {
  // block(samples): the next 1024 samples; ended(): the device was taken away; paused(on): no sound comes for now, as the
  // system wants (a call, a locked screen, a switch on the device) or without any word of it, or it comes again.
  constructor({ block, ended, paused = () => {} }) {
    Object.assign(this, { block, ended, paused, context: null, stream: null, cancel: null, deaf: false });
    document.addEventListener("visibilitychange", () => this.wake());
  }

  // processed: let the browser take out echo and noise and steer the level. Resolves to the sample rate. What is still
  // being opened when stop() or another start() comes is given up at once: an error without a message, `cancelled`.
  start(processed = false) {
    this.cancel?.();
    return new Promise((resolve, reject) => {
      const cancel = () => {
        if (this.cancel === cancel) this.cancel = null;
        reject(Object.assign(new Error(""), { cancelled: true }));
      };
      this.cancel = cancel;
      this.open(processed, () => this.cancel === cancel).then(resolve, reject);
    });
  }

  async open(processed, wanted) {
    if (!navigator.mediaDevices?.getUserMedia) {
      if (location.protocol === "file:") throw new Error(FROM_DISK);
      throw new Error("The browser gives a microphone only to pages on this computer (127.0.0.1) or over https.");
    }
    this.wish = { echoCancellation: processed, noiseSuppression: processed, autoGainControl: processed };
    const stream = await this.ask(this.wish);
    if (!wanted()) return stream.getTracks().forEach((track) => track.stop());
    this.close();
    this.stream = stream;
    const context = (this.context = new AudioContext());
    // the script as its own address: of a page that was opened from a disk, browsers load no other kind
    await context.audioWorklet.addModule(`data:text/javascript,${encodeURIComponent(CAPTURE)}`);
    if (!wanted()) return null; // closed already, or by the next to be opened
    const node = new AudioWorkletNode(context, "af-capture");
    node.port.onmessage = ({ data }) => this.context === context && this.came(data);
    this.arrived = this.tried = performance.now();
    this.watch = setInterval(() => this.look(), DEAF_MS / 10);
    node.connect(context.destination); // what it gives out is silence
    [this.node, this.source, this.tries] = [node, null, 0];
    this.join(stream);
    context.onstatechange = () => this.context === context && this.changed();
    this.wake(); // not waited for: where there is no way out for sound, some browsers never say that it runs
    return context.sampleRate;
  }

  // A stream's sound goes to the audio thread.
  join(stream) {
    this.source?.disconnect();
    this.stream = stream;
    this.source = this.context.createMediaStreamSource(stream);
    this.source.connect(this.node);
    for (const track of stream.getTracks()) {
      track.onended = () => this.stream === stream && this.ended();
      track.onmute = track.onunmute = () => this.stream === stream && this.changed();
    }
  }

  // Whether sound came of late. Where all seems to run and none comes, as on some systems after a call, the stream is
  // joined anew, then another one is asked for, once.
  look() {
    const now = performance.now();
    if (now - this.arrived < DEAF_MS) return;
    const running = this.deaf && this.context.state === "running";
    if (!this.deaf) this.paused((this.deaf = true));
    if (running && now - this.tried < DEAF_MS) return;
    this.tried = now;
    if (running) this.tries += 1;
    if (running && this.tries === 1) this.join(this.stream);
    if (running && this.tries === 2) this.renew(this.stream).catch(() => {});
  }

  async renew(old) {
    const stream = await this.ask(this.wish);
    if (this.stream === old) this.join(stream);
    (this.stream === stream ? old : stream).getTracks().forEach((track) => track.stop());
  }

  came(samples) {
    this.arrived = performance.now();
    if (this.deaf) this.paused((this.deaf = false));
    this.tries = 0;
    this.block(samples);
  }

  // The chosen microphone, or any other where that one is gone.
  async ask(audio) {
    const deviceId = chosen();
    this.replaced = false;
    if (!deviceId) return navigator.mediaDevices.getUserMedia({ audio });
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: { ...audio, deviceId: { exact: deviceId } } });
    } catch (error) {
      if (!["OverconstrainedError", "NotFoundError"].includes(error.name)) throw error;
      choose(null);
      this.replaced = true;
      return navigator.mediaDevices.getUserMedia({ audio });
    }
  }

  // The system paused the context ("interrupted" on iOS), gave it back ("suspended") or the device fell silent.
  changed() {
    const { context, stream } = this;
    this.paused(context.state !== "running" || stream.getTracks().some(({ muted }) => muted));
    this.wake();
  }

  // Asks a paused context to go on: refused for as long as a call lasts, and on iOS until somebody touches the page.
  wake() {
    if (this.context && this.context.state !== "running" && this.context.state !== "closed") this.context.resume().catch(() => {});
  }

  // The device in use; "" where the browser does not tell.
  get device() {
    return this.stream?.getAudioTracks()[0]?.getSettings().deviceId ?? "";
  }

  // What is to be said of it for as long as it is in use.
  async remarks() {
    if (!this.stream) return [];
    const hz = Math.min(this.stream.getAudioTracks()[0].getSettings().sampleRate ?? Infinity, this.context.sampleRate);
    const low = `This microphone gives ${hz / 1000} kHz, as hands-free headsets do: nothing above ${hz / 2000} kHz is heard. Choose another one.`;
    const hidden = "The browser keeps secret which microphones there are (in Firefox: resistFingerprinting): it uses the one of its own settings.";
    const named = (await microphones()).length > 0;
    return [hz < LOW_HZ && low, this.replaced && "The microphone chosen before is not there: another one is used.", !named && hidden].filter(Boolean);
  }

  stop() {
    this.cancel?.();
    this.close();
  }

  close() {
    clearInterval(this.watch);
    this.deaf = false;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context?.close();
    this.stream = this.context = null;
  }
}

// All microphones, {deviceId, label}; none with an id before one was allowed.
async function microphones() {
  const every = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
  return every.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId);
}

// A list to choose from, hidden where there is no choice. changed(): another one was chosen.
export class MicrophoneChoice {
  constructor(changed = () => {}) {
    this.host = part("label", "af-devices", "microphone ");
    this.select = this.host.appendChild(part("select", "af-device"));
    this.select.addEventListener("change", () => {
      choose(this.select.value);
      changed();
    });
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.fill());
    this.fill();
  }

  // used: deviceId of the one in use.
  async fill(used = this.select.value || chosen()) {
    const inputs = await microphones();
    this.host.hidden = inputs.length < 2;
    this.select.replaceChildren(...inputs.map(({ deviceId, label }, i) => new Option(label || `${i + 1}`, deviceId, false, deviceId === used)));
  }
}

// 16-bit samples as bytes in base64, as Python takes them.
export function inBase64(pcm) {
  const raw = new Uint8Array(pcm.buffer);
  let text = "";
  for (let i = 0; i < raw.length; i += 8192) text += String.fromCharCode(...raw.subarray(i, i + 8192));
  return btoa(text);
}
