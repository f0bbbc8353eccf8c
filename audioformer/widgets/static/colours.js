// Colours told apart by colour-blind readers too: viridis and cividis for amounts, Okabe and Ito's for classes.
const STOPS = {
  viridis: ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"],
  cividis: ["00224e", "123570", "3b496c", "575d6d", "707173", "8a8678", "a59c74", "c3b369", "e1cc55", "fee838"],
};
const LINES = {
  light: ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#777777"],
  dark: ["#56b4e9", "#e69f00", "#2fc79b", "#e29bc4", "#f0803c", "#aaaaaa"],
};
const LOOKS = {
  light: { ink: "#1f2933", soft: "#52606d", grid: "#d9e0e7", ground: "#ffffff", blue: "#0072b2", warm: "#c24e00", veil: "#b4bcc5" },
  dark: { ink: "#e6ebf0", soft: "#a3b1bf", grid: "#2f3b47", ground: "#1a212a", blue: "#56b4e9", warm: "#f0803c", veil: "#11161c" },
};
const [PALE, FINE_ROWS] = [150, 0.62];
export const DASHES = [[], [6, 3], [2, 2], [7, 3, 2, 3], [10, 4]];

const bytes = (hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));

// 256 colours from low to high as [red, green, blue]; grey: how far they go towards it, 0 to 1.
export function ramp(name, grey = 0) {
  const stops = STOPS[name].map((hex) => bytes(hex).map((value) => value + (PALE - value) * grey));
  return Array.from({ length: 256 }, (_, level) => {
    const place = (level / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    return stops[low].map((value, channel) => Math.round(value + (stops[low + 1][channel] - value) * (place - low)));
  });
}

// Codes are names, not amounts: the rows that correct fine detail are paler, so that they do not look like a louder spectrogram.
const RAMPS = [];
export function codeRamp(row) {
  const fine = row > 0 ? 1 : 0;
  return (RAMPS[fine] ??= ramp("cividis", fine * FINE_ROWS));
}

// Of what is written on a canvas: as large as the axes of the style sheet.
export function axisFont() {
  return `${getComputedStyle(document.body).getPropertyValue("--af-small").trim() || "13px"} system-ui, sans-serif`;
}

// The app and notebooks say it on the body: Gradio by a class, JupyterLab by an attribute.
export function isDark() {
  const { classList, dataset } = document.body;
  return classList.contains("dark") || classList.contains("vscode-dark") || dataset.jpThemeLight === "false";
}

export function look() {
  const name = isDark() ? "dark" : "light";
  return { ...LOOKS[name], lines: LINES[name], name };
}

// Calls back after every change between light and dark.
export function onLook(changed) {
  let shown = isDark();
  const observer = new MutationObserver(() => {
    if (isDark() !== shown) {
      shown = isDark();
      changed();
    }
  });
  observer.observe(document.body, { attributes: true, attributeFilter: ["class", "data-jp-theme-light"] });
  return () => observer.disconnect();
}
