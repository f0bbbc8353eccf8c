// Phones' and browsers' recordings (m4a, aac, 3gp, webm ...) made into WAV by the browser, which decodes what it can play:
// no program has to be installed. What it cannot decode stays as it is, and who gets it says what it is.
import { writeWav } from "./player.js";

const PHONES = /\.(m4a|mp4|3gp|3g2|aac|amr|awb|webm|mka|mkv|mov|wma|caf)$/i;
const DECODED_HZ = 48000;
const TOLERATED_S = 0.1; // by which coders lengthen or shorten a sound
const CHANGED = "the browser's protection against fingerprinting changes what a page decodes: switch it off for this page, or make a WAV of it";

export const isPhones = ({ name, type }) => PHONES.test(name) || /^(video|audio\/(mp4|x-m4a|aac|3gpp|webm))/.test(type);

// A File to a WAV of the same name, or to itself. The WAV promises as many samples as the header of the original did, so
// that whoever reads it finds out how many are missing. Throws where the browser gives other samples than it decoded.
export async function asWav(file) {
  if (!isPhones(file)) return file;
  const promised = await lengthOf(file);
  const context = new OfflineAudioContext(1, 1, DECODED_HZ);
  const sound = await context.decodeAudioData(await file.arrayBuffer()).catch(() => null);
  if (!sound?.length) return file;
  if (isChanged(context)) throw new Error(`${file.name}: ${CHANGED}.`);
  const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
  const n = promised > sound.duration + TOLERATED_S ? Math.round(promised * DECODED_HZ) : sound.length;
  return new File([writeWav(channels, DECODED_HZ, n)], file.name.replace(/\.\w+$/, "") + ".wav", { type: "audio/wav" });
}

// Seconds that a file's header says it lasts; 0 where it does not say.
function lengthOf(file) {
  return new Promise((resolve) => {
    const [player, address] = [new Audio(), URL.createObjectURL(file)];
    const done = () => {
      URL.revokeObjectURL(address);
      resolve(Number.isFinite(player.duration) ? player.duration : 0);
    };
    for (const name of ["loadedmetadata", "error"]) player.addEventListener(name, done, { once: true });
    Object.assign(player, { preload: "metadata", src: address });
  });
}

// Whether samples come back from the browser otherwise than they were given to it (Brave, Firefox's resistFingerprinting).
function isChanged(context) {
  const [buffer, given] = [context.createBuffer(1, 256, DECODED_HZ), Float32Array.from({ length: 256 }, (_, i) => Math.sin(i) / 2)];
  buffer.copyToChannel(given, 0);
  return buffer.getChannelData(0).some((value, i) => value !== given[i]);
}
