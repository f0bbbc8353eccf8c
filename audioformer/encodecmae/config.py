"""Sizes of an EnCodecMAE, and the named ones.

Source: EnCodecMAE (arXiv 2309.07391) and the settings its authors published with their code.
Sizes are counts; F numbers in an input frame, D width, K codebook rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audioformer.config import MOST_LAYERS, MOST_POSITIONS, Config
from audioformer.errors import check_names, require, require_counts

FRAMES = {
    "latents": "the codec's latents before quantising (the authors' ec-ec)",
    "mel256": "256 log-mel bands (the authors' mel256-ec)",
    "quantised": "ours, cheaper: the sum of the codebook vectors of each frame's codes, from codes alone",
}
TARGETS = ("codes", "kmeans", "both")
ROW_WEIGHTS = (0.22407463, 0.1759858, 0.14499009, 0.12150037, 0.10315603, 0.08831368, 0.07608274, 0.06589669)  # sum 1


@dataclass(frozen=True)
class EncodecMAEConfig(Config):
    """Shape of a masked autoencoder that sees frames and guesses codes.

    The authors create one feed-forward layer and hand it to every layer of a transformer, so all layers share its
    weights: `shared_ff=True`. Without, each layer has its own, as one would expect.
    """

    method: ClassVar[str] = "encodecmae"

    frames: str = "latents"  # what is seen: "latents", "mel256" or "quantised"
    frame_width: int = 128  # F, numbers in a frame: the codec's latent width, or 256 bands
    # guessed: the codec's "codes", "kmeans" clusters (second stage), or "both" (its first version)
    targets: str = "codes"
    codebook_size: int = 1024  # V, codes per row
    n_codebooks: int = 8  # K, rows guessed
    n_clusters: int = 1024  # of the second stage
    cluster_width: int = 0  # numbers in a cluster's centre, the teacher's width; 0 = d_model
    d_model: int = 768  # D
    n_layers: int = 10  # of the encoder
    n_decoder_layers: int = 2
    n_heads: int = 12  # attention heads; each d_model // n_heads wide, a rest is not used (large: 12 x 85 of 1024)
    d_ff: int = 4096  # width inside the feed-forward layers
    shared_ff: bool = False  # the published code's quirk
    max_positions: int = 2250  # most frames at once

    def __post_init__(self):
        """Refuse sizes that cannot work."""
        require_counts(self, "n_layers", "n_decoder_layers", most=MOST_LAYERS)
        require_counts(self, "max_positions", most=MOST_POSITIONS)
        require_counts(
            self,
            "frame_width",
            "codebook_size",
            "n_codebooks",
            "n_clusters",
            "d_model",
            "n_layers",
            "n_decoder_layers",
            "n_heads",
            "d_ff",
            "max_positions",
        )
        check_names([self.frames], list(FRAMES), "the list of input frames")
        require(self.targets in TARGETS, f"targets={self.targets!r} must be one of {', '.join(TARGETS)}")
        require(
            isinstance(self.cluster_width, int) and self.cluster_width >= 0,
            f"cluster_width={self.cluster_width!r} must be 0 or more",
        )
        require(self.d_model % 2 == 0, f"d_model={self.d_model} must be even: positions are sines and cosines")
        require(self.n_heads <= self.d_model, f"n_heads={self.n_heads} must be at most d_model={self.d_model}")
        require(
            self.n_codebooks <= len(ROW_WEIGHTS),
            f"n_codebooks={self.n_codebooks}: weights are known for {len(ROW_WEIGHTS)} rows",
        )
        require(isinstance(self.shared_ff, bool), f"shared_ff={self.shared_ff!r} must be true or false")
        if self.frames == "mel256":
            object.__setattr__(self, "frame_width", 256)

    @property
    def rows(self) -> str:
        """How many vectors a clip has: one, as with rows="summed" of an AudioFormer."""
        return "summed"

    @property
    def reads(self) -> str:
        """What the model reads, in words."""
        return f"frames ({self.frames})"

    @property
    def n_weights(self) -> int:
        """Numbers in the matrices of the encoder's layers."""
        attention, feed_forward = 4 * self.d_model * self.n_heads * self.head_dim, 2 * self.d_model * self.d_ff
        return self.n_layers * attention + feed_forward * (1 if self.shared_ff else self.n_layers)

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.d_model // self.n_heads

    @property
    def guesses_codes(self) -> bool:
        """Whether there is a softmax for each codebook row."""
        return self.targets != "kmeans"

    @property
    def guesses_clusters(self) -> bool:
        """Whether there is a softmax over clusters."""
        return self.targets != "codes"

    @property
    def row_weights(self) -> tuple[float, ...]:
        """How much each guessed row counts: the authors' weights of K rows, made to sum to 1; clusters count 1."""
        rows = ROW_WEIGHTS[: self.n_codebooks] if self.guesses_codes else ()
        scaled = tuple(weight / sum(rows) for weight in rows)
        return scaled + ((1.0,) if self.guesses_clusters else ())

    @property
    def row_names(self) -> tuple[str, ...]:
        """Of what is guessed: row1 ... rowK, clusters."""
        rows = tuple(f"row{k + 1}" for k in range(self.n_codebooks)) if self.guesses_codes else ()
        return rows + (("clusters",) if self.guesses_clusters else ())

    @property
    def row_sizes(self) -> tuple[int, ...]:
        """Possible answers of each guessed row."""
        rows = (self.codebook_size,) * self.n_codebooks if self.guesses_codes else ()
        return rows + ((self.n_clusters,) if self.guesses_clusters else ())


MAE_PRESETS = {
    "small": EncodecMAEConfig(n_layers=5),
    "base": EncodecMAEConfig(n_layers=10),
    "large": EncodecMAEConfig(n_layers=20, d_model=1024),
    "tiny": EncodecMAEConfig(d_model=192, n_layers=4, n_heads=4, d_ff=768),
    "test": EncodecMAEConfig(d_model=16, n_layers=2, n_decoder_layers=1, n_heads=2, d_ff=32, n_codebooks=2),
}


def mae_preset(name: str, **changes) -> EncodecMAEConfig:
    """A named size, with single fields changed.

    Args:
        name: "small" (5 x 768), "base" (10 x 768), "large" (20 x 1024): the authors'; "tiny" (4 x 192): ours, for two
            cores; "test".
        **changes: fields of EncodecMAEConfig.

    Returns:
        EncodecMAEConfig.

    Raises:
        AudioformerError: unknown preset or field, or a value out of range.

    Example:
        >>> mae_preset("base", shared_ff=True).n_layers
        10
    """
    check_names([name], list(MAE_PRESETS), "the list of EnCodecMAE presets")
    return MAE_PRESETS[name].with_changes(**changes)
