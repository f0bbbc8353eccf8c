// Header: name, one sentence, tour, link, light/dark switch. The choice of colours is remembered in this browser.
import { languageSwitch } from "./language.js";
import { part } from "./parts.js";
import { Permalink, copies } from "./permalink.js";
import { Tour } from "./tour.js";
import { decodePhones } from "./phones.js";

const STORE = "audioformer-theme";
const GONE =
  "The server does not answer: it was stopped, or the network is gone. What is shown is as it was; the page opens anew as soon as the server is back.";
const [PROJECTOR, BEEN] = ["audioformer-projector", "audioformer-been-here"];

// A message stays until the next thing somebody does. A click counts when it is done: hidden at its pointerdown, the message would
// move the page away under it.
function forget({ target }) {
  if (!target.closest?.("#af-message")) document.querySelector("#af-message .af-message:not(.af-stays)")?.setAttribute("hidden", "");
}

function complain(text, stays = "") {
  const box = part("div", `af-message ${stays}`);
  box.setAttribute("role", "alert");
  box.append(part("p", "", text));
  (document.querySelector("#af-message .prose") ?? document.querySelector("#af-message")).replaceChildren(box);
}

export function mount({ element, read, watch, send }) {
  const { sentence, tour } = JSON.parse(read("value"));
  const host = element.querySelector(".af-header");
  host.innerHTML = `
    <svg class="af-logo" viewBox="0 0 32 32" aria-hidden="true"></svg>
    <h1>audioformer</h1><p></p>
    <button type="button" class="af-pill af-tour-start" title="What there is, in seven minutes">Tour</button>
    <button type="button" class="af-pill af-projector-switch" aria-pressed="false" title="Large letters, full width, without the left column">Projector</button>
    <button type="button" class="af-pill af-link" title="Copy the address that opens this view" aria-live="polite">Link</button>
    <button type="button" class="af-theme"><span aria-hidden="true">◐</span><span></span></button>`;
  welcome(host, sentence);
  projector(host.querySelector(".af-projector-switch"));
  skip(host);
  document.addEventListener("focusin", ({ target }) => grouped(target));
  document.addEventListener("click", ({ target }) => target.closest?.(".af-verdict") && document.body.classList.toggle("af-verdict-open"));
  drawLogo(host.querySelector("svg"));
  new Tour(host.querySelector(".af-tour-start"), tour);
  copies(host.querySelector(".af-link"));
  decodePhones("#af-input", complain);
  host.insertBefore(languageSwitch((code) => send("speak", { language: code })), host.querySelector(".af-theme"));
  const address = new Permalink((wanted) => send("open", wanted));
  watch("answer", () => address.answered());
  window.addEventListener("audioformer-gone", () => complain(GONE, "af-stays"));
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

// What this is, in one sentence, and the tour: on the first visit of a browser.
function welcome(host, sentence) {
  if (localStorage.getItem(BEEN)) return;
  const start = part("button", "af-pill af-tour-offer", "New here? Take the tour of seven minutes");
  start.type = "button";
  start.addEventListener("click", () => host.querySelector(".af-tour-start").click());
  host.querySelector("p").append(part("span", "", sentence), " ", start);
  localStorage.setItem(BEEN, "1");
}

// Read from the fifth row: larger letters, the whole width for the pictures.
function projector(button) {
  const show = (on) => {
    document.body.classList.toggle("af-projector", on);
    button.setAttribute("aria-pressed", String(on));
    window.dispatchEvent(new Event("resize"));
  };
  button.addEventListener("click", () => {
    const on = !document.body.classList.contains("af-projector");
    localStorage.setItem(PROJECTOR, on ? "1" : "");
    show(on);
  });
  show(Boolean(localStorage.getItem(PROJECTOR)));
}

// From the keyboard: past the left column to the rooms.
function skip(host) {
  const link = part("a", "af-skip", "Skip to the picture");
  link.href = "#af-rooms";
  link.addEventListener("click", (event) => {
    event.preventDefault();
    document.querySelector("#af-rooms [role=tab][aria-selected=true]")?.focus();
  });
  host.prepend(link);
}

// Gradio's radio buttons each have a name of their own; of one name, the arrow keys walk through the group.
function grouped(target) {
  const group = target.matches?.("input[type=radio]") && target.closest("fieldset[id]");
  if (group) for (const one of group.querySelectorAll("input[type=radio]")) one.name = group.id;
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
