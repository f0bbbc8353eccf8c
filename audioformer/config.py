"""What a model and its masking are made of, as frozen dataclasses with checks; named recipes stand in recipes.py.

Sits beside the data path: tokens, masking, encoder and model read their sizes from here; checkpoints store it as JSON.
Sizes are counts; probabilities lie in [0, 1].
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, ClassVar

from audioformer.errors import AudioformerError, check_names, require, require_counts, require_probabilities

N_SPECIAL = 4  # PAD, BOA, EOA, MASK follow the codes (tokens.py)
MOST_LAYERS, MOST_POSITIONS = 1_000, 100_000  # limits of what a file says


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

    @property
    def n_weights(self) -> int:
        """Numbers that a model of this shape holds at least; 0 where nothing is known."""
        return 0

    def with_changes(self, **changes):
        """A copy with some fields changed; errors as `from_dict`."""
        check_names(changes, [field.name for field in fields(self)], type(self).__name__)
        return replace(self, **changes)


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
    # ours: 2 or 4 frames become one position by convolutions, and single frames again where codes are guessed
    subsampling: int = 1

    def __post_init__(self):
        """Refuse sizes that cannot work."""
        require_counts(self, "n_codebooks", "n_layers", most=MOST_LAYERS)
        require_counts(self, "max_positions", most=MOST_POSITIONS)
        require_counts(self, "codebook_size", "d_model", "n_heads", "d_ff", "max_positions")
        require_probabilities(self, "dropout", "attention_dropout")
        require(
            self.d_model % (2 * self.n_heads) == 0,
            f"d_model={self.d_model} must be a multiple of 2 * n_heads = {2 * self.n_heads}: every head turns pairs",
        )
        require(self.max_positions >= 3, f"max_positions={self.max_positions} must be at least 3: BOA, a code, EOA")
        for name, choice in (("norm", NORMS), ("rows", ROWS), ("subsampling", SUBSAMPLING)):
            value = getattr(self, name)
            known = isinstance(value, str | int) and value in choice
            require(known, f"{name}={value!r} must be one of {', '.join(map(str, choice))}")
        require(isinstance(self.rotary_value, bool), f"rotary_value={self.rotary_value!r} must be true or false")

    @property
    def n_weights(self) -> int:
        """Numbers in the embeddings and in the matrices of the blocks."""
        block = 4 * self.d_model**2 + 2 * self.d_model * self.d_ff
        tables = self.vocabulary_size * self.d_model * (1 if self.rows == "shared" else self.n_codebooks)
        return tables + self.n_layers * block * (self.n_codebooks if self.rows == "separate" else 1)

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
