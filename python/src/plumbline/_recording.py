"""Makes recordings: one call of one kernel, checked against the catalogue."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import math
import os
import platform
import re
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumbline import _catalogue
from plumbline._catalogue import REQUIRED, Attr, Key, Op, Tensor
from plumbline._errors import RecordingError
from plumbline._shapes import Letters
from plumbline._spelling import show, suggest
from plumbline._tensors import FLOATS, SIZES, Source, Stored, take

OUTPUT = "out."


@dataclass(frozen=True)
class Recording:
    """One call of one kernel. Tensors have their names in the file: outputs begin with `out.`."""

    op: str
    tensors: Mapping[str, Stored]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    arithmetic: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None  # where it was written, if it was

    def to_bytes(self) -> bytes:
        """Returns the recording as a safetensors file."""
        return b"".join(self._parts())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the recording. A file of that name is replaced when the new one is whole."""
        path = Path(path)
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            with part.open("xb") as file:  # with the permissions of any file that the user makes
                file.writelines(self._parts())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return path

    def _parts(self) -> Iterable[bytes]:
        """Yields the file piece by piece. The widest types come first, so that each is aligned."""
        metadata = {"plumbline": "1", "op": self.op}
        objects = {"attrs": self.attrs, "arithmetic": self.arithmetic, "provenance": self.provenance}
        metadata |= {key: _json(value) for key, value in objects.items() if value}
        ordered = sorted(self.tensors.items(), key=lambda named: -SIZES[named[1].dtype])
        header: dict[str, Any] = {"__metadata__": metadata}
        offset = 0
        for name, x in ordered:
            header[name] = {"dtype": x.dtype, "shape": x.shape, "data_offsets": [offset, offset + len(x.data)]}
            offset += len(x.data)
        text = _json(header).encode()
        text += b" " * (-len(text) % 8)
        yield len(text).to_bytes(8, "little")
        yield text
        for _, x in ordered:
            yield x.data


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def save_unused(made: Recording, folder: Path, stems: Iterable[str]) -> Path:
    """Writes a recording into a folder, which is made, under the first name that no other process has taken."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem in stems:
        path = folder / f"{stem}.safetensors"
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        try:
            return made.save(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    raise RecordingError(f"{folder}: every name is taken")


def record(
    op: str,
    inputs: Mapping[str, Any],
    outputs: Any,
    attrs: Mapping[str, Any] | None = None,
    arithmetic: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Recording:
    """Makes a recording of one call of a kernel, and writes it where a path is given.

    Tensors are those of PyTorch, NumPy or JAX, of any stride and on any device, and are taken bit
    by bit; integers and masks may be lists of Python as well. Outputs are a mapping, or one tensor:
    then it is the first output of the op. A mapping without outputs makes a request, which a kernel
    is still to be run on. Names, shapes and values are checked against the catalogue; what is wrong
    raises a RecordingError. Provenance says who made it with what, and what is given of it goes
    before what is found out; None leaves a key out.
    """
    entry = _catalogue.op(op)
    attrs = _object("attrs", attrs)
    checked = {name: _attr(entry, name, value) for name, value in attrs.items()}
    _demand_attrs(entry, checked)
    declared = _arithmetic(entry, _object("arithmetic", arithmetic))
    _demand_keys(entry, declared)
    tensors = _inputs(entry, inputs) | _outputs(entry, outputs)
    _check_shapes(entry, checked, tensors)
    origin = _provenance([x.source for x in tensors.values()], _object("provenance", provenance))
    made = Recording(entry.name, tensors, checked, declared, origin, Path(path) if path is not None else None)
    if made.path is not None:
        made.save(made.path)
    return made


def _object(what: str, value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RecordingError(f"{what}: a {type(value).__name__}, want a mapping of names to values")
    return value


def _unknown(entry: Op, kind: str, name: object, known: Iterable[str], given: Iterable[object]) -> RecordingError:
    """Says that an op has no such name. One that is given as well cannot have been meant by it."""
    known = list(known)
    listed = f"it has {', '.join(known)}" if known else "it has none"
    meant = name.removeprefix(OUTPUT) if isinstance(name, str) else name
    near = suggest(meant, [k for k in known if k not in set(given)])
    return RecordingError(f"{entry.name} has no {kind} {show(name)}: {listed}{near}")


def _inputs(entry: Op, inputs: Mapping[str, Any]) -> dict[str, Stored]:
    if not isinstance(inputs, Mapping):
        raise RecordingError(f"inputs: a {type(inputs).__name__}, want a mapping of names to tensors")
    given = {name: x for name, x in inputs.items() if x is not None}
    for name in given:
        if name not in entry.inputs:
            raise _unknown(entry, "input", name, entry.inputs, given)
    for tensor in entry.inputs.values():
        if not tensor.optional and tensor.name not in given:
            raise RecordingError(f"{entry.name}: input {tensor.name} is missing: {tensor.doc}, {_want(tensor)}")
    taken = {name: _take(f"{entry.name}: input {name}", entry.inputs[name], x) for name, x in given.items()}
    return {name: taken[name] for name in entry.inputs if name in taken}  # as the catalogue has them


def _outputs(entry: Op, outputs: Any) -> dict[str, Stored]:
    if not isinstance(outputs, Mapping):
        outputs = {next(iter(entry.outputs)): outputs}
    given: dict[str, Any] = {}
    for name, x in outputs.items():
        short = name.removeprefix(OUTPUT) if isinstance(name, str) else name
        if short not in entry.outputs:
            raise _unknown(entry, "output", name, entry.outputs, (str(n).removeprefix(OUTPUT) for n in outputs))
        if short in given:
            raise RecordingError(f"{entry.name}: output {short} is given twice, with {OUTPUT} before it and without")
        if x is not None:
            given[short] = x
    taken = {name: _take(f"{entry.name}: output {name}", entry.outputs[name], x) for name, x in given.items()}
    return {OUTPUT + name: taken[name] for name in entry.outputs if name in taken}


def _want(tensor: Tensor) -> str:
    shape = ",".join(tensor.shape)
    return f"[{shape}] of {'any type' if tensor.any else 'integers' if tensor.integer else 'floating-point numbers'}"


def _take(what: str, tensor: Tensor, x: Any) -> Stored:
    """Takes a tensor and checks that it is of a kind that the op takes."""
    stored = take(what, x, listed=tensor.integer or tensor.any)
    if not tensor.any and (stored.dtype in FLOATS) == tensor.integer:
        raise RecordingError(f"{what}: type {stored.dtype}, want {_want(tensor)}")
    return stored


def _check_shapes(entry: Op, attrs: Mapping[str, Any], tensors: Mapping[str, Stored]) -> None:
    letters = Letters(entry.attrs, attrs)
    for name, x in tensors.items():
        if name.startswith(OUTPUT):
            short = name.removeprefix(OUTPUT)
            letters.bind(f"{entry.name}: output {short}", entry.outputs[short], x.shape)
        else:
            letters.bind(f"{entry.name}: input {name}", entry.inputs[name], x.shape)


# --- attributes and declared arithmetic


def _attr(entry: Op, name: str, value: Any) -> Any:
    """Returns an attribute as JSON has it, checked."""
    if name not in entry.attrs:
        raise _unknown(entry, "attribute", name, entry.attrs, ())
    attr = entry.attrs[name]
    checked = CHECKS[attr.kind](attr, _plain(value))
    if checked is _WRONG:
        raise RecordingError(f"{entry.name}: attribute {name}: {show(value)}, want {_words(attr)}{_near(attr, value)}")
    return checked


_WRONG: Any = object()


def _plain(value: Any) -> Any:
    """Returns the number of a NumPy or PyTorch scalar, and anything else as it is."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return item()
    return value


