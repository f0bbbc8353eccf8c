"""Frozen features: anything here that can turn sound into one vector a frame, opened by name.

    encoder = open_encoder("pretrained")
    encoder(samples)                                  # (B, N) at encoder.sample_rate to (B, T, D)

| name | a frame is |
|---|---|
| `log-mel` | 64 log-mel bands, nothing learned |
| `codec:NAME` | a codec's latent vector before it is quantised, `codec:compact` |
| `codes:NAME:rows=K` | the same after quantising: the sum of the vectors of its first K codes |
| a checkpoint's name, folder or hub id | the transformer's vector: `pretrained`, `esc10`, `runs/mine:layer=2`,
`runs/mine:rows=1-3` |

`layer` counts the blocks, 0 being the embeddings (default: the one that the checkpoint names, else the last); `rows`
puts the vectors of separately encoded codebook rows behind one another. Between models and what uses them frozen: HEAR
and the probes.

Shapes: B clips, N samples, T frames, K codebook rows, R rows encoded, D width of a frame's vector, S = W + 2 positions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from audioformer.checkpoint import load_checkpoint
from audioformer.codec import Codec, require_fingerprint
from audioformer.codecs import load_codec
from audioformer.codecs.blocks import pieces
from audioformer.codecs.spectra import log_mel
from audioformer.errors import AudioformerError
from audioformer.model import Backbone
from audioformer.predict import window_starts

LOG_MEL = "log-mel"
OPTION = re.compile(r":(rows|layer)=(\d+)(?:-(\d+))?$")
STEP = 4  # frames between which change is measured
WINDOW_S = 4.0  # of a converted checkpoint, whose recipe is not known
DECODING = ("decoder", "from_latent", "leave", "latent_to_log")  # what codecs call their way back to sound


class FrameEncoder(nn.Module):
    """What every frozen model here offers; it never trains.

    Attributes:
        sample_rate: Hz it listens at.
        frame_rate: vectors a second, Hz.
        width: D.
        first_centre: middle of the first frame, in frames: 0.5 where frame k spans k to k + 1, 0 where it is centred on
            k.
    """

    sample_rate: int
    frame_rate: float
    width: int
    first_centre = 0.5

    @property
    def n_parameters(self) -> int:
        """Learned numbers between sound and vector; codebooks and a codec's decoder are not counted."""
        return 0

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next((t.device for t in [*self.parameters(), *self.buffers()]), torch.device("cpu"))

    def freeze(self) -> FrameEncoder:
        """Evaluation mode, no gradients; returns itself."""
        return self.eval().requires_grad_(False)


