// What stands below the maps: the list of clips, the confusion table, purities and neighbours; and the values as a table.
import { bars, button, part, percent } from "./parts.js";

export { percent };

const LONGEST_LIST = 120;

export const words = (label) => String(label).replaceAll("_", " ");

// How sure it is: a probability of its own classes, or how many of the nearest clips say so.
export function surety(view, i) {
  if (view.quiet[i]) return "no label means anything";
  if (view.by === "neighbours") return view.k === 1 ? "as its nearest clip" : `${Math.round(view.confidence[i] * view.k)} of ${view.k} nearest`;
  return percent(view.confidence[i]) + (view.sure[i] ? "" : ", not sure");
}

export class MapPanels {
  // find(selector): a part of the room. select(indices), play(index), point(index): what a click or the pointer does.
  constructor(find, { select, play, point }) {
    Object.assign(this, { find, select, play, point, view: null, chosen: [] });
  }

  // view: an answer of the server.
  show(view) {
    this.view = view;
    this.purities();
    this.neighbours();
    this.confusion();
    this.list(this.chosen);
  }

  get listed() {
    return this.chosen.length ? this.chosen : this.view.clips.map((_, i) => i);
  }

  list(chosen) {
    this.chosen = chosen;
    if (!this.view?.views.length) return;
    const { clips, views, left_out: leftOut, notes } = this.view;
    const [all, noted] = [this.listed, clips.filter(({ note }) => note)];
    const told = noted.slice(0, 5).map(({ file, note }) => `${file}: ${note}`);
    const more = noted.length > told.length ? [`and ${noted.length - told.length} clips more`] : [];
    this.find(".af-list-notes").textContent = [...notes, ...told, ...more].join(". ");
    const rest = all.length > LONGEST_LIST ? `, the first ${LONGEST_LIST} listed` : "";
    const out = leftOut ? ` (${leftOut} more in the data set are not on the map)` : "";
    this.find(".af-list-title").textContent = `${this.chosen.length ? `${all.length} of ${clips.length} selected` : `All ${clips.length} clips`}${rest}${out}`;
    this.find(".af-clips").replaceChildren(...all.slice(0, LONGEST_LIST).map((i) => {
      const row = button("", [clips[i].file, clips[i].note].filter(Boolean).join(": "), () => this.play(i), "af-clip-row");
      row.dataset.index = i;
      const [view] = views;
      row.append(part("span", "", `▶ ${words(clips[i].label)}`), part("span", view.right[i] ? "af-right" : "af-wrong", `${view.right[i] ? "=" : "≠"} ${words(view.predictions[i])}`));
      row.append(part("span", "af-value", surety(view, i)));
      row.addEventListener("focus", () => this.point(i));
      row.addEventListener("pointerenter", () => this.point(i));
      return row;
    }));
  }

  // Nothing bears the words that were looked for.
  nothing(text) {
    this.find(".af-list-title").textContent = `No clip with “${text}”`;
    this.find(".af-clips").replaceChildren();
  }

  // Rows: what it is; columns: what the left model calls it. A cell selects its clips.
  confusion() {
    const { clips, views: [view] } = this.view; // prettier-ignore
    const columns = [...new Set(view.predictions)].sort();
    const every = [...new Set(clips.map((clip) => clip.label))].sort();
    const rows = [...every.filter((name) => columns.includes(name)), ...every.filter((name) => !columns.includes(name))];
    const cells = new Map();
    clips.forEach((clip, i) => {
      const key = `${clip.label}|${view.predictions[i]}`;
      cells.set(key, [...(cells.get(key) ?? []), i]);
    });
    const table = part("table", "af-table");
    table.append(part("caption", "", `Rows: label. Columns: ${view.name}. Click a number for its clips.`));
    const head = table.createTHead().insertRow();
    head.append(part("th", ""));
    for (const name of columns) {
      const cell = part("th", "af-up");
      cell.scope = "col";
      cell.append(part("span", "", words(name)));
      head.append(cell);
    }
    const body = table.createTBody();
    for (const label of rows) {
      const line = body.insertRow();
      const name = part("th", "", words(label));
      name.scope = "row";
      line.append(name);
      const total = clips.filter((clip) => clip.label === label).length;
      for (const column of columns) {
        const found = cells.get(`${label}|${column}`);
        const cell = line.insertCell();
        if (!found) continue;
        const title = `${found.length} of ${total} ${words(label)} taken for ${words(column)}`;
        const number = button(String(found.length), title, () => this.select(found), label === column ? "af-cell af-right" : "af-cell");
        number.style.setProperty("--share", found.length / total);
        number.setAttribute("aria-label", title);
        cell.append(number);
      }
    }
    this.find(".af-confusion").replaceChildren(table);
  }

  purities() {
    const rows = this.view.purities.map(({ name, purity }) => ({ label: name, value: purity, text: purity.toFixed(2), title: `${name}: kNN purity ${purity.toFixed(3)}` }));
    const [view] = this.view.views;
    this.find(".af-purities").replaceChildren(bars(rows, view.chance), part("p", "af-legend", `tick: chance, ${view.chance.toFixed(2)}`));
  }

  neighbours() {
    const { clips, views } = this.view;
    const box = this.find(".af-neighbours");
    const { name, quiet } = views[0].own;
    box.replaceChildren(part("p", "", `${name}: the star. Choose, drop or record another sound to see it here.`));
    if (quiet) box.append(part("p", "af-own-quiet", `It is ${quiet}. Where it lies means nothing.`));
    for (const view of views) {
      box.append(part("p", "af-by", `Nearest by ${view.name}`));
      const row = part("div", "af-near-row");
      view.own.nearest.forEach((i, place) => {
        const cosine = view.own.cosines[place];
        row.append(button(`▶ ${words(clips[i].label)} ${cosine.toFixed(2)}`, `${clips[i].file}, cosine ${cosine.toFixed(3)}`, () => this.play(i), "af-guess"));
      });
      box.append(row);
    }
  }

  csv() {
    const { clips, views } = this.view;
    // a cell that begins like a formula would be run by a spreadsheet
    const cell = (value) => `"${String(value).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;
    const number = (value) => Number(value).toFixed(4);
    const head = ["file", "label", ...views.flatMap(({ name }) => [`x ${name}`, `y ${name}`, `prediction ${name}`, `confidence ${name}`])].map(cell);
    const lines = this.listed.map((i) => [
      cell(clips[i].file), cell(clips[i].label),
      ...views.flatMap((view) => [...view.points[i].map(number), cell(view.predictions[i]), number(view.confidence[i])]),
    ]); // prettier-ignore
    return [head, ...lines].map((line) => `${line.join(",")}\r\n`).join("");
  }
}
