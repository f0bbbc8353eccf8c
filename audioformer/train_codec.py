"""Training a compact codec from folders of sound, on two cores in about an hour.

A crop of one second goes through encoder, quantiser and decoder; the loss compares spectra of what went in and what
came out. For half of the clips the decoder sees only the first few rows (quantiser dropout, SoundStream section III.D),
so that every number of codebooks gives the best sound it can. For the first steps nothing is quantised; then k-means
places the codebooks on real latents.

Shapes: B crops, N samples, T frames, K codebooks, D latent width.
"""

from __future__ import annotations

import fnmatch
import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from audioformer.audio import atomic_path, load_audio, log_mel
from audioformer.compact_codec import CompactCodec, CompactConfig, save_compact
from audioformer.errors import AudioformerError
from audioformer.stft import stft_frames

MEL_WINDOWS = (256, 512, 1024, 2048)
SOUND_ENDINGS = {".wav", ".flac", ".ogg", ".mp3"}


@dataclass(frozen=True)
class CodecTrainConfig:
    """How a compact codec is trained."""

    n_steps: int = 7_000
    batch_size: int = 24  # crops
    crop_s: float = 1.0
    learning_rate: float = 1e-3  # AdamW, betas (0.8, 0.95), warm-up then cosine to a twentieth
    warm_up_steps: int = 200
    unquantised_steps: int = 500  # before k-means places the codebooks
    all_rows_share: float = 0.5  # of the crops, those whose decoder sees all rows; the others see 1..K-1
    commitment: float = 0.25  # weight of |z - quantised(z)|^2
    waveform: float = 2.5  # weight of the complex-spectrum distance, beside 1 for the mel distance
    mels_per_step: int = 2  # of the four mel windows, how many are drawn for a step
    weight_decay: float = 1e-3
    average: float = 0.998  # decay of the running mean of the weights that is saved
    bf16: bool = True  # matrix products in 16 bits
    seed: int = 0


PRESETS = {
    "laptop": (CompactConfig(), CodecTrainConfig()),
    "gpu": (CompactConfig(d_encoder=256, d_decoder=384, n_decoder_blocks=8), CodecTrainConfig(n_steps=200_000, batch_size=128, crop_s=2.0)),
    "test": (
        CompactConfig(d_encoder=32, d_decoder=32, n_encoder_blocks=1, n_decoder_blocks=1, codebook_size=16, n_codebooks=3, d_latent=8),
        CodecTrainConfig(n_steps=6, batch_size=2, crop_s=0.25, warm_up_steps=1, unquantised_steps=2, bf16=False),
    ),
}


@dataclass(frozen=True)
class CodecRecord:
    """One training step: losses by name, learning rate, seconds since the start."""

    step: int
    losses: dict[str, float]
    learning_rate: float
    seconds: float


