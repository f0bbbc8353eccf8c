// Where the page finds its files when it is one file: in elements of its own, compressed, in base64. Each script becomes
// an address that holds all of its text: of a page that was opened from a disk, browsers load no other kind. The page's
// scripts find each other by a map of names. A worker has no such map: its scripts hold the addresses that they import.
{
  const bytesOf = async (name) => {
    const element = document.getElementById(`file:${name}`);
    if (!element) throw new Error(`this page holds no ${name}`);
    const packed = await fetch(`data:;base64,${element.textContent.trim()}`); // the browser's own, and fast, way from base64
    return new Uint8Array(await new Response(packed.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
  };
  const texts = new Map();
  // A script's text as an address; written(path): what stands in place of an import.
  const addressOf = (name, written) => {
    const text = texts.get(name).replace(/(from |import )"\.\/([\w/.]+\.m?js)"/g, (_, word, needed) => {
      const path = new URL(needed, `https://page/${name}`).pathname.slice(1);
      return `${word}"${written(path)}"`;
    });
    const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte));
    return `data:text/javascript;base64,${btoa(bytes.join(""))}`;
  };
  const whole = new Map();
  const module = (name) => {
    if (!whole.has(name)) whole.set(name, addressOf(name, module));
    return whole.get(name);
  };
  globalThis.audioformerSite = { file: bytesOf, module };
  const begin = async () => {
    if (!globalThis.DecompressionStream || !HTMLScriptElement.supports?.("importmap")) {
      throw new Error("this browser is too old for it. Any Chrome or Edge since 2021, Firefox since May 2023 or Safari since 16.4 can open it.");
    }
    const files = [...document.querySelectorAll('[id^="file:scripts/"][id$=".js"]')];
    await Promise.all(files.map(async ({ id }) => {
      texts.set(id.slice("file:scripts/".length), new TextDecoder().decode(await bytesOf(id.slice("file:".length))));
    }));
    const named = (path) => `page/${path}`;
    const imports = Object.fromEntries([...texts.keys()].map((name) => [named(name), addressOf(name, named)]));
    const map = Object.assign(document.createElement("script"), { type: "importmap", textContent: JSON.stringify({ imports }) });
    document.head.append(map);
    const { start } = await import(named("page.js"));
    await start();
  };
  begin().catch((error) => (document.querySelector("#af-loading").textContent = `The page cannot start: ${error.message}`));
}
