"""The interface of HEAR (Holistic Evaluation of Audio Representations, arXiv 2203.03022) for every frozen model here.

    import audioformer.hear as hear
    model = hear.load_model("pretrained")                            # names: see features.py
    embeddings, times_ms = hear.get_timestamp_embeddings(audio, model)   # audio (n, samples) at 48 kHz
    hear.get_scene_embeddings(audio, model)

HEAR allows 16, 22.05, 32, 44.1 and 48 kHz; the models here hear at 24 kHz. So the rate asked for is 48 kHz, and every
second sample is dropped inside, after soxr's filter. Clips pass a few at a time and in pieces: 20 minutes fit anywhere.

`esc10` has learned from ESC-10, which is part of HEAR's ESC-50: score `pretrained` there. The bundled codec, through
which both hear, was trained on the sound of ESC-10's folds 1 to 3 and of all FSDD speakers but theo, without labels.

Shapes: n clips, N samples, T frames, D width of a frame's vector.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor, nn

from audioformer.audio import check_waveform, resample
from audioformer.errors import AudioformerError
from audioformer.evaluation.features import FrameEncoder, open_encoder, summarise

SAMPLE_RATE = 48_000  # Hz, of the audio given in
TOGETHER_S = 120.0  # clips pass together up to this much sound, seconds


class HearModel(nn.Module):
    """A frozen model with the attributes that HEAR reads.

    Args:
        encoder: sound to frames.

    Attributes:
        sample_rate: 48000 Hz.
        timestamp_embedding_size: D.
        scene_embedding_size: 3 D: mean and deviation over time, and deviation of the steps from frame to frame.
    """

    def __init__(self, encoder: FrameEncoder):
        super().__init__()
        self.encoder = encoder
        self.sample_rate = SAMPLE_RATE
        self.timestamp_embedding_size = int(encoder.width)
        self.scene_embedding_size = 3 * int(encoder.width)

    def frames(self, audio: Tensor) -> Tensor:
        """(n, N) at 48 kHz to (n, T, D) float32: frames whose middle lies in the clip, at least one."""
        encoder = self.encoder
        sound = resample(audio.float(), SAMPLE_RATE, encoder.sample_rate).to(encoder.device)
        n_frames = 1 + int(sound.shape[1] * encoder.frame_rate / encoder.sample_rate - encoder.first_centre)
        return encoder(sound)[:, : max(1, n_frames)].float()

    def times_ms(self, n_frames: int, n_samples: int) -> Tensor:
        """(T,) float64 middles of the frames, milliseconds; a clip shorter than half a frame has its end instead."""
        times = (
            (torch.arange(n_frames, dtype=torch.float64) + self.encoder.first_centre) / self.encoder.frame_rate * 1000
        )
        return times.clamp_max(n_samples / SAMPLE_RATE * 1000)


def load_model(model_file_path: str | os.PathLike = "") -> HearModel:
    """Open a model.

    Args:
        model_file_path: "log-mel", "codec:compact", "codes:compact:rows=3", a bundled checkpoint, a folder or a hub id;
            "" is the bundled pre-trained model.

    Returns:
        HearModel on the CPU; `.to(device)` moves it.

    Raises:
        AudioformerError: no such model.
    """
    return HearModel(open_encoder(model_file_path or "pretrained")).eval()


def get_timestamp_embeddings(audio: Tensor, model: HearModel) -> tuple[Tensor, Tensor]:
    """A vector for every frame.

    Args:
        audio: (n, N) float at 48 kHz, full scale +-1, all clips of one length.
        model: of `load_model`.

    Returns:
        (n, T, D) float32, and (n, T) float64: the middle of each frame in milliseconds from the clip's start, 13.3 ms
        apart. Both on the model's device.

    Raises:
        AudioformerError: audio of another shape, empty, or not finite.
    """
    embeddings = torch.cat([model.frames(clips) for clips in _groups(audio)])
    times = model.times_ms(embeddings.shape[1], audio.shape[1])
    return embeddings, times.to(embeddings.device).expand(len(embeddings), -1).clone()


def get_scene_embeddings(audio: Tensor, model: HearModel) -> Tensor:
    """A vector for every clip: mean, deviation and deviation of the steps of its frames' vectors (`summarise`).

    Arguments and errors as `get_timestamp_embeddings`.

    Returns:
        (n, 3 D) float32.
    """
    return torch.cat([summarise(model.frames(clips)) for clips in _groups(audio)])


def _groups(audio: Tensor) -> tuple[Tensor, ...]:
    """A batch in groups of clips that last at most TOGETHER_S together (or one clip), checked."""
    if not isinstance(audio, Tensor) or audio.ndim != 2 or not audio.is_floating_point():
        raise AudioformerError(
            f"audio is {_described(audio)}; HEAR gives a float tensor (clips, samples) at {SAMPLE_RATE} Hz"
        )
    check_waveform(audio, SAMPLE_RATE, "audio")
    return audio.split(max(1, int(TOGETHER_S * SAMPLE_RATE / audio.shape[1])))


def _described(audio) -> str:
    return f"{audio.dtype} of shape {tuple(audio.shape)}" if isinstance(audio, Tensor) else f"a {type(audio).__name__}"
