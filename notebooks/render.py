"""Renders the notebooks, with answers, figures and sounds, into copies that can be read without Jupyter.

    python notebooks/render.py               all of them, into build/tutorials (some minutes)
    python notebooks/render.py 01 06         these only
    python notebooks/render.py --check       fail if a copy is older than its source or than the library

For each notebook: `NN_name.html`, a page that opens offline in any browser, with sounds; its figures move where
`plotly.min.js` lies beside it and are still pictures elsewhere. And `NN_name.ipynb` with still pictures, which
code-hosting pages show. The pictures are drawn by a headless Chromium. The folder is a site: `index.html` links to all
pages, their sounds are inside them, and nothing is loaded from anywhere else, so that GitHub Pages serves it as it is.
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

from audioformer.plots.notebook_page import html_page, notebook_page

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "build" / "tutorials"
PLOTLY = "application/vnd.plotly.v1+json"
WIDTH, HEIGHT = 860, 300  # pixels of a still picture, where the figure does not say
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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
        NotebookClient(
            notebook, timeout=1200, kernel_name="python3", resources={"metadata": {"path": folder}}
        ).execute()
    notebook.metadata.pop("widgets", None)
    return notebook


def figures(notebook) -> list[dict]:
    """All plotly figures of a notebook, in order."""
    return [
        output.data[PLOTLY]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if PLOTLY in output.get("data", {})
    ]


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
                picture = re.search('src="data:image/png;base64,([^"]+)"', data["text/html"])
                output.data = nbformat.from_dict(
                    {"text/plain": "♪ (a sound: open the notebook or its page to hear it)"}
                    | ({"image/png": picture[1]} if picture else {})
                )
    return nbformat.writes(copy) + "\n"


def linked(text: str) -> str:
    """Markdown of a notebook with its links to handouts turned to their pages, which lie beside its own."""
    return re.sub(r"\]\(handouts/([\w-]+)\.md\)", r"](\1.html)", text)


def page(notebook, stills: list[str], title: str) -> str:
    """One HTML page; links go to the other pages."""
    import nbformat

    copy, left = nbformat.from_dict(json.loads(json.dumps(notebook))), list(stills)
    for cell in copy.cells:
        cell.source = linked(cell.source) if cell.cell_type == "markdown" else cell.source
    for output in (output for cell in copy.cells for output in cell.get("outputs", [])):
        if PLOTLY in output.get("data", {}):
            output.data = nbformat.from_dict({"text/html": _figure(output.data[PLOTLY], left.pop(0))})
    return notebook_page(copy, title, f'<script src="plotly.min.js"></script><script>{DRAW}</script>')


def _figure(figure: dict, still: str) -> str:
    told = html.escape(alternative(figure), quote=True)
    drawn = json.dumps({"data": figure["data"], "layout": figure["layout"]}).replace("</", "<\\/")
    picture = f'<img alt="{told}" src="data:image/png;base64,{still}">'
    return f'<div class="figure">{picture}<script type="application/json">{drawn}</script></div>'


def handout(source: Path) -> str:
    """A page of Markdown as HTML, to be printed."""
    from nbconvert.filters import markdown2html

    text = source.read_text(encoding="utf-8")
    return html_page(text.split("\n")[0].lstrip("# "), markdown2html(text))


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
    there = [
        source
        for source in sources
        if (out / f"{source.stem}.html").is_file() and (out / f"{source.stem}.ipynb").is_file()
    ]
    return [source.stem for source in sources if source not in there or kept.get(source.stem) != identity(source)]


def main(arguments: list[str] | None = None) -> int:
    """Render or check; returns the exit status."""
    parser = argparse.ArgumentParser(description="Render the notebooks with figures and sounds.")
    parser.add_argument("names", nargs="*", help="beginnings of names, e.g. 01 06 index (default all)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a copy is not current")
    parser.add_argument(
        "-o", "--output", type=Path, default=OUT, metavar="DIR", help="folder (default build/tutorials)"
    )
    options = parser.parse_args(arguments)
    sources = [
        path
        for path in sorted((HERE / "src").glob("*.py"))
        if not options.names or path.name.startswith(tuple(options.names))
    ]
    old = stale(sources, options.output)
    if options.check:
        for name in old:
            print(
                f"{name}: its copy in {options.output} is missing or old; run python notebooks/render.py",
                file=sys.stderr,
            )
        return 1 if old or not sources else 0
    record = options.output / "current.json"
    for source in sources:
        if source.stem in old:
            render(source, options.output)
            known = json.loads(record.read_text()) if record.is_file() else {}
            record.write_text(json.dumps(known | {source.stem: identity(source)}, indent=1))
            print(f"{source.stem}: rendered", flush=True)
    (options.output / ".nojekyll").touch()  # GitHub Pages then serves the files as they are
    for path in sorted((HERE / "handouts").glob("*.md")):
        (options.output / f"{path.stem}.html").write_text(handout(path), encoding="utf-8")
    print(f"{len(old)} of {len(sources)} rendered anew in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
