// What is heard is what is drawn: lanes of another sound in the places of the clip's own.

// view: what the time line shows of the clip itself; heard: {mel, codes} of the sound that was chosen, or nothing for its own.
export function drawHeard(timeline, view, heard) {
  if (timeline.view?.token !== view?.token) return;
  const instead = (lane) => heard?.[typeof lane === "string" ? lane : lane.kind === "codes" ? "codes" : lane.id] ?? lane;
  timeline.view.lanes = view.lanes.map(instead);
  timeline.build();
}
