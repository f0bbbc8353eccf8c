"""Optimiser and learning-rate schedule.

The paper's are not known; ours: AdamW with betas (0.9, 0.98), weight decay on matrices only, linear warm-up, then
cosine.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.98)  # of AdamW
LOWEST_RATE = 0.01  # where the cosine ends, as a share of the peak


def make_optimizer(
    model: nn.Module, learning_rate: float, weight_decay: float, head_factor: float = 1.0, betas: tuple = BETAS
) -> torch.optim.AdamW:
    """AdamW whose weight decay spares biases, norms and embeddings' 1-D companions.

    Args:
        model: parameters with requires_grad are taken.
        learning_rate: peak, per step.
        weight_decay: for tensors of two or more dimensions.
        head_factor: parameters whose name starts with "head" or holds ".head" learn this many times faster: the linear
            layer that names the clip, or the heads that guess codes. A frame head learns as fast as the rest; it has a
            target a frame.
        betas: decays of the running means of gradient and squared gradient.

    Returns:
        AdamW with each group's peak rate kept in `peak_lr`.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_head = name.startswith("head") or ".head" in name
            groups.setdefault((parameter.dim() >= 2, is_head), []).append(parameter)
    settings = [
        {
            "params": parameters,
            "weight_decay": weight_decay if decays else 0.0,
            "lr": learning_rate * (head_factor if is_head else 1.0),
            "peak_lr": learning_rate * (head_factor if is_head else 1.0),
        }
        for (decays, is_head), parameters in groups.items()
    ]
    return torch.optim.AdamW(settings, betas=betas, fused=True)  # one pass over memory instead of a dozen


def schedule_factor(
    step: int, n_steps: int, warm_up_share: float, kind: str = "cosine", lowest: float = LOWEST_RATE
) -> float:
    """Learning rate at a step as a share of its peak.

    Args:
        step: from 0.
        n_steps: in all.
        warm_up_share: share of the steps that rise linearly.
        kind: "cosine" falls to `lowest`, "constant" stays.
        lowest: share of the peak at the end.

    Returns:
        In (0, 1].
    """
    warm_up = max(1, round(warm_up_share * n_steps))
    if step < warm_up:
        return (step + 1) / warm_up
    if kind == "constant":
        return 1.0
    progress = min(1.0, (step - warm_up) / max(1, n_steps - warm_up))
    return lowest + (1 - lowest) * 0.5 * (1 + math.cos(math.pi * progress))


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Give every group `factor` times its peak; returns the largest rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak_lr"] * factor
    return max(group["lr"] for group in optimizer.param_groups)


class WeightAverage:
    """Exponential running mean of the parameters, kept beside the model being trained; buffers are those of now.

    Args:
        module: whose state is averaged.
        decay: 0 switches it off.
    """

    def __init__(self, module: nn.Module, decay: float):
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in module.state_dict().items()} if decay else None

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Mix in the weights of now; the first steps count more, so that the start is forgotten."""
        if self.state is None:
            return
        decay = min(self.decay, (1 + step) / (10 + step))
        learned = {name for name, _ in module.named_parameters(remove_duplicate=False)}
        for key, value in module.state_dict().items():
            if key in learned:
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)


class other_weights:  # noqa: N801 - reads as what it does in `with`
    """Context: run with other weights, then put the live ones back."""

    def __init__(self, module: nn.Module, state: dict[str, Tensor] | None):
        self.module, self.state = module, state

    def __enter__(self):
        if self.state is not None:
            self.live = {k: v.detach().clone() for k, v in self.module.state_dict().items()}
            self.module.load_state_dict(self.state)

    def __exit__(self, *exc):
        if self.state is not None:
            self.module.load_state_dict(self.live)
