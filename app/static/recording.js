// A short recording for an example: stops by itself after LONGEST_S.
import { Microphone } from "./widgets/microphone.js";
import { writeWav } from "./widgets/player.js";

export const LONGEST_S = 5;

export class Recording {
  // left(seconds): how much longer it can go on. done(wav): a WAV file as bytes, or null where nothing was recorded.
  constructor({ left, done }) {
    Object.assign(this, { done, blocks: [], rate: 0, length: 0 });
    this.microphone = new Microphone({
      block: (samples) => {
        this.blocks.push(samples);
        this.length += samples.length;
        const rest = LONGEST_S - this.length / (this.rate || 48000);
        left(Math.max(0, rest));
        if (rest <= 0) this.finish();
      },
      ended: () => this.finish(),
    });
  }

  // Throws what the browser says if there is no microphone.
  async start() {
    try {
      this.rate = await this.microphone.start(window.audioformerRawMicrophone === false);
    } catch (error) {
      this.microphone.stop();
      throw error.name === "NotAllowedError" ? new Error("The browser was not allowed to use the microphone.") : error;
    }
  }

  finish() {
    if (!this.done) return;
    const done = this.done;
    this.done = null;
    this.microphone.stop();
    if (!this.length || !this.rate) return done(null);
    const samples = new Float32Array(this.length);
    let at = 0;
    for (const block of this.blocks) {
      samples.set(block, at);
      at += block.length;
    }
    return done(writeWav(samples, this.rate));
  }
}
