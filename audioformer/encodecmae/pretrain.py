"""Pre-training EnCodecMAE: hide half of the frames of a clip, guess the codes of all of them. No label is used.

The same loop, data and checkpoints as AudioFormer's pre-training (pretrain.py). Second stage: the guesses are clusters
of the activations of a model that is finished (second_stage.py).
Source: EnCodecMAE (arXiv 2309.07391), settings as its authors published them (see MAE_RECIPES).

Shapes: B clips, F numbers in a frame, K codebook rows, R guessed rows, T frames, V answers, D width.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.checkpoint import save_checkpoint, weights_hash
from audioformer.data.batches import CodeSampler, require_clips
from audioformer.data.frame_batch import GAP, MASK_RATIO, FrameBatch, gap_mask
from audioformer.encodecmae.config import EncodecMAEConfig, mae_preset
from audioformer.encodecmae.model import MASKED_SHARE, EncodecMAE
from audioformer.encodecmae.second_stage import activations, fit_clusters, nearest_cluster, sample_activations
from audioformer.errors import AudioformerError, check_names, require
from audioformer.methods import Request
from audioformer.recipes import TrainConfig, require_stretches
from audioformer.start import load_pretrained
from audioformer.train import Task

CLIPS_MEASURED = 200  # whose frames give mean and deviation of the input


@dataclass(frozen=True)
class MAERecipe:
    """A whole pre-training recipe."""

    model: EncodecMAEConfig
    train: TrainConfig
    mask_ratio: float = MASK_RATIO  # share of each clip's frames to hide
    gap: int = GAP  # frames hidden in one go
    masked_share: float = MASKED_SHARE  # weight of the hidden frames' loss; the rest is the visible ones'
    crop_s: float = 4.0  # longest stretch of a clip, seconds (the authors': 4)
    min_crop_s: float = 4.0  # shortest stretch

    def __post_init__(self):
        """Refuse shares and stretches that cannot work."""
        require_stretches(self)
        require(0 < self.mask_ratio < 1, f"mask_ratio={self.mask_ratio} must lie between 0 and 1; the authors hide 0.5")
        require(self.gap >= 1, f"gap={self.gap} must be at least 1 frame; the authors have 15")
        require(
            0 <= self.masked_share <= 1, f"masked_share={self.masked_share} must lie from 0 to 1; the authors have 0.9"
        )

    def to_dict(self) -> dict:
        """Plain values, ready for JSON."""
        return asdict(self)


# the authors': AdamW, constant 1e-4, weight decay 0.05, 500k steps of 128 x 4 s in 16 bits (large: 64 on each of 2
# GPUs)
_AUTHORS = TrainConfig(
    n_steps=500_000,
    batch_size=128,
    learning_rate=1e-4,
    weight_decay=0.05,
    warm_up_share=0.0,
    schedule="constant",
    bf16=True,
    save_every=1000,
)
MAE_RECIPES = {
    "small": MAERecipe(mae_preset("small"), _AUTHORS),
    "base": MAERecipe(mae_preset("base"), _AUTHORS),
    "large": MAERecipe(mae_preset("large"), _AUTHORS),
    # their second stage: on from a finished model, whose sizes replace these; their large one learns from a finished
    # base
    "second-stage": MAERecipe(mae_preset("base", targets="kmeans"), replace(_AUTHORS, n_steps=150_000)),
    # ours, for two cores
    "tiny": MAERecipe(
        mae_preset("tiny"),
        TrainConfig(n_steps=2000, batch_size=16, learning_rate=1e-3, weight_decay=0.05, average=0.998),
        min_crop_s=1.0,
    ),
    "test": MAERecipe(
        mae_preset("test"), TrainConfig(n_steps=4, batch_size=4, save_every=2), crop_s=1.0, min_crop_s=1.0
    ),
}


def mae_recipe(name: str) -> MAERecipe:
    """A named recipe; AudioformerError if unknown."""
    check_names([name], list(MAE_RECIPES), "the list of EnCodecMAE presets")
    return MAE_RECIPES[name]


def fitting_sizes(config: EncodecMAEConfig, codec: dict, codec_width: int) -> EncodecMAEConfig:
    """The sizes with what a codec decides: codebook size and the width of its vectors.

    Args:
        config: of a preset.
        codec: description of the codec, as a corpus has it.
        codec_width: numbers in a latent vector or a codebook's vector.
    """
    width = 256 if config.frames == "mel256" else codec_width
    return replace(config, codebook_size=codec["codebook_size"], frame_width=width)


def requested_task(request: Request) -> FrameModelling:
    """What `audioformer pretrain --method encodecmae` trains.

    Raises:
        AudioformerError: unknown preset or setting, a model of another method, or a corpus without the frames to read.
    """
    options, codec = request.options, request.clips.codec
    if options.get("rows") or options.get("only_row"):
        raise AudioformerError("--rows and --only-row: EnCodecMAE reads frames, not codebook rows; leave them out")
    recipe = mae_recipe(request.preset)
    start, teacher = (_open_model(name, codec) for name in (request.start, options.get("teacher")))
    stage = recipe.model if recipe.model.guesses_clusters or start is None else start.config
    changes = [f"model.n_codebooks={options['codebooks']}"] if options.get("codebooks") else []
    changes += [f"model.targets={options.get('targets') or stage.targets}"]
    config = request.override(replace(recipe, model=start.config) if start else recipe, changes)
    codebooks = None
    if start is None:
        sizes, codebooks = _fit_to_corpus(config.model, request)
        config = replace(config, model=sizes)
    return FrameModelling(config, request.clips, codec, request.held_out, codebooks, start, teacher)


def _open_model(name: str | None, codec: dict) -> EncodecMAE | None:
    """The EnCodecMAE of a folder; None for None."""
    if name is None:
        return None
    model, about = load_pretrained(name, expect=codec)
    if not isinstance(model, EncodecMAE):
        raise AudioformerError(
            f"{name}: is of the method {about.get('method', 'audioformer')}; give a folder of --method encodecmae"
        )
    return model


def _fit_to_corpus(sizes: EncodecMAEConfig, request: Request) -> tuple[EncodecMAEConfig, Tensor | None]:
    """The sizes with what corpus and codec decide, and the codec's codebooks where the input is made of them."""
    clips = request.clips
    if sizes.frames == "quantised":
        codebooks = request.codebooks()
        return fitting_sizes(sizes, clips.codec, codebooks.shape[2]), codebooks
    if clips.info.frames != sizes.frames:
        there = f"frames {clips.info.frames}" if clips.info.frames else "codes only"
        raise AudioformerError(
            f"the corpus holds {there} and the model reads {sizes.frames}: prepare it with --frames {sizes.frames}, "
            "or choose "
            f"--set model.frames={clips.info.frames or 'quantised'}"
        )
    return fitting_sizes(sizes, clips.codec, len(clips[0].frames)), None


