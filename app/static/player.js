// Two sounds of the same length in step: both run, one is heard, so that swapping is instant and in place.
export class Player {
  constructor() {
    this.context = null;
    this.buffers = {};
    this.running = null;
    this.heard = "original";
    this.onEnd = () => {};
  }

  // Browsers allow sound only after a gesture: the context is made by the first click or key.
  wake() {
    this.context ??= new AudioContext();
    if (this.context.state === "suspended") this.context.resume();
    return this.context;
  }

  async decode(base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return this.wake().decodeAudioData(bytes.buffer);
  }

  forget() {
    this.stop();
    this.buffers = {};
  }

  choose(name) {
    this.heard = name;
    if (!this.running) return;
    for (const [key, gain] of Object.entries(this.running.gains)) {
      gain.gain.setTargetAtTime(key === name ? 1 : 0, this.context.currentTime, 0.008);
    }
  }

  play(from = 0) {
    this.stop();
    const context = this.wake();
    const start = context.currentTime + 0.02;
    const gains = {};
    const sources = Object.entries(this.buffers).map(([name, buffer]) => {
      const source = context.createBufferSource();
      gains[name] = context.createGain();
      gains[name].gain.value = name === this.heard ? 1 : 0;
      source.buffer = buffer;
      source.connect(gains[name]).connect(context.destination);
      source.start(start, from);
      return source;
    });
    if (!sources.length) return;
    const running = { sources, gains, start, from };
    this.running = running;
    sources[0].onended = () => {
      if (this.running === running) this.stop();
    };
  }

  stop() {
    if (!this.running) return;
    this.running.sources.forEach((source) => source.stop());
    this.running = null;
    this.onEnd();
  }

  // Seconds into the clip, or null when nothing plays.
  get time() {
    if (!this.running) return null;
    return Math.max(0, this.context.currentTime - this.running.start) + this.running.from;
  }

  async once(base64) {
    this.stop();
    const source = this.wake().createBufferSource();
    source.buffer = await this.decode(base64);
    source.connect(this.context.destination);
    source.start();
  }
}
