"""Verdicts are the command's, in its own words, and what is not explained raises."""

from __future__ import annotations

import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, read, rms

import plumbline
from plumbline._command import binary
from plumbline._recording import save_unused

GOLDEN = ROOT / "golden" / "testdata"


def terminal(*arguments: object, **how: Any) -> str:
    """Returns what the command prints."""
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, encoding="utf-8", **how).stdout


@pytest.fixture
def wrong(norm: dict[str, Any]) -> dict[str, Any]:
    """A call of a kernel that leaves out ε."""
    norm["x"] *= np.float32(1e-3)
    return {"op": "norm.rms", "inputs": norm, "outputs": rms(**norm, eps=0)}


class TestVerify:
    def test_a_recording_that_ships_is_explained(self) -> None:
        verdict = plumbline.verify(GOLDEN / "norm-rms-plain-bf16-torch.safetensors")
        assert verdict
        assert verdict.ok
        assert (verdict.status, verdict.op, verdict.reason, verdict.sentence) == ("explained", "norm.rms", "", "")
        output = verdict.outputs["y"]
        assert 0 < output.rms < output.rms_limit
        assert 0 <= output.max_z < output.max_z_limit
        assert (output.type, output.status) == ("BF16", "explained")

    def test_the_words_are_those_of_the_terminal(self, wrong: dict[str, Any], tmp_path: Path) -> None:
        path = tmp_path / "wrong.safetensors"
        verdict = plumbline.verify(plumbline.record(**wrong, path=path))
        printed = terminal("verify", "-v", path)
        assert f"{verdict}\n1 recording: 1 unexplained\n" == printed
        assert verdict.line == printed.partition("\n")[0]
        assert f"\n  {verdict.sentence}\n" in printed
        assert verdict.sentence
        assert verdict.diagnosis is not None

    def test_a_recording_in_no_file_has_the_name_that_it_is_given(self, wrong: dict[str, Any]) -> None:
        made = plumbline.record(**wrong)
        assert plumbline.verify(made).file == "norm.rms.safetensors"
        verdict = plumbline.verify(made, name="a b/c", diagnosis=0)
        assert verdict.file == "a_b_c.safetensors"
        assert verdict.line.startswith("unexplained   a_b_c.safetensors  norm.rms ")
        assert verdict.sentence == ""

    def test_what_asks_for_too_much_work_is_unusable(self, wrong: dict[str, Any]) -> None:
        verdict = plumbline.verify(plumbline.record(**wrong), max_work=1)
        assert verdict.status == "unusable"
        assert "-max-work" in verdict.reason

    def test_a_file_that_is_none_is_unusable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        path = Path("-v")
        verdict = plumbline.verify(path)
        assert (verdict.status, verdict.file) == ("unusable", "-v")
        path.write_bytes(b"nothing")
        assert "want at least 8" in plumbline.verify(path).reason

    def test_more_than_one_recording_is_an_error(self, norm: dict[str, Any], tmp_path: Path) -> None:
        for name in "ab":
            plumbline.record("norm.rms", norm, rms(**norm), path=tmp_path / f"{name}.safetensors")
        with pytest.raises(plumbline.CommandError, match="2 recordings, want one"):
            plumbline.verify(tmp_path)

    def test_shards_of_the_test_are_not_those_of_the_recording(
        self, norm: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        status = tmp_path / "status"
        for index in "01":
            monkeypatch.setenv("TEST_SHARD_INDEX", index)
            monkeypatch.setenv("TEST_TOTAL_SHARDS", "2")
            monkeypatch.setenv("TEST_SHARD_STATUS_FILE", str(status))
            assert plumbline.check("norm.rms", norm, rms(**norm)).ok
        assert not status.exists()  # whether the test heeds shards is not for this package to say

    def test_words_are_asked_for_once(self, norm: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        verdict = plumbline.check("norm.rms", norm, rms(**norm))
        words = str(verdict)
        monkeypatch.setenv("PLUMBLINE_BINARY", "none")
        assert str(verdict) == words
        assert "_words" not in repr(verdict)

    def test_numbers_that_are_none_are_read(self, norm: dict[str, Any]) -> None:
        y = np.full_like(norm["x"], np.nan)
        verdict = plumbline.verify(plumbline.record("norm.rms", norm, y))
        assert verdict.status == "unexplained"
        assert verdict.outputs["y"].json["non_finite"] == y.size


class TestCheck:
    def test_a_right_kernel_passes_and_leaves_nothing_behind(
        self, norm: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        verdict = plumbline.check("norm.rms", norm, rms(**norm), keep=tmp_path / "kept")
        assert verdict.status == "explained"
        assert list(tmp_path.iterdir()) == []

    def test_a_wrong_kernel_raises_the_report(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(plumbline.Unexplained) as e:
            plumbline.check(**wrong)
        assert isinstance(e.value, AssertionError)
        assert str(e.value) == f"\n{e.value.verdict}"
        assert f"\n  {e.value.verdict.sentence}\n" in str(e.value)

    def test_the_recording_of_a_wrong_kernel_is_kept_where_it_is_asked_for(
        self, wrong: dict[str, Any], tmp_path: Path
    ) -> None:
        for _ in range(2):
            with pytest.raises(plumbline.Unexplained):
                plumbline.check(**wrong, keep=tmp_path / "a" / "kept", name="case")
        kept = sorted(tmp_path.rglob("*"))
        assert [p.name for p in kept if p.is_file()] == ["case-2.safetensors", "case.safetensors"]
        assert read(kept[-1])[1] == dict(plumbline.record(**wrong).tensors)

    def test_a_name_that_another_takes_meanwhile_is_left_to_it(self, wrong: dict[str, Any], tmp_path: Path) -> None:
        made, names = plumbline.record(**wrong), [str(n) for n in range(64)]
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda _: save_unused(made, tmp_path, names), names))
        assert sorted(taken) == sorted(tmp_path.iterdir()) == sorted(tmp_path / f"{n}.safetensors" for n in names)

    def test_a_recording_that_cannot_be_kept_leaves_no_file(
        self, wrong: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="no space left"):
            save_unused(plumbline.record(**wrong), tmp_path, ["a", "b"])
        assert list(tmp_path.iterdir()) == []

    def test_what_the_verifier_refuses_raises_unusable(self) -> None:
        q = np.zeros((1, 2, 1, 4), np.float32)
        with pytest.raises(plumbline.Unusable, match=r'unusable: .*tensor "kv_lens": index \[0\]: 99 keys') as e:
            plumbline.check("attention.forward", {"q": q, "k": q, "v": q, "kv_lens": [99]}, q)
        assert isinstance(e.value, plumbline.RecordingError)

    def test_inputs_that_cannot_tell_raise_undetermined(self) -> None:
        x = -np.ones((1, 2), np.float32)
        with pytest.raises(plumbline.Undetermined, match="the mask leaves no element to judge") as e:
            plumbline.check("policy.kl", {"logprob": x, "ref_logprob": x, "mask": [[0, 0]]}, x)
        assert isinstance(e.value, plumbline.Unexplained)
        assert e.value.verdict.status == "undetermined"


class TestCommand:
    def test_the_environment_may_name_another(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PLUMBLINE_BINARY", str(tmp_path / "none"))
        with pytest.raises(plumbline.CommandError, match=r"PLUMBLINE_BINARY=.*none: no such file"):
            plumbline.verify("a.safetensors")

    def test_one_that_does_not_answer_in_time_is_ended(self, norm: dict[str, Any]) -> None:
        with pytest.raises(plumbline.CommandError, match=r"plumbline verify: no answer within 0.001 s"):
            plumbline.check("norm.rms", norm, rms(**norm), timeout=0.001)

    @pytest.mark.skipif(os.name != "posix", reason="the stub is a script of the shell")
    def test_one_that_says_something_else_is_an_error(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        stub = tmp_path / "stub"
        stub.write_text("#!/bin/sh\necho broken >&2\n")
        stub.chmod(0o755)
        monkeypatch.setenv("PLUMBLINE_BINARY", str(stub))
        with pytest.raises(plumbline.CommandError, match=r"plumbline verify a.safetensors: broken"):
            plumbline.verify("a.safetensors")
