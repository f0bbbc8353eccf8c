// A sound of one's own in a notebook: recorded here, or a file. What a phone made is decoded here; then it goes to the
// kernel piece by piece, each after the answer to the one before.
import { asWav } from "./decode.js";
import { part } from "./dom.js";
import { MicrophoneChoice } from "./microphone.js";
import { Recording } from "./recording.js";

const RECORDED_S = 30;
const PIECE = 1 << 19; // letters of base64

// The prop `reply` is {take, received} after a piece, {take, said} at the end, or {take, failed}.
export function mount({ element, read, watch, send }) {
  const host = element.appendChild(part("div", "af-clip af-own-sound"));
  const bar = host.appendChild(part("div", "af-bar"));
  const record = bar.appendChild(part("button", "af-play", "● Record"));
  const file = bar.appendChild(part("input", "af-files"));
  const choice = new MicrophoneChoice();
  const player = part("audio", "");
  const said = part("p", "af-status", `Record up to ${RECORDED_S} s, or choose a file: a phone's recording will do.`);
  record.type = "button";
  Object.assign(file, { type: "file", accept: "audio/*,.m4a,.3gp,.amr,.webm" });
  file.setAttribute("aria-label", "Sound file");
  said.setAttribute("role", "status");
  Object.assign(player, { controls: true, hidden: true });
  bar.append(choice.host, player);
  host.append(said);
  let [recording, going, take, remarks] = [null, null, 0, []];
  const say = (text) => (said.textContent = [...remarks, text].join(" ")); // what is to be known of the microphone stays

  const push = () => {
    const { text, at, name } = going;
    send("piece", { take, at, of: text.length, text: text.slice(at, at + PIECE), file: name });
  };

  const bring = async (given) => {
    try {
      const wav = await asWav(given);
      const text = await encoded(wav);
      player.src = URL.createObjectURL(wav);
      player.hidden = false;
      [take, going] = [take + 1, { text, at: 0, name: wav.name }];
      say(`${wav.name}: on its way …`);
      push();
    } catch (error) {
      say(error.message);
    }
  };

  const recorded = (wav) => {
    recording = null;
    record.textContent = "● Record";
    if (wav) bring(new File([wav], "recording.wav", { type: "audio/wav" }));
  };

  record.addEventListener("click", async () => {
    if (recording) return recording.finish();
    const left = (seconds) => (record.textContent = `■ Stop (${seconds.toFixed(0)} s)`);
    const remark = (text) => say("", remarks.push(text));
    const begun = (recording = new Recording({ left, done: recorded, say: remark, longest: RECORDED_S }));
    remarks = [];
    say("");
    try {
      await begun.start();
      choice.fill(begun.microphone.device);
    } catch (error) {
      recording = null;
      say(error.message);
    }
  });
  file.addEventListener("change", () => {
    remarks = [];
    if (file.files.length) bring(file.files[0]);
  });
  watch("reply", () => {
    const reply = JSON.parse(read("reply") || "null");
    if (reply?.take !== take || !going) return;
    if (reply.failed || reply.said) {
      going = null;
      host.dataset.take = take;
      return say(reply.failed ?? reply.said);
    }
    going.at = reply.received;
    push();
  });
}

// A file's bytes in base64.
function encoded(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error(`${file.name} cannot be read: ${reader.error.message}`));
    reader.readAsDataURL(file);
  });
}
