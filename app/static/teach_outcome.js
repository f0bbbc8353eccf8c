// What a lesson in the room Teach has come to: its loss, a map of the examples, what was held back, and where to go with it.
import { lossCurve, lossInWords } from "./loss_curve.js";
import { button, part, percent } from "./parts.js";
import { tabs } from "./permalink.js";
import { onLook } from "./widgets/colours.js";
import { EmbeddingMap, classMark, mark } from "./widgets/embedding_map.js";
import { drawings, quoted, saveMenu } from "./widgets/save.js";

export const OUTCOME = `
  <div class="af-duo af-taught" hidden>
    <section class="af-card"><h3>Loss</h3><div class="af-loss" role="img"></div><p class="af-loss-told"></p></section>
    <section class="af-card"><h3>Held back</h3><p class="af-held-told"></p><div class="af-held-list"></div>
      <h3>Your examples</h3><div class="af-own-map"></div><p class="af-own-told"></p></section>
  </div>
  <section class="af-card af-result" aria-live="polite" hidden><h3>It is listening</h3><p></p><div class="af-controls"></div></section>`;

export class Outcome {
  // find(selector): a part of the room. example(id): {name} or undefined. hear(id): plays it.
  constructor(find, { example, hear }) {
    Object.assign(this, { find, example, hear, curve: null, done: null });
    this.map = new EmbeddingMap(find(".af-own-map"), {
      pick: (index) => hear(this.done?.ids[index]),
      select: (indices) => this.map.choose(indices),
    });
    this.savers();
    onLook(() => this.curve && this.drawCurve());
  }

  // Below both figures: what can be saved of them.
  savers() {
    const add = (name, told, drawing, size, table) => {
      const csv = () => new Blob([table().map((line) => `${line.join(",")}\n`).join("")], { type: "text/csv" });
      const alt = () => this.find(told).textContent;
      const menu = saveMenu({ ...drawings(drawing, alt, size, () => ({ csv: csv() })), csv }, name);
      menu.hidden = true; // until there is a figure
      this.find(told).after(menu);
    };
    const steps = () => [["step", "loss_nats"], ...this.curve.curve.map((value, i) => [i + 1, value])];
    add("loss", ".af-loss-told", () => new XMLSerializer().serializeToString(this.find(".af-loss svg")), [840, 380], steps);
    const examples = () => {
      const { ids, labels, points, predictions, confidence } = this.done;
      const rows = labels.map((label, i) => [quoted(this.example(ids[i])?.name ?? ""), quoted(label), ...points[i], quoted(predictions[i]), confidence[i].toFixed(4)]);
      return [["name", "label", "x", "y", "prediction", "confidence"], ...rows];
    };
    add("examples", ".af-own-told", () => this.map.save(), [600, 600], examples);
  }

  progress(reply) {
    if (reply.curve.length < 2) return;
    this.find(".af-taught").hidden = false;
    this.curve = reply;
    this.drawCurve();
  }

  stale(on) {
    for (const name of [".af-taught", ".af-result"]) this.find(name).classList.toggle("af-stale", on);
  }

  drawCurve() {
    const told = lossInWords(this.curve);
    this.find(".af-loss").replaceChildren(lossCurve(this.curve));
    this.find(".af-loss-told + .af-save").hidden = false;
    this.find(".af-loss").setAttribute("aria-label", told);
    this.find(".af-loss-told").textContent = told;
  }

  finished(reply) {
    this.done = reply;
    const names = [...new Set(reply.labels)];
    const words = reply.labels.map((label, i) => `${label}\nnow taken for ${reply.predictions[i]}, ${percent(reply.confidence[i])}`);
    const alt = `Map of your ${reply.labels.length} examples (PCA).`;
    this.map.choose([]);
    this.find(".af-own-told + .af-save").hidden = false;
    this.map.show({ points: reply.points, told: words, marks: () => reply.labels.map((label) => classMark(names.indexOf(label))), alt, own: null });
    const legend = part("span", "af-classes-key");
    names.forEach((name, i) => {
      const entry = part("span", "af-class");
      entry.append(mark(classMark(i)), part("span", "", name));
      legend.append(entry);
    });
    const close = Math.round(reply.purity * reply.counted);
    const near = `Nearest other example of the same class: ${close} of ${reply.counted} (chance ${(reply.blind * reply.counted).toFixed(1)}).`;
    this.find(".af-own-told").replaceChildren(legend, part("span", "", near));
    this.heldBack(reply);
    this.result(reply.choice);
  }

  // One example of each class that it has not learnt from: a test.
  heldBack({ held, ids, labels, predictions, confidence }) {
    const right = held.filter(([i]) => labels[i] === predictions[i]).length;
    const easy = held.some(([, alike]) => alike);
    this.find(".af-held-told").textContent = held.length
      ? `It has not learnt from these: ${right} of ${held.length} right.${easy ? " Other pieces of the same recording were learnt from: an easy test." : ""}`
      : "Bring three examples of a class or more: then one is held back, and what it is taken for is a test.";
    this.find(".af-held-list").replaceChildren(...held.map(([i]) => {
      const row = part("div", "af-held-row");
      const ok = labels[i] === predictions[i];
      row.append(button(`▶ ${labels[i]}`, "Hear it", () => this.hear(ids[i]), "af-guess"));
      row.append(part("span", ok ? "af-right" : "af-wrong", `${ok ? "✓" : "✗"} ${predictions[i]} ${percent(confidence[i])}`));
      return row;
    }));
  }

  result([title, name]) {
    const card = this.find(".af-result");
    card.hidden = false;
    card.querySelector("p").textContent = `The page now listens with “${title}”: what it says of the sound on the page stands above. `
      + "Try a sound that it has not learnt from: drop or record one, or go to Live."; // prettier-ignore
    const link = part("a", "af-button af-download", "Download the checkpoint");
    Object.assign(link, { href: modelAddress(name), download: "taught.zip" });
    link.title = "config.json, model.safetensors and README.md; unpacked, `audioformer classify --checkpoint taught` takes it";
    const to = (room, text) => tabs().has(room) && button(text, "", () => tabs().get(room).click());
    card.querySelector(".af-controls").replaceChildren(...[link, to("listen", "To Listen"), to("live", "To Live")].filter(Boolean));
  }

  hide() {
    [this.done, this.curve] = [null, null];
    for (const name of [".af-taught", ".af-result"]) this.find(name).hidden = true;
  }
}

// Where the zip file of a classifier that was taught here is; its name is the secret of this page, or without a server an
// address in this browser.
export function modelAddress(name) {
  return name.startsWith("blob:") ? name : new URL(`taught/${name}.zip`, import.meta.url);
}
