// Results: the benchmarks that come with the kit, one figure at a time.
import { PlotlyView } from "./plotly_view.js";
import { part, put } from "./parts.js";
import { Room } from "./room.js";

const TEMPLATE = `
  <div class="af-controls" role="group" aria-label="Which result">
    <label>Show <select class="af-result" aria-label="Question"></select></label>
    <label class="af-on-set">on <select class="af-set" aria-label="Data"></select></label>
  </div>
  <section class="af-card"><div class="af-result-chart" role="img"></div></section>
  <section class="af-card af-result-told" aria-live="polite"><h3>What it says</h3><div></div>
    <h3>Measure it yourself</h3><code></code></section>`;

const OF_THRESHOLD = ["confusion", "reliability"];

export function mount(page) {
  new ResultsRoom(page).open();
}

class ResultsRoom extends Room {
  constructor(page) {
    super(page, "results", TEMPLATE);
    this.chart = new PlotlyView(this.find(".af-result-chart"));
    this.chart.onDraw = () => (this.host.dataset.drawn = this.drawn);
    this.find(".af-controls").append(this.chart.saveMenu("results"));
    this.answers = { look: this.looked };
    for (const name of [".af-result", ".af-set"]) this.find(name).addEventListener("change", () => this.look());
    // another threshold gives another verdict, and other counts here
    const verdict = document.querySelector("#af-verdict");
    const again = () => OF_THRESHOLD.includes(this.find(".af-result").value) && this.shown === this.link.token && this.look();
    if (verdict) new MutationObserver(again).observe(verdict, { childList: true, subtree: true });
  }

  enter() {
    const { result, on } = this.wished();
    const [asked, data] = [".af-result", ".af-set"].map((name) => this.find(name).value || null);
    this.ask("look", { result: result ?? asked, data: on ?? data });
  }

  look() {
    this.ask("look", { result: this.find(".af-result").value, data: this.find(".af-set").value });
  }

  looked(reply, more) {
    if (more) return;
    this.offer(".af-result", reply.questions, reply.result);
    this.offer(".af-set", reply.sets, reply.data);
    this.find(".af-on-set").hidden = !reply.sets.length;
    this.remember({ result: reply.result, on: reply.data });
    this.drawn = `${reply.result}:${reply.data}`;
    this.find(".af-result-told div").replaceChildren(...reply.told.map((line) => part("p", "", line)));
    this.find(".af-result-told code").textContent = reply.command;
    this.chart.show(reply);
  }

  offer(name, choices, chosen) {
    const select = this.find(name);
    if (select.options.length !== choices.length || choices.some(([value], place) => select.options[place].value !== value)) {
      select.replaceChildren(...choices.map(([value, title]) => new Option(title, value)));
    }
    put(select, chosen ?? undefined);
  }
}
