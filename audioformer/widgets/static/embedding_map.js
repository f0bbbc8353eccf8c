// A map of many sounds: a mark each. Hover tells, click plays, a drawn loop selects; arrow keys walk from mark to mark.
// Colour and shape together tell classes apart, so that colour is never alone. Coordinates have no unit.
import { look, onLook, ramp } from "./colours.js";

const SIDE = 400; // of the drawing, in its own units
const EDGE = 18;
const [TITLE_HIGH, KEY_HIGH, KEY_COLUMNS] = [28, 17, 4]; // of a saved drawing
const NEAR = 16; // how close a pointer has to be, in the drawing's units
const SVG = "http://www.w3.org/2000/svg";
const SHAPES = [
  "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z", "M-4.5-4.5h9v9h-9z", "M0-6.5 6.5 0 0 6.5-6.5 0z", "M0-6 6 5H-6z", "M0 6 6-5H-6z",
  "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z", "M-5-6.5 0-1.5 5-6.5 6.5-5 1.5 0 6.5 5 5 6.5 0 1.5-5 6.5-6.5 5-1.5 0-6.5-5z",
  "M0-7 1.8-2.3 6.7-2.2 2.8 1 4.2 5.7 0 2.9-4.2 5.7-2.8 1-6.7-2.2-1.8-2.3z",
]; // prettier-ignore
export const OUTCOMES = [SHAPES[0], SHAPES[6], SHAPES[2]]; // right, wrong, not to be expected
const STAR = "M0-11 3-3.6 10.6-3.5 4.5 1.5 6.6 9 0 4.6-6.6 9-4.5 1.5-10.6-3.5-3-3.6z";

// Colour and shape of the n-th class; the same for the same n, whichever map, and another for 48 classes.
export function classMark(n) {
  const { lines } = look();
  const round = Math.floor(n / lines.length);
  return { fill: lines[n % lines.length], shape: SHAPES[(n + (SHAPES.length - 1) * round) % SHAPES.length] };
}

export function mark({ fill, shape }, size = 14) {
  const svg = svgPart("svg", { viewBox: "-8 -8 16 16", width: size, height: size, "aria-hidden": "true" });
  svg.append(svgPart("path", { d: shape, fill }));
  return svg;
}

function svgPart(tag, values) {
  const made = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  return made;
}

