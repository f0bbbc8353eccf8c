// The picture from sound to label as a row of boxes, each with a small picture of this clip's numbers at one moment.
import { bars, heat, shades } from "./heat.js";
import { part } from "./parts.js";
import { unpack } from "./widgets/lanes.js";

const AROUND = 3; // tokens shown on either side

// boxes as rooms/flow.py gives them; link: the clip; pick(box): one was chosen.
export function drawStrip(host, { boxes, frame }, link, pick) {
  const focused = [...host.children].indexOf(document.activeElement);
  host.replaceChildren(...boxes.map((box) => {
    const button = part("button", "af-box");
    button.type = "button";
    Object.assign(button.dataset, { step: box.step, block: box.block ?? "" });
    button.append(small(box, frame, link), part("b", "", box.name), part("span", "", box.text));
    button.setAttribute("aria-label", `${box.name}: ${box.text}. Opens it.`);
    button.addEventListener("click", () => pick(box));
    return button;
  }));
  if (focused >= 0) host.children[focused]?.focus();
}

function small(box, frame, link) {
  if (box.heat) return heat(box.heat, "af-heat af-small");
  const { codes, shades: packed } = link.lanes.get("codes") ?? {};
  if (box.step === "codes") return shades(unpack(box.shades), 1, unpack(box.shades).length, "af-heat af-small");
  if (box.step === "tokens" && codes) {
    const [levels, n] = [unpack(packed), codes[0].length];
    const first = Math.min(Math.max(0, frame - AROUND), Math.max(0, n - 2 * AROUND - 1));
    const width = Math.min(n, 2 * AROUND + 1);
    const seen = codes.flatMap((_, row) => [...levels.subarray(row * n + first, row * n + first + width)]);
    return shades(seen, codes.length, width, "af-heat af-small");
  }
  if (box.step === "sound") return bars(stretch(link, frame, 3), "af-small", () => false, [96, 44]);
  if (box.step === "frame") return bars(spectrum(link, frame), "af-small", () => false, [96, 44]);
  const share = parseFloat(box.text) / 100;
  const track = part("i", "af-small af-share");
  if (share >= 0) track.style.setProperty("--share", share);
  return track;
}

// Samples of some frames around one, thinned out to 96.
export function stretch(link, frame, n_frames, most = 96) {
  const sound = link.player.sounds.get("original");
  if (!sound) return [0];
  const hop = sound.rate / link.frame_rate;
  const [from, to] = [Math.round((frame - (n_frames - 1) / 2) * hop), Math.round((frame + (n_frames + 1) / 2) * hop)];
  const step = Math.max(1, (to - from) / most);
  return Array.from({ length: Math.floor((to - from) / step) }, (_, i) => sound.samples[Math.round(from + i * step)] ?? 0);
}

// The column of the spectrogram at a frame, 0 to 1 a band.
function spectrum(link, frame) {
  const lane = link.lanes.get("mel");
  if (!lane) return [0];
  const levels = unpack(lane.data);
  const column = Math.min(lane.columns - 1, Math.max(0, Math.floor(((frame + 0.5) / link.frame_rate - lane.start_s) / lane.step_s)));
  return Array.from({ length: lane.rows / 2 }, (_, row) => levels[2 * row * lane.columns + column]);
}
