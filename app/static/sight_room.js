// Sight: a scene plays, and where its sound comes from lies over the picture. The clip of the page may be played to it, too.
import { bars, button, part } from "./parts.js";
import { Room } from "./room.js";
import { Player } from "./widgets/player.js";

const TEMPLATE = `
  <p class="af-lead">A model that has watched and listened, without a label: where does this sound come from?</p>
  <div class="af-controls" role="group" aria-label="The scene">
    <button type="button" class="af-play af-run">Play</button>
    <button type="button" class="af-button af-new">Another scene</button>
    <label>veil <input type="range" class="af-veil" min="0" max="100" value="80" aria-label="How dark the picture is where the sound does not point, percent"></label>
    <label>time <input type="range" class="af-time" min="0" max="14" value="0" aria-label="Moment, fifths of a second"><output>0.0 s</output></label>
  </div>
  <div class="af-duo">
    <section class="af-card"><canvas class="af-scene" width="384" height="384" role="img"></canvas></section>
    <section class="af-card"><h3>Whose sound?</h3><div class="af-sounds" role="group" aria-label="Sound"></div><p class="af-points" aria-live="polite"></p></section>
  </div>
  <section class="af-card"><h3>Which belong together?</h3>
    <p>Hear a sound, then guess its scene. The fuller the colour, the better they fit for the model; blue: they belong together.</p>
    <div class="af-controls"><button type="button" class="af-button af-deal">Four others</button><output class="af-score" aria-live="polite"></output></div>
    <div class="af-match"></div></section>
  <div class="af-duo">
    <section class="af-card"><h3>A spoken digit, handwritten</h3><p>Record a digit on the left: these pictures are nearest to the clip of the page,
      of 382 by people whom the model never saw. It answers for any sound; only a digit makes sense.</p><div class="af-near"></div><div class="af-digits"></div></section>
    <section class="af-card"><h3>Draw one</h3><canvas class="af-draw" width="160" height="160" tabindex="0" aria-label="Draw a digit with the pointer"></canvas>
      <div class="af-controls"><button type="button" class="af-button af-wipe">Wipe</button></div><p class="af-drawn" aria-live="polite"></p></section>
  </div>`;
const FRAMES_PER_S = 5;
const SIDE = 8; // pixels of a drawn digit
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const words = (kind) => kind.replaceAll("_", " ");

export function mount(page) {
  new SightRoom(page).open();
}

class SightRoom extends Room {
  constructor(page) {
    super(page, "sight", TEMPLATE);
    const { find } = this;
    Object.assign(this, { player: new Player(), seed: 0, dealt: 0, chosen: 0, paper: new Float32Array(SIDE * SIDE) });
    this.answers = { look: this.looked, match: this.matched, draw: this.wrote };
    this.player.onChange = (on) => (find(".af-run").textContent = on ? "Stop" : "Play");
    find(".af-run").addEventListener("click", () => this.run());
    find(".af-new").addEventListener("click", () => this.ask("look", { seed: ++this.seed }));
    find(".af-deal").addEventListener("click", () => this.ask("match", { seed: ++this.dealt }));
    find(".af-veil").addEventListener("input", () => this.paint());
    find(".af-time").addEventListener("input", () => this.paint());
    find(".af-wipe").addEventListener("click", () => this.wipe());
    this.drawable(find(".af-draw"));
  }

  enter() {
    const { seed } = this.wished();
    if (seed !== undefined) this.seed = seed;
    this.player.stop();
    this.ask("look", { seed: this.seed });
    if (!this.match) this.ask("match", { seed: this.dealt });
    this.ask("draw", { picture: this.drawn });
  }

  looked(reply, more) {
    if (more) return;
    this.player.forget();
    Object.assign(this, { view: reply, frames: bytes(reply.frames), maps: bytes(reply.maps), seed: reply.seed });
    this.remember({ seed: reply.seed });
    reply.wavs.forEach((wav, number) => this.player.set(String(number), wav));
    const names = [...reply.things.map((thing) => `${thing.colour}: ${words(thing.kind)}`), "the clip of the page"];
    const choices = names.map((name, number) => button(name, number < reply.things.length ? reply.things[number].does : "what you chose on the left", () => this.choose(number)));
    this.find(".af-sounds").replaceChildren(...choices);
    this.choose(Math.min(this.chosen, names.length - 1));
  }

