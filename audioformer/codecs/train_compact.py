"""Training a compact codec from folders of sound, on two cores in about an hour.

A crop of one second goes through encoder, quantiser and decoder; the loss compares spectra of what went in and what
came out. For half of the clips the decoder sees only the first few rows (quantiser dropout, SoundStream section III.D),
so that every number of codebooks gives the best sound it can. For the first steps nothing is quantised; then k-means
places the codebooks on real latents. With a graphics card at hand a critic joins late (discriminator.py).

Shapes: B crops, N samples, T frames, K codebooks, D latent width.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.checkpoint import load_state, save_state
from audioformer.codecs.compact import CompactCodec, CompactConfig, save_compact
from audioformer.codecs.critic import Adversary
from audioformer.codecs.crops import CropSampler
from audioformer.codecs.distances import MEL_WINDOWS, colour_distance, complex_distance, mel_distance, texture_distance
from audioformer.config import require, require_counts, require_probabilities
from audioformer.errors import AudioformerError
from audioformer.files import writable_folder
from audioformer.train import finish_first


@dataclass(frozen=True)
class CodecTrainConfig:
    """How a compact codec is trained."""

    n_steps: int = 5_500
    batch_size: int = 12  # crops
    crop_s: float = 1.0
    learning_rate: float = 7e-4  # AdamW, betas (0.8, 0.95), warm-up then cosine to a twentieth
    warm_up_steps: int = 200
    unquantised_steps: int = 100  # before k-means places the codebooks
    varied: float = (
        0.0  # share of the crops that are heard at another speed, in another room, through another microphone
    )
    all_rows_share: float = 0.5  # of the crops, those whose decoder sees all rows; the others see 1..K-1
    commitment: float = 1.0  # weight of |z - quantised(z)|^2
    waveform: float = 1.0  # weight of the complex-spectrum distance, beside 1 for the mel distance
    texture: float = 0.0  # weight of the texture distance: that decoded sound fluctuates as the original does
    colour: float = 0.0  # weight of the colour distance: that no band is too weak or too strong throughout
    decoder_only: bool = False  # the codes stay what they are, only their sound is learned; needs a codec to start from
    mels_per_step: int = 2  # of the four mel windows, how many are drawn for a step
    weight_decay: float = 1e-3
    adversarial_from: int = 0  # step from which a critic takes part; 0 is never
    adversarial: float = 1 / 15  # weight of fooling the critic
    features: float = 2 / 15  # weight of the critic's feature matching
    critic_width: int = 32  # channels of the critic
    average: float = 0.995  # decay of the running mean of the weights that is saved
    bf16: bool = False  # matrix products in 16 bits; faster only where the processor has units for it (AMX, a GPU)
    seed: int = 0

    def __post_init__(self):
        """Refuse what cannot train."""
        require_counts(self, "n_steps", "batch_size", "mels_per_step", "critic_width")
        require(self.adversarial_from >= 0, f"adversarial_from={self.adversarial_from} must be a step, or 0 for never")
        require_probabilities(self, "varied", "all_rows_share", "average")
        require(self.learning_rate > 0, f"learning_rate={self.learning_rate} must be above 0; try 1e-3")
        require(self.crop_s >= 0.1, f"crop_s={self.crop_s} must be at least 0.1 seconds; try 1")
        require(
            self.mels_per_step <= len(MEL_WINDOWS),
            f"mels_per_step={self.mels_per_step} must be 1 to {len(MEL_WINDOWS)}",
        )


PRESETS = {
    "laptop": (CompactConfig(), CodecTrainConfig()),
    # second stage, --start CODEC: its codes stay, its decoder learns to fluctuate as real sound does
    "laptop-decoder": (
        CompactConfig(),
        CodecTrainConfig(
            n_steps=2_800,
            learning_rate=6e-4,
            warm_up_steps=50,
            average=0.99,
            texture=2.0,
            colour=1.0,
            decoder_only=True,
            seed=7,
        ),
    ),
    "gpu": (
        CompactConfig(d_encoder=256, d_decoder=384, n_decoder_blocks=8),
        CodecTrainConfig(n_steps=200_000, batch_size=128, crop_s=2.0, bf16=True, adversarial_from=50_000),
    ),
    "test": (
        CompactConfig(
            d_encoder=32,
            d_decoder=32,
            n_encoder_blocks=1,
            n_decoder_blocks=1,
            codebook_size=16,
            n_codebooks=3,
            d_latent=8,
        ),
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


class CodecTrainer:
    """State of a training run: everything that a checkpoint holds.

    Args:
        sampler: where crops come from.
        codec_config: sizes.
        config: the recipe.
        name: how the codec calls itself.
        device: torch device; None takes a graphics card if there is one.
        start: a codec of the same sizes to go on from; None starts afresh.
    """

    def __init__(
        self,
        sampler: CropSampler,
        codec_config: CompactConfig,
        config: CodecTrainConfig,
        name: str = "compact",
        device: str | None = None,
        start: CompactCodec | None = None,
    ):
        require(
            start is not None or not config.decoder_only,
            "decoder_only needs a codec whose codes are kept; name it with --start",
        )
        torch.manual_seed(config.seed)
        self.sampler, self.config = sampler, config
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.codec = CompactCodec(codec_config, name).train().to(self.device)
        self.start = None if start is None else start.fingerprint
        if start is not None:
            require(
                start.config == codec_config,
                f"codec {start.name} to start from has other sizes: {start.config}; use those",
            )
            self.codec.load_state_dict(start.state_dict())
        if config.decoder_only:
            self.codec.rvq.eval()  # codebooks stay
            for part in (
                self.codec.enter,
                self.codec.enter_norm,
                self.codec.encoder,
                self.codec.to_latent,
                self.codec.mel_to_latent,
            ):
                part.requires_grad_(False)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.codec, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.average), use_buffers=False
        )
        self.optimizer = torch.optim.AdamW(
            self.codec.parameters(), config.learning_rate, betas=(0.8, 0.95), weight_decay=config.weight_decay
        )
        self.adversary = None
        if config.adversarial_from:
            self.adversary = Adversary(config.critic_width, config.learning_rate, self.device, config.bf16)
        self.step, self.seconds = 0, 0.0
        self.between_steps = True

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
        self.between_steps = False  # codebooks move while the loss is computed
        rng = np.random.default_rng([c.seed, self.step])
        torch.manual_seed(c.seed * 1_000_003 + self.step)
        original = self.sampler.batch(c.batch_size, round(c.crop_s * self.codec.sample_rate), rng, c.varied)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        losses = self._losses(original.to(self.device), rng)
        self.optimizer.zero_grad(set_to_none=True)
        losses["total"].backward()
        torch.nn.utils.clip_grad_norm_(self.codec.parameters(), 1.0)
        if not torch.isfinite(losses["total"]):
            raise AudioformerError(
                f"step {self.step}: the loss is {losses['total'].item()}, not finite; try a learning_rate below {c.learning_rate:g}"
            )
        self.optimizer.step()
        self.average.update_parameters(self.codec)
        self.step += 1
        self.between_steps = True
        self.seconds += time.perf_counter() - started
        values = {name: float(value.detach()) for name, value in losses.items()}
        return CodecRecord(self.step, values, self.optimizer.param_groups[0]["lr"], self.seconds)

    def _losses(self, original: Tensor, rng: np.random.Generator) -> dict[str, Tensor]:
        c, codec = self.config, self.codec
        n_rows = codec.n_codebooks
        with torch.autocast(self.device.type, torch.bfloat16, enabled=c.bf16):
            latents = codec.frame_latents(original)
        if self.step == c.unquantised_steps and self.start is None:
            self._place_codebooks()
        commitment, heard = torch.zeros((), device=self.device), latents
        if self.step >= c.unquantised_steps or self.start is not None:
            rows = np.where(
                rng.random(len(original)) < c.all_rows_share, n_rows, rng.integers(1, max(2, n_rows), len(original))
            )
            quantised = codec.rvq(latents, torch.from_numpy(rows).to(self.device))
            commitment, heard = quantised.commitment, quantised.latents
        with torch.autocast(self.device.type, torch.bfloat16, enabled=c.bf16):
            decoded = codec.synthesise(heard)[:, : original.shape[1]]
        windows = tuple(rng.choice(MEL_WINDOWS, c.mels_per_step, replace=False).tolist())
        mel = mel_distance(decoded, original, codec.sample_rate, windows)
        wave = complex_distance(decoded, original, codec.hop_length)
        total, more = mel + c.waveform * wave + c.commitment * commitment, {}
        if c.texture:
            more["texture"] = texture_distance(decoded, original, codec.sample_rate, windows)
            total = total + c.texture * more["texture"]
        if c.colour:
            more["colour"] = colour_distance(decoded, original, codec.sample_rate, windows)
            total = total + c.colour * more["colour"]
        if self.adversary is not None and self.step >= c.adversarial_from:
            critic = self.adversary.losses(original, decoded, self.learning_rate())
            total = total + c.adversarial * critic["adversarial"] + c.features * critic["features"]
            more |= critic
        return {"total": total, "mel": mel, "complex": wave, "commitment": commitment, **more}

    @torch.no_grad()
    def _place_codebooks(self) -> None:
        rng = np.random.default_rng([self.config.seed, 987])
        n = round(self.config.crop_s * self.codec.sample_rate)
        crops = [self.sampler.batch(self.config.batch_size, n, rng).to(self.device) for _ in range(16)]
        latents = [self.codec.frame_latents(crop).flatten(0, 1) for crop in crops]
        self.codec.rvq.start_from(torch.cat(latents))

    def averaged_codec(self) -> CompactCodec:
        """A copy with the running mean of the weights and the codebooks of now, in evaluation mode."""
        copy = CompactCodec(self.codec.config, self.codec.name)
        copy.load_state_dict(self.average.module.state_dict())
        copy.rvq.codebooks.copy_(self.codec.rvq.codebooks)
        return copy.eval()

    def save(self, folder: Path) -> None:
        """Write the resumable state and the codec itself, each file whole or not at all."""
        state = {
            "codec": self.codec.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "counts": self.codec.rvq.counts,
            "sums": self.codec.rvq.sums,
            "step": self.step,
            "seconds": self.seconds,
            "recipe": self._recipe(),
            "adversary": self.adversary.state() if self.adversary else None,
        }
        save_state(folder, state)
        recipe = {
            "training": asdict(self.config),
            "steps_done": self.step,
            "hours_of_sound": round(self.sampler.hours, 3),
        }
        save_compact(self.averaged_codec(), folder, recipe)

    def resume(self, folder: str | os.PathLike) -> bool:
        """Take up the state in a folder; False if there is none.

        Raises:
            AudioformerError: the state is damaged or that of a run with other settings.
        """
        state = load_state(folder)
        if state is None:
            return False
        recipe, usual = self._recipe(), asdict(CodecTrainConfig())  # what an older run does not name is as usual
        if differing := [
            name for name in recipe if state.get("recipe", recipe).get(name, usual.get(name)) != recipe[name]
        ]:
            raise AudioformerError(
                f"{folder}: holds a run with other settings ({', '.join(differing)}); choose another folder or delete it"
            )
        try:
            self.codec.load_state_dict(state["codec"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.adversary:
                self.adversary.load(state["adversary"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise AudioformerError(
                f"{folder}: holds the state of another codec; choose another folder or delete it"
            ) from error
        self.codec.rvq.counts.copy_(state["counts"])
        self.codec.rvq.sums.copy_(state["sums"])
        self.step, self.seconds = state["step"], state["seconds"]
        return True

    def _recipe(self) -> dict:
        """What a resumed run must share: plain values by name."""
        data = {"hours_of_sound": round(self.sampler.hours, 6), "start": self.start}
        return {**asdict(self.codec.config), **asdict(self.config), **data}


def train_codec(trainer: CodecTrainer, folder: str | os.PathLike, save_every: int = 250) -> Iterator[CodecRecord]:
    """Train to the end, yielding a record a step; saves every few steps, at the end, and when interrupted.

    Ctrl-C waits for the step to end; a second one does not, and then the last saved state stays.

    Args:
        trainer: fresh or resumed.
        folder: where state and codec are written; `log.jsonl` grows by a line a save.
        save_every: steps.

    Yields:
        CodecRecord.
    """
    folder = writable_folder(folder)
    recent: list[CodecRecord] = []
    try:
        while trainer.step < trainer.config.n_steps:
            with finish_first():
                record = trainer.train_step()
            recent.append(record)
            if trainer.step % save_every == 0 or trainer.step == trainer.config.n_steps:
                trainer.save(folder)
                means = {
                    name: float(np.mean([r.losses[name] for r in recent if name in r.losses])) for name in record.losses
                }
                with open(folder / "log.jsonl", "a") as log:
                    log.write(json.dumps({"step": trainer.step, "seconds": round(trainer.seconds), **means}) + "\n")
                recent.clear()
            yield record
    except (KeyboardInterrupt, GeneratorExit):
        if trainer.between_steps:
            trainer.save(folder)
        raise
