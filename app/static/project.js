// The project of the room Teach: names, sounds and the classifier. As one file (zip), and kept in this browser, so that a reload
// loses nothing. A project is {classes: [{name, none, examples: [{name, take, wav}]}], start, method, piece, model}: wav is a WAV
// file in base64, model the zip file of the classifier (a Blob) or null.
import { shelf } from "./shelf.js";
import { unzip, zip } from "./zip.js";

const KEY = "project";
const FORMAT = "audioformer-project-1";

export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function base64Of(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

// One file of it all: project.json, sounds/CLASS/NUMBER.wav, model.zip.
export async function asFile({ classes, model, ...choices }) {
  const sounds = [];
  const listed = classes.map(({ name, none, examples }, place) => ({
    name, none,
    examples: examples.map(({ name: own, take, wav }, number) => {
      const file = `sounds/${place + 1} ${name.replaceAll(/[^\p{L}\p{N} _-]/gu, "_")}/${number + 1}.wav`;
      sounds.push([file, bytesOf(wav)]);
      return { name: own, take, file };
    }),
  })); // prettier-ignore
  const about = new TextEncoder().encode(JSON.stringify({ format: FORMAT, ...choices, classes: listed }, null, 2));
  const last = model ? [["model.zip", new Uint8Array(await model.arrayBuffer())]] : [];
  return zip([["project.json", about], ...sounds, ...last]);
}

// The other way round; throws, with a sentence, where the file is no project.
export async function fromFile(file) {
  const parts = await unzip(file);
  const about = parts.has("project.json") ? JSON.parse(new TextDecoder().decode(parts.get("project.json"))) : {};
  if (about.format !== FORMAT || !Array.isArray(about.classes)) throw new Error("it holds no project of this room");
  const classes = about.classes.map(({ name, none, examples }) => ({
    name: String(name), none: Boolean(none),
    examples: examples.filter((one) => parts.has(one.file)).map((one) => ({ name: String(one.name), take: String(one.take), wav: base64Of(parts.get(one.file)) })),
  })); // prettier-ignore
  const model = parts.has("model.zip") ? new Blob([parts.get("model.zip")], { type: "application/zip" }) : null;
  return { ...about, classes, model };
}

// What this browser keeps.
export const kept = { read: () => shelf.get(KEY), write: (project) => shelf.put(KEY, project), clear: () => shelf.drop(KEY) };
