"""Codecs and checkpoints, opened once and shared by everybody who has the page open."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from audioformer.checkpoint import bundled_names, find_checkpoint
from audioformer.codec import Codec
from audioformer.codecs import load_codec
from audioformer.errors import AudioformerError
from audioformer.model import AudioFormer
from audioformer.plots.codes import colour_ranks
from audioformer_app.samples import Coded, code_samples
from audioformer_app.taught import PREFIX, shelf

if TYPE_CHECKING:
    from audioformer.evaluation.familiarity import Familiarity
    from audioformer_app.atlas import Atlas

ENCODEC = "encodec_24khz"
PREFERRED = ("esc10", "digits", "scenes")
PLAIN = {  # what the bundled classifiers are called on the page
    "esc10": "10 everyday sounds (esc10)",
    "digits": "spoken digits (digits)",
    "scenes": "51 sounds at once (scenes)",
}
CORES = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class Guesser:
    """A pre-trained model that guesses hidden codes, with the codec whose codes it knows.

    Attributes:
        model: AudioFormer with prediction heads.
        codec: open.
        ranks: (K, V) colour ranks of its entries.
        mask: how codes were hidden in pre-training: `mask_ratio`, `span`.
        window: frames read at once, as in pre-training.
    """

    model: AudioFormer
    codec: Codec
    ranks: np.ndarray
    mask: dict
    window: int

    @property
    def same_frames(self) -> bool:
        """Whether the same frames are hidden in all rows, as the model was trained."""
        return self.model.config.rows == "summed"


def available_pretrained() -> list[str]:
    """Bundled models that guess hidden codes."""
    return [name for name in bundled_names() if _kind(name) == "pretrained"]


def available_checkpoints() -> list[str]:
    """Bundled classifiers, the general one first."""
    names = [name for name in bundled_names() if _kind(name) == "classifier"]
    return sorted(names, key=lambda name: (PREFERRED.index(name) if name in PREFERRED else len(PREFERRED), name))


def _kind(name: str) -> str | None:
    """What a bundled checkpoint is, from its config.json; None if that cannot be read.

    None as well for models of other methods: here an AudioFormer's codes are hidden, changed and explained.
    """
    try:
        config = json.loads((find_checkpoint(name) / "config.json").read_text())
        return config.get("kind") if config.get("method", "audioformer") == "audioformer" else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def encodec_is_here() -> bool:
    """Whether EnCodec's package and its published 24 kHz weights are on this machine; nothing is downloaded."""
    from importlib.util import find_spec

    from audioformer.codecs.encodec_files import FOLDER_VARIABLE, RELEASES, cache_folder

    if find_spec("encodec") is None:
        return False
    folders = filter(None, (os.environ.get(FOLDER_VARIABLE), cache_folder()))
    return any((Path(folder) / RELEASES[ENCODEC].filename).is_file() for folder in folders)


