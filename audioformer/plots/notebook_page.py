"""Notebooks as pages to read: HTML that loads nothing from anywhere.

Used by the app, which offers each notebook beside the room of its topic, and by `notebooks/render.py`, which puts
figures in.
Shapes: none.
"""

from __future__ import annotations

import html
import json
import re

# as in Markdown: no space inside the dollars
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(?!\s)([^$\n]+?)(?<!\s)\$", re.DOTALL)
STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; max-width: 900px; margin: 2rem auto; padding: 0 1rem }
body { color: #1f2933; background: #fff }
pre { white-space: pre-wrap !important; overflow-wrap: anywhere }
pre { background: #f5f7fa; padding: .6rem .8rem; border-radius: 4px; font-size: 14px; line-height: 1.4 }
.output_area pre, .jp-RenderedText pre { background: none; padding: 0 .8rem }
.prompt, .anchor-link { display: none }
table { border-collapse: collapse } td, th { padding: .3rem .6rem; border-bottom: 1px solid #d9e0e7; text-align: left }
a { color: #0072b2 } img { max-width: 100% } .figure { margin: .8rem 0 } audio { display: block; margin: .3rem 0 .8rem }
@media print { body { margin: 0; font-size: 10.5pt; line-height: 1.35 } }
"""
DARK = """
body { color: #e2e8f0; background: #111827 } pre { background: #1f2937 }
td, th { border-color: #374151 } a { color: #56b4e9 }
"""


def formulas_as_mathml(text: str) -> str:
    """Text whose formulas between dollars are MathML, which browsers draw without a script.

    Example:
        >>> formulas_as_mathml("the code $c_1$ costs 10 bits").count("<msub>")
        1
    """
    from latex2mathml.converter import convert

    def one(match: re.Match) -> str:
        formula = (match[1] or match[2]).replace(r"\arg\min", r"\mathrm{arg\,min}")
        return convert(formula, display="block" if match[1] else "inline")

    return FORMULA.sub(one, text)


def notebook_page(notebook, title: str, scripts: str = "", dark: bool = False) -> str:
    """A notebook, with whatever outputs it has, as one page.

    Args:
        notebook: of nbformat.
        title: of the page.
        scripts: HTML put at its end.
        dark: whether it is dark where the reader's machine asks for that; for pages without figures, which are drawn
            on white.

    Returns:
        HTML; links to other notebooks go to their pages, `NN_name.html`.
    """
    import nbformat
    from nbconvert import HTMLExporter
    from pygments.formatters import HtmlFormatter

    copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            cell.source = formulas_as_mathml(cell.source).replace(".ipynb", ".html")
    body, _ = HTMLExporter(template_name="basic").from_notebook_node(copy)
    style = HtmlFormatter().get_style_defs(".highlight") + STYLE
    if dark:
        colours = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
        style += f"@media screen and (prefers-color-scheme: dark) {{ :root {{ color-scheme: dark }}\n{colours}{DARK}}}"
    return html_page(title, body + scripts, style)


def html_page(title: str, body: str, style: str = STYLE) -> str:
    """A page of its own; `body` and `style` are trusted."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{style}</style></head><body>{body}</body></html>\n"
    )
