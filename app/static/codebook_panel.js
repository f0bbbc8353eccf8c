// The codebook view of Listen: figures of one row's entries; a click on an entry plays it.
import { LATE, Latest } from "./latest.js";
import { PlotlyView } from "./plotly_view.js";
import { isDark, onLook } from "./widgets/colours.js";

const VIEWS = { map: "map of the entries", time: "this clip, over time", use: "how evenly they are used", rows: "all rows compared", classes: "typical for a class" };
const TEMPLATE = `
  <div class="af-controls">
    <label>Show <select class="af-book-view" aria-label="Figure"></select></label>
    <label>of row <select class="af-book-row" aria-label="Row"></select></label>
    <label>entry <input type="number" class="af-book-entry" min="0" value="0" aria-label="Entry"></label>
    <button type="button" class="af-button af-book-hear">▶ Hear it</button>
    <button type="button" class="af-button af-book-find" disabled>▶ In this clip</button>
  </div>
  <div class="af-book-chart" role="img"></div>
  <p class="af-book-said" aria-live="polite"></p>`;

export class CodebookPanel {
  // ask(what, data): a question to the server, whose answer comes to show() or heard().
  constructor(host, timeline, ask) {
    Object.assign(this, { host, timeline, entry: null });
    host.innerHTML = TEMPLATE; // fixed text
    this.looking = new Latest((data) => ask("codebook", data), () => this.say(LATE));
    this.hearing = new Latest((data) => ask("entry", data), () => this.say(LATE));
    this.chart = new PlotlyView(this.find(".af-book-chart"));
    this.chart.onDraw = () => this.listen();
    host.querySelector(".af-controls").append(this.chart.saveMenu("codebook"));
    this.find(".af-book-view").replaceChildren(...Object.entries(VIEWS).map(([name, label]) => new Option(label, name)));
    for (const name of [".af-book-view", ".af-book-row"]) this.find(name).addEventListener("change", () => this.changed());
    this.find(".af-book-hear").addEventListener("click", () => this.hear(Number(this.find(".af-book-entry").value)));
    this.find(".af-book-entry").addEventListener("keydown", (event) => event.key === "Enter" && this.hear(Number(event.target.value)));
    this.find(".af-book-find").addEventListener("click", () => {
      timeline.point(this.row, this.frame);
      timeline.cut();
    });
    onLook(() => this.look());
  }

  find(name) {
    return this.host.querySelector(name);
  }

  get row() {
    return Number(this.find(".af-book-row").value) || 1;
  }

  // Another clip, or another codec with other rows.
  load(n_rows, opened) {
    const chosen = Math.min(this.row, n_rows);
    this.find(".af-book-row").replaceChildren(...Array.from({ length: n_rows }, (_, row) => new Option(row + 1, row + 1)));
    this.find(".af-book-row").value = chosen;
    this.entry = null;
    this.find(".af-book-find").disabled = true;
    if (opened) this.look();
  }

  changed() {
    this.entry = null;
    this.look();
  }

  look() {
    if (this.host.hidden) return;
    if (!this.chart.shown) this.say("Counting the codes of the bundled clips …");
    this.looking.send({ view: this.find(".af-book-view").value, row: this.row, entry: this.entry, look: isDark() ? "dark" : "light" });
  }

  async show(reply) {
    this.find(".af-book-row").disabled = ["use", "rows"].includes(reply.view); // these show every row
    await this.chart.show(reply);
    if (reply.entry === null) this.say(`Counted over ${reply.counted}. Click an entry to hear it.`);
    Object.assign(this.host.dataset, { view: reply.view, row: reply.row, alt: reply.figure.layout.meta?.alt ?? "" });
  }

  // Points carry their entry as (the first of) their custom data.
  listen() {
    if (this.listening) return;
    this.listening = true;
    this.chart.host.on("plotly_click", ({ points }) => {
      const data = points[0]?.customdata;
      const entry = Array.isArray(data) || ArrayBuffer.isView(data) ? data[0] : data;
      if (Number.isInteger(entry)) this.hear(entry);
    });
  }

  hear(entry) {
    this.timeline.link.player.wake();
    this.hearing.send({ row: this.row, entry });
  }

  heard({ row, entry, wav, column, times, frame }) {
    this.timeline.link.player.once(wav);
    Object.assign(this, { entry, frame });
    this.find(".af-book-entry").value = entry;
    this.find(".af-book-find").disabled = frame === null;
    const above = row === 1 ? "" : ` under ${column.slice(0, -1).join(", ")}, where it stands most often`;
    this.say(`Heard: entry ${entry} of row ${row}${above}. ${times ? `This clip uses it in ${times} of its frames.` : "This clip does not use it."}`);
    this.host.dataset.heard = `${row}:${entry}`;
    this.look();
  }

  say(text) {
    this.find(".af-book-said").textContent = text;
  }
}
