// Numbers as colours: orange below zero, blue above, the ground at zero; told apart by colour-blind readers, too.
import { look, onLook, ramp } from "./widgets/colours.js";
import { unpack } from "./widgets/lanes.js";

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const drawn = new Set(); // what has to be drawn again when light becomes dark
onLook(() => {
  for (const one of [...drawn]) if (one.canvas.isConnected) one.draw(); else drawn.delete(one);
});

// A canvas that draws itself, now and after every change of colours.
export function picture(name, draw) {
  const canvas = document.createElement("canvas");
  canvas.className = name;
  canvas.setAttribute("aria-hidden", "true");
  const one = { canvas, draw: () => draw(canvas) };
  drawn.add(one);
  one.draw();
  return canvas;
}

function paint(canvas, rows, columns, level) {
  const { ground, blue, warm } = look();
  const [zero, above, below] = [ground, blue, warm].map(rgb);
  [canvas.width, canvas.height] = [columns, rows];
  const image = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    const value = level(i);
    const [towards, share] = [value < 0 ? below : above, Math.min(1, Math.abs(value)) ** 0.7];
    image.data.set([...zero.map((from, channel) => from + (towards[channel] - from) * share), 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// {rows, columns, data}: bytes, 128 is zero.
export function heat({ rows, columns, data }, name = "af-heat") {
  const levels = unpack(data);
  return picture(name, (canvas) => paint(canvas, rows, columns, (i) => (levels[i] - 128) / 127));
}

// A list of numbers as one line from left to right, or from top to bottom.
export function line(values, upright = false, name = "af-heat") {
  const top = Math.max(...values.map(Math.abs)) || 1;
  const [rows, columns] = upright ? [values.length, 1] : [1, values.length];
  return picture(name, (canvas) => paint(canvas, rows, columns, (i) => values[i] / top));
}

// A list of numbers as bars from a zero line; marked ones in the other colour.
export function bars(values, name = "af-stems", marked = () => false, [width, height] = [960, 160]) {
  const top = Math.max(...values.map(Math.abs)) || 1;
  return picture(name, (canvas) => {
    const { blue, warm, grid, soft } = look();
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    const [step, middle] = [width / values.length, values.some((value) => value < 0) ? height / 2 : height - 2];
    context.fillStyle = grid;
    context.fillRect(0, middle, width, 2);
    values.forEach((value, i) => {
      context.fillStyle = marked(i) === null ? soft : marked(i) ? warm : blue;
      const size = (value / top) * (middle - 2);
      context.fillRect(i * step, Math.min(middle, middle - size), Math.max(1, step - (step > 4 ? 1.5 : 0)), Math.max(1, Math.abs(size)));
    });
  });
}

// Colours of codes, row by row; bytes from 0 to 255.
export function shades(levels, rows, columns, name = "af-heat") {
  return picture(name, (canvas) => {
    [canvas.width, canvas.height] = [columns, rows];
    const image = new ImageData(columns, rows);
    for (let i = 0; i < rows * columns; i++) image.data.set([...TONES[levels[i]], 255], 4 * i);
    canvas.getContext("2d").putImageData(image, 0, 0);
  });
}

const TONES = ramp("cividis");