  choose(number) {
    this.chosen = number;
    this.player.choose(String(number));
    [...this.find(".af-sounds").children].forEach((one, place) => one.setAttribute("aria-pressed", String(place === number)));
    const { things, pointed } = this.view;
    const [found, own] = [things[pointed[number]], things[number]];
    const named = (thing) => `the ${thing.colour} ${words(thing.kind)}`;
    const wrong = own && (found?.kind === own.kind ? ": of the right kind, but it is the other one that sounds." : `: wrong, ${named(own)} sounds.`);
    const verdict = own ? (pointed[number] === number ? ": it is the one that sounds." : wrong) : ". It was never in this scene.";
    this.find(".af-points").textContent = `While it sounds, it points at ${found ? named(found) : "no thing"}${verdict}`;
    this.find(".af-scene").setAttribute("aria-label", `A scene of ${things.length} things; ${this.find(".af-points").textContent}`);
    this.host.dataset.pointed = String(pointed[number] ?? "none");
    if (!this.player.running) this.find(".af-time").value = this.clearest(number);
    this.paint();
  }

  // The frame of a sound that points most: where it is silent, all is dark.
  clearest(number) {
    const { frames, places } = this.view.sizes;
    const size = places * places;
    const clear = Array.from({ length: frames }, (_, frame) => {
      const from = (number * frames + frame) * size;
      return this.maps.subarray(from, from + size).reduce((sum, one) => sum + one, 0);
    });
    return clear.indexOf(Math.max(...clear));
  }

  run() {
    if (this.player.running) return this.player.stop();
    this.player.play(0);
    const step = () => {
      if (!this.player.running) return;
      this.find(".af-time").value = Math.min(Math.floor(this.player.time * FRAMES_PER_S), this.view.sizes.frames - 1);
      this.paint();
      requestAnimationFrame(step);
    };
    step();
  }

  // The frame, and over it a veil: clear where the sound points, dark where not.
  paint() {
    if (!this.view) return;
    const frame = Number(this.find(".af-time").value);
    this.find("output").textContent = `${(frame / FRAMES_PER_S).toFixed(1)} s`;
    const { frames, pixels, places } = this.view.sizes;
    const canvas = this.find(".af-scene");
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(pictureOf(this.frames, frame, pixels), 0, 0, canvas.width, canvas.height);
    const size = places * places;
    const map = this.maps.subarray((this.chosen * frames + frame) * size, (this.chosen * frames + frame + 1) * size);
    const veil = onCanvas(places, (at) => [12, 10, 30, 255 - map[at]]);
    pen.imageSmoothingEnabled = true;
    pen.globalAlpha = Number(this.find(".af-veil").value) / 100;
    pen.drawImage(veil, 0, 0, canvas.width, canvas.height);
    pen.globalAlpha = 1;
    this.host.dataset.painted = `${this.view.seed}:${this.chosen}:${frame}`;
  }

  matched(reply, more) {
    if (more) return;
    this.match = reply;
    const table = part("table", "af-table af-fits");
    const head = table.insertRow();
    head.append(part("td", ""), ...reply.frames.map((frames, place) => this.thumbnail(frames, reply.sizes, place)));
    const flat = reply.scores.flat();
    const [low, high] = [Math.min(...flat), Math.max(...flat)];
    reply.scores.forEach((scores, number) => {
      const row = table.insertRow();
      const play = part("th", "");
      play.append(button(`▶ sound ${number + 1}`, "hear it", () => this.player.once(reply.wavs[number])));
      const cells = scores.map((score, place) => {
        const cell = part("td", `af-cell${place === number ? " af-right" : ""}`, score.toFixed(2));
        cell.style.setProperty("--share", (score - low) / (high - low || 1));
        cell.title = place === number ? `belongs together: ${words(reply.kinds[number])}` : "";
        return cell;
      });
      row.append(play, ...cells);
    });
    this.find(".af-match").replaceChildren(table);
    this.find(".af-score").textContent = `${reply.to_scene} of 4 sounds find their scene, ${reply.to_sound} of 4 scenes their sound (chance: 1).`;
  }

