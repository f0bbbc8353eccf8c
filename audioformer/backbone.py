"""The one place that knows both kinds of model: AudioFormer and EnCodecMAE.

Checkpoints say which in `config.json` ("method"); everything after them asks here.
"""

from __future__ import annotations

from audioformer.config import EncoderConfig
from audioformer.encodecmae.config import EncodecMAEConfig
from audioformer.encodecmae.model import EncodecMAE
from audioformer.errors import AudioformerError
from audioformer.model import AudioFormer

METHODS = {"audioformer": EncoderConfig, "encodecmae": EncodecMAEConfig}


def method_of(config: EncoderConfig | EncodecMAEConfig) -> str:
    """Name of the method, "audioformer" or "encodecmae": which kind of model has this shape."""
    return "encodecmae" if isinstance(config, EncodecMAEConfig) else "audioformer"


def read_shape(about: dict) -> EncoderConfig | EncodecMAEConfig:
    """The model's shape from a checkpoint's config.json; a file that names no method is an AudioFormer's.

    Raises:
        AudioformerError: a method or a field that this version does not know, or sizes that cannot work.
        KeyError: it says nothing about a model.
    """
    method = about.get("method", "audioformer")
    if method not in METHODS:
        raise AudioformerError(f"method {method!r} is not known; this audioformer has {', '.join(METHODS)}: upgrade it")
    return METHODS[method].from_dict(about["model"])


def build(config: EncoderConfig | EncodecMAEConfig, heads: bool = True) -> AudioFormer | EncodecMAE:
    """A fresh model of this shape; without heads, the part a classifier needs."""
    return EncodecMAE(config, heads) if isinstance(config, EncodecMAEConfig) else AudioFormer(config, mlm=heads)
