// A sound of one's own: recorded by one button, or a file.
import { button, part } from "./parts.js";
import { MicrophoneChoice } from "./widgets/microphone.js";
import { LONGEST_S, Recording } from "./widgets/recording.js";

const BOX = "#af-input input[type=file]";

export function mount({ element }) {
  const host = element.querySelector(".af-own-sound");
  const said = part("p", "af-card-said");
  said.setAttribute("role", "alert");
  const record = button("● Record", `Click to start and to stop; up to ${LONGEST_S} s`, () => toggle(), "af-button af-record af-record-own");
  const open = button("Open a file", "Or drop one on the box below", () => document.querySelector(BOX)?.click());
  const choice = new MicrophoneChoice();
  host.append(record, open, choice.host, said);
  let now = null;

  const idle = () => {
    now = null;
    record.textContent = "● Record";
    record.setAttribute("aria-pressed", "false");
  };
  const toggle = async () => {
    if (now) return now.finish();
    said.replaceChildren();
    now = new Recording({
      left: (seconds) => (record.textContent = `■ Stop (${seconds.toFixed(0)} s)`),
      done: (wav) => {
        idle();
        if (wav) give(new File([wav], "recording.wav", { type: "audio/wav" }));
      },
      say: (text) => said.append(part("span", "", text)),
    });
    try {
      await now.start();
      record.setAttribute("aria-pressed", "true");
      choice.fill(now.microphone.device);
    } catch (error) {
      idle();
      said.append(part("span", "", error.message));
    }
    return null;
  };
}

// A file into the box, as if it had been chosen there (phones.js makes WAV of a phone's recording).
function give(file) {
  const box = document.querySelector(BOX);
  const transfer = new DataTransfer();
  transfer.items.add(file);
  box.files = transfer.files;
  box.dispatchEvent(new Event("change", { bubbles: true }));
}
