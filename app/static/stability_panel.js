// Small changes, in Listen: the share of codes that stay, a line for each change, a column for each row of codes.
import { LATE, Latest } from "./latest.js";
import { part } from "./parts.js";

export class StabilityPanel {
  // ask(what, data): a question to the server, whose answer comes to show() or heard().
  constructor(host, ask) {
    Object.assign(this, { host, token: null });
    this.say = part("p", "af-book-said");
    this.say.setAttribute("aria-live", "polite");
    this.table = part("table", "af-table af-stay");
    host.append(part("p", "af-lead", "The same sound, a little different: how many of its codes stay?"), this.table, this.say);
    const late = () => (this.say.textContent = LATE);
    this.asking = new Latest(() => ask("stability", {}), late);
    this.hearing = new Latest((change) => ask("varied", { change }), late);
  }

  load(token) {
    if (!token || token === this.token) return;
    this.token = token;
    this.table.replaceChildren();
    this.say.textContent = "Coding the sound again, once for each change …";
    this.asking.send();
  }

  show({ changes, counted }) {
    const head = part("tr", "");
    head.append(part("th", ""), ...changes[0].stay.map((_, row) => part("th", "", `row ${row + 1}`)));
    this.table.replaceChildren(head, ...changes.map((change, number) => {
      const line = part("tr", "");
      const name = part("th", "");
      const play = part("button", "af-button", `▶ ${change.name}`);
      play.type = "button";
      play.addEventListener("click", () => this.hearing.send(number));
      name.append(play);
      line.append(name, ...change.stay.map((share) => {
        const cell = part("td", "af-share-cell", share === null ? "–" : `${(100 * share).toFixed(0)} %`);
        cell.style.setProperty("--share", share ?? 0);
        return cell;
      }));
      return line;
    }));
    const silent = counted < 0.995 ? ` Only where there is sound, ${(100 * counted).toFixed(0)} % of the clip.` : "";
    this.say.textContent = `Blue: the share of codes that stay the same.${silent} A whole frame later, the codes move along with the sound. Click a change to hear it.`;
    this.host.dataset.shown = changes.length;
  }

  heard({ name, label }) {
    const said = label ? ` The classifier hears ${label.label}, ${(100 * label.probability).toFixed(0)} %.` : "";
    this.say.textContent = `Heard: the codes of the sound, ${name}, decoded. Those that changed are framed in the grid.${said}`;
  }
}
