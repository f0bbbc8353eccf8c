"""The notebooks beside the rooms: each a page to read, `notebooks/NN_name.html`; `audioformer lab` runs them.

Shapes: none.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from audioformer.errors import AudioformerError
from audioformer.files import notebooks_folder


@cache
def readable() -> frozenset[str]:
    """Names of the notebooks that can be read here.

    None where this installation lacks them, or what makes pages of them.
    """
    if None in map(find_spec, ("nbconvert", "latex2mathml")):
        return frozenset()
    try:
        return frozenset(path.stem for path in notebooks_folder().glob("*.ipynb"))
    except AudioformerError:
        return frozenset()


def mention(name: str) -> str:
    """Markdown that names a notebook, with a link where it can be read."""
    return f"[{name}](notebooks/{name}.html)" if name in readable() else f"**{name}**"


@cache
def page(name: str) -> str:
    """A notebook as HTML, without its outputs.

    Args:
        name: one of `readable`.
    """
    import nbformat

    from audioformer.plots.notebook_page import notebook_page

    notebook = nbformat.read(notebooks_folder() / f"{name}.ipynb", as_version=4)
    told = (
        f"This is for reading: <code>audioformer lab</code> runs it, with its figures, sounds and exercises ({name})."
    )
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"<p><small>{told}</small></p>"))
    return notebook_page(notebook, name, dark=True)


def notebook_route():
    """Where the pages are served; any other name gives 404."""
    from starlette.responses import HTMLResponse, PlainTextResponse
    from starlette.routing import Route

    def notebook(request):
        name = request.path_params["name"]
        if name not in readable():
            return PlainTextResponse("there is no such notebook", status_code=404)
        return HTMLResponse(page(name))

    return Route("/notebooks/{name}.html", notebook)
