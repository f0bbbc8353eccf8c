"""Where the ES modules and the style sheet of the interactive views are, and how a notebook gets one as a whole."""

from __future__ import annotations

import re
from pathlib import Path

from audioformer.errors import AudioformerError

STATIC = Path(__file__).parent / "static"
IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
# what anywidget calls; events travel as the trait `event`, numbered so that two equal ones are two
ADAPTER = """
export default {
  render({ model, el }) {
    el.classList.add("af-notebook");
    let number = 0;
    const send = (name, data) => {
      model.set("event", { name, number: ++number, ...data });
      model.save_changes();
    };
    mount({ element: el, read: (name) => model.get(name), watch: (name, act) => model.on(`change:${name}`, act), send
    });
  },
};
"""


def bundle(module: str) -> str:
    """A module and all it imports as one piece of text: anywidget loads a widget from one module without neighbours.

    Each module is put in front of those that need it, once; `import` lines and the word `export` fall away. So no two
    modules may use the same name for different things at their top level.

    Args:
        module: file name in `static`, whose `mount` becomes the widget.

    Returns:
        JavaScript of one ES module with anywidget's default export.

    Raises:
        AudioformerError: no such module.
    """
    done: dict[str, str] = {}

    def add(name: str) -> None:
        if name in done:
            return
        if not (STATIC / name).is_file():
            raise AudioformerError(
                f"{name}: no such module; there are {', '.join(sorted(path.name for path in STATIC.glob('*.js')))}"
            )
        text = (STATIC / name).read_text(encoding="utf-8")
        for needed in IMPORT.findall(text):
            add(needed)
        done[name] = re.sub(
            r"^export (?=class|function|async function|const|let)", "", IMPORT.sub("", text), flags=re.MULTILINE
        )

    add(module)
    return "\n".join(done.values()) + ADAPTER


def style() -> str:
    """Style sheet of all views."""
    return (STATIC / "widgets.css").read_text(encoding="utf-8")


def view_class(module: str) -> type:
    """Base of a notebook widget that runs a module of `static`; it answers to each event of the browser by `answer`.

    Args:
        module: file name, as of `bundle`.

    Returns:
        Subclass of anywidget's with the traits `value` (what is shown), `reply` and `event`.

    Raises:
        AudioformerError: anywidget is not installed: it comes with the extra `notebooks`.
    """
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise AudioformerError('the notebook widgets need anywidget: pip install "audioformer[notebooks]"') from error

    class View(anywidget.AnyWidget):
        _esm, _css = bundle(module), style()
        value = traitlets.Unicode("").tag(sync=True)
        reply = traitlets.Unicode("").tag(sync=True)
        event = traitlets.Dict().tag(sync=True)

        def __init__(self, **traits):
            super().__init__(**traits)
            self.observe(lambda change: self.answer(change["new"]), "event")

    return View
