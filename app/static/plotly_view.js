// A plotly figure that follows the page's light or dark look. plotly.min.js comes from the installed plotly itself.
let library = null;

export function loadPlotly() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("plotly.min.js", import.meta.url);
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("plotly.min.js could not be loaded"));
    document.head.append(script);
  });
  return library;
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
    if (document.body.classList.contains("dark")) layout.template = dark;
    // a finger scrolls the page; a mouse zooms into time
    const finger = matchMedia("(pointer: coarse)").matches;
    layout.dragmode = finger ? false : "zoom";
    if (this.host.clientWidth < 520) layout.legend = { ...layout.legend, font: { size: 9 } };
    for (const key of Object.keys(layout)) {
      if (key.startsWith("yaxis")) layout[key] = { ...layout[key], fixedrange: true };
    }
    await plotly.react(this.host, structuredClone(figure.data), structuredClone(layout), {
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
