// A short recording: stops by itself.
import { Microphone, PAUSED, reason } from "./microphone.js";
import { writeWav } from "./player.js";

export const LONGEST_S = 30;

export class Recording {
  // left(seconds): how much longer it can go on. done(wav): a WAV file as bytes, or null where nothing was recorded.
  // say(sentence): what goes wrong with the microphone, or is to be known of it.
  constructor({ left, done, say, longest = LONGEST_S }) {
    Object.assign(this, { done, say, blocks: [], rate: 0, length: 0 });
    this.microphone = new Microphone({
      block: (samples) => {
        this.blocks.push(samples);
        this.length += samples.length;
        const rest = longest - this.length / (this.rate || 48000);
        left(Math.max(0, rest));
        if (rest <= 0) this.finish();
      },
      ended: () => {
        say("The microphone was taken away while it recorded.");
        this.finish();
      },
      paused: (on) => on && say(PAUSED),
    });
  }

  // Throws what the browser says if there is no microphone.
  async start() {
    try {
      this.rate = await this.microphone.start(window.audioformerRawMicrophone === false);
    } catch (error) {
      this.microphone.stop();
      throw new Error(reason(error));
    }
    (await this.microphone.remarks()).forEach(this.say);
  }

  finish() {
    if (!this.done) return;
    const done = this.done;
    this.done = null;
    this.microphone.stop();
    if (!this.length || !this.rate) {
      this.say("Nothing was recorded.");
      return done(null);
    }
    const samples = new Float32Array(this.length);
    let at = 0;
    for (const block of this.blocks) {
      samples.set(block, at);
      at += block.length;
    }
    return done(writeWav(samples, this.rate));
  }
}
