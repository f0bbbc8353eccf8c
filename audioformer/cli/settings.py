"""`--set train.n_steps=200`: single settings of a preset, with the types of its dataclasses."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args, get_origin, get_type_hints

from audioformer.errors import AudioformerError, check_names

EXPECTED = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def override(config: Any, changes: Sequence[str]) -> Any:
    """A copy of a (nested) configuration with some values changed.

    Args:
        config: frozen dataclass, its fields plain values or dataclasses.
        changes: "name=value" or "part.name=value".

    Returns:
        Configuration of the same class, checked by its own rules.

    Raises:
        AudioformerError: no "=", an unknown name (the nearest are given), a value of another type or out of range.

    Example:
        >>> from audioformer.config import MaskConfig
        >>> override(MaskConfig(), ["span=15"]).span
        15
    """
    texts: dict[str, str] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise AudioformerError(f"--set {change}: expected name=value, e.g. --set train.n_steps=200")
        texts[name.strip()] = text.strip()
    check_names(texts, list(names_of(config)), "--set")
    return _replaced(config, texts, "")


def names_of(config: Any, prefix: str = "") -> dict[str, Any]:
    """Every setting by its full name."""
    settings: dict[str, Any] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        settings |= names_of(value, f"{prefix}{field.name}.") if is_dataclass(value) else {prefix + field.name: value}
    return settings


def _replaced(config: Any, texts: dict[str, str], prefix: str) -> Any:
    hints = get_type_hints(type(config)) if any(prefix + field.name in texts for field in fields(config)) else {}
    changes = {}
    for field in fields(config):
        name, value = prefix + field.name, getattr(config, field.name)
        if is_dataclass(value):
            changes[field.name] = _replaced(value, texts, name + ".")
        elif name in texts:
            changes[field.name] = parse(name, texts[name], hints[field.name])
    return replace(config, **changes)


def parse(name: str, text: str, hint: Any) -> Any:
    """Text to a value of a field's type.

    Raises:
        AudioformerError: it is none.
    """
    if get_origin(hint) is tuple:
        return tuple(parse(name, part, get_args(hint)[0]) for part in text.split(",") if part.strip())
    kinds = get_args(hint) if isinstance(hint, types.UnionType) or get_origin(hint) is not None else (hint,)
    if type(None) in kinds and text.lower() in ("none", "null", ""):
        return None
    kind = next(kind for kind in kinds if kind is not type(None))
    try:
        if kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError):
        raise AudioformerError(f"--set {name}={text}: {name} takes {EXPECTED.get(kind, kind.__name__)}") from None


def add_set(parser) -> None:
    """The option --set."""
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=(
            "change one setting of the preset, e.g. --set train.n_steps=200; may be repeated; a wrong name lists the "
            "nearest"
        ),
    )
