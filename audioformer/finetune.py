"""Fine-tuning: a pre-trained AudioFormer becomes a classifier.

FT1: mean over positions, linear layer, classification loss (MLC) on row 1.
FT2: the same, plus the contrast (MPC) that ties row 1's vector to the vectors of the clip's other rows, whose encoders
stay frozen; total = alpha * MLC + (1 - alpha) * MPC.
Source: AudioFormer (arXiv 2308.07221); settings as in its authors' scripts where known.

Shapes: B clips, K rows, S positions, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.adapt import adapt, describe, merged_state
from audioformer.checkpoint import save_checkpoint, weights_hash
from audioformer.classifier import Classifier
from audioformer.data.batches import CodeSampler, clip_numbers, require_clips
from audioformer.encoder import Dropout
from audioformer.errors import AudioformerError
from audioformer.losses import contrast_over_processes, cross_entropy, ft2_loss, mlc_chance, mlc_loss, mpc_chance
from audioformer.methods import read_config
from audioformer.metrics import classification_metrics, multi_label_metrics
from audioformer.model import Backbone
from audioformer.predict import predict_codes
from audioformer.recipes import FINETUNE_PRESETS, METHODS, FinetuneConfig, finetune_preset
from audioformer.train import Task

__all__ = ["FINETUNE_PRESETS", "METHODS", "FineTuning", "FinetuneConfig", "classifier_card", "finetune_preset"]

RATED_CLIPS = 500  # clips that `base_rates` looks at


class FineTuning(Task):
    """Learn labels.

    Args:
        config: the recipe.
        model: pre-trained (or fresh, for the "from scratch" row of a comparison).
        clips: items with `.codes` (K, T), `.labels` (class numbers), their `.weights` and, for a frame head, `.events`.
        label_names: C of them.
        multi_label: several labels a clip (logistic loss) or exactly one (cross-entropy).
        codec: as in MaskedModelling.
        held_out: clips to measure on, never trained on.
        card: "title", "about", "data" and "limits" for the model card.
    """

    def __init__(
        self,
        config: FinetuneConfig,
        model: Backbone,
        clips: Sequence,
        label_names: Sequence[str],
        multi_label: bool,
        codec: dict,
        held_out: Sequence = (),
        card: dict | None = None,
    ):
        super().__init__()
        require_clips(clips, model.config.n_codebooks, "fine-tuning")
        torch.manual_seed(config.train.seed)
        self.card = card or {}
        self.config, self.label_names, self.multi_label = config, list(label_names), multi_label
        self.codec, self.held_out, self.start_hash = codec, held_out, weights_hash(model.encoders.state_dict())
        self.classifier = Classifier.from_pretrained(model, len(self.label_names), config.frame_head, config.time_bins)
        backbone = self.classifier.backbone
        if config.method == "ft2" and model.config.rows != "separate":
            raise AudioformerError(
                f"ft2 ties separate rows together; this model has rows={model.config.rows!r}: use ft1"
            )
        if model.config.rows == "separate":
            backbone.freeze_rows(
                range(1, model.config.n_codebooks)
            )  # row 1 alone learns; FT2 contrasts it with the others
        if config.base_rates and multi_label:
            self._start_at_base_rates(clips)
        adapt(self.classifier, config.adapt)
        if config.keep_tables:
            backbone.keep_tables()
        for module in backbone.modules():
            if isinstance(module, Dropout) and config.dropout is not None:
                module.p = config.dropout
        train = config.train
        self.window = min(round(config.crop_s * codec["frame_rate"]), model.max_frames)
        least = min(round(config.min_crop_s * codec["frame_rate"]), self.window)
        self.sampler = CodeSampler(clips, train.batch_size, train.accumulate, self.window, least, train.seed)
        self.chance = {"mlc": mlc_chance(len(self.label_names), multi_label)}
        if config.frame_head:
            self.chance["frames"] = mlc_chance(len(self.label_names), True)
        if config.method == "ft2":
            self.chance["mpc"] = mpc_chance(train.batch_size // train.accumulate, model.config.n_codebooks)

    def _start_at_base_rates(self, clips: Sequence) -> None:
        """Biases of the heads such that a clip has as many labels, a frame as many events, as on average in training.

        Else the first steps press every score down, and the features with them: with many rare labels that lasts.
        """
        some = [clips[i] for i in np.linspace(0, len(clips) - 1, min(len(clips), RATED_CLIPS)).astype(int)]
        heads = {self.classifier.head: np.mean([len(item.labels) for item in some])}
        if self.config.frame_head:
            seconds = sum(item.codes.shape[1] for item in some) / self.codec["frame_rate"]
            heads[self.classifier.frame_head] = sum(off - on for item in some for _, on, off in item.events) / seconds
        for head, labels in heads.items():
            rate = min(max(labels / len(self.label_names), 1e-4), 0.5)
            torch.nn.init.constant_(head.bias, float(np.log(rate / (1 - rate))))

    def train(self, mode: bool = True) -> FineTuning:
        """Training mode; a probed backbone stays in evaluation mode."""
        super().train(mode)
        if self.config.adapt.name == "linear":
            self.classifier.backbone.eval()
        return self

    def batch(self, step: int, micro_step: int = 0, rank: int = 0, world: int = 1) -> tuple:
        """(tokens with some codes hidden, targets, frame targets or None, numbers of the clips for FT2, else None)."""
        items, crops = self.sampler.draw(step, micro_step, rank, world)
        backbone, c = self.classifier.backbone, self.config
        batch = backbone.collate([backbone.inputs(item)[:, crop] for item, crop in zip(items, crops, strict=True)])
        if c.token_mask or c.row_dropout:
            generators = self.sampler.generators(step, micro_step, rank, world)
            batch = backbone.hide_some(batch, c.token_mask, c.token_span, c.row_dropout, generators)
        numbers = clip_numbers(items) if self.config.method == "ft2" else None
        if not self.config.frame_head:
            return batch, self._targets(items), None, numbers
        frames = self._frame_targets(items, crops)
        return batch, frames.amax(1), frames, numbers  # of a clip's labels, those that sound within the crop

    def _frame_targets(self, items: Sequence, crops: Sequence[slice]) -> Tensor:
        """(B, T, C) zeros and ones: which classes sound in which frame of each crop."""
        n_frames = max(crop.stop - crop.start for crop in crops)
        targets = torch.zeros(len(items), n_frames, len(self.label_names))
        for row, item, crop in zip(targets, items, crops, strict=True):
            for label, onset_s, offset_s in item.events:
                first, last = (round(t * self.codec["frame_rate"]) - crop.start for t in (onset_s, offset_s))
                row[max(0, first) : max(0, last), int(label)] = 1.0
        return targets

    def _targets(self, items: Sequence) -> Tensor:
        """(B,) class numbers; (B, C) weights of classes where clips have several labels or were mixed."""
        mixed = any(min(item.weights, default=1.0) < 1 for item in items)
        if not self.multi_label and not mixed:
            return torch.tensor([self._only_label(item) for item in items])
        targets = torch.zeros(len(items), len(self.label_names))
        for row, item in zip(targets, items, strict=True):
            for label, weight in zip(item.labels, item.weights, strict=True):
                row[int(label)] = weight
        return targets

    def _only_label(self, item) -> int:
        if len(item.labels) != 1:
            raise AudioformerError(
                f"clip {item.id!r} has {len(item.labels)} labels where each must have one; mend the data set's table"
            )
        return int(item.labels[0])

    def forward(self, batch: tuple) -> dict[str, Tensor]:
        """Losses, nats: "mlc", for FT2 "mpc", and "total"."""
        clips, targets, frame_targets, numbers = batch
        device = self.classifier.head.weight.device
        clips, targets = clips.to(device), targets.to(device)
        options = {"need_frames": self.config.frame_head, "need_rows": self.config.method == "ft2"}
        out = self.classifier(clips.tokens, clips.padding, **options)
        mlc = self._classification_loss(out.logits, targets)
        if self.config.frame_head:
            real = ~out.frame_padding
            frames = mlc_loss(out.frame_logits[real], frame_targets.to(device)[real])
            return {"total": mlc + frames, "mlc": mlc.detach(), "frames": frames.detach()}
        if self.config.method != "ft2":
            return {"total": mlc, "mlc": mlc.detach()}
        mpc = contrast_over_processes(out.row_embeddings, self.config.temperature, numbers.to(device))
        return {"total": ft2_loss(mlc, mpc, self.config.alpha), "mlc": mlc.detach(), "mpc": mpc.detach()}

    def _classification_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.multi_label:
            return mlc_loss(logits, targets)
        return cross_entropy(logits, targets, self.config.label_smoothing)

    def validate(self) -> dict[str, float] | None:
        """Metrics on the held-out clips; "score" is accuracy or mAP."""
        return self.measure(self.held_out) if len(self.held_out) else None

    def measure(self, items: Sequence) -> dict[str, float]:
        """Metrics on any labelled clips, whole clips cut into windows; see metrics.py."""
        self.eval()
        items = [items[i] for i in range(len(items))]
        inputs = [self.classifier.backbone.inputs(item) for item in items]
        predictions = predict_codes(self.classifier, inputs, self.window, self.multi_label)
        probabilities = torch.stack([p.probabilities for p in predictions]).numpy()
        if self.multi_label:
            return multi_label_metrics(probabilities, self._targets(items).numpy())
        return classification_metrics(probabilities, np.array([self._only_label(item) for item in items]))

    def identity(self) -> dict:
        """What a resumed run must share."""
        config = {name: value for name, value in self.config.to_dict().items() if name != "train"}
        data = {"labels": self.label_names, **self.clips_learned, "codec": self.codec["fingerprint"]}
        return {**config, **data, "start": self.start_hash}

    def export(
        self, folder: Path, last: dict | None, weights: dict[str, Tensor] | None, extra: dict | None = None
    ) -> None:
        """Write the classifier as a checkpoint folder."""
        state = weights if weights is not None else self.state_dict()
        state = {k.removeprefix("classifier."): v for k, v in state.items() if k.startswith("classifier.")}
        state = merged_state(self.classifier, state)
        model = self.classifier.config
        about = {
            "kind": "classifier",
            "method": model.method,
            "model": model.to_dict(),
            "codec": self.codec,
            "label_names": self.label_names,
            "adapt": describe(self.classifier, self.config.adapt),
            "multi_label": self.multi_label,
            "frame_head": self.config.frame_head,
            "time_bins": self.config.time_bins,
            "window_s": self.window / self.codec["frame_rate"],
            "recipe": self.config.to_dict(),
            **self.progress(last),
            "scores": [],
            **self.card,
            **(extra or {}),
        }
        save_checkpoint(folder, state, about, classifier_card(about))


def _measured(about: dict, name: str, title: str) -> str:
    """What a card says of calibration or familiarity, if somebody has measured it."""
    if not (found := about.get(name)):
        return ""
    figures = ", ".join(f"{name} {value:.3f}" for name, value in found.items() if isinstance(value, float))
    return f"## {title}\n\nOn {found['n']} held-out clips: {figures} (`{found['command']}`).\n\n"


def classifier_card(about: dict) -> str:
    """Model card of a classifier, from its config.json."""
    bins = f", {about['time_bins']} time bins" if about.get("time_bins", 1) > 1 else ""
    rows = [
        f"| {s['data']} | {s['metric']} | {s['value']:.3f} | {s['spread']} | {s['chance']:.3f} | `{s['command']}` |"
        for s in about["scores"]
    ]
    table = ["| data | metric | value | spread | chance | command |", "|---|---|---|---|---|---|"]
    table += rows or ["| not measured | | | | | |"]
    return (
        f"# {about.get('title', 'A fine-tuned AudioFormer')}\n\n{about.get('about', '')}\n\n"
        f"Classes ({len(about['label_names'])}): {', '.join(about['label_names'])}.\n\n"
        f"Fine-tuning method {about['recipe']['method']}. Reads {read_config(about).reads}{bins} of "
        f"`{about['codec']['name']}` (fingerprint {about['codec']['fingerprint']}), {about['window_s']:.2f} s at a "
        "time. "
        f"Trained on {about['n_clips']} coded clips for {about['steps']} steps.\n\n"
        "## Scores\n\n"
        + "\n".join(table)
        + "\n\n"
        + _measured(about, "calibration", "Calibration")
        + _measured(about, "familiarity", "Sounds of other kinds")
        + f"## Data and licence\n\n{about.get('data', 'as given to `audioformer finetune`')}\n\n"
        f"## Limits\n\n{about.get('limits', 'Knows only its classes: any other sound still gets one of them.')}\n"
    )
