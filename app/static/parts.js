// Pieces that every room is built of. Text goes in as text, never as HTML.

import { part } from "./widgets/dom.js";

export { part };

export const percent = (share) => `${(100 * share).toFixed(0)} %`;

// A control takes a value, if it is one of those that it offers.
export function put(control, value) {
  if (value === undefined || (control.options && ![...control.options].some((one) => one.value === String(value)))) return;
  control.value = value;
}

// A list of bars: rows of {label, value (0 to 1), text, ghost (0 to 1), act, title}.
export function bars(rows, chance = null) {
  const list = part("ol", "af-bars");
  for (const row of rows) {
    const entry = part("li", "");
    const label = row.act ? part("button", "af-guess", row.label) : part("span", "af-name", row.label);
    if (row.act) label.type = "button";
    if (row.act) label.addEventListener("click", row.act);
    if (row.title) entry.title = row.title;
    const track = part("span", "af-track");
    if (row.ghost !== undefined) track.append(width(part("i", "af-ghost"), row.ghost));
    track.append(width(part("i", "af-fill"), row.value));
    if (chance !== null) {
      const tick = part("i", "af-chance");
      tick.style.left = `${100 * chance}%`;
      track.append(tick);
    }
    entry.append(label, track, part("span", "af-value", row.text));
    if (row.mark) entry.classList.add("af-true");
    list.append(entry);
  }
  return list;
}

function width(bar, share) {
  bar.style.width = `${100 * share}%`;
  return bar;
}

export function button(text, title, act, name = "af-button") {
  const made = part("button", name, text);
  Object.assign(made, { type: "button", title });
  made.addEventListener("click", act);
  return made;
}

// A line of numbers: what, how much, and what to compare it with.
export function fact(name, value, compare = "") {
  const row = part("p", "af-fact");
  row.append(part("span", "", name), part("b", "", value), part("small", "", compare));
  return row;
}

// Yes or no, one bit each, the lowest first, in base64; and the other way round.
export function packBits(flags) {
  const bytes = new Uint8Array(Math.ceil(flags.length / 8));
  flags.forEach((on, i) => on && (bytes[i >> 3] |= 1 << (i & 7)));
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export function unpackBits(text, length) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return Uint8Array.from({ length }, (_, i) => (bytes[i >> 3] >> (i & 7)) & 1);
}
