"""The rules of the house, kept by a machine: sizes, import direction, light import, docstrings, no traces of a machine."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 50
MAX_FILE_BYTES = 1 << 20  # weights alone may be larger: they have a card and a hash

# From the first module a reader meets to the last; a module imports only what stands on a line above its own, or
# beside it. Imports inside functions are free: they are the lazy ones.
ORDER = """
errors
paths config interrupt devices bundle reading
audio state stft effects
stream
rvq codec editing
cepstra compact_codec causal encodec_import encodec_weights encodec_codec
encode_many
synth augment distances loudness crops discriminator train_codec
tokens batches
masking
attention dropout subsampling
encoder initialise
losses
mae_config gap_masking
dual_transformer frames
encodecmae
model backbone classifier
adapt finetune_config
metrics reports
probe
datasets
baseline
corpus_format variants prepare corpus
checkpoint
optim averaging
train
predict
pretrain finetune frozen_head
kmeans_targets pretrain_encodecmae encodecmae_import encodecmae_guess
classify features
hear live
evaluate scores benches codec_log readiness
plots
teaching widgets codebook explain filling embedding_map
cli app
__main__
"""
HEAVY = "accelerate captum datasets encodec gradio IPython jupyterlab librosa matplotlib plotly scipy sklearn torchaudio transformers umap"
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
    hits = []
    for path in paths:
        for number, line in enumerate((readable(path) or "").splitlines(), 1):
            if path != Path(__file__) and re.search(pattern, line):
                hits.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    return hits


def test_no_file_is_long():
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in sources()}
    assert lengths
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def code_lines(function: ast.FunctionDef) -> int:
    """Lines from `def` to the end, its docstring not counted: documentation is not to be saved on."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= function.body[0].end_lineno - function.body[0].lineno + 1
    return lines


def test_no_function_is_long():
    long = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and code_lines(node) > MAX_FUNCTION_LINES:
                long[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = code_lines(node)
    assert long == {}


def unit(path: Path) -> str:
    """The module or sub-package of the library that a file belongs to; "app" for the app."""
    parts = path.relative_to(ROOT).parts
    return "app" if parts[0] == "app" else parts[1].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Units of the library that a file imports while it is itself imported."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write audioformer.{node.module}"
            if node.module == "audioformer":
                found |= {alias.name for alias in node.names}
            elif node.module.startswith("audioformer."):
                found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("audioformer.")}
    return found


def test_imports_point_one_way():
    level = {name: number for number, line in enumerate(ORDER.split("\n")) for name in line.split()}
    wrong = []
    for path in sources():
        if (name := unit(path)) == "__init__":
            continue
        assert name in level, f"{name}: new module; give it its place in ORDER"
        wrong += [f"{path.name} imports {other}" for other in imported(path) if level.get(other, 0) > level[name]]
    assert wrong == []


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


def test_ruff_has_nothing_to_say():
    """Style, unused names, docstrings of everything public (D1), Google sections."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "concise", "--no-cache", str(ROOT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


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
