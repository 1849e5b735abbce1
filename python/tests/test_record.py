"""Recordings hold what was given, and what is wrong with that is said by name."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, read, rms

import plumbline
from plumbline import RecordingError, Stored, record
from plumbline._command import binary

SHIPPED = sorted([*(ROOT / "golden" / "testdata").glob("*.safetensors"), *(ROOT / "kernels").rglob("*.safetensors")])


class TestCatalogue:
    def test_it_is_that_of_the_command(self) -> None:
        said = json.loads(subprocess.run([binary(), "ops", "-json"], capture_output=True, check=True).stdout)
        assert list(plumbline.ops()) == [entry["name"] for entry in said["ops"]]
        assert (ROOT / "docs" / "ops.json").read_text(encoding="utf-8") == json_of_package()
        entry = plumbline.op("mla.layer")
        assert entry.inputs["w_uq"].shape == ("H*(Dn+Dr)", "cq")
        assert entry.inputs["w_uq"].optional
        assert entry.attrs["heads"].letter == "H"
        assert plumbline.op("fp8.cast").attrs["block"].default == [1, 128]

    def test_every_shape_and_kind_is_understood(self) -> None:
        for entry in plumbline.ops().values():
            assert {a.kind for a in entry.attrs.values()} <= set(plumbline._recording.CHECKS)
            assert {k.kind for k in entry.arithmetic.values()} <= {"accumulator", "type", "word", "number"}


def json_of_package() -> str:
    path = Path(plumbline.__file__).parent / "_built" / "ops.json"
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_a_recording_that_ships_is_one_here_too(path: Path) -> None:
    """Checks names, shapes, attributes and arithmetic of every recording and request, by their heads."""
    metadata, tensors = read(path)
    made = {name: Stored(r["dtype"], tuple(r["shape"]), b"") for name, r in metadata["generated"].items()}
    inputs = made | {name: x for name, x in tensors.items() if not name.startswith("out.")}
    outputs = {name: x for name, x in tensors.items() if name.startswith("out.")}
    again = record(metadata["op"], inputs, outputs, metadata["attrs"], metadata["arithmetic"])
    assert again.tensors == inputs | outputs
    assert again.attrs == metadata["attrs"]
    assert again.arithmetic == metadata["arithmetic"]


class TestFile:
    def test_it_holds_what_was_given(self, norm: dict[str, Any], tmp_path: Path) -> None:
        y = rms(**norm)
        path = tmp_path / "a.safetensors"
        made = record("norm.rms", norm, y, {"eps": 1e-6}, {"intermediate": "F32"}, {"note": "σ"}, path)
        metadata, tensors = read(path)
        assert made.path == path
        assert tensors == made.tensors
        assert tensors["out.y"] == Stored("F32", (5, 64), y.tobytes())
        assert metadata["plumbline"] == "1"
        assert metadata["op"] == "norm.rms"
        assert metadata["attrs"] == {"eps": 1e-6}
        assert metadata["arithmetic"] == {"intermediate": "F32"}
        assert metadata["provenance"]["note"] == "σ"

    def test_the_library_safetensors_reads_it(self, norm: dict[str, Any], tmp_path: Path) -> None:
        library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
        path = tmp_path / "a.safetensors"
        record("norm.rms", norm, rms(**norm), path=path)
        held = library.load_file(path)
        assert sorted(held) == ["out.y", "weight", "x"]
        for name, x in norm.items():
            np.testing.assert_array_equal(held[name], x)

    def test_the_same_call_gives_the_same_bytes(self, norm: dict[str, Any]) -> None:
        turned = dict(reversed(norm.items()))
        a, b = (record("norm.rms", x, rms(**norm), provenance={"recorded_at": None}) for x in (norm, turned))
        assert a.to_bytes() == b.to_bytes()

    def test_every_tensor_is_aligned(self) -> None:
        inputs = {"x": np.ones((3, 5), np.float16), "positions": [0, 1, 2]}
        made = record("rope.apply", inputs | {"x": np.ones((3, 1, 5), np.float16)}, np.ones((3, 1, 5), np.float64))
        data = made.to_bytes()
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        assert int.from_bytes(data[:8], "little") % 8 == 0
        sizes = {"F64": 8, "I64": 8, "F16": 2}
        assert all(e["data_offsets"][0] % sizes[e["dtype"]] == 0 for n, e in header.items() if n != "__metadata__")

    @pytest.mark.skipif(os.name != "posix", reason="permissions are of POSIX")
    def test_a_file_has_the_permissions_of_the_process_whose_mask_is_left_alone(self, tmp_path: Path) -> None:
        """Runs in a process of its own: the mask is that of all threads."""
        script = (
            "import os, sys, numpy, plumbline; os.umask(0o027); os.umask = None; x = numpy.ones((1, 4), 'f4')\n"
            "plumbline.record('norm.rms', {'x': x, 'weight': x[0]}, x, path=sys.argv[1])"
        )
        subprocess.run([sys.executable, "-c", script, tmp_path / "a.safetensors"], check=True)
        assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o640

    def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(self, tmp_path: Path) -> None:
        path = tmp_path / "a.safetensors"
        path.write_bytes(b"old")
        broken = plumbline.Recording("norm.rms", {"x": Stored("F32", (1,), "no bytes")})  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            broken.save(path)
        assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
        assert path.read_bytes() == b"old"


class TestWhatMayBeGiven:
    def test_one_tensor_is_the_first_output(self, norm: dict[str, Any]) -> None:
        y = rms(**norm)
        forms = (y, {"y": y}, {"out.y": y})
        assert all(record("norm.rms", norm, form).tensors["out.y"].data == y.tobytes() for form in forms)

    def test_none_is_left_out(self, norm: dict[str, Any]) -> None:
        q = np.zeros((1, 2, 3, 4), np.float32)
        made = record("attention.forward", {"q": q, "k": q, "v": q, "kv_lens": None}, {"o": q, "lse": None})
        assert list(made.tensors) == ["q", "k", "v", "out.o"]

    def test_without_outputs_it_is_a_request(self, norm: dict[str, Any]) -> None:
        assert list(record("norm.rms", norm, {}).tensors) == ["x", "weight"]

    def test_numbers_of_libraries_are_numbers(self, norm: dict[str, Any]) -> None:
        made = record("norm.rms", norm, rms(**norm), {"eps": np.float64(1e-5)})
        assert made.attrs == {"eps": 1e-5}
        assert type(made.attrs["eps"]) is float

    def test_of_two_sides_each_declares_its_own(self) -> None:
        a = np.zeros((1, 2), np.float32)
        declared = {"a": {"intermediate": "F32"}, "b": {"intermediate": "BF16"}, "accumulate": "F32"}
        inputs = {"logprob_a": a, "logprob_b": a}
        assert record("policy.mismatch", inputs, a, {}, declared).arithmetic == declared
        with pytest.raises(RecordingError, match='no key of arithmetic "c": it has accumulate, .*, a, b'):
            record("policy.mismatch", inputs, a, {}, {"c": {}})
        with pytest.raises(RecordingError, match='no key of arithmetic "intermediat": .* did you mean "intermediate"'):
            record("policy.mismatch", inputs, a, {}, {"a": {"intermediat": "F32"}})

    def test_the_origin_is_found_out_unless_it_is_given(self, norm: dict[str, Any]) -> None:
        found = record("norm.rms", norm, rms(**norm)).provenance
        assert found["producer"] == f"NumPy {np.__version__}"
        assert found["device"].startswith("CPU")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["recorded_at"])
        given = record("norm.rms", norm, rms(**norm), provenance={"producer": "mine", "device": None}).provenance
        assert given["producer"] == "mine"
        assert "device" not in given


def wrong(**changes: Any) -> dict[str, Any]:
    """Returns the arguments of a call of attention with changes; a tensor that is None goes."""
    q, k, o = np.zeros((2, 7, 4, 64), np.float32), np.zeros((2, 45, 4, 64), np.float32), np.zeros((2, 7, 4, 64))
    call: dict[str, Any] = {"op": "attention.forward", "inputs": {"q": q, "k": k, "v": k}, "outputs": {"o": o}}
    for key in ("op", "outputs", "attrs", "arithmetic", "provenance"):
        if key in changes:
            call[key] = changes.pop(key)
    call["inputs"] = call["inputs"] | changes.pop("inputs", {})
    assert not changes
    return call


Z = np.zeros
MISTAKES = {
    "op": (wrong(op="attention.foward"), 'no op "attention.foward"; did you mean "attention.forward"?'),
    "no op": (wrong(op="convolution"), r'no op "convolution" \(plumbline.ops\(\) has all \d+\)'),
    "input": (wrong(inputs={"kv_len": [1, 2]}), 'has no input "kv_len": it has q, k, .*; did you mean "kv_lens"'),
    "missing input": (wrong(inputs={"v": None}), r"input v is missing: values, \[B,T,G,V\] of floating-point numbers"),
    "output": (wrong(outputs={"out.ls": Z(1)}), 'has no output "out.ls": it has o, lse; did you mean "lse"'),
    "twice": (wrong(outputs={"o": Z(1), "out.o": Z(1)}), "output o is given twice"),
    "attribute": (wrong(attrs={"casual": True}), 'has no attribute "casual": .*; did you mean "causal"'),
    "flag": (wrong(attrs={"causal": 1}), "attribute causal: 1, want True or False"),
    "count": (wrong(attrs={"window": -1}), "attribute window: -1, want a whole number from 0 on"),
    "fraction": (wrong(attrs={"window": 1.5}), "attribute window: 1.5, want a whole number from 0 on"),
    "infinite": (wrong(attrs={"window": float("inf")}), "attribute window: Infinity, want a whole number"),
    "number": (wrong(attrs={"scale": float("nan")}), "attribute scale: NaN, want a finite number"),
    "truth for a number": (wrong(attrs={"scale": True}), "attribute scale: true, want a finite number"),
    "choice": (wrong(attrs={"lse_base": "10"}), 'attribute lse_base: "10", want e or 2'),
    "key": (wrong(arithmetic={"score": "F32"}), 'no key of arithmetic "score": .*; did you mean "scores"'),
    "value": (wrong(arithmetic={"scores": "bfloat16"}), 'scores: "bfloat16", want one of .*; did you mean "BF16"'),
    "word": (wrong(arithmetic={"exp": "fast"}), 'arithmetic exp: "fast", want one of exact, approx$'),
    "axes": (wrong(inputs={"k": Z((2, 45, 4))}), r"input k: shape \[2,45,4\], want 4 axes \[B,T,G,D\]"),
    "letter": (
        wrong(inputs={"k": Z((2, 45, 4, 128))}),
        r"input k: shape \[2,45,4,128\], want \[B,T,G,D\] with D = 64 from input q of shape \[2,7,4,64\]",
    ),
    "output shape": (
        wrong(outputs={"o": Z((2, 7, 4, 63))}),
        r"output o: shape \[2,7,4,63\], want \[B,S,H,V\] with V = 64 from input v of shape \[2,45,4,64\]",
    ),
    "floats for integers": (wrong(inputs={"kv_lens": Z(2)}), r"input kv_lens: type F64, want \[B\] of integers"),
    "integers for floats": (
        wrong(inputs={"q": Z((2, 7, 4, 64), np.int64)}),
        r"input q: type I64, want \[B,S,H,D\] of floating-point numbers",
    ),
    "inputs": ({"op": "norm.rms", "inputs": [1], "outputs": Z(1)}, "inputs: a list, want a mapping"),
    "attrs": (wrong(attrs=[1]), "attrs: a list, want a mapping of names to values"),
    "provenance": (wrong(provenance={"note": {1}}), "provenance: .*, want what JSON can hold"),
    "letter of an attribute": (
        {
            "op": "mla.layer",
            "inputs": {
                "x": Z((1, 2, 8)),
                "w_q": Z((18, 8)),
                "norm_kv": Z(4),
                "w_dkv": Z((6, 8)),
                "w_ukv": Z((12, 4)),
                "w_o": Z((8, 6)),
            },
            "outputs": Z((1, 2, 8)),
            "attrs": {"heads": 2, "nope_dim": 3, "rope_dim": 2, "value_dim": 3},
        },
        r"input w_q: shape \[18,8\], want \[H\*\(Dn\+Dr\),d\] with H\*\(Dn\+Dr\) = 10: Dn = 3 from attribute nope_dim, "
        "Dr = 2 from attribute rope_dim, H = 2 from attribute heads",
    ),
    "required attribute": (
        {"op": "moe.dispatch", "inputs": {"indices": [[1]]}, "outputs": [1]},
        "attribute experts is missing: .*, a whole number",
    ),
    "required key": (
        {"op": "mma.step", "inputs": {"a": Z((1, 2)), "b": Z((1, 2))}, "outputs": Z(1)},
        "arithmetic accumulate is missing: .*F32_HOPPER",
    ),
    "pair": (
        {"op": "fp8.cast", "inputs": {"x": Z((1, 2))}, "outputs": {}, "attrs": {"block": [1, 0]}},
        r"attribute block: \[1, 0\], want two whole numbers from 1 on",
    ),
    "ceil": (
        {"op": "fp8.cast", "inputs": {"x": Z((1, 129))}, "outputs": {"scale": Z((1, 1))}},
        r"output scale: shape \[1,1\], want \[ceil\(M/b0\),ceil\(K/b1\)\] with ceil\(K/b1\) = 2: K = 129 from input x",
    ),
}


@pytest.mark.parametrize(("call", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_what_is_wrong_is_named_with_what_was_meant(call: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        record(**call)


def test_a_right_call_has_none_of_these_mistakes() -> None:
    record(**wrong())


def test_nothing_of_a_name_reaches_the_terminal_as_it_is() -> None:
    with pytest.raises(RecordingError) as e:
        record(**wrong(attrs={"\x1b[31mred\u202e": 1}))
    assert str(e.value).isprintable()
