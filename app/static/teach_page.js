// What stands in the room Teach before anything is brought.
import { OUTCOME } from "./teach_outcome.js";

export const TEMPLATE = `
  <p class="af-lead">Name two kinds of sound, bring a few examples of each, and press Teach.</p>
  <div class="af-controls" role="group" aria-label="How to learn">
    <label>Learn <select class="af-method" aria-label="What learns"><option value="probe">the last layer (seconds)</option>
      <option value="ft1">everything (a minute or more)</option></select></label>
    <label>from <select class="af-start" aria-label="Model to begin with"></select></label>
    <label>cut long sounds into <select class="af-piece" aria-label="Length of a piece"></select></label>
    <span class="af-rule"></span>
    <button type="button" class="af-play af-teach" disabled>Teach</button>
    <button type="button" class="af-button af-stop" hidden>Enough</button>
    <output class="af-ready" aria-live="polite"></output>
  </div>
  <div class="af-progress" role="status" hidden><span></span><div><i></i></div></div>
  <div class="af-pupils"></div>
  <div class="af-controls af-projects" role="group" aria-label="Classes and project">
    <button type="button" class="af-button af-more">+ Class</button>
    <button type="button" class="af-button af-none" title="What is none of your classes gets this name instead of one of theirs">+ None of these</button>
    <span class="af-rule"></span>
    <button type="button" class="af-button af-save-project" title="Sounds, names and classifier as one file">Save project</button>
    <button type="button" class="af-button af-open-project">Open project</button>
    <input type="file" class="af-files af-project-file" accept=".zip" aria-label="Project to open">
    <button type="button" class="af-button af-anew" title="Forget classes, sounds and classifier, in this browser, too">Start anew</button>
  </div>${OUTCOME}`;
