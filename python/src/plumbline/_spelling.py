"""Finds the word that was meant by one that is not known."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any

# Names of element types in Python, where the contract has its own.
_TYPES = {
    "bfloat16": "BF16",
    "float16": "F16",
    "fp16": "F16",
    "half": "F16",
    "float32": "F32",
    "fp32": "F32",
    "float": "F32",
    "float64": "F64",
    "fp64": "F64",
    "double": "F64",
    "float8e4m3fn": "F8_E4M3",
    "e4m3": "F8_E4M3",
    "fp8": "F8_E4M3",
    "float8e5m2": "F8_E5M2",
    "e5m2": "F8_E5M2",
    "tensorfloat32": "TF32",
}


def suggest(word: object, known: Iterable[str]) -> str:
    """Returns what a message ends with: `; did you mean "scale"?`, or nothing where no word is near."""
    if not isinstance(word, str) or len(word) > 64:
        return ""
    letters = {_plain(k): k for k in known}
    plain = _plain(word)
    meant = letters.get(plain) or letters.get(_plain(_TYPES.get(plain.removeprefix("torch"), "")))
    if meant is None:
        near = difflib.get_close_matches(plain, letters, n=1, cutoff=0.6)
        meant = letters[near[0]] if near else None
    return f'; did you mean "{meant}"?' if meant else ""


def _plain(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum())


def show(value: object) -> str:
    """Writes a value for a message: as JSON where it is some, escaped, cut to what fits a line."""
    try:
        text = json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError):
        text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def shape_text(shape: Iterable[Any]) -> str:
    """Writes a shape as messages and the catalogue have it: [2,45,4,128]."""
    return "[" + ",".join(str(n) for n in shape) + "]"
