"""What an exercise and a question are, and in which way an answer differs from the right one.

The right answer comes from the library itself, so that the two cannot drift.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Check:
    """One exercise: what to try it on, what the library says, and hints.

    Attributes:
        cases: function without arguments giving a list of argument tuples.
        reference: the library's answer to one case.
        hint: the means, one or two sentences.
        idea: the thought alone, one sentence.
    """

    cases: Callable[[], list[tuple]]
    reference: Callable
    hint: str
    idea: str


@dataclass(frozen=True)
class Question:
    """One question of a quiz.

    Attributes:
        right: letter of the right answer.
        why: it is right.
        wrong: why each of the other letters is wrong.
    """

    right: str
    why: str
    wrong: dict[str, str]


def skeleton(code: str) -> str:
    """The shape of a solution: its names and calls, with `...` for what stands in them.

    Args:
        code: of one function.

    Example:
        >>> print(skeleton('def f(x, book): return cdist(x, book).argmin(1)'))
        def f(x, book):
            return cdist(...).argmin(...)
    """

    class Blank(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            node.args, node.keywords = [ast.Constant(...)] if node.args or node.keywords else [], []
            return node

        def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
            self.generic_visit(node)
            node.slice = ast.Constant(...)
            return node

        def visit_BinOp(self, _node: ast.BinOp) -> ast.AST:
            return ast.Constant(...)

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            node.body = [self.visit(line) for line in node.body if not _is_docstring(line)]
            return node

    return ast.unparse(ast.fix_missing_locations(Blank().visit(ast.parse(code))))


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


def difference(answer, expected) -> str:
    """The first way in which an answer differs from the right one, in words; "" if it does not.

    Args:
        answer: number, list or tensor, or list of tensors, as the learner returned it.
        expected: number or tensor.

    Example:
        >>> difference([1, 2, 9], torch.tensor([1, 2, 3]))
        'at [2]: yours 9, expected 3'
    """
    expected = torch.as_tensor(expected)
    try:
        tensors = isinstance(answer, list | tuple) and any(isinstance(one, torch.Tensor) for one in answer)
        answer = torch.stack([torch.as_tensor(one) for one in answer]) if tensors else torch.as_tensor(answer)
    except (TypeError, ValueError, RuntimeError):
        return f"yours is a {type(answer).__name__}, expected {'a number' if expected.dim() == 0 else 'a tensor'}"
    if answer.shape != expected.shape:
        return f"yours has shape {tuple(answer.shape)}, expected {tuple(expected.shape)}"
    wrong = ~torch.isclose(answer.double(), expected.double(), rtol=1e-4, atol=1e-6)
    if not wrong.any():
        return ""
    place = tuple(wrong.nonzero()[0].tolist())
    yours, right = (_short(value[place].item()) for value in (answer, expected))
    return f"{f'at {list(place)}: ' if place else ''}yours {yours}, expected {right}"


def _short(value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
