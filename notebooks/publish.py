"""Once the repository is public: notebooks that open in Colab, and the badges that lead to Colab and Binder.

    python notebooks/publish.py OWNER/NAME               write colab/ and the badges in README.md
    python notebooks/publish.py OWNER/NAME --check       fail if they are not what the sources say

Colab opens one notebook on a machine that has nothing: its copies begin with a cell that installs audioformer. Binder
builds a machine from the folder `binder/` and needs no copies. Until this is run, nothing in the repository names a
host.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import posixpath
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- badges: written by publish.py -->", "<!-- end of badges -->"
COLAB = "https://colab.research.google.com/github"
LINK = re.compile(r"(\]\(|^\[[^\]]+\]: )(?!https?:|#)([^)\s]+)")  # a link to a file
SET_UP = """# Colab only: installs audioformer with its models and samples (about two minutes), and lets its widgets in
%pip install -q "audioformer[colab,train] @ git+https://github.com/{repository}"
from google.colab import output
output.enable_custom_widget_manager()"""


def builder():
    """The module build.py beside this one."""
    spec = importlib.util.spec_from_file_location("notebooks_build", HERE / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def colab_copy(source: Path, repository: str, branch: str) -> str:
    """A learner's notebook with the cell in front that installs everything, as the text of its .ipynb file.

    Colab has no other file than the notebook, so links to notebooks lead to their copies, others to the repository.
    """
    notebook = json.loads(builder().build(source, solution=False))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = [LINK.sub(lambda m: m[1] + _address(m[2], repository, branch), s) for s in cell["source"]]
    text = SET_UP.format(repository=repository)
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "colab-set-up",
        "metadata": {},
        "outputs": [],
        "source": text.splitlines(keepends=True),
    }
    notebook["cells"].insert(1, cell)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _address(target: str, repository: str, branch: str) -> str:
    """Where a relative link of a notebook leads on the web."""
    if target.endswith(".ipynb") and "/" not in target:
        return f"{COLAB}/{repository}/blob/{branch}/notebooks/colab/{target}"
    return f"https://github.com/{repository}/blob/{branch}/" + posixpath.normpath(f"notebooks/{target}")


def badges(repository: str, branch: str) -> str:
    """Lines for README.md: Binder for all, Colab for the index and each notebook."""
    binder = f"https://mybinder.org/v2/gh/{repository}/{branch}?urlpath=lab/tree/notebooks/index.ipynb"
    colab = f"{COLAB}/{repository}/blob/{branch}/notebooks/colab"
    first = (
        f"[![Binder](https://mybinder.org/badge_logo.svg)]({binder}) "
        f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab}/index.ipynb)"
    )
    each = " · ".join(
        f"[{source.stem[:2]}]({colab}/{source.stem}.ipynb)" for source in sources() if source.stem[0].isdigit()
    )
    return f"{first}\n\nIn Colab: {each}"


def sources() -> list[Path]:
    """Every percent script, the index too."""
    return sorted((HERE / "src").glob("*.py"))


def wanted(repository: str, branch: str) -> dict[Path, str]:
    """File to its text."""
    readme = HERE / "README.md"
    text = re.sub(rf"{BEGIN}.*?{END}\n*", "", readme.read_text(encoding="utf-8"), flags=re.DOTALL)
    title, rest = text.split("\n\n", 1)
    files = {readme: f"{title}\n\n{BEGIN}\n{badges(repository, branch)}\n{END}\n\n{rest}"}
    return files | {
        HERE / "colab" / f"{source.stem}.ipynb": colab_copy(source, repository, branch) for source in sources()
    }


def main(arguments: list[str] | None = None) -> int:
    """Write or check; returns the exit status."""
    parser = argparse.ArgumentParser(description="Make the notebooks open in Colab and Binder.")
    parser.add_argument("repository", metavar="OWNER/NAME", help="on GitHub, public")
    parser.add_argument("--branch", default="main", help="default main")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not current")
    options = parser.parse_args(arguments)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", options.repository):
        parser.error(f"{options.repository!r} must be OWNER/NAME, as in the repository's address")
    files = wanted(options.repository, options.branch)
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if options.check:
            print(
                f"{path.relative_to(HERE)}: not current; run python notebooks/publish.py {options.repository}",
                file=sys.stderr,
            )
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
    if not options.check:
        print(f"{len(stale)} of {len(files)} files written; commit them, then look at the badges")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
