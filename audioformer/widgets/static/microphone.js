// Sound from the microphone, every sample of it: captured on the browser's audio thread, so that nothing the page does
// loses any. Channels are averaged; the rate is the device's own.
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

export class Microphone {
  // block(samples): the next 1024 samples; ended(): the device was taken away.
  constructor({ block, ended }) {
    Object.assign(this, { block, ended, context: null, stream: null, cancel: null });
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
      throw new Error("The browser gives a microphone only to pages on this computer (127.0.0.1) or over https.");
    }
    const audio = { echoCancellation: processed, noiseSuppression: processed, autoGainControl: processed };
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    if (!wanted()) return stream.getTracks().forEach((track) => track.stop());
    this.close();
    this.stream = stream;
    const context = (this.context = new AudioContext());
    const module = URL.createObjectURL(new Blob([CAPTURE], { type: "text/javascript" }));
    await context.audioWorklet.addModule(module);
    URL.revokeObjectURL(module);
    if (!wanted()) return null; // closed already, or by the next to be opened
    const node = new AudioWorkletNode(context, "af-capture");
    node.port.onmessage = ({ data }) => this.context === context && this.block(data);
    context.createMediaStreamSource(stream).connect(node).connect(context.destination); // what it gives out is silence
    for (const track of stream.getTracks()) track.onended = () => this.stream === stream && this.ended();
    await context.resume();
    return context.sampleRate;
  }

  stop() {
    this.cancel?.();
    this.close();
  }

  close() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context?.close();
    this.stream = this.context = null;
  }
}
