// Sounds of the same length in step: all run, one is heard, so that swapping is instant and in place. Cut in the
// browser: a stretch of a sound starts within a millisecond and needs no server.
const START_S = 0.02;
const FADE_S = 0.006;

// A mono 16-bit WAV file in base64 to its samples; no decoder, no resampling.
export function readWav(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  let at = 12;
  while (view.getUint32(at, false) !== 0x64617461) at += 8 + view.getUint32(at + 4, true); // "data"
  const pcm = new Int16Array(bytes.buffer.slice(at + 8, at + 8 + view.getUint32(at + 4, true)));
  return { samples: Float32Array.from(pcm, (value) => value / 32768), rate: view.getUint32(24, true) };
}

// The other way round, for saving. samples: of one channel, or an array of channels; promised: how many its header counts.
export function writeWav(samples, rate, promised = null) {
  return new Blob([wavBytes(samples, rate, promised)], { type: "audio/wav" });
}

export function wavBytes(samples, rate, promised = null) {
  const channels = Array.isArray(samples) ? samples : [samples];
  const [n, width] = [channels[0].length, 2 * channels.length];
  const view = new DataView(new ArrayBuffer(44 + width * n));
  const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  const size = width * (promised ?? n);
  text(0, "RIFF");
  view.setUint32(4, 36 + size, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, width * rate, true);
  view.setUint16(32, width, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, size, true);
  channels.forEach((channel, c) => channel.forEach((value, i) => view.setInt16(44 + width * i + 2 * c, Math.max(-1, Math.min(1, value)) * 32767, true)));
  return new Uint8Array(view.buffer);
}

export class Player {
  constructor() {
    this.context = null;
    this.sounds = new Map();
    this.running = null;
    this.heard = "original";
    this.onChange = () => {};
  }

  // Browsers allow sound only after a gesture: the context is made by the first click or key.
  wake() {
    this.context ??= new AudioContext();
    if (this.context.state !== "running") this.context.resume(); // iOS calls it "interrupted" after a call
    return this.context;
  }

  forget() {
    this.stop();
    this.sounds.clear();
  }

  // A sound under a name; one that replaces a running one goes on at the same place.
  set(name, base64) {
    const { time, running } = this;
    this.sounds.set(name, readWav(base64));
    if (running) this.play(time, running.loop);
  }

  choose(name) {
    this.heard = name;
    for (const [key, gain] of Object.entries(this.running?.gains ?? {})) {
      gain.gain.setTargetAtTime(key === name ? 1 : 0, this.context.currentTime, 0.008);
    }
  }

  // From a moment to the end, or round and round in loop = [start, end].
  play(from = 0, loop = null) {
    this.stop();
    const context = this.wake();
    const start = context.currentTime + START_S;
    const gains = {};
    const sources = [...this.sounds].map(([name, sound]) => {
      const source = this.source(sound);
      gains[name] = context.createGain();
      gains[name].gain.value = name === this.heard ? 1 : 0;
      if (loop) [source.loop, source.loopStart, source.loopEnd] = [true, loop[0], loop[1]];
      source.connect(gains[name]).connect(context.destination);
      source.start(start, from);
      return source;
    });
    if (!sources.length) return;
    const running = { sources, gains, start, from, loop };
    this.running = running;
    sources[0].onended = () => {
      if (this.running === running) this.stop();
    };
    this.onChange(true);
  }

  source(sound) {
    const source = this.wake().createBufferSource();
    const { samples, rate } = sound;
    sound.buffer ??= new AudioBuffer({ length: Math.max(1, samples.length), numberOfChannels: 1, sampleRate: rate });
    sound.buffer.copyToChannel(samples, 0);
    source.buffer = sound.buffer;
    return source;
  }

  stop() {
    if (!this.running) return;
    this.running.sources.forEach((source) => source.stop());
    this.running = null;
    this.onChange(false);
  }

  // Seconds into the clip, or null when nothing plays.
  get time() {
    if (!this.running) return null;
    const { start, from, loop } = this.running;
    const time = Math.max(0, this.context.currentTime - start) + from;
    return loop && time > loop[1] ? loop[0] + ((time - loop[0]) % (loop[1] - loop[0])) : time;
  }

  // A short stretch of the sound that is heard, once.
  cut(from, to) {
    const sound = this.sounds.get(this.heard) ?? [...this.sounds.values()][0];
    if (sound) this.faded(sound, from, to - from);
  }

  // A sound that belongs to no time line, once.
  once(base64) {
    this.faded(readWav(base64), 0, null);
  }

  // Samples made in the browser, once; returns the source, which can be stopped.
  samples(samples, rate) {
    return this.faded({ samples, rate }, 0, null);
  }

  faded(sound, from, seconds) {
    this.stop();
    const context = this.wake();
    const length = seconds ?? sound.samples.length / sound.rate;
    const [start, gain, source] = [context.currentTime, context.createGain(), this.source(sound)];
    gain.gain.setValueAtTime(0, start);
    gain.gain.linearRampToValueAtTime(1, start + FADE_S);
    gain.gain.setValueAtTime(1, start + Math.max(FADE_S, length - FADE_S));
    gain.gain.linearRampToValueAtTime(0, start + length);
    source.connect(gain).connect(context.destination);
    source.start(start, from, length);
    this.last = { start: from, seconds: length };
    return source;
  }
}
