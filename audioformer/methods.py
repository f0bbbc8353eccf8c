"""How a method plugs in: AudioFormer is built in, every other comes from outside, and nothing here knows its name.

A method is a way to pre-train a model that the rest of the kit can then use: classifier, fine-tuning, windows, probes,
HEAR, checkpoints, the command line. To add one, write a folder beside this file (or a package of your own) with a
module `plug.py`:

    audioformer/toy/plug.py
        from audioformer.methods import Method

        class Toy(Method):
            name = "toy"                                  # the folder's name; `audioformer pretrain --method toy`
            about = "what is hidden and guessed"          # a line of `--help`
            presets = ("test",)                           # names for `--preset`

            def config_class(self): ...                   # frozen dataclass, a `config.Config`, with `method = "toy"`,
            ... def build(self, config, heads=True): ...      # ... and the model of this shape, a `model.Backbone` def
            task(self, request): ...                  # a `train.Task` with `.config.train`: what `pretrain` trains

        METHOD = Toy()

That is all. Folders of this package are found by themselves; another package says so in its pyproject.toml:

    [project.entry-points."audioformer.methods"]
    toy = "my_package.plug"

Three things follow. *Checkpoints*: `config.json` names the method, and whoever opens one builds its model through
`build`. *After pre-training* nothing asks which method it is: a `Backbone` says itself what it reads of a sound
(`read`), of a clip of a corpus (`inputs`), how clips become a batch (`collate`) and which positions are frames
(`frame_slice`). *The command line*: `options` adds what only this method needs to `audioformer pretrain`. A `plug.py`
is imported for every `--help` of it: torch, and the method's own modules, are imported inside its functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import audioformer
from audioformer.errors import AudioformerError

if TYPE_CHECKING:
    from audioformer.config import Config
    from audioformer.model import Backbone
    from audioformer.train import Task

GROUP = "audioformer.methods"  # of entry points


@dataclass(frozen=True)
class Request:
    """What `audioformer pretrain` is asked to do.

    Attributes:
        preset: name of the recipe.
        clips: Corpus to train on.
        held_out: clips never trained on, to measure on; may be empty.
        override: gives a recipe with "name=value" settings changed, those given to it and those that the user asks for.
        start: folder or name of a model to continue from, or None.
        options: values of the method's own options by name.
        codebooks: gives the codec's vectors (K, V, D); called only where they are needed.
    """

    preset: str
    clips: Any
    held_out: Sequence
    override: Callable[[Any, Sequence[str]], Any]
    start: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    codebooks: Callable[[], Any] | None = None


class Method:
    """What a method says about itself; see the top of this file."""

    name: str
    about: str = ""
    presets: tuple[str, ...] = ()

    def config_class(self) -> type[Config]:
        """Class of the model's shape, whose `from_dict` reads `config.json`."""
        raise NotImplementedError

    def build(self, config: Config, heads: bool = True) -> Backbone:
        """A fresh model of this shape; without heads, the part that a classifier needs."""
        raise NotImplementedError

    def task(self, request: Request) -> Task:
        """What is trained: a Task whose `config` is the whole recipe.

        Raises:
            AudioformerError: unknown preset or setting, or clips that the model cannot read.
        """
        raise NotImplementedError

    def options(self, add: Callable) -> None:
        """Declare options of `audioformer pretrain` that only this method has.

        `add` takes what argparse's add_argument takes.
        """

    def convert(self, path: str, folder: str, codec, n_heads: int) -> dict:
        """Turn a checkpoint that the method's authors published into one of ours; gives its config.json.

        Raises:
            AudioformerError: the method has no such checkpoints, or the file is none.
        """
        del path, folder, codec, n_heads
        raise AudioformerError(f"method {self.name!r} has no published checkpoints to convert")


class AudioFormerMethod(Method):
    """The paper's own: the masked language model on codes (pretrain.py)."""

    name = "audioformer"
    about = "hides codes and guesses them"
    presets = ("bundled", "hours", "tiny", "small", "paper", "test")

    def config_class(self) -> type[Config]:
        """EncoderConfig."""
        from audioformer.config import EncoderConfig

        return EncoderConfig

    def build(self, config: Config, heads: bool = True) -> Backbone:
        """An AudioFormer."""
        from audioformer.model import AudioFormer

        return AudioFormer(config, mlm=heads)


BUILT_IN = AudioFormerMethod()


def method_names() -> list[str]:
    """Names of all methods there are, "audioformer" first.

    Example:
        >>> method_names()[0]
        'audioformer'
    """
    return [BUILT_IN.name, *sorted(_plugs())]


def find_method(name: str) -> Method:
    """A method by name.

    Raises:
        AudioformerError: there is none of this name.
    """
    if name == BUILT_IN.name:
        return BUILT_IN
    plugs = _plugs()
    if name not in plugs:
        raise AudioformerError(
            f"method {name!r} is not known; there are {', '.join(method_names())}: upgrade audioformer or install "
            "the method"
        )
    return import_module(plugs[name]).METHOD


def read_config(about: dict) -> Config:
    """The shape of a checkpoint's model.

    Args:
        about: its config.json; one that names no method is an AudioFormer's.

    Returns:
        EncoderConfig, or the configuration of another method.

    Raises:
        AudioformerError: a method or a field that this version does not know, or sizes that cannot work.
    """
    return find_method(str(about.get("method", BUILT_IN.name))).config_class().from_dict(about.get("model"))


def build(config: Config, heads: bool = True) -> Backbone:
    """A fresh model of this shape; without heads, the part that a classifier needs."""
    return find_method(config.method).build(config, heads)


def _plugs() -> dict[str, str]:
    """Name of each method from outside, and the module that defines it."""
    folders = {plug.parent.name for home in audioformer.__path__ for plug in Path(home).glob("*/plug.py")}
    return _installed() | {name: f"audioformer.{name}.plug" for name in folders}


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    """Methods of other packages."""
    return {point.name: point.value for point in entry_points(group=GROUP)}
