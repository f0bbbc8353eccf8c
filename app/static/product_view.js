// A matrix times a vector: the vector above the matrix, what comes out beside it, and one output written out as a sum.
import { bars, heat, line } from "./heat.js";
import { part } from "./parts.js";
import { clamp } from "./widgets/dom.js";

const FEW = 16; // names that can be read beside the rows of a matrix
const short = (value) => (Math.abs(value) >= 1000 || (value !== 0 && Math.abs(value) < 0.0005) ? value.toExponential(1) : value.toFixed(Math.abs(value) < 0.1 ? 3 : 2)).replace("-", "−");
const signed = (value) => (value < 0 ? `(${short(value)})` : short(value));

export class ProductView {
  // pick(cell): another output is to be written out.
  constructor(host, pick) {
    Object.assign(this, { host, pick });
    host.classList.add("af-product");
    host.addEventListener("keydown", (event) => this.key(event));
  }

  // product as rooms/flow.py gives it.
  show(product) {
    this.shown = product;
    const { upright, matrix, vector, output, result, then, cell, over_time } = product;
    const plain = then === "" ? null : result;
    const grid = part("div", `af-product-grid${upright ? " af-upright" : ""}`);
    const field = (name, made, label) => {
      const box = part("figure", name);
      box.append(made, part("figcaption", "", label));
      grid.append(box);
      return box;
    };
    const count = upright ? matrix.columns : matrix.rows;
    const area = field("af-matrix", heat(matrix), `matrix, ${output.length} × ${vector.length}${over_time ? " (time from left to right)" : ""}`);
    const timed = over_time && !upright;
    field("af-vector", timed ? bars(vector, "af-stems af-in") : line(vector, upright), upright ? "input" : `input: ${vector.length} numbers`);
    field("af-output", over_time && upright ? bars(output, "af-stems", (i) => i === cell) : line(output, !upright), upright ? `output: ${output.length} numbers` : "output");
    if (plain) field("af-result", over_time && upright ? bars(plain, "af-stems", (i) => i === cell) : line(plain, !upright), upright ? `then ${then}` : then.split(",")[0].replace("turned by its position", "turned").replace("added to what came in", "added"));
    if (product.named && !upright && output.length <= FEW) this.names(grid);
    const mark = part("i", "af-mark");
    mark.style.setProperty("--at", (cell + 0.5) / output.length);
    mark.style.setProperty("--size", Math.max(1 / output.length, 1 / count));
    area.append(mark);
    area.addEventListener("pointerdown", (event) => {
      const box = area.firstElementChild.getBoundingClientRect();
      const share = upright ? (event.clientX - box.left) / box.width : (event.clientY - box.top) / box.height;
      this.choose(Math.floor(share * output.length));
    });
    grid.tabIndex = 0;
    grid.setAttribute("role", "application");
    grid.setAttribute("aria-label", `${this.words()} Arrow keys choose another output.`);
    const focused = this.host.contains(document.activeElement);
    this.host.replaceChildren(grid, this.sum());
    if (focused) grid.focus();
    this.host.dataset.cell = cell;
    this.host.dataset.value = product.value.toFixed(4);
  }

  // Outputs that have names stand beside their rows.
  names(grid) {
    const { outputs, cell } = this.shown;
    const list = part("div", "af-outputs");
    list.append(...outputs.map((name, i) => part("span", i === cell ? "af-here" : "", name)));
    grid.classList.add("af-few");
    grid.append(list);
  }

  words() {
    const { outputs, cell, value, then, becomes } = this.shown;
    return `${outputs[cell]}: ${short(value)}${then ? `, after ${then} ${short(becomes)}` : ""}.`;
  }

  choose(cell) {
    const next = clamp(cell, 0, this.shown.output.length - 1);
    if (next !== this.shown.cell) this.pick(next);
  }

  key(event) {
    const step = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (!step || !this.shown) return;
    event.preventDefault();
    this.choose(this.shown.cell + step);
  }

  // The largest products with their numbers, the rest in one, the bias, and what it becomes.
  sum() {
    const { outputs, cell, terms, rest, n_rest, bias, value, then, becomes } = this.shown;
    const list = part("p", "af-sum-line");
    list.setAttribute("aria-live", "polite");
    list.append(part("b", "af-sum-name", outputs[cell]), part("span", "", "="));
    terms.forEach((term, i) => {
      const chip = part("span", "af-term");
      chip.append(part("small", "", term.name), part("span", "", `${signed(term.weight)} × ${signed(term.input)}`));
      chip.title = `${term.name}: ${short(term.weight)} × ${short(term.input)} = ${short(term.weight * term.input)}`;
      list.append(...(i ? [part("span", "", "+")] : []), chip);
    });
    const more = (name, number) => {
      const chip = part("span", "af-term");
      chip.append(part("small", "", name), part("span", "", signed(number)));
      list.append(part("span", "", "+"), chip);
    };
    if (n_rest > 0) more(`${n_rest} more products`, rest);
    if (bias !== 0) more("bias", bias);
    list.append(part("span", "", "="), part("b", "", short(value)));
    if (then) list.append(part("span", "af-then", `→ ${then} →`), part("b", "", short(becomes)));
    return list;
  }
}
