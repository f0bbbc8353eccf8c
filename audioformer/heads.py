"""Heads that guess hidden codes: hidden vectors become a score for every token.

After the encoder in the data path, in pre-training alone: classifiers do without.

Source: BERT, arXiv 1810.04805. Shapes: B clips, S positions, D width, V codebook size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audioformer.config import EncoderConfig
from audioformer.encoder import NORM_EPS, init_weights

BESIDE = 4  # positions on either side that the frame decoder sees


class MLMHead(nn.Module):
    """Hidden vectors to a score for every token: linear, GELU, LayerNorm, then the token embeddings, transposed.

    Args:
        config: d_model and vocabulary size.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.dense = nn.Linear(config.d_model, config.d_model)
        self.norm = nn.LayerNorm(config.d_model, NORM_EPS)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary_size))
        self.apply(init_weights)

    def forward(self, hidden: Tensor, table: Tensor) -> Tensor:
        """Score the vocabulary.

        Args:
            hidden: (..., D).
            table: (V + 4, D), the very embedding that the input side uses ("tied").

        Returns:
            (..., V + 4) logits.
        """
        return F.linear(self.norm(F.gelu(self.dense(hidden))), table, self.bias)


class FrameDecoder(nn.Module):
    """Vectors of groups to one vector for every position, for the heads that guess codes; classifiers do without.

    Group vector + vector of the place in the group + a convolution over the embeddings of single frames, then
    LayerNorm. The embeddings are of what the model sees: of a hidden code there is nothing in them but MASK.

    Args:
        config: d_model, and subsampling, the positions in a group.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.factor, d_model = config.subsampling, config.d_model
        self.place = nn.Embedding(self.factor, d_model)
        # each feature on its own
        self.beside = nn.Conv1d(d_model, d_model, 2 * BESIDE + 1, padding=BESIDE, groups=d_model)
        self.mix = nn.Linear(d_model, d_model)
        self.norm = nn.LayerNorm(d_model, NORM_EPS)

    def forward(self, groups: Tensor, embedded: Tensor, padding: Tensor | None, wanted: Tensor | None = None) -> Tensor:
        """Spread out.

        Args:
            groups: (B, S, D) every position's group, from `Subsampling.spread`.
            embedded: (B, S, D) embeddings of the single positions.
            padding: (B, S) bool, True = PAD; None = none.
            wanted: (B, W) int64, the only positions of use; None = all.

        Returns:
            (B, W, D), W = S unless some are wanted.
        """
        if padding is not None:
            embedded = embedded.masked_fill(padding[..., None], 0)
        beside = self.beside(embedded.transpose(1, 2)).transpose(1, 2)
        place = torch.arange(groups.shape[1], device=groups.device).expand(len(groups), -1) % self.factor
        if wanted is not None:
            index = wanted[..., None].expand(-1, -1, groups.shape[-1])
            groups, beside, place = groups.gather(1, index), beside.gather(1, index), place.gather(1, wanted)
        return self.norm(groups + self.place(place) + self.mix(F.gelu(beside)))
