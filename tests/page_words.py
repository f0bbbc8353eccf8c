"""Every sentence and word that the page can show, read out of its sources: what a language has to translate.

A text with a changing part stands with `{}` in its place, as in the language files.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPTS = [*(ROOT / "app" / "static").glob("*.js"), *(ROOT / "audioformer" / "widgets" / "static").glob("*.js")]
NOT_OF_THE_APP = {"sound_map.js", "svg.js", "language.js", "zip.js", "record.js"}  # in notebooks only, or no words
SHOWN_ATTRIBUTES = ("title", "aria-label", "placeholder")
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`', re.DOTALL)
COMMENT = re.compile(r"^\s*//.*$|(?<=[;{},)\s])//(?!/).*$", re.MULTILINE)
WORD = re.compile(r"[A-Za-z]{2,}")
# what looks like words and is none: selectors, class names, styles, keys, formats, errors of the browser
CODE = re.compile(
    r"^[.#(]|af-|\{\}px|ui, |ui-mono|linear-grad|const "
    r"fig|^body\{|^registerP|calc\(|translate\(|\[role|::|__theme|text/|^M-?\d"
    r"|^[A-Z][a-z]+[A-Z]|Error$|^(Arrow|Escape|Enter|Page|RIFF|WAVEfmt|UMAP|PCA|Frames)$|\.wav$|^sounds/"
)


class _Texts(HTMLParser):
    """Text and shown attributes of a piece of HTML."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, _tag: str, attrs: list) -> None:
        self.found += [value for name, value in attrs if name in SHOWN_ATTRIBUTES and value]


def tidy(text: str) -> str:
    """One line, without blanks at the ends and signs before the first word."""
    flat = re.sub(r"(\s|\\n)+", " ", text)
    return re.sub(r'^[▶◀●■◐+=≠✓✗×–…·,:"\s]+', "", flat).strip().removesuffix('"}')


def holes(template: str) -> str:
    """A template string with `{}` in the place of each `${...}`, however deep."""
    out, depth, i = [], 0, 0
    while i < len(template):
        if template.startswith("${", i) and depth == 0:
            out.append("{}")
            depth, i = 1, i + 2
            continue
        if depth:
            depth += {"{": 1, "}": -1}.get(template[i], 0)
        else:
            out.append(template[i])
        i += 1
    return "".join(out)


def of_script(source: str) -> set[str]:
    """Texts of a script."""
    found = set()
    for match in STRING.finditer(COMMENT.sub("", source)):
        text = match[1] if match[1] is not None else holes(match[2])
        if "<" in text and ">" in text:
            parser = _Texts()
            parser.feed(text)
            found |= set(map(tidy, parser.found))
        else:
            found.add(tidy(text))
    return {
        text for text in found if WORD.search(text) and (" " in text or text[0].isupper()) and not CODE.search(text)
    }


def of_all_scripts() -> dict[str, set[str]]:
    """Texts of each script of the page."""
    return {
        path.name: of_script(path.read_text(encoding="utf-8"))
        for path in sorted(SCRIPTS)
        if path.name not in NOT_OF_THE_APP
    }
