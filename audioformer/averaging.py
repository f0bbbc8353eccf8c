"""A running mean of the weights, kept beside the model being trained; it is smoother and often better than the last ones.

Used by the training loop. Source: Polyak and Juditsky, SIAM J. Control Optim. 30 (1992) 838; exponential as usual today.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential running mean of all floating-point state, kept beside the model being trained.

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
        for key, value in module.state_dict().items():
            if value.is_floating_point():
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
