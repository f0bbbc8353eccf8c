// Tiles of the bundled clips: one button each, arrow keys move between them, Enter or a click picks.
import { Latest } from "./latest.js";

export function mount({ element, read, watch, send }) {
  const host = element.querySelector(".af-picker");
  let tiles = [];
  const question = new Latest((index) => send("pick", { index }), () => mark(read("selected"), false));

  const build = () => {
    const samples = JSON.parse(read("value") || "[]");
    host.replaceChildren();
    host.setAttribute("role", "group");
    host.setAttribute("aria-label", "Sample clips");
    if (!samples.length) host.textContent = "No samples in this installation: drop a file or record.";
    tiles = samples.map((sample, index) => {
      const tile = document.createElement("button");
      tile.type = "button";
      tile.className = "af-tile";
      tile.title = sample.file;
      tile.dataset.label = sample.label;
      const picture = document.createElement("img");
      picture.src = sample.thumbnail;
      picture.alt = "";
      const name = document.createElement("span");
      name.textContent = sample.label;
      tile.append(picture, name);
      tile.addEventListener("click", () => {
        mark(index, false);
        question.send(index);
      });
      host.append(tile);
      return tile;
    });
    mark(read("selected"));
  };

  const mark = (selected, scroll = true) => {
    tiles.forEach((tile, index) => {
      const on = index === selected;
      tile.classList.toggle("af-on", on);
      tile.setAttribute("aria-pressed", String(on));
      if (on && scroll) host.scrollTo({ top: tile.offsetTop - host.offsetTop - 2, left: tile.offsetLeft - host.offsetLeft - 2 });
      tile.tabIndex = on || (index === 0 && !(selected >= 0)) ? 0 : -1;
    });
  };

  host.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const here = tiles.indexOf(document.activeElement);
    if (!step || here < 0) return;
    event.preventDefault();
    tiles[(here + step + tiles.length) % tiles.length].focus();
  });
  window.addEventListener("audioformer-gone", () => mark(read("selected"), false));
  watch("value", build);
  // `answer` is new with every answer to a pick, `selected` only when another clip is shown, whoever asked for it
  watch("answer", () => question.done() || mark(read("selected"), false));
  watch("selected", () => question.asked || mark(read("selected"), false));
  build();
}
