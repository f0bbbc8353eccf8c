"""Training a compact codec from folders of sound: a task of the one loop (train.py), on two cores in about an hour.

    task = CodecTraining(CropSampler(["ESC-50/audio"], 24_000), PRESETS["laptop"])
    for record in train(task, task.config, "runs/codec"):
        print(record.step, record.losses)

A crop of one second goes through encoder, quantiser and decoder; the loss compares spectra of what went in and what
came out. For half of the clips the decoder sees only the first few rows (quantiser dropout, SoundStream section III.D),
so that every number of codebooks gives the best sound it can. For the first steps nothing is quantised; then k-means
places the codebooks on real latents. With a graphics card at hand a critic joins late (critic.py).

Shapes: B crops, N samples, T frames, K codebooks, D latent width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.codecs.compact import CompactCodec, CompactConfig
from audioformer.codecs.compact_files import save_compact
from audioformer.codecs.critic import Adversary
from audioformer.codecs.crops import CropSampler
from audioformer.codecs.distances import MEL_WINDOWS, colour_distance, complex_distance, mel_distance, texture_distance
from audioformer.errors import require, require_counts, require_probabilities
from audioformer.optim import schedule_factor
from audioformer.recipes import TrainConfig
from audioformer.train import Task


@dataclass(frozen=True)
class CodecTrainConfig(TrainConfig):
    """How a compact codec is trained: `TrainConfig` with other usual values, and what only a codec needs."""

    n_steps: int = 5_500
    batch_size: int = 12  # crops
    learning_rate: float = 7e-4  # AdamW, betas (0.8, 0.95), warm-up then cosine to a twentieth
    warm_up_share: float = 200 / 5_500
    weight_decay: float = 1e-3
    average: float = 0.995
    crop_s: float = 1.0
    unquantised_steps: int = 100  # before k-means places the codebooks
    varied: float = 0.0  # share of the crops that come at another speed, in another room, through another microphone
    all_rows_share: float = 0.5  # of the crops, those whose decoder sees all rows; the others see 1..K-1
    commitment: float = 1.0  # weight of |z - quantised(z)|^2
    waveform: float = 1.0  # weight of the complex-spectrum distance, beside 1 for the mel distance
    texture: float = 0.0  # weight of the texture distance: that decoded sound fluctuates as the original does
    colour: float = 0.0  # weight of the colour distance: that no band is too weak or too strong throughout
    decoder_only: bool = False  # the codes stay what they are, only their sound is learned; needs a codec to start from
    mels_per_step: int = 2  # of the four mel windows, how many are drawn for a step
    adversarial_from: int = 0  # step from which a critic takes part; 0 is never
    adversarial: float = 1 / 15  # weight of fooling the critic
    features: float = 2 / 15  # weight of the critic's feature matching
    critic_width: int = 32  # channels of the critic

    def __post_init__(self):
        """Refuse what cannot train."""
        super().__post_init__()
        require_counts(self, "mels_per_step", "critic_width")
        require(self.adversarial_from >= 0, f"adversarial_from={self.adversarial_from} must be a step, or 0 for never")
        require_probabilities(self, "varied", "all_rows_share")
        require(self.crop_s >= 0.1, f"crop_s={self.crop_s} must be at least 0.1 seconds; try 1")
        require(
            self.mels_per_step <= len(MEL_WINDOWS),
            f"mels_per_step={self.mels_per_step} must be 1 to {len(MEL_WINDOWS)}",
        )


@dataclass(frozen=True)
class CodecRecipe:
    """What `train-codec` needs: sizes and training."""

    codec: CompactConfig
    train: CodecTrainConfig


PRESETS = {
    "laptop": CodecRecipe(CompactConfig(), CodecTrainConfig()),
    # second stage, --start CODEC: its codes stay, its decoder learns to fluctuate as real sound does
    "laptop-decoder": CodecRecipe(
        CompactConfig(),
        CodecTrainConfig(
            n_steps=2_800,
            learning_rate=6e-4,
            warm_up_share=50 / 2_800,
            average=0.99,
            texture=2.0,
            colour=1.0,
            decoder_only=True,
            seed=7,
        ),
    ),
    "gpu": CodecRecipe(
        CompactConfig(d_encoder=256, d_decoder=384, n_decoder_blocks=8),
        CodecTrainConfig(
            n_steps=200_000, batch_size=128, crop_s=2.0, warm_up_share=1e-3, bf16=True, adversarial_from=50_000
        ),
    ),
    "test": CodecRecipe(
        CompactConfig(
            d_encoder=32,
            d_decoder=32,
            n_encoder_blocks=1,
            n_decoder_blocks=1,
            codebook_size=16,
            n_codebooks=3,
            d_latent=8,
        ),
        CodecTrainConfig(n_steps=6, batch_size=2, crop_s=0.25, warm_up_share=1 / 6, unquantised_steps=2),
    ),
}


@dataclass(frozen=True)
class CropBatch:
    """Crops of one part of a step, and everything that is drawn for them.

    Attributes:
        step: from 0.
        samples: (B, N).
        rows: (B,) rows that each crop's decoder sees; None while nothing is quantised.
        places_codebooks: this is the moment for k-means.
        windows: of the mel distance, samples.
    """

    step: int
    samples: Tensor
    rows: Tensor | None
    places_codebooks: bool
    windows: tuple[int, ...]


class CodecTraining(Task):
    """Learn to code sound.

    Args:
        sampler: where crops come from.
        recipe: sizes and training.
        name: how the codec calls itself.
        start: a codec of the same sizes to continue from; None starts from random weights.
        listening: called with the codec and the step whenever the loop validates; gives metrics (`ListeningLog.add`).

    Raises:
        AudioformerError: `decoder_only` without a codec to start from, or one of other sizes.
    """

    chance = {}
    betas = (0.8, 0.95)
    lowest_rate = 0.05

    def __init__(
        self,
        sampler: CropSampler,
        recipe: CodecRecipe,
        name: str = "compact",
        start: CompactCodec | None = None,
        listening: Callable[[CompactCodec, int], dict[str, float]] | None = None,
    ):
        super().__init__()
        self.sampler, self.config, self.listening = sampler, recipe.train, listening
        self.start = None if start is None else start.fingerprint
        self.steps_done = 0
        torch.manual_seed(self.config.seed)
        self.codec = CompactCodec(recipe.codec, name)
        if start is not None:
            require(
                start.config == recipe.codec,
                f"codec {start.name} to start from has other sizes: {start.config}; use those",
            )
            self.codec.load_state_dict(start.state_dict())
        if self.config.decoder_only:
            require(start is not None, "decoder_only needs a codec whose codes stay; name it with --start")
            c = self.codec
            for part in (c.enter, c.enter_norm, c.encoder, c.to_latent, c.mel_to_latent):
                part.requires_grad_(False)
        self.adversary = None
        if self.config.adversarial_from:
            self.adversary = Adversary(self.config.critic_width, self.config.learning_rate)

    def train(self, mode: bool = True) -> CodecTraining:
        """As every module's; codebooks that are to stay do not learn."""
        super().train(mode)
        if self.config.decoder_only:
            self.codec.rvq.eval()
        return self

    def batch(self, step: int, micro_step: int = 0, rank: int = 0, world: int = 1) -> CropBatch:
        """Random crops; how many rows their decoder sees; which windows compare them."""
        c = self.config
        rng = np.random.default_rng([c.seed, step, micro_step, rank])
        size = max(1, c.batch_size // (c.accumulate * world))
        samples = self.sampler.batch(size, round(c.crop_s * self.codec.sample_rate), rng, c.varied)
        rows, n_rows = None, self.codec.n_codebooks
        if step >= c.unquantised_steps or self.start is not None:
            fewer = rng.random(size) >= c.all_rows_share
            rows = torch.from_numpy(np.where(fewer, rng.integers(1, max(2, n_rows), size), n_rows))
        first = step == c.unquantised_steps and micro_step == 0 and self.start is None
        windows = tuple(rng.choice(MEL_WINDOWS, c.mels_per_step, replace=False).tolist())
        return CropBatch(step, samples, rows, first, windows)

    def forward(self, batch: CropBatch) -> dict[str, Tensor]:
        """Weighted sum "total" of mel (natural log), complex (no unit), commitment, and other terms of the recipe."""
        codec, device = self.codec, self.codec.device
        samples, self.steps_done = batch.samples.to(device), batch.step + 1
        latents = codec.frame_latents(samples)
        commitment = torch.zeros((), device=device)
        if batch.rows is not None:
            with torch.autocast(device.type, enabled=False):
                if batch.places_codebooks:
                    self._place_codebooks()
                quantised = codec.rvq(latents, batch.rows.to(device))
            latents, commitment = quantised.latents, quantised.commitment
        decoded = codec.synthesise(latents)[:, : samples.shape[1]]
        with torch.autocast(device.type, enabled=False):
            return self._losses(decoded, samples, commitment, batch)

    def _losses(self, decoded: Tensor, original: Tensor, commitment: Tensor, batch: CropBatch) -> dict[str, Tensor]:
        c, rate = self.config, self.codec.sample_rate
        losses = {
            "mel": mel_distance(decoded, original, rate, batch.windows),
            "complex": complex_distance(decoded, original, self.codec.hop_length),
            "commitment": commitment,
        }
        total = losses["mel"] + c.waveform * losses["complex"] + c.commitment * commitment
        if c.texture:
            losses["texture"] = texture_distance(decoded, original, rate, batch.windows)
            total = total + c.texture * losses["texture"]
        if c.colour:
            losses["colour"] = colour_distance(decoded, original, rate, batch.windows)
            total = total + c.colour * losses["colour"]
        if self.adversary is not None and batch.step >= c.adversarial_from:
            factor = schedule_factor(batch.step, c.n_steps, c.warm_up_share, c.schedule, self.lowest_rate)
            losses |= self.adversary.losses(original, decoded, factor * c.learning_rate, c.bf16)
            total = total + c.adversarial * losses["adversarial"] + c.features * losses["features"]
        return {"total": total, **losses}

    @torch.no_grad()
    def _place_codebooks(self) -> None:
        rng = np.random.default_rng([self.config.seed, 987])
        n = round(self.config.crop_s * self.codec.sample_rate)
        crops = [self.sampler.batch(self.config.batch_size, n, rng).to(self.codec.device) for _ in range(16)]
        latents = [self.codec.frame_latents(crop).flatten(0, 1) for crop in crops]
        self.codec.rvq.start_from(torch.cat(latents))

    def validate(self) -> dict[str, float] | None:
        """What `listening` measures; None without it."""
        return self.listening(self.codec, self.steps_done) if self.listening is not None else None

    def identity(self) -> dict:
        """See `Task`."""
        return {"codec": asdict(self.codec.config), "hours_of_sound": round(self.sampler.hours, 6), "start": self.start}

    def more_state(self) -> dict:
        """Running means of the codebooks, and the critic's optimiser."""
        rvq, adversary = self.codec.rvq, self.adversary
        return {
            "counts": rvq.counts,
            "sums": rvq.sums,
            "critic": None if adversary is None else adversary.optimizer.state_dict(),
        }

    def load_more_state(self, state: dict) -> None:
        """Take up `more_state`."""
        self.codec.rvq.counts.copy_(state["counts"])
        self.codec.rvq.sums.copy_(state["sums"])
        if self.adversary is not None:
            self.adversary.optimizer.load_state_dict(state["critic"])

    def export(self, folder: Path, last: dict | None, weights: dict[str, Tensor] | None) -> None:
        """Write the codec: averaged weights with the codebooks of now."""
        codec, state = CompactCodec(self.codec.config, self.codec.name), weights or self.state_dict()
        codec.load_state_dict({k.removeprefix("codec."): v for k, v in state.items() if k.startswith("codec.")})
        last = last or {"step": 0, "seconds": 0.0, "losses": {}}
        about = {
            "training": asdict(self.config),
            **{"steps": last["step"], "seconds": last["seconds"], "losses": last["losses"]},
            "hours_of_sound": round(self.sampler.hours, 3),
        }
        save_compact(codec, folder, about)
