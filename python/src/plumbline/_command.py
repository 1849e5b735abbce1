"""Finds and runs the command plumbline, which does the judging."""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from plumbline._errors import CommandError


@functools.lru_cache(maxsize=1)
def _shipped() -> Path:
    name = "plumbline.exe" if os.name == "nt" else "plumbline"
    return Path(str(resources.files("plumbline").joinpath("_built", name)))


def binary() -> Path:
    """Returns the path of the command: the one that PLUMBLINE_BINARY names, else the one of this package."""
    if named := os.environ.get("PLUMBLINE_BINARY"):
        path, origin = Path(named), f"PLUMBLINE_BINARY={named}"
    else:
        path, origin = _shipped(), str(_shipped())
    if not path.is_file():
        raise CommandError(f"{origin}: no such file: the command plumbline is missing from this installation")
    return path.absolute()


def run(
    arguments: Sequence[str], *, cwd: Path | None = None, stdin: str | None = None, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the command and returns what it answers, without colours and without a terminal."""
    environment = os.environ | {"NO_COLOR": "1"}
    try:
        return subprocess.run(
            [str(binary()), *arguments],
            cwd=cwd,
            env=environment,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
    except OSError as e:
        raise CommandError(f"{binary()}: {e}") from e
    except subprocess.TimeoutExpired as e:
        raise CommandError(f"plumbline {arguments[0]}: no answer within {timeout} s") from e
