// What stands in the room Files before anything is brought.

export const TEMPLATE = `
  <p class="af-lead">Bring a long recording or a folder: every few seconds get a label, the surest first. Listen, say yes or no, and take the corrected data away.</p>
  <div class="af-controls" role="group" aria-label="What to read">
    <button type="button" class="af-play af-bring">Choose files</button>
    <button type="button" class="af-button af-bring-folder">Choose a folder</button>
    <input type="file" class="af-files af-of-files" multiple aria-label="Sound files to read">
    <input type="file" class="af-files af-of-folder" multiple webkitdirectory aria-label="Folder to read">
    <label>cut into <select class="af-moment" aria-label="Length of a moment"><option value="1">1 s</option><option value="2">2 s</option><option value="5" selected>5 s</option></select></label>
    <button type="button" class="af-button af-halt" hidden>Enough</button>
    <output class="af-reading" aria-live="polite"></output>
  </div>
  <div class="af-found" hidden>
    <div class="af-controls" role="group" aria-label="What to list">
      <label>Sort <select class="af-sort" aria-label="Order of the table"><option value="sure">surest first</option>
        <option value="unsure">least sure first</option><option value="time">as recorded</option><option value="like" disabled>like the chosen one</option></select></label>
      <label>Label <select class="af-only-label" aria-label="Label to list"><option value="">all</option></select></label>
      <label>from <input type="range" class="af-from-p" min="0" max="95" step="5" value="0" aria-label="Least probability, percent"><output>0 %</output></label>
      <label>Review <select class="af-only-review" aria-label="Review to list"><option value="">all</option><option value="open">not reviewed</option><option value="done">reviewed</option></select></label>
    </div>
    <div class="af-controls" role="group" aria-label="What to do with the review">
      <button type="button" class="af-button af-undo" disabled>Undo</button>
      <button type="button" class="af-button af-take-set" disabled title="A zip file with the reviewed sounds and labels.csv: audioformer prepare FOLDER --dataset folder -o CODES reads it">Save data set</button>
      <button type="button" class="af-button af-take-table" title="All moments listed here, as CSV">Save table</button>
      <button type="button" class="af-button af-train-again" disabled title="Takes the reviewed moments to the room Teach">Train again</button>
      <button type="button" class="af-button af-anew" title="Forget table and review, in this browser, too">Start anew</button>
      <output class="af-count" aria-live="polite"></output>
    </div>
    <datalist id="af-file-labels"></datalist>
    <table class="af-table af-moment-table"><caption>Keys on a line: space plays, y is yes, n is no, u takes it back.</caption>
      <thead><tr><th scope="col">Sound</th><th scope="col">File</th><th scope="col">From</th><th scope="col">Label</th><th scope="col">How sure</th><th scope="col">Right?</th><th scope="col">Search</th></tr></thead>
      <tbody></tbody></table>
  </div>
  <p class="af-drop-here">… or drop files here. The sounds stay in this browser; the server names them and forgets them.</p>`;
