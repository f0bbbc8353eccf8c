// The page in other languages. Its texts are written in English, in the places where they are made; here each is replaced as it
// appears. A language file (language_CODE.json) maps English to the language: a `{}` stands for a part that changes, and in a
// translation `{2}` for the second of them, where the order is another one. What a file lacks stays in English, and is noted.
const STORE = "audioformer-language";
export const LANGUAGES = { en: "English", zh: "中文", es: "Español", fr: "Français" };
const SHOWN = ["title", "aria-label", "placeholder"];
const LEFT_ALONE = "script, style, code, pre, textarea, .katex, .af-help .prose, .af-file, [translate=no]";
const SIGNS = /^([▶◀●■◐+=≠✓✗×…:,·\s]*)(.*?)(\s*)$/su;
const COUNTED = /^(.+?)([:,]? +[-−]?\d[\d.,]*(?: ?(?:%|s|dB|kHz|ms))?\.?)$/su; // a word and its number: "dog 90 %"
const [APART, MOST_KEPT] = [" · ", 4000];
const WORD = /\p{L}{2}/u;

// Beside this script, or, in a page without a server, among the files that it holds.
async function read(name) {
  const page = globalThis.audioformerSite;
  if (page) return JSON.parse(new TextDecoder().decode(await page.file(`scripts/${name}`)));
  return (await fetch(new URL(name, import.meta.url))).json();
}

class Language {
  constructor() {
    [this.code, this.exact, this.patterns, this.known, this.missing] = ["en", new Map(), [], new Map(), new Set()];
    this.texts = new WeakMap(); // node to {from, to}
    this.observer = new MutationObserver((changes) => this.changed(changes));
  }

  async choose(code) {
    const file = code === "en" ? { page: {} } : await read(`language_${code}.json`);
    this.code = code;
    this.exact = new Map(Object.entries(file.page));
    this.patterns = [...this.exact].filter(([from]) => from.includes("{}")).map(([from, to]) => [pattern(from), to, isWeak(from)]);
    this.patterns.sort(([one], [other]) => other.source.length - one.source.length); // the most particular first
    [this.known, this.missing] = [new Map(), new Set()];
    localStorage.setItem(STORE, code);
    document.documentElement.lang = code;
    document.body.style.setProperty("--af-drop-words", JSON.stringify(this.say("… or drop one here")));
    this.observer.disconnect();
    this.walk(document.body);
    if (code !== "en") this.observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: SHOWN });
  }

  // A text in the language that is chosen.
  say(text) {
    if (this.code === "en" || !WORD.test(text)) return text;
    if (!this.known.has(text)) {
      if (this.known.size > MOST_KEPT) this.known.clear(); // numbers that change all the time
      const found = this.find(text);
      if (found === null) this.missing.add(text.trim());
      this.known.set(text, found ?? text);
    }
    return this.known.get(text);
  }

  // The same, or null where nothing is known.
  find(text) {
    const [, before, words, after] = SIGNS.exec(text);
    const flat = words.replaceAll(/\s+/g, " ");
    const found = this.exact.get(flat) ?? this.filled(flat) ?? this.pieces(flat);
    return found === undefined || found === null ? null : before + found + after;
  }

  filled(text) {
    for (const [form, to, weak] of this.patterns) {
      const parts = form.exec(text)?.slice(1);
      if (!parts || (weak && parts.some((part) => WORD.test(part) && this.find(part) === null))) continue;
      let next = 0;
      return to.replaceAll(/\{(\d?)\}/g, (_, number) => {
        const part = parts[number ? number - 1 : next++] ?? "";
        return this.find(part) ?? part;
      });
    }
    return null;
  }

  // Texts that are put together: parts with a dot between them, a word with its number, two sentences.
  pieces(text) {
    if (text.includes(APART)) return text.split(APART).map((one) => this.find(one) ?? one).join(APART); // prettier-ignore
    const counted = COUNTED.exec(text);
    const word = counted && this.exact.get(counted[1]);
    if (word) return word + counted[2];
    const stop = text.search(/(?<=[.:?!]) /u);
    if (stop < 0) return null;
    const [first, rest] = [text.slice(0, stop), text.slice(stop + 1)].map((one) => (/\p{L}{2}/u.test(one) ? this.find(one) : one));
    return first === null && rest === null ? null : `${first ?? text.slice(0, stop)} ${rest ?? text.slice(stop + 1)}`;
  }

  changed(changes) {
    for (const { type, target, addedNodes, attributeName } of changes) {
      if (type === "characterData") this.text(target);
      else if (type === "attributes") this.attribute(target, attributeName);
      else for (const node of addedNodes) this.walk(node);
    }
  }

  walk(root) {
    if (root.nodeType === Node.TEXT_NODE) return this.text(root);
    if (root.nodeType !== Node.ELEMENT_NODE || root.closest(LEFT_ALONE)) return undefined;
    const skip = (node) => (node.nodeType === Node.ELEMENT_NODE && node.matches(LEFT_ALONE) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    const every = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT, skip);
    for (let node = every.currentNode; node; node = every.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) this.text(node);
      else for (const name of SHOWN) this.attribute(node, name);
    }
    return undefined;
  }

  text(node) {
    if (node.parentElement?.closest(LEFT_ALONE)) return;
    this.put(node, "text", node.data, (to) => (node.data = to));
  }

  attribute(node, name) {
    const value = node.getAttribute(name);
    if (value) this.put(node, name, value, (to) => node.setAttribute(name, to));
  }

  // What was put there by us is known by its English; anything else is English, or a name.
  put(node, name, value, write) {
    const before = this.texts.get(node) ?? {};
    const from = before[name]?.to === value ? before[name].from : value;
    const to = this.say(from);
    this.texts.set(node, { ...before, [name]: { from, to } });
    if (to !== value) write(to);
  }
}

// "{} of {}" would tear any sentence apart that it does not know: what stands around so few letters must be known, too.
function isWeak(text) {
  return text.replaceAll(/[^\p{L}]/gu, "").length < 4;
}

function pattern(text) {
  const parts = text.split("{}").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("(.*?)")}$`, "su");
}

export const language = new Language();

// A choice of languages; changed(code): one was chosen, or remembered from before.
export function languageSwitch(changed) {
  const select = document.createElement("select");
  select.className = "af-language";
  select.setAttribute("aria-label", "Language");
  select.setAttribute("translate", "no");
  select.append(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code)));
  const choose = async () => {
    await language.choose(select.value);
    select.dataset.shown = select.value;
    changed(select.value);
  };
  select.addEventListener("change", choose);
  select.value = localStorage.getItem(STORE) ?? "en";
  if (select.value !== "en") choose();
  return select;
}
