// Where the page finds its files when it is served by a web host: beside itself.
globalThis.audioformerSite = {
  file: async (name) => {
    const reply = await fetch(new URL(name, document.baseURI));
    if (!reply.ok) throw new Error(`${name} could not be loaded (${reply.status} ${reply.statusText})`);
    return new Uint8Array(await reply.arrayBuffer());
  },
  module: (name) => new URL(`scripts/${name}`, document.baseURI),
};
// After the first visit the page opens without network, where the browser keeps files: not in its private windows.
const keptForLater = async () => {
  await navigator.serviceWorker?.register("offline.js");
  await navigator.serviceWorker?.ready;
  document.body.dataset.kept = "yes";
};
import(globalThis.audioformerSite.module("page.js")).then(
  ({ start }) => start().then(keptForLater).catch(() => (document.body.dataset.kept = "no")),
  () => {
    document.querySelector("#af-loading").textContent = "The scripts of this page could not be loaded: a web host must serve the folder (python -m http.server), or take the one-file page.";
  },
);
