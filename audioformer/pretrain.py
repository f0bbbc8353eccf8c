"""Pre-training: the masked language model on codes.

A quarter of the codes of a clip is hidden; the encoder reads the rest and guesses them. No label is used.
Source: AudioFormer (arXiv 2308.07221); settings as in its authors' scripts where known (see `PretrainConfig`).

Shapes: B clips, K rows, S positions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.checkpoint import load_checkpoint, save_checkpoint, weights_hash
from audioformer.data.batches import CodeSampler, require_clips
from audioformer.data.sequences import TimeSampler, collate_joined
from audioformer.errors import AudioformerError
from audioformer.losses import masked_code_loss, mlm_chance
from audioformer.masking import mask_tokens, positions_of
from audioformer.model import AudioFormer
from audioformer.recipes import PretrainConfig
from audioformer.start import init_from_codebooks
from audioformer.tokens import TokenBatch
from audioformer.train import Task


@dataclass
class MLMOutput:
    """How well hidden codes were guessed.

    Attributes:
        loss: () mean of row_losses, weighted if so asked, nats.
        row_losses: (R,) masked_code_loss of each row.
        row_accuracy: (R,) share of hidden codes whose best guess was right, no gradient.
        chance: log V, the loss of knowing nothing.
    """

    loss: Tensor
    row_losses: Tensor
    row_accuracy: Tensor
    chance: float


class MaskedModelling(Task):
    """Guess hidden codes.

    Args:
        config: the recipe.
        clips: items with `.codes` (K, T): a Corpus, or any sequence.
        codec: name, fingerprint, sample_rate, frame_rate, codebook_size of the codec the clips were coded with.
        held_out: clips never trained on, to measure on; may be empty.
        rows: train only these rows' encoders (the authors' way, one run a row); None = all.
        codebooks: (K, V, D) for `init_from_codebooks`.
        start: a pre-trained model of the same shape to continue from; None = fresh weights.
    """

    def __init__(
        self,
        config: PretrainConfig,
        clips: Sequence,
        codec: dict,
        held_out: Sequence = (),
        rows: Sequence[int] | None = None,
        codebooks: Tensor | None = None,
        start: AudioFormer | None = None,
    ):
        super().__init__()
        require_clips(clips, config.model.n_codebooks, "pre-training")
        if codec["codebook_size"] != config.model.codebook_size:
            raise AudioformerError(
                f"codebook_size={config.model.codebook_size} of the model must be the codec's, "
                f"{codec['codebook_size']}; set it"
            )
        torch.manual_seed(config.train.seed)
        self.config, self.codec, self.held_out, self.rows = config, codec, held_out, rows
        self.model = AudioFormer(config.model)
        self.start_hash = None if start is None else weights_hash(start.state_dict())
        if start is not None:
            self.model.load_state_dict(start.state_dict())
        elif config.init_from_codebooks and codebooks is not None:
            init_from_codebooks(self.model, codebooks)
        if rows is not None and config.model.rows == "separate":
            self.model.freeze_rows(set(range(config.model.n_codebooks)) - set(rows))
        crop, least = (round(s * codec["frame_rate"]) for s in (config.crop_s, config.min_crop_s))
        crop = min(crop, config.model.max_positions - 2)
        settings = (clips, config.train.batch_size, config.train.accumulate, crop, min(least, crop), config.train.seed)
        self.sampler = TimeSampler(*settings, power=config.time_power) if config.join else CodeSampler(*settings)
        self.chance = {"mlm": mlm_chance(config.model.codebook_size)}

    def batch(self, step: int, micro_step: int = 0, rank: int = 0, world: int = 1) -> tuple[TokenBatch, Tensor, Tensor]:
        """(the truth, what the model sees, where it must guess)."""
        part = (step, micro_step, rank, world)
        if self.config.join:
            n_rows = self.config.model.n_codebooks
            sequences = [[piece[:n_rows] for piece in pieces] for pieces in self.sampler.draw(*part)]
            truth = collate_joined(sequences, self.config.model.codebook_size)
        else:
            drawn = zip(*self.sampler.draw(*part), strict=True)
            truth = self.model.collate([torch.as_tensor(item.codes)[:, crop] for item, crop in drawn])
        return self._mask(truth, self.sampler.generators(*part))

    def weigh(self, batch: tuple[TokenBatch, Tensor, Tensor]) -> float:
        """Codes to guess: a mean over them all is the mean over parts, each with this weight."""
        return float(batch[2].sum())

    def _mask(self, truth: TokenBatch, generators: list[torch.Generator]) -> tuple[TokenBatch, Tensor, Tensor]:
        masked, target_mask = mask_tokens(truth, self.config.mask, generators, self.config.model.rows == "summed")
        return truth, masked, target_mask

    def forward(self, batch: tuple[TokenBatch, Tensor, Tensor]) -> dict[str, Tensor]:
        """Loss per row, nats, and their mean as "total"."""
        truth, masked, target_mask = batch
        device = next(self.model.parameters()).device
        truth, masked, target_mask = truth.to(device), masked.to(device), target_mask.to(device)
        weights = self.config.row_weights
        out = mlm_loss(self.model, truth.tokens, truth.padding, masked, target_mask, self.rows, weights)
        numbers = self.rows if self.rows is not None else range(self.config.model.n_codebooks)
        losses = {"total": out.loss, "mlm": out.loss.detach(), "accuracy": out.row_accuracy.mean()}
        return losses | {f"row{k + 1}": loss.detach() for k, loss in zip(numbers, out.row_losses, strict=True)}

    def validate(self) -> dict[str, float] | None:
        """Mean loss and accuracy on the held-out clips under fixed masks; score = -loss."""
        if not len(self.held_out):
            return None
        sums: dict[str, float] = {}
        size, n = 16, min(len(self.held_out), 256)
        numbers = np.linspace(0, len(self.held_out) - 1, n).astype(int).tolist()  # of all kinds
        for start in range(0, n, size):
            items = [self.held_out[i] for i in numbers[start : start + size]]
            truth = self.model.collate([torch.as_tensor(item.codes)[:, : self.sampler.max_frames] for item in items])
            generators = [torch.Generator().manual_seed(start + i) for i in range(len(items))]
            for name, value in self(self._mask(truth, generators)).items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(items) / n
        return sums | {"score": -sums["total"]}

    def identity(self) -> dict:
        """What a resumed run must share."""
        config = {name: value for name, value in self.config.to_dict().items() if name != "train"}
        data = {"codec": self.codec["fingerprint"], **self.clips_learned, "start": self.start_hash}
        return {**config, "rows": None if self.rows is None else list(self.rows), **data}

    def export(self, folder: Path, last: dict | None, weights: dict[str, Tensor] | None) -> None:
        """Write the pre-trained model as a checkpoint folder."""
        state = weights if weights is not None else self.state_dict()
        state = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
        about = {
            "kind": "pretrained",
            "model": self.config.model.to_dict(),
            "codec": self.codec,
            "recipe": self.config.to_dict(),
            **self.progress(last),
        }
        save_checkpoint(folder, state, about, pretrained_card(about))


def pretrained_card(about: dict) -> str:
    """Model card of a pre-trained model, from its config.json."""
    losses = "\n".join(f"| {name} | {value:.3f} |" for name, value in about["losses"].items())
    return (
        f"# A pre-trained AudioFormer\n\nMasked language model on codes of `{about['codec']['name']}` "
        f"(fingerprint {about['codec']['fingerprint']}). rows = {about['model']['rows']}, "
        f"{about['model']['n_codebooks']} codebooks.\n\n"
        f"Trained on {about['n_clips']} coded clips for {about['steps']} steps ({about['seconds']:.0f} s).\n\n"
        f"| last training step | nats (chance {about['chance']['mlm']:.3f}) |\n|---|---|\n{losses}\n\n"
        f"Held-out clips: {about['validation'] or 'none were held out'}\n\n"
        f"Recipe:\n```json\n{json.dumps(about['recipe'], indent=1)}\n```\n\n"
        f"Data and licence: {about.get('data', 'as given to `audioformer pretrain`')}\n\n"
        "Limits: knows only the kinds of sound it was trained on; gives features and guesses of codes, no labels.\n"
    )


def mlm_loss(
    model: AudioFormer,
    tokens: Tensor,
    padding: Tensor | None,
    masked: Tensor,
    target_mask: Tensor,
    rows: Iterable[int] | None = None,
    row_weights: Sequence[float] = (),
) -> MLMOutput:
    """Guess the hidden codes; the last block and the logits are computed at hidden positions only.

    Args:
        model: with prediction heads.
        tokens: (B, K, S) the truth.
        padding: (B, S) bool, True = PAD, or None.
        masked: (B, K, S) what the model sees, from `masking.mask_tokens`.
        target_mask: (B, K, S) bool, True = predict here.
        rows: which rows, counted from 0; None = all.
        row_weights: how much each row's loss counts, the model's K rows; () = all alike.

    Returns:
        MLMOutput.

    Raises:
        AudioformerError: no heads, nothing hidden in a row, or any reason of `forward`.
    """
    summed = model.config.rows == "summed"
    predicted = model.check_rows(tokens, rows)
    read = None if summed else predicted
    of_rows = target_mask[:, predicted]
    at = positions_of(of_rows.any(1, keepdim=True) if summed else of_rows)  # (B, R, W)
    hidden = model.guessing_vectors(masked, padding, read, at)
    at = at.expand(-1, len(predicted), -1)
    counted, codes = of_rows.gather(2, at), tokens[:, predicted].gather(2, at)
    losses, accuracy = [], []
    for r, k in enumerate(predicted):
        here = counted[:, r]
        logits, targets = model.mlm_logits(hidden[:, 0 if summed else r][here], k).float(), codes[:, r][here]
        losses.append(masked_code_loss(logits, targets))
        own = logits.detach().gather(-1, targets[:, None])[:, 0]
        accuracy.append((own >= logits.detach().amax(-1)).float().mean())  # argmax takes 40 times longer on a CPU
    row_losses = torch.stack(losses)
    counts = row_losses.new_tensor([row_weights[k] for k in predicted] if row_weights else [1.0] * len(predicted))
    loss, chance = (row_losses * counts).sum() / counts.sum(), mlm_chance(model.config.codebook_size)
    return MLMOutput(loss, row_losses, torch.stack(accuracy), chance)


def combine_rows(folders: Sequence[str | os.PathLike], folder: str | os.PathLike) -> dict:
    """Join the runs of single rows (the authors' way) into one pre-trained model: encoder and head of row k from run k.

    Args:
        folders: checkpoint of row 1, row 2, ... row K, each trained with `rows=[k]`.
        folder: where the joined checkpoint is written.

    Returns:
        Its config.json.

    Raises:
        AudioformerError: a run is missing, damaged, or differs from the others in model or codec.
    """
    loaded = [load_checkpoint(one) for one in folders]
    first = loaded[0][1]
    for one, (_, about) in zip(folders, loaded, strict=True):
        if about["model"] != first["model"] or about["codec"]["fingerprint"] != first["codec"]["fingerprint"]:
            raise AudioformerError(
                f"{one}: has another model or codec than {folders[0]}; train all rows with the same settings"
            )
    if first["model"]["rows"] != "separate" or len(loaded) != first["model"]["n_codebooks"]:
        raise AudioformerError(
            f"{len(loaded)} runs given, needed one for each of {first['model']['n_codebooks']} separate rows"
        )
    state, losses, validation = {}, {}, {}
    for k, (weights, about) in enumerate(loaded):
        state |= {name: value for name, value in weights.items() if name.startswith((f"encoders.{k}.", f"heads.{k}."))}
        losses[f"row{k + 1}"] = about["losses"].get(f"row{k + 1}")
        validation |= {name: value for name, value in (about["validation"] or {}).items() if name == f"row{k + 1}"}
    total = {name: sum(about[name] for _, about in loaded) for name in ("steps", "seconds")}
    losses["mlm"] = sum(losses.values()) / len(losses)
    about = {**first, **total, "losses": losses, "validation": validation or None}
    save_checkpoint(folder, state, about, pretrained_card(about))
    return about
