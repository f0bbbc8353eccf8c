// Header: name, one sentence, tour, link, light/dark switch. The choice of colours is remembered in this browser.
import { Permalink, copies } from "./permalink.js";
import { Tour } from "./tour.js";
import { decodePhones } from "./phones.js";

const STORE = "audioformer-theme";

// A message stays until the next thing somebody does. A click counts when it is done: hidden at its pointerdown, the message would
// move the page away under it.
function forget({ target }) {
  if (!target.closest?.("#af-message")) document.querySelector("#af-message .af-message")?.setAttribute("hidden", "");
}

function complain(text) {
  const [box, words] = ["div", "p"].map((tag) => document.createElement(tag));
  box.className = "af-message";
  box.setAttribute("role", "alert");
  words.textContent = text;
  box.append(words);
  (document.querySelector("#af-message .prose") ?? document.querySelector("#af-message")).replaceChildren(box);
}

export function mount({ element, read, watch, send }) {
  const { sentence, tour } = JSON.parse(read("value"));
  const host = element.querySelector(".af-header");
  host.innerHTML = `
    <svg class="af-logo" viewBox="0 0 32 32" aria-hidden="true"></svg>
    <h1>audioformer</h1><p></p>
    <button type="button" class="af-pill af-tour-start" title="What there is, in five minutes">Tour</button>
    <button type="button" class="af-pill af-link" title="Copy the address that opens this view" aria-live="polite">Link</button>
    <button type="button" class="af-theme"><span aria-hidden="true">◐</span><span></span></button>`;
  host.querySelector("p").textContent = sentence;
  drawLogo(host.querySelector("svg"));
  new Tour(host.querySelector(".af-tour-start"), tour);
  copies(host.querySelector(".af-link"));
  decodePhones("#af-input", complain);
  const address = new Permalink((wanted) => send("open", wanted));
  watch("answer", () => address.answered());
  for (const kind of ["click", "keydown"]) document.addEventListener(kind, forget, true);
  const button = host.querySelector(".af-theme");
  const stored = localStorage.getItem(STORE);
  const forced = new URLSearchParams(location.search).get("__theme");
  if (stored && !forced) document.body.classList.toggle("dark", stored === "dark");
  const name = () => {
    const other = document.body.classList.contains("dark") ? "Light" : "Dark";
    button.lastElementChild.textContent = other;
    button.setAttribute("aria-label", `Switch to ${other.toLowerCase()} colours`);
  };
  button.addEventListener("click", () => {
    const dark = document.body.classList.toggle("dark");
    localStorage.setItem(STORE, dark ? "dark" : "light");
    name();
  });
  new MutationObserver(name).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  name();
}

// A 4 x 4 grid of codes: the rows thin out like the residuals they stand for.
function drawLogo(svg) {
  const colours = ["#0072B2", "#56B4E9", "#E69F00", "#009E73"];
  const cells = ["0012", "1103", "2031", "3210"];
  cells.forEach((row, y) =>
    [...row].forEach((colour, x) => {
      const cell = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const place = { x: 2 + x * 7.2, y: 2 + y * 7.2, width: 6, height: 6, rx: 1.6, fill: colours[colour] };
      Object.entries(place).forEach(([key, value]) => cell.setAttribute(key, value));
      svg.append(cell);
    }),
  );
}
