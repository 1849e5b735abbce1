"""Every block of the page on Python, of the package's README and of the examples is run."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from plumbline._cli import is_safe

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(path: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(path.read_text(encoding="utf-8"))


class Page:
    """A page that is run from its beginning to its end."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, ""
        self.names: dict[str, Any] = {"__name__": "page"}

    def python(self, code: str) -> None:
        if named := re.match(r"# (\w+\.py)\n", code):
            (self.folder / named[1]).write_text(code, encoding="utf-8")
            return
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, "PYTHON.md", "exec"), self.names)
        self.said = output.getvalue()

    def sh(self, code: str) -> None:
        if code.startswith("pip install"):
            assert code.strip() in (ROOT / "python" / "check.sh").read_text(encoding="utf-8")
            return
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code],
            cwd=self.folder,
            env=os.environ | {"PATH": path, "ROOT": str(ROOT), "PYTEST_ADDOPTS": "-p no:cacheprovider"},
            capture_output=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.said = done.stdout

    def text(self, lines: str) -> None:
        """Finds each line in what the block before has said, in this order."""
        at = 0
        for line in lines.splitlines():
            found = self.said.find(line, at)
            assert found >= 0, f"{line!r} is not in the rest of what was said:\n{self.said[at:]}"
            at = found + len(line)


@pytest.mark.skipif(os.name != "posix", reason="the blocks are of the shell")
def test_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.chdir(tmp_path)
    page, skipped = Page(tmp_path), False
    for kind, code in blocks(ROOT / "docs" / "PYTHON.md"):
        without_jax = "import jax" in code and importlib.util.find_spec("jax") is None
        if without_jax or ("plumbline import case.pt" in code and not is_safe(torch.__version__)):
            skipped = True
        elif not (skipped and kind == "text"):
            getattr(page, kind)(code)
            skipped = False
    assert (tmp_path / "test_norm.py").is_file()


def test_the_readme_is_right() -> None:
    ((kind, code),) = blocks(ROOT / "python" / "README.md")
    assert kind == "python"
    import numpy as np
    from conftest import rms

    x, weight = np.ones((2, 8), np.float32), np.arange(1, 9, dtype=np.float32)
    exec(code, {"x": x, "weight": weight, "y": rms(x, weight)})


def test_the_example_says_of_the_wrong_kernel_what_the_terminal_says(tmp_path: Path) -> None:
    """Compares the sentence with that of the command on the same recording."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    import runpy

    import plumbline
    from plumbline._command import binary

    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        held = runpy.run_path(str(ROOT / "python" / "examples" / "attention.py"))
    right, sentence = output.getvalue().splitlines()
    path = tmp_path / "wrong.safetensors"
    call = (held["inputs"], held["wrong"], {"causal": True}, held["declared"])
    plumbline.record("attention.forward", *call, path=path)
    printed = subprocess.run([binary(), "verify", path], capture_output=True, encoding="utf-8").stdout
    assert printed.splitlines()[1] == f"  {sentence}"
    assert sentence.startswith("causal-top-left (A01)")
    assert right.startswith("explained ")
