// A picture that rolls by: waveform, log-mel, codes and labels of the last seconds on one time axis, newest on the right.
// Each lane ends where it is known: the waveform at once, codes and labels when they have come back.
import { axisFont, codeRamp, look, ramp } from "./colours.js";
import { unpack } from "./lanes.js";

const LEFT = 46;
const LANES = [["wave", "Waveform", 0.17], ["mel", "Spectrogram", 0.37], ["codes", "Codes", 0.3], ["labels", "Label", 0.16]]; // prettier-ignore
const GAP = 20; // above each lane, for its name
const AXIS = 18;
const MEL = ramp("viridis");

// Columns of a picture, the latest `kept` of them, in a canvas used round and round.
class Strip {
  // ofRow(row): the colours from low to high.
  constructor(ofRow, flip) {
    Object.assign(this, { ofRow, flip, canvas: null, end: 0 });
  }

  add({ first, rows, columns, step_s }, levels, kept) {
    if (!columns) return;
    if (!this.canvas) {
      this.canvas = document.createElement("canvas");
      [this.canvas.width, this.canvas.height, this.step_s] = [kept, rows, step_s];
      this.context = this.canvas.getContext("2d");
    }
    const picture = new ImageData(columns, rows);
    for (let row = 0; row < rows; row++) {
      const colours = this.ofRow(row);
      for (let column = 0; column < columns; column++) {
        const at = 4 * ((this.flip ? rows - 1 - row : row) * columns + column);
        const [red, green, blue] = colours[levels[row * columns + column]];
        [picture.data[at], picture.data[at + 1], picture.data[at + 2], picture.data[at + 3]] = [red, green, blue, 255];
      }
    }
    const place = first % kept;
    this.context.putImageData(picture, place, 0);
    if (place + columns > kept) this.context.putImageData(picture, place - kept, 0);
    this.end = first + columns;
  }

  draw(context, { top, height, width, from, to }) {
    if (!this.canvas) return;
    const kept = this.canvas.width;
    const scale = width / (to - from);
    let column = Math.max(0, this.end - kept, Math.floor(from / this.step_s));
    const last = Math.min(this.end, Math.ceil(to / this.step_s));
    context.imageSmoothingEnabled = false;
    while (column < last) {
      const n = Math.min(last - column, kept - (column % kept));
      const left = LEFT + (column * this.step_s - from) * scale;
      context.drawImage(this.canvas, column % kept, 0, n, this.canvas.height, left, top, n * this.step_s * scale, height);
      column += n;
    }
  }
}

export class Rolling {
  constructor(canvas, keep_s) {
    Object.assign(this, { canvas, keep_s });
    this.clear();
  }

  clear() {
    this.mel = new Strip(() => MEL, true);
    this.codes = new Strip(codeRamp, false);
    [this.waves, this.labels, this.names, this.rows, this.ticks] = [[], [], [], 8, []];
  }

  // The lowest and highest sample of a block that ends at a time.
  wave(from, to, samples) {
    let [low, high] = [0, 0];
    for (const value of samples) [low, high] = [Math.min(low, value), Math.max(high, value)];
    this.waves.push([from, to, low, high]);
    while (this.waves[0][1] < to - this.keep_s) this.waves.shift();
  }

  // What came back: columns of both pictures, and a label, which holds from the one before it.
  add({ mel, codes, heard, time_s }) {
    this.mel.add(mel, unpack(mel.data), Math.ceil(this.keep_s / mel.step_s));
    this.ticks = mel.ticks;
    this.codes.add(codes, unpack(codes.shades), Math.ceil(this.keep_s / codes.step_s));
    this.rows = codes.rows;
    const last = this.labels[this.labels.length - 1];
    while (this.labels.length && this.labels[0].to < time_s - this.keep_s) this.labels.shift();
    if (!heard || (last && heard.start_s + heard.end_s <= 2 * last.to)) return null;
    const { said: label, labels: [{ p }] } = heard; // prettier-ignore
    const from = last ? last.to : heard.start_s;
    const to = (heard.start_s + heard.end_s) / 2; // an answer stands at the middle of the stretch that it is about
    if (last?.label === label) [last.to, last.p] = [to, p];
    else this.labels.push({ from, to, label, p });
    if (!this.names.includes(label)) this.names.push(label);
    return last?.label === label ? null : this.labels[this.labels.length - 1];
  }

  // Boxes of the lanes from top to bottom.
  boxes(height) {
    const tall = height - AXIS - GAP * LANES.length - 4;
    let top = GAP - 3;
    return LANES.map(([kind, name, weight]) => {
      const box = { kind, name, top, height: weight * tall };
      top += box.height + GAP;
      return box;
    });
  }

