"""Which clips of which corpora are trained on, and which are held out to measure on."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audioformer.cli.console import note
from audioformer.cli.options import add_options, numbers, words
from audioformer.errors import AudioformerError

if TYPE_CHECKING:
    from audioformer.data.corpus import Corpus

KINDS = {
    "folds": numbers,
    "not_folds": numbers,
    "split": words,
    "groups": words,
    "not_groups": words,
    "variants": numbers,
}
OWN = re.compile(rf":({'|'.join(KINDS)})=([^:]+)$")


@dataclass(frozen=True)
class Chosen:
    """Clips for a run; `held_out` is empty where nothing is held out."""

    clips: Corpus
    held_out: Corpus | tuple


def add_corpora(parser: argparse.ArgumentParser) -> None:
    """The options that choose clips."""
    about = (
        "folder of `audioformer prepare`; several must share the codec; a choice for one of them alone is written "
        "behind it: runs/esc50:folds=1,2,3:variants=0"
    )
    parser.add_argument("corpora", nargs="+", metavar="CORPUS", help=about)
    group = parser.add_argument_group("choice of clips (default: all except those of the split test)")
    options = {
        "--folds": (numbers, "1,2", "train on these folds only"),
        "--not-folds": (numbers, "4", "leave these folds out (clips without a fold stay)"),
        "--split": (words, "NAME", "train on these splits only: train, val, test (default: not on test)"),
        "--groups": (words, "A,B", "train on these sources or speakers only"),
        "--not-groups": (words, "A,B", "leave these sources or speakers out"),
        "--held-out-folds": (numbers, "4", "measure on these folds, never train on them"),
        "--held-out-split": (words, "NAME", "measure on these splits, never train on them"),
        "--held-out-groups": (words, "A,B", "measure on these sources or speakers, never train on them"),
        "--held-out-share": (float, "P", "measure on about this share, 0 to 0.5; clips of one source stay together"),
    }
    add_options(group, options)


def choose(arguments: argparse.Namespace) -> Chosen:
    """Open the corpora and choose clips as the options say.

    Raises:
        AudioformerError: no corpus, other codecs, or nothing left.
    """
    from audioformer.data.join import join

    common = {name: getattr(arguments, name, None) for name in KINDS}
    training, held_out = [], []
    for corpus, own in map(_open, arguments.corpora):
        clips, measured = _hold_out(corpus, {**common, **own}, arguments)
        training.append(clips)
        held_out += [measured] if measured is not None else []
    named = [name for name in ("folds", "split", "groups") if getattr(arguments, f"held_out_{name}")]
    if not held_out and (named or arguments.held_out_share):
        option = f"--held-out-{named[0] if named else 'share'}"
        raise AudioformerError(f"nothing is held out: no corpus has clips for {option}; choose others")
    joined = join([*training, *held_out])  # together, so that both number the classes alike
    n_kept = sum(map(len, training))
    clips = joined.subset(range(n_kept))
    measured = joined.subset(_shuffled(n_kept, len(joined))) if held_out else ()
    note(f"{len(clips)} coded clips to train on, {len(measured)} held out")
    return Chosen(clips, measured)


def load_codebooks(arguments: argparse.Namespace, clips):
    """The vectors that the codes of a corpus stand for, (K, V, D)."""
    from audioformer.codec import require_fingerprint
    from audioformer.codecs import load_codec

    codec = load_codec(arguments.codec or clips.codec["name"], weights=arguments.weights)
    require_fingerprint(codec, clips.codec["fingerprint"], "the corpus")
    return codec.codebooks()


def _open(text: str) -> tuple[Corpus, dict]:
    """The opened corpus and its own choice, of e.g. "runs/esc50:folds=1,2"."""
    from audioformer.data.corpus import Corpus

    own = {}
    while match := OWN.search(text):
        try:
            own[match[1]] = KINDS[match[1]](match[2])
        except argparse.ArgumentTypeError as error:
            raise AudioformerError(f"{text}: {match[1]} {error}") from None
        text = text[: match.start()]
    return Corpus.open(text), own


def _hold_out(corpus: Corpus, choice: dict, arguments: argparse.Namespace) -> tuple[Corpus, Corpus | None]:
    """(clips to train on, clips to measure on or None) of one corpus."""
    held = {name: getattr(arguments, f"held_out_{name}") for name in ("folds", "split", "groups")}
    held = {name: values for name, values in held.items() if values is not None}
    clips = corpus.select(**choice)
    if choice["split"] is None:
        clips = _without_test(clips)
    if not held and not arguments.held_out_share:
        return clips, None
    if held:
        try:
            measured = corpus.select(**held, not_groups=choice["not_groups"], not_folds=choice["not_folds"])
        except AudioformerError:
            return clips, None  # this corpus has no such folds; another one may
    else:
        measured = _share(clips, arguments.held_out_share)
    ids = set(measured.column("id").tolist())
    try:
        rest = clips.select(not_ids=ids)
    except AudioformerError:
        what = held or arguments.held_out_share
        raise AudioformerError(f"{corpus.info.dataset}: holding out {what} leaves no clip to train on") from None
    n_mixed = sum(own not in ids for own in clips.column("id").tolist()) - len(rest)
    if n_mixed:
        note(f"{corpus.info.dataset}: {n_mixed} coded mixtures are left out, in which a held-out clip is heard")
    return rest, measured.select(variants=[0])


def _without_test(clips: Corpus) -> Corpus:
    """The clips without the official test set: nothing learns from it, labels or not, unless --split names it."""
    try:
        rest = clips.select(not_split="test")
    except AudioformerError:
        raise AudioformerError(
            f"{clips.info.dataset}: all clips chosen are of the split test; --split test trains on them"
        ) from None
    if n_test := len(clips) - len(rest):
        note(
            f"{clips.info.dataset}: {n_test} coded clips of the split test are left out; --split names splits to train "
            "on"
        )
    return rest


def _share(clips: Corpus, share: float) -> Corpus:
    """About this share of a corpus in whole groups, chosen by a checksum of their names."""
    import zlib

    if not 0 < share <= 0.5:
        raise AudioformerError(f"--held-out-share {share} must lie above 0 and up to 0.5; try 0.05")
    groups = clips.column("group").tolist()
    names = sorted(set(groups), key=lambda name: zlib.crc32(name.encode()))
    if len(names) < 2:
        raise AudioformerError(
            "--held-out-share needs clips of at least two sources; use --held-out-folds or --held-out-split"
        )
    taken, n_taken = [], 0
    for name in names[:-1]:
        taken.append(name)
        n_taken += groups.count(name)
        if n_taken >= share * len(groups):
            break
    return clips.select(groups=taken)


def _shuffled(start: int, stop: int):
    """Numbers from start to stop in a fixed random order: measuring on the first few then means all kinds of clips."""
    import numpy as np

    return start + np.random.default_rng(0).permutation(stop - start)
