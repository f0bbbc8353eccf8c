"""The files that a reader opens to follow a job through the library, in order, with their lines of code.

    python tests/reading_path.py            classify a file, pre-train, fine-tune with FT2

Each job runs once, small, and every function that it calls is noted: a file that the job enters and the list leaves
out is shown at the end. Docstrings, comments and blank lines are no lines of code.
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

LIBRARY = Path(audioformer.__file__).parent
NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
PATH = {  # in the order of reading
    "classify a file": (
        "classify audio reading/reader reading/inspect reading/frames codec codecs/__init__ codecs/compact "
        "codecs/stream codecs/spectra rvq predict tokens classifier encoder attention model checkpoint methods files "
        "config"
    ),
    "pre-train": (
        "data/corpus data/corpus_format data/batches pretrain tokens masking model encoder attention losses train "
        "optim checkpoint files recipes config"
    ),
    "fine-tune FT2": (
        "data/corpus data/corpus_format data/batches pretrain checkpoint methods model encoder attention tokens "
        "finetune classifier losses adapt recipes train optim files config"
    ),
}
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


def files_entered(job: Callable[[], object]) -> set[str]:
    """Modules of the library, as "data/corpus", of which the job calls a function."""
    job()  # imports
    entered: set[str] = set()

    def note(frame, event, _argument) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and LIBRARY in path.parents and frame.f_code.co_name != "<module>":
            entered.add(path.relative_to(LIBRARY).with_suffix("").as_posix())

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        job()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return entered - {"__init__", "errors"}


def jobs(folder: Path) -> dict[str, Callable[[], object]]:
    """The three jobs, each as the start page of the library shows it, on a few short tones."""
    from tiny import tiny_codec, tone_folder

    import audioformer as af
    from audioformer.codecs.compact import save_compact
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


def missing(job: str, entered: set[str]) -> set[str]:
    """Files that the job enters and its list leaves out."""
    return entered - set(PATH[job].split())


def lines_of(job: str) -> dict[str, int]:
    """Lines of code of each file of a job's list."""
    return {name: len(code_lines(LIBRARY / f"{name}.py")) for name in PATH[job].split()}


def main() -> None:
    """Print the three tables."""
    with tempfile.TemporaryDirectory() as folder:
        for job, run in jobs(Path(folder)).items():
            lines, entered = lines_of(job), files_entered(run)
            print(f"{job}: {len(lines)} files, {sum(lines.values())} lines of code (at most {MOST[job]})")
            for name, n in lines.items():
                print(f"  {name + '.py':<28}{n:>5}{'' if name in entered else '   not entered'}")
            for name in sorted(missing(job, entered)):
                print(f"  {name + '.py':<28}{len(code_lines(LIBRARY / f'{name}.py')):>5}   not in the list")


if __name__ == "__main__":
    main()