  // The stretch from `now - span_s` to now; before there is that much, from 0.
  draw(now, span_s) {
    const { canvas } = this;
    const [wide, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!wide || !height) return;
    const scale = devicePixelRatio || 1;
    const [pixelWidth, pixelHeight] = [Math.round(wide * scale), Math.round(height * scale)];
    if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) [canvas.width, canvas.height] = [pixelWidth, pixelHeight];
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, wide, height);
    const from = Math.max(0, now - span_s);
    const frame = { width: wide - LEFT - 2, from, to: from + span_s, colours: look() };
    this.shown = frame;
    for (const box of this.boxes(height)) this.lane(context, { ...frame, ...box });
    this.axis(context, frame, height - AXIS);
  }

  lane(context, frame) {
    const { kind, name, top, height, width, from, to, colours } = frame;
    context.save();
    context.beginPath();
    context.rect(LEFT, top, width, height);
    context.clip();
    context.fillStyle = colours.grid;
    context.globalAlpha = 0.35;
    context.fillRect(LEFT, top, width, height);
    context.globalAlpha = 1;
    const x = (time) => LEFT + ((time - from) / (to - from)) * width;
    if (kind === "wave") this.drawWave(context, frame, x);
    else if (kind === "labels") this.drawLabels(context, frame, x);
    else this[kind].draw(context, frame);
    if (kind === "codes") {
      context.fillStyle = colours.ground;
      for (let row = 1; row < this.rows; row++) context.fillRect(LEFT, top + (row * height) / this.rows - 0.5, width, 1);
    }
    context.restore();
    context.save();
    context.fillStyle = colours.soft;
    context.font = axisFont();
    context.textBaseline = "bottom";
    context.fillText(name, 0, top - 2);
    context.restore();
    const every = Math.max(this.rows <= 8 ? 1 : 4, Math.ceil((14 * this.rows) / height)); // as many as there is room for
    const rows = Array.from({ length: this.rows }, (_, row) => [1 - (row + 0.5) / this.rows, row + 1]).filter((_, row) => row % every === 0);
    if (kind === "codes") this.numbers(context, frame, rows);
    if (kind === "mel") this.numbers(context, frame, this.ticks);
  }

  drawWave(context, { top, height, from, to, colours }, x) {
    context.fillStyle = colours.blue;
    const reach = this.waves.reduce((most, [, , low, high]) => Math.max(most, high, -low), 0.02);
    for (const [start, end, low, high] of this.waves) {
      if (end < from || start > to) continue;
      const y = (value) => top + (height / 2) * (1 - value / reach);
      context.fillRect(x(start), y(high), Math.max(1, x(end) - x(start) + 0.4), Math.max(1, y(low) - y(high)));
    }
  }

  drawLabels(context, { top, height, from, to, colours }, x) {
    context.font = axisFont();
    context.textBaseline = "middle";
    for (const { from: start, to: end, label, p } of this.labels) {
      if (end < from || start > to) continue;
      const colour = colours.lines[this.names.indexOf(label) % colours.lines.length];
      const [left, right] = [Math.max(x(start), LEFT), x(end)];
      context.globalAlpha = 0.3;
      context.fillStyle = colour;
      context.fillRect(left, top, right - left, height);
      context.globalAlpha = 1;
      context.fillStyle = colour;
      context.fillRect(left, top, 2, height);
      context.fillStyle = colours.ink;
      const text = [`${label} ${(100 * p).toFixed(0)} %`, label].find((one) => context.measureText(one).width < right - left - 6);
      if (text) context.fillText(text, left + 4, top + height / 2);
    }
  }

  // Numbers beside a lane: [share of its height, text].
  numbers(context, { top, height, colours }, ticks) {
    context.fillStyle = colours.soft;
    context.font = axisFont();
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const [share, text] of ticks) context.fillText(text, LEFT - 5, top + (1 - share) * height);
    context.textAlign = "left";
  }

  axis(context, { width, from, to, colours }, top) {
    context.fillStyle = colours.soft;
    context.font = axisFont();
    context.textAlign = "center";
    context.textBaseline = "top";
    const step = width / (to - from) < 45 ? 2 : 1;
    for (let time = Math.ceil(from / step) * step; time < to - 0.1; time += step) {
      const x = LEFT + ((time - from) / (to - from)) * width;
      context.fillRect(x, top - 6, 1, 4);
      context.fillText(`${time} s`, Math.max(x, LEFT + 8), top);
    }
    context.textAlign = "left";
  }

  // Time under a pointer, or null beside the lanes.
  timeAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = this.shown ? (event.clientX - box.left - LEFT) / this.shown.width : -1;
    return share < 0 || share > 1 ? null : this.shown.from + share * (this.shown.to - this.shown.from);
  }
}
