// The lanes of a time line on the page: a name, ticks, a canvas and a legend each, and the axis below them all.
import { DASHES, axisFont } from "./colours.js";
import { part } from "./dom.js";
import { KINDS } from "./lanes.js";

const TICK_PX = 10;

// { lane, row, canvas }: the parts of one lane.
export function laneRow(lane) {
  const row = part("div", "af-lane");
  row.dataset.lane = lane.id ?? "";
  row.dataset.kind = lane.kind;
  row.style.flexGrow = 100 * lane.weight; // shares of the whole height, whatever they add up to
  const [name, ticks, canvas] = [part("div", "af-lane-name"), part("div", "af-ticks"), part("canvas")];
  name.append(part("b", "", lane.name), part("span", "", lane.about ? ` ${lane.about}` : ""));
  name.title = [lane.name, lane.about].filter(Boolean).join(" · ");
  for (const [place, text] of lane.ticks ?? []) {
    const tick = part("span", "", text);
    tick.style.bottom = `${place * 100}%`;
    if (place < 0.04 || place > 0.94) tick.style.transform = place < 0.5 ? "none" : "translateY(100%)"; // never into the next lane
    ticks.append(tick);
  }
  row.append(name, ticks, canvas);
  if (lane.lines?.length > 1 || lane.legend) row.append(legend(lane));
  return { lane, row, canvas };
}

// Draws a lane as large as its canvas is on the page. `frame` says what is shown: range, link, colours and veil.
export function drawRow({ lane, row, canvas }, frame) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width || !height) return; // in a hidden room
  const ticks = [...row.querySelectorAll(".af-ticks span")];
  const every = lane.codes ? Math.ceil((TICK_PX * ticks.length) / height) : 1; // as many names of rows as there is room for
  ticks.forEach((tick, place) => (tick.hidden = place % every > 0));
  const scale = devicePixelRatio || 1;
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  drawLane(context, { ...frame, lane, width, height });
  const { lines } = frame.colours;
  for (const line of row.querySelectorAll(".af-legend-line")) line.style.color = lines[line.dataset.place % lines.length];
}

// Draws what a lane holds: { lane, width, height, from, to, link, colours, veil }.
export function drawLane(context, frame) {
  if (frame.lane.kind === "axis") drawAxis(context, frame);
  else KINDS[frame.lane.kind].draw(context, frame);
}

function drawAxis(context, { width, from, to, colours }) {
  const wanted = (to - from) / Math.max(2, width / 90);
  const step = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10].find((size) => size >= wanted) ?? 20;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  context.font = axisFont();
  context.fillStyle = context.strokeStyle = colours.soft;
  context.textBaseline = "top";
  for (let time = Math.ceil(from / step - 1e-6) * step; time <= to + 1e-6; time += step) {
    const x = ((time - from) / (to - from)) * width;
    context.fillRect(Math.min(x, width - 1), 0, 1, 4);
    context.textAlign = x < 12 ? "left" : x > width - 24 ? "right" : "center";
    context.fillText(`${time.toFixed(digits)}${x > width - 24 || time + step > to + 1e-6 ? " s" : ""}`, x, 6);
  }
}

function legend(lane) {
  const box = part("div", "af-legend-box");
  if (lane.legend) box.append(part("span", "", lane.legend));
  (lane.lines ?? []).forEach(({ name }, place) => {
    const entry = part("span", "");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    line.setAttribute("class", "af-legend-line");
    line.setAttribute("viewBox", "0 0 24 6");
    line.dataset.place = place;
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", "M0 3H24");
    path.setAttribute("stroke-dasharray", DASHES[place % DASHES.length].join(" "));
    line.append(path);
    entry.append(line, name);
    box.append(entry);
  });
  return box;
}
