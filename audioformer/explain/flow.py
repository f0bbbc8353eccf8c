"""From codes to a label, step by step, with the numbers of one clip: what a classifier computes, nothing left out.

`trace` follows one window through the model and keeps every number. `arithmetic` takes out one step at one moment as
what it is: a matrix times a vector, plus a bias, and a function behind it. Nearly all of a transformer is that.

    codes -> tokens -> vectors (summed, LayerNorm) -> [joined] -> blocks -> mean over positions -> logits -> label

Source: Vaswani et al., arXiv 1706.03762, section 3; the layout of the blocks is encoder.py's, and tests hold each
number here against it.

Shapes: K codebook rows, J rows added per frame (K for rows="summed", else 1), T frames, S = T + 2 positions, N
positions that the blocks see (S, or groups of them with subsampling), D width, L blocks, H heads, d = D / H, F
feed-forward units, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.attention import rotate
from audioformer.classifier import Classifier
from audioformer.encoder import Block, Encoder
from audioformer.errors import AudioformerError
from audioformer.model import AudioFormer, mean_pool

BLOCK_STEPS = ("query", "key", "value", "fit", "mix", "out", "units", "back")
STEPS = ("vectors", "join", *BLOCK_STEPS, "mean", "label")


@dataclass(frozen=True)
class BlockTrace:
    """What one block computed.

    Attributes:
        before: (N, D) what came in.
        read: (N, D) what attention reads: `before`, or its LayerNorm in a "pre" block.
        plain: (3, H, N, d) queries, keys and values as the matrices give them.
        turned: (3, H, N, d) the same after the rotary turn of queries and keys.
        scores: (H, N, N) query of position i times key of position j over sqrt(d).
        weights: (H, N, N) their softmax; rows sum to 1.
        heads: (H, N, d) values added up by these weights.
        attended: (N, D) the heads' results, mixed by a matrix.
        middle: (N, D) after `attended` was added.
        fed: (N, D) what the feed-forward units read.
        units: (N, F) their activations, after GELU.
        back: (N, D) what they add.
        after: (N, D) what goes out.
    """

    before: Tensor
    read: Tensor
    plain: Tensor
    turned: Tensor
    scores: Tensor
    weights: Tensor
    heads: Tensor
    attended: Tensor
    middle: Tensor
    fed: Tensor
    units: Tensor
    back: Tensor
    after: Tensor


@dataclass(frozen=True)
class Trace:
    """One window's way through a classifier.

    Attributes:
        tokens: (J, S) int64, BOA and EOA included.
        looked_up: (J, S, D) the vector of each token.
        row_vector: (D,) that is added to all.
        embedded: (S, D) their sum after LayerNorm.
        to_join: (P, D) what the last joining convolution reads; None without subsampling.
        joined: (N, D) what the blocks read.
        group: positions that were joined into one; 1 without subsampling.
        blocks: L.
        hidden: (N, D) what the last block gives, after the final LayerNorm of a "pre" model.
        shares: (N,) share of each position in the mean.
        row_means: (R, D) mean over positions of each row's pass that the label hangs on.
        row: whose pass this is, from 0.
        mean: (D,) the clip's vector.
        bins: (C,) what time bins add to the logits; zeros without them.
        logits: (C,).
    """

    tokens: Tensor
    looked_up: Tensor
    row_vector: Tensor
    embedded: Tensor
    to_join: Tensor | None
    joined: Tensor
    group: int
    blocks: list[BlockTrace]
    hidden: Tensor
    shares: Tensor
    row_means: Tensor
    row: int
    mean: Tensor
    bins: Tensor
    logits: Tensor

    def position(self, frame: int) -> int:
        """The position, as the blocks count, of a frame of the window."""
        return (frame + 1) // self.group


@dataclass(frozen=True)
class Step:
    """One step at one moment: output = matrix @ vector + bias, and result = then(output).

    Attributes:
        matrix: (O, I).
        vector: (I,).
        bias: (O,).
        output: (O,).
        then: the function behind it, in words; "" for none.
        result: (O,).
    """

    matrix: Tensor
    vector: Tensor
    bias: Tensor
    output: Tensor
    then: str
    result: Tensor


@torch.no_grad()
def trace(classifier: Classifier, codes: Tensor, row: int = 0) -> Trace:
    """Follow one window of a clip through a classifier.

    Args:
        classifier: an AudioFormer's, in evaluation mode.
        codes: (K, T) of one window.
        row: whose pass, from 0, for a model with rows="shared"; others have one pass only.

    Returns:
        Trace, on the CPU.

    Raises:
        AudioformerError: the model is of another method, has no such row, or the window is too long for it.

    Example:
        >>> import audioformer as af
        >>> clf = af.load("esc10")
        >>> codes = torch.zeros(8, 375, dtype=torch.long)
        >>> torch.allclose(trace(clf.classifier, codes).mean, clf.classify_codes(codes).embedding, atol=1e-4)
        True
    """
    backbone, config = classifier.backbone, classifier.config
    if not isinstance(backbone, AudioFormer):
        raise AudioformerError(f"a model of the method {config.method} has other steps; take an AudioFormer checkpoint")
    n_passes = config.n_codebooks if config.rows == "shared" else 1
    if not 0 <= row < n_passes:
        raise AudioformerError(f"row={row} must be from 0 to {n_passes - 1}: rows={config.rows!r} has no other pass")
    device = next(classifier.parameters()).device
    tokens = classifier.collate([torch.as_tensor(codes)]).tokens.to(device)
    read = tokens[0, : config.n_codebooks] if config.rows == "summed" else tokens[0, row : row + 1]
    encoder, passes = backbone.encoders[0], [0] if config.rows == "separate" else None
    whole = backbone(tokens, rows=passes).hidden
    row_means = mean_pool(whole)[0]
    mean = row_means.mean(0)
    frames = whole.mean(1)[:, backbone.frame_slice]
    beyond = torch.zeros(frames.shape[:2], dtype=torch.bool, device=device)
    bins = mean.new_zeros(classifier.head.out_features)
    if classifier.head_of_bins is not None:
        bins = classifier.bin_logits(frames, beyond).sum(1)[0]
    return Trace(
        tokens=read,
        **_encoded(encoder, read, row),
        row_means=row_means,
        row=row,
        mean=mean,
        bins=bins,
        logits=classifier.head(mean) + bins,
    )


def _encoded(encoder: Encoder, tokens: Tensor, row: int) -> dict:
    """The part of a Trace that an encoder computes."""
    tables = encoder.embeddings
    looked_up = torch.stack([table(line) for table, line in zip(tables.tables, tokens, strict=True)])
    row_vector = tables.row_table.weight[min(row, len(tables.row_table.weight) - 1)]
    embedded = tables.norm(looked_up.sum(0) + row_vector)
    to_join, joined, group = None, embedded, 1
    if encoder.subsampling is not None:
        group = encoder.subsampling.factor
        to_join, joined = _joined(encoder, embedded)
    hidden, blocks = joined, []
    for block in encoder.blocks:
        blocks.append(_through(block, hidden, encoder.rotary[:, : len(hidden)]))
        hidden = blocks[-1].after
    held = torch.arange(len(embedded)) // group
    shares = torch.bincount(held, minlength=len(joined)).to(embedded) / len(embedded)
    return {
        "looked_up": looked_up,
        "row_vector": row_vector,
        "embedded": embedded,
        "to_join": to_join,
        "joined": joined,
        "group": group,
        "blocks": blocks,
        "hidden": encoder.final_norm(hidden),
        "shares": shares,
    }


def _joined(encoder: Encoder, embedded: Tensor) -> tuple[Tensor, Tensor]:
    """What the last joining convolution reads (P, D), and the (N, D) that comes out."""
    hidden = F.pad(embedded, (0, 0, 0, -len(embedded) % encoder.subsampling.factor))
    real = torch.arange(len(hidden)) < len(embedded)
    for convolution in encoder.subsampling.convolutions:
        read = hidden * real[:, None]
        hidden, real = F.gelu(convolution(read.T[None])[0].T), real[::2]
    return read, encoder.subsampling.norm(hidden)


def _through(block: Block, before: Tensor, table: Tensor) -> BlockTrace:
    """(N, D) through one block, every number kept."""
    look = block.attention
    read = block.attention_norm(before) if block.pre_norm else before
    plain = look.qkv(read).unflatten(-1, (3, look.n_heads, look.head_dim)).permute(1, 2, 0, 3)
    value = rotate(plain[2], table) if look.rotary_value else plain[2]
    turned = torch.stack([rotate(plain[0], table), rotate(plain[1], table), value])
    scores = (turned[0] * look.head_dim**-0.5) @ turned[1].transpose(-1, -2)
    weights = scores.softmax(-1)
    heads = weights @ turned[2]
    attended = look.out(heads.transpose(0, 1).flatten(1))
    middle = before + attended if block.pre_norm else block.attention_norm(before + attended)
    fed = block.feed_forward_norm(middle) if block.pre_norm else middle
    units = F.gelu(block.expand(fed))
    back = block.contract(units)
    after = middle + back if block.pre_norm else block.feed_forward_norm(middle + back)
    return BlockTrace(before, read, plain, turned, scores, weights, heads, attended, middle, fed, units, back, after)


@torch.no_grad()
def arithmetic(
    classifier: Classifier, trace: Trace, name: str, position: int, block: int = 0, head: int = 0, multi_label=False
) -> Step:
    """One step at one position, as a product.

    Args:
        classifier: that was traced.
        trace: of one window.
        name: one of STEPS; "join" only with subsampling.
        position: from 0 to N - 1, as the blocks count; of "vectors" from 0 to S - 1.
        block: from 0, for the steps of a block.
        head: from 0, for its attention.
        multi_label: what turns logits into probabilities: a logistic function for each label instead of one softmax.

    Returns:
        Step.

    Raises:
        AudioformerError: no such step, position, block or head.
    """
    places = len(trace.embedded) if name == "vectors" else len(trace.joined)
    n_heads = classifier.config.n_heads
    if name not in STEPS or (name == "join" and trace.to_join is None):
        raise AudioformerError(f"step={name!r} must be one of {', '.join(STEPS)}; join only with subsampling")
    if not (0 <= position < places and 0 <= block < len(trace.blocks) and 0 <= head < n_heads):
        raise AudioformerError(
            f"position={position}, block={block}, head={head}: there are {places}, {len(trace.blocks)}, {n_heads}"
        )
    if name in BLOCK_STEPS:
        layer = classifier.backbone.encoders[0].blocks[block]
        return _detached(_of_block(layer, trace.blocks[block], name, position, head))
    return _detached(_outside_blocks(classifier, trace, name, position, multi_label))


def _detached(step: Step) -> Step:
    """The same numbers, without the way back to the weights."""
    return replace(step, **{name: value.detach() for name, value in vars(step).items() if name != "then"})


def _outside_blocks(classifier: Classifier, trace: Trace, name: str, position: int, multi_label: bool) -> Step:
    """A step before or after the blocks."""
    if name == "vectors":
        matrix = trace.looked_up[:, position].T
        ones, output = torch.ones(matrix.shape[1]), matrix.sum(1) + trace.row_vector
        return Step(matrix, ones, trace.row_vector, output, "LayerNorm", trace.embedded[position])
    if name == "join":
        convolution = classifier.backbone.encoders[0].subsampling.convolutions[-1]
        padded = F.pad(trace.to_join, (0, 0, 1, 1))[2 * position : 2 * position + convolution.kernel_size[0]]
        matrix = convolution.weight.transpose(1, 2).flatten(1)
        output = matrix @ padded.flatten() + convolution.bias
        return Step(matrix, padded.flatten(), convolution.bias, output, "GELU, LayerNorm", trace.joined[position])
    if name == "mean":
        mean = trace.hidden.T @ trace.shares
        return Step(trace.hidden.T, trace.shares, torch.zeros_like(mean), mean, "", mean)
    bias = classifier.head.bias + trace.bins
    p = trace.logits.sigmoid() if multi_label else trace.logits.softmax(-1)
    then = "logistic function" if multi_label else "softmax"
    return Step(classifier.head.weight, trace.mean, bias, trace.logits, then, p)


def _of_block(layer: Block, made: BlockTrace, name: str, i: int, head: int) -> Step:
    """One step of a block at position i."""
    look, d = layer.attention, layer.attention.head_dim
    if name in ("query", "key", "value"):
        which = ("query", "key", "value").index(name)
        first = which * look.n_heads * d + head * d
        matrix, bias = look.qkv.weight[first : first + d], look.qkv.bias[first : first + d]
        turns = which < 2 or look.rotary_value
        return Step(
            matrix,
            made.read[i],
            bias,
            made.plain[which, head, i],
            "turned by its position" if turns else "",
            made.turned[which, head, i],
        )
    if name == "fit":
        keys, query = made.turned[1, head], made.turned[0, head, i] * d**-0.5
        zeros = torch.zeros(len(keys))
        return Step(keys, query, zeros, made.scores[head, i], "softmax", made.weights[head, i])
    if name == "mix":
        mixed = made.heads[head, i]
        return Step(made.turned[2, head].T, made.weights[head, i], torch.zeros_like(mixed), mixed, "", mixed)
    if name == "out":
        vector = made.heads[:, i].flatten()
        return _added(look.out, vector, made.attended[i], layer, made.middle[i])
    if name == "units":
        output = layer.expand(made.fed[i])
        return Step(layer.expand.weight, made.fed[i], layer.expand.bias, output, "GELU", made.units[i])
    return _added(layer.contract, made.units[i], made.back[i], layer, made.after[i])


def _added(linear, vector: Tensor, output: Tensor, layer: Block, result: Tensor) -> Step:
    """A step whose output is added to what came in; what an adapter behind the matrix adds counts as bias."""
    inner = getattr(linear, "linear", linear)
    then = "added to what came in" if layer.pre_norm else "added to what came in, LayerNorm"
    return Step(inner.weight, vector, output - inner.weight @ vector, output, then, result)
