"""The ops that can be judged, read from the catalogue that Plumbline writes for programs."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from plumbline._errors import CommandError, RecordingError
from plumbline._spelling import suggest

REQUIRED = "required"


@dataclass(frozen=True)
class Tensor:
    """An input or an output: its shape has an expression of letters for each axis."""

    name: str
    shape: tuple[str, ...]
    doc: str
    other_shape: tuple[str, ...] | None = None
    axes: tuple[str, ...] = ()
    integer: bool = False
    optional: bool = False
    any: bool = False


@dataclass(frozen=True)
class Attr:
    """An attribute: a convention of the call, with its default or what its absence means."""

    name: str
    kind: str
    doc: str
    default: Any = None
    missing: str = ""
    choices: tuple[str, ...] = ()
    letter: str = ""


@dataclass(frozen=True)
class Key:
    """A key of the declared arithmetic."""

    name: str
    kind: str
    default: str
    doc: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Op:
    """One entry of the catalogue."""

    name: str
    doc: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    attrs: Mapping[str, Attr]
    arithmetic: Mapping[str, Key]
    sides: tuple[str, ...] = ()
    mistakes: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


def ops() -> Mapping[str, Op]:
    """Returns the catalogue: every op that can be judged, by its name."""
    return _ops()


def op(name: str) -> Op:
    """Returns the op of that name, and raises an error with the one that was meant where there is none."""
    known = ops()
    if name not in known:
        raise RecordingError(f'no op "{str(name)[:60]}"{suggest(name, known)} (plumbline.ops() has all {len(known)})')
    return known[name]


@functools.lru_cache(maxsize=1)
def _ops() -> Mapping[str, Op]:
    try:
        text = resources.files("plumbline").joinpath("_built", "ops.json").read_text(encoding="utf-8")
    except OSError as e:
        raise CommandError(f"the catalogue is missing from this installation of plumbline: {e}") from e
    return {entry["name"]: _op(entry) for entry in json.loads(text)["ops"]}


def _op(entry: Mapping[str, Any]) -> Op:
    return Op(
        name=entry["name"],
        doc=entry["doc"],
        inputs=_named(Tensor, entry["inputs"]),
        outputs=_named(Tensor, entry["outputs"]),
        attrs=_named(Attr, entry["attrs"]),
        arithmetic=_named(Key, entry["arithmetic"]),
        sides=tuple(entry.get("sides", ())),
        mistakes=tuple(entry["mistakes"]),
    )


def _named(kind: Any, entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns entries of the catalogue by name. Keys that a later catalogue may add are passed over."""
    known = kind.__dataclass_fields__
    made = {}
    for e in entries:
        fields = {k: tuple(v) if isinstance(v, list) and k != "default" else v for k, v in e.items() if k in known}
        made[e["name"]] = kind(**fields)
    return made
