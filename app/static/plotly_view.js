// A plotly figure that follows the page's light or dark look. plotly.min.js comes from the installed plotly itself.
import { isDark } from "./widgets/colours.js";
import { page, quoted, saveMenu } from "./widgets/save.js";

let library = null;

export function loadPlotly() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("plotly.min.js", import.meta.url);
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      library = null; // the next figure tries again
      script.remove();
      reject(new Error("plotly.min.js could not be loaded"));
    };
    document.head.append(script);
  });
  return library;
}

// The figure's traces with the dark look's colours in the places of the light look's.
function recoloured(figure, dark) {
  const [light, night] = [figure.layout.template, dark].map(({ layout }) => layout.colorway);
  const instead = new Map(light.map((colour, place) => [colour.toLowerCase(), night[place]]));
  return JSON.parse(JSON.stringify(figure.data), (_, value) => (typeof value === "string" && instead.get(value.toLowerCase())) || value);
}

// Letters as large as those of the page, in both looks.
function lettered(layout) {
  const size = parseFloat(getComputedStyle(document.body).getPropertyValue("--af-small")) || 13;
  const font = (part, name = "font") => ({ ...part, [name]: { ...part?.[name], size } });
  Object.assign(layout, { ...font(layout), legend: font(layout.legend) });
  for (const key of Object.keys(layout).filter((one) => /^[xy]axis/.test(one))) {
    const { title } = layout[key];
    layout[key] = { ...font(layout[key], "tickfont"), ...(title && { title: font(typeof title === "string" ? { text: title } : title) }) };
  }
}

// On a phone the names of bars take more lines and leave the width to the bars.
function narrow(data, layout) {
  const folded = (text) => text.replaceAll("<br>", " ").replaceAll(/(.{1,18})(?:\s|$)/g, "$1<br>").replace(/<br>$/, "");
  for (const trace of data) {
    if (Array.isArray(trace.y) && typeof trace.y[0] === "string") trace.y = trace.y.map(folded);
  }
  const { categoryarray: order, tickfont } = layout.yaxis ?? {};
  layout.yaxis = { ...layout.yaxis, tickfont: { ...tickfont, size: 11 }, ...(Array.isArray(order) && { categoryarray: order.map(folded) }) };
}

export class PlotlyView {
  constructor(host) {
    this.host = host;
    this.shown = null;
    this.onDraw = () => {};
    new MutationObserver(() => this.draw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }

  // shown: {figure, dark, config}; figure carries the light look, dark is the other one.
  async show(shown) {
    this.shown = shown;
    this.host.setAttribute("aria-label", shown.figure.layout.meta?.alt ?? "");
    await this.draw();
  }

  async draw() {
    if (!this.shown) return;
    const { figure, dark, config } = this.shown;
    const plotly = await loadPlotly();
    const layout = { ...figure.layout, autosize: true };
    let data = structuredClone(figure.data);
    if (isDark()) [layout.template, data] = [dark, recoloured(figure, dark)];
    // a finger scrolls the page; a mouse zooms into time
    const finger = matchMedia("(pointer: coarse)").matches;
    layout.dragmode = finger ? false : "zoom";
    lettered(layout);
    if (this.host.clientWidth && this.host.clientWidth < 520) narrow(data, layout);
    for (const key of Object.keys(layout)) {
      if (key.startsWith("yaxis")) layout[key] = { ...layout[key], fixedrange: true };
    }
    await plotly.react(this.host, data, structuredClone(layout), {
      ...config,
      displayModeBar: finger ? false : "hover",
    });
    if (!this.listening) {
      this.listening = true;
      this.host.on("plotly_afterplot", () => this.onDraw());
      this.host.on("plotly_relayout", () => this.onDraw());
    }
    this.onDraw();
  }

  // A menu that saves the figure and its values; the page of its own carries plotly, so it stays alive without a network.
  saveMenu(name) {
    const image = async (format) => {
      const { clientWidth: width, clientHeight: height } = this.host;
      const address = await window.Plotly.toImage(this.host, { format, width, height, scale: format === "png" ? 2 : 1 });
      return (await fetch(address)).blob();
    };
    const csv = () => this.table();
    return saveMenu({ png: () => image("png"), svg: () => image("svg"), html: () => this.page(csv()), csv }, name);
  }

  async page(csv) {
    const script = await (await fetch(new URL("plotly.min.js", import.meta.url))).text();
    const { data, layout } = this.host;
    const figure = JSON.stringify({ data, layout }).replaceAll("<", "\\u003c");
    const draw = `const figure = ${figure}; Plotly.newPlot("figure", figure.data, figure.layout, { displaylogo: false, showSendToCloud: false });`;
    return page(`<div id="figure"></div><script>${script}</script><script>${draw}</script>`, this.shown.figure.layout.meta?.alt ?? "", { csv });
  }

  // One line a point: trace, x, y.
  table() {
    const rows = this.host._fullData.flatMap((trace) => {
      const [x, y] = [trace.x, trace.y].map((values) => Array.from(values ?? []));
      return y.map((value, place) => [quoted(trace.name ?? ""), typeof x[place] === "string" ? quoted(x[place]) : (x[place] ?? place), value].join(","));
    });
    return new Blob([["trace,x,y", ...rows].join("\n") + "\n"], { type: "text/csv" });
  }

  // The lanes from top to bottom as {x, y} axes of plotly.
  get lanes() {
    const layout = this.host._fullLayout;
    if (!layout) return [];
    const names = Object.keys(layout).filter((key) => /^yaxis\d*$/.test(key));
    return names
      .map((name) => ({ x: layout[name.replace("y", "x")], y: layout[name], name }))
      .sort((one, other) => one.y._offset - other.y._offset);
  }

  // Where a pointer event is: {lane, index, time, value}, or null outside all lanes.
  locate(event) {
    const frame = this.host.getBoundingClientRect();
    const [left, top] = [event.clientX - frame.left, event.clientY - frame.top];
    const index = this.lanes.findIndex(
      ({ x, y }) => left >= x._offset && left <= x._offset + x._length && top >= y._offset && top <= y._offset + y._length,
    );
    if (index < 0) return null;
    const { x, y } = this.lanes[index];
    return { index, time: x.p2d(left - x._offset), value: y.p2d(top - y._offset) };
  }
}
