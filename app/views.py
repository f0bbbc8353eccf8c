"""The interactive components of the page: Python shells around the plain ES modules in `static/`.

The modules know nothing of Gradio: each exports `mount({element, read, watch, send})`, so that a notebook widget can
use them too. (Functions, not subclasses of gr.HTML: Gradio writes a .pyi file beside the source of every subclass.)
Values go to the browser as JSON text; nothing is ever inserted as HTML there.
"""

from __future__ import annotations

import hashlib
import json

import gradio as gr

from audioformer.widgets import modules
from audioformer_app.samples import Sample
from audioformer_app.settings import STATIC


def static_prefix() -> str:
    """Address under which the modules are served; it changes with their content, so no browser keeps an old one."""
    digest = hashlib.sha256()
    for path in sorted([*STATIC.iterdir(), *modules.STATIC.iterdir()]):
        digest.update(path.read_bytes())
    return f"audioformer-{digest.hexdigest()[:12]}"


def _on_load(module: str, events: tuple[str, ...]) -> str:
    """Script that loads a module and connects it to Gradio; `events` appear in quotes, which is how Gradio finds them."""
    return f"""
    const events = {json.dumps(events)};
    import(new URL('{static_prefix()}/{module}', document.baseURI)).then((m) => m.mount({{
        element, read: (name) => props[name], watch, upload,
        send: (event, data) => {{ if (events.includes(event)) trigger(event, data); }},
    }}));
    """


def sample_picker(samples: list[Sample], selected: int | None, **options) -> gr.HTML:
    """Tiles of the bundled clips; event `pick` carries {index}, the prop `selected` marks one (-1: none), `answer` is new each time."""
    tiles = [{"label": sample.label, "file": sample.path.name, "thumbnail": sample.thumbnail} for sample in samples]
    return gr.HTML(
        value=json.dumps(tiles),
        html_template="<div class='af-picker'></div>",
        js_on_load=_on_load("sample_picker.js", ("pick",)),
        apply_default_css=False,
        answer="",
        selected=-1 if selected is None else selected,
        **options,
    )


def clip_player(value: str, **options) -> gr.HTML:
    """Player and pictures of one clip on one time axis; events `keep` {n_codebooks}, `hear` {row, frame} and `ask`.

    The value is `handlers.clip_view`'s JSON; the prop `reply` takes the answers of `handlers.keep` and `handlers.hear`.
    """
    return gr.HTML(
        value=value,
        html_template="<div class='af-listen'></div>",
        js_on_load=_on_load("clip_view.js", ("keep", "hear", "ask")),
        apply_default_css=False,
        reply="",
        **options,
    )


def room_view(name: str, **options) -> gr.HTML:
    """A room of its own, `static/NAME_room.js`; event `ask` carries {what, ...}, the prop `reply` takes the answer."""
    return gr.HTML(
        value="",
        html_template="<div class='af-room'></div>",
        js_on_load=_on_load(f"{name}_room.js", ("ask",)),
        apply_default_css=False,
        reply="",
        **options,
    )


def live_view(**options) -> gr.HTML:
    """The room Live; events `push` (a portion of sound), `freeze` and `use` {start_s, end_s}, the prop `reply` takes the answers."""
    return gr.HTML(
        value="",
        html_template="<div class='af-room'></div>",
        js_on_load=_on_load("live_room.js", ("push", "freeze", "use")),
        apply_default_css=False,
        reply="",
        **options,
    )


def teach_view(**options) -> gr.HTML:
    """The room Teach; events `ask` {what, ...} and `train` {classes, start, method}, the prop `reply` takes the answers."""
    return gr.HTML(
        value="",
        html_template="<div class='af-room'></div>",
        js_on_load=_on_load("teach_room.js", ("ask", "train")),
        apply_default_css=False,
        reply="",
        **options,
    )


def header(sentence: str, tour: list[dict], **options) -> gr.HTML:
    """Name, one sentence, tour, link and the switch between light and dark.

    Event `open` {sample, codec, checkpoint}: an address that names them was opened; the prop `answer` says that it is done.
    """
    return gr.HTML(
        value=json.dumps({"sentence": sentence, "tour": tour}),
        html_template="<div class='af-header'></div>",
        js_on_load=_on_load("header.js", ("open",)),
        apply_default_css=False,
        answer="",
        **options,
    )


def fixed(html: str, **options) -> gr.HTML:
    """A piece of safe HTML that is only shown."""
    return gr.HTML(html, js_on_load=None, apply_default_css=False, **options)
