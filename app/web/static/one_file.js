// Where the page finds its files when it is one file: in elements of its own, compressed, in base64. Each script becomes
// an address that holds all of its text, after those that it imports: of a page that was opened from a disk, browsers
// give a worker no other kind.
{
  const bytesOf = async (name) => {
    const element = document.getElementById(`file:${name}`);
    if (!element) throw new Error(`this page holds no ${name}`);
    const packed = Uint8Array.from(atob(element.textContent.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const scripts = new Map();
  const texts = new Map();
  const address = (name) => {
    if (!scripts.has(name)) {
      const text = texts.get(name).replace(/(from |import )"\.\/([\w/.]+\.m?js)"/g, (_, word, needed) => {
        const path = new URL(needed, `https://page/${name}`).pathname.slice(1);
        return `${word}"${address(path)}"`;
      });
      const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte));
      scripts.set(name, `data:text/javascript;base64,${btoa(bytes.join(""))}`);
    }
    return scripts.get(name);
  };
  globalThis.audioformerSite = { file: bytesOf, module: address };
  const begin = async () => {
    for (const { id } of document.querySelectorAll('[id^="file:scripts/"][id$=".js"]')) {
      texts.set(id.slice("file:scripts/".length), new TextDecoder().decode(await bytesOf(id.slice("file:".length))));
    }
    const { start } = await import(address("page.js"));
    await start();
  };
  begin().catch((error) => (document.querySelector("#af-loading").textContent = `The page cannot start: ${error.message}`));
}
