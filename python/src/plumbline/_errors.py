"""What goes wrong, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plumbline._verdict import Verdict


class RecordingError(ValueError):
    """What was given is no recording of the op: the message says what was expected."""


class CommandError(RuntimeError):
    """The command could not be run, or did not answer as it does."""


class Unusable(RecordingError):
    """The verifier refuses a recording: it breaks the contract, and nothing is said of the kernel."""

    def __init__(self, verdict: Verdict, message: str | None = None) -> None:
        super().__init__(message or f"unusable: {verdict.file}: {verdict.reason}")
        self.verdict = verdict


class Unexplained(AssertionError):
    """The error of a kernel is not explained by the arithmetic that it declares."""

    def __init__(self, verdict: Verdict, message: str | None = None) -> None:
        super().__init__(message or f"\n{verdict}")
        self.verdict = verdict


class Undetermined(Unexplained):
    """These inputs, or this declaration, cannot tell whether the error is explained."""
