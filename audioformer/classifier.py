"""The classifier: AudioFormer, a mean over positions and one linear layer.

The last model in the data path. Source: AudioFormer (arXiv 2308.07221), fine-tuning methods 1 and 2 as drawn by its
authors. A mean knows what sounds but not when: our option `time_bins` also reads the clip's beginning, middle and end
one by one, a temporal pyramid (spatial pyramids: Lazebnik et al., CVPR 2006), by a clock that a learned gate lets run.
Shapes: B clips, K codebook rows, R rows encoded, T frames, S positions (T + 2, with BOA and EOA), D width, C classes, G
time bins.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audioformer.config import Config
from audioformer.encoder import init_weights
from audioformer.errors import AudioformerError
from audioformer.methods import build
from audioformer.model import Backbone, mean_pool


@dataclass
class ClassifierOutput:
    """What a classifier says about a batch.

    Attributes:
        logits: (B, C) for the whole clip.
        embedding: (B, D) the clip's vector, which the logits are linear in (without time bins).
        frame_logits: (B, T, C) if asked for.
        frame_padding: (B, T) bool, True = beyond the clip's end, with frame_logits.
        row_embeddings: (B, R, D) if asked for: each row's vector, for the contrastive loss.
    """

    logits: Tensor
    embedding: Tensor
    frame_logits: Tensor | None = None
    frame_padding: Tensor | None = None
    row_embeddings: Tensor | None = None


class Classifier(nn.Module):
    """AudioFormer, mean over positions, one linear layer (fine-tuning method 1; method 2 adds a loss, not a layer).

    It reads row 1 if rows="separate" (the authors'), the mean of the rows' vectors if "shared", all rows if "summed".
    The model of another method (methods.py) takes AudioFormer's place if the configuration is one of its own.

    Args:
        config: shape of the model.
        n_classes: C.
        frame_head: a second linear layer for class scores per frame (events with times).
        time_bins: G; with more than one, each G-th of the clip adds to its logits through weights of its own. A gate
            learns which frames count as time, so that a pause before a word does not push it into later bins.
    """

    def __init__(self, config: Config, n_classes: int, frame_head: bool = False, time_bins: int = 1):
        super().__init__()
        if n_classes < 1 or time_bins < 1:
            raise AudioformerError(f"n_classes={n_classes} and time_bins={time_bins} must be at least 1")
        self.config = config
        self.backbone = build(config, heads=False)
        self.head = nn.Linear(config.d_model, n_classes)
        self.frame_head = nn.Linear(config.d_model, n_classes) if frame_head else None
        self.head_of_bins = nn.Linear(time_bins * config.d_model, n_classes, bias=False) if time_bins > 1 else None
        self.gate = nn.Linear(config.d_model, 1) if time_bins > 1 else None
        self.apply(init_weights)

    @classmethod
    def from_pretrained(
        cls, model: Backbone, n_classes: int, frame_head: bool = False, time_bins: int = 1
    ) -> Classifier:
        """A classifier with a copy of a pre-trained model's encoders and a fresh head."""
        classifier = cls(model.config, n_classes, frame_head, time_bins)
        encoders = copy.deepcopy(model.encoders).to(classifier.head.weight.device)  # with adapters, where it has some
        classifier.backbone.encoders = encoders.requires_grad_(True).train()
        return classifier

    def collate(self, clips: Sequence):
        """Clips as this model reads them, to the batch that it takes; see `Backbone.collate`."""
        return self.backbone.collate(clips)

    def forward(
        self, tokens: Tensor, padding: Tensor | None = None, need_frames: bool = False, need_rows: bool = False
    ) -> ClassifierOutput:
        """Classify clips.

        The clip's vector is a mean over positions and the heads are linear, so without a frame head the clip's logits
        are the mean of the same heads' logits at every position: `frame_logits` shows where a decision comes from.

        Args:
            tokens: (B, K, S) int64, of `collate`.
            padding: (B, S) bool, True = PAD; None = none.
            need_frames: also give logits per frame, from the frame head if there is one.
            need_rows: also give every row's vector, frozen rows without gradient (method 2).

        Returns:
            ClassifierOutput.

        Raises:
            AudioformerError: need_rows with one vector per clip, or any reason of the backbone.
        """
        if need_rows and self.config.rows not in ("separate", "shared"):
            raise AudioformerError(
                f"rows={self.config.rows!r} has one vector per clip; FT2 (MPC) needs rows='separate' or 'shared'"
            )
        only_first = self.config.rows == "separate"
        hidden = self.backbone(tokens, padding, [0] if only_first and not need_rows else None).hidden  # (B, R, S, D)
        rows = mean_pool(hidden, padding)
        embedding = rows[:, 0] if only_first else rows.mean(1)
        output = ClassifierOutput(self.head(embedding), embedding, row_embeddings=rows if need_rows else None)
        if not need_frames and self.head_of_bins is None:
            return output
        if padding is None:
            padding = torch.zeros(tokens.shape[0], tokens.shape[2], dtype=torch.bool, device=tokens.device)
        beyond = self.backbone.frame_padding(padding)  # (B, T)
        frames = (hidden[:, 0] if only_first else hidden.mean(1))[:, self.backbone.frame_slice]  # (B, T, D)
        of_bins = None if self.head_of_bins is None else self.bin_logits(frames, beyond)
        if of_bins is not None:
            output.logits = output.logits + of_bins.sum(1)
        if need_frames:
            output.frame_logits, output.frame_padding = (self.frame_head or self.head)(frames), beyond
            if of_bins is not None and self.frame_head is None:
                n_positions = (~padding).sum(1)[:, None, None]  # the clip's logits are a mean over so many
                output.frame_logits = output.frame_logits + of_bins * n_positions
        return output

    def bin_logits(self, frames: Tensor, beyond: Tensor) -> Tensor:
        """(B, T, D) vectors to (B, T, C).

        What each frame adds to the clip's logits through the bins that it lies in.
        """
        frames = frames.float()
        counts = self.gate(frames)[..., 0].sigmoid() * ~beyond  # (B, T)
        weights = bin_weights(counts, self.head_of_bins.in_features // self.config.d_model)  # (B, T, G)
        matrices = self.head_of_bins.weight.unflatten(1, (-1, self.config.d_model))  # (C, G, D)
        return torch.einsum("btd,btg,cgd->btc", frames, weights, matrices)


def bin_weights(counts: Tensor, time_bins: int) -> Tensor:
    """How much each frame counts in the mean of each time bin: G overlapping triangles, spread evenly over a clip.

    Args:
        counts: (B, T) float, how much of a frame counts as time, 0 to 1; 0 beyond the clip's end.
        time_bins: G.

    Returns:
        (B, T, G) float32, summing to 1 over the T frames; to 0 for a bin that no frame of a very short clip lies in.

    Example:
        >>> bin_weights(torch.tensor([[1.0, 1.0, 1.0, 0.0]]), 2)[0].T     # three frames, one of padding
        tensor([[0.6250, 0.3750, 0.0000, 0.0000],
                [0.0000, 0.3750, 0.6250, 0.0000]])
    """
    until = counts.cumsum(1)
    place = (until - counts / 2) / until[:, -1:].clamp_min(1e-6)  # (B, T) a frame's middle in the clip, 0 to 1
    centres = (torch.arange(time_bins, device=counts.device) + 0.5) / time_bins
    weights = (1 - (place[..., None] - centres).abs() * time_bins).clamp_min(0) * counts[..., None]
    return weights / weights.sum(1, keepdim=True).clamp_min(1e-6)
