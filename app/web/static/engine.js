// The models of the page, in a worker: graphs run by onnxruntime-web on one core, sound never leaves the page.
//
// Messages in: {id, room, what, data}; out: {id, reply} or {id, failed}. Without a room, `data` brings what is asked for:
// `start` the site's data and the bytes of the runtime and the models, a room's name the files that it alone needs.
import * as ort from "./runtime.js";
import { Clips } from "./clips.js";
import { Codec } from "./codec.js";
import { decoding, encoding, guessing, labelling, session } from "./graphs.js";
import { Guesser } from "./guesses.js";
import { unpacked } from "./lanes_data.js";
import { Listening } from "./listening.js";
import { Looking } from "./looking.js";
import { Masking } from "./masking.js";
import { Classifier } from "./reading.js";
import { MelPicture } from "./spectra.js";
import { Switching } from "./switching.js";
import { Teaching } from "./teaching.js";

const rooms = {};
const bring = { start, mask, teach };
let kit;

async function start({ site, runtime, models }) {
  ort.env.wasm.wasmBinary = runtime;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const [encoder, decoder, classifier] = await Promise.all([models.encoder, models.decoder, models.classifier].map(session));
  site.shades = unpacked(site.shades);
  const codec = new Codec({ encode: encoding(encoder, site.codec.memory), decode: decoding(decoder) }, site.codec);
  const reader = new Classifier(labelling(classifier, site.classifier.sizes), site.classifier);
  kit = { site, codec, classifier: reader, picture: new MelPicture(site.picture) };
  const listen = new Clips(kit);
  Object.assign(rooms, { listen, live: new Listening(kit), switches: new Switching(kit, listen), attention: new Looking(kit, listen) });
  return { ready: true };
}

function teach({ files: [graph, rest] }) {
  rooms.teach = new Teaching(kit, rooms.listen, { graph, rest });
  return { ready: true };
}

async function mask({ files: [model] }) {
  rooms.mask = new Masking(kit, rooms.listen, new Guesser(guessing(await session(model)), kit.site.guesser));
  return { ready: true };
}

// One question at a time: a graph that runs cannot be asked again.
let last = Promise.resolve();
self.onmessage = ({ data: { id, room, what, data } }) => {
  last = last.then(async () => {
    try {
      const reply = room ? await rooms[room].answers[what](data) : await bring[what](data);
      self.postMessage({ id, reply });
    } catch (error) {
      self.postMessage({ id, failed: error.message ?? String(error) });
    }
  });
};
