"""The notebooks beside the rooms: each a page to read, `notebooks/NN_name.html`; `audioformer lab` runs them.

Shapes: none.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

from audioformer.errors import AudioformerError
from audioformer.files import notebooks_folder

# The notebook of the same topic, for each text of `texts`: `audioformer lab` opens them.
NOTEBOOKS = {
    "FILES": "15_your_own_sounds",
    "FILES_REVIEW": "15_your_own_sounds",
    "FILES_LIMITS": "13_fair_comparison",
    "SIGHT": "17_sound_and_sight",
    "SIGHT_HOW": "17_sound_and_sight",
    "SIGHT_LIMITS": "17_sound_and_sight",
    "SWITCHES": "11_why_this_label",
    "SWITCHES_UNITS": "10_what_did_it_learn",
    "SWITCHES_LIMITS": "11_why_this_label",
    "FLOW": "05_the_encoder",
    "FLOW_BLOCK": "04_attention_by_hand",
    "FLOW_LIMITS": "10_what_did_it_learn",
    "PICTURES": "01_from_sound_to_codes",
    "CODES": "02_residual_quantisation",
    "LABEL": "09_fine_tune",
    "MASKING": "06_masked_prediction",
    "GUESSING": "06_masked_prediction",
    "FILLING": "06_masked_prediction",
    "ATTENTION": "04_attention_by_hand",
    "ROLLOUT": "10_what_did_it_learn",
    "ATTENTION_LIMITS": "10_what_did_it_learn",
    "WHY": "11_why_this_label",
    "TRUST": "11_why_this_label",
    "WHY_LIMITS": "11_why_this_label",
    "MAP": "10_what_did_it_learn",
    "MAP_NEIGHBOURS": "10_what_did_it_learn",
    "MAP_LIMITS": "10_what_did_it_learn",
    "TEACH": "15_your_own_sounds",
    "TEACH_HOW": "15_your_own_sounds",
    "TEACH_LIMITS": "15_your_own_sounds",
    "RESULTS": "13_fair_comparison",
    "RESULTS_RULES": "13_fair_comparison",
    "RESULTS_LIMITS": "20_one_idea_at_a_time",
    "LIVE": "14_live",
    "LIVE_WINDOW": "14_live",
    "LIVE_LIMITS": "14_live",
}


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
