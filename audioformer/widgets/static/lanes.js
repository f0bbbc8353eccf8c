// How each kind of lane is drawn on a canvas, and what it says under the pointer. A lane is plain data (see lanes.py):
// wave, image, codes, lines, events. draw(context, {lane, width, height, from, to, link, colours}) and
// value(lane, time, share, link), share from 0 at the top to 1 at the bottom.
import { DASHES, codeRamp, ramp } from "./colours.js";

export const KINDS = {
  wave: { draw: drawWave, value: (lane, time, share, link) => [`amplitude ${waveAt(lane, time, link)}`] },
  image: { draw: drawImage, value: imageValue },
  codes: { draw: drawCodes, value: codeValue },
  lines: { draw: drawLines, value: lineValues },
  events: { draw: drawEvents, value: eventValues },
};

export function unpack(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function drawWave(context, { lane, width, height, from, to, link, colours }) {
  const sound = link.player.sounds.get(lane.sound);
  if (!sound) return;
  const { samples, rate } = sound;
  lane.reach ??= 1.05 * samples.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-4);
  const y = (value) => (height / 2) * (1 - value / lane.reach);
  context.fillStyle = context.strokeStyle = colours.blue;
  context.beginPath();
  const perPixel = ((to - from) * rate) / width;
  for (let x = 0; x < width; x++) {
    const first = Math.floor(from * rate + x * perPixel);
    const last = Math.min(Math.max(first + 1, Math.floor(first + perPixel)), samples.length);
    let [low, high] = [Infinity, -Infinity];
    for (let i = first; i < last; i++) {
      if (samples[i] < low) low = samples[i];
      if (samples[i] > high) high = samples[i];
    }
    if (high < low) continue;
    if (perPixel < 1) context.lineTo(x, y(samples[Math.round(from * rate + x * perPixel)] ?? 0));
    else context.rect(x, y(high), 1, Math.max(1, y(low) - y(high)));
  }
  if (perPixel < 1) context.stroke();
  else context.fill();
}

function waveAt(lane, time, link) {
  const sound = link.player.sounds.get(lane.sound);
  return (sound?.samples[Math.round(time * sound.rate)] ?? 0).toFixed(3);
}

