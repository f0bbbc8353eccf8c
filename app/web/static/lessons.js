// The page's side of the room Teach: files become samples for the worker, the classifier that a lesson ends with an address
// to download, and who listens can be chosen.
import { part } from "./parts.js";
import { decoded } from "./sound_source.js";

const OWN = "yours";

export class Lessons {
  // heard(): another classifier listens from now on.
  constructor(page, host, heard) {
    Object.assign(this, { page, host, heard, files: new Map() });
    this.select = host.appendChild(part("select", ""));
    this.select.setAttribute("aria-label", "Who listens");
    this.select.addEventListener("change", async () => {
      await page.engine.ask("teach", "listens", { name: this.select.value });
      heard();
    });
    host.hidden = true;
  }

  // Where the app sends a file to its server, the page keeps it for the question that follows.
  upload(file) {
    const path = String(this.files.size);
    this.files.set(path, file);
    return { path };
  }

  async sound({ path, ...data }) {
    const file = this.files.get(path);
    this.files.set(path, null);
    try {
      return { ...data, samples: await decoded(await file.arrayBuffer(), this.page.rate) };
    } catch (error) {
      throw new Error(`${data.name}: ${error.message}`);
    }
  }

  // One sample of each of several kinds.
  async others() {
    const { samples } = this.page.site;
    const kinds = [...new Map(samples.map((one) => [one.label, one]).reverse()).values()].slice(0, 8);
    const bytes = ({ file }) => globalThis.audioformerSite.file(`samples/${file}`);
    return { sounds: await Promise.all(kinds.map(async (one) => ({ name: one.label, samples: await decoded(await bytes(one), this.page.rate) }))) };
  }

  async ask(what, data) {
    if (what === "others") data = { ...data, ...(await this.others()) };
    else if (what === "open") data = { file: this.files.get(data.path) };
    else if (data.path !== undefined) data = await this.sound(data);
    return this.told(await this.page.engine.ask("teach", what, data), data);
  }

  // Every answer says which question it is of; the last one of a lesson, and a classifier that is opened, change who listens.
  told({ model, ...reply }, { task, file }) {
    if (reply.choice) {
      const address = URL.createObjectURL(model ?? file);
      this.listens(reply.choice[0]);
      reply.choice = [reply.choice[0], address];
    }
    return { task, ...reply };
  }

  listens(title) {
    const { checkpoint } = this.page.site;
    this.select.replaceChildren(new Option(checkpoint, checkpoint), new Option(title, OWN, true, true));
    this.host.hidden = false;
    this.heard();
  }
}
