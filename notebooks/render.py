"""Renders the notebooks, with answers, figures and sounds, into copies that can be read without Jupyter.

    python notebooks/render.py               all of them, into build/tutorials (some minutes)
    python notebooks/render.py 01 06         these only
    python notebooks/render.py --check       fail if a copy is older than its source or than the library

For each notebook: `NN_name.html`, a page that opens offline in any browser, with sounds; its figures move where
`plotly.min.js` lies beside it and are still pictures elsewhere. And `NN_name.ipynb` with still pictures, which
code-hosting pages show. The pictures are drawn by a headless Chromium.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "build" / "tutorials"
PLOTLY = "application/vnd.plotly.v1+json"
WIDTH, HEIGHT = 860, 300  # pixels of a still picture, where the figure does not say
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SYMBOLS = {
    "\\log": "log ", "\\exp": "exp", "\\arg\\min": "arg min", "\\sum": "∑", "\\alpha": "α", "\\pi": "π", "\\cdot": "·", "\\approx": "≈",
    "\\lfloor": "⌊", "\\rfloor": "⌋", "\\lVert": "‖", "\\rVert": "‖", "\\tfrac12": "½ ", "\\qquad": "  ", "\\,": " ", "\\sqrt": "√",
}  # fmt: skip
STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; max-width: 900px; margin: 2rem auto; padding: 0 1rem; color: #1f2933; background: #fff }
pre { white-space: pre-wrap !important; overflow-wrap: anywhere }
pre { background: #f5f7fa; padding: .6rem .8rem; border-radius: 4px; font-size: 14px; line-height: 1.4 }
.output_area pre, .jp-RenderedText pre { background: none; padding: 0 .8rem }
.prompt, .anchor-link { display: none }
table { border-collapse: collapse } td, th { padding: .3rem .6rem; border-bottom: 1px solid #d9e0e7; text-align: left }
a { color: #0072b2 } img { max-width: 100% } .figure { margin: .8rem 0 } audio { display: block; margin: .3rem 0 .8rem }
@media print { body { margin: 0; font-size: 10.5pt; line-height: 1.35 } }
"""
DRAW = """
if (window.Plotly) document.querySelectorAll('.figure').forEach(place => {
  const it = JSON.parse(place.querySelector('script').textContent);
  const still = place.querySelector('img');
  const drawn = document.createElement('div');
  drawn.setAttribute('role', 'img'); drawn.setAttribute('aria-label', still.alt);
  still.replaceWith(drawn);
  Plotly.newPlot(drawn, it.data, it.layout, { displaylogo: false, responsive: true });
});
"""


