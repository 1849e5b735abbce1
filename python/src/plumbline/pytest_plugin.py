"""Judges kernels in tests: the fixture plumbline, a line for each recording, and the reports."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from plumbline import _command
from plumbline._recording import Recording, file_name, record
from plumbline._verdict import Verdict, require, verify

PROPERTY = "plumbline"  # under which a test's verdicts go into its report, and into JUnit files
REPORTS = pytest.StashKey[Path]()
NUMBERS = pytest.StashKey[dict[str, int]]()


class Plumbline:
    """The fixture: record(), verify() and check() of plumbline, with what a test session keeps of them."""

    def __init__(self, item: pytest.Item, index: int) -> None:
        self._item, self._index, self._count = item, index, 0
        keep = item.config.getoption("plumbline_keep")
        self._keep = Path(keep) if keep else None

    def record(self, *args: Any, **kwargs: Any) -> Recording:
        """Makes a recording, as plumbline.record()."""
        return record(*args, **kwargs)

    def verify(self, recording: str | os.PathLike[str] | Recording, **how: Any) -> Verdict:
        """Judges a recording, as plumbline.verify(), and fails the test where it is not explained."""
        __tracebackhide__ = True
        self._count += 1
        stem = self._stem()
        if self._keep is not None:
            recording = self._kept(recording, self._keep, stem)
        verdict = verify(recording, **({"name": stem} | how))
        self._report(verdict)
        require(verdict, f"{verdict.line}\n{verdict.sentence}".rstrip())
        return verdict

    def check(
        self,
        op: str,
        inputs: Mapping[str, Any],
        outputs: Any,
        attrs: Mapping[str, Any] | None = None,
        arithmetic: Mapping[str, Any] | None = None,
        provenance: Mapping[str, Any] | None = None,
        **how: Any,
    ) -> Verdict:
        """Records a call and judges it, as plumbline.check()."""
        __tracebackhide__ = True
        return self.verify(record(op, inputs, outputs, attrs, arithmetic, provenance), **how)

    def _stem(self) -> str:
        """Returns what this recording of this test is called; a name that has to be changed gets a digest."""
        plain = self._item.nodeid.replace("::", "-").replace("/", "-")
        name = file_name(plain)
        if name != plain:
            name += "-" + hashlib.sha256(plain.encode()).hexdigest()[:8]
        return name if self._count == 1 else f"{name}-{self._count}"

    def _kept(self, recording: str | os.PathLike[str] | Recording, folder: Path, stem: str) -> Path:
        """Keeps a recording, and returns the path to judge: of one that was a file, its own."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{stem}.safetensors"
        if isinstance(recording, Recording):
            return recording.save(path)
        if Path(recording).is_file() and not (path.exists() and path.samefile(recording)):
            shutil.copyfile(recording, path)
        return Path(recording)

    def _report(self, verdict: Verdict) -> None:
        """Hands a verdict to the session: in properties and sections, which come from other processes too."""
        self._item.user_properties.append((PROPERTY, verdict.line))
        if not verdict.ok:
            self._item.add_report_section("call", "plumbline", str(verdict))
        if (folder := self._item.config.stash.get(REPORTS, None)) is not None:
            verdict.save_report(folder / f"{self._index:08d}-{self._count:04d}.json")


@pytest.fixture
def plumbline(request: pytest.FixtureRequest) -> Plumbline:
    """Judges recordings of kernels: plumbline.check(op, inputs, outputs, ...) fails the test with the report."""
    numbers = request.session.stash.get(NUMBERS, {})
    return Plumbline(request.node, numbers.get(request.node.nodeid, 0))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("plumbline", "verdicts on kernels")
    group.addoption(
        "--plumbline-keep", dest="plumbline_keep", metavar="DIR", help="keep the recordings of all tests in this folder"
    )
    group.addoption(
        "--plumbline-html", dest="plumbline_html", metavar="FILE", help="write the verdicts of the session as a page"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Makes a folder for the session's reports, or takes the one of the process that started this one."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        if "plumbline_reports" in worker:
            config.stash[REPORTS] = Path(worker["plumbline_reports"])
        return
    config.pluginmanager.register(_Lines(config), "plumbline-lines")
    if config.getoption("plumbline_html"):
        folder = tempfile.mkdtemp(prefix="plumbline-reports-")
        config.stash[REPORTS] = Path(folder)
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of pytest-xdist where reports go."""
    if (folder := node.config.stash.get(REPORTS, None)) is not None:
        node.workerinput["plumbline_reports"] = str(folder)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Numbers the tests: reports are joined in that order, whoever ran them."""
    session.stash[NUMBERS] = {item.nodeid: i for i, item in enumerate(session.items)}


class _Lines:
    """Prints the verdicts of a test under -v."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if report.when != "call" or terminal is None or self.config.get_verbosity() < 1:
            return
        for line in _lines(report):
            terminal.ensure_newline()
            terminal.write_line(f"  {line}")


def _lines(report: pytest.TestReport) -> Iterator[str]:
    return (str(value) for name, value in report.user_properties if name == PROPERTY)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Writes the page of the session, and says where."""
    path = config.getoption("plumbline_html")
    folder = config.stash.get(REPORTS, None)
    if not path or folder is None:
        return
    reports = sorted(p.name for p in folder.glob("*.json"))
    if not reports:
        terminalreporter.write_line("plumbline: no recording was judged, so no page is written")
        return
    write_page(Path(path).absolute(), folder, reports)
    noun = "report" if len(reports) == 1 else "reports"
    terminalreporter.write_line(f"plumbline: {len(reports)} {noun} in {path}")


def write_page(path: Path, folder: Path, reports: list[str]) -> None:
    """Joins reports into one page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        path.unlink()  # one of an earlier session says nothing of this one
    done = _command.run(["report", "-html", str(path), *reports], cwd=folder)
    if not path.is_file():
        raise pytest.UsageError(f"--plumbline-html {path}: {done.stderr.strip()}")
