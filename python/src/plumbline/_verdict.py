"""Judges recordings: the command does it, and its words and numbers are handed on as they are."""

from __future__ import annotations

import functools
import itertools
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumbline import _command
from plumbline._errors import CommandError, Undetermined, Unexplained, Unusable
from plumbline._recording import Recording, file_name, record, save_unused

EXPLAINED, UNEXPLAINED, UNDETERMINED, UNUSABLE = "explained", "unexplained", "undetermined", "unusable"


@dataclass(frozen=True)
class Output:
    """What is said of one output. `json` has all of it, under the keys of `plumbline verify -json`."""

    name: str
    type: str
    shape: tuple[int, ...]
    status: str
    max_z: float  # largest error of an element beyond its last rounding, in deviations
    max_z_limit: float
    rms: float  # root mean square of the scaled errors: about 1 for a right kernel, or less
    rms_limit: float
    bias: float
    bias_limit: float  # 0: not judged
    worst_ulp: float
    reasons: tuple[str, ...]  # which tests failed
    json: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Output:
        scores = ("max_z", "max_z_limit", "rms", "rms_limit", "bias", "bias_limit", "worst_ulp")
        return cls(
            name=said["name"],
            type=said["type"],
            shape=tuple(said["shape"]),
            status=said["status"],
            reasons=tuple(said.get("reasons", ())),
            json=said,
            **{name: float(said.get(name, 0)) for name in scores},
        )


@dataclass(frozen=True)
class Verdict:
    """What is said of one recording. It is true where the error is explained; str() is the report in words."""

    status: str  # explained, unexplained, undetermined or unusable
    op: str
    file: str
    reason: str  # one line, "" where explained
    outputs: Mapping[str, Output]
    json: Mapping[str, Any] = field(repr=False)  # the recording's entry of `plumbline verify -json -v`
    report: str = field(repr=False)  # the whole of that report, for `plumbline report`

    @property
    def ok(self) -> bool:
        return self.status == EXPLAINED

    def __bool__(self) -> bool:
        return self.ok

    @property
    def diagnosis(self) -> Mapping[str, Any] | None:
        """What would explain a recording that is not explained."""
        found: Mapping[str, Any] | None = self.json.get("diagnosis")
        return found

    @property
    def sentence(self) -> str:
        """The first sentence of the diagnosis; "" where there is none."""
        return str((self.diagnosis or {}).get("sentence", ""))

    @property
    def line(self) -> str:
        """The verdict in one line, as the command prints it."""
        return str(self).partition("\n")[0]

    @functools.cached_property
    def _words(self) -> str:
        """The report in words, which the command makes of the JSON that the verdict came with."""
        done = _command.run(["report", "-v", "-"], stdin=self.report)
        body, _, counted = done.stdout.rstrip("\n").rpartition("\n")  # the last line counts recordings
        if not counted.startswith("1 recording: "):
            raise CommandError(f"plumbline report: {done.stderr.strip() or done.stdout}")
        return body

    def __str__(self) -> str:
        return self._words

    def save_report(self, path: str | os.PathLike[str]) -> None:
        """Writes the report in JSON, which `plumbline report` joins with others and shows in other forms."""
        Path(path).write_text(self.report, encoding="utf-8")


def verify(
    recording: str | os.PathLike[str] | Recording,
    *,
    name: str | None = None,
    exact: bool = False,
    max_work: float | None = None,
    diagnosis: float | None = None,
    timeout: float | None = None,
) -> Verdict:
    """Judges a recording, from a file or from record().

    exact recomputes every element of products that are too large for it in seconds. max_work and
    diagnosis bound the work of judging and of the diagnosis, in products; the defaults are the
    command's, and 0 asks for no diagnosis. name is what the report calls a recording that is in no
    file.
    """
    flags = ["-exact"] if exact else []
    flags += ["-max-work", repr(float(max_work))] if max_work is not None else []
    flags += ["-diagnosis", repr(float(diagnosis))] if diagnosis is not None else []
    if isinstance(recording, Recording) and recording.path is None:
        with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
            file = file_name(name or recording.op) + ".safetensors"
            recording.save(Path(folder, file))
            return _judge(file, Path(folder), flags, timeout)
    path = recording.path if isinstance(recording, Recording) else recording
    return _judge(os.fspath(path), None, flags, timeout)  # type: ignore[arg-type]  # the path is there


def _judge(file: str, cwd: Path | None, flags: Sequence[str], timeout: float | None) -> Verdict:
    # This test judges its own recording, whichever shard of Bazel's it is in.
    done = _command.run(["verify", "-json", "-v", "-shard", "off", *flags, "--", file], cwd=cwd, timeout=timeout)
    try:
        said = json.loads(done.stdout)["recordings"]
    except (ValueError, KeyError, TypeError) as e:
        raise CommandError(f"plumbline verify {file}: {done.stderr.strip() or e}") from e
    if len(said) != 1:
        raise CommandError(f"plumbline verify {file}: {len(said)} recordings, want one")
    entry = said[0]
    return Verdict(
        status=entry["status"],
        op=entry["op"],
        file=entry["file"],
        reason=entry.get("reason", ""),
        outputs={o["name"]: Output.of(o) for o in entry.get("outputs", ())},
        json=entry,
        report=done.stdout,
    )


def check(
    op: str,
    inputs: Mapping[str, Any],
    outputs: Any,
    attrs: Mapping[str, Any] | None = None,
    arithmetic: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    keep: str | os.PathLike[str] | None = None,
    exact: bool = False,
    max_work: float | None = None,
    diagnosis: float | None = None,
    timeout: float | None = None,
) -> Verdict:
    """Records a call, judges it, and returns the verdict where the error is explained.

    Else it raises Unexplained, or Undetermined where these inputs cannot tell, or Unusable. With
    keep a recording that is not explained stays in that folder, under name or that of the op.
    """
    __tracebackhide__ = True
    made = record(op, inputs, outputs, attrs, arithmetic, provenance)
    how: dict[str, Any] = {"exact": exact, "max_work": max_work, "diagnosis": diagnosis, "timeout": timeout}
    verdict = verify(made, name=name, **how)
    if keep is not None and not verdict.ok:
        stem = file_name(name or op)
        save_unused(made, Path(keep), itertools.chain([stem], (f"{stem}-{n}" for n in itertools.count(2))))
    require(verdict)
    return verdict


def require(verdict: Verdict, message: str | None = None) -> None:
    """Raises what a verdict other than explained means."""
    __tracebackhide__ = True
    match verdict.status:
        case "unusable":
            raise Unusable(verdict, message)
        case "unexplained":
            raise Unexplained(verdict, message)
        case "undetermined":
            raise Undetermined(verdict, message)
