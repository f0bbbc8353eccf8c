"""The page in other languages: `static/language_CODE.json`, one file each.

page    what the scripts show, English to the language; replaced in the browser (static/language.js)
help    the explanations of `texts` by their names, Markdown
"""

from __future__ import annotations

import json
from functools import cache

from audioformer.errors import AudioformerError
from audioformer_app import texts
from audioformer_app.settings import STATIC

LANGUAGES = {"en": "English", "zh": "中文", "es": "Español", "fr": "Français"}
EXPLANATIONS = [name for name, text in vars(texts).items() if name.isupper() and isinstance(text, str) and "\n" in text]


@cache
def language_file(code: str) -> dict:
    """A language file.

    Raises:
        AudioformerError: no such language.
    """
    if code not in LANGUAGES or code == "en":
        raise AudioformerError(f"language {code!r} is not offered; choose one of {', '.join(LANGUAGES)}")
    return json.loads((STATIC / f"language_{code}.json").read_text(encoding="utf-8"))


def explanation(name: str, code: str) -> str:
    """An explanation in a language; English where the language is "en".

    Raises:
        AudioformerError: no such language.
    """
    return getattr(texts, name) if code == "en" else language_file(code)["help"][name]