def _number(attr: Attr, value: Any) -> Any:
    del attr
    ok = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if ok else _WRONG


def _whole(attr: Attr, value: Any) -> Any:
    least = 0 if attr.kind == "count" else -(2**31 - 1)
    ok = _number(attr, value) is not _WRONG and value == int(value) and least <= value <= 2**31 - 1
    return int(value) if ok else _WRONG


def _flag(attr: Attr, value: Any) -> Any:
    del attr
    return value if isinstance(value, bool) else _WRONG


def _choice(attr: Attr, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # 2 for "2"
    return value if isinstance(value, str) and value in attr.choices else _WRONG


def _pair(attr: Attr, value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return _WRONG
    both = [_whole(attr, _plain(n)) for n in value]
    return both if all(n is not _WRONG and n > 0 for n in both) else _WRONG


def _yarn(attr: Attr, value: Any) -> Any:
    del attr
    return dict(value) if isinstance(value, Mapping) else value if value is None else _WRONG


CHECKS: Mapping[str, Callable[[Attr, Any], Any]] = {
    "number": _number,
    "count": _whole,
    "integer": _whole,
    "flag": _flag,
    "choice": _choice,
    "pair": _pair,
    "yarn": _yarn,
}


def _words(attr: Attr) -> str:
    """Says which values an attribute has."""
    words = {
        "number": "a finite number",
        "count": "a whole number from 0 on",
        "integer": "a whole number",
        "flag": "True or False",
        "choice": " or ".join(attr.choices),
        "pair": "two whole numbers from 1 on",
        "yarn": 'an object such as {"factor":40,"original_context":4096}, or None',
    }
    return words[attr.kind]


def _near(attr: Attr, value: Any) -> str:
    return suggest(value, attr.choices)


def _demand_attrs(entry: Op, attrs: Mapping[str, Any]) -> None:
    for attr in entry.attrs.values():
        if attr.missing == REQUIRED and attr.name not in attrs:
            raise RecordingError(f"{entry.name}: attribute {attr.name} is missing: {attr.doc}, {_words(attr)}")


def _arithmetic(entry: Op, given: Mapping[str, Any], side: str = "") -> dict[str, Any]:
    """Returns declared arithmetic, checked: of an op with sides, of each in an object of its own."""
    declared: dict[str, Any] = {}
    for name, value in given.items():
        if name in entry.sides and not side:
            declared[name] = _arithmetic(entry, _object(f"arithmetic of side {name}", value), name)
        elif name in entry.arithmetic:
            declared[name] = _declared(entry, entry.arithmetic[name], value)
        else:
            sides = () if side else entry.sides
            raise _unknown(entry, "key of arithmetic", name, [*entry.arithmetic, *sides], given)
    return declared


def _declared(entry: Op, key: Key, value: Any) -> Any:
    what = f"{entry.name}: arithmetic {key.name}: {show(value)}"
    if key.kind == "number":
        n = _plain(value)
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise RecordingError(f"{what}, want a whole number from 1 on")
        return n
    if value not in key.values:
        raise RecordingError(f"{what}, want one of {', '.join(key.values)}{suggest(value, key.values)}")
    return value


def _demand_keys(entry: Op, declared: Mapping[str, Any]) -> None:
    for key in entry.arithmetic.values():
        if key.default == REQUIRED and key.name not in declared:
            values = ", ".join(key.values)
            raise RecordingError(f"{entry.name}: arithmetic {key.name} is missing: {key.doc}, one of {values}")


# --- provenance


def _provenance(sources: Iterable[Source], given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is known of the origin, under what is given."""
    libraries = list(dict.fromkeys(s.library for s in sources if s.library))
    devices = list(dict.fromkeys(s.device for s in sources if s.device))
    versions = [f"{name} {_version(name)}" for name in libraries]
    python = f"Python {platform.python_version()}"
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = {
        "producer": ", ".join(versions) or python,
        "device": ", ".join(devices) or f"CPU ({platform.machine()})",
        "toolchain": ", ".join([*_cuda(devices), python]),
        "recorded_at": now,
    }
    merged = {key: value for key, value in (found | dict(given)).items() if value is not None}
    try:
        _json(merged)
    except (TypeError, ValueError) as e:
        raise RecordingError(f"provenance: {e}, want what JSON can hold") from e
    return merged


def _version(library: str) -> str:
    module = sys.modules.get({"PyTorch": "torch"}.get(library, library.lower()))
    return str(getattr(module, "__version__", "")) or importlib.metadata.version(library.lower())


def _cuda(devices: list[str]) -> list[str]:
    torch = sys.modules.get("torch")
    cuda = getattr(getattr(torch, "version", None), "cuda", None)
    return [f"CUDA {cuda}"] if devices and cuda else []


def file_name(text: str) -> str:
    """Returns a text as the name of a file: letters, digits, dots, dashes and underscores, at most 120."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._")[:120] or "recording"
