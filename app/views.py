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
    """Script that loads a module and connects it to Gradio.

    `events` appear in quotes, which is how Gradio finds them.
    """
    return f"""
    const events = {json.dumps(events)};
    import(new URL('{static_prefix()}/{module}', document.baseURI)).then((m) => m.mount({{
        element, read: (name) => props[name], watch, upload,
        send: (event, data) => {{ if (events.includes(event)) trigger(event, data); }},
    }}));
    """


def _view(value: str, name: str, module: str, events: tuple[str, ...], **options) -> gr.HTML:
    """An empty element that a module fills; props of it carry what the page says besides its value."""
    return gr.HTML(
        value=value,
        html_template=f"<div class='{name}'></div>",
        js_on_load=_on_load(module, events),
        apply_default_css=False,
        **options,
    )


def sample_picker(samples: list[Sample], selected: int | None, **options) -> gr.HTML:
    """Tiles of the bundled clips.

    Event `pick` carries {index}, the prop `selected` marks one (-1: none), `answer` is new each time.
    """
    tiles = [{"label": sample.label, "file": sample.path.name, "thumbnail": sample.thumbnail} for sample in samples]
    props = {"answer": "", "selected": -1 if selected is None else selected}
    return _view(json.dumps(tiles), "af-picker", "sample_picker.js", ("pick",), **props, **options)


def own_sound(**options) -> gr.HTML:
    """The buttons that record a sound or choose a file; both go into the page's box for files."""
    return _view("", "af-own-sound", "own_sound.js", (), **options)


def clip_player(value: str, **options) -> gr.HTML:
    """Player and pictures of one clip on one time axis; event `ask` and prop `reply` as a room's.

    The value is `handlers.clip_view`'s JSON.
    """
    return _view(value, "af-listen", "clip_view.js", ("ask",), reply="", **options)


def room_view(name: str, events: tuple[str, ...] = ("ask",), **options) -> gr.HTML:
    """A room of its own, `static/NAME_room.js`; the prop `reply` takes the answers to its events.

    Event `ask` carries {what, ...}. Live has `push` (a portion of sound), `freeze` and `use` {start_s, end_s}; Teach
    also has `train` {classes, start, method}.
    """
    return _view("", "af-room", f"{name}_room.js", events, reply="", **options)


def header(sentence: str, tour: list[dict], **options) -> gr.HTML:
    """Name, one sentence, tour, link and the switch between light and dark.

    Event `open` {sample, codec, checkpoint}: an address that names them was opened; the prop `answer` says that it is
    done. Event `speak` {language}: another language was chosen.
    """
    value = json.dumps({"sentence": sentence, "tour": tour})
    return _view(value, "af-header", "header.js", ("open", "speak"), answer="", **options)


def fixed(html: str, **options) -> gr.HTML:
    """A piece of safe HTML that is only shown."""
    return gr.HTML(html, js_on_load=None, apply_default_css=False, **options)
