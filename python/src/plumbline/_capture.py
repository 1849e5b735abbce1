"""Records the calls of a function or a module while a program runs."""

from __future__ import annotations

import functools
import inspect
import itertools
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from plumbline import _catalogue
from plumbline._errors import RecordingError
from plumbline._recording import OUTPUT, Recording, file_name, record, save_unused
from plumbline._spelling import show
from plumbline._tensors import is_tensor, take

Target = TypeVar("Target", bound=Callable[..., Any])
Arguments = Mapping[str, Any]
Reader = Callable[[Arguments], Mapping[str, Any]]


class Capture:
    """Records calls of what it is applied to: see capture()."""

    def __init__(self, op: str, **options: Any) -> None:
        self.op = _catalogue.op(op)
        self.inputs: Mapping[str, str] | Reader = options["inputs"] or {}
        self.outputs: Mapping[str, int | str] | Sequence[str | None] | Callable[[Any], Any] | None = options["outputs"]
        self.attrs: Mapping[str, Any] | Reader = options["attrs"] or {}
        self.arithmetic: Mapping[str, Any] = options["arithmetic"] or {}
        self.provenance: Mapping[str, Any] = options["provenance"] or {}
        self.layout = {name.removeprefix(OUTPUT): _axes(name, text) for name, text in (options["layout"] or {}).items()}
        self.ignore = frozenset(options["ignore"])
        self.to = Path(options["to"]) if options["to"] is not None else None
        self.limit: int | None = options["limit"]
        self.name: str | None = options["name"]
        self.recordings: list[Recording] = []  # where they go to no folder
        self.paths: list[Path] = []  # of the files that were written, in the order of the calls
        self.calls = 0  # that were seen, recorded or not
        self._active = True
        self._lock = threading.Lock()
        self._undo: list[Callable[[], None]] = []
        self._check_names()

    def _check_names(self) -> None:
        """Checks names that are given in advance, so that no call is lost to a slip."""
        inputs = self.inputs if isinstance(self.inputs, Mapping) else {}
        outputs: Any = self.outputs if isinstance(self.outputs, Mapping | Sequence) else ()
        for kind, names, known in (
            ("input", inputs, self.op.inputs),
            ("output", [n for n in outputs if n is not None], self.op.outputs),
            ("tensor", self.layout, {**self.op.inputs, **self.op.outputs}),
        ):
            for name in names:
                if name.removeprefix(OUTPUT) not in known:
                    raise RecordingError(f"{self.op.name} has no {kind} {show(name)}: it has {', '.join(known)}")

    def __call__(self, target: Target) -> Target:
        """Returns a function that records its calls; a module of PyTorch is changed in place and returned."""
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(target, torch.nn.Module):
            module: Any = target
            own = module.__dict__.get("forward")
            module.forward = self._wrap(module.forward, self.name or type(module).__name__)
            self._undo.append(lambda: _restore(module, own))
            return target
        if inspect.iscoroutinefunction(target) or inspect.isgeneratorfunction(target):
            raise RecordingError(
                f"capture: {target.__qualname__} is no plain function: its outputs come after the call"
            )
        if not callable(target):
            raise RecordingError(f"capture: a {type(target).__name__}, want a function or a module")
        name = self.name or str(getattr(target, "__name__", type(target).__name__))
        wrapped: Any = self._wrap(target, name)
        return wrapped  # type: ignore[no-any-return]

    def _wrap(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        signature = inspect.signature(function)
        owner = getattr(function, "__self__", None)

        @functools.wraps(function)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            if not self._claim():
                return function(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            arguments = _flat(bound)
            if owner is not None:
                arguments["self"] = owner
            call = _Call(self, arguments)  # takes the inputs: a kernel may write into them
            result = function(*args, **kwargs)
            self._keep(call.finish(result), name)
            return result

        return recorded

    def _claim(self) -> bool:
        """Counts a call, and tells whether it is to be recorded."""
        with self._lock:
            if not self._active:
                return False
            self.calls += 1
            return self.limit is None or self.calls <= self.limit

    def _keep(self, made: Recording, name: str) -> None:
        with self._lock:
            if self.to is None:
                self.recordings.append(made)
                return
            stem = file_name(f"{self.op.name}-{name}")
            self.paths.append(save_unused(made, self.to, (f"{stem}-{n:04d}" for n in itertools.count())))

    def close(self) -> None:
        """Ends the recording: functions run as they are, and modules have their own forward back."""
        self._active = False
        while self._undo:
            self._undo.pop()()

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _restore(module: Any, own: Any) -> None:
    if own is None:
        module.__dict__.pop("forward", None)
    else:
        module.forward = own


def _flat(bound: inspect.BoundArguments) -> dict[str, Any]:
    """Returns arguments by name, those of **kwargs among them."""
    arguments = dict(bound.arguments)
    for name, parameter in bound.signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            arguments |= arguments.pop(name)
    return arguments


class _Call:
    """One call: what went in is taken before it, what comes out after it."""

    def __init__(self, capture: Capture, arguments: Arguments) -> None:
        self.capture, self.arguments = capture, arguments
        self.attrs = self._attrs()
        self.inputs = {
            name: take(f"{capture.op.name}: input {name}", self._turned(name, x), listed=self._listed(name))
            for name, x in self._inputs().items()
            if x is not None
        }

    def _listed(self, name: str) -> bool:
        tensor = self.capture.op.inputs.get(name)
        return tensor is not None and (tensor.integer or tensor.any)

    def _turned(self, name: str, x: Any) -> Any:
        """Returns a tensor with its axes in the order of a recording."""
        axes = self.capture.layout.get(name)
        if axes is None or x is None:
            return x
        if len(x.shape) != len(axes):
            raise RecordingError(f"layout of {name}: {len(axes)} axes, want {len(x.shape)}, as the tensor has")
        return x.permute(axes) if hasattr(x, "permute") else x.transpose(axes)

    def _inputs(self) -> Mapping[str, Any]:
        """Finds the inputs among the arguments: by the mapping, or else under their own names."""
        capture = self.capture
        if callable(capture.inputs):
            return capture.inputs(self.arguments)
        found = {name: self._at(path) for name, path in capture.inputs.items()}
        mapped = {path.partition(".")[0] for path in capture.inputs.values()} | capture.ignore
        for name, x in self.arguments.items():
            if name in mapped:
                continue
            if name in capture.op.inputs and name not in found:
                found[name] = x
            elif is_tensor(x) and name not in self._out_names():
                raise RecordingError(
                    f"{capture.op.name}: argument {name} is a tensor without a place in the recording: "
                    f'inputs={{"NAME": "{name}"}} gives it one, ignore=["{name}"] leaves it out'
                )
        return found

    def _out_names(self) -> set[str]:
        """Returns the arguments that a kernel writes its outputs into."""
        outputs = self.capture.outputs
        if isinstance(outputs, Mapping):
            return {path.partition(".")[0] for path in outputs.values() if isinstance(path, str)}
        if outputs is not None:
            return set()
        return {name for name in self.arguments if self._written(name) is not None}

    def _written(self, argument: str) -> str | None:
        """Returns the output that an argument is by its name: out is the first one."""
        op = self.capture.op
        if argument == "out":
            return next(iter(op.outputs))
        return argument if argument in op.outputs and argument not in op.inputs else None

    def _at(self, path: str) -> Any:
        """Returns what an argument, or a path of attributes that begins with one, holds."""
        first, *rest = path.split(".")
        if first not in self.arguments:
            raise RecordingError(f"no argument {show(first)}: the call has {', '.join(self.arguments)}")
        return functools.reduce(getattr, rest, self.arguments[first])

    def _attrs(self) -> Mapping[str, Any]:
        """Returns the attributes: those given, and of a call's arguments those that have the name of one."""
        capture = self.capture
        if callable(capture.attrs):
            return capture.attrs(self.arguments)
        own = {
            name: value
            for name, value in self.arguments.items()
            if name in capture.op.attrs and name not in capture.op.inputs and name not in capture.ignore
        }
        return {name: x for name, x in own.items() if x is not None and not is_tensor(x)} | dict(capture.attrs)

    def finish(self, result: Any) -> Recording:
        """Makes the recording, with what the call returned or wrote."""
        capture = self.capture
        outputs = {name.removeprefix(OUTPUT): x for name, x in self._outputs(result).items()}
        turned = {name: self._turned(name, x) for name, x in outputs.items()}
        return record(capture.op.name, self.inputs, turned, self.attrs, capture.arithmetic, capture.provenance)

    def _outputs(self, result: Any) -> Mapping[str, Any]:
        outputs = self.capture.outputs
        if callable(outputs):
            result, outputs = outputs(result), None
        if isinstance(outputs, Mapping):
            return {name: self._at(at) if isinstance(at, str) else result[at] for name, at in outputs.items()}
        if isinstance(result, Mapping):
            return result
        if result is None and outputs is None:
            return self._written_arguments()
        values = list(result) if isinstance(result, tuple | list) else [result]
        names = list(outputs) if outputs is not None else list(self.capture.op.outputs)
        if len(values) > len(names):
            raise RecordingError(
                f"{self.capture.op.name}: the call returned {len(values)} values, want {', '.join(map(str, names))}: "
                "outputs= names them, None for one that is none"
            )
        return {name: x for name, x in zip(names, values, strict=False) if name is not None}

    def _written_arguments(self) -> Mapping[str, Any]:
        found = {output: x for name, x in self.arguments.items() if (output := self._written(name)) is not None}
        if not found:
            raise RecordingError(
                f'{self.capture.op.name}: the call returned None: outputs={{"NAME": "argument"}} says where its '
                "outputs are written"
            )
        return found


def _axes(name: str, text: str) -> tuple[int, ...]:
    """Reads an order of axes such as bhsd->bshd: what a tensor has, and what a recording wants."""
    have, arrow, want = (part.strip() for part in text.partition("->"))
    if not arrow or sorted(have) != sorted(want) or len(set(have)) != len(have):
        raise RecordingError(f"layout of {name}: {show(text)}, want one letter for each axis, such as bhsd->bshd")
    return tuple(have.index(letter) for letter in want)


def capture(
    op: str,
    *,
    inputs: Mapping[str, str] | Reader | None = None,
    outputs: Mapping[str, int | str] | Sequence[str | None] | Callable[[Any], Any] | None = None,
    attrs: Mapping[str, Any] | Reader | None = None,
    arithmetic: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    layout: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    to: str | os.PathLike[str] | None = None,
    limit: int | None = 8,
    name: str | None = None,
) -> Capture:
    """Records the calls of a function or a module: as a decorator, applied to one, or in a with statement.

    Arguments that have the name of an input or of an attribute are one. inputs maps others, name of
    the input to name of the argument, or to a path such as self.weight; it may be a function of the
    arguments, too, that returns the inputs. Inputs are copied before the call. What the call returns
    is its outputs, in the order of the catalogue or under the names that outputs gives; a mapping
    there says at which place of a tuple, or in which argument, each is found; a function takes what
    was returned. layout says in which order the axes of a tensor are and in which a recording has
    them: {"q": "bhsd->bshd"}. A tensor among the arguments that has no place is an error, unless it
    is one of ignore.

    Recordings go to the folder that to names, a file for each call, or else into the list recordings
    of what this returns. After limit calls no more are recorded; None is no limit.
    """
    options = {key: value for key, value in locals().items() if key != "op"}
    return Capture(op, **options)
