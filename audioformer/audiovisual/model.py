r"""Sound and picture in one space: two towers, or three, and what they say of a pair.

    bands ---- sound tower ---- frames (kept) ---- to_shared \\
    pictures - picture tower -- places ----------- to_shared  > similarity of a pair, and of each place at each moment
    codes ---- the kit's encoder ----------------- to_shared /

Source: Wang et al. 2021 (arXiv 2104.12807). They compare one vector for a clip and one for its video (here for
digits). For scenes the similarity is the mean over the moments that sound of the best place's, as in "Objects that
sound" (Arandjelovic and Zisserman 2018, arXiv 1712.06651), so that the picture need not be alike everywhere: this is
what makes a map.

Shapes: B clips, M = 64 bands, K rows, T frames, F frames of the picture (1 for digits), P places (1 for digits), D
width, E shared width.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioformer.audio import Waveform
from audioformer.audiovisual.config import AudioVisualConfig
from audioformer.audiovisual.towers import STRIDE, PictureTower, SoundTower, Standardise, WaveTower, pooled_bands
from audioformer.codec import Codec
from audioformer.config import EncoderConfig
from audioformer.data.frame_batch import FrameBatch, FrameReader, collate_frames
from audioformer.data.frames import sound_frames
from audioformer.encoder import EncoderOutput
from audioformer.errors import AudioformerError
from audioformer.model import AudioFormer, mean_pool

DB_PER_NEPER = 4.343  # of energies
MOST_FRAMES = 22_500  # five minutes at once


class AudioVisual(FrameReader):
    """The sound tower, which everything after pre-training reads; with heads, the other towers and the shared space.

    Args:
        config: sizes.
        heads: False leaves the sound tower alone, as fine-tuned models do.
    """

    sub_layer_ends = ("out",)
    reads_codes = False

    def __init__(self, config: AudioVisualConfig, heads: bool = True):
        super().__init__()
        self.config, self.frame_slice, self.max_frames = config, slice(None), MOST_FRAMES
        self.encoders = nn.ModuleList([SoundTower(config)])
        self.shared = nn.ModuleDict()
        if not heads:
            return
        self.shared["sound"] = self._to_shared(config.d_model)
        if config.picture == "waveform":
            self.waves = WaveTower(config)
            self.shared["waveform"] = self._to_shared(self.waves.width)
        elif config.picture != "none":
            self.pictures = PictureTower(config)
            self.shared["picture"] = self._to_shared(self.pictures.width)
        if config.codes:
            sizes = {"d_model": 64, "n_layers": 2, "n_heads": 2, "d_ff": 128, "rows": "summed", "dropout": 0.0}
            books = {"codebook_size": config.codebook_size, "n_codebooks": config.n_codebooks}
            self.codes = AudioFormer(EncoderConfig(**sizes, **books), mlm=False)
            self.shared["codes"] = self._to_shared(64)

    def _to_shared(self, width: int) -> nn.Module:
        return nn.Sequential(Standardise(width), nn.Linear(width, self.config.shared_width, bias=False))

    def forward(
        self,
        tokens: Tensor,
        padding: Tensor | None = None,
        rows: Iterable[int] | None = None,
        need_weights: bool = False,
        need_hidden: bool = False,
    ) -> EncoderOutput:
        """The sound tower's frames.

        Args:
            tokens: (B, M, T) log-mel bands.
            padding: (B, T) bool, True = beyond the clip's end; None = none.
            rows: must be None, there are no codebook rows.
            need_weights: must be false, there is no attention.
            need_hidden: return every layer's output.

        Returns:
            EncoderOutput with hidden (B, 1, T, D) and all_hidden n_layers + 1 of it. A vector spans four frames and
            stands at each of them.

        Raises:
            AudioformerError: wrong shape, rows given, or attention asked for.
        """
        if rows is not None or need_weights:
            what = "rows" if rows is not None else "attention weights"
            raise AudioformerError(f"a sound tower of convolutions has no {what}; leave that out")
        layers = self.encoders[0](tokens, padding)
        n_frames = tokens.shape[2]
        layers = [layer.repeat_interleave(STRIDE, 1)[:, None, :n_frames] for layer in layers]
        return EncoderOutput(layers[-1], layers if need_hidden else None)

    def inputs(self, item) -> Tensor:
        """(M, T) log-mel bands of a clip of a corpus.

        Raises:
            AudioformerError: the corpus holds no mel frames.
        """
        if getattr(item, "frames", None) is None:
            raise AudioformerError(
                "the model reads log-mel bands and the corpus holds codes only; prepare it with --frames mel256"
            )
        return pooled_bands(torch.as_tensor(item.frames))

    def read(self, codec: Codec, waveform: Waveform | Tensor, sample_rate: int | None = None) -> Tensor:
        """(B, M, T) log-mel bands of a sound, on the frame grid of a codec that works at 24 kHz."""
        return pooled_bands(sound_frames("mel256", codec, waveform, sample_rate))

    def collate(self, clips: Sequence) -> FrameBatch:
        """Clips as `inputs` or `read` give them, to one padded batch."""
        return collate_frames([torch.as_tensor(clip).float() for clip in clips])

    def sound_vectors(self, bands: Tensor, padding: Tensor | None = None) -> Tensor:
        """(B, F, 1, E) unit vectors of sounds: one for a clip, or for scenes one for each frame of the picture."""
        frames = self.encoders[0](bands, padding)[-1]
        if self.config.n_frames == 1:
            vectors = mean_pool(frames, None if padding is None else padding[:, ::STRIDE])[:, None]
        else:
            vectors = F.adaptive_avg_pool1d(frames.transpose(1, 2), self.config.n_frames).transpose(1, 2)
        return F.normalize(self.shared["sound"](vectors), dim=-1)[:, :, None]

    def moments(self, bands: Tensor) -> Tensor:
        """(B, F) how much each moment of a sound counts, sum 1: as loud as it is, 0 at 40 dB below its loudest."""
        level = bands.logsumexp(1)
        loud = (1 + (level - level.amax(1, keepdim=True)) * DB_PER_NEPER / 40).clamp_min(0)
        loud = F.adaptive_max_pool1d(loud[:, None], self.config.n_frames)[:, 0]
        return loud / loud.sum(1, keepdim=True)

    def picture_vectors(self, pictures: Tensor) -> Tensor:
        """(B, F, C, S, S) to (B, F, P, E) unit vectors; P = 1 for digits, the mean over their places."""
        places = self.pictures(pictures)
        places = places.mean(2, keepdim=True) if self.config.n_frames == 1 else places
        return F.normalize(self.shared["picture"](places), dim=-1)

    def wave_vectors(self, waves: Tensor) -> Tensor:
        """(B, N) samples to (B, 1, 1, E) unit vectors."""
        return F.normalize(self.shared["waveform"](self.waves(waves).mean(1)), dim=-1)[:, None, None]

    def code_vectors(self, tokens: Tensor, padding: Tensor | None = None) -> Tensor:
        """(B, K, S) codes to (B, F, 1, E) unit vectors, as `sound_vectors`."""
        hidden = self.codes(tokens, padding).hidden[:, 0]
        if self.config.n_frames == 1:
            vectors = mean_pool(hidden, padding)[:, None]
        else:
            vectors = F.adaptive_avg_pool1d(hidden[:, 1:-1].transpose(1, 2), self.config.n_frames).transpose(1, 2)
        return F.normalize(self.shared["codes"](vectors), dim=-1)[:, :, None]

    def sound_map(self, bands: Tensor, pictures: Tensor) -> Tensor:
        """(B, F, p, p) similarity, -1 to 1, of each place and moment of a picture to the sound of that moment.

        Args:
            bands: (B, M, T) of three seconds.
            pictures: (B, F, C, S, S); p = S / 4.
        """
        sound, places = self.sound_vectors(bands), self.picture_vectors(pictures)
        flat = (sound * places).sum(-1)
        side = round(flat.shape[2] ** 0.5)
        return flat.unflatten(2, (side, side))
