"""The pytest plugin, in test sessions of its own."""

from __future__ import annotations

import html
import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import read

import plumbline
from plumbline._command import binary
from plumbline.pytest_plugin import write_page

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


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_the_page_has_every_report_in_the_order_of_the_tests(
    session: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    if workers:
        pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    _, text = run(session, "--plumbline-html", "pages/page.html", "--plumbline-keep", "kept", *workers)
    assert "plumbline: 6 reports in pages/page.html" in text
    page = html.unescape((session.path / "pages" / "page.html").read_text(encoding="utf-8"))
    (wrong,) = session.path.glob("kept/*wrong*")
    assert plumbline.verify(wrong).sentence in page
    found = re.findall(r"(test_right_1e-0\d|test_wrong|nothing)[\w-]*?(-2)?\.safetensors", page)
    names = list(dict.fromkeys("".join(f) for f in found))
    assert sorted(names[:2]) == ["nothing", "test_wrong"]  # the page begins with what is not explained
    assert names[2:] == [f"test_right_{eps}{n}" for eps in ("1e-06", "1e-05") for n in ("", "-2")]


def test_a_session_without_a_recording_has_no_page(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    result = pytester.runpytest_subprocess("--plumbline-html", "page.html")
    result.stdout.fnmatch_lines(["plumbline: no recording was judged, so no page is written"])
    assert not Path(pytester.path, "page.html").exists()


def test_a_page_that_cannot_be_written_is_an_error(session: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    (session.path / "page.html").mkdir()
    result = session.runpytest_subprocess("--plumbline-html", "page.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR or "--plumbline-html" in result.stderr.str() + result.stdout.str()
    assert result.ret != 0


def test_a_page_of_an_earlier_session_is_not_taken_for_this_one(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("an earlier session")
    with pytest.raises(pytest.UsageError, match=r"--plumbline-html .*page\.html: .*none\.json"):
        write_page(page, tmp_path, ["none.json"])
    assert not page.exists()


def test_properties_of_tests_carry_the_lines(session: pytest.Pytester) -> None:
    run(session, "--junit-xml", "junit.xml")
    text = (session.path / "junit.xml").read_text(encoding="utf-8")
    assert text.count('<property name="plumbline" value="explained') == 4
    assert text.count('<property name="plumbline" value="unexplained') == 1
