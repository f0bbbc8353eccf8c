"""What training minimises. Every loss is a scalar in nats and has a chance level to be read against.

After the model in the data path. Pre-training: `masked_code_loss`. Fine-tuning method 1: `mlc_loss` or
`cross_entropy`. Method 2 adds `multi_positive_contrastive_loss` (MPC), which pulls together the vectors of a clip's
codebook rows and pushes other clips away: `ft2_loss`.

Shapes: B clips, R rows per clip, D width, C classes, V codebook size, M predicted positions.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from audioformer.errors import AudioformerError

ANCHORS = ("row1", "all")
FORMS = ("mean_log", "log_sum", "vs_negatives")


def masked_code_loss(logits: Tensor, targets: Tensor, target_mask: Tensor | None = None) -> Tensor:
    """Surprise at the hidden codes: mean of -log p(code) over the positions to predict.

    Masked language model, BERT (arXiv 1810.04805), section 3.1; loss on masked positions only, as AudioFormer's authors
    draw it.

    Args:
        logits: (..., V + 4).
        targets: (...) int64, the true codes.
        target_mask: (...) bool, True = predict here; None = everywhere (already selected).

    Returns:
        () float, nats. A model that knows nothing gives log V: `mlm_chance`.

    Raises:
        AudioformerError: shapes disagree, or nothing to predict.

    Example:
        >>> round(masked_code_loss(torch.zeros(5, 8), torch.arange(5)).item(), 4) == round(math.log(8), 4)
        True
    """
    if logits.shape[:-1] != targets.shape or (target_mask is not None and target_mask.shape != targets.shape):
        raise AudioformerError(f"logits {tuple(logits.shape)} need targets and mask of {tuple(logits.shape[:-1])}")
    if target_mask is not None:
        logits, targets = logits[target_mask], targets[target_mask]
    if targets.numel() == 0:
        raise AudioformerError("no position to predict; mask_tokens hides at least one code per clip")
    return F.cross_entropy(logits.flatten(0, -2).float(), targets.flatten())


def mlc_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Multi-label classification: every class is its own yes-or-no question.

    Binary cross-entropy -[y log s(x) + (1 - y) log(1 - s(x))], s the logistic function, mean over clips and classes.

    Args:
        logits: (B, C).
        targets: (B, C) in [0, 1]; fractions are allowed (mixup).

    Returns:
        () float, nats. All-zero logits give log 2.

    Raises:
        AudioformerError: shapes disagree.

    Example:
        >>> mlc_loss(torch.tensor([[9.0, -9.0]]), torch.tensor([[1.0, 0.0]])) < 0.001
        tensor(True)
    """
    _same_shape(logits, targets)
    return F.binary_cross_entropy_with_logits(logits.float(), targets.float())


