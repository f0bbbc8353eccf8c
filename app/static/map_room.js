// Map: the same sounds as two models see them. Point, hear, draw a loop; the list, the confusion table and the maps are one.
import { button, part, put } from "./parts.js";
import { Room } from "./room.js";
import { MapPanels, percent, surety, words } from "./map_panels.js";
import { EmbeddingMap, OUTCOMES, classMark, mark, shade } from "./widgets/embedding_map.js";
import { Stages } from "./widgets/stages.js";
import { look, onLook } from "./widgets/colours.js";
import { download, drawings, saveMenu } from "./widgets/save.js";

const POLL_MS = 900;
const STORE = "audioformer-map"; // the kind of map chosen last in this browser
const THROUGH = "/"; // chosen in place of a second model: no model has this name
const TEMPLATE = `
  <p class="af-lead">Each mark is a clip: click it to hear it, drag a loop around some to list them, or choose a class below the maps.</p>
  <div class="af-controls" role="group" aria-label="What the maps show">
    <label>Left map <select class="af-first" aria-label="Model of the left map"></select></label>
    <label>Right map <select class="af-second" aria-label="Model of the right map"></select></label>
    <label>Kind <select class="af-method" aria-label="Kind of map"><option value="umap">UMAP</option><option value="pca">PCA</option></select></label>
    <label>Colour <select class="af-colour" aria-label="Colour by"><option value="label">label</option><option value="prediction">prediction</option>
      <option value="confidence">confidence</option><option value="error">error</option></select></label>
    <input type="search" class="af-find" placeholder="Find" title="Select by label, prediction or file" aria-label="Find a label or file">
    <button type="button" class="af-button af-all">All</button>
  </div>
  <div class="af-progress" role="status" hidden><span></span><div><i></i></div></div>
  <div class="af-steps" hidden></div>
  <div class="af-maps"></div>
  <div class="af-classes-key" role="group" aria-label="Classes: choose one to select its clips"></div>
  <div class="af-panels af-map-panels">
    <section class="af-card"><h3 class="af-list-title">Clips</h3><p class="af-list-notes"></p><div class="af-clips" tabindex="-1"></div></section>
    <section class="af-card"><h3>Taken for</h3><div class="af-confusion"></div></section>
    <section class="af-card"><h3>Nearest of the same label</h3><div class="af-purities"></div><h3>Your sound</h3><div class="af-neighbours"></div></section>
  </div>`;

export function mount(page) {
  new MapRoom(page).open();
}

class MapRoom extends Room {
  constructor(page) {
    super(page, "map", TEMPLATE);
    this.answers = { look: this.looked, sound: this.heard };
    this.maps = [0, 1].map((side) => this.build(side));
    this.stages = new Stages(this.find(".af-steps"), (number) => this.stage(number));
    this.panels = new MapPanels(this.find, {
      select: (indices) => this.select(indices),
      play: (index) => this.play(index),
      point: (index) => this.maps.forEach(({ view }) => view.point(index, false)),
    });
    this.wavs = new Map();
    if (localStorage.getItem(STORE) === "pca") this.find(".af-method").value = "pca";
    this.find(".af-method").addEventListener("change", () => localStorage.setItem(STORE, this.find(".af-method").value));
    for (const name of [".af-first", ".af-second", ".af-method"]) this.find(name).addEventListener("change", () => this.wanted());
    this.find(".af-colour").addEventListener("change", () => this.colour());
    this.find(".af-find").addEventListener("input", () => this.search());
    this.find(".af-all").addEventListener("click", () => {
      this.find(".af-find").value = "";
      this.select([]);
    });
    const kinds = ["png", "svg", "html", "csv"].map((kind) => [kind, () => this.save(kind)]); // a file for each map
    this.find(".af-controls").append(saveMenu(Object.fromEntries(kinds)));
    onLook(() => this.view?.views.length && this.colour());
  }

  build(side) {
    const card = part("section", "af-card af-one-map");
    const [title, told] = [part("h3", ""), part("p", "af-told-map")];
    const box = part("div", "");
    card.append(title, box, told);
    this.find(".af-maps").append(card);
    const view = new EmbeddingMap(box, {
      pick: (index) => this.play(index),
      select: (indices) => this.select(indices),
      over: (index) => this.maps[1 - side].view.point(index, false),
    });
    return { card, title, told, view };
  }

  enter() {
    const { left, right, map, colour } = this.wished();
    put(this.find(".af-method"), map);
    put(this.find(".af-colour"), colour);
    const method = this.find(".af-method").value;
    if (left) this.question = this.asking(left, right, method);
    this.ask("look", this.question ?? { method });
  }

  // What was answered last time can be asked again.
  forget() {
    this.question = this.answered;
    if (!this.view?.views.length) this.shown = null;
  }

  asking(first, second, method) {
    const other = second && second !== first && second !== THROUGH;
    return { models: other ? [first, second] : [first], method, through: second === THROUGH };
  }

