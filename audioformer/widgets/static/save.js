// Saving a view: as a picture (PNG, SVG), as a page of its own (HTML with the sound and the values), as values (CSV).
import { look } from "./colours.js";
import { SvgContext } from "./svg.js";

const NAMES = { png: "Picture (PNG)", svg: "Drawing (SVG)", html: "Page (HTML)", csv: "Values (CSV)", wav: "Sound (WAV)" };
const PIXELS = 2; // of the picture, for each one of the page

// A menu of what can be saved. makers: kind to a function that returns a blob, or a promise of one.
export function saveMenu(makers, name = "audioformer") {
  const menu = document.createElement("details");
  menu.className = "af-save";
  const [list, told] = ["div", "span"].map((tag) => document.createElement(tag));
  told.setAttribute("role", "status");
  menu.append(Object.assign(document.createElement("summary"), { textContent: "Save" }), list);
  for (const [kind, make] of Object.entries(makers)) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: NAMES[kind] });
    button.dataset.save = kind;
    button.addEventListener("click", async () => {
      menu.open = false;
      told.textContent = "";
      try {
        const blob = await make();
        if (blob) download(blob, `${name}.${kind}`);
      } catch (error) {
        menu.open = true;
        told.textContent = `Not saved: ${error.message}`;
      }
    });
    list.append(button);
  }
  list.append(told);
  return menu;
}

export function download(blob, name) {
  const link = document.createElement("a");
  [link.href, link.download] = [URL.createObjectURL(blob), name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// The three kinds of picture of a drawing. figure() gives {width, height, alt, draw(context)}, in pixels of the page;
// more() gives {csv, wav}, blobs that the page of its own carries too.
export function pictures(figure, more = () => ({})) {
  return {
    png: () => png(figure()),
    svg: () => new Blob([svg(figure())], { type: "image/svg+xml" }),
    html: () => page(svg(figure()), figure().alt, more()),
  };
}

// The same kinds of a drawing that is SVG already: drawing() gives its text, alt() what it shows in words.
export function drawings(drawing, alt, [width, height], more = () => ({})) {
  return {
    png: () => raster(drawing(), width, height),
    svg: () => new Blob([drawing()], { type: "image/svg+xml" }),
    html: () => page(drawing(), alt(), more()),
  };
}

async function raster(text, width, height) {
  const image = new Image(width * PIXELS, height * PIXELS);
  image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  await image.decode().catch(() => new Promise((done) => (image.onload = done)));
  const draw = (context) => context.drawImage(image, 0, 0, width, height);
  const made = await png({ width, height, draw });
  URL.revokeObjectURL(image.src);
  return made;
}

function png({ width, height, draw }) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * PIXELS, height * PIXELS];
  const context = canvas.getContext("2d");
  context.scale(PIXELS, PIXELS);
  ground(context, width, height);
  draw(context);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function svg({ width, height, alt, draw }) {
  const context = new SvgContext(width, height);
  ground(context, width, height);
  draw(context);
  return context.text(alt);
}

function ground(context, width, height) {
  context.fillStyle = look().ground;
  context.fillRect(0, 0, width, height);
}

// A page that needs nothing else: the drawing, what it shows in words, the sound, the values.
export async function page(drawing, alt, { csv, wav }) {
  const colours = look();
  const words = (text) => text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const sound = wav ? `<p><audio controls src="${await address(wav)}"></audio></p>` : "";
  const values = csv ? `<details><summary>Values</summary><pre>${words(await csv.text())}</pre></details>` : "";
  const style = `body{font:15px/1.5 system-ui,sans-serif;margin:24px;background:${colours.ground};color:${colours.ink}}svg{max-width:100%;height:auto}`;
  return new Blob(
    [`<!doctype html><html lang="en"><meta charset="utf-8"><title>audioformer</title><style>${style}</style>\n${drawing}<p>${words(alt)}</p>${sound}${values}</html>\n`],
    { type: "text/html" },
  );
}

function address(blob) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(blob);
  });
}

// A cell of a CSV file.
export function quoted(text) {
  return `"${String(text).replaceAll('"', '""')}"`;
}
