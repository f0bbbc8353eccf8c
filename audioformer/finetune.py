"""Fine-tuning: a pre-trained AudioFormer becomes a classifier.

FT1: mean over positions, linear layer, classification loss (MLC) on row 1.
FT2: the same, plus the contrast (MPC) that ties row 1's vector to the vectors of the clip's other rows, whose encoders
stay frozen; total = alpha * MLC + (1 - alpha) * MPC.
Source: AudioFormer (arXiv 2308.07221); settings as in its authors' scripts where known.

Shapes: B clips, K rows, S positions, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioformer.adapt import AdaptConfig, adapt, describe, merged_state
from audioformer.backbone import method_of
from audioformer.batches import CodeSampler, require_clips
from audioformer.checkpoint import save_checkpoint, weights_hash
from audioformer.classifier import Classifier
from audioformer.config import MaskConfig, TrainConfig, check_names
from audioformer.encodecmae import EncodecMAE
from audioformer.errors import AudioformerError
from audioformer.frames import FrameBatch, clip_inputs, collate_inputs
from audioformer.gap_masking import gap_mask
from audioformer.losses import contrast_over_processes, cross_entropy, ft2_loss, mlc_loss, mpc_chance
from audioformer.masking import drop_rows, mask_each
from audioformer.model import AudioFormer
from audioformer.predict import predict_codes
from audioformer.reports import classification_metrics, multi_label_metrics
from audioformer.tokens import TokenBatch
from audioformer.train import Task

METHODS = ("ft1", "ft2", "probe")
HIDDEN_RUN = 5  # frames that `token_mask` hides together


@dataclass(frozen=True)
class FinetuneConfig:
    """A whole fine-tuning recipe."""

    train: TrainConfig
    method: str = "ft1"  # "ft1", "ft2", or "probe": the linear layer alone learns
    alpha: float = 0.8  # FT2's share of the classification loss (authors: 0.8, later 0.97)
    temperature: float = 0.05  # FT2's (authors: 0.05, later 0.03)
    token_mask: float = 0.0  # share of the codes hidden in training, as augmentation (authors: 0; 0.1 for FSD50K)
    row_dropout: float = 0.0  # ours: share of the clips that keep only their first rows in training (rows="summed")
    crop_s: float = 10.0  # longest stretch, seconds; the window of the finished classifier
    min_crop_s: float = 10.0  # shortest stretch
    label_smoothing: float = 0.0
    frame_head: bool = False  # a second head that learns event times frame by frame (needs events in the corpus)
    adapt: AdaptConfig = AdaptConfig()  # how much of the pre-trained model learns

    def __post_init__(self):
        """Refuse an unknown method or a share out of range."""
        check_names([self.method], METHODS, "the list of fine-tuning methods")
        if not (0 <= self.alpha <= 1 and 0 <= self.row_dropout <= 1 and 0 <= self.token_mask < 1):
            told = f"alpha={self.alpha} and row_dropout={self.row_dropout} must lie in [0, 1], token_mask={self.token_mask} in [0, 1)"
            raise AudioformerError(told)
        if self.method == "probe":
            object.__setattr__(self, "adapt", AdaptConfig("linear"))

    def to_dict(self) -> dict:
        """Plain values, ready for JSON."""
        return asdict(self)


FINETUNE_PRESETS = {
    # the authors' ESC-50 run: 5 s, lr 1e-5, batch 32, <= 20 epochs of 1600 clips, patience 3 epochs
    "paper-esc50": FinetuneConfig(
        TrainConfig(n_steps=1000, batch_size=32, learning_rate=1e-5, schedule="constant", validate_every=50, patience=3),
        crop_s=5.0, min_crop_s=5.0,
    ),  # fmt: skip
    # the authors' AS-20K run: 10 s, lr 1e-4, batch 16, <= 10 epochs of 20,550 clips, patience 3
    "paper-as20k": FinetuneConfig(
        TrainConfig(n_steps=12_850, batch_size=16, learning_rate=1e-4, schedule="constant", validate_every=1285, patience=3)
    ),
    # the authors' FSD50K run: as AS-20K, 4 epochs of 36,796 clips, a tenth of the codes hidden
    "paper-fsd50k": FinetuneConfig(
        TrainConfig(n_steps=9_200, batch_size=16, learning_rate=1e-4, schedule="constant", validate_every=2300, patience=3),
        token_mask=0.1,
    ),
    "esc10": FinetuneConfig(
        TrainConfig(n_steps=200, batch_size=32, learning_rate=5e-4, head_factor=2.0, weight_decay=0.05, average=0.99),
        token_mask=0.15, crop_s=5.0, min_crop_s=3.5, label_smoothing=0.1,
    ),  # fmt: skip
    "digits": FinetuneConfig(
        TrainConfig(n_steps=250, batch_size=32, learning_rate=5e-4, head_factor=2.0, weight_decay=0.05, average=0.99),
        token_mask=0.15, crop_s=1.5, min_crop_s=1.5, label_smoothing=0.1,
    ),  # fmt: skip
    "scenes": FinetuneConfig(
        TrainConfig(n_steps=300, batch_size=12, learning_rate=1e-3, head_factor=2.0, weight_decay=0.05, average=0.98),
        token_mask=0.1, crop_s=5.0, min_crop_s=4.0, frame_head=True,
    ),  # fmt: skip
    "test": FinetuneConfig(TrainConfig(n_steps=4, batch_size=4, learning_rate=1e-3, save_every=2), crop_s=1.0, min_crop_s=1.0),
}


def finetune_preset(name: str) -> FinetuneConfig:
    """A named recipe; AudioformerError if unknown."""
    check_names([name], list(FINETUNE_PRESETS), "the list of fine-tuning presets")
    return FINETUNE_PRESETS[name]


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
        model: AudioFormer | EncodecMAE,
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
        self.codec, self.held_out, self.start = codec, held_out, weights_hash(model.encoders.state_dict())
        self.classifier = Classifier.from_pretrained(model, len(self.label_names), config.frame_head)
        backbone = self.classifier.backbone
        if config.method == "ft2":
            if model.config.rows != "separate":
                raise AudioformerError(f"ft2 ties separate rows together; this model has rows={model.config.rows!r}: use ft1")
            backbone.freeze_rows(range(1, model.config.n_codebooks))
        elif model.config.rows == "separate":
            backbone.freeze_rows(range(1, model.config.n_codebooks))  # row 1 alone is read: the others rest
        adapt(self.classifier, config.adapt)
        train = config.train
        self.window = min(round(config.crop_s * codec["frame_rate"]), model.config.max_positions - 2)
        least = min(round(config.min_crop_s * codec["frame_rate"]), self.window)
        self.sampler = CodeSampler(clips, train.batch_size, train.accumulate, self.window, least, train.seed)
        self.chance = {"mlc": 0.6931 if multi_label else float(torch.tensor(float(len(self.label_names))).log())}
        if config.frame_head:
            self.chance["frames"] = 0.6931
        if config.method == "ft2":
            self.chance["mpc"] = mpc_chance(train.batch_size // train.accumulate, model.config.n_codebooks)

    def train(self, mode: bool = True) -> FineTuning:
        """Training mode; a probed backbone stays in evaluation mode."""
        super().train(mode)
        if self.config.adapt.name == "linear":
            self.classifier.backbone.eval()
        return self

    def batch(self, step: int, micro_step: int = 0, rank: int = 0, world: int = 1) -> tuple[TokenBatch, Tensor, Tensor | None]:
        """(tokens with some codes hidden, targets, frame targets or None)."""
        items, crops, starts = self.sampler.draw(step, micro_step, rank, world)
        model = self.classifier.config
        pairs = zip(items, crops, starts, strict=True)
        batch = collate_inputs(model, [clip_inputs(model, item)[:, start : start + crop.shape[1]] for item, crop, start in pairs])
        if self.config.token_mask or self.config.row_dropout:
            batch = self._hide(batch, self.sampler.generators(step, micro_step, rank, world))
        if not self.config.frame_head:
            return batch, self._targets(items), None
        frames = self._frame_targets(items, starts, max(crop.shape[1] for crop in crops))
        return batch, frames.amax(1), frames  # of a clip's labels, those that sound within the crop

    def _hide(self, batch: TokenBatch | FrameBatch, generators: list[torch.Generator]) -> TokenBatch | FrameBatch:
        """The batch with MASK at some codes, in runs of 5 frames and in finer rows; EnCodecMAE does not get such frames at all."""
        share = self.config.token_mask
        if isinstance(batch, FrameBatch):
            return batch.without(gap_mask(batch.lengths, share, HIDDEN_RUN, generators)) if share else batch
        if share:
            hide = MaskConfig(mask_ratio=share, span=HIDDEN_RUN)
            batch = replace(batch, tokens=mask_each(batch, hide, generators, self.classifier.config.rows == "summed")[0])
        return replace(batch, tokens=drop_rows(batch, self.config.row_dropout, generators))

    def _frame_targets(self, items: Sequence, starts: Sequence[int], n_frames: int) -> Tensor:
        """(B, T, C) zeros and ones: which classes sound in which frame of each crop."""
        targets = torch.zeros(len(items), n_frames, len(self.label_names))
        for row, item, start in zip(targets, items, starts, strict=True):
            for label, onset_s, offset_s in item.events:
                first, last = (round(t * self.codec["frame_rate"]) - start for t in (onset_s, offset_s))
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
            raise AudioformerError(f"clip {item.id!r} has {len(item.labels)} labels where each must have one; mend the data set's table")
        return int(item.labels[0])

    def forward(self, batch: tuple) -> dict[str, Tensor]:
        """Losses, nats: "mlc", for FT2 "mpc", and "total"."""
        tokens, targets, frame_targets = batch
        device = self.classifier.head.weight.device
        tokens, targets = tokens.to(device), targets.to(device)
        options = {"need_frames": self.config.frame_head, "need_rows": self.config.method == "ft2"}
        out = self.classifier(tokens.tokens, tokens.padding, **options)
        mlc = self._classification_loss(out.logits, targets)
        if self.config.frame_head:
            real = ~out.frame_padding
            frames = mlc_loss(out.frame_logits[real], frame_targets.to(device)[real])
            return {"total": mlc + frames, "mlc": mlc.detach(), "frames": frames.detach()}
        if self.config.method != "ft2":
            return {"total": mlc, "mlc": mlc.detach()}
        mpc = contrast_over_processes(out.row_embeddings, self.config.temperature)
        return {"total": ft2_loss(mlc, mpc, self.config.alpha), "mlc": mlc.detach(), "mpc": mpc.detach()}

    def _classification_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.multi_label:
            return mlc_loss(logits, targets)
        return cross_entropy(logits, targets, self.config.label_smoothing)

    def validate(self) -> dict[str, float] | None:
        """Metrics on the held-out clips; "score" is accuracy or mAP."""
        return self.measure(self.held_out) if len(self.held_out) else None

    def measure(self, items: Sequence) -> dict[str, float]:
        """Metrics on any labelled clips, whole clips cut into windows; see `reports`."""
        self.eval()
        items = [items[i] for i in range(len(items))]
        found = predict_codes(self.classifier, [clip_inputs(self.classifier.config, i) for i in items], self.window, self.multi_label)
        probabilities = torch.stack([p.probabilities for p in found]).numpy()
        if self.multi_label:
            return multi_label_metrics(probabilities, self._targets(items).numpy())
        return classification_metrics(probabilities, np.array([self._only_label(item) for item in items]))

    def recipe(self) -> dict:
        """What a resumed run must share."""
        config = {name: value for name, value in self.config.to_dict().items() if name != "train"}
        data = {"labels": self.label_names, "n_clips": len(self.sampler.clips), "codec": self.codec["fingerprint"]}
        return {**config, **data, "start": self.start}

    def export(self, folder: Path, history: list[dict], weights: dict[str, Tensor] | None, extra: dict | None = None) -> None:
        """Write the classifier as a checkpoint folder."""
        state = weights if weights is not None else self.state_dict()
        state = {k.removeprefix("classifier."): v for k, v in state.items() if k.startswith("classifier.")}
        state = merged_state(self.classifier, state)
        model, last = self.classifier.config, history[-1] if history else {}
        config = {
            "kind": "classifier", "method": method_of(model), "model": model.to_dict(), "codec": self.codec,
            "label_names": self.label_names, "adapt": describe(self.classifier, self.config.adapt),
            "multi_label": self.multi_label, "frame_head": self.config.frame_head, "window_s": self.window / self.codec["frame_rate"],
            "recipe": self.config.to_dict(), "n_clips": len(self.sampler.clips), "steps": last.get("step", 0),
            "seconds": last.get("seconds", 0), "losses": last.get("losses", {}), "chance": self.chance,
            "validation": last.get("validation"), "scores": [], **self.card, **(extra or {}),
        }  # fmt: skip
        save_checkpoint(folder, state, config, classifier_card(config))


def _reads(config: dict) -> str:
    """What a model reads, in words."""
    model = config["model"]
    if config.get("method") == "encodecmae":
        return f"frames ({model['frames']})"
    return f"rows = {model['rows']}, {model['n_codebooks']} codebooks"


def classifier_card(config: dict) -> str:
    """Model card of a classifier, from its config.json."""
    rows = [
        f"| {s['data']} | {s['metric']} | {s['value']:.3f} | {s['spread']} | {s['chance']:.3f} | `{s['command']}` |"
        for s in config["scores"]
    ]
    table = ["| data | metric | value | spread | chance | command |", "|---|---|---|---|---|---|"]
    table += rows or ["| not measured | | | | | |"]
    return (
        f"# {config.get('title', 'A fine-tuned AudioFormer')}\n\n{config.get('about', '')}\n\n"
        f"Classes ({len(config['label_names'])}): {', '.join(config['label_names'])}.\n\n"
        f"Method {config['recipe']['method']} on {_reads(config)} of "
        f"`{config['codec']['name']}` (fingerprint {config['codec']['fingerprint']}); window {config['window_s']:.2f} s; "
        f"{config['n_clips']} coded clips, {config['steps']} steps.\n\n"
        "## Scores\n\n" + "\n".join(table) + "\n\n"
        f"## Data and licence\n\n{config.get('data', 'as given to `audioformer finetune`')}\n\n"
        f"## Limits\n\n{config.get('limits', 'Knows only its classes: any other sound still gets one of them.')}\n"
    )
