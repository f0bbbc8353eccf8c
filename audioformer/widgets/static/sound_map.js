// A map of sounds in a notebook: the same marks as in the app's room Map, each heard on a click, and several maps of the
// same sounds one after the other.
import { EmbeddingMap, classMark, mark } from "./embedding_map.js";
import { Player } from "./player.js";
import { drawings, quoted, saveMenu } from "./save.js";
import { Stages } from "./stages.js";

// The prop `value` is {maps [{name, points}], labels, names, alt, sound} as JSON text; `reply` is {wav} of a mark that was asked for.
export function mount({ element, read, watch, send }) {
  const host = element.appendChild(document.createElement("div"));
  host.className = "af-sound-map";
  const [steps, box, key] = [0, 1, 2].map(() => host.appendChild(document.createElement("div")));
  const player = new Player();
  const { maps, labels, names, alt, sound } = JSON.parse(read("value"));
  const classes = [...new Set(labels)];
  const marks = () => labels.map((label) => classMark(classes.indexOf(label)));
  const told = labels.map((label, i) => `${label}\n${names[i]}`);
  const view = new EmbeddingMap(box, {
    pick: (index) => {
      player.wake();
      if (sound) send("hear", { index });
    },
    select: (indices) => {
      view.choose(indices);
      send("select", { indices });
    },
  });
  let at = 0;
  const go = (number) => {
    at = number;
    view.show({ points: maps[at].points, told, marks, alt: `${maps[at].name ? `${maps[at].name}: ` : ""}${alt}`, own: null });
    host.dataset.stage = maps[at].name;
  };
  const stages = new Stages(steps, go);
  steps.hidden = maps.length < 2;
  stages.show(maps.map(({ name }) => name), 0);
  go(0);
  key.className = "af-map-key";
  for (const name of classes) {
    const button = Object.assign(document.createElement("button"), { type: "button", title: "Select these sounds" });
    button.append(mark(classMark(classes.indexOf(name))), name);
    button.addEventListener("click", () => {
      const indices = labels.map((label, i) => (label === name ? i : -1)).filter((i) => i >= 0);
      view.choose(indices);
      send("select", { indices });
    });
    key.append(button);
  }
  const table = () => {
    const rows = labels.map((label, i) => [quoted(names[i]), quoted(label), ...maps[at].points[i].map((place) => place.toFixed(4))].join(","));
    return new Blob([["name,label,x,y", ...rows].join("\n") + "\n"], { type: "text/csv" });
  };
  const drawn = drawings(() => view.save(), () => view.shown.alt, [600, 600], () => ({ csv: table() }));
  key.append(saveMenu({ ...drawn, csv: table }, "map"));
  watch("reply", () => {
    const reply = JSON.parse(read("reply") || "null");
    if (!reply?.wav) return;
    player.once(reply.wav);
    host.dataset.heard = reply.index;
  });
  return view;
}