export class EmbeddingMap {
  // pick(index): play this one; select(indices): these, [] for none; over(index or null): the pointer is on it.
  constructor(host, { pick, select, over = () => {} }) {
    Object.assign(this, { host, pick, select, over, shown: null, here: null, chosen: new Set() });
    host.classList.add("af-map2d");
    this.svg = svgPart("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, tabindex: "0", role: "application" });
    this.tip = document.createElement("div");
    Object.assign(this.tip, { className: "af-tip", hidden: true });
    this.aloud = Object.assign(document.createElement("div"), { className: "af-aloud" }); // where the arrow keys have come to
    this.aloud.setAttribute("role", "status");
    host.append(this.svg, this.tip, this.aloud);
    this.svg.addEventListener("pointerdown", (event) => this.down(event));
    this.svg.addEventListener("pointermove", (event) => this.move(event));
    this.svg.addEventListener("pointerup", (event) => this.up(event));
    this.svg.addEventListener("pointercancel", () => {
      this.loop = null; // a finger scrolls the page
      this.line?.setAttribute("d", "");
    });
    this.svg.addEventListener("pointerleave", () => this.loop || this.point(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    onLook(() => this.shown && this.draw());
  }

  // shown: {points [[x, y]], told [text of each], marks [{fill, shape} of each], alt, own {point, told} or null}
  show(shown) {
    this.shown = shown;
    this.svg.setAttribute("aria-label", shown.alt);
    const all = shown.own ? [...shown.points, shown.own.point] : shown.points;
    const [xs, ys] = [0, 1].map((axis) => all.map((point) => point[axis]));
    const [left, low] = [Math.min(...xs), Math.min(...ys)];
    const scale = (SIDE - 2 * EDGE) / Math.max(Math.max(...xs) - left, Math.max(...ys) - low, 1e-9);
    const [gapX, gapY] = [xs, ys].map((values) => (SIDE - (Math.max(...values) - Math.min(...values)) * scale) / 2);
    this.places = all.map(([x, y]) => [gapX + (x - left) * scale, SIDE - gapY - (y - low) * scale]);
    this.draw();
  }

  draw() {
    const { marks, own, points } = this.shown;
    const marked = typeof marks === "function" ? marks() : marks;
    const { ink, warm } = look();
    if (this.dots?.length !== points.length) {
      this.dots = points.map(() => svgPart("path", { class: "af-dot" }));
      this.star = svgPart("path", { class: "af-dot af-own", d: STAR });
      this.ring = svgPart("circle", { class: "af-ring", r: 11, fill: "none", "stroke-width": 2 });
      this.line = svgPart("path", { class: "af-loop", "stroke-width": 1.5, "stroke-dasharray": "4 3" });
      this.near = svgPart("g", { class: "af-near" });
      this.svg.replaceChildren(this.near, ...this.dots, this.star, this.ring, this.line);
    }
    this.dots.forEach((dot, i) => {
      const { fill, shape } = marked[i];
      const faint = this.chosen.size && !this.chosen.has(i);
      Object.entries({ d: shape, fill, opacity: faint ? 0.18 : 1 }).forEach(([key, value]) => dot.setAttribute(key, value));
      dot.style.transform = `translate(${this.places[i][0].toFixed(1)}px, ${this.places[i][1].toFixed(1)}px)`;
    });
    this.star.style.display = own ? "" : "none";
    this.near.replaceChildren();
    if (own) {
      const [x, y] = this.places[points.length];
      this.star.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
      Object.entries({ fill: warm, stroke: ink }).forEach(([key, value]) => this.star.setAttribute(key, value));
      for (const i of own.nearest) {
        this.near.append(svgPart("line", { x1: x, y1: y, x2: this.places[i][0], y2: this.places[i][1], stroke: warm, "stroke-opacity": 0.6 }));
      }
    }
    this.ring.setAttribute("stroke", ink);
    this.line.setAttribute("stroke", ink);
    this.line.setAttribute("fill", `${ink}22`);
    this.point(this.here, false);
  }

  choose(indices) {
    this.chosen = new Set(indices);
    if (this.shown) this.draw();
  }

  // A mark is looked at, here or on a linked map.
  point(index, tell = true) {
    if (!this.shown) return;
    this.here = index !== null && index < this.places.length ? index : null;
    this.ring.style.display = this.here === null ? "none" : "";
    this.tip.hidden = this.here === null;
    if (this.here !== null) {
      const [x, y] = this.places[this.here];
      this.ring.setAttribute("cx", x);
      this.ring.setAttribute("cy", y);
      const { told, own, points } = this.shown;
      this.tip.textContent = this.here < points.length ? told[this.here] : own.told;
      const [width, room] = [this.svg.clientWidth / SIDE, x > SIDE / 2];
      Object.assign(this.tip.style, {
        left: room ? "" : `${x * width + 14}px`, right: room ? `${(SIDE - x) * width + 14}px` : "", top: `${Math.max(0, y * width - 12)}px`,
      }); // prettier-ignore
    }
    this.host.dataset.here = this.here ?? "";
    if (tell) this.over(this.here);
  }

  place(event) {
    const box = this.svg.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  }

  nearest([x, y]) {
    const apart = this.places.map(([px, py]) => Math.hypot(px - x, py - y));
    const best = apart.indexOf(Math.min(...apart));
    return apart[best] <= NEAR ? best : null;
  }

  down(event) {
    if (!this.shown || event.button > 0) return;
    this.svg.setPointerCapture(event.pointerId);
    this.loop = [this.place(event)];
  }

  move(event) {
    if (!this.shown) return;
    const at = this.place(event);
    if (!this.loop) return this.point(this.nearest(at));
    this.loop.push(at);
    if (this.drawn()) this.line.setAttribute("d", `M${this.loop.map((one) => one.map((value) => value.toFixed(1)).join(" ")).join("L")}z`);
  }

  drawn() {
    const [x, y] = this.loop[0];
    return this.loop.some(([px, py]) => Math.hypot(px - x, py - y) > 8);
  }

  up(event) {
    if (!this.loop) return;
    const drawn = this.drawn() && this.loop;
    this.loop = null;
    this.line.setAttribute("d", "");
    if (drawn) return this.select(this.shown.points.map((_, i) => i).filter((i) => inside(this.places[i], drawn)));
    const at = this.nearest(this.place(event));
    this.point(at);
    if (at !== null) this.pick(at);
    else if (this.chosen.size) this.select([]);
  }

  key(event) {
    if (!this.shown) return;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way) {
      this.walk(way);
      this.aloud.textContent = this.tip.textContent;
    } else if (event.key === "Enter" && this.here !== null) this.pick(this.here);
    else if (event.key === " " && this.here !== null && this.here < this.shown.points.length) {
      const chosen = new Set(this.chosen);
      if (!chosen.delete(this.here)) chosen.add(this.here);
      this.select([...chosen]);
    } else if (event.key === "Escape") this.select([]);
    else return;
    event.preventDefault();
  }

  // To the nearest mark in a direction: what lies ahead counts, what lies aside counts double.
  walk([dx, dy]) {
    if (this.here === null) return this.point(0);
    const [x, y] = this.places[this.here];
    let [best, least] = [null, Infinity];
    this.places.forEach(([px, py], i) => {
      const ahead = (px - x) * dx + (py - y) * dy;
      const cost = ahead + 2 * Math.abs((px - x) * dy + (py - y) * dx);
      if (i !== this.here && ahead > 0.5 && cost < least) [best, least] = [i, cost];
    });
    if (best !== null) this.point(best);
  }

  // The drawing as an SVG file's text, with a title above and what the marks mean below: key is [{text, mark}]. It stays a square.
  save({ title: heading = "", key = [] } = {}) {
    const copy = this.svg.cloneNode(true);
    for (const [from, to] of [...this.svg.querySelectorAll(".af-dot")].map((dot, i) => [dot, copy.querySelectorAll(".af-dot")[i]])) {
      to.setAttribute("transform", from.style.transform.replaceAll("px", ""));
      to.removeAttribute("style");
      if (from.style.display) to.remove();
    }
    copy.querySelector(".af-ring").remove();
    copy.setAttribute("xmlns", SVG);
    copy.setAttribute("role", "img");
    const title = svgPart("title", {});
    title.textContent = this.shown.alt;
    copy.prepend(title);
    if (heading || key.length) caption(copy, heading, key);
    return new XMLSerializer().serializeToString(copy);
  }
}

function caption(svg, heading, key) {
  const { ink } = look();
  const words = (text, x, y, size) => {
    const made = svgPart("text", { x, y, fill: ink, "font-size": size, "font-family": "system-ui, sans-serif" });
    made.textContent = text;
    svg.append(made);
  };
  const rows = Math.ceil(key.length / KEY_COLUMNS);
  const side = SIDE + TITLE_HIGH + rows * KEY_HIGH;
  const left = -(side - SIDE) / 2;
  svg.setAttribute("viewBox", `${left} ${-TITLE_HIGH} ${side} ${side}`);
  words(heading, left + 8, -TITLE_HIGH + 20, 14);
  key.forEach(({ text, mark: { fill, shape } }, i) => {
    const [x, y] = [left + 16 + ((i % KEY_COLUMNS) * side) / KEY_COLUMNS, SIDE + 8 + KEY_HIGH * Math.floor(i / KEY_COLUMNS)];
    svg.append(svgPart("path", { d: shape, fill, transform: `translate(${x} ${y})` }));
    words(text, x + 12, y + 4, 11);
  });
}

// Whether a point lies in a closed line, by counting crossings.
function inside([x, y], loop) {
  let within = false;
  loop.forEach(([x1, y1], i) => {
    const [x2, y2] = loop[(i + 1) % loop.length];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) within = !within;
  });
  return within;
}

// A colour for a share, 0 to 1.
export function shade(share) {
  return `rgb(${ramp("viridis")[Math.round(255 * Math.min(Math.max(share, 0), 1))].join(" ")})`;
}