def builder():
    """The module build.py beside this one."""
    spec = importlib.util.spec_from_file_location("notebooks_build", HERE / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def identity(source: Path) -> str:
    """Hash of all that a rendered copy depends on: its source, this script, the library and the bundled weights."""
    library = HERE.parent / "audioformer"
    files = [source, Path(__file__), *sorted(library.rglob("*.py")), *sorted(library.glob("assets/**/config.json"))]
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def run(source: Path) -> dict:
    """The notebook with answers and all outputs, as nbformat has it; run in a fresh kernel in an empty folder.

    Raises:
        CellExecutionError: a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    os.environ["AUDIOFORMER_RENDERER"] = "plotly_mimetype"  # sliders show both ends: nobody can move them on a page
    notebook = nbformat.reads(builder().build(source, solution=True), as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    notebook.metadata.pop("widgets", None)
    return notebook


def figures(notebook) -> list[dict]:
    """All plotly figures of a notebook, in order."""
    return [output.data[PLOTLY] for cell in notebook.cells for output in cell.get("outputs", []) if PLOTLY in output.get("data", {})]


def pictures(drawn: list[dict]) -> list[str]:
    """A PNG in base64 of each figure.

    Raises:
        SystemExit: no browser to draw with.
    """
    from playwright.sync_api import sync_playwright

    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise SystemExit("figures are drawn by a browser: install chromium, or set CHROMIUM to its program")
    script = """([figure, width, height]) => Plotly.toImage(
        { data: figure.data, layout: { ...figure.layout, paper_bgcolor: '#fff', plot_bgcolor: '#fff' } },
        { format: 'png', width, height: figure.layout.height || height })"""
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(300_000)
        page.add_script_tag(path=str(plotly_script()))
        made = [page.evaluate(script, [figure, WIDTH, HEIGHT]).partition(",")[2] for figure in drawn]
        browser.close()
    return made


def plotly_script() -> Path:
    """The drawing script that comes with the plotly package."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def plain_mathematics(text: str) -> str:
    r"""Formulas between dollars as HTML with sub- and superscripts, for pages that load no formula script.

    Example:
        >>> plain_mathematics("$e^{-x}$ and $\\log_2 V$")
        '<i>e<sup>-x</sup></i> and <i>log<sub>2</sub> V</i>'
    """

    def one(found: re.Match) -> str:
        formula = re.sub(r"\\text\{([^}]*)\}", r"\1", found[1] or found[2])
        for name, symbol in SYMBOLS.items():
            formula = formula.replace(name, symbol)
        formula = html.escape(formula, quote=False)
        for sign, tag in (("_", "sub"), ("^", "sup")):
            formula = re.sub(rf"\s*{re.escape(sign)}(?:\{{([^}}]*)\}}|(\w))", lambda m, t=tag: f"<{t}>{m[1] or m[2]}</{t}>", formula)
        return f"<i>{' '.join(re.sub(r'[{}]', '', formula).split())}</i>"

    return re.sub(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", one, text, flags=re.DOTALL)


def alternative(figure: dict) -> str:
    """What a figure shows, in words."""
    return figure["layout"].get("meta", {}).get("alt", "figure")


def for_hosting(notebook, stills: list[str]) -> str:
    """The notebook's file with still pictures instead of figures and a remark instead of each sound."""
    import nbformat

    copy, left = nbformat.from_dict(json.loads(json.dumps(notebook))), list(stills)
    for cell in copy.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if PLOTLY in data:
                output.data = nbformat.from_dict({"image/png": left.pop(0), "text/plain": alternative(data[PLOTLY])})
            elif "<audio" in data.get("text/html", ""):
                output.data = nbformat.from_dict({"text/plain": "♪ (a sound: open the notebook or its page to hear it)"})
    return nbformat.writes(copy) + "\n"


def page(notebook, stills: list[str], title: str) -> str:
    """One HTML page; links go to the other pages."""
    import nbformat
    from nbconvert import HTMLExporter
    from pygments.formatters import HtmlFormatter

    copy, left = nbformat.from_dict(json.loads(json.dumps(notebook))), list(stills)
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            cell.source = plain_mathematics(cell.source).replace(".ipynb", ".html")
        for output in cell.get("outputs", []):
            if PLOTLY in output.get("data", {}):
                output.data = nbformat.from_dict({"text/html": _figure(output.data[PLOTLY], left.pop(0))})
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(copy)
    scripts = f'<script src="plotly.min.js"></script><script>{DRAW}</script>'
    return _html(title, body + scripts, HtmlFormatter().get_style_defs(".highlight"))


def _figure(figure: dict, still: str) -> str:
    told = html.escape(alternative(figure), quote=True)
    drawn = json.dumps({"data": figure["data"], "layout": figure["layout"]}).replace("</", "<\\/")
    picture = f'<img alt="{told}" src="data:image/png;base64,{still}">'
    return f'<div class="figure">{picture}<script type="application/json">{drawn}</script></div>'


def handout(source: Path) -> str:
    """A page of Markdown as HTML, to be printed."""
    from nbconvert.filters import markdown2html

    text = source.read_text(encoding="utf-8")
    return _html(text.split("\n")[0].lstrip("# "), markdown2html(text))


def _html(title: str, body: str, style: str = "") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{style}{STYLE}</style></head><body>{body}</body></html>\n"
    )


def render(source: Path, out: Path) -> None:
    """Run one notebook and write its two copies."""
    notebook = run(source)
    stills = pictures(figures(notebook))
    title = notebook.cells[0].source.split("\n")[0].lstrip("# ")
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(plotly_script(), out / "plotly.min.js")
    (out / f"{source.stem}.ipynb").write_text(for_hosting(notebook, stills), encoding="utf-8")
    (out / f"{source.stem}.html").write_text(page(notebook, stills, title), encoding="utf-8")


def stale(sources: list[Path], out: Path) -> list[str]:
    """Names of notebooks whose copies are missing, or were made of other files."""
    kept = json.loads((out / "current.json").read_text()) if (out / "current.json").is_file() else {}
    there = [source for source in sources if (out / f"{source.stem}.html").is_file() and (out / f"{source.stem}.ipynb").is_file()]
    return [source.stem for source in sources if source not in there or kept.get(source.stem) != identity(source)]


def main(arguments: list[str] | None = None) -> int:
    """Render or check; returns the exit status."""
    parser = argparse.ArgumentParser(description="Render the notebooks with figures and sounds.")
    parser.add_argument("names", nargs="*", help="beginnings of names, e.g. 01 06 index (default all)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a copy is not current")
    parser.add_argument("-o", "--output", type=Path, default=OUT, metavar="DIR", help="folder (default build/tutorials)")
    options = parser.parse_args(arguments)
    sources = [path for path in sorted((HERE / "src").glob("*.py")) if not options.names or path.name.startswith(tuple(options.names))]
    old = stale(sources, options.output)
    if options.check:
        for name in old:
            print(f"{name}: its copy in {options.output} is missing or old; run python notebooks/render.py", file=sys.stderr)
        return 1 if old or not sources else 0
    record = options.output / "current.json"
    for source in sources:
        if source.stem in old:
            render(source, options.output)
            known = json.loads(record.read_text()) if record.is_file() else {}
            record.write_text(json.dumps(known | {source.stem: identity(source)}, indent=1))
            print(f"{source.stem}: rendered", flush=True)
    for path in sorted((HERE / "handouts").glob("*.md")):
        (options.output / f"{path.stem}.html").write_text(handout(path), encoding="utf-8")
    print(f"{len(old)} of {len(sources)} rendered anew in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