class LogMel(FrameEncoder):
    """64 log-mel bands of 43 ms windows: what a learned model has to beat."""

    sample_rate, frame_rate, width, first_centre = 24_000, 75.0, 64, 0.0
    hop, n_fft, piece = 320, 1024, 75 * 60  # samples, samples, frames at a time

    def forward(self, samples: Tensor) -> Tensor:
        """(B, N) to (B, T, 64), natural log; T = 1 + N // 320. A minute at a time, so that length costs no memory."""
        frames = []
        for read, keep in pieces(1 + samples.shape[-1] // self.hop, self.piece, 2, 2):
            stretch = samples[:, read.start * self.hop : read.stop * self.hop]
            frames.append(log_mel(stretch, self.sample_rate, self.n_fft, self.hop, self.width).transpose(1, 2)[:, keep])
        return torch.cat(frames, 1)


class CodecFrames(FrameEncoder):
    """A codec's frames before quantising, or after.

    Args:
        codec: mono.
        n_rows: None for the latents themselves, else how many codebooks describe them.
    """

    def __init__(self, codec: Codec, n_rows: int | None = None):
        super().__init__()
        self.codec, self.n_rows = _mono(codec), n_rows
        self.sample_rate, self.frame_rate, self.width = codec.sample_rate, codec.frame_rate, codec.codebooks().shape[-1]

    @property
    def n_parameters(self) -> int:
        """Learned numbers of the codec's encoder."""
        return encoder_parameters(self.codec)

    @torch.no_grad()
    def forward(self, samples: Tensor) -> Tensor:
        """(B, N) to (B, T, D)."""
        if self.n_rows is None:
            return self.codec.latents(samples[:, None], self.sample_rate).transpose(1, 2)
        codes = self.codec.encode(samples[:, None], self.sample_rate, self.n_rows)
        return sum(table[row] for table, row in zip(self.codec.codebooks(), codes.unbind(1), strict=False))


class TransformerFrames(FrameEncoder):
    """A transformer's hidden vectors, from windows of the length it was trained on, half overlapping and averaged.

    Args:
        model: pre-trained, or the backbone of a classifier.
        codec: whose codes or latents it reads.
        window_s: seconds.
        rows: which rows' vectors, from 1, one behind the other; None takes what a classifier reads (row 1 if
            rows="separate", the mean of the rows if "shared").
        layer: output of this block; 0 the embeddings, None the last.
    """

    def __init__(
        self, model: Backbone, codec: Codec, window_s: float, rows: range | None = None, layer: int | None = None
    ):
        super().__init__()
        config = model.config
        self.model, self.codec, self.layer = model, _mono(codec), layer
        self.window = min(round(window_s * codec.frame_rate), model.max_frames)
        if layer is not None and not 0 <= layer <= config.n_layers:
            raise AudioformerError(f"layer={layer}: the model has layers 0 (embeddings) to {config.n_layers}")
        apart = config.rows in ("separate", "shared")
        if rows is not None and not (apart and 1 <= rows.start < rows.stop <= config.n_codebooks + 1):
            raise AudioformerError(
                f"rows={rows.start}-{rows.stop - 1}: the model has rows={config.rows!r}, {config.n_codebooks} of them; "
                "only rows encoded apart can be chosen"
            )
        self.side_by_side = rows is not None
        self.rows = [row - 1 for row in rows] if rows is not None else [0] if config.rows == "separate" else None
        self.sample_rate, self.frame_rate = codec.sample_rate, codec.frame_rate
        self.width = config.d_model * (len(rows) if rows is not None else 1)

    @property
    def n_parameters(self) -> int:
        """Learned numbers of the encoders that are read, and of the codec's encoder before them."""
        used = (
            self.model.encoders
            if self.model.config.rows != "separate"
            else [self.model.encoders[row] for row in self.rows]
        )
        before = 0 if getattr(self.model.config, "frames", "") == "mel256" else encoder_parameters(self.codec)
        return before + sum(parameter.numel() for encoder in used for parameter in encoder.parameters())

    def forward(self, samples: Tensor) -> Tensor:
        """(B, N) to (B, T, D)."""
        return self._read(samples, None if self.layer is None else [self.layer])[:, 0]

    def every_layer(self, samples: Tensor) -> Tensor:
        """(B, N) to (B, L + 1, T, D): the embeddings and the output of each block, in one go."""
        return self._read(samples, range(self.model.config.n_layers + 1))

    def of_codes(self, codes: Tensor) -> Tensor:
        """(B, K, T) codes of its codec, or (B, F, T) frames if it reads those, to (B, T, D); no sound is coded."""
        return self._of_inputs(codes, None if self.layer is None else [self.layer])[:, 0]

    def _read(self, samples: Tensor, layers: Sequence[int] | None) -> Tensor:
        """(B, N) to (B, J, T, D): of each layer, or of what the model gives at its end (None, J = 1)."""
        return self._of_inputs(self.model.read(self.codec, samples[:, None], self.sample_rate), layers)

    @torch.no_grad()
    def _of_inputs(self, inputs: Tensor, layers: Sequence[int] | None) -> Tensor:
        """(B, K, T) or (B, F, T) to (B, J, T, D)."""
        total = torch.zeros(len(inputs), len(layers or [None]), inputs.shape[2], self.width, device=inputs.device)
        count = torch.zeros(inputs.shape[2], 1, device=inputs.device)
        for start in window_starts(inputs.shape[2], self.window):
            span = slice(start, start + self.window)
            total[:, :, span] += self._window(inputs[:, :, span], layers)
            count[span] += 1
        return total.div_(count)

    def _window(self, inputs: Tensor, layers: Sequence[int] | None) -> Tensor:
        """(B, K or F, W) to (B, J, W, D)."""
        batch = self.model.collate(list(inputs))
        out = self.model(batch.tokens, None, self.rows, need_hidden=layers is not None)
        every = [out.hidden] if layers is None else [out.all_hidden[layer] for layer in layers]
        hidden = torch.stack(every, 1)  # (B, J, R, S, D)
        hidden = hidden[:, :, :, self.model.frame_slice].float()
        return hidden.transpose(2, 3).flatten(3) if self.side_by_side else hidden.mean(2)


def open_encoder(name: str | os.PathLike = "pretrained", device: str = "cpu") -> FrameEncoder:
    """Open a frozen model by name, see the table at the top of this file.

    Args:
        name: which.
        device: torch device.

    Returns:
        FrameEncoder in evaluation mode, without gradients.

    Raises:
        AudioformerError: unknown name, damaged files, a row or layer the model does not have, a stereo codec.
    """
    plain, options = str(name), {}
    while match := OPTION.search(plain):
        options[match[1]] = range(int(match[2]), int(match[3] or match[2]) + 1)
        if match[3] and match[1] == "layer":
            raise AudioformerError(f"{name}: a frame is the vector of one layer; write layer={match[3]}")
        if match[3] and int(match[2]) != 1 and plain.startswith("codes:"):
            raise AudioformerError(
                f"{name}: a frame is the sum of the vectors of the first rows; write rows=1-{match[3]}"
            )
        plain = plain[: match.start()]
    kind, _, rest = plain.partition(":")
    if plain == LOG_MEL or kind == "codec":
        if options:
            raise AudioformerError(f"{name}: {plain} has no {' or '.join(options)} to choose; leave it out")
        return (LogMel() if plain == LOG_MEL else CodecFrames(load_codec(rest or "compact"))).freeze().to(device)
    if kind == "codes":
        codec = load_codec(rest or "compact")
        n_rows = options["rows"].stop - 1 if "rows" in options else codec.n_codebooks
        if "layer" in options or not 1 <= n_rows <= codec.n_codebooks:
            raise AudioformerError(
                f"{name}: {codec.name} has 1 to {codec.n_codebooks} rows; write codes:{codec.name}:rows=1-3"
            )
        return CodecFrames(codec, n_rows).freeze().to(device)
    layer = options["layer"].start if "layer" in options else None
    return _open_checkpoint(plain, options.get("rows"), layer).freeze().to(device)


def _open_checkpoint(name: str, rows: range | None, layer: int | None) -> FrameEncoder:
    """Frames of a pre-trained model or a classifier."""
    from audioformer.classify import load
    from audioformer.start import load_pretrained

    config = load_checkpoint(name)[1]
    if config["kind"] == "classifier":
        opened = load(name)
        return TransformerFrames(opened.classifier.backbone, opened.codec, opened.window_s, rows, layer)
    model, config = load_pretrained(name)
    layer = config.get("layer") if layer is None else layer  # chosen when the model was made
    codec = load_codec(config["codec"]["name"])
    require_fingerprint(codec, config["codec"]["fingerprint"], f"checkpoint {name}")
    return TransformerFrames(model, codec, config.get("recipe", {}).get("crop_s", WINDOW_S), rows, layer)


def moments(frames: Tensor) -> Tensor:
    """(n, T, D) frames to (n, 2 D): mean over time, then standard deviation (0 for a single frame).

    Example:
        >>> moments(torch.tensor([[[1.0], [3.0]]]))
        tensor([[2., 1.]])
    """
    return torch.cat([frames.mean(1), frames.std(1, correction=0)], 1)


def summarise(frames: Tensor) -> Tensor:
    """(n, T, D) frames to (n, 3 D), a vector for each clip: `moments`, then the standard deviation of the steps.

    A step leads from a frame to the fourth after it, 53 ms at 75 frames a second: its deviation tells a sound that
    changes fast from one that changes slowly, which have the same mean and deviation. 0 for five frames and fewer.
    Ours; it brings two points in 100 to a linear layer on ESC-10 (results/pretraining.md).
    """
    steps = frames[:, STEP:] - frames[:, :-STEP]
    spread = steps.std(1, correction=0) if steps.shape[1] else torch.zeros_like(frames[:, 0])
    return torch.cat([moments(frames), spread], 1)


def encoder_parameters(codec: Codec) -> int:
    """Learned numbers between sound and latent."""
    named = ((name.removeprefix("model."), parameter.numel()) for name, parameter in codec.named_parameters())
    return sum(n for name, n in named if not name.startswith(DECODING))


def _mono(codec: Codec) -> Codec:
    if codec.channels != 1:
        raise AudioformerError(
            f"{codec.name} is stereo and codes overlapping segments: its frames are not evenly spaced; use a mono codec"
        )
    return codec