class Models:
    """What the app can use, each opened on first use.

    Args:
        codecs: names or folders; None: the bundled one, and EnCodec where its weights are.
        checkpoints: names or folders; None: the bundled ones.
        pretrained: names or folders of models that guess hidden codes; None: the bundled one.
        sounds: folder of the data set on the map; None: the bundled samples.

    Attributes:
        codecs: display name to name or folder.
        checkpoints: display name to name or folder.
        taught: classifiers that were taught on the page, by their secret names.
    """

    def __init__(
        self,
        codecs: Sequence[str | os.PathLike] | None = None,
        checkpoints: Sequence[str | os.PathLike] | None = None,
        pretrained: Sequence[str | os.PathLike] | None = None,
        sounds: str | os.PathLike | None = None,
    ):
        self.sounds = sounds
        if codecs is None:
            codecs = ["compact", *([ENCODEC] if encodec_is_here() else [])]
        if checkpoints is None:
            checkpoints = available_checkpoints()
        self.codecs = {Path(name).name: name for name in codecs}
        self.checkpoints = {Path(name).name: name for name in checkpoints}
        pretrained = available_pretrained() if pretrained is None else pretrained
        self.pretrained = {Path(name).name: name for name in pretrained}
        self.taught = shelf()
        self._opened: dict[tuple[str, str], object] = {}
        self._locks: dict[tuple[str, str], Lock] = {}
        self._crew = ThreadPoolExecutor(CORES, "crew")  # shares long answers out among the cores, whoever asks

    def codec(self, name: str) -> Codec:
        """An open codec.

        Raises:
            AudioformerError: not one of `codecs`, or its files are unusable.
        """
        return self._open("codec", name, self.codecs, load_codec)

    def classifier(self, name: str):
        """An open classifier with `classify(waveform, top_k)`: an offered one, or one that was taught on the page.

        Raises:
            AudioformerError: not one of `checkpoints`, its files are unusable, or what was taught is forgotten.
        """
        from audioformer.classify import load

        if name.startswith(PREFIX):
            taught = self.taught.get(name)
            if taught is None:
                raise AudioformerError(
                    "the classifier that was taught here is forgotten after an hour of rest; teach it again"
                )
            found = taught.classifier
        else:
            found = self._open("checkpoint", name, self.checkpoints, load)
        found.map_batches = self._crew.map
        return found

    def familiarity(self, name: str) -> Familiarity | None:
        """What tells sounds like those that a classifier learnt from; None where nobody measured it, as of taught ones.

        Raises:
            AudioformerError: not one of `checkpoints`, or its file is damaged.
        """
        from audioformer.evaluation.familiarity import open_familiarity

        if name.startswith(PREFIX):
            return None
        return self._open("familiarity", name, self.checkpoints, open_familiarity)

    @property
    def guesser_name(self) -> str | None:
        """What `guesser` is called; None without one."""
        return next(iter(self.pretrained), None)

    def guesser(self) -> Guesser:
        """The first pre-trained model, ready to guess.

        Raises:
            AudioformerError: none is offered, or its files are unusable.
        """
        name = self.guesser_name
        if name is None:
            raise AudioformerError(
                "this installation came without a pre-trained model; make one with `audioformer pretrain`"
            )
        return self._open("pre-trained model", name, self.pretrained, self._open_guesser)

    def ranks(self, codec_name: str) -> np.ndarray:
        """(K, V) colour ranks of a codec's entries, computed once."""
        return self._open(
            "ranks", codec_name, self.codecs, lambda _: colour_ranks(self.codec(codec_name).codebooks().cpu())
        )

    def atlas(self) -> Atlas:
        """The sounds of the room Map; they are described in the background from the first question on.

        Raises:
            AudioformerError: this installation has no samples, or `sounds` is no data set.
        """
        return self._open("map", "sounds", {"sounds": self.sounds}, self._open_atlas)

    def coded_samples(self, codec_name: str) -> Coded:
        """The bundled clips in a codec's codes, coded when first asked for."""
        return self._open("coded samples", codec_name, self.codecs, lambda _: code_samples(self.codec(codec_name)))

    def _open(self, kind: str, name: str, known: dict, opener):
        if name not in known:
            raise AudioformerError(f"{kind} {name!r} is not offered here; choose one of {', '.join(known) or '(none)'}")
        if (kind, name) not in self._opened:
            with self._locks.setdefault((kind, name), Lock()):  # others who want the same wait for it
                if (kind, name) not in self._opened:
                    self._opened[kind, name] = opener(known[name])
        return self._opened[kind, name]

    def _open_atlas(self, folder) -> Atlas:
        from audioformer_app.atlas import Atlas, before, open_sounds, sources

        return Atlas(open_sounds(folder), sources(self), before(self))

    def _open_guesser(self, name) -> Guesser:
        from audioformer.codec import require_fingerprint
        from audioformer.start import load_pretrained

        model, config = load_pretrained(name)
        shared = next((shown for shown, known in self.codecs.items() if str(known) == config["codec"]["name"]), None)
        codec = self.codec(shared) if shared else load_codec(config["codec"]["name"])
        require_fingerprint(codec, config["codec"]["fingerprint"], f"pre-trained model {name}")
        recipe = config.get("recipe", {})
        mask = {"mask_ratio": 0.25, "span": 5, **recipe.get("mask", {})}
        window = round(recipe.get("crop_s", 5.0) * codec.frame_rate)
        return Guesser(model, codec, colour_ranks(codec.codebooks().cpu()), mask, window)
