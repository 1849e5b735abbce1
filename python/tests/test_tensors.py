"""Bits of tensors are those that the kernel saw, whatever library, stride and type they have."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from plumbline import RecordingError, Stored
from plumbline._tensors import SIZES, TYPES, take

CODES = np.arange(256, dtype=np.uint8)


def numpy_type(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, None) or name)


def random_bytes(name: str, elements: int) -> bytes:
    """Returns bits of every kind, NaN with payloads and subnormal numbers among them; of a bool 0 and 1."""
    size = SIZES[TYPES[name]]
    data = np.random.default_rng(elements).integers(0, 256, elements * size, dtype=np.uint8)
    return (data & 1 if name == "bool" else data).tobytes()


def test_types_have_the_names_of_the_contract() -> None:
    """Compares with what each type's 1 looks like in bits."""
    ones = {
        "F64": "000000000000f03f",
        "F32": "0000803f",
        "F16": "003c",
        "BF16": "803f",
        "F8_E4M3": "38",
        "F8_E5M2": "3c",
        "F8_E8M0": "7f",
        "I64": "0100000000000000",
        "I32": "01000000",
        "U8": "01",
        "BOOL": "01",
    }
    taken = [take("x", np.ones((), numpy_type(name))) for name in TYPES]
    assert {x.dtype: x.data.hex() for x in taken} == ones


class TestNumPy:
    @pytest.mark.parametrize("name", TYPES)
    def test_every_bit_of_every_type_is_kept(self, name: str) -> None:
        data = random_bytes(name, 240)
        x = np.frombuffer(data, numpy_type(name)).reshape(4, 5, 12)
        assert take("x", x) == Stored(TYPES[name], (4, 5, 12), data)

    @pytest.mark.parametrize("name", TYPES)
    def test_strides_are_followed(self, name: str) -> None:
        base = np.frombuffer(random_bytes(name, 240), numpy_type(name)).reshape(4, 5, 12)
        view = base[::-1, 1::2, ::3].transpose(2, 0, 1)
        assert take("x", view).data == np.array(view, order="C").tobytes()
        assert take("x", np.broadcast_to(base[0, 0, 0], (2, 3))).data == base[0, 0, 0].tobytes() * 6

    def test_another_byte_order_is_turned(self) -> None:
        x = np.array([1.5, -2.25], dtype=">f4")
        assert take("x", x) == take("x", x.astype("<f4"))
        assert take("x", np.array([1, -2], dtype=">i8")).data == np.array([1, -2], dtype="<i8").tobytes()

    def test_a_scalar_has_no_axes_and_nothing_has_no_bytes(self) -> None:
        assert take("x", np.float32(3)) == Stored("F32", (), np.float32(3).tobytes())
        assert take("x", np.array(3.0)).shape == ()
        assert take("x", np.zeros((0, 3), np.float32)) == Stored("F32", (0, 3), b"")

    @pytest.mark.parametrize("name", ["int8", "int16", "uint16", "uint32"])
    def test_integers_without_a_type_in_recordings_keep_their_values(self, name: str) -> None:
        ends = np.array([np.iinfo(name).min, 1, np.iinfo(name).max], dtype=name)
        taken = take("x", ends)
        wide = np.frombuffer(taken.data, {"I32": np.int32, "I64": np.int64}[taken.dtype])
        assert wide.tolist() == ends.tolist()

    @pytest.mark.parametrize(
        ("x", "why"),
        [
            (np.zeros(2, ml_dtypes.float8_e4m3fnuz), "x: type float8_e4m3fnuz.*other numbers"),
            (np.zeros(2, ml_dtypes.float8_e5m2fnuz), "x: type float8_e5m2fnuz"),
            (np.zeros(2, ml_dtypes.float8_e4m3), "x: type float8_e4m3, .*has infinities"),
            (np.zeros(2, np.complex64), "x: type complex64, want one of float64"),
            (np.zeros(2, np.uint64), "x: type uint64.*convert it to int64"),
            (np.array(["a"]), "x: type str"),
            (np.array([object()]), "x: type object"),
            (np.ma.masked_array([1.0], [True]), "x: a masked array"),
        ],
    )
    def test_what_a_recording_cannot_hold_is_refused(self, x: np.ndarray, why: str) -> None:
        with pytest.raises(RecordingError, match=why):
            take("x", x)


class TestPython:
    def test_lists_stand_for_integers_and_truth_values(self) -> None:
        assert take("x", [[1, 2], [3, 4]], listed=True) == take("x", np.array([[1, 2], [3, 4]]))
        assert take("x", 7, listed=True) == Stored("I64", (), np.int64(7).tobytes())
        assert take("x", [True, False], listed=True) == Stored("BOOL", (2,), b"\1\0")
        assert take("x", [], listed=True) == Stored("I64", (0,), b"")

    @pytest.mark.parametrize(
        ("x", "listed", "why"),
        [
            ([1.0], True, "x: a list of float64, want integers or a tensor"),
            ([1], False, "x: a list of Python has no element type"),
            (0.5, False, "x: a float of Python has no element type"),
            ([[1], [1, 2]], True, "x: lists of unequal lengths"),
            ([2**70], True, "x: a list of object"),
            ("q", True, "x: builtins.str, want a tensor"),
            ({}, False, "x: builtins.dict, want a tensor"),
        ],
    )
    def test_what_has_no_element_type_is_refused(self, x: object, listed: bool, why: str) -> None:
        with pytest.raises(RecordingError, match=why):
            take("x", x, listed)


