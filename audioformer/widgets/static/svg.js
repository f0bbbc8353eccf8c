// A drawing context that writes SVG: it knows the calls of a canvas that our views use, so one function draws on the
// screen and into a file that stays sharp at any size. Pictures made of pixels are put in as PNG.
const NUMBER = (value) => String(Math.round(value * 100) / 100);
const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const STYLE = { fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, globalAlpha: 1, font: "10px sans-serif", textAlign: "left", textBaseline: "alphabetic" };

export class SvgContext {
  constructor(width, height) {
    Object.assign(this, STYLE, { width, height, parts: [], dash: [], path: "", kept: [], groups: 0, clips: 0 });
    this.imageSmoothingEnabled = false;
  }

  // --- state

  save() {
    const { fillStyle, strokeStyle, lineWidth, globalAlpha, font, textAlign, textBaseline, dash, groups } = this;
    this.kept.push({ fillStyle, strokeStyle, lineWidth, globalAlpha, font, textAlign, textBaseline, dash, groups });
  }

  restore() {
    const state = this.kept.pop();
    for (; this.groups > state.groups; this.groups--) this.parts.push("</g>");
    Object.assign(this, state);
  }

  open(attributes) {
    this.parts.push(`<g ${attributes}>`);
    this.groups++;
  }

  translate(x, y) {
    this.open(`transform="translate(${NUMBER(x)} ${NUMBER(y)})"`);
  }

  rotate(angle) {
    this.open(`transform="rotate(${NUMBER((angle * 180) / Math.PI)})"`);
  }

  clip() {
    const name = `clip${this.clips++}`;
    this.parts.push(`<clipPath id="${name}"><path d="${this.path}"/></clipPath>`);
    this.open(`clip-path="url(#${name})"`);
  }

  setLineDash(dash) {
    this.dash = dash;
  }

  // --- shapes

  beginPath() {
    this.path = "";
  }

  moveTo(x, y) {
    this.path += `M${NUMBER(x)} ${NUMBER(y)}`;
  }

  lineTo(x, y) {
    this.path += `${this.path ? "L" : "M"}${NUMBER(x)} ${NUMBER(y)}`;
  }

  rect(x, y, width, height) {
    this.path += `M${NUMBER(x)} ${NUMBER(y)}h${NUMBER(width)}v${NUMBER(height)}h${NUMBER(-width)}z`;
  }

  get alpha() {
    return this.globalAlpha < 1 ? ` opacity="${NUMBER(this.globalAlpha)}"` : "";
  }

  fill() {
    this.parts.push(`<path d="${this.path}" fill="${this.fillStyle}"${this.alpha}/>`);
  }

  stroke() {
    const dash = this.dash.length ? ` stroke-dasharray="${this.dash.join(" ")}"` : "";
    this.parts.push(`<path d="${this.path}" fill="none" stroke="${this.strokeStyle}" stroke-width="${this.lineWidth}"${dash}${this.alpha}/>`);
  }

  fillRect(x, y, width, height) {
    this.beginPath();
    this.rect(x, y, width, height);
    if (this.fillStyle !== "transparent") this.fill();
  }

  strokeRect(x, y, width, height) {
    this.beginPath();
    this.rect(x, y, width, height);
    this.stroke();
  }

  fillText(text, x, y) {
    const anchor = { left: "start", center: "middle", right: "end" }[this.textAlign];
    const [size, ...family] = this.font.split(" ");
    const down = { alphabetic: 0, middle: 0.35, top: 0.8 }[this.textBaseline] * parseFloat(size);
    const where = `x="${NUMBER(x)}" y="${NUMBER(y + down)}" text-anchor="${anchor}"`;
    this.parts.push(`<text ${where} font-size="${size}" font-family="${escaped(family.join(" "))}" fill="${this.fillStyle}"${this.alpha}>${escaped(text)}</text>`);
  }

  // A part of a canvas, as a canvas context takes it: source box, then box to fill.
  drawImage(canvas, sx, sy, sw, sh, x, y, width, height) {
    const sharp = this.imageSmoothingEnabled ? "" : ` style="image-rendering:pixelated"`;
    const box = `x="${NUMBER(x)}" y="${NUMBER(y)}" width="${NUMBER(width)}" height="${NUMBER(height)}"`;
    const view = `viewBox="${NUMBER(sx)} ${NUMBER(sy)} ${NUMBER(sw)} ${NUMBER(sh)}" preserveAspectRatio="none"`;
    const picture = `<image href="${canvas.toDataURL("image/png")}" width="${canvas.width}" height="${canvas.height}"${sharp} preserveAspectRatio="none"/>`;
    this.parts.push(`<svg ${box} ${view}>${picture}</svg>`);
  }

  // The whole file; alt is what a screen reader says.
  text(alt) {
    const size = `width="${this.width}" height="${this.height}" viewBox="0 0 ${this.width} ${this.height}"`;
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${escaped(alt)}"><title>${escaped(alt)}</title>\n${this.parts.join("\n")}\n</svg>\n`;
  }
}