class FrameModelling(Task):
    """Guess the codes (or clusters) of frames, half of which are hidden.

    Args:
        config: the recipe.
        clips: items with `.codes` (K, T) and, unless frames="quantised", `.frames` (F, T): a Corpus, or any sequence.
        codec: name, fingerprint, sample_rate, frame_rate, codebook_size of the codec the clips were coded with.
        held_out: clips never trained on, to measure on; may be empty.
        codebooks: (K', V, F) of the codec; needed for frames="quantised".
        start: a pre-trained model to continue from; what its shape shares with the recipe's is taken over.
        teacher: for the second stage, the model whose activations are clustered; None takes `start`.
    """

    betas = (0.9, 0.95)  # the authors'

    def __init__(
        self,
        config: MAERecipe,
        clips: Sequence,
        codec: dict,
        held_out: Sequence = (),
        codebooks: Tensor | None = None,
        start: EncodecMAE | None = None,
        teacher: EncodecMAE | None = None,
    ):
        super().__init__()
        require_clips(clips, config.model.n_codebooks, "pre-training")
        if codec["codebook_size"] != config.model.codebook_size:
            raise AudioformerError(
                f"codebook_size={config.model.codebook_size} of the model must be the codec's, "
                f"{codec['codebook_size']}; set it"
            )
        teacher = self._checked_teacher(config.model, teacher or start)
        if teacher is not None:
            config = replace(config, model=replace(config.model, cluster_width=teacher.config.d_model))
        torch.manual_seed(config.train.seed)
        self.config, self.codec, self.held_out = config, codec, held_out
        crop, least = (round(s * codec["frame_rate"]) for s in (config.crop_s, config.min_crop_s))
        crop = min(crop, config.model.max_positions)
        self.sampler = CodeSampler(
            clips, config.train.batch_size, config.train.accumulate, crop, min(least, crop), config.train.seed
        )
        self.model = EncodecMAE(config.model)
        self._take_over(start, codebooks)
        self.teachers = [teacher] if teacher is not None else []  # a list: not part of this module
        self._cluster()
        self.start_hash = weights_hash(start.state_dict()) if start is not None else None
        self.chance = {
            name: math.log(size) for name, size in zip(config.model.row_names, config.model.row_sizes, strict=True)
        }
        self.chance["masked"] = self.chance["visible"] = self.chance["total"] = sum(
            weight * self.chance[name]
            for name, weight in zip(config.model.row_names, config.model.row_weights, strict=True)
        )

    def _take_over(self, start: EncodecMAE | None, codebooks: Tensor | None) -> None:
        """Weights of the model to continue from, or the measured mean and deviation of the frames."""
        encoder, sizes = self.model.encoders[0], self.config.model
        if start is not None:
            free = {name: getattr(start.config, name) for name in ("targets", "n_clusters", "cluster_width")}
            if start.config != replace(sizes, **free):
                raise AudioformerError(
                    "the sizes of the model to continue from are fixed, all but targets and n_clusters; "
                    "leave model.* out"
                )
            encoder.load_state_dict(start.encoders[0].state_dict())
            for name in ("to_decoder", "decoder_positions", "decoder"):
                getattr(self.model, name).load_state_dict(getattr(start, name).state_dict())
            if sizes.guesses_codes and start.config.guesses_codes:
                for mine, theirs in zip(self.model.heads[: sizes.n_codebooks], start.heads, strict=False):
                    mine.load_state_dict(theirs.state_dict())
            return
        if sizes.frames == "quantised":
            wanted = encoder.codebooks.shape
            if codebooks is None or len(codebooks) < len(encoder.codebooks) or codebooks.shape[1:] != wanted[1:]:
                raise AudioformerError(f"frames='quantised' needs the codec's codebooks, {tuple(wanted)} or more rows")
            encoder.codebooks.copy_(codebooks[: sizes.n_codebooks])
        clips, longest = self.sampler.clips, sizes.max_positions
        self.model.inputs(clips[0])  # refuses a corpus without the right frames
        if sizes.frames != "mel256":  # the authors standardise that with numbers of their own
            chosen = np.linspace(0, len(clips) - 1, min(len(clips), CLIPS_MEASURED)).astype(int)
            encoder.measure(self.model.inputs(clips[int(i)])[:, :longest] for i in chosen)

    @staticmethod
    def _checked_teacher(sizes: EncodecMAEConfig, teacher: EncodecMAE | None) -> EncodecMAE | None:
        """The teacher, ready; None in the first stage."""
        if not sizes.guesses_clusters:
            return None
        if teacher is None:
            raise AudioformerError(
                f"targets={sizes.targets!r}: the second stage needs a finished model; give --from DIR or --teacher DIR"
            )
        if (teacher.config.frames, teacher.config.frame_width) != (sizes.frames, sizes.frame_width):
            raise AudioformerError(
                f"the teacher reads {teacher.config.frames}, the student {sizes.frames}; both must read the same"
            )
        return teacher.eval().requires_grad_(False)

    def _cluster(self) -> None:
        """Cluster the teacher's activations; the centres become part of the model, and of what a resumed run loads."""
        seed = self.config.train.seed
        for teacher in self.teachers:
            vectors = sample_activations(teacher, self.sampler.clips, self.sampler.max_frames, seed=seed)
            self.model.clusters.copy_(fit_clusters(vectors, self.config.model.n_clusters, seed))

    def batch(self, step: int, micro_step: int = 0, rank: int = 0, world: int = 1) -> tuple[FrameBatch, Tensor, Tensor]:
        """(frames, codes (B, K, T), what is hidden (B, T))."""
        part = (step, micro_step, rank, world)
        items, crops = self.sampler.draw(*part)
        starts, lengths = [crop.start for crop in crops], [crop.stop - crop.start for crop in crops]
        return self._batch_of(items, starts, lengths, self.sampler.generators(*part))

    def weigh(self, batch: tuple[FrameBatch, Tensor, Tensor]) -> float:
        """Hidden frames: a mean over them all is the mean over parts, each with this weight.

        Visible ones are in the same proportion, but for less than a frame a clip.
        """
        return float(batch[2].sum())

    def _batch_of(
        self, items: Sequence, starts: Sequence[int], lengths: Sequence[int], generators: list
    ) -> tuple[FrameBatch, Tensor, Tensor]:
        sizes, pieces = self.config.model, list(zip(items, starts, lengths, strict=True))
        frames = self.model.collate([self.model.inputs(item)[:, start : start + n] for item, start, n in pieces])
        codes = torch.zeros(len(items), sizes.n_codebooks, max(lengths), dtype=torch.long)
        for row, (item, start, length) in zip(codes, pieces, strict=True):
            row[:, :length] = torch.as_tensor(item.codes)[: sizes.n_codebooks, start : start + length]
        target_mask = gap_mask(frames.lengths, self.config.mask_ratio, self.config.gap, generators)
        return frames, codes, target_mask

    def forward(self, batch: tuple[FrameBatch, Tensor, Tensor]) -> dict[str, Tensor]:
        """Losses, nats: "total", "masked" (hidden frames), "visible"; accuracy and each row's loss on hidden frames."""
        frames, codes, target_mask = batch
        device = next(self.model.parameters()).device
        frames, codes, target_mask = frames.to(device), codes.to(device), target_mask.to(device)
        out = self.model.mae_loss(
            frames.tokens, self._targets(frames, codes), target_mask, frames.padding, self.config.masked_share
        )
        losses = {
            "total": out.loss,
            "masked": out.masked.detach(),
            "visible": out.visible.detach(),
            "accuracy": out.row_accuracy.mean(),
        }
        return losses | dict(zip(self.config.model.row_names, out.row_losses, strict=True))

    @torch.no_grad()
    def _targets(self, frames: FrameBatch, codes: Tensor) -> Tensor:
        """(B, R, T) what is to be guessed; clusters are looked up in what the teacher makes of the whole stretch."""
        rows = [codes] if self.config.model.guesses_codes else []
        for teacher in self.teachers:
            vectors = activations(teacher.to(codes.device), frames.tokens, frames.padding)
            rows.append(nearest_cluster(vectors, self.model.clusters)[:, None])
        return torch.cat(rows, 1)

    def validate(self) -> dict[str, float] | None:
        """Mean losses and accuracy on the held-out clips' beginnings under fixed masks; score = -masked.

        The authors validate with nothing hidden; then there is no loss on hidden frames to look at.
        """
        if not len(self.held_out):
            return None
        sums: dict[str, float] = {}
        size, n = 16, min(len(self.held_out), 256)
        for first in range(0, n, size):
            items = [self.held_out[i] for i in range(first, min(first + size, n))]
            lengths = [min(item.codes.shape[1], self.sampler.max_frames) for item in items]
            generators = [torch.Generator().manual_seed(first + i) for i in range(len(items))]
            for name, value in self(self._batch_of(items, [0] * len(items), lengths, generators)).items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(items) / n
        return sums | {"score": -sums["masked"]}

    def identity(self) -> dict:
        """What a resumed run must share."""
        config = {name: value for name, value in self.config.to_dict().items() if name != "train"}
        teacher = weights_hash(self.teachers[0].state_dict()) if self.teachers else None
        data = {"codec": self.codec["fingerprint"], **self.clips_learned}
        return {"method": "encodecmae", **config, **data, "start": self.start_hash, "teacher": teacher}

    def export(self, folder: Path, last: dict | None, weights: dict[str, Tensor] | None) -> None:
        """Write the pre-trained model as a checkpoint folder."""
        state = weights if weights is not None else self.state_dict()
        state = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
        config = {
            "kind": "pretrained",
            "method": "encodecmae",
            "model": self.config.model.to_dict(),
            "codec": self.codec,
            "recipe": self.config.to_dict(),
            **self.progress(last),
        }
        save_checkpoint(folder, state, config, encodecmae_card(config))