class TestPyTorch:
    @pytest.fixture(autouse=True)
    def _torch(self) -> None:
        self.torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    def type_of(self, name: str) -> Any:
        """Returns a type, and skips the test in a PyTorch that is older than it."""
        if not hasattr(self.torch, name):
            pytest.skip(f"PyTorch {self.torch.__version__} has no {name}")
        return getattr(self.torch, name)

    @pytest.mark.parametrize("name", TYPES)
    def test_every_bit_of_every_type_is_kept(self, name: str) -> None:
        data = random_bytes(name, 240)
        x = self.torch.frombuffer(bytearray(data), dtype=self.type_of(name)).reshape(4, 5, 12)
        assert take("x", x) == Stored(TYPES[name], (4, 5, 12), data)

    @pytest.mark.parametrize("name", TYPES)
    def test_strides_are_followed(self, name: str) -> None:
        data = random_bytes(name, 240)
        view = self.torch.frombuffer(bytearray(data), dtype=self.type_of(name)).reshape(4, 5, 12)
        view = view[1:, ::2, ::3].permute(2, 0, 1)
        want = np.frombuffer(data, numpy_type(name)).reshape(4, 5, 12)[1:, ::2, ::3].transpose(2, 0, 1)
        assert take("x", view) == take("x", want)
        assert take("x", view[:1, :1].expand(3, 2, 3)) == take("x", np.broadcast_to(want[:1, :1], (3, 2, 3)))

    def test_gradients_parameters_and_single_numbers_are_plain_tensors(self) -> None:
        x = self.torch.ones(2, 3, requires_grad=True)
        assert take("x", x * 2) == take("x", np.full((2, 3), 2, np.float32))
        assert take("x", self.torch.nn.Parameter(self.torch.ones(2))) == take("x", np.ones(2, np.float32))
        assert take("x", self.torch.tensor(3.0)) == take("x", np.float32(3))
        with self.torch.inference_mode():
            assert take("x", self.torch.ones(2)) == take("x", np.ones(2, np.float32))

    def test_a_negation_that_is_put_off_is_carried_out(self) -> None:
        z = self.torch.tensor([1 + 2j, 3 - 4j])
        imaginary = z.conj().imag
        assert imaginary.is_neg()
        assert take("x", imaginary) == take("x", np.array([-2, 4], np.float32))
        in_a_row = self.torch._neg_view(self.torch.ones(2))
        assert take("x", in_a_row) == take("x", np.array([-1, -1], np.float32))

    def test_tensors_that_share_memory_are_copied(self) -> None:
        x = self.torch.zeros(3)
        taken = take("x", x)
        x += 1
        assert taken.data == bytes(12)

    def test_integers_without_a_type_in_recordings_keep_their_values(self) -> None:
        x = self.torch.tensor([-128, 127], dtype=self.torch.int8)
        assert take("x", x) == take("x", np.array([-128, 127], np.int32))

    def test_what_a_recording_cannot_hold_is_refused(self) -> None:
        torch = self.torch
        for x, why in (
            (torch.zeros(2, dtype=torch.complex64), "type complex64"),
            (torch.zeros(2, device="meta"), "meta device has no data"),
            (torch.eye(2).to_sparse(), "a tensor of layout torch.sparse_coo, want a dense one"),
            (torch.quantize_per_tensor(torch.zeros(2), 1.0, 0, torch.qint8), "a quantised tensor"),
        ):
            with pytest.raises(RecordingError, match=f"x: .*{why}"):
                take("x", x)

    def test_codes_that_mean_other_numbers_are_refused(self) -> None:
        with pytest.raises(RecordingError, match="x: .*type float8_e4m3fnuz.*other numbers"):
            take("x", self.torch.zeros(2, dtype=self.type_of("float8_e4m3fnuz")))

    @pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
    def test_a_tensor_of_rows_of_unequal_lengths_is_refused(self) -> None:
        self.type_of("jagged")
        rows = [self.torch.ones(2), self.torch.ones(3)]
        for layout in (self.torch.strided, self.torch.jagged):
            with pytest.raises(RecordingError, match=r"x: a tensor of layout torch\.\w+, nested, want a dense one"):
                take("x", self.torch.nested.nested_tensor(rows, layout=layout))

    def test_a_tensor_inside_of_vmap_is_refused(self) -> None:
        self.type_of("func")
        with pytest.raises(RecordingError, match="x: PyTorch gives no elements: Cannot access data pointer"):
            self.torch.func.vmap(lambda x: take("x", x))(self.torch.ones(2, 3))

    def test_a_tensor_that_stands_for_others_is_refused(self) -> None:
        fake = pytest.importorskip("torch._subclasses.fake_tensor")
        with fake.FakeTensorMode():
            x = self.torch.zeros(2)
        with pytest.raises(RecordingError, match=r"x: a FakeTensor, want a plain tensor"):
            take("x", x)


class TestJAX:
    @pytest.fixture(autouse=True)
    def _jax(self) -> None:
        self.jax = pytest.importorskip("jax", reason="JAX is not installed")

    @pytest.mark.parametrize("name", [n for n in TYPES if n not in ("float64", "int64")])
    def test_every_bit_of_every_type_is_kept(self, name: str) -> None:
        x = np.frombuffer(random_bytes(name, 240), numpy_type(name)).reshape(4, 60)
        assert take("x", self.jax.numpy.asarray(x)) == take("x", x)
        assert take("x", self.jax.numpy.asarray(x).T) == take("x", x.T)

    def test_a_tracer_is_refused(self) -> None:
        with pytest.raises(RecordingError, match="x: a tracer of JAX has no values: record outside of jit"):
            self.jax.jit(lambda x: take("x", x))(self.jax.numpy.ones(2))

    def test_a_key_is_refused(self) -> None:
        with pytest.raises(RecordingError, match="x: type key"):
            take("x", self.jax.random.key(0))
