"""Adapting a frozen model with few learned numbers: linear layer, biases, adapters, low-rank updates, or everything.

| name | what learns beside the classifier's linear layers | source |
|---|---|---|
| linear | nothing | |
| bias | every bias | BitFit, arXiv 2106.10199 |
| adapter | after each sub-layer x: x + up(gelu(down(x))), `up` starts at 0 | Houlsby et al. 2019, arXiv 1902.00751 |
| lora | W + scale / rank * up @ down for each matrix of a block, `up` starts at 0 | LoRA, arXiv 2106.09685 |
| full | everything | |

Each starts as the model it adapts. LoRA ends as plain weights: a checkpoint holds the sums, nothing has to know.
Adapters stay layers of their own, which `rebuild` puts in place before the weights are read.

LoRA is computed here rather than by the library peft, which renames the weights inside a checkpoint; given the same
numbers, peft 0.21 has the same logits and gradients to rounding.

Between classifier and fine-tuning. D width, R rank, A width of an adapter.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from audioformer.classifier import Classifier
from audioformer.errors import AudioformerError
from audioformer.recipes import AdaptConfig


class LowRank(nn.Module):
    """W to W + scale / R * up @ down, computed whenever the weight is used.

    Args:
        weight: (out, in), whose shape it takes.
        rank: R.
        scale: see above.
    """

    def __init__(self, weight: Tensor, rank: int, scale: float):
        super().__init__()
        self.factor = scale / rank
        self.down = nn.Parameter(torch.empty(rank, weight.shape[1], device=weight.device))
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank, device=weight.device))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """(out, in) to (out, in)."""
        return weight + self.factor * (self.up @ self.down)


class Adapted(nn.Module):
    """A linear layer and the adapter behind it.

    Args:
        linear: D outputs.
        width: A.
    """

    def __init__(self, linear: nn.Linear, width: int):
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.out_features, width)
        self.up = nn.Linear(width, linear.out_features)
        nn.init.normal_(self.down.weight, std=0.02)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, hidden: Tensor) -> Tensor:
        """(..., in) to (..., D)."""
        out = self.linear(hidden)
        return out + self.up(F.gelu(self.down(out)))


def adapt(classifier: Classifier, config: AdaptConfig) -> None:
    """Freeze what does not learn and insert what does. Rows that are frozen already stay as they are.

    Args:
        classifier: changed in place; its answers stay the same. Adapters that it has learn on.
        config: what learns.

    Raises:
        AudioformerError: it has adapters of another width than those asked for.
    """
    if config.name == "full":
        return
    for encoder in classifier.backbone.encoders:
        if not any(parameter.requires_grad for parameter in encoder.parameters()):
            continue
        encoder.requires_grad_(False)
        if config.name == "bias":
            for name, parameter in encoder.named_parameters():
                parameter.requires_grad_(name.endswith("bias"))
        elif config.name == "adapter":
            _learn_adapters(encoder, config.width, classifier.backbone.sub_layer_ends)
        elif config.name == "lora":
            for _, linear in list(_matrices(encoder)):
                parametrize.register_parametrization(
                    linear, "weight", LowRank(linear.weight, config.rank, config.scale)
                )


def rebuild(model: nn.Module, about: dict) -> None:
    """Give a fresh classifier, or the backbone of one, the layers that its checkpoint has weights for.

    Args:
        model: changed in place.
        about: the checkpoint's config.json.
    """
    adapted, backbone = about.get("adapt", {}), getattr(model, "backbone", model)
    for row in adapted.get("encoders", ()):
        _insert_adapters(backbone.encoders[row], adapted["width"], backbone.sub_layer_ends)


def describe(classifier: Classifier, config: AdaptConfig) -> dict:
    """What config.json says of an adaptation: its settings, where adapters are, learned numbers and all numbers."""
    found = {k: adapters for k, encoder in enumerate(classifier.backbone.encoders) if (adapters := _adapters(encoder))}
    width = next((adapters[0].down.out_features for adapters in found.values()), config.width)
    return {**config.to_dict(), "width": width, "encoders": list(found), **counts(classifier)}


def counts(module: nn.Module) -> dict[str, int]:
    """{"trainable": learned numbers, "parameters": all of them}."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in module.parameters()]
    return {"trainable": sum(n for n, learns in sizes if learns), "parameters": sum(n for n, _ in sizes)}


def merged_state(classifier: Classifier, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of an adapted classifier with every low-rank update added to its weight.

    Args:
        classifier: adapted; not changed.
        state: its state, or an average of its states.

    Returns:
        State of the classifier as it was before `adapt`, but for adapters, which stay.
    """
    merged = dict(state)
    for name, module in classifier.named_modules(remove_duplicate=False):
        if parametrize.is_parametrized(module, "weight"):
            parts = f"{name}.parametrizations.weight."
            original, up, down = (merged.pop(parts + part) for part in ("original", "0.up", "0.down"))
            merged[f"{name}.weight"] = original + module.parametrizations.weight[0].factor * (up @ down)
    return merged


def _matrices(encoder: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    """Linear layers inside the encoder's blocks; one that several blocks share comes once."""
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Linear) and "blocks." in name:
            yield name, module


def _adapters(encoder: nn.Module) -> list[Adapted]:
    return [module for module in encoder.modules() if isinstance(module, Adapted)]


def _learn_adapters(encoder: nn.Module, width: int, sub_layer_ends: tuple[str, ...]) -> None:
    """New adapters in a frozen encoder, or those it has."""
    there = _adapters(encoder)
    for adapter in there:
        if adapter.down.out_features != width:
            told = f"the model has adapters of width {adapter.down.out_features} already"
            raise AudioformerError(
                f"{told}, asked for are {width}: continue with --set adapt.width={adapter.down.out_features}"
            )
        adapter.down.requires_grad_(True)
        adapter.up.requires_grad_(True)
    if not there:
        _insert_adapters(encoder, width, sub_layer_ends)


def _insert_adapters(encoder: nn.Module, width: int, sub_layer_ends: tuple[str, ...]) -> None:
    for name, linear in list(_matrices(encoder)):
        if name.endswith(sub_layer_ends):
            parent, _, last = name.rpartition(".")
            setattr(encoder.get_submodule(parent), last, Adapted(linear, width).to(linear.weight.device))
