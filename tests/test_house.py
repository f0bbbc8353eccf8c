"""The rules of the house: sizes, direction of imports, light import, docstrings, no traces of a machine."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import reading_path
from reading_path import code_lines

HERE = Path(__file__)
ROOT = HERE.parents[1]
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_LINE = 300, 60, 120  # of code: documentation is not to be saved on
MAX_MODULES, MAX_FOLDERS = 30, 11  # folders beside those of methods: each of these is one that methods.py finds
MAX_FILE_BYTES = 1 << 20  # weights alone may be larger: they have a card and a hash

# From the first module a reader meets to the last; a module or folder imports only what stands on a line above its own,
# or beside it, inside functions too. `__init__` names what the others hold.
ORDER = """
errors files
config tokens rvq losses metrics reading
audio masking attention checkpoint
codec encoder optim recipes
heads
model data methods
codecs train classifier
predict pretrain adapt start
finetune classify
live encodecmae audiovisual plots
evaluation explain
hear widgets
teaching cli install app
__main__
"""
HEAVY = (
    "accelerate captum datasets encodec gradio IPython jupyterlab librosa matplotlib plotly scipy sklearn torchaudio "
    "transformers umap"
)
WEB_HOSTS = r"//(cdn\.|[\w.-]*cdnjs\.|unpkg\.com|[\w.-]*jsdelivr\.net|fonts\.g(oogleapis|static)\.com|cdn-|esm\.sh)"
MACHINE_PATHS = r"(?<![\w.])/(work|root|home/\w+|Users/\w+|opt/wheels)/|[A-Z]:\\+Users"


def files(*suffixes: str, under: tuple[str, ...] = (".",)) -> list[Path]:
    """Files of the project, tracked or about to be, with one of the endings."""
    listing = ["git", "ls-files", "-co", "--exclude-standard", "-z", "--", *under]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("needs a git checkout, to tell the project's files from others: git clone the repository")
    found = [ROOT / name for name in done.stdout.split("\0") if name]
    return sorted(path for path in found if path.is_file() and (not suffixes or path.suffix in suffixes))


def sources() -> list[Path]:
    """Python of the library and the app."""
    return files(".py", under=("audioformer", "app"))


def readable(path: Path) -> str | None:
    """Text of a file, or None if it holds something else."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def where(pattern: str, paths: list[Path]) -> list[str]:
    """`file:line` of each match."""
    hits, sought = [], re.compile(pattern)
    for path in paths:
        for number, line in enumerate([] if path == HERE else (readable(path) or "").splitlines(), 1):
            if sought.search(line):
                hits.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    return hits


def parsed(path: Path) -> ast.Module:
    """Syntax tree of a file, without what is imported for type checkers alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return tree


def modules() -> dict[str, Path]:
    """{"audioformer.data.corpus": its file, ...}, the app's among them."""
    named = {}
    for path in sources():
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        named[name.replace("app", "audioformer_app", 1) if name.split(".")[0] == "app" else name] = path
    return named


def imports() -> dict[str, set[str]]:
    """The modules that each module imports, anywhere in it."""
    named, graph = modules(), {}
    for name, path in named.items():
        names = set()
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import; write audioformer.{node.module}"
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                names |= inside & set(named) or {node.module}
        graph[name] = (names & set(named)) - {name}
    return graph


def unit(module: str) -> str:
    """The flat module or the folder that a module belongs to; "app" for the app."""
    first, *rest = module.split(".")
    return "app" if first == "audioformer_app" else rest[0] if rest else "__init__"


def test_the_library_shows_its_path_at_a_glance():
    tops = [path.relative_to(ROOT / "audioformer").parts for path in files(".py", under=("audioformer",))]
    flat = {parts[0] for parts in tops if len(parts) == 1}
    parts = [path.relative_to(ROOT / "audioformer").parts for path in files(under=("audioformer",))]
    methods = {names[0] for names in parts if names[1:] == ("plug.py",)}
    folders = {names[0] for names in parts if len(names) > 1} - methods
    assert len(flat) <= MAX_MODULES, sorted(flat)
    assert len(folders) <= MAX_FOLDERS, sorted(folders)