// Rows by columns of colours, made once: one pixel a cell. ofRow(row): the colours from low to high.
function pixels(lane, ofRow, rows, columns, levels, top, flip) {
  if (lane.pixels) return lane.pixels;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  const picture = new ImageData(columns, rows);
  for (let row = 0; row < rows; row++) {
    const colours = ofRow(row);
    for (let column = 0; column < columns; column++) {
      const colour = colours[Math.round((levels[row * columns + column] * 255) / top)];
      picture.data.set([...colour, 255], 4 * ((flip ? rows - 1 - row : row) * columns + column));
    }
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return (lane.pixels = canvas);
}

function paste(context, canvas, lane, { width, height, from, to }) {
  const [left, columns] = [(from - lane.start_s) / lane.step_s, (to - from) / lane.step_s];
  const [x0, x1] = [Math.max(0, left), Math.min(canvas.width, left + columns)];
  if (x1 <= x0) return;
  context.imageSmoothingEnabled = columns > width;
  const scale = width / columns;
  context.drawImage(canvas, x0, 0, x1 - x0, canvas.height, (x0 - left) * scale, 0, (x1 - x0) * scale, height);
}

function drawImage(context, frame) {
  const { lane } = frame;
  lane.levels ??= unpack(lane.data);
  paste(context, pixels(lane, () => ramp(lane.colours), lane.rows, lane.columns, lane.levels, 255, true), lane, frame);
  if (frame.veil && lane.rows > 1) drawVeil(context, frame);
}

// A veil {start_s, step_s, shares}: what has a small share (0 to 1) is covered.
function drawVeil(context, { veil, width, height, from, to, colours }) {
  context.fillStyle = colours.veil;
  veil.shares.forEach((share, index) => {
    const [left, right] = [index, index + 1].map((at) => ((veil.start_s + at * veil.step_s - from) / (to - from)) * width);
    context.globalAlpha = 0.82 * (1 - share);
    context.fillRect(left, 0, right - left + 0.3, height);
  });
  context.globalAlpha = 0.82;
  const [first, last] = [veil.start_s, veil.start_s + veil.shares.length * veil.step_s].map((time) => ((time - from) / (to - from)) * width);
  if (first > 0) context.fillRect(0, 0, first, height);
  if (last < width) context.fillRect(last, 0, width - last, height);
  context.globalAlpha = 1;
}

function imageValue(lane, time, share) {
  const column = Math.floor((time - lane.start_s) / lane.step_s);
  const row = Math.min(lane.rows - 1, Math.floor((1 - share) * lane.rows));
  if (column < 0 || column >= lane.columns || !lane.levels) return [];
  const value = lane.low + (lane.levels[row * lane.columns + column] / 255) * (lane.high - lane.low);
  return [...(lane.row_names ? [lane.row_names[row]] : []), `${value.toFixed(lane.digits)} ${lane.unit}`];
}

function drawCodes(context, frame) {
  const { lane, width, height, from, to, colours } = frame;
  const [rows, columns] = [lane.codes.length, lane.codes[0].length];
  lane.levels ??= unpack(lane.shades);
  paste(context, pixels(lane, codeRamp, rows, columns, lane.levels, 255, false), lane, frame);
  const [cell, tall] = [(width * lane.step_s) / (to - from), height / rows];
  const x = (frameNumber) => ((frameNumber * lane.step_s - from) / (to - from)) * width;
  if (lane.marks) drawMarks(context, lane, x, tall, colours);
  context.fillStyle = colours.ground;
  if (tall > 5) for (let row = 1; row < rows; row++) context.fillRect(0, row * tall - 0.5, width, 1);
  if (cell > 30 && tall > 11) writeCodes(context, lane, x, cell, tall, from, to);
}

// marks: 1 = hidden from the model (hatched), 2 = another code than before (framed), 3 = filled in as it was (framed blue).
function drawMarks(context, lane, x, tall, colours) {
  lane.marked ??= unpack(lane.marks);
  const columns = lane.codes[0].length;
  context.save();
  for (let row = 0; row < lane.codes.length; row++) {
    for (let first = 0; first < columns; first++) {
      const kind = lane.marked[row * columns + first];
      let last = first;
      while (kind && last < columns && lane.marked[row * columns + last] === kind) last++;
      if (!kind) continue;
      const box = [x(first), row * tall, x(last) - x(first), tall];
      context.fillStyle = kind === 1 ? colours.ground : "transparent";
      context.fillRect(...box);
      context.strokeStyle = [colours.soft, colours.warm, colours.blue][kind - 1];
      if (kind === 1) hatch(context, ...box);
      else {
        context.lineWidth = 2;
        context.strokeRect(box[0] + 1, box[1] + 1, Math.max(1, box[2] - 2), Math.max(1, box[3] - 2));
      }
      first = last - 1;
    }
  }
  context.restore();
}

function hatch(context, left, top, width, height) {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.lineWidth = 0.8;
  context.beginPath();
  const start = Math.floor((left - height) / 5) * 5; // on one grid, so that neighbouring rows look alike
  for (let x = start; x < left + width; x += 5) {
    context.moveTo(x, top + height);
    context.lineTo(x + height, top);
  }
  context.stroke();
  context.restore();
}

function writeCodes(context, lane, x, cell, tall, from, to) {
  context.font = "10px ui-monospace, monospace";
  context.textAlign = "center";
  context.textBaseline = "middle";
  const [first, last] = [Math.max(0, Math.floor(from / lane.step_s)), Math.ceil(to / lane.step_s)];
  lane.codes.forEach((codes, row) => {
    for (let frame = first; frame < Math.min(last, codes.length); frame++) {
      if (lane.marked?.[row * codes.length + frame] === 1) continue;
      context.fillStyle = lane.levels[row * codes.length + frame] > 130 ? "#10161c" : "#f4f6f8";
      context.fillText(codes[frame], x(frame) + cell / 2, (row + 0.5) * tall);
    }
  });
}

function codeValue(lane, time, share) {
  const row = Math.min(lane.codes.length - 1, Math.floor(share * lane.codes.length));
  const frame = Math.floor(time / lane.step_s);
  if (frame < 0 || frame >= lane.codes[0].length) return [];
  const mark = ["", " (hidden)", " (changed)"][lane.marked?.[row * lane.codes[0].length + frame] ?? 0];
  return [`codebook ${row + 1}, frame ${frame}`, `code ${lane.codes[row][frame]}${mark}`];
}

function drawLines(context, { lane, width, height, from, to, colours }) {
  const y = (value) => 3 + (height - 6) * (1 - (value - lane.low) / (lane.high - lane.low || 1));
  const x = (index) => ((lane.start_s + index * lane.step_s - from) / (to - from)) * width;
  for (const [value, dash] of [[lane.low, []], [lane.high, []], ...(lane.chance === null ? [] : [[lane.chance, [3, 3]]])]) {
    context.strokeStyle = dash.length ? colours.soft : colours.grid;
    context.lineWidth = 1;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(0, y(value));
    context.lineTo(width, y(value));
    context.stroke();
  }
  lane.lines.forEach(({ values }, place) => {
    context.strokeStyle = colours.lines[place % colours.lines.length];
    context.lineWidth = 1.6;
    context.setLineDash(lane.points ? [] : DASHES[place % DASHES.length]);
    context.beginPath();
    let apart = true;
    values.forEach((value, index) => {
      if (value === null) return void (apart = true);
      if (lane.points) context.rect(x(index) - 1.5, y(value) - 1.5, 3, 3);
      else if (apart) context.moveTo(x(index), y(value));
      else context.lineTo(x(index), y(value));
      apart = false;
    });
    context.stroke();
  });
  context.setLineDash([]);
}

function lineValues(lane, time) {
  const index = Math.round((time - lane.start_s) / lane.step_s);
  return lane.lines
    .filter(({ values }) => (values[index] ?? null) !== null)
    .map(({ name, values }) => `${name} ${values[index].toFixed(lane.digits)} ${lane.unit}`.trim());
}

function drawEvents(context, { lane, width, height, from, to, colours }) {
  const tall = height / lane.labels.length;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (const { label, start_s, end_s } of lane.events) {
    const row = lane.labels.indexOf(label);
    const [left, right] = [start_s, end_s].map((time) => ((time - from) / (to - from)) * width);
    const colour = colours.lines[row % colours.lines.length];
    context.globalAlpha = 0.3;
    context.fillStyle = colour;
    context.fillRect(left, row * tall + 1, Math.max(2, right - left), tall - 2);
    context.globalAlpha = 1;
    context.strokeStyle = colour;
    context.strokeRect(left + 0.5, row * tall + 1.5, Math.max(1, right - left - 1), tall - 3);
    context.fillStyle = colours.ink;
    if (tall > 9) context.fillText(label.replaceAll("_", " "), Math.max(left, 0) + 5, (row + 0.5) * tall + 1);
  }
}

function eventValues(lane, time) {
  const here = lane.events.filter(({ start_s, end_s }) => start_s <= time && time < end_s);
  return here.map(({ label, start_s, end_s }) => `${label.replaceAll("_", " ")}, ${start_s.toFixed(2)}-${end_s.toFixed(2)} s`);
}
