// The pointer over a time line: where it is, what it points at, what is dragged; and the marks that lie over the lanes.
import { clamp, part } from "./dom.js";
import { KINDS } from "./lanes.js";

export const ROUNDING_S = 1e-6; // two moments nearer than this are one

export function press(timeline, event) {
  const start = timeline.view && locate(timeline, event);
  if (!start) return;
  const brushing = timeline.brush && start.lane.kind === "codes";
  let moved = false;
  const move = (later) => {
    const end = locate(timeline, later, start);
    moved ||= Math.abs(later.clientX - event.clientX) > 5 || (brushing && Math.abs(later.clientY - event.clientY) > 5);
    if (moved && !brushing) timeline.link.select([start.time, end.time].sort((one, other) => one - other));
    if (moved && brushing) showBrush(timeline, start, end);
  };
  const up = (later) => {
    window.removeEventListener("pointermove", move);
    window.removeEventListener("pointerup", up);
    window.removeEventListener("pointercancel", up);
    if (later.type === "pointercancel") return;
    if (brushing) brushed(timeline, start, locate(timeline, later, start));
    else if (moved) timeline.play();
    else timeline.click(start);
  };
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", up);
  window.addEventListener("pointercancel", up);
}

// Where a pointer is: {lane, row (of codes, from 1), time, share}; kept inside the lane of `start` if that is given.
function locate(timeline, event, start = null) {
  const found = start?.entry ?? timeline.rows?.find(({ lane, canvas }) => {
    const box = canvas.getBoundingClientRect();
    return lane.kind !== "axis" && event.clientY >= box.top && event.clientY < box.bottom && event.clientX >= box.left && event.clientX <= box.right;
  });
  if (!found) return null;
  const box = found.canvas.getBoundingClientRect();
  const [from, to] = timeline.range;
  const share = clamp((event.clientY - box.top) / box.height, 0, 0.9999);
  const time = clamp(from + ((event.clientX - box.left) / box.width) * (to - from), from, to);
  return { entry: found, lane: found.lane, time, share, row: Math.floor(share * (found.lane.codes?.length ?? 1)) + 1 };
}

export function hover(timeline, event) {
  const tip = timeline.find(".af-tip");
  const place = timeline.view && locate(timeline, event);
  tip.hidden = !place || event.pointerType === "touch";
  if (tip.hidden) return;
  const values = KINDS[place.lane.kind].value(place.lane, place.time, place.share, timeline.link);
  tip.replaceChildren(...[`${place.time.toFixed(3)} s`, ...values].map((line) => part("div", "", line)));
  const box = timeline.find(".af-plot").getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  tip.style.left = `${x > box.width - 190 ? x - tip.offsetWidth - 12 : x + 14}px`;
  tip.style.top = `${Math.min(y + 12, box.height - tip.offsetHeight - 4)}px`;
}

function showBrush(timeline, start, end) {
  const [low, high] = [start.row, end.row].sort((one, other) => one - other);
  const [first, last] = [timeline.frameAt(start.time), timeline.frameAt(end.time)].sort((one, other) => one - other);
  putBox(timeline, timeline.find(".af-cursor"), start.entry, low, high, first, last);
  return { row: low, rows: high - low + 1, frame: first, frames: last - first + 1 };
}

function brushed(timeline, start, end) {
  const { row, rows, frame, frames } = showBrush(timeline, start, end);
  timeline.point(row, frame);
  const inside = Math.min(frames, timeline.codes[0].length - frame);
  if (inside > 0) timeline.paint?.({ row, rows, frame, frames: inside });
}

// Playhead, selection and cursor lie over the lanes, so that they move without drawing them again.
export function placeMarks(timeline) {
  if (!timeline.view || !timeline.rows?.length) return;
  const { player, selection, cursor } = timeline.link;
  const [from, to] = timeline.range;
  const time = player.time;
  if (time !== null && (time > to || time < from) && to - from < timeline.view.duration_s && !selection && timeline.turn(time)) return;
  const share = (moment) => ((moment - from) / (to - from)) * 100;
  const head = timeline.find(".af-playhead");
  head.hidden = time === null || time < from - ROUNDING_S || time > to + ROUNDING_S;
  head.style.left = `${share(time)}%`;
  const stretch = timeline.find(".af-stretch");
  stretch.hidden = !selection || selection[1] <= from || selection[0] >= to || (selection[0] <= from && selection[1] >= to);
  if (selection) {
    const [left, right] = selection.map((edge) => clamp(share(edge), 0, 100));
    [stretch.style.left, stretch.style.width] = [`${left}%`, `${right - left}%`];
  }
  const entry = timeline.rows.find(({ lane }) => lane.kind === "codes");
  const box = timeline.find(".af-cursor");
  box.hidden = !cursor;
  box.classList.toggle("af-moment", !entry);
  if (cursor && entry) putBox(timeline, box, entry, cursor.row, cursor.row, cursor.frame, cursor.frame);
  if (cursor && !entry) putMoment(box, share((cursor.frame + 0.5) / timeline.view.frame_rate));
}

function putBox(timeline, box, { lane, row, canvas }, low, high, first, last) {
  const [from, to] = timeline.range;
  const scale = canvas.clientWidth / (to - from);
  const left = (first / timeline.view.frame_rate - from) * scale;
  const width = Math.max(((last - first + 1) / timeline.view.frame_rate) * scale, 5);
  const tall = canvas.clientHeight / lane.codes.length;
  box.hidden = left + width < 0 || left > canvas.clientWidth;
  Object.assign(box.style, {
    left: `${left}px`, width: `${width}px`, top: `${row.offsetTop + canvas.offsetTop + (low - 1) * tall}px`, height: `${(high - low + 1) * tall}px`,
  });
}

// Without codes the cursor is a moment: a line through all lanes.
function putMoment(box, percent) {
  box.hidden = percent < 0 || percent > 100;
  Object.assign(box.style, { left: `calc(${percent}% - 1px)`, width: "2px", top: "0", height: "calc(100% - 16px)" });
}