  wanted() {
    const [first, second, method] = [".af-first", ".af-second", ".af-method"].map((name) => this.find(name).value);
    const known = second !== THROUGH || this.view?.before[first];
    this.question = first ? this.asking(first, known ? second : "", method) : { method };
    this.ask("look", this.question);
  }

  // One model through its training: on the right what it was, on the left what has become of it.
  stage(number) {
    this.at = number;
    this.view.views = [this.earlier.at(-1), this.earlier[number]];
    this.host.dataset.stage = this.earlier[number].name;
    this.colour();
    this.panels.neighbours();
  }

  staged({ views, through }) {
    this.earlier = through ? [...views.slice(1), views[0]] : null;
    this.stages.host.hidden = !through;
    if (!through) return (this.at = 0);
    this.at = Math.min(this.at ?? 0, this.earlier.length - 1);
    this.stages.show(this.earlier.map(({ name, purity }) => `${name} ${purity.toFixed(2)}`), this.at);
    this.view.views = [this.earlier.at(-1), this.earlier[this.at]];
    return (this.host.dataset.stage = this.earlier[this.at].name);
  }

  looked(reply, more) {
    if (more) return;
    this.view = reply;
    this.answered = this.question;
    this.options(reply);
    this.progress(reply);
    clearTimeout(this.timer);
    const settled = reply.views.length && reply.views.every((view) => view.method === reply.method);
    const told = (reply.purities ?? []).length === reply.models.length;
    if (reply.waiting && !(settled && told)) this.timer = setTimeout(() => (this.host.offsetParent ? this.enter() : (this.token = null)), POLL_MS); // or when one is back
    if (!reply.views.length) return;
    this.host.dataset.method = reply.views[0].method;
    this.staged(reply);
    this.host.classList.toggle("af-single", reply.views.length < 2);
    const labels = [...new Set(reply.clips.map((clip) => clip.label))].sort(); // first, so that their marks stay with every model
    const others = (this.earlier ?? reply.views).flatMap(({ predictions }) => predictions).filter((name) => !labels.includes(name));
    this.classes = [...labels, ...[...new Set(others)].sort()];
    this.maps.forEach(({ card }, side) => (card.hidden = side >= reply.views.length));
    this.colour();
    this.panels.show(reply);
    this.host.dataset.own = reply.views[0].own.name;
  }

  options({ models, names, method, through, before }) {
    const fill = (select, values, value) => {
      const same = String([...select.options].map((one) => one.value)) === String(values.map(([key]) => key));
      if (!same) select.replaceChildren(...values.map(([key, text]) => new Option(text, key)));
      select.value = value;
    };
    const all = models.map((name) => [name, name]);
    fill(this.find(".af-first"), all, names[0]);
    const training = before[names[0]] ? [[THROUGH, "its training"]] : [];
    fill(this.find(".af-second"), [...training, ...all, ["", "none"]], through ? THROUGH : (names[1] ?? ""));
    this.find(".af-method").value = method;
  }

  progress({ waiting, views, method }) {
    const box = this.find(".af-progress");
    const busy = waiting && (!views.length || views.some((view) => view.method !== method) || (waiting.doing && waiting.doing !== "umap"));
    box.hidden = !busy;
    if (!busy) return;
    const umap = waiting.doing === "umap";
    box.firstElementChild.textContent = umap ? "UMAP is being laid out; until then the plane of the largest spread (PCA)"
      : waiting.doing ? `${waiting.doing} listens: ${waiting.done} of ${waiting.total} clips` : "Opening the sounds"; // prettier-ignore
    box.querySelector("i").style.width = umap ? "100%" : `${(100 * waiting.done) / waiting.total}%`;
  }

  // Colours and texts of both maps.
  colour() {
    const by = this.find(".af-colour").value;
    const { clips, views } = this.view;
    views.forEach((view, side) => {
      const told = clips.map((clip, i) => this.told(clip, view, i));
      const { own } = view;
      const shown = { point: own.point, nearest: own.nearest, told: `${own.name}\nthe sound on the page` };
      this.maps[side].view.show({ points: view.points, told, marks: () => clips.map((_, i) => this.mark(view, i, by)), alt: this.alt(view, by), own: shown });
      const { title, told: below } = this.maps[side];
      title.textContent = `${view.name} · ${view.method === "umap" ? "UMAP" : "PCA"}`;
      const near = view.k === 1 ? "nearest clip has the same label" : `share of the ${view.k} nearest clips with the same label`;
      const plane = view.shares ? ` The plane shows ${percent(view.shares[0] + view.shares[1])} of the spread.` : "";
      const hits = view.right.filter(Boolean).length;
      const learnt = view.learnt ? ` It has learnt from ${view.learnt === clips.length ? "all" : view.learnt} of these ${clips.length} clips: no test of how good it is.`
        : view.alike ? " It has learnt from other clips of these kinds, which the same program computed." : ""; // prettier-ignore
      below.textContent = `kNN purity ${view.purity.toFixed(2)}, chance ${view.chance.toFixed(2)} (${near}; ${view.counted} clips).${plane} `
        + `${view.by === "classes" ? "Its own label" : "The label of its neighbours"} is right for ${hits} of ${clips.length}.${learnt}`; // prettier-ignore
      this.maps[side].card.dataset.purity = view.purity.toFixed(4);
    });
    this.key(by);
    this.host.dataset.colour = by;
    const { names, through, method } = this.view;
    this.remember({ left: names[0], right: through ? THROUGH : (names[1] ?? ""), map: method, colour: by });
  }

