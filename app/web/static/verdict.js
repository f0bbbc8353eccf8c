// The card that says what a clip is: as app/cards.py.
import { words } from "./lanes_data.js";
import { bars, part } from "./parts.js";

// shown: {labels: [{label, p}], says, name, notes, truth, duration_s, listener: {names, several, checkpoint}}, or null before the first sound.
export function verdictCard(shown) {
  const card = part("section", "af-card af-verdict");
  card.setAttribute("aria-label", "What is it?");
  const left = part("div");
  left.append(part("p", "af-eyebrow", "What is it?"));
  card.append(left);
  if (!shown) {
    left.append(part("p", "af-top", "No sound yet"), part("p", "af-meta", "Choose a sample, drop a file, or record."));
    return card;
  }
  const { labels, says, name, notes, truth, duration_s } = shown;
  const top = part("p", `af-top af-${says.kind}`, says.text);
  top.dataset.top = labels[0].label;
  if (says.detail) top.append(" ", part("small", "", says.detail));
  const remark = part("p", "af-remark", says.remark);
  const { names, several, checkpoint } = shown.listener;
  remark.title = `Its classes: ${names.slice(0, 60).map(words).join(", ")}`;
  const about = [name, `${duration_s.toFixed(2)} s`, truth && `a computed sample of ${words(truth)}`, notes, `checkpoint ${checkpoint}`];
  left.append(top, remark, part("p", "af-meta", about.filter(Boolean).join(" · ")));
  const chance = several ? null : 1 / names.length;
  const list = bars(labels.map(({ label, p }) => ({ label: words(label), value: p, text: `${(100 * p).toFixed(1)}%` })), chance);
  const legend = several ? "each label on its own scale: sounds may overlap" : `tick: chance, ${(100 * chance).toFixed(0)}%`;
  const right = part("div");
  right.append(list, part("p", "af-legend", legend));
  card.append(right);
  return card;
}
