"""The files that a reader opens to follow a job through the library, in order, with their lines of code.

    python tests/reading_path.py            classify a file, pre-train, fine-tune with FT2

Each job runs once, small, and every function that it calls is noted: a file that the job enters and the list leaves
out is shown at the end. Docstrings, comments and blank lines are no lines of code.

Most files count whole, whatever the job uses of them. A *door* is a place where the docstring of the function called
says all that a reader needs: how a damaged MP3 is read, or a folder made, is not part of the way from sound to label.
All doors together count as one file, and of each only the functions and classes count that other files call.
"""

from __future__ import annotations

import ast
import io
import sys
import tempfile
import threading
import tokenize
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import audioformer

LIBRARY = Path(audioformer.__file__).resolve().parent
NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
PATH = {  # in the order of reading; doors need not be named
    "classify a file": (
        "classify audio codec codecs/blocks codecs/compact rvq predict tokens classifier encoder attention model config"
    ),
    "pre-train": (
        "data/corpus data/batches pretrain tokens masking model encoder attention heads losses train optim config"
    ),
    "fine-tune FT2": (
        "data/corpus data/batches start model encoder attention heads tokens finetune classifier losses adapt "
        "train optim config"
    ),
}
DOORS = tuple(
    "reading/ files methods recipes checkpoint codecs/__init__ codecs/compact_files codecs/spectra "
    "data/corpus_format".split()
)
MOST = {"classify a file": (15, 1500), "pre-train": (18, 1800), "fine-tune FT2": (22, 2300)}  # files, lines of code


def code_lines(path: Path) -> set[int]:
    """Numbers of the lines that hold code: no docstring, no comment alone, no blank line."""
    text = path.read_text(encoding="utf-8")
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node) is not None:
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def module_of(filename: str) -> str | None:
    """Name of a file of the library, as "data/corpus"; None for any other."""
    path = Path(filename)
    return path.relative_to(LIBRARY).with_suffix("").as_posix() if LIBRARY in path.parents else None


def place(name: str | None) -> str | None:
    """The door that a module is part of, or the module itself."""
    return next((door for door in DOORS if name and name.startswith(door)), name)


def entered(job: Callable[[], object]) -> dict[str, set[int]]:
    """Modules of which the job calls a function, and the lines at which the functions begin that other modules call."""
    job()  # imports
    called: dict[str, set[int]] = {}

    def note(frame, event, _argument) -> None:
        name = module_of(frame.f_code.co_filename)
        if event != "call" or name in (None, "__init__", "errors") or frame.f_code.co_name == "<module>":
            return
        caller = frame.f_back
        while caller is not None and module_of(caller.f_code.co_filename) is None:  # torch, or what dataclasses write
            if caller.f_code.co_name == "__del__":  # at any time, below any function
                return
            caller = caller.f_back
        lines = called.setdefault(name, set())
        if caller is None or place(module_of(caller.f_code.co_filename)) != place(name):
            lines.add(frame.f_code.co_firstlineno)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        job()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return called


def jobs(folder: Path) -> dict[str, Callable[[], object]]:
    """The three jobs, each as the start page of the library shows it, on a few short tones."""
    from tiny import tiny_codec, tone_folder

    import audioformer as af
    from audioformer.codecs.compact_files import save_compact
    from audioformer.data.prepare import prepare
    from audioformer.files import samples_folder
    from audioformer.train import train

    save_compact(tiny_codec(), folder / "codec")
    codec, sounds = af.load_codec(str(folder / "codec")), af.open_dataset("folder", tone_folder(folder / "tones", n=4))
    list(prepare(sounds, codec, folder / "codes"))
    clip = sorted(samples_folder().rglob("*.ogg"))[0]
    short, runs = af.TrainConfig(n_steps=1, batch_size=2), []

    def pretrain() -> None:
        corpus = af.Corpus.open(folder / "codes")
        shape = af.preset("test", codebook_size=16, n_codebooks=2)
        recipe = replace(af.pretrain_preset("test"), model=shape, train=short)
        task = af.MaskedModelling(recipe, corpus, corpus.codec)
        out = Path(tempfile.mkdtemp(dir=folder))
        list(train(task, short, out))
        runs.append(out)

    def finetune() -> None:
        if not runs:
            pretrain()
        corpus = af.Corpus.open(folder / "codes")
        model, _ = af.load_pretrained(runs[0], expect=corpus.codec)
        recipe = replace(af.finetune_preset("test"), method="ft2", train=short, crop_s=0.5, min_crop_s=0.5)
        task = af.FineTuning(recipe, model, corpus, corpus.label_names, False, corpus.codec)
        list(train(task, short, Path(tempfile.mkdtemp(dir=folder))))

    return {
        "classify a file": lambda: af.load("esc10").classify(clip),
        "pre-train": pretrain,
        "fine-tune FT2": finetune,
    }


def missing(job: str, called: dict[str, set[int]]) -> set[str]:
    """Files that the job enters, that are no doors, and that its list leaves out."""
    return {name for name in called if not name.startswith(DOORS)} - set(PATH[job].split())


def lines_of(job: str) -> dict[str, int]:
    """Lines of code of each file of a job's list."""
    return {name: len(code_lines(LIBRARY / f"{name}.py")) for name in PATH[job].split()}


def lines_of_doors(called: dict[str, set[int]]) -> dict[str, int]:
    """Lines of code of what is called of each door: functions, and classes whole."""
    lines = {}
    for name, firsts in called.items():
        if name.startswith(DOORS):
            path = LIBRARY / f"{name}.py"
            spans = [range(first_line(node), node.end_lineno + 1) for node in ast.parse(path.read_text("utf-8")).body]
            used = {number for span in spans if any(first in span for first in firsts) for number in span}
            lines[name] = len(used & code_lines(path))
    return {name: n for name, n in lines.items() if n}


def first_line(node: ast.stmt) -> int:
    """Of a statement, its decorators included."""
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def main() -> None:
    """Print the three tables."""
    with tempfile.TemporaryDirectory() as folder:
        for job, run in jobs(Path(folder)).items():
            lines, called = lines_of(job), entered(run)
            doors = lines_of_doors(called)
            n_lines = sum(lines.values()) + sum(doors.values())
            print(f"{job}: {len(lines)} files and the doors, {n_lines} lines of code (at most {MOST[job]})")
            for name, n in lines.items():
                print(f"  {name + '.py':<28}{n:>5}{'' if name in called else '   not entered'}")
            for name, n in doors.items():
                print(f"  {name + '.py':<28}{n:>5}   door")
            for name in sorted(missing(job, called)):
                print(f"  {name + '.py':<28}{len(code_lines(LIBRARY / f'{name}.py')):>5}   not in the list")


if __name__ == "__main__":
    main()