  told(clip, view, i) {
    const known = view.known[i] ? "" : "\n(not one of its classes)";
    const note = clip.note && `\n${clip.note}`;
    return `${words(clip.label)}\ntaken for ${words(view.predictions[i])}, ${surety(view, i)}${known}\n${clip.file}${note}`;
  }

  alt(view, by) {
    const many = this.view.clips.length;
    return `Map of ${many} sounds by ${view.name}, coloured by ${by}. kNN purity ${view.purity.toFixed(2)}, chance ${view.chance.toFixed(2)}. Arrow keys walk, Enter plays, space selects.`;
  }

  mark(view, i, by) {
    const { clips } = this.view;
    if (by === "confidence") return { fill: shade(view.confidence[i]), shape: OUTCOMES[0] };
    if (by === "error") return this.outcome(view.right[i] ? 0 : view.known[i] ? 1 : 2);
    return classMark(this.classes.indexOf(by === "label" ? clips[i].label : view.predictions[i]));
  }

  outcome(kind) {
    const { blue, warm, soft } = look();
    return { fill: [blue, warm, soft][kind], shape: OUTCOMES[kind] };
  }

  // Below the maps: what the marks mean; a click selects.
  key(by) {
    const box = this.find(".af-classes-key");
    const { clips, views } = this.view;
    const [view] = views;
    this.meanings = []; // of the marks, for a saved picture
    if (by === "confidence") {
      this.meanings = [0, 0.25, 0.5, 0.75, 1].map((share) => ({ text: percent(share), mark: { fill: shade(share), shape: OUTCOMES[0] } }));
      const scale = part("span", "af-scale");
      scale.style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map(shade).join(",")})`;
      return box.replaceChildren(part("span", "", "probability 0"), scale, part("span", "", "1"));
    }
    const entry = (text, shown, member) => {
      this.meanings.push({ text, mark: shown });
      const made = button("", "Select these clips", () => this.select(clips.map((_, i) => i).filter(member)), "af-class");
      made.append(mark(shown), part("span", "", text));
      return made;
    };
    if (by === "error") {
      const kinds = [["right", (i) => view.right[i]], ["wrong", (i) => !view.right[i] && view.known[i]], ["not one of its classes", (i) => !view.known[i]]];
      return box.replaceChildren(...kinds.map(([text, member], kind) => entry(text, this.outcome(kind), member)));
    }
    const of = (i) => (by === "label" ? clips[i].label : view.predictions[i]);
    const present = this.classes.filter((name) => clips.some((_, i) => of(i) === name) || (by === "prediction" && views[1]?.predictions.includes(name)));
    box.replaceChildren(...present.map((name) => entry(words(name), classMark(this.classes.indexOf(name)), (i) => of(i) === name)));
  }

  select(indices) {
    for (const { view } of this.maps) view.choose(indices);
    this.host.dataset.chosen = indices.length;
    this.panels.list(indices);
  }

  search() {
    const wanted = this.find(".af-find").value.trim().toLowerCase();
    const [view] = this.view?.views ?? [];
    if (!view) return;
    const fits = (clip, i) => [clip.label, words(clip.label), view.predictions[i], clip.file].some((text) => text.toLowerCase().includes(wanted));
    const found = wanted ? this.view.clips.map((clip, i) => (fits(clip, i) ? i : -1)).filter((i) => i >= 0) : [];
    this.select(found);
    if (wanted && !found.length) this.panels.nothing(wanted);
  }

  play(index) {
    if (index >= this.view.clips.length) return this.link.player.play(); // the star: the sound on the page
    if (this.wavs.has(index)) return this.sing(index);
    this.ask("sound", { index });
  }

  sing(index) {
    this.link.player.once(this.wavs.get(index));
    this.host.dataset.heard = index;
  }

  heard(reply, more) {
    this.wavs.set(reply.index, reply.wav);
    if (this.wavs.size > 60) this.wavs.delete(this.wavs.keys().next().value);
    if (!more) this.sing(reply.index);
  }

  async save(kind) {
    if (!this.view?.views.length) return;
    const csv = new Blob([this.panels.csv()], { type: "text/csv" });
    if (kind === "csv") return download(csv, "map.csv");
    for (const [side, { name }] of this.view.views.entries()) {
      const { view } = this.maps[side];
      const make = drawings(() => view.save({ title: this.maps[side].title.textContent, key: this.meanings }), () => view.shown.alt, [600, 600], () => ({ csv }));
      download(await make[kind](), `map-${name.replaceAll(/[^\w-]+/g, "-")}.${kind}`);
    }
  }
}