class CropSampler:
    """Random crops from folders of sound, each folder equally often, held in memory.

    Args:
        folders: searched for sound files.
        sample_rate: Hz.
        exclude: patterns of file names that must never be trained on ("4-*.ogg").

    Raises:
        AudioformerError: a folder is missing or holds no sound.
    """

    def __init__(self, folders: list[str | os.PathLike], sample_rate: int, exclude: tuple[str, ...] = ()):
        self.folders: list[list[Tensor]] = []
        self.sample_rate = sample_rate
        for folder in map(Path, folders):
            if not folder.is_dir():
                raise AudioformerError(f"{folder}: no such folder; give folders of {', '.join(sorted(SOUND_ENDINGS))} files")
            files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SOUND_ENDINGS]
            files = [p for p in files if not any(fnmatch.fnmatch(p.name, pattern) for pattern in exclude)]
            if not files:
                raise AudioformerError(f"{folder}: holds no sound files after leaving out {list(exclude)}; give another folder")
            self.folders.append([load_audio(p, sample_rate, mono=True).samples[0] for p in files])
        self.weights = [np.array([len(s) for s in sounds], float) / sum(len(s) for s in sounds) for sounds in self.folders]

    @property
    def hours(self) -> float:
        """Sound held, hours."""
        return sum(len(s) for sounds in self.folders for s in sounds) / self.sample_rate / 3600

    def batch(self, size: int, n_samples: int, rng: np.random.Generator) -> Tensor:
        """(size, n_samples) float32: random folder, file, place, level; one in six is two crops mixed."""
        crops = np.stack([self._crop(n_samples, rng) for _ in range(size)])
        mixed = rng.random(size) < 1 / 6
        crops[mixed] += crops[rng.permutation(size)][mixed]
        peak = np.abs(crops).max(1, keepdims=True) + 1e-9
        gain = np.minimum(10 ** (rng.uniform(-15, 9, (size, 1)) / 20), 0.98 / peak)
        return torch.from_numpy((crops * gain).astype(np.float32))

    def _crop(self, n_samples: int, rng: np.random.Generator) -> np.ndarray:
        which = rng.integers(len(self.folders))
        crop = np.zeros(n_samples, np.float32)
        for _ in range(3):  # recordings padded with digital silence: look again for sound, but not for ever
            sound = self.folders[which][rng.choice(len(self.weights[which]), p=self.weights[which])].numpy()
            start = int(rng.integers(-n_samples // 2, max(1, len(sound) - n_samples // 2)))
            piece = sound[max(0, start) : start + n_samples]
            crop[:] = 0
            crop[max(0, -start) : max(0, -start) + len(piece)] = piece
            if np.mean(np.abs(crop) > 1e-4) > 0.3:
                break
        return crop


def mel_distance(decoded: Tensor, original: Tensor, sample_rate: int, windows: tuple[int, ...] = MEL_WINDOWS) -> Tensor:
    """Multi-scale log-mel distance: mean |log mel(decoded) - log mel(original)|, averaged over windows.

    Hop a quarter of the window, min(80, window / 8) bands, magnitudes floored at 1e-5.

    Args:
        decoded: (B, N).
        original: (B, N).
        sample_rate: Hz.
        windows: samples.

    Returns:
        () natural-log units; 0 is perfect, 0.1 is about 0.9 dB.
    """
    total = 0.0
    for window in windows:
        a, b = (log_mel(x, sample_rate, window, window // 4, min(80, window // 8)) for x in (decoded, original))
        total = total + F.l1_loss(a, b)
    return total / len(windows)


def complex_distance(decoded: Tensor, original: Tensor, hop_length: int) -> Tensor:
    """Distance of complex spectra relative to the original's size: |X - Y| / |X| per clip, the only term that hears phase.

    Args:
        decoded: (B, N).
        original: (B, N).
        hop_length: samples; the window is three hops.

    Returns:
        () no unit; 1 is what silence scores, so a decoder that makes its phases up does no better than 1.
    """
    x, y = stft_frames(original, hop_length), stft_frames(decoded, hop_length)
    error, size = (x - y).abs().square().sum((1, 2)), x.abs().square().sum((1, 2))
    return ((error + 1e-3).sqrt() / (size + 1e-1).sqrt()).mean()


class CodecTrainer:
    """State of a training run: everything that a checkpoint holds.

    Args:
        sampler: where crops come from.
        codec_config: sizes.
        config: the recipe.
    """

    def __init__(self, sampler: CropSampler, codec_config: CompactConfig, config: CodecTrainConfig):
        torch.manual_seed(config.seed)
        self.sampler, self.config = sampler, config
        self.codec = CompactCodec(codec_config).train()
        self.average = torch.optim.swa_utils.AveragedModel(
            self.codec, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.average), use_buffers=False
        )
        self.optimizer = torch.optim.AdamW(
            self.codec.parameters(), config.learning_rate, betas=(0.8, 0.95), weight_decay=config.weight_decay
        )
        self.step, self.seconds = 0, 0.0

    def learning_rate(self) -> float:
        """Linear warm-up, then a cosine from the full rate to a twentieth of it."""
        c = self.config
        if self.step < c.warm_up_steps:
            return c.learning_rate * (self.step + 1) / c.warm_up_steps
        progress = (self.step - c.warm_up_steps) / max(1, c.n_steps - c.warm_up_steps)
        return c.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))

    def train_step(self) -> CodecRecord:
        """One optimiser step; randomness depends on seed and step alone, so a resumed run sees the same crops."""
        c, started = self.config, time.perf_counter()
        rng = np.random.default_rng([c.seed, self.step])
        torch.manual_seed(c.seed * 1_000_003 + self.step)
        original = self.sampler.batch(c.batch_size, round(c.crop_s * self.codec.sample_rate), rng)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        losses = self._losses(original, rng)
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        torch.nn.utils.clip_grad_norm_(self.codec.parameters(), 1.0)
        if not torch.isfinite(losses["total"]):
            raise FloatingPointError(f"step {self.step}: loss is {losses['total'].item()}")
        self.optimizer.step()
        self.average.update_parameters(self.codec)
        self.step += 1
        self.seconds += time.perf_counter() - started
        values = {name: float(value.detach()) for name, value in losses.items()}
        return CodecRecord(self.step, values, self.optimizer.param_groups[0]["lr"], self.seconds)

    def _losses(self, original: Tensor, rng: np.random.Generator) -> dict[str, Tensor]:
        c, codec = self.config, self.codec
        n_rows = codec.n_codebooks
        with torch.autocast("cpu", torch.bfloat16, enabled=c.bf16):
            latents = codec.frame_latents(original)
        if self.step == c.unquantised_steps:
            self._place_codebooks()
        commitment, heard = torch.zeros(()), latents
        if self.step >= c.unquantised_steps:
            rows = np.where(rng.random(len(original)) < c.all_rows_share, n_rows, rng.integers(1, n_rows, len(original)))
            quantised = codec.rvq(latents, torch.from_numpy(rows))
            commitment, heard = quantised.commitment, quantised.latents
        with torch.autocast("cpu", torch.bfloat16, enabled=c.bf16):
            decoded = codec.synthesise(heard)[:, : original.shape[1]]
        windows = tuple(rng.choice(MEL_WINDOWS, c.mels_per_step, replace=False).tolist())
        mel = mel_distance(decoded, original, codec.sample_rate, windows)
        wave = complex_distance(decoded, original, codec.hop_length)
        return {"total": mel + c.waveform * wave + c.commitment * commitment, "mel": mel, "complex": wave, "commitment": commitment}

    @torch.no_grad()
    def _place_codebooks(self) -> None:
        rng = np.random.default_rng([self.config.seed, 987])
        n = round(self.config.crop_s * self.codec.sample_rate)
        latents = [self.codec.frame_latents(self.sampler.batch(self.config.batch_size, n, rng)).flatten(0, 1) for _ in range(16)]
        self.codec.rvq.start_from(torch.cat(latents))

    def averaged_codec(self) -> CompactCodec:
        """A copy with the running mean of the weights and the codebooks of now, in evaluation mode."""
        copy = CompactCodec(self.codec.config)
        copy.load_state_dict(self.average.module.state_dict())
        copy.rvq.codebooks.copy_(self.codec.rvq.codebooks)
        return copy.eval()

    def save(self, folder: Path) -> None:
        """Write the resumable state and the codec itself, each file whole or not at all."""
        state = {
            "codec": self.codec.state_dict(), "average": self.average.state_dict(), "optimizer": self.optimizer.state_dict(),
            "counts": self.codec.rvq.counts, "sums": self.codec.rvq.sums, "step": self.step, "seconds": self.seconds,
        }  # fmt: skip
        with atomic_path(folder / "state.pt") as temporary:
            torch.save(state, temporary)
        recipe = {"training": asdict(self.config), "steps_done": self.step, "hours_of_sound": round(self.sampler.hours, 3)}
        save_compact(self.averaged_codec(), folder, recipe)

    def resume(self, folder: Path) -> bool:
        """Take up the state in a folder; False if there is none."""
        if not (folder / "state.pt").is_file():
            return False
        state = torch.load(folder / "state.pt", weights_only=True, map_location="cpu")
        self.codec.load_state_dict(state["codec"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.codec.rvq.counts.copy_(state["counts"])
        self.codec.rvq.sums.copy_(state["sums"])
        self.step, self.seconds = state["step"], state["seconds"]
        return True


def train_codec(trainer: CodecTrainer, folder: str | os.PathLike, save_every: int = 250) -> Iterator[CodecRecord]:
    """Train to the end, yielding a record a step; saves every few steps, at the end, and when interrupted.

    Args:
        trainer: fresh or resumed.
        folder: where state and codec are written; `log.jsonl` grows by a line a save.
        save_every: steps.

    Yields:
        CodecRecord.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    recent: list[CodecRecord] = []
    try:
        while trainer.step < trainer.config.n_steps:
            record = trainer.train_step()
            recent.append(record)
            if trainer.step % save_every == 0 or trainer.step == trainer.config.n_steps:
                trainer.save(folder)
                means = {name: float(np.mean([r.losses[name] for r in recent])) for name in record.losses}
                with open(folder / "log.jsonl", "a") as log:
                    log.write(json.dumps({"step": trainer.step, "seconds": round(trainer.seconds), **means}) + "\n")
                recent.clear()
            yield record
    except (KeyboardInterrupt, GeneratorExit):
        trainer.save(folder)
        raise
