"""The pytest plugin, in test sessions of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import read

import plumbline
from plumbline._command import binary

TESTS = """
import numpy as np
import pytest

def rms(x, weight, eps=1e-6):
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(eps)) * weight

@pytest.fixture
def inputs():
    rng = np.random.default_rng(3)
    x, weight = rng.normal(size=(5, 64)), rng.normal(size=64)
    return {"x": (x * 1e-3).astype(np.float32), "weight": weight.astype(np.float32)}

@pytest.mark.parametrize("eps", [1e-6, 1e-5])
def test_right(plumbline, inputs, eps):
    verdict = plumbline.check("norm.rms", inputs, rms(**inputs, eps=eps), {"eps": eps})
    assert plumbline.verify(plumbline.record("norm.rms", inputs, rms(**inputs))).ok

def test_wrong(plumbline, inputs):
    plumbline.check("norm.rms", inputs, rms(**inputs, eps=0))

def test_unusable(plumbline, inputs):
    plumbline.verify("nothing.safetensors")

def test_without(inputs):
    pass
"""


@pytest.fixture
def session(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_kernels=TESTS)
    return pytester


def run(session: pytest.Pytester, *arguments: str) -> tuple[pytest.RunResult, str]:
    result = session.runpytest_subprocess("-p", "no:cacheprovider", *arguments)
    result.assert_outcomes(passed=3, failed=2)
    return result, result.stdout.str()


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
class TestWords:
    @pytest.fixture(autouse=True)
    def _xdist(self, workers: tuple[str, ...]) -> None:
        if workers:
            pytest.importorskip("xdist", reason="pytest-xdist is not installed")

    def test_each_recording_has_its_line(self, session: pytest.Pytester, workers: tuple[str, ...]) -> None:
        _, text = run(session, "-v", *workers)
        assert text.count("\n  explained     test_kernels.py-test_right_1e-0") == 4
        assert text.count("\n  unexplained   test_kernels.py-test_wrong") == 1
        assert text.count("\n  unusable      nothing.safetensors") == 1
        assert "\n  explained" not in run(session, *workers)[1]

    def test_a_failure_shows_the_report_once(self, session: pytest.Pytester, workers: tuple[str, ...]) -> None:
        result, text = run(session, *workers, "--plumbline-keep", "kept")
        (kept,) = session.path.glob("kept/*test_wrong*")
        verdict = plumbline.verify(kept)
        printed = subprocess.run([binary(), "verify", "-v", kept], capture_output=True, encoding="utf-8").stdout
        report = str(verdict).replace(str(kept), os.path.relpath(kept, session.path))
        assert verdict.sentence in printed
        assert text.count("Captured plumbline call") == 2
        for line in report.splitlines()[1:]:
            assert line in text
        assert text.count(f"  {verdict.sentence}\n") == 2  # in the error and in the report
        result.stdout.fnmatch_lines(["E *Unexplained: unexplained *test_wrong*"])
        assert "pytest_plugin.py" not in text  # no frames of this package


class TestKeep:
    def test_recordings_stay_where_they_are_asked_for(self, session: pytest.Pytester) -> None:
        run(session, "--plumbline-keep", "a/kept")
        kept = sorted(p.name for p in session.path.glob("a/kept/*"))
        assert len(kept) == 5
        assert all(name.endswith(".safetensors") for name in kept)
        assert next(n for n in kept if "1e-05" in n).startswith("test_kernels.py-test_right_1e-05-")
        assert "test_kernels.py-test_wrong.safetensors" in kept
        assert read(session.path / "a/kept" / kept[0])[0]["op"] == "norm.rms"
        run(session, "--plumbline-keep", "a/kept")  # the same names again
        assert sorted(p.name for p in session.path.glob("a/kept/*")) == kept


# A command that writes the names of the reports it is given, and judges as the real one does.
STUB = """#!/bin/sh
[ "$1" = report ] && [ "$2" = -html ] || exec {binary} "$@"
page=$3
shift 3
printf '%s\\n' "$@" > "$page"
cat "$@" >> "$page"
"""


@pytest.mark.skipif(os.name != "posix", reason="the stub is a script of the shell")
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_the_page_has_every_report_in_the_order_of_the_tests(
    session: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: tuple[str, ...]
) -> None:
    if workers:
        pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    stub = session.path / "stub"
    stub.write_text(STUB.format(binary=binary()))
    stub.chmod(0o755)
    monkeypatch.setenv("PLUMBLINE_BINARY", str(stub))
    _, text = run(session, "--plumbline-html", "pages/page.html", *workers)
    assert "plumbline: 6 reports in pages/page.html" in text
    page = (session.path / "pages" / "page.html").read_text()
    names = page.splitlines()[:6]
    assert names == [f"{test:08d}-{n:04d}.json" for test, n in ((0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (3, 1))]
    statuses = [r["status"] for r in entries(page.partition("{")[2])]
    assert statuses == ["explained"] * 4 + ["unexplained", "unusable"]


def entries(text: str) -> list[dict[str, Any]]:
    """Returns the recordings of reports that stand one after the other."""
    decoder, text, found = json.JSONDecoder(), "{" + text.strip(), []
    while text:
        report, end = decoder.raw_decode(text)
        found += report["recordings"]
        text = text[end:].lstrip()
    return found


def test_a_session_without_a_recording_has_no_page(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest_subprocess("--plumbline-html", "page.html")
    result.stdout.fnmatch_lines(["plumbline: no recording was judged, so there is no page"])
    assert not Path(pytester.path, "page.html").exists()


def test_a_page_that_cannot_be_written_is_an_error(session: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    (session.path / "page.html").mkdir()
    result = session.runpytest_subprocess("--plumbline-html", "page.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR or "--plumbline-html" in result.stderr.str() + result.stdout.str()
    assert result.ret != 0


def test_properties_of_tests_carry_the_lines(session: pytest.Pytester) -> None:
    run(session, "--junit-xml", "junit.xml")
    text = (session.path / "junit.xml").read_text(encoding="utf-8")
    assert text.count('<property name="plumbline" value="explained') == 4
    assert text.count('<property name="plumbline" value="unexplained') == 1
