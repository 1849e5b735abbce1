"""Wheels and source archives, and what keeps them from being built."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from conftest import ROOT

from plumbline._command import binary

PYTHON = ROOT / "python"


@pytest.fixture
def hook() -> ModuleType:
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    spec = importlib.util.spec_from_file_location("hatch_build", PYTHON / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(kind: str, folder: Path, source: Path = PYTHON, **environment: str) -> subprocess.CompletedProcess[str]:
    """Builds as pip does, by hatchling."""
    arguments = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    clean = {k: v for k, v in os.environ.items() if k not in ("GOOS", "GOARCH", "PLUMBLINE_BINARY")}
    return subprocess.run(arguments, cwd=source, env=clean | environment, capture_output=True, encoding="utf-8")


class TestWheel:
    @pytest.mark.parametrize(
        ("goos", "goarch", "tag", "name"),
        [
            ("linux", "amd64", "manylinux2014_x86_64.manylinux_2_17_x86_64.musllinux_1_1_x86_64", "plumbline"),
            ("darwin", "arm64", "macosx_12_0_arm64", "plumbline"),
            ("windows", "amd64", "win_amd64", "plumbline.exe"),
        ],
    )
    def test_a_command_that_is_there_goes_into_a_wheel_of_its_platform(
        self, hook: ModuleType, tmp_path: Path, goos: str, goarch: str, tag: str, name: str
    ) -> None:
        done = build("wheel", tmp_path, GOOS=goos, GOARCH=goarch, PLUMBLINE_BINARY=str(binary()), PATH="")
        assert done.returncode == 0, done.stderr
        (path,) = tmp_path.iterdir()
        assert path.name == f"plumbline-0.1.0-py3-none-{tag}.whl"
        with zipfile.ZipFile(path) as wheel:
            built = {n for n in wheel.namelist() if n.startswith("plumbline/_built/")}
            assert built == {f"plumbline/_built/{n}" for n in (name, "ops.json", "LICENSE")}
            assert wheel.read("plumbline/_built/ops.json") == (ROOT / "docs" / "ops.json").read_bytes()
            assert wheel.read(f"plumbline/_built/{name}") == binary().read_bytes()
            assert wheel.getinfo(f"plumbline/_built/{name}").external_attr >> 16 & 0o111
            assert "plumbline/py.typed" in wheel.namelist()

    def test_a_platform_without_wheels_is_named(self, hook: ModuleType, tmp_path: Path) -> None:
        done = build("wheel", tmp_path, GOOS="plan9", GOARCH="arm")
        assert done.returncode != 0
        assert "plumbline: no wheel for plan9/arm, only for linux/amd64, linux/arm64, darwin/amd64" in done.stderr

    def test_a_command_that_is_not_there_is_named(self, hook: ModuleType, tmp_path: Path) -> None:
        done = build("wheel", tmp_path, PLUMBLINE_BINARY=str(tmp_path / "none"))
        assert "none: no such file" in done.stderr
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="the stub is a script of the shell")
class TestGo:
    def test_without_go_it_says_what_is_needed(self, hook: ModuleType, tmp_path: Path) -> None:
        done = build("wheel", tmp_path, PATH=str(tmp_path))
        assert "plumbline: go is not on PATH; building the command needs Go 1.26.0 or newer" in done.stderr

    def test_a_go_that_is_too_old_is_named(self, hook: ModuleType, tmp_path: Path) -> None:
        stub = tmp_path / "go"
        stub.write_text("#!/bin/sh\necho go1.25.9\n")
        stub.chmod(0o755)
        done = build("wheel", tmp_path / "dist", PATH=str(tmp_path))
        assert f"plumbline: {stub}: it is Go 1.25.9; building the command needs Go 1.26.0 or newer" in done.stderr

    def test_what_go_says_is_handed_on(self, hook: ModuleType, tmp_path: Path) -> None:
        stub = tmp_path / "go"
        stub.write_text('#!/bin/sh\n[ "$1" = env ] && echo go1.99 && exit\necho broken file >&2\nexit 1\n')
        stub.chmod(0o755)
        done = build("wheel", tmp_path / "dist", PATH=str(tmp_path))
        assert "plumbline: go build -trimpath" in done.stderr
        assert "failed:\nbroken file" in done.stderr.replace("\r\n", "\n")


def test_a_source_archive_has_the_source_of_the_command(hook: ModuleType, tmp_path: Path) -> None:
    """Builds the archive, and the wheel from what it unpacks to, with the Go source in it."""
    if (done := build("sdist", tmp_path)).returncode != 0:
        pytest.skip(f"Go is needed: {done.stderr.splitlines()[-1]}")
    with tarfile.open(tmp_path / "plumbline-0.1.0.tar.gz") as archive:
        names = archive.getnames()
        archive.extractall(tmp_path)
    assert not [n for n in names if n.endswith("_test.go") or "/_built/" in n]
    source = tmp_path / "plumbline-0.1.0"
    assert (source / "go" / "docs" / "ops.json").is_file()
    done = build("wheel", tmp_path / "dist", source)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        path = Path(archive.extract(f"plumbline/_built/{binary().name}", tmp_path))
    path.chmod(0o755)
    recording = ROOT / "golden" / "testdata" / "norm-rms-bf16.safetensors"
    said = subprocess.run([path, "verify", recording], capture_output=True, encoding="utf-8")
    assert said.stdout.startswith("explained "), said.stderr
