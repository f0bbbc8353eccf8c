"""Sizes of the towers, and which views they see.

Source: Wang et al. 2021 (arXiv 2104.12807), shrunk to two cores: their towers have tens of millions of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audioformer.config import MOST_LAYERS, Config
from audioformer.errors import check_names, require, require_counts

PICTURES = {
    "digits": "a handwritten digit, one frame of 8 x 8 pixels, grey",
    "scenes": "15 frames of moving objects, 3 seconds, in colour",
    "waveform": "no picture: the waveform of the same sound, as the codec gives it back",
    "none": "no picture: two views of the sound alone, bands and codes",
}
N_BANDS = 64  # log-mel bands that the sound tower reads: the 256 of a corpus, four by four
FRAME_RATE = 75.0  # of the bands, Hz


@dataclass(frozen=True)
class AudioVisualConfig(Config):
    """Shape of the towers. The sound tower is what is kept after pre-training."""

    method: ClassVar[str] = "audiovisual"
    rows: ClassVar[str] = "summed"  # a clip has one vector a frame, as with rows="summed" of an AudioFormer
    reads: ClassVar[str] = "frames (mel256)"
    frames: ClassVar[str] = "mel256"  # what a corpus has to hold: `audioformer prepare --frames mel256`

    picture: str = "digits"  # what is seen: a name of PICTURES
    codes: bool = False  # a further view: the codes of the sound, through the kit's own encoder
    channels: int = 8  # of the first convolution; later ones have 2 and 4 times as many
    d_model: int = 128  # D, width of a frame's vector
    n_layers: int = 2  # blocks of the sound tower
    shared_width: int = 128  # E, of the space in which views meet; the authors'
    codebook_size: int = 1024  # V, with codes
    n_codebooks: int = 4  # K, with codes

    def __post_init__(self):
        """Refuse sizes that cannot work."""
        require_counts(self, "channels", "d_model", "shared_width", "codebook_size", "n_codebooks")
        require_counts(self, "n_layers", most=MOST_LAYERS)
        check_names([self.picture], list(PICTURES), "the list of pictures")
        require(isinstance(self.codes, bool), f"codes={self.codes!r} must be true or false")
        require(
            self.codes or self.picture != "none",
            "picture=none leaves a single view; add the codes as a second one: codes=true",
        )

    @property
    def n_frames(self) -> int:
        """Pictures of a clip, F."""
        return 15 if self.picture == "scenes" else 1

    @property
    def n_colours(self) -> int:
        """Numbers of a pixel, C."""
        return 3 if self.picture == "scenes" else 1

    @property
    def n_weights(self) -> int:
        """Numbers in the blocks of the sound tower."""
        return self.n_layers * 4 * self.d_model * self.d_model
