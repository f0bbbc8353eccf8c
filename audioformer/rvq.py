"""Residual vector quantisation: a vector becomes K codes, each correcting what the ones before left over.

    r_1 = z;   c_k = argmin_v |r_k - e_{k,v}|^2;   r_{k+1} = r_k - e_{k,c_k};   z_hat = sum_k e_{k,c_k}

Source: SoundStream (arXiv 2107.03312), Algorithm 1; codebooks follow running means of the vectors they win (van den
Oord et al., arXiv 1711.00937, appendix A.1), unused entries are moved onto vectors drawn from the batch.

Shapes: B clips, T frames, K codebooks, V entries each, D width, M = B * T vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


def nearest(residual: Tensor, entries: Tensor) -> Tensor:
    """(M, D) vectors to (M,) int64 numbers of the closest of (V, D) entries, by Euclidean distance.

    |r - e|^2 = |r|^2 - 2 r.e + |e|^2, and |r|^2 is the same for every entry, so it is left out. On a CPU NumPy finds
    the least of a row ten times as fast as torch, and like it takes the first of equal ones.
    """
    far = torch.addmm(entries.square().sum(1), residual, entries.T, alpha=-2)
    return torch.from_numpy(far.numpy(force=True).argmin(1)) if far.device.type == "cpu" else far.argmin(1)


def quantise(latents: Tensor, codebooks: Sequence[Tensor]) -> Tensor:
    """(B, T, D) latents to (B, K, T) codes: one after the other, each codebook (V, D) corrects what is left over."""
    residual, codes = latents.reshape(-1, latents.shape[-1]), []
    for entries in codebooks:
        codes.append(nearest(residual, entries))
        residual = residual - entries[codes[-1]]
    return torch.stack(codes).reshape(len(codes), *latents.shape[:2]).transpose(0, 1)


@dataclass
class Quantised:
    """The result of quantising a batch.

    Attributes:
        latents: (B, T, D) sum of the chosen entries; gradients pass straight through to the input.
        codes: (B, K, T) int64.
        commitment: () mean squared distance from the input to all K rows' sum; pulls the encoder to its codes.
    """

    latents: Tensor
    codes: Tensor
    commitment: Tensor


class ResidualVQ(nn.Module):
    """K codebooks of V entries, learned by running means instead of by gradient.

    Args:
        n_codebooks: K.
        codebook_size: V.
        width: D.
        decay: of the running means, per step.
        revive_below: an entry whose running count of wins falls below this is replaced.
    """

    def __init__(
        self,
        n_codebooks: int = 8,
        codebook_size: int = 1024,
        width: int = 32,
        decay: float = 0.99,
        revive_below: float = 0.15,
    ):
        super().__init__()
        self.decay, self.revive_below = decay, revive_below
        self.register_buffer("codebooks", torch.randn(n_codebooks, codebook_size, width) * 0.1)
        self.register_buffer("counts", torch.ones(n_codebooks, codebook_size), persistent=False)
        self.register_buffer("sums", self.codebooks.clone(), persistent=False)

    def quantise(self, latents: Tensor, n_codebooks: int) -> Tensor:
        """(B, T, D) latents to (B, K, T) codes, K = n_codebooks."""
        return quantise(latents, self.codebooks[:n_codebooks])

    def dequantise(self, codes: Tensor) -> Tensor:
        """(B, K, T) codes to (B, T, D) latents: the sum of the chosen entries of the first K codebooks."""
        return sum(self.codebooks[k][codes[:, k]] for k in range(codes.shape[1]))

    def forward(self, latents: Tensor, rows_kept: Tensor) -> Quantised:
        """Quantise while training: update the codebooks, let gradients through.

        Args:
            latents: (B, T, D) float32.
            rows_kept: (B,) int, 1..K: how many rows each clip's decoder sees (quantiser dropout).

        Returns:
            Quantised. All K rows learn from every clip, whatever the decoder sees.
        """
        flat = latents.detach().reshape(-1, latents.shape[-1])
        keep = rows_kept.repeat_interleave(latents.shape[1])
        residual, partial, codes = flat, torch.zeros_like(flat), []
        for k in range(self.codebooks.shape[0]):
            chosen = nearest(residual, self.codebooks[k])
            vectors = self.codebooks[k][chosen]
            if self.training:
                self._learn(residual, chosen, k)
            partial = partial + vectors * (keep > k)[:, None]
            residual = residual - vectors
            codes.append(chosen)
        full = (flat - residual).reshape(latents.shape)
        partial = partial.reshape(latents.shape)
        stacked = torch.stack(codes).reshape(len(codes), *latents.shape[:2]).transpose(0, 1)
        return Quantised(latents + (partial - latents).detach(), stacked, (latents - full).square().sum(-1).mean())

    @torch.no_grad()
    def _learn(self, residual: Tensor, chosen: Tensor, k: int) -> None:
        """Move each entry of codebook k to the running mean of the vectors it won; revive the unused."""
        size = self.codebooks.shape[1]
        counts = torch.bincount(chosen, minlength=size).to(residual.dtype)
        sums = torch.zeros_like(self.sums[k]).index_add_(0, chosen, residual)
        self.counts[k].lerp_(counts, 1 - self.decay)
        self.sums[k].lerp_(sums, 1 - self.decay)
        dead = (self.counts[k] < self.revive_below).nonzero()[:, 0]
        if len(dead):
            picked = torch.randperm(len(residual), device=residual.device)[: len(dead)]
            dead = dead[: len(picked)]
            self.counts[k][dead] = 2 * self.revive_below
            self.sums[k][dead] = residual[picked] * 2 * self.revive_below
        self.codebooks[k] = self.sums[k] / self.counts[k].clamp_min(1e-6)[:, None]

    @torch.no_grad()
    def start_from(self, latents: Tensor, n_rounds: int = 15) -> None:
        """Place the codebooks by k-means on real latents, row after row on what is left over.

        Args:
            latents: (M, D), M several times V.
            n_rounds: of Lloyd's algorithm per row.
        """
        residual = latents
        size = self.codebooks.shape[1]
        for k in range(self.codebooks.shape[0]):
            order = torch.randperm(len(residual), device=residual.device)[:size]
            entries = residual[order.repeat(-(-size // len(order)))[:size]]
            self.codebooks[k] = entries + 1e-4 * torch.randn_like(entries)
            for _ in range(n_rounds):
                chosen = nearest(residual, self.codebooks[k])
                counts = torch.bincount(chosen, minlength=size).to(residual.dtype)
                sums = torch.zeros_like(entries).index_add_(0, chosen, residual)
                means = sums / counts.clamp_min(1)[:, None]
                spare = residual[torch.randint(len(residual), (size,), device=residual.device)]
                self.codebooks[k] = torch.where(counts[:, None] > 0, means, spare)
            chosen = nearest(residual, self.codebooks[k])
            residual = residual - self.codebooks[k][chosen]
            self.counts[k] = 1.0
            self.sums[k] = self.codebooks[k]
