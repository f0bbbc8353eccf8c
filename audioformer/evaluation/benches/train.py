"""How fast a masked-language-model step is, beside Hugging Face's RoFormer with the same sizes, weights, batch, loss.

    audioformer bench train

Both learn with AdamW (fused) and clipped gradients, each in 32 bits and under bfloat16 autocast, turn and turn about in
one run; medians over steps. Beside them stands what the processor could do at most: the matrix products of each one's
step against the matrix rate measured in the same run. What ours saves: the last block and the logits are computed at
hidden positions only, the attention is fused (in 32 bits), the dropout draws fewer random bits.

Shapes: B clips, S positions, V codebook size.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from audioformer.codecs.encodec_files import torchaudio_or_stand_in
from audioformer.config import EncoderConfig, MaskConfig
from audioformer.encoder import Encoder
from audioformer.errors import AudioformerError
from audioformer.evaluation.benches import machine, row
from audioformer.evaluation.benches.encode import matrix_rate
from audioformer.heads import MLMHead
from audioformer.masking import mask_tokens
from audioformer.model import AudioFormer
from audioformer.optim import make_optimizer
from audioformer.pretrain import mlm_loss
from audioformer.recipes import preset
from audioformer.tokens import wrap

SIZES = EncoderConfig(d_model=256, n_layers=6, n_heads=4, d_ff=1024, n_codebooks=1)  # 5.1 million weights
BATCH, POSITIONS = 8, 376
RATE, IGNORED = 1e-4, -100


@dataclass
class Rival:
    """A model with its optimiser and the loss of one batch."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Callable[[], Tensor]

    def step(self, bf16: bool) -> tuple[float, float]:
        """One step of training: (seconds, loss in nats)."""
        started = time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = self.loss()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return time.perf_counter() - started, float(loss.detach())


def bench_train(
    sizes: EncoderConfig = SIZES,
    batch: int = BATCH,
    positions: int = POSITIONS,
    n_steps: int = 8,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Measure.

    Args:
        sizes: of both models; one row.
        batch: B.
        positions: S, BOA and EOA included.
        n_steps: measured steps of each, after one that is not.
        progress: called with what is being measured.

    Returns:
        The benchmark. "ours" and "peer" are tokens per second; "loss" and "loss_peer" the first step's losses without
        dropout (nats), which agree because both start from the same weights; then the best setting of each; last the
        matrix rate's limit in 32 and in 16 bits, with the arithmetic of a token, "gflop" and "gflop_peer".

    Raises:
        AudioformerError: transformers is not installed.
    """
    table, best = [], {"ours": 0.0, "peer": 0.0}
    for bf16, name in ((False, "fp32"), (True, "bf16 autocast")):
        if progress:
            progress(name)
        ours, theirs = rivals(sizes, batch, positions, dropout=0.0)
        losses = {"loss": ours.step(bf16)[1], "loss_peer": theirs.step(bf16)[1]}
        ours, theirs = rivals(sizes, batch, positions, dropout=sizes.dropout)
        times = [(ours.step(bf16)[0], theirs.step(bf16)[0]) for _ in range(n_steps + 1)][1:]
        fast, slow = (batch * positions / statistics.median(one) for one in zip(*times, strict=True))
        best = {"ours": max(best["ours"], fast), "peer": max(best["peer"], slow)}
        table.append(row(f"MLM step, {name}", fast, "tokens/s", slow, **losses))
    table.append(row("MLM step, best of each", best["ours"], "tokens/s", best["peer"], loss=None, loss_peer=None))
    work = [gigaflops(rival) / (batch * positions) for rival in (ours, theirs)]
    for dtype, name in ((torch.float32, "fp32"), (torch.bfloat16, "bf16")):
        rate = matrix_rate(dtype=dtype)
        limits = {"gflop": work[0], "gflop_peer": work[1], "gflops": rate, "loss": None, "loss_peer": None}
        table.append(
            row(f"limit in {name}: nothing but matrix products", rate / work[0], "tokens/s", rate / work[1], **limits)
        )
    n_weights = sum(p.numel() for p in ours.model.parameters())
    about = {
        "n_weights": n_weights,
        "batch": batch,
        "positions": positions,
        "n_steps": n_steps,
        "dropout": sizes.dropout,
    }
    return {"name": "train", **about, "machine": machine(), "rows": table}


def gigaflops(rival: Rival) -> float:
    """Matrix products of one step, forward and back, 1e9 operations."""
    with (
        FlopCounterMode(display=False) as counter,
        sdpa_kernel(SDPBackend.MATH),
    ):  # the counter does not know the CPU's fused kernel
        rival.step(bf16=False)
    return counter.get_total_flops() / 1e9


def rivals(sizes: EncoderConfig, batch: int, positions: int, dropout: float) -> tuple[Rival, Rival]:
    """Ours and Hugging Face's with the same weights, before the same batch."""
    theirs = hugging_face(sizes, dropout)
    ours = AudioFormer(sizes.with_changes(dropout=dropout))
    load_hf_roformer_state(ours.encoders[0], ours.heads[0], theirs.state_dict())
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, sizes.codebook_size, (batch, 1, positions - 2), generator=generator)
    truth = wrap(codes, None, sizes.codebook_size)
    masked, hidden = mask_tokens(truth, MaskConfig(), generator)
    labels = truth.tokens.masked_fill(~hidden, IGNORED)[:, 0]
    fused = torch.optim.AdamW(theirs.parameters(), RATE, fused=True)
    return (
        Rival(
            ours.train(),
            make_optimizer(ours, RATE, 0.01),
            lambda: mlm_loss(ours, truth.tokens, truth.padding, masked, hidden).loss,
        ),
        Rival(theirs.train(), fused, lambda: theirs(input_ids=masked[:, 0], labels=labels).loss),
    )


def hugging_face(sizes: EncoderConfig, dropout: float) -> nn.Module:
    """A fresh RoFormerForMaskedLM of the same sizes.

    Raises:
        AudioformerError: transformers is not installed.
    """
    try:
        with torchaudio_or_stand_in():  # transformers will not import beside a torchaudio that does not load
            from transformers import RoFormerConfig, RoFormerForMaskedLM
    except ImportError as error:
        raise AudioformerError(
            f'the peer of this benchmark is not installed ({error}); run `pip install "audioformer[dev]"`'
        ) from error
    torch.manual_seed(0)
    return RoFormerForMaskedLM(
        RoFormerConfig(
            vocab_size=sizes.vocabulary_size,
            hidden_size=sizes.d_model,
            num_hidden_layers=sizes.n_layers,
            num_attention_heads=sizes.n_heads,
            intermediate_size=sizes.d_ff,
            max_position_embeddings=sizes.max_positions,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=sizes.attention_dropout,
            pad_token_id=sizes.codebook_size,
        )
    )


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


def run(arguments: argparse.Namespace, show: Callable[[str], None]) -> dict:
    """Measure with the options of the command line."""
    sizes = SIZES if arguments.preset == "default" else preset("test", n_codebooks=1)
    return bench_train(sizes, arguments.batch, max(3, arguments.positions), arguments.steps, show)


COLUMNS = {
    "case": "case",
    "ours (tokens/s)": "ours",
    "Hugging Face": "peer",
    "ratio": "ratio",
    "loss (nats)": "loss",
    "theirs": "loss_peer",
}