def encodecmae_card(config: dict) -> str:
    """Model card of a pre-trained EnCodecMAE, from its config.json."""
    losses = "\n".join(f"| {name} | {value:.3f} |" for name, value in config["losses"].items())
    model, asked = (
        config["model"],
        {"codes": "codes", "kmeans": "k-means clusters", "both": "codes and k-means clusters"},
    )
    trained = f"Trained on {config['n_clips']} coded clips for {config['steps']} steps ({config['seconds']:.0f} s)."
    if "converted_from" in config["recipe"]:
        trained = f"Converted from the authors' {config['recipe']['converted_from']}; their licence and data apply."
    return (
        f"# A pre-trained EnCodecMAE\n\nMasked autoencoder: sees frames ({model['frames']}), "
        f"guesses {asked[model['targets']]} of "
        f"`{config['codec']['name']}` (fingerprint {config['codec']['fingerprint']}), "
        f"{model['n_codebooks']} codebooks. Encoder "
        f"{model['n_layers']} x {model['d_model']}, decoder {model['n_decoder_layers']} layers.\n\n"
        f"{trained}\n\n"
        f"| last training step | nats (chance {config['chance'].get('masked', 0):.3f}) |\n|---|---|\n{losses}\n\n"
        f"Held-out clips: {config['validation'] or 'none were held out'}\n\n"
        f"Recipe:\n```json\n{json.dumps(config['recipe'], indent=1)}\n```\n\n"
        f"Data and licence: {config.get('data', 'as given to `audioformer pretrain`')}\n\n"
        "Limits: knows only the kinds of sound it was trained on; gives features and guesses of codes, no labels.\n"
    )