def test_no_file_is_long():
    lengths = {path.relative_to(ROOT).as_posix(): len(code_lines(path)) for path in sources()}
    assert lengths
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_no_function_is_long():
    long = {}
    for path in sources():
        code = code_lines(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                n = len(code & set(range(node.lineno, node.end_lineno + 1)))
                if n > MAX_FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = n
    assert long == {}


def test_imports_point_one_way():
    level = {name: number for number, line in enumerate(ORDER.split("\n")) for name in line.split()}
    wrong = []
    for name, others in imports().items():
        assert unit(name) in level or unit(name) == "__init__", f"{name}: new module; give it its place in ORDER"
        above = level.get(unit(name), len(level))
        wrong += [f"{name} imports {other}" for other in others if level.get(unit(other), 0) > above]
    assert wrong == []


@pytest.mark.parametrize("package", ["audioformer", "audioformer_app"])
def test_no_two_modules_need_each_other(package):
    """Modules that import nothing but what is known are known; where none is left to add, the rest is a circle."""
    graph = {name: others for name, others in imports().items() if name.split(".")[0] == package}
    known = {"audioformer", "audioformer_app"}  # these load the others when they are used
    known |= {name for name in modules() if name.split(".")[0] != package}
    while ready := {name for name, others in graph.items() if name not in known and others <= known}:
        known |= ready
    in_circles = {name: sorted(graph[name] - known) for name in graph if name not in known}
    assert in_circles == {}


def test_the_core_knows_no_neighbour():
    core = [path for path in files(".py", under=("audioformer",)) if len(path.relative_to(ROOT).parts) == 2]
    core += files(".py", under=("audioformer/data", "audioformer/codecs"))
    assert (
        where(
            "(?i)encodecmae|encodec_mae|VisibleEncoder|audio_?visual",
            [path for path in core if path.name != "__init__.py"],
        )
        == []
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return reading_path.jobs(tmp_path_factory.mktemp("jobs"))


@pytest.mark.slow
@pytest.mark.parametrize("job", reading_path.PATH)
def test_a_job_is_read_in_few_files(job, paths):
    called, (most_files, most_lines) = reading_path.entered(paths[job]), reading_path.MOST[job]
    lines, doors = reading_path.lines_of(job), reading_path.lines_of_doors(called)
    assert reading_path.missing(job, called) == set()
    assert len(lines) + bool(doors) <= most_files
    assert sum(lines.values()) + sum(doors.values()) <= most_lines


def fresh_interpreter(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_audioformer_loads_nothing_heavy():
    code = "import json, sys, audioformer; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    assert set(json.loads(fresh_interpreter(code))) & set(HEAVY.split()) == set()


def test_every_module_imports_with_the_bare_library_alone():
    """What the extras bring is imported where it is used, not at the top: `import audioformer.x` never needs them."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files(".py", under=("audioformer",))]
    bare = [name.removesuffix(".__init__") for name in names if not name.startswith("audioformer.plots")]
    extras = HEAVY.replace("scipy ", "").split()
    code = (
        "import importlib, sys\n"
        f"for name in {extras!r}: sys.modules[name] = None\n"
        f"for name in {bare!r}: importlib.import_module(name) if '__main__' not in name else None\n"
        "print('ok')"
    )
    assert fresh_interpreter(code).strip() == "ok"


@pytest.mark.parametrize("command", ["check --output-format concise", "format --check"])
def test_ruff_has_nothing_to_say(command):
    """Style, unused names, docstrings of everything public (D1), Google sections; everything formatted."""
    ruff = [sys.executable, "-m", "ruff", *command.split(), "--no-cache", str(ROOT)]
    done = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_lines_end_where_the_formatter_ends_them():
    python = files(".py")
    assert where(f"^.{{{MAX_LINE + 1}}}", python) == []
    assert where("# fmt: (skip|off)", python) == []


def test_no_path_of_a_machine_is_written_anywhere():
    assert where(MACHINE_PATHS, files()) == []
    beside = re.escape("../" + "shared")
    assert where(beside, [path for path in files() if path != ROOT / ".ci" / "run"]) == []


def test_nothing_shipped_loads_from_the_web():
    shipped = files(".html", ".js", ".css", ".py", ".ipynb", ".svg", under=("audioformer", "app", "notebooks"))
    assert where(WEB_HOSTS, shipped) == []


def test_only_weights_are_large():
    large = [path.relative_to(ROOT).as_posix() for path in files() if path.stat().st_size > MAX_FILE_BYTES]
    assert [name for name in large if not name.startswith("audioformer/assets/")] == []


@pytest.mark.parametrize("line", ["/home/ann/x", 'open("/root/x")', "C:\\Users\\ann", "cp /work/data ."])
def test_the_pattern_for_machine_paths_finds_them(line):
    assert re.search(MACHINE_PATHS, line + "/")
    assert not re.search(MACHINE_PATHS, "see docs/work/notes, ./root/ and https://example.org/home/")


@pytest.mark.parametrize("url", ["https://cdn.plot.ly/x.js", "//unpkg.com/x", "https://fonts.googleapis.com/css"])
def test_the_pattern_for_web_hosts_finds_them(url):
    assert re.search(WEB_HOSTS, url)
    assert not re.search(WEB_HOSTS, "http://127.0.0.1:7860 https://arxiv.org/abs/2210.13438")
