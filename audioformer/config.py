"""What a model and its masking are made of, as frozen dataclasses with checks, and the named presets.

Sits beside the data path: tokens, masking, encoder and model read their sizes from here; checkpoints store it as JSON.
Sizes are counts; probabilities lie in [0, 1].
"""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar

from audioformer.errors import AudioformerError

N_SPECIAL = 4  # PAD, BOA, EOA, MASK follow the codes (tokens.py)
LEAST_CROP_S = 0.1  # seconds: some frames of any codec


class Config:
    """What every configuration here can do: become a plain dict and come back from one."""

    def to_dict(self) -> dict[str, Any]:
        """Field names to plain values, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]):
        """The configuration that `to_dict` described.

        Args:
            values: field names to values; fields left out take their defaults.

        Returns:
            A new, checked configuration.

        Raises:
            AudioformerError: an unknown name (the nearest known ones are named) or a value out of range.

        Example:
            >>> MaskConfig.from_dict({"span": 15}).mask_ratio
            0.25
        """
        if not isinstance(values, dict):
            raise AudioformerError(f"{cls.__name__} is read from a dict of field names, not a {type(values).__name__}")
        check_names(values, [field.name for field in fields(cls)], cls.__name__)
        return cls(**values)

    def with_changes(self, **changes):
        """A copy with some fields changed; errors as `from_dict`."""
        check_names(changes, [field.name for field in fields(self)], type(self).__name__)
        return replace(self, **changes)


def check_names(given, known, where: str) -> None:
    """Refuse a name that is not among the known ones, naming those nearest to it.

    Args:
        given: names to check.
        known: names allowed.
        where: what they belong to, for the message.

    Raises:
        AudioformerError: at the first unknown name.
    """
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4) or list(known)
            raise AudioformerError(f"{where} has no {name!r}; nearest: {', '.join(near)}")


def require(ok: bool, message: str) -> None:
    """Raise AudioformerError with the message unless ok."""
    if not ok:
        raise AudioformerError(message)


def require_counts(config, *names: str) -> None:
    """Every named field must be a whole number of at least 1."""
    for name in names:
        value = getattr(config, name)
        require(
            isinstance(value, int) and not isinstance(value, bool) and value >= 1,
            f"{name}={value!r} must be a whole number of at least 1",
        )


def require_probabilities(config, *names: str) -> None:
    """Every named field must be a number in [0, 1]."""
    for name in names:
        value = getattr(config, name)
        require(
            isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1,
            f"{name}={value!r} must be a number from 0 to 1",
        )


def require_stretches(config) -> None:
    """Clips are cut to `min_crop_s` to `crop_s` seconds: both must hold a frame of any codec."""
    for name in ("crop_s", "min_crop_s"):
        value = getattr(config, name)
        require(LEAST_CROP_S <= value < float("inf"), f"{name}={value} must be at least {LEAST_CROP_S} seconds; try 5")


ROWS = ("separate", "shared", "summed")
NORMS = ("post", "pre")
SUBSAMPLING = (1, 2, 4)


@dataclass(frozen=True)
class EncoderConfig(Config):
    """Shape of the encoder: RoFormer's layout (arXiv 2104.09864), with three ways to use the codebook rows.

    `rows="separate"` is the AudioFormer authors': every row its own sequence and its own encoder. Ours by name:
    "shared" (one encoder for every row, told apart by a row embedding) and "summed" (the rows' embeddings are added
    per frame; one encoder, one prediction head per row).
    """

    method: ClassVar[str] = "audioformer"  # whose model this is the shape of (methods.py)

    codebook_size: int = 1024  # V, codes per codebook row
    n_codebooks: int = 3  # K, rows the model uses: the first K that the codec gives
    d_model: int = 256  # D, width of a hidden vector
    n_layers: int = 4  # blocks
    n_heads: int = 4  # attention heads per block; must divide d_model into even parts
    d_ff: int = 1024  # width inside the feed-forward layer
    dropout: float = 0.1  # on embeddings and on each sub-layer's output
    attention_dropout: float = 0.0  # on attention weights; above 0 the fast CPU kernel cannot be used in training
    max_positions: int = 1536  # longest sequence S, BOA and EOA included
    norm: str = "post"  # "post" as in BERT and RoFormer, or "pre": steadier when training deep from scratch
    rows: str = "separate"  # "separate", "shared" or "summed"
    rotary_value: bool = False  # rotate the values too, not only queries and keys
    subsampling: int = (
        1  # ours: 2 or 4 frames become one position by convolutions; for classifiers trained from scratch
    )

    def __post_init__(self):
        """Refuse sizes that cannot work."""
        require_counts(self, "codebook_size", "n_codebooks", "d_model", "n_layers", "n_heads", "d_ff", "max_positions")
        require_probabilities(self, "dropout", "attention_dropout")
        require(
            self.d_model % (2 * self.n_heads) == 0,
            f"d_model={self.d_model} must be a multiple of 2 * n_heads = {2 * self.n_heads}: every head turns pairs",
        )
        require(self.max_positions >= 3, f"max_positions={self.max_positions} must be at least 3: BOA, a code, EOA")
        require(self.norm in NORMS, f"norm={self.norm!r} must be one of {', '.join(NORMS)}")
        require(self.rows in ROWS, f"rows={self.rows!r} must be one of {', '.join(ROWS)}")
        known = isinstance(self.subsampling, int) and self.subsampling in SUBSAMPLING
        require(known, f"subsampling={self.subsampling!r} must be one of {', '.join(map(str, SUBSAMPLING))}")
        require(isinstance(self.rotary_value, bool), f"rotary_value={self.rotary_value!r} must be true or false")

    @property
    def vocabulary_size(self) -> int:
        """V codes and the 4 special tokens."""
        return self.codebook_size + N_SPECIAL

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.d_model // self.n_heads

    @property
    def reads(self) -> str:
        """What the model reads, in words."""
        groups = f", {self.subsampling} frames a position" if self.subsampling > 1 else ""
        return f"rows = {self.rows}, {self.n_codebooks} codebooks{groups}"


@dataclass(frozen=True)
class MaskConfig(Config):
    """How much of a clip is hidden for the masked language model, and in what shape.

    The defaults are the authors': a quarter of the codes, each on its own, always replaced by MASK. BERT's mix is
    (0.8, 0.1, 0.1). A lone gap is easy to guess from its neighbours; longer spans are harder.
    """

    mask_ratio: float = 0.25  # share of each clip's codes to predict, 0 < ratio < 1; at least one code is hidden
    span: int = 1  # length of one hidden run, frames (1 = independent)
    replace_mask: float = 1.0  # of the hidden codes, share shown as MASK
    replace_random: float = 0.0  # share shown as a random code
    replace_keep: float = 0.0  # share shown as it is, to be predicted all the same

    def __post_init__(self):
        """Refuse shares that cannot work."""
        require_probabilities(self, "mask_ratio", "replace_mask", "replace_random", "replace_keep")
        require(0 < self.mask_ratio < 1, f"mask_ratio={self.mask_ratio} must lie between 0 and 1; the authors use 0.25")
        require_counts(self, "span")
        total = self.replace_mask + self.replace_random + self.replace_keep
        require(
            abs(total - 1) < 1e-6, f"replace_mask + replace_random + replace_keep = {total:g} must be 1; try 1, 0, 0"
        )


@dataclass(frozen=True)
class TrainConfig(Config):
    """How the weights are moved. The paper's optimiser and schedule are not known: these are our choices."""

    n_steps: int = 2000  # optimiser steps
    batch_size: int = 32  # clips a step, over all processes and accumulated parts together
    accumulate: int = (
        1  # parts a step is computed in, to save memory; FT2's contrast then compares the clips of a part only
    )
    learning_rate: float = 1e-4  # peak, AdamW with betas (0.9, 0.98)
    head_factor: float = 1.0  # a fresh head may learn this many times faster
    weight_decay: float = 0.01  # on matrices only
    warm_up_share: float = 0.05  # of the steps
    schedule: str = "cosine"  # or "constant"
    clip_norm: float = 1.0  # longest gradient
    average: float = 0.0  # decay of the running mean of the weights that is exported; 0 exports the last weights
    bf16: bool = False  # matrix products in 16 bits
    gradient_checkpointing: bool = False  # blocks are computed again on the way back: a third slower, far less memory
    compile: bool = False  # torch.compile for the blocks: a slow first step, faster ones after it; needs a C++ compiler
    validate_every: int = 0  # steps between measurements on held-out clips; 0 never
    patience: int = 0  # stop after so many measurements without improvement; 0 never
    save_every: int = 200  # steps between resumable states
    keep_every: int = (
        0  # steps between checkpoints that stay, in the run's folder `steps`: the map shows them; 0 keeps none
    )
    seed: int = 0  # of data order, masks and dropout

    def __post_init__(self):
        """Refuse what cannot train."""
        require_counts(self, "n_steps", "batch_size", "accumulate", "save_every")
        require_probabilities(self, "weight_decay", "warm_up_share", "average")
        for name, usual in (("learning_rate", "1e-4"), ("head_factor", "1"), ("clip_norm", "1")):
            require(getattr(self, name) > 0, f"{name}={getattr(self, name)} must be above 0; try {usual}")
        for name in ("validate_every", "patience", "keep_every", "seed"):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            require(whole and 0 <= value < 2**32, f"{name}={value!r} must be a whole number from 0 to {2**32 - 1}")
        require(self.schedule in ("cosine", "constant"), f"schedule={self.schedule!r} must be cosine or constant")
        require(
            self.batch_size % self.accumulate == 0,
            f"batch_size={self.batch_size} must be a multiple of accumulate={self.accumulate}",
        )


ADAPTATIONS = ("linear", "bias", "adapter", "lora", "full")


@dataclass(frozen=True)
class AdaptConfig(Config):
    """What learns, and how much of it."""

    name: str = "full"  # "linear", "bias", "adapter", "lora" or "full"
    rank: int = 8  # R of lora
    scale: float = 16.0  # of lora, divided by the rank: updates of different ranks then learn at like rates
    width: int = 32  # A of adapter

    def __post_init__(self):
        """Refuse an unknown name or sizes that cannot work."""
        check_names([self.name], list(ADAPTATIONS), "the list of adaptations")
        require_counts(self, "rank", "width")
        require(self.scale > 0, f"scale={self.scale} must be above 0; twice the rank is usual")
