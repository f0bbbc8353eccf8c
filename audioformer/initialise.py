"""Weights to start from, other than random: a codec's codebooks, or a RoFormer of Hugging Face's transformers.

Beside the data path, used by model and tests. Shapes: K codebook rows, V codebook size, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from audioformer.encoder import INIT_STD, Encoder, MLMHead
from audioformer.errors import AudioformerError


def codebook_vectors(codebooks: Tensor, d_model: int, same_scale: bool, seed: int = 0) -> Tensor:
    """Carry a codec's codebook vectors into D dimensions by one fixed random projection with orthonormal directions.

    First each row's mean vector is taken out and each of the codec's dimensions divided by its spread over all rows, so
    that level, which varies most, does not drown the rest. Distances between what remains survive the projection (exactly
    where D is no smaller than the codec's width). The result has the standard deviation of fresh embeddings.

    Args:
        codebooks: (K, V, D_codec).
        d_model: D.
        same_scale: one scale for all rows, so that later, finer rows stay smaller; False = each row its own.
        seed: of the projection.

    Returns:
        (K, V, D) float32 on the CPU.
    """
    vectors = codebooks.detach().float().cpu()
    vectors = vectors - vectors.mean(1, keepdim=True)
    vectors = vectors / vectors.var(1).sum(0).sqrt().clamp_min(1e-12)
    width = vectors.shape[2]
    noise = torch.randn(max(width, d_model), min(width, d_model), generator=torch.Generator().manual_seed(seed))
    basis = torch.linalg.qr(noise).Q
    projected = vectors @ (basis if width > d_model else basis.T)
    power = projected.square().mean() if same_scale else projected.square().mean((1, 2), keepdim=True)
    return projected * INIT_STD / power.sqrt().clamp_min(1e-12)


@torch.no_grad()
def load_hf_roformer_state(encoder: Encoder, head: MLMHead | None, state: dict[str, Tensor]) -> None:
    """Copy the weights of Hugging Face's `RoFormerForMaskedLM` into one of our encoders and its head.

    Args:
        encoder: same width, layers, heads and vocabulary, norm="post"; rows other than "summed".
        head: receives the prediction head; None to leave it out.
        state: `RoFormerForMaskedLM(...).state_dict()`.

    Raises:
        AudioformerError: a weight is missing or of another shape.

    For AudioFormer `model` and row k, with rows="separate": encoder `model.encoders[k]`, head `model.heads[k]`.
    """
    ours = {f"encoder.{k}": v for k, v in encoder.named_parameters()}
    if head is not None:
        ours |= {f"head.{k}": v for k, v in head.named_parameters()}
    for name, parameter in ours.items():
        sources = hf_names(name)
        missing = [source for source in sources if source not in state]
        if missing:
            raise AudioformerError(f"{missing[0]} is not in the state; needed: a RoFormerForMaskedLM as deep as ours")
        value = torch.cat([state[source] for source in sources])
        if name == "encoder.embeddings.row_table.weight":
            value = value[: len(parameter)]  # RoFormer has two token types and uses the first
        if value.shape != parameter.shape:
            sizes = f"{tuple(value.shape)}, ours is {tuple(parameter.shape)}"
            raise AudioformerError(f"{sources[0]} is {sizes}; build both models with the same sizes")
        parameter.copy_(value)


def hf_names(name: str) -> list[str]:
    """Hugging Face's name(s) of one of our weights; three for query, key and value, which we keep in one matrix.

    Args:
        name: "encoder." + parameter name in Encoder, or "head." + parameter name in MLMHead.

    Returns:
        Names in the state dict of RoFormerForMaskedLM, to be concatenated.

    Example:
        >>> hf_names("encoder.blocks.1.expand.bias")
        ['roformer.encoder.layer.1.intermediate.dense.bias']
    """
    for ours, theirs in HF_NAMES.items():
        name = name.replace(ours, theirs)
    return [name.replace("qkv", part) for part in ("query", "key", "value")] if "qkv" in name else [name]


HF_NAMES = {  # applied in order
    "encoder.embeddings.tables.0": "roformer.embeddings.word_embeddings",
    "encoder.embeddings.row_table": "roformer.embeddings.token_type_embeddings",
    "encoder.embeddings.norm": "roformer.embeddings.LayerNorm",
    "encoder.blocks": "roformer.encoder.layer",
    "attention.qkv": "attention.self.qkv",
    "attention.out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "expand": "intermediate.dense",
    "contract": "output.dense",
    "feed_forward_norm": "output.LayerNorm",
    "head.dense": "cls.predictions.transform.dense",
    "head.norm": "cls.predictions.transform.LayerNorm",
    "head.bias": "cls.predictions.bias",
}
