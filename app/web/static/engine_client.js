// The worker that runs the models, seen from the page: questions and their answers.
const GRAPHS = ["encoder", "decoder", "classifier"];
// files that only one room needs, fetched when it asks for the first time; what a lesson makes holds all weights
const LATER = { mask: ["guesser.onnx"], teach: ["classifier.onnx", "weights.bin"] };

export class Engine {
  constructor() {
    Object.assign(this, { questions: new Map(), n: 0, worker: null, brought: {} });
    this.ready = new Promise((resolve) => (this.started = resolve));
  }

  // Brings runtime and models to the worker. Throws a sentence with a way out where the browser cannot run them.
  async start(site) {
    if (!supportsSimd()) {
      throw new Error("this browser cannot run the models (no WebAssembly with SIMD). Any Chrome, Edge or Firefox since 2021, or Safari since 16.4, can.");
    }
    const { file, module } = globalThis.audioformerSite;
    const address = module("engine.js");
    this.worker = new Worker(address, { type: "module" });
    this.worker.onmessage = ({ data }) => this.answered(data);
    this.worker.onerror = (event) => this.broken(event.message || "the worker that runs the models could not be loaded");
    const [runtime, ...graphs] = await Promise.all(["runtime.wasm", ...GRAPHS.map((name) => `${name}.onnx`)].map(file));
    await this.question("", "start", { site, runtime, models: Object.fromEntries(GRAPHS.map((name, i) => [name, graphs[i]])) });
    this.started();
  }

  async ask(room, what, data) {
    await this.ready;
    if (LATER[room]) await (this.brought[room] ??= this.bring(room));
    return this.question(room, what, data);
  }

  async bring(room) {
    try {
      await this.question("", room, { files: await Promise.all(LATER[room].map(globalThis.audioformerSite.file)) });
    } catch (error) {
      delete this.brought[room]; // the next question tries again
      throw error;
    }
  }

  question(room, what, data) {
    const id = ++this.n;
    return new Promise((resolve, reject) => {
      if (this.failed) return reject(new Error(this.failed));
      this.questions.set(id, { resolve, reject });
      return this.worker.postMessage({ id, room, what, data });
    });
  }

  answered({ id, reply, failed }) {
    const { resolve, reject } = this.questions.get(id);
    this.questions.delete(id);
    if (failed === undefined) resolve(reply);
    else reject(new Error(failed));
  }

  broken(message) {
    this.failed = message;
    for (const { reject } of this.questions.values()) reject(new Error(message));
    this.questions.clear();
  }
}

// A module of four instructions, one of which needs SIMD.
function supportsSimd() {
  const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
  return typeof WebAssembly === "object" && WebAssembly.validate(Uint8Array.from(bytes));
}
