"""The command that the package installs: it is the one in Go, and reads files of PyTorch besides."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import read, rms

import plumbline
from plumbline._cli import is_safe, main
from plumbline._command import binary


def command(*arguments: object, **how: Any) -> subprocess.CompletedProcess[str]:
    """Runs the console script as it is installed."""
    script = [sys.executable, "-c", "import sys; from plumbline._cli import main; sys.exit(main())"]
    return subprocess.run([*script, *map(str, arguments)], capture_output=True, encoding="utf-8", **how)


class TestHandingOn:
    def test_the_script_is_installed(self) -> None:
        name = "plumbline.exe" if os.name == "nt" else "plumbline"
        script = Path(sys.executable).parent / name
        assert script.is_file()
        said = subprocess.run([script, "version"], capture_output=True, encoding="utf-8", check=True).stdout
        assert said.startswith("plumbline ")

    def test_arguments_and_answers_are_those_of_the_command(self, norm: dict[str, Any], tmp_path: Path) -> None:
        plumbline.record("norm.rms", norm, rms(**norm, eps=0.5), path=tmp_path / "a b.safetensors")
        for arguments in (
            ["verify", "a b.safetensors"],
            ["verify", "-x"],
            [],
            ["import"],
            ["ops", "--json", "mma.step"],
        ):
            here = command(*arguments, cwd=tmp_path)
            there = subprocess.run([binary(), *arguments], capture_output=True, encoding="utf-8", cwd=tmp_path)
            assert (here.returncode, here.stdout, here.stderr) == (there.returncode, there.stdout, there.stderr)

    def test_without_a_command_it_says_so(self, tmp_path: Path) -> None:
        done = command("version", env=os.environ | {"PLUMBLINE_BINARY": str(tmp_path / "none")})
        assert done.returncode == 2
        assert done.stderr.startswith("plumbline: PLUMBLINE_BINARY=")
        assert "Traceback" not in done.stderr


class TestImport:
    @pytest.fixture(autouse=True)
    def _here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        if not is_safe(self.torch.__version__):
            pytest.skip(f"PyTorch {self.torch.__version__} can be made to run what is in a file: none is imported")
        monkeypatch.chdir(tmp_path)
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Runs the command in this process: PyTorch takes seconds to load."""
        self.monkeypatch.setattr(sys, "argv", ["plumbline", *map(str, arguments)])
        status = main()
        out, err = self.capsys.readouterr()
        return subprocess.CompletedProcess(sys.argv, status, out, err)

    @pytest.fixture
    def held(self, norm: dict[str, Any]) -> dict[str, Any]:
        tensors = {name: self.torch.from_numpy(x).bfloat16() for name, x in norm.items()}
        x = tensors["x"].float()
        y = x * self.torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * tensors["weight"].float()
        return {"x": tensors["x"], "weight": tensors["weight"], "y": y.bfloat16()}

    def save(self, held: Any, folder: Path) -> Path:
        self.torch.save(held, folder / "case.pt")
        return folder / "case.pt"

    def test_names_of_the_catalogue_map_by_themselves(self, held: dict[str, Any], tmp_path: Path) -> None:
        self.save(held, tmp_path)
        arithmetic = '{"intermediate":"F32"}'
        done = self.command("import", "case.pt", "-op", "norm.rms", "-arithmetic", arithmetic)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "case.safetensors: norm.rms, 3 tensors\n"
        metadata, tensors = read(tmp_path / "case.safetensors")
        assert tensors == plumbline.record("norm.rms", {n: held[n] for n in ("x", "weight")}, held["y"]).tensors
        assert metadata["provenance"]["source"] == "case.pt"
        assert plumbline.verify(tmp_path / "case.safetensors")

    def test_what_has_no_place_is_named(self, held: dict[str, Any], tmp_path: Path) -> None:
        nested = {"inputs": {"x": held["x"]}, "w": held["weight"], "outputs": {"y": held["y"]}, "epss": 1}
        self.save(nested | {"mask\x1b[31m": held["x"][0]}, tmp_path)
        done = self.command("import", "-op", "norm.rms", "--map", "weight=w", "case.pt", "-o", "out.safetensors")
        assert done.stdout.splitlines() == [
            "out.safetensors: norm.rms, 3 tensors",
            '  left out: epss (int, no tensor); did you mean "eps"?',
            "  left out: mask\\x1b[31m (torch.bfloat16 [64])",
        ]
        assert (tmp_path / "out.safetensors").is_file()

    def test_in_json_it_is_for_programs(self, held: dict[str, Any], tmp_path: Path) -> None:
        path = self.save(held | {"z": held["x"]}, tmp_path)
        done = self.command("import", path, "-op", "norm.rms", "-json", "-attrs", '{"eps":1e-6}', "-o", tmp_path)
        said = json.loads(done.stdout)
        assert said["mapped"] == {"x": "x", "weight": "weight", "out.y": "y"}
        assert (said["left"], said["op"]) == (["z"], "norm.rms")
        assert read(Path(said["file"]))[0]["attrs"] == {"eps": 1e-6}

    def test_of_two_that_may_be_one_tensor_the_user_says_which(self, held: dict[str, Any], tmp_path: Path) -> None:
        other = {"inputs": {"x": held["x"] * 2}, "outputs": {"y": held["y"] * 2}}
        self.save(held | other, tmp_path)
        base = ("import", "case.pt", "-op", "norm.rms")
        done = self.command(*base)
        assert (done.returncode, done.stdout) == (2, "")
        assert '"x" and "inputs.x" of the file may both be x: -map x=NAME says which one is' in done.stderr
        done = self.command(*base, "-map", "x=x")
        assert '"y" and "outputs.y" of the file may both be out.y: -map out.y=NAME says which one is' in done.stderr
        done = self.command(*base, "-map", "x=inputs.x,out.y=y", "-json")
        assert json.loads(done.stdout)["mapped"] == {"x": "inputs.x", "weight": "weight", "out.y": "y"}
        assert json.loads(done.stdout)["left"] == ["outputs.y", "x"]

    def test_two_values_of_one_name_are_refused(self, held: dict[str, Any], tmp_path: Path) -> None:
        self.save(held | {"inputs.x": held["x"], "inputs": {"x": held["x"] * 2}}, tmp_path)
        done = self.command("import", "case.pt", "-op", "norm.rms")
        assert (done.returncode, done.stdout) == (2, "")
        assert 'case.pt: it holds two values under the name "inputs.x"' in done.stderr

    def test_mistakes_are_said_and_write_nothing(self, held: dict[str, Any], tmp_path: Path) -> None:
        self.save(held, tmp_path)
        (tmp_path / "text.pt").write_text("no file of PyTorch")
        self.torch.save([1], tmp_path / "list.pt")
        (tmp_path / "there.safetensors").touch()
        base = ("case.pt", "-op", "norm.rms")
        for arguments, message in (
            (("case.pt", "-op", "norm.rm"), 'no op "norm.rm"; did you mean "norm.rms"?'),
            ((*base, "-map", "z=x"), '-map "z=x": want NAME=NAME IN THE FILE, with the first one of x, weight, out.y'),
            ((*base, "-map", "x=wieght"), '-map "x=wieght": no such tensor in the file; did you mean "weight"?'),
            ((*base, "-attrs", "[1]"), "-attrs: want a JSON object"),
            ((*base, "-attrs", "{"), "-attrs: Expecting property name"),
            ((*base, "-attrs", '{"epsilon":1}'), 'no attribute "epsilon": it has eps'),
            ((*base, "-o", "there.safetensors"), "there.safetensors: it is there already"),
            (("none.pt", "-op", "norm.rms"), "none.pt: no such file"),
            (("text.pt", "-op", "norm.rms"), "text.pt: PyTorch reads no tensors and plain values from it"),
            (("list.pt", "-op", "norm.rms"), "list.pt: it holds a list, want a dict of tensors"),
        ):
            before = sorted(tmp_path.iterdir())
            done = self.command("import", *arguments)
            assert (done.returncode, done.stdout) == (2, "")
            assert message in done.stderr
            assert "Traceback" not in done.stderr
            assert sorted(tmp_path.iterdir()) == before

    def test_nothing_in_a_file_is_run(self, tmp_path: Path) -> None:
        self.save({"x": Trap(tmp_path / "sprung")}, tmp_path)
        done = self.command("import", "case.pt", "-op", "norm.rms")
        assert done.returncode == 2
        assert "case.pt: PyTorch reads no tensors and plain values from it" in done.stderr
        assert not (tmp_path / "sprung").exists()


