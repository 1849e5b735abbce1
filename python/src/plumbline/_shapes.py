"""Binds the letters of a catalogue's shapes to the lengths of axes."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from plumbline._catalogue import Attr, Tensor
from plumbline._errors import RecordingError
from plumbline._spelling import shape_text


class Letters:
    """The letters that are known, each with what says it."""

    def __init__(self, attrs: Mapping[str, Attr], given: Mapping[str, Any]) -> None:
        self.known: dict[str, Fraction] = {}
        self.origin: dict[str, str] = {}
        for name, attr in attrs.items():
            value = given.get(name, attr.default)
            if attr.letter and value is not None:
                self._from_attr(attr, value)

    def _from_attr(self, attr: Attr, value: Any) -> None:
        pairs = {attr.letter: value}
        if attr.kind == "pair":
            pairs = {f"{attr.letter}{i}": n for i, n in enumerate(value)}
        for letter, n in pairs.items():
            self.known[letter] = Fraction(n)
            self.origin[letter] = f"attribute {attr.name}"

    def bind(self, what: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
        """Compares a shape with the declared one: the first axis that names a letter binds it."""
        declared = tensor.shape
        if tensor.other_shape is not None and len(tensor.other_shape) == len(shape):
            declared = tensor.other_shape
        if len(declared) != len(shape):
            want = shape_text(tensor.shape)
            if tensor.other_shape is not None:
                want = f"{shape_text(tensor.other_shape)} or {want}"
            raise RecordingError(f"{what}: shape {shape_text(shape)}, want {len(declared)} axes {want}")
        for expression, length in zip(declared, shape, strict=True):
            self._axis(what, declared, shape, expression, length)

    def _axis(self, what: str, declared: tuple[str, ...], shape: tuple[int, ...], expression: str, length: int) -> None:
        if expression.isidentifier() and expression not in self.known:
            self.known[expression] = Fraction(length)
            self.origin[expression] = f"{what.partition(': ')[2]} of shape {shape_text(shape)}"
            return
        want = self._value(ast.parse(expression, mode="eval").body)
        if want == length:
            return
        text = f"{what}: shape {shape_text(shape)}, want {shape_text(declared)} with {expression} = "
        if expression in self.known:
            raise RecordingError(f"{text}{want} from {self.origin[expression]}")
        names = sorted({n.id for n in ast.walk(ast.parse(expression)) if isinstance(n, ast.Name)})
        origins = (f"{name} = {self.known[name]} from {self.origin[name]}" for name in names if name in self.known)
        raise RecordingError(f"{text}{want}: {', '.join(origins)}".removesuffix(": "))

    def _value(self, node: ast.expr) -> Fraction | None:
        """Evaluates an expression of letters; None where one is not known yet, which equals nothing."""
        match node:
            case ast.Constant(value=int(n)):
                return Fraction(n)
            case ast.Name(id=letter):
                return self.known.get(letter)
            case ast.Call(func=ast.Name(id="ceil"), args=[inner]):
                value = self._value(inner)
                return None if value is None else Fraction(math.ceil(value))
            case ast.BinOp(left=left, op=operator, right=right):
                return _combine(operator, self._value(left), self._value(right))
        raise AssertionError(f"shape of the catalogue: {ast.dump(node)}")


def _combine(operator: ast.operator, left: Fraction | None, right: Fraction | None) -> Fraction | None:
    if left is None or right is None:
        return None
    match operator:
        case ast.Add():
            return left + right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
    raise AssertionError(f"shape of the catalogue: {ast.dump(operator)}")
