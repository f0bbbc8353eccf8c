// The loss of a lesson, step by step, and what knowing nothing costs.
import { look } from "./widgets/colours.js";

const SVG = "http://www.w3.org/2000/svg";

// Loss by step: a line, and chance as a dashed one.
export function lossCurve({ curve, chance, total }) {
  const { lines, soft, grid } = look();
  const top = Math.max(chance, ...curve) * 1.1;
  const [wide, high, left, low] = [420, 190, 40, 26];
  const x = (step) => left + ((wide - left - 8) * step) / Math.max(total, 1);
  const y = (value) => high - low - ((high - low - 8) * value) / top;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
  svg.setAttribute("font-family", "system-ui, sans-serif");
  const draw = (tag, values, text = "") => {
    const made = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
    made.textContent = text;
    svg.append(made);
  };
  const label = { fill: soft, "font-size": 11 };
  for (const value of [0, top / 2, top]) {
    draw("line", { x1: left, x2: wide - 8, y1: y(value), y2: y(value), stroke: grid });
    draw("text", { ...label, x: left - 5, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2));
  }
  draw("line", { x1: left, x2: wide - 8, y1: y(chance), y2: y(chance), stroke: lines[4], "stroke-dasharray": "5 4", "stroke-width": 1.5 });
  draw("text", { ...label, x: wide - 10, y: y(chance) - 4, "text-anchor": "end" }, `chance ${chance.toFixed(2)}`);
  draw("polyline", { points: curve.map((value, i) => `${x(i + 1).toFixed(1)},${y(value).toFixed(1)}`).join(" "), fill: "none", stroke: lines[0], "stroke-width": 2 });
  draw("text", { ...label, x: wide - 10, y: high - 6, "text-anchor": "end" }, `step (of ${total})`);
  draw("text", { ...label, x: left, y: high - 6 }, "loss (nats)");
  return svg;
}

export function lossInWords({ curve, chance, floor }) {
  const best = floor > 0.005 ? ` As it learns (smoothed labels), no loss can be below ${floor.toFixed(2)}.` : "";
  return `Loss ${curve[0].toFixed(2)} at first, ${curve.at(-1).toFixed(2)} after ${curve.length} steps; knowing nothing costs ${chance.toFixed(2)} nats.${best}`;
}
