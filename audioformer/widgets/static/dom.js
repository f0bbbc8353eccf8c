// Small helpers of every view.

// An element with a class and a text.
export function part(tag, name = "", text = "") {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== "") made.textContent = text;
  return made;
}

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
