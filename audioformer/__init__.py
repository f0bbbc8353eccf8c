"""audioformer: see how a machine learns to listen.

Audio classification as language understanding (AudioFormer, arXiv 2308.07221): a neural codec turns sound into codes, a
transformer learns them as a masked language model, a classifier is fine-tuned on top.

    import audioformer as af
    codes = af.load_codec("compact").encode(af.load_audio("dog.ogg"))
    af.load("esc10").classify("dog.ogg").labels

To train one: `open_dataset`, then `audioformer.data.prepare.prepare`, `Corpus.open`, a task (`MaskedModelling`,
`FineTuning`) with a recipe (`pretrain_preset`, `finetune_preset`), and `audioformer.train.train`, a loop of
records. `audioformer.hear` holds HEAR's interface, `audioformer.plots` the figures.

Everything below loads when it is first used, so that importing the package stays quick.

OpenMP's waiting threads sleep: torch divides its work among one thread per core, and by default each of them spins while
it waits for the others. Beside two busy programs the codec then runs at 1 to 2 times real time instead of about 100. The
policy is read once, when torch loads, so `import audioformer` sets it first; a policy that you set yourself stays. Where
`import torch` comes before `import audioformer`, it comes too late: `torch.set_num_threads(1)` helps then.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch loads; child processes take it over

_HOME = {
    "AudioformerError": "errors",
    "Waveform": "audio",
    "load_audio": "audio",
    "save_audio": "audio",
    "log_mel": "audio",
    "Codec": "codec",
    "load_codec": "codecs",
    "load_codes": "codecs.codes_file",
    "save_codes": "codecs.codes_file",
    "open_dataset": "data.datasets",
    "Corpus": "data.corpus",
    "AudioFormer": "model",
    "Classifier": "classifier",
    "EncoderConfig": "config",
    "MaskConfig": "config",
    "TrainConfig": "config",
    "preset": "recipes",
    "MaskedModelling": "pretrain",
    "pretrain_preset": "recipes",
    "load_pretrained": "pretrain",
    "FineTuning": "finetune",
    "finetune_preset": "recipes",
    "load": "classify",
    "AudioClassifier": "classify",
    "Prediction": "classify",
}
__all__ = [*_HOME, "__version__"]

if TYPE_CHECKING:
    from audioformer.audio import Waveform, load_audio, log_mel, save_audio
    from audioformer.classifier import Classifier
    from audioformer.classify import AudioClassifier, Prediction, load
    from audioformer.codec import Codec
    from audioformer.codecs import load_codec
    from audioformer.codecs.codes_file import load_codes, save_codes
    from audioformer.config import EncoderConfig, MaskConfig, TrainConfig
    from audioformer.data.corpus import Corpus
    from audioformer.data.datasets import open_dataset
    from audioformer.errors import AudioformerError
    from audioformer.finetune import FineTuning
    from audioformer.model import AudioFormer
    from audioformer.pretrain import MaskedModelling, load_pretrained
    from audioformer.recipes import finetune_preset, preset, pretrain_preset


def __getattr__(name: str):
    if name in _HOME:
        module = import_module(f"audioformer.{_HOME[name]}")
        globals()[name] = value = getattr(module, name)
        return value
    raise AttributeError(f"module 'audioformer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