  thumbnail(packed, sizes, place) {
    const [cell, canvas, frames] = [part("td", ""), document.createElement("canvas"), bytes(packed)];
    Object.assign(canvas, { width: 72, height: 72 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `scene ${place + 1}, moving`);
    let frame = 0;
    const draw = () => {
      const pen = canvas.getContext("2d");
      pen.imageSmoothingEnabled = false;
      pen.drawImage(pictureOf(frames, frame++ % sizes.frames, sizes.pixels), 0, 0, 72, 72);
    };
    draw();
    const timer = setInterval(() => (canvas.isConnected ? canvas.offsetParent && draw() : clearInterval(timer)), 1000 / FRAMES_PER_S);
    cell.append(canvas);
    return cell;
  }

  wrote(reply, more) {
    if (more) return;
    const near = reply.nearest.map(({ digit, cosine, picture }) => {
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: 48, height: 48, title: `a ${digit}, cosine ${cosine.toFixed(2)}` });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", canvas.title);
      ink(canvas, picture);
      return canvas;
    });
    this.find(".af-near").replaceChildren(...near);
    const best = Math.max(...reply.by_digit);
    const rows = reply.by_digit.map((cosine, digit) => ({ label: String(digit), value: Math.max(0, cosine), text: cosine.toFixed(2), mark: cosine === best }));
    this.find(".af-digits").replaceChildren(bars(rows));
    const { drawn } = reply;
    this.find(".af-drawn").textContent = drawn
      ? `Cosine ${drawn.cosine.toFixed(2)}: nearer to the clip than ${Math.round(100 * drawn.ahead_of)} % of the 382 pictures.`
      : "Draw a digit large: how near is it to the clip?";
    this.host.dataset.wrote = drawn ? "drawn" : "nothing";
  }

  get drawn() {
    return this.paper.some((value) => value > 0) ? Array.from(this.paper, (value) => Math.round(1000 * value) / 1000) : null;
  }

  wipe() {
    this.paper.fill(0);
    ink(this.find(".af-draw"), this.paper);
    this.ask("draw", { picture: null });
  }

  drawable(canvas) {
    ink(canvas, this.paper);
    let down = false;
    const stroke = (event) => {
      const box = canvas.getBoundingClientRect();
      const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((v) => v * SIDE - 0.5);
      const away = (at) => ((at % SIDE) - x) ** 2 + (Math.floor(at / SIDE) - y) ** 2;
      this.paper.forEach((value, at) => (this.paper[at] = Math.min(1, value + 0.9 * Math.exp(-away(at)))));
      ink(canvas, this.paper);
    };
    canvas.addEventListener("pointerdown", (event) => {
      down = true;
      canvas.setPointerCapture(event.pointerId);
      stroke(event);
    });
    canvas.addEventListener("pointermove", (event) => down && stroke(event));
    canvas.addEventListener("pointerup", () => {
      down = false;
      this.ask("draw", { picture: this.drawn });
    });
  }
}

// Pixels from a colour for each, on a canvas of its own.
function onCanvas(side, colour) {
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const image = canvas.getContext("2d").createImageData(side, side);
  for (let at = 0; at < side * side; at++) image.data.set(colour(at), 4 * at);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function pictureOf(frames, frame, side) {
  const first = 3 * side * side * frame;
  return onCanvas(side, (at) => [frames[first + 3 * at], frames[first + 3 * at + 1], frames[first + 3 * at + 2], 255]);
}

// Ink on paper, 8 x 8.
function ink(canvas, picture) {
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = false;
  pen.drawImage(onCanvas(SIDE, (at) => [255 * (1 - picture[at]), 255 * (1 - picture[at]), 255 * (1 - picture[at]), 255]), 0, 0, canvas.width, canvas.height);
}
