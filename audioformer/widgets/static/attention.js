// Attention of one window: all heads small (layers down, heads across), one head as a time x time map.
// Rows of a map are the moments that look, columns the moments looked at. Levels are the square root of the weight over
// the largest weight of the map, so that small weights stay visible.
import { axisFont, isDark, look as colourNow, onLook, ramp } from "./colours.js";
import { unpack } from "./lanes.js";
import { pictures, saveMenu } from "./save.js";

const VIEW = `
  <figure class="af-heads"><figcaption></figcaption><div class="af-grid" role="grid" aria-label="Heads: a row for each layer"></div></figure>
  <figure class="af-map"><figcaption></figcaption><div class="af-square" tabindex="0" role="application">
    <canvas></canvas><i class="af-row" hidden></i><i class="af-column" hidden></i></div><div class="af-keepers"></div></figure>`;

export class AttentionView {
  // pick(layer, head): another head; look(share): another moment, 0 to 1 of the window.
  constructor(host, { pick, look }) {
    Object.assign(this, { host, pick, look, shown: null });
    host.classList.add("af-attention");
    host.innerHTML = VIEW; // fixed text
    const square = this.find(".af-square");
    square.addEventListener("pointerdown", (event) => this.point(event));
    square.addEventListener("pointermove", (event) => (event.buttons ? this.point(event) : this.hover(event)));
    square.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
      if (!step || !this.shown) return;
      event.preventDefault();
      const row = Math.min(Math.max(this.row + step * (event.shiftKey ? 10 : 1), 0), this.shown.map.side - 1);
      this.look((row + 0.5) / this.shown.map.side);
    });
    this.find(".af-grid").addEventListener("keydown", (event) => this.key(event));
    const csv = () => this.table();
    this.find(".af-keepers").append(saveMenu({ ...pictures(() => this.figure(), () => ({ csv: csv() })), csv }, "attention"));
    onLook(() => this.shown && this.draw());
  }

  find(name) {
    return this.host.querySelector(name);
  }

  // shown: {n_layers, n_heads, layer, head, thumbs, map, stats, window}
  show(shown) {
    this.shown = { ...shown, levels: unpack(shown.map.data), small: unpack(shown.thumbs.data) };
    this.host.querySelectorAll("figcaption")[0].textContent = "Every head (layer 1 on top)";
    const told = `Layer ${shown.layer + 1}, head ${shown.head + 1}: row = moment that looks, column = where it looks`;
    this.host.querySelectorAll("figcaption")[1].textContent = told;
    this.find(".af-square").setAttribute("aria-label", `${told}. Arrow keys move the moment.`);
    const grid = this.find(".af-grid");
    const focused = grid.contains(document.activeElement);
    grid.style.setProperty("--af-columns", shown.n_heads);
    grid.replaceChildren(...Array.from({ length: shown.n_layers }, (_, layer) => {
      const row = document.createElement("div");
      row.setAttribute("role", "row");
      row.append(...Array.from({ length: shown.n_heads }, (_column, head) => this.thumb(layer, head)));
      return row;
    }));
    if (focused) grid.querySelector("[aria-selected=true]").focus();
    this.draw();
  }

  thumb(row, column) {
    const { layer, head, stats } = this.shown;
    const { reach_s, spread, edges } = stats[row][column];
    const button = document.createElement("button");
    button.type = "button";
    button.append(document.createElement("canvas"));
    const on = row === layer && column === head;
    button.setAttribute("role", "gridcell");
    button.setAttribute("aria-selected", String(on));
    button.tabIndex = on ? 0 : -1;
    const told = `layer ${row + 1}, head ${column + 1}: looks ${reach_s.toFixed(2)} s away on average, at about ${spread.toFixed(0)} positions, ${(100 * edges).toFixed(0)} % at the begin and end tokens`;
    button.title = told;
    button.setAttribute("aria-label", told);
    button.addEventListener("click", () => this.pick(row, column));
    return button;
  }

  key(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step || !this.shown) return;
    event.preventDefault();
    const { n_layers, n_heads, layer, head } = this.shown;
    this.pick(Math.min(Math.max(layer + step[0], 0), n_layers - 1), Math.min(Math.max(head + step[1], 0), n_heads - 1));
  }

  draw() {
    const { thumbs, map, levels, small } = this.shown;
    const scale = ramp("viridis");
    const paint = (canvas, data, side) => {
      [canvas.width, canvas.height] = [side, side];
      const picture = new ImageData(side, side);
      for (let i = 0; i < side * side; i++) picture.data.set([...scale[data[i]], 255], 4 * i);
      canvas.getContext("2d").putImageData(picture, 0, 0);
    };
    const size = thumbs.side ** 2;
    this.host.querySelectorAll(".af-grid canvas").forEach((canvas, i) => paint(canvas, small.subarray(i * size, (i + 1) * size), thumbs.side));
    paint(this.find(".af-square canvas"), levels, map.side);
    this.host.dataset.look = isDark() ? "dark" : "light";
  }

  // The moment that looks, 0 to 1 of the window; null outside.
  mark(share) {
    const line = this.find(".af-row");
    line.hidden = share === null;
    this.row = share === null ? 0 : Math.min(Math.floor(share * this.shown.map.side), this.shown.map.side - 1);
    line.style.top = `${(100 * (this.row + 0.5)) / this.shown.map.side}%`;
  }

  // Where the marked moment looks: weights of the columns.
  profile() {
    const { map, levels } = this.shown;
    return Array.from(levels.subarray(this.row * map.side, (this.row + 1) * map.side), (level) => (level / 255) ** 2 * map.top);
  }

  place(event) {
    const box = this.find(".af-square").getBoundingClientRect();
    const inside = (value) => Math.min(Math.max(value, 0), 0.9999);
    return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
  }

  point(event) {
    if (this.shown) this.look(this.place(event)[1]);
  }

  hover(event) {
    if (!this.shown) return;
    const { map, levels, window } = this.shown;
    const [x, y] = this.place(event);
    const [column, row] = [Math.floor(x * map.side), Math.floor(y * map.side)];
    const time = (share) => (window[0] + share * (window[1] - window[0])).toFixed(2);
    const weight = (levels[row * map.side + column] / 255) ** 2 * map.top;
    this.find(".af-square").title = `${time(y)} s looks at ${time(x)} s: ${(100 * weight).toFixed(2)} %`;
  }

  // --- saving

  // The large map with its axes, for a file.
  figure() {
    const { window, layer, head, map } = this.shown;
    const [left, top, side] = [56, 30, 480];
    const title = `Attention, layer ${layer + 1}, head ${head + 1}`;
    const draw = (context) => {
      const colours = colourNow();
      context.imageSmoothingEnabled = false;
      context.drawImage(this.find(".af-square canvas"), 0, 0, map.side, map.side, left, top, side, side);
      Object.assign(context, { font: axisFont(), fillStyle: colours.ink, textBaseline: "alphabetic", textAlign: "left" });
      context.fillText(`${title} · brightest: ${(100 * map.top).toFixed(1)} % of the look`, left, 18);
      context.fillStyle = colours.soft;
      for (const place of [0, 0.25, 0.5, 0.75, 1]) {
        const time = (window[0] + place * (window[1] - window[0])).toFixed(2);
        context.textAlign = "center";
        context.fillText(time, left + place * side, top + side + 16);
        context.textAlign = "right";
        context.fillText(time, left - 6, top + place * side + 4);
      }
      context.textAlign = "center";
      context.fillText("moment looked at (s)", left + side / 2, top + side + 34);
      context.save();
      context.translate(16, top + side / 2);
      context.rotate(-Math.PI / 2);
      context.fillText("moment that looks (s)", 0, 0);
      context.restore();
    };
    const alt = `${title}: weights from ${window[0].toFixed(2)} to ${window[1].toFixed(2)} s; colour is the square root of the weight, largest ${map.top.toFixed(4)}.`;
    return { width: left + side + 24, height: top + side + 44, alt, draw };
  }

  // One line a moment that looks; columns are the moments looked at.
  table() {
    const { map, levels, window } = this.shown;
    const times = Array.from({ length: map.side }, (_, place) => (window[0] + ((place + 0.5) / map.side) * (window[1] - window[0])).toFixed(4));
    const weight = (level) => ((level / 255) ** 2 * map.top).toPrecision(4);
    const rows = times.map((time, row) => [time, ...Array.from(levels.subarray(row * map.side, (row + 1) * map.side), weight)].join(","));
    return new Blob([[["looks_s", ...times].join(","), ...rows].join("\n") + "\n"], { type: "text/csv" });
  }
}