class Trap:
    """What makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("version", ["1.13.0a0", "2.5.1+cu124", "2.9.1"])
def test_a_pytorch_that_runs_what_is_in_files_is_refused(version: str, tmp_path: Path) -> None:
    """The file is not even opened, by a PyTorch that would say so."""
    script = (
        f"import sys, types; sys.modules['torch'] = types.SimpleNamespace(__version__={version!r}, load=print)\n"
        "from plumbline._cli import main; sys.exit(main())"
    )
    arguments = [sys.executable, "-c", script, "import", "case.pt", "-op", "norm.rms"]
    done = subprocess.run(arguments, capture_output=True, encoding="utf-8", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"plumbline: case.pt: the PyTorch here is {version}, want 2.10 or newer: " in done.stderr
    assert "CVE-2025-32434" in done.stderr


def test_versions_of_pytorch_are_compared_as_numbers() -> None:
    assert [is_safe(v) for v in ("2.9.1", "2.10.0", "2.15.0+cu132", "3.0.0", "10.0")] == [False, True, True, True, True]


def test_a_file_needs_pytorch(tmp_path: Path) -> None:
    """Blocks the import of PyTorch, as where it is not installed."""
    script = "import sys; sys.modules['torch'] = None; from plumbline._cli import main; sys.exit(main())"
    arguments = [sys.executable, "-c", script, "import", "case.pt", "-op", "norm.rms"]
    done = subprocess.run(arguments, capture_output=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 2
    assert "case.pt: reading a file of PyTorch needs PyTorch" in done.stderr


def test_nothing_is_imported_that_is_not_needed() -> None:
    """A program without PyTorch and JAX is not made to wait for them."""
    script = "import sys, plumbline, plumbline.pytest_plugin; print({'torch', 'jax', 'ml_dtypes'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == "set()\n"
    x = np.ones(3, np.float32)
    assert plumbline.record("norm.rms", {"x": x[None], "weight": x}, x[None])