def cross_entropy(logits: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Single-label classification: -log p(class), mean over clips.

    Args:
        logits: (B, C).
        targets: (B,) int class numbers, or (B, C) probabilities that sum to 1 (mixup).
        label_smoothing: share of the target spread evenly over all classes, 0 to 1.

    Returns:
        () float, nats. Chance is log C.

    Raises:
        AudioformerError: shapes disagree, or a class number outside [0, C).

    Example:
        >>> cross_entropy(torch.zeros(2, 10), torch.tensor([3, 7])).exp().round()
        tensor(10.)
    """
    if targets.ndim == logits.ndim:
        _same_shape(logits, targets)
        targets = targets.to(torch.float32)
    elif targets.shape != logits.shape[:1] or targets.is_floating_point():
        raise AudioformerError(
            f"targets of shape {tuple(targets.shape)} must be (B,) integers or (B, C) for logits {tuple(logits.shape)}"
        )
    elif targets.numel() and (int(targets.min()) < 0 or int(targets.max()) >= logits.shape[1]):
        raise AudioformerError(f"class {int(targets.max())} or {int(targets.min())} is outside [0, {logits.shape[1]})")
    return F.cross_entropy(logits.float(), targets, label_smoothing=label_smoothing)


def multi_positive_contrastive_loss(
    embeddings: Tensor,
    temperature: float = 0.05,
    anchors: str = "row1",
    form: str = "mean_log",
    clips: Tensor | None = None,
) -> Tensor:
    """MPC: the vectors of one clip's rows attract each other, the vectors of all other clips repel.

    AudioFormer (arXiv 2308.07221); the similarity matrix over all (clip, row) pairs is as the authors draw it, the
    formula is our choice since they do not give it. With s = cosine / temperature, P the other rows of the anchor's
    clip, N the rows of all other clips:

        mean_log      mean over p in P of  -log( e^s_p / sum over P and N of e^s )
        log_sum       -log( sum over P of e^s / sum over P and N of e^s )
        vs_negatives  mean over p in P of  -log( e^s_p / (e^s_p + sum over N of e^s) )

    The first is supervised contrast's (Khosla et al., arXiv 2004.11362, eq. 2). In it the positives compete with each
    other, so even perfect vectors leave log(R - 1): see `mpc_floor`.

    Args:
        embeddings: (B, R, D), any length: normalised here. Row 1 is [:, 0].
        temperature: > 0, no unit; the authors use 0.05 and 0.03.
        anchors: "row1", the likely reading of the drawing (the other rows come from frozen encoders), or "all".
        form: "mean_log", "log_sum" or "vs_negatives".
        clips: (B,) int, which clip each entry is a coding of: other codings of the anchor's clip neither attract nor
            repel. None: all are different clips.

    Returns:
        () float, nats. Vectors without any structure give `mpc_chance`.

    Raises:
        AudioformerError: fewer than 2 clips or 2 rows, temperature not above 0, unknown anchors or form, other than B
            `clips`.

    Example:
        >>> clips = torch.eye(2)[:, None].expand(2, 3, 2)                  # 2 clips, 3 identical rows each
        >>> torch.isclose(multi_positive_contrastive_loss(clips), torch.tensor(math.log(2)))
        tensor(True)
    """
    _check_contrast(embeddings, temperature, anchors, form)
    n_clips, n_rows, width = embeddings.shape
    with torch.autocast(embeddings.device.type, enabled=False):  # 1 / temperature magnifies rounding errors
        unit = F.normalize(embeddings.float(), dim=-1)
        step = n_rows if anchors == "row1" else 1
        similarity = unit.flatten(0, 1)[::step] @ unit.flatten(0, 1).T / temperature  # (A, B * R)
    column = torch.arange(n_clips * n_rows, device=embeddings.device)
    anchor = column[::step, None]
    itself = column == anchor
    same_entry = column // n_rows == anchor // n_rows
    positive, left_out = same_entry & ~itself, itself
    if clips is not None:
        if clips.shape != (n_clips,):
            raise AudioformerError(
                f"clips of shape {tuple(clips.shape)} must be ({n_clips},): one number for each entry"
            )
        left_out = itself | ((clips[column // n_rows] == clips[anchor // n_rows]) & ~same_entry)
    if form == "mean_log":
        log_share = similarity.masked_fill(left_out, -torch.inf).log_softmax(-1)
        return -log_share[positive].mean()
    negatives = similarity.masked_fill(left_out | positive, -torch.inf).logsumexp(-1, keepdim=True)
    if form == "log_sum":
        positives = similarity.masked_fill(~positive, -torch.inf).logsumexp(-1, keepdim=True)
        return F.softplus(negatives - positives).mean()
    return F.softplus(negatives - similarity)[positive].mean()


def contrast_over_processes(embeddings: Tensor, temperature: float = 0.05, clips: Tensor | None = None) -> Tensor:
    """`multi_positive_contrastive_loss` over the clips of all processes together, as if one process had them all.

    Every process computes the whole loss, in which its own vectors alone carry gradient. Data-parallel training
    averages the gradients of W processes, and what is wanted is their sum, so the gradient is magnified W times; the
    value is not.

    Args:
        embeddings: (B, R, D) of this process; every process must bring as many.
        temperature: as there.
        clips: as there; (B,) of this process, on its device.

    Returns:
        () float, nats; the same value in every process. Without several processes: the plain loss.
    """
    from torch import distributed

    world = distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
    if world == 1:
        return multi_positive_contrastive_loss(embeddings, temperature, clips=clips)
    embeddings = embeddings.float().contiguous()
    parts = [torch.empty_like(embeddings) for _ in range(world)]
    distributed.all_gather(parts, embeddings.detach())
    parts[distributed.get_rank()] = embeddings
    if clips is not None:
        of_all = [torch.empty_like(clips) for _ in range(world)]
        distributed.all_gather(of_all, clips.contiguous())
        clips = torch.cat(of_all)
    loss = multi_positive_contrastive_loss(torch.cat(parts), temperature, clips=clips)
    return loss.detach() + world * (loss - loss.detach())


def ft2_loss(mlc: Tensor, mpc: Tensor, alpha: float = 0.8) -> Tensor:
    """Fine-tuning method 2: alpha * MLC + (1 - alpha) * MPC.

    The authors' runs use alpha = 0.8 (temperature 0.05) and 0.97 (0.03); what alpha multiplies is our reading.

    Args:
        mlc: () classification loss, nats.
        mpc: () contrastive loss, nats.
        alpha: share of the classification loss, 0 to 1.

    Returns:
        () float, nats.

    Raises:
        AudioformerError: alpha outside [0, 1].
    """
    if not 0 <= alpha <= 1:
        raise AudioformerError(f"alpha={alpha} must lie in [0, 1]; the authors use 0.8 and 0.97")
    return alpha * mlc + (1 - alpha) * mpc


def mlm_chance(codebook_size: int) -> float:
    """Log V, the masked_code_loss of holding every code for equally likely, nats."""
    return math.log(codebook_size)


def mlc_chance(n_classes: int, multi_label: bool) -> float:
    """The classification loss of knowing nothing, nats: log C for one label a clip, log 2 for each class on its own.

    Example:
        >>> round(mlc_chance(10, multi_label=False), 3)
        2.303
    """
    return math.log(2 if multi_label else n_classes)


def mpc_chance(n_clips: int, n_rows: int, form: str = "mean_log") -> float:
    """The contrastive loss when all similarities are equal, nats; log(B R - 1) for form "mean_log".

    Args:
        n_clips: B.
        n_rows: R.
        form: as in `multi_positive_contrastive_loss`.

    Returns:
        The value to beat.

    Example:
        >>> mpc_chance(16, 3) == math.log(47)
        True
    """
    _known("form", form, FORMS)
    n_negatives = n_rows * (n_clips - 1)
    if form == "mean_log":
        return math.log(n_rows - 1 + n_negatives)
    return math.log1p(n_negatives / (n_rows - 1)) if form == "log_sum" else math.log1p(n_negatives)


def mpc_floor(n_rows: int, form: str = "mean_log") -> float:
    """The least the contrastive loss can be, nats: log(R - 1) for "mean_log" (0.693 for 3 rows), 0 for the others."""
    _known("form", form, FORMS)
    return math.log(n_rows - 1) if form == "mean_log" else 0.0


def _same_shape(logits: Tensor, targets: Tensor) -> None:
    if logits.shape != targets.shape:
        raise AudioformerError(f"targets of shape {tuple(targets.shape)} must fit logits {tuple(logits.shape)}")


def _known(what: str, value: str, allowed: tuple) -> None:
    if value not in allowed:
        raise AudioformerError(f"{what}={value!r} must be one of {', '.join(allowed)}")


def _check_contrast(embeddings: Tensor, temperature: float, anchors: str, form: str) -> None:
    if embeddings.ndim != 3 or embeddings.shape[0] < 2 or embeddings.shape[1] < 2:
        raise AudioformerError(
            f"embeddings of shape {tuple(embeddings.shape)} must be (clips, rows, width) with at least 2 clips and "
            "2 rows: contrast needs another row of the clip and another clip"
        )
    if not temperature > 0:
        raise AudioformerError(f"temperature={temperature} must be above 0; the authors use 0.05")
    _known("anchors", anchors, ANCHORS)
    _known("form", form, FORMS)
