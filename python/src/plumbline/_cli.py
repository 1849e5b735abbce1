"""The command plumbline of this package: it is the one in Go, and takes PyTorch's files besides."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from plumbline import _command
from plumbline._catalogue import Op, op
from plumbline._errors import CommandError, RecordingError
from plumbline._recording import OUTPUT, record
from plumbline._spelling import shape_text, show, suggest
from plumbline._tensors import is_tensor

PYTORCH = (".pt", ".pth")
UNUSABLE = 2

# The first PyTorch in which no way is known for a file that is read with weights_only to run code.
PYTORCH_LEAST = (2, 10)
PYTORCH_WHY = "a file that an older one reads can run code, weights_only or not (CVE-2025-32434, CVE-2026-24747)"


def main() -> int:
    """Carries out the command line: an import from PyTorch here, everything else by the command in Go."""
    arguments = sys.argv[1:]
    try:
        if arguments[:1] == ["import"] and any(a.lower().endswith(PYTORCH) for a in arguments):
            return import_pytorch(arguments[1:])
        return hand_on(arguments)
    except (CommandError, RecordingError) as e:
        print(f"plumbline: {_printable(str(e))}", file=sys.stderr)
        return UNUSABLE


def hand_on(arguments: list[str]) -> int:
    """Becomes the command, so that signals and the exit status are its own."""
    command = [str(_command.binary()), *arguments]
    if os.name == "posix":
        os.execv(command[0], command)
    return subprocess.call(command)


def import_pytorch(arguments: list[str]) -> int:
    """Makes a recording of what torch.save wrote, and says what it took and what it left out."""
    options = _parser().parse_args(arguments)
    out = Path(options.o or Path(options.file).with_suffix(".safetensors").name)
    if out.is_dir():
        out /= Path(options.file).with_suffix(".safetensors").name
    if out.exists():
        raise RecordingError(f"{out}: it is there already, and nothing is overwritten; -o names another file")
    entry = op(options.op)
    named = _load(options.file)
    mapped = _mapping(entry, named, [pair for text in options.map for pair in text.split(",")])
    tensors = {name: named[source] for name, source in mapped.items()}
    record(
        entry.name,
        {name: x for name, x in tensors.items() if not name.startswith(OUTPUT)},
        {name: x for name, x in tensors.items() if name.startswith(OUTPUT)},
        _object("-attrs", options.attrs),
        _object("-arithmetic", options.arithmetic),
        {"source": options.file, "producer": None, "device": None},
        out,
    )
    left = {name: x for name, x in named.items() if name not in mapped.values()}
    report = {"plumbline": 1, "file": str(out), "op": entry.name, "mapped": mapped, "left": sorted(left)}
    print(json.dumps(report) if options.json else _said(report, left, entry))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="plumbline import",
        prefix_chars="-",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Makes a recording of a file that torch.save wrote: a dict of tensors, or dicts of these.\n"
        "Only tensors and plain values are read (weights_only), so that nothing in the file is run: it takes\n"
        f"PyTorch {_dotted(PYTORCH_LEAST)} or newer, since {PYTORCH_WHY}.",
    )
    add = parser.add_argument
    add("file", metavar="FILE.pt")
    add("-op", "--op", required=True, help="an op of the catalogue, such as attention.forward")
    add("-map", "--map", action="append", default=[], metavar="q=NAME,out.o=NAME", help="which tensor is which")
    add("-attrs", "--attrs", default="{}", metavar="JSON", help="the conventions of the call")
    add("-arithmetic", "--arithmetic", default="{}", metavar="JSON", help="what the kernel declares")
    add("-o", "--o", metavar="OUT", help="the recording, or a folder for it")
    add("-json", "--json", action="store_true", help="say what was mapped as JSON")
    return parser


def _object(flag: str, text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as e:
        raise RecordingError(f"{flag}: {e}") from e
    if not isinstance(value, dict):
        raise RecordingError(f'{flag}: want a JSON object, such as {{"causal":true}}')
    return value


def _load(path: str) -> dict[str, Any]:
    """Returns what a file of PyTorch holds, by names such as inputs.q."""
    try:
        import torch
    except ImportError as e:
        raise RecordingError(f"{path}: reading a file of PyTorch needs PyTorch: {e}") from e
    if not is_safe(torch.__version__):
        least = f"want {_dotted(PYTORCH_LEAST)} or newer"
        raise RecordingError(f"{path}: the PyTorch here is {torch.__version__}, {least}: {PYTORCH_WHY}")
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as e:
        raise RecordingError(f"{path}: no such file") from e
    except Exception as e:  # torch.load raises whatever a broken file leads to
        first = str(e).strip().partition("\n")[0]
        raise RecordingError(f"{path}: PyTorch reads no tensors and plain values from it: {first}") from e
    if not isinstance(held, Mapping):
        raise RecordingError(f"{path}: it holds a {type(held).__name__}, want a dict of tensors")
    named: dict[str, Any] = {}
    for name, x in _leaves(held):
        if name in named:
            raise RecordingError(f"{path}: it holds two values under the name {show(name)}")
        named[name] = x
    return named


def is_safe(version: str) -> bool:
    """Tells whether a PyTorch of this version reads files without running what is in them."""
    return tuple(int(n) for n in re.findall(r"\d+", version)[:2]) >= PYTORCH_LEAST


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _leaves(held: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, x in held.items():
        if isinstance(x, Mapping):
            yield from _leaves(x, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", x


def _mapping(entry: Op, named: Mapping[str, Any], pairs: Sequence[str]) -> dict[str, str]:
    """Returns the name in the file of each tensor of the recording: as it is mapped, or its own."""
    mapped = {}
    for pair in pairs:
        name, equals, source = (part.strip() for part in pair.partition("="))
        if not equals or name.removeprefix(OUTPUT) not in (entry.outputs if name.startswith(OUTPUT) else entry.inputs):
            known = ", ".join([*entry.inputs, *(OUTPUT + n for n in entry.outputs)])
            raise RecordingError(f"-map {show(pair)}: want NAME=NAME IN THE FILE, with the first one of {known}")
        if source not in named:
            raise RecordingError(f"-map {show(pair)}: no such tensor in the file{suggest(source, named)}")
        mapped[name] = source
    own: dict[str, str] = {}
    for source in named:
        name = _own(entry, source)
        if not name or name in mapped or source in mapped.values():
            continue
        if name in own:
            both = f"{show(own[name])} and {show(source)} of the file may both be {name}"
            raise RecordingError(f"{both}: -map {name}=NAME says which one is")
        own[name] = source
    return own | mapped


def _own(entry: Op, source: str) -> str:
    """Returns what a name of the file is in the recording by itself, "" where it is nothing."""
    short = source.removeprefix("inputs.")
    if short in entry.inputs:
        return short
    for prefix in ("outputs.", OUTPUT, "out_", ""):
        if source.startswith(prefix) and source.removeprefix(prefix) in entry.outputs:
            return OUTPUT + source.removeprefix(prefix)
    return ""


def _said(report: Mapping[str, Any], left: Mapping[str, Any], entry: Op) -> str:
    lines = [f"{_printable(report['file'])}: {entry.name}, {len(report['mapped'])} tensors"]
    known = [*entry.inputs, *(OUTPUT + name for name in entry.outputs), *entry.attrs]
    free = [name for name in known if name not in report["mapped"]]
    for name, x in sorted(left.items()):
        what = f"{x.dtype} {shape_text(x.shape)}" if is_tensor(x) else f"{type(x).__name__}, no tensor"
        lines.append(f"  left out: {_printable(name)} ({what}){suggest(name, free)}")
    return "\n".join(lines)


def _printable(text: str) -> str:
    """Escapes what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
