// What a time line saves: its picture, its values, the sound of the selected stretch.
import { axisFont } from "./colours.js";
import { writeWav } from "./player.js";
import { quoted } from "./save.js";
import { drawLane } from "./timeline_rows.js";

// All lanes as they are on the screen, for a file.
export function lanesPicture(timeline) {
  const plot = timeline.find(".af-plot");
  const draw = (context) => {
    const frame = timeline.frame();
    const { colours } = frame;
    for (const { lane, row, canvas } of timeline.rows) {
      const [left, top, height] = [canvas.offsetLeft, row.offsetTop + canvas.offsetTop, canvas.clientHeight];
      context.save();
      context.translate(left, top);
      drawLane(context, { ...frame, lane, width: canvas.clientWidth, height: canvas.clientHeight });
      context.restore();
      Object.assign(context, { font: axisFont(), fillStyle: colours.soft, textBaseline: "alphabetic", textAlign: "right" });
      for (const [place, text] of lane.ticks ?? []) context.fillText(text, left - 6, top + height * (1 - place) + 4);
      if (lane.lines?.length > 1) writeNames(context, lane, left + 6, top + 12, colours);
      Object.assign(context, { textAlign: "left", fillStyle: colours.ink });
      context.fillText([lane.name, lane.about].filter(Boolean).join(" "), 0, row.offsetTop + 12);
    }
  };
  return { width: plot.clientWidth, height: plot.clientHeight, alt: timeline.lanes.map((lane) => lane.alt).join(" "), draw };
}

// One line a frame: time, the codes of every row, every line at the nearest moment, and the events that sound.
export function valueTable(timeline) {
  const codes = timeline.codes ?? [];
  const lines = timeline.lanes.flatMap((lane) => (lane.lines ?? []).map((line) => ({ ...line, lane })));
  const events = timeline.lanes.filter((lane) => lane.kind === "events");
  const names = [...lines.map(({ name, lane }) => `${lane.name}: ${name}`), ...events.map(({ name }) => name)].map(quoted);
  const head = ["time_s", ...codes.map((_, row) => `codebook_${row + 1}`), ...names];
  const rows = Array.from({ length: Math.ceil(timeline.view.duration_s * timeline.view.frame_rate) }, (_, frame) => {
    const time = (frame + 0.5) / timeline.view.frame_rate;
    const at = ({ values, lane }) => values[Math.round((time - lane.start_s) / lane.step_s)] ?? "";
    const sounding = (lane) => quoted(lane.events.filter(({ start_s, end_s }) => start_s <= time && time < end_s).map(({ label }) => label).join("; "));
    return [time.toFixed(4), ...codes.map((row) => row[frame] ?? ""), ...lines.map(at), ...events.map(sounding)].join(",");
  });
  return new Blob([[head.join(","), ...rows].join("\n") + "\n"], { type: "text/csv" });
}

// The sound that is chosen, of the selected stretch or the whole clip.
export function stretchSound(timeline) {
  const { sounds } = timeline.link.player;
  const sound = sounds.get(timeline.choice) ?? sounds.get("original");
  if (!sound) throw new Error("the sound is not here yet.");
  if (!sounds.has(timeline.choice)) timeline.say("That sound is not here yet: saved with the original.");
  const { samples, rate } = sound;
  const [from, to] = (timeline.link.selection ?? [0, timeline.view.duration_s]).map((edge) => Math.round(edge * rate));
  return writeWav(samples.slice(from, to), rate);
}

// Names of the lines of a lane, one below the other, each in its colour.
function writeNames(context, lane, left, top, colours) {
  Object.assign(context, { textAlign: "left", textBaseline: "alphabetic" });
  lane.lines.forEach(({ name }, place) => {
    context.fillStyle = colours.lines[place % colours.lines.length];
    context.fillText(name, left, top + 13 * place);
  });
}
