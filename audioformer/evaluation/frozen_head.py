"""A classifier from a few examples in seconds: the frozen model reads each once, then its last layer learns.

    task = FrozenHead(quick("probe"), load_start("pretrained"), items, ["dog", "keys"], describe_codec(codec))
    for done in task.listen(): ...
    for record in train(task, task.config.train): ...
    task.export(folder, None, None)

`FineTuning` with method "probe" learns the same layer from crops that it reads again at every step. Here nothing is
cropped or hidden, so nothing changes from step to step, and a step costs a product of two small matrices.

Shapes: n examples, D width, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from audioformer.data.batches import batch_indices
from audioformer.errors import AudioformerError
from audioformer.finetune import FineTuning
from audioformer.losses import cross_entropy
from audioformer.model import Backbone
from audioformer.optim import other_weights
from audioformer.predict import predict_codes
from audioformer.recipes import HIDDEN_RUN, FinetuneConfig, TrainConfig

HEAD_STEPS, FULL_STEPS = 120, 40
SMOOTHING = 0.1  # of the labels: a few examples must not make anybody certain


def quick(method: str, n_examples: int = 8, crop_s: float = 5.0, seed: int = 0) -> FinetuneConfig:
    """A recipe for a handful of examples.

    Args:
        method: "probe", the last layer alone, or "ft1", everything.
        n_examples: a batch is never larger.
        crop_s: window of the finished classifier, seconds.
        seed: of order, crops and the fresh layer.

    Raises:
        AudioformerError: another method.
    """
    if method == "probe":
        steps = TrainConfig(
            n_steps=HEAD_STEPS, batch_size=max(1, n_examples), learning_rate=0.01, weight_decay=0.1, seed=seed
        )
        return FinetuneConfig(steps, method="probe", crop_s=crop_s, min_crop_s=crop_s, label_smoothing=SMOOTHING)
    steps = TrainConfig(
        n_steps=FULL_STEPS, batch_size=min(8, max(1, n_examples)), learning_rate=2e-4, head_factor=5.0, seed=seed
    )
    hide = {"token_mask": 0.1, "token_span": HIDDEN_RUN}
    return FinetuneConfig(steps, method=method, crop_s=crop_s, min_crop_s=crop_s / 2, label_smoothing=SMOOTHING, **hide)


class FrozenHead(FineTuning):
    """Learn the last layer on vectors that are computed once.

    Args:
        config: with method "probe".
        model: whose vectors are read; copied.
        clips: items with `.codes` and one `.labels` entry each, or several with `.weights` where clips were mixed.
        label_names: C of them.
        codec: of `prepare.describe_codec`.
        held_out: as in FineTuning.
        card: as in FineTuning.

    Raises:
        AudioformerError: another method, clips that the model cannot read, or a clip with another number of labels.
    """

    def __init__(
        self,
        config: FinetuneConfig,
        model: Backbone,
        clips: Sequence,
        label_names: Sequence[str],
        codec: dict,
        held_out: Sequence = (),
        card: dict | None = None,
    ):
        if config.method != "probe":
            raise AudioformerError(
                f"method={config.method!r}: a frozen model's last layer is learnt with method 'probe'"
            )
        super().__init__(config, model, clips, label_names, False, codec, held_out, card)
        self.vectors = torch.zeros(0, model.config.d_model)
        self.targets = self._targets([clips[i] for i in range(len(clips))])
        self.mean, self.scale = torch.zeros(model.config.d_model), torch.ones(model.config.d_model)
        super().train(False)  # no dropout, now or later: `train` below leaves it so

    def listen(self) -> Iterator[int]:
        """Read every example, yielding how many are read; call once, before training."""
        vectors = []
        for item in self.sampler.clips:
            inputs = self.classifier.backbone.inputs(item)
            vectors.append(predict_codes(self.classifier, [inputs], self.window, False)[0].embedding)
            yield len(vectors)
        self.vectors = torch.stack(vectors)
        self.mean = self.vectors.mean(0)
        # one scale for all: a feature that hardly varies must not get weights so large that 16 bits cannot hold them
        self.scale = self.vectors.std(0, correction=0).square().mean().sqrt().clamp_min(1e-4).expand_as(self.mean)

    def train(self, mode: bool = True) -> FrozenHead:  # noqa: ARG002 - the loop says it before every step
        """Nothing here behaves differently in training: the frozen model stays in evaluation mode."""
        return self

    def batch(self, step: int, micro_step: int = 0, rank: int = 0, world: int = 1) -> tuple[Tensor, Tensor]:
        """(B, D) vectors, centred and scaled, and (B,) classes, or (B, C) weights of classes."""
        if not len(self.vectors):
            raise AudioformerError("no example has been read yet; go through listen() before training")
        drawn = batch_indices(len(self.vectors), self.config.train.batch_size, step, self.config.train.seed)
        mine = torch.from_numpy(drawn[self.sampler.places(micro_step, rank, world)])
        return (self.vectors[mine] - self.mean) / self.scale, self.targets[mine]

    def forward(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Losses, nats: "mlc" and "total", the same."""
        vectors, targets = batch
        head = self.classifier.head
        loss = cross_entropy(
            head(vectors.to(head.weight.device)), targets.to(head.weight.device), self.config.label_smoothing
        )
        return {"total": loss, "mlc": loss.detach()}

    def folded(self, state: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Weights whose layer reads raw vectors: centring and scaling are in it. The task itself stays as it is.

        Args:
            state: weights of this task, e.g. averaged ones; None: the live ones.
        """
        state = dict(self.state_dict() if state is None else state)
        weight = state["classifier.head.weight"] / self.scale.to(state["classifier.head.weight"])
        bias = state["classifier.head.bias"] - weight @ self.mean.to(weight)
        return state | {"classifier.head.weight": weight, "classifier.head.bias": bias}

    def measure(self, items: Sequence) -> dict[str, float]:
        """As in FineTuning, with the layer that the checkpoint gets."""
        with other_weights(self, self.folded()):
            return super().measure(items)

    def export(
        self, folder: Path, last: dict | None, weights: dict[str, Tensor] | None, extra: dict | None = None
    ) -> None:
        """Write the classifier as a checkpoint folder.

        Raises:
            AudioformerError: the folder cannot be written.
        """
        super().export(folder, last, self.folded(weights), extra)
