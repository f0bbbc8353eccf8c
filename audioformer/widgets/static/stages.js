// The same marks at several stages, one after the other: a button for each, and one that walks through all of them.
const STEP_MS = 1600;

export class Stages {
  // chosen(number): this stage is to be shown.
  constructor(host, chosen) {
    Object.assign(this, { host, chosen, at: 0, count: 0 });
    host.classList.add("af-stages");
    this.play = Object.assign(document.createElement("button"), { type: "button", className: "af-button af-walk", textContent: "▶ Step through" });
    this.play.addEventListener("click", () => (this.timer ? this.rest() : this.walk()));
    this.group = Object.assign(document.createElement("div"), { className: "af-swap" });
    this.group.setAttribute("role", "radiogroup");
    this.group.setAttribute("aria-label", "Stage");
    this.group.addEventListener("keydown", (event) => this.key(event));
    host.append(this.play, this.group);
  }

  // texts: what the buttons say, the earliest first.
  show(texts, at) {
    if (texts.join("\n") !== this.texts) {
      this.texts = texts.join("\n");
      this.count = texts.length;
      this.group.replaceChildren(...texts.map((textContent, number) => {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent });
        button.setAttribute("role", "radio");
        button.addEventListener("click", () => {
          this.rest();
          this.go(number);
        });
        return button;
      }));
    }
    this.mark(at);
  }

  mark(at) {
    this.at = at;
    [...this.group.children].forEach((button, number) => {
      button.setAttribute("aria-checked", String(number === at));
      button.tabIndex = number === at ? 0 : -1;
    });
  }

  go(number) {
    this.mark(number);
    this.chosen(number);
  }

  // From the first to the last, once.
  walk() {
    this.play.textContent = "■ Stop";
    this.go(0);
    this.timer = setInterval(() => {
      if (!this.host.offsetParent || this.at + 1 >= this.count) return this.rest();
      this.go(this.at + 1);
    }, STEP_MS);
  }

  rest() {
    clearInterval(this.timer);
    this.timer = null;
    this.play.textContent = "▶ Step through";
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.rest();
    this.go((this.at + step + this.count) % this.count);
    this.group.children[this.at].focus();
  }
}
