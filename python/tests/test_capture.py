"""Calls of functions and modules are recorded as they were made."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import read, rms

import plumbline
from plumbline import RecordingError, capture


class TestFunctions:
    def test_arguments_are_inputs_and_attributes_by_their_names(self, norm: dict[str, Any], tmp_path: Path) -> None:
        recorder = capture("norm.rms", to=tmp_path / "runs", arithmetic={"intermediate": "F32"})
        recorded = recorder(rms)
        y = recorded(norm["x"], weight=norm["weight"], eps=1e-5)
        np.testing.assert_array_equal(y, rms(**norm, eps=1e-5))
        assert recorder.paths == [tmp_path / "runs" / "norm.rms-rms-0000.safetensors"]
        metadata, tensors = read(recorder.paths[0])
        assert metadata["attrs"] == {"eps": 1e-5}
        assert metadata["arithmetic"] == {"intermediate": "F32"}
        assert tensors == plumbline.record("norm.rms", norm, y).tensors
        assert plumbline.verify(recorder.paths[0])

    def test_a_decorated_function_keeps_its_name_and_its_default(self, norm: dict[str, Any]) -> None:
        recorder = capture("norm.rms")
        recorded = recorder(rms)
        recorded(**norm)
        assert (recorded.__name__, recorded.__doc__) == (rms.__name__, rms.__doc__)
        assert recorder.recordings[0].attrs == {"eps": 1e-6}

    def test_inputs_are_those_before_the_call(self, norm: dict[str, Any]) -> None:
        recorder = capture("norm.rms", outputs={"y": "x"})

        @recorder
        def in_place(x: np.ndarray, weight: np.ndarray) -> None:
            x[:] = rms(x, weight)

        before = norm["x"].copy()
        in_place(**norm)
        tensors = recorder.recordings[0].tensors
        assert tensors["x"].data == before.tobytes()
        assert tensors["out.y"].data == norm["x"].tobytes() != before.tobytes()

    @pytest.mark.parametrize("name", ["out", "y"])
    def test_what_a_kernel_writes_into_is_its_output_by_its_name(self, norm: dict[str, Any], name: str) -> None:
        recorder = capture("norm.rms")
        space: dict[str, Any] = {"rms": rms}
        exec(f"def into({name}, x, weight): {name}[:] = rms(x, weight)", space)
        y = np.zeros_like(norm["x"])
        recorder(space["into"])(y, **norm)
        assert recorder.recordings[0].tensors["out.y"].data == rms(**norm).tobytes()

    def test_other_names_are_mapped(self, norm: dict[str, Any]) -> None:
        class Layer:
            scale = norm["weight"]

            def run(self, hidden: np.ndarray, trace: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                return trace, rms(hidden, self.scale)

        recorder = capture(
            "norm.rms", inputs={"x": "hidden", "weight": "self.scale"}, outputs={"y": 1}, ignore=["trace"]
        )
        recorder(Layer().run)(norm["x"], np.zeros(3))
        assert recorder.recordings[0].tensors == plumbline.record("norm.rms", norm, rms(**norm)).tensors

    def test_functions_may_map_anything(self, norm: dict[str, Any]) -> None:
        recorder = capture(
            "norm.rms",
            inputs=lambda a: {"x": a["rows"][0].reshape(-1, 64), "weight": a["w"]},
            outputs=lambda result: result["normed"].reshape(-1, 64),
            attrs=lambda a: {"eps": a["config"]["eps"]},
        )

        @recorder
        def deep(rows: list[np.ndarray], config: dict[str, float], **rest: Any) -> dict[str, np.ndarray]:
            return {"normed": rms(rows[0], rest["w"], config["eps"])}

        deep([norm["x"].reshape(1, 5, 64)], {"eps": 1e-3}, w=norm["weight"])
        made = recorder.recordings[0]
        assert made.attrs == {"eps": 1e-3}
        assert made.tensors == plumbline.record("norm.rms", norm, rms(**norm, eps=1e-3)).tensors

    def test_axes_are_brought_into_the_order_of_a_recording(self) -> None:
        rng = np.random.default_rng(0)
        q, k = (rng.normal(size=(2, 3, n, 8)).astype(np.float32) for n in (4, 5))
        order = "bhsd->bshd"
        recorder = capture("attention.forward", layout={"q": order, "k": order, "v": order, "o": order})

        @recorder
        def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            scores = np.einsum("bhsd,bhtd->bhst", q, k) / np.float32(8**0.5)
            weights = np.exp(scores)
            total = weights.sum(-1, keepdims=True)
            return np.einsum("bhst,bhtd->bhsd", weights / total, v), np.log(total[..., 0])

        attend(q, k, k)
        tensors = recorder.recordings[0].tensors
        assert tensors["q"].shape == (2, 4, 3, 8)
        assert tensors["k"].shape == (2, 5, 3, 8)
        assert tensors["out.o"].shape == (2, 4, 3, 8)
        assert tensors["out.lse"].shape == (2, 3, 4)
        assert plumbline.verify(recorder.recordings[0])

    def test_axes_of_tensors_of_pytorch_too(self) -> None:
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        recorder = capture("rope.apply", inputs={"positions": "at"}, layout={"x": "hnd->nhd", "y": "hnd->nhd"})
        x = torch.arange(24.0).reshape(2, 3, 4)
        recorder(lambda x, at: x)(x, [0, 1, 2])
        want = np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(1, 0, 2).tobytes()
        tensors = recorder.recordings[0].tensors
        assert (tensors["x"].shape, tensors["x"].data, tensors["out.y"].data) == ((3, 2, 4), want, want)

    def test_attributes_that_are_given_go_before_arguments(self, norm: dict[str, Any]) -> None:
        recorder = capture("norm.rms", attrs={"eps": 1e-4})
        recorder(rms)(**norm, eps=1e-5)
        assert recorder.recordings[0].attrs == {"eps": 1e-4}

    def test_after_the_limit_and_the_with_statement_no_call_is_recorded(self, norm: dict[str, Any]) -> None:
        with capture("norm.rms", limit=2) as recorder:
            recorded = recorder(rms)
            for _ in range(3):
                recorded(**norm)
        assert (len(recorder.recordings), recorder.calls) == (2, 3)
        recorded(**norm)
        assert recorder.calls == 3

    def test_nothing_is_overwritten_whoever_writes(self, norm: dict[str, Any], tmp_path: Path) -> None:
        recorders = [capture("norm.rms", to=tmp_path, limit=None) for _ in range(2)]
        threads = [threading.Thread(target=r(rms), kwargs=norm) for r in recorders for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(p for r in recorders for p in r.paths) == sorted(tmp_path.iterdir())
        assert len(list(tmp_path.iterdir())) == 8

    def test_a_call_that_fails_fails_as_without(self, norm: dict[str, Any]) -> None:
        recorder = capture("norm.rms")
        with pytest.raises(TypeError, match="missing a required argument"):
            recorder(rms)(norm["x"])
        with pytest.raises(ZeroDivisionError):
            recorder(lambda x, weight: 1 / 0)(**norm)
        assert recorder.recordings == []


class TestMistakes:
    def test_a_tensor_without_a_place_is_an_error(self, norm: dict[str, Any]) -> None:
        recorder = capture("norm.rms")
        with pytest.raises(RecordingError, match="argument residual is a tensor without a place in the recording"):
            recorder(lambda x, weight, residual: x)(**norm, residual=norm["x"])

    def test_more_values_than_outputs_are_an_error(self, norm: dict[str, Any]) -> None:
        with pytest.raises(RecordingError, match="the call returned 2 values, want y: outputs= names them"):
            capture("norm.rms")(lambda x, weight: (x, x))(**norm)

    def test_no_output_is_an_error(self, norm: dict[str, Any]) -> None:
        with pytest.raises(RecordingError, match="the call returned None"):
            capture("norm.rms")(lambda x, weight: None)(**norm)

    def test_a_name_that_is_none_is_an_error_before_any_call(self) -> None:
        for options, message in (
            ({"inputs": {"hidden": "x"}}, 'no input "hidden": it has x, weight'),
            ({"outputs": ["z"]}, 'no output "z": it has y'),
            ({"layout": {"z": "ab->ba"}}, 'no tensor "z"'),
            ({"layout": {"x": "ab->bc"}}, 'layout of x: "ab->bc", want one letter for each axis'),
        ):
            with pytest.raises(RecordingError, match=message):
                capture("norm.rms", **options)
        with pytest.raises(RecordingError, match='no op "norm.rm"; did you mean "norm.rms"'):
            capture("norm.rm")

    def test_an_argument_that_there_is_not_is_an_error(self, norm: dict[str, Any]) -> None:
        with pytest.raises(RecordingError, match='no argument "hidden": the call has x, weight, eps'):
            capture("norm.rms", inputs={"x": "hidden"})(rms)(**norm)

    def test_axes_have_to_be_as_many_as_the_tensor_has(self, norm: dict[str, Any]) -> None:
        with pytest.raises(RecordingError, match="layout of x: 3 axes, want 2, as the tensor has"):
            capture("norm.rms", layout={"x": "abc->bac"})(rms)(**norm)

    def test_what_gives_its_outputs_later_is_refused(self) -> None:
        async def later(x: Any, weight: Any) -> None: ...

        with pytest.raises(RecordingError, match="later is no plain function"):
            capture("norm.rms")(later)
        with pytest.raises(RecordingError, match="capture: a int, want a function or a module"):
            capture("norm.rms")(3)  # type: ignore[type-var]


NAMES = {"x": "hidden", "weight": "self.weight"}


def normaliser(torch: Any) -> Any:
    """Returns a module that normalises rows of 64 numbers in BF16."""

    class Normaliser(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.randn(64, dtype=torch.bfloat16))

        def forward(self, hidden: Any) -> Any:
            if hidden.shape[-1] != 64:
                raise RuntimeError("rows of 64 numbers are wanted")
            x = hidden.float()
            return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight.float()).bfloat16()

    return Normaliser()


class TestModules:
    def test_a_module_is_recorded_until_the_end_and_is_then_as_before(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        module = normaliser(torch)
        model = torch.nn.Sequential(torch.nn.Linear(64, 64, dtype=torch.bfloat16), module)
        x = torch.randn(3, 64, dtype=torch.bfloat16)
        plain = model(x)
        before = copy.deepcopy(module.__dict__)
        options: dict[str, Any] = {"inputs": NAMES, "attrs": {"eps": 1e-6}, "arithmetic": {"intermediate": "F32"}}
        with capture("norm.rms", **options, to=tmp_path) as recorder:
            assert recorder(module) is module
            assert torch.equal(model(x), plain)
        assert [p.name for p in recorder.paths] == ["norm.rms-Normaliser-0000.safetensors"]
        assert plumbline.verify(recorder.paths[0])
        assert module.__dict__.keys() == before.keys()
        model(x)
        assert recorder.calls == 1

    def test_a_module_that_fails_can_be_called_again(self) -> None:
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        module = normaliser(torch)
        with capture("norm.rms", inputs=NAMES) as recorder:
            recorder(module)
            with pytest.raises(RuntimeError):
                module(torch.ones(2, 63, dtype=torch.bfloat16))
            module(torch.ones(2, 64, dtype=torch.bfloat16))
        assert [r.tensors["x"].shape for r in recorder.recordings] == [(2, 64)]
