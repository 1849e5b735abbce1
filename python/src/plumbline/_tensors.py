"""Takes the exact bits of a tensor of PyTorch, NumPy or JAX.

A library is never imported because it is installed: a tensor of it can only be given where the
program has imported it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from plumbline._errors import RecordingError

# The element types of recordings, by the names that NumPy, ml_dtypes, JAX and PyTorch share.
TYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e8m0fnu": "F8_E8M0",
    "int64": "I64",
    "int32": "I32",
    "uint8": "U8",
    "bool": "BOOL",
}
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I64": 8, "I32": 4}
SIZES |= {"U8": 1, "BOOL": 1}

# Integers that a recording has no type for keep their values in a wider one.
WIDENED = {"int8": "int32", "int16": "int32", "uint16": "int32", "uint32": "int64"}

FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0")


@dataclass(frozen=True)
class Source:
    """Where a tensor came from: a library, and a device that is not the CPU."""

    library: str = ""
    device: str = ""


@dataclass(frozen=True)
class Stored:
    """A tensor as a recording has it: row-major, little-endian."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes = field(repr=False)
    source: Source = field(default=Source(), repr=False, compare=False)


def take(what: str, x: Any, listed: bool = False) -> Stored:
    """Copies the bits of a tensor. Numbers and lists of Python are taken where listed allows it."""
    if isinstance(x, Stored):
        return x
    if isinstance(x, np.ndarray | np.generic):
        return replace(from_numpy(what, np.asanyarray(x)), source=Source("NumPy"))
    if (torch := sys.modules.get("torch")) is not None and isinstance(x, torch.Tensor):
        return from_torch(what, torch, x)
    if (jax := sys.modules.get("jax")) is not None and isinstance(x, jax.Array):
        return from_jax(what, jax, x)
    if isinstance(x, bool | int | float | list | tuple):
        return from_python(what, x, listed)
    raise RecordingError(f"{what}: {_kind(x)}, want a tensor of PyTorch, NumPy or JAX")


def from_numpy(what: str, x: npt.NDArray[Any]) -> Stored:
    """Takes an array of NumPy, with the types of ml_dtypes."""
    name = x.dtype.name
    if type(x) is not np.ndarray:
        if isinstance(x, np.ma.MaskedArray):
            raise RecordingError(f"{what}: a masked array, want a plain one: which of its elements count is not known")
        x = x.view(np.ndarray)
    if name in WIDENED:
        name = WIDENED[name]
        x = x.astype(name)
    if name not in TYPES:
        raise RecordingError(f"{what}: type {name}, want one of {', '.join(TYPES)}{_unlike(name)}")
    if x.dtype.byteorder != "|" and x.dtype.kind in "fiu":
        x = x.astype(x.dtype.newbyteorder("<"), copy=False)
    return Stored(TYPES[name], x.shape, x.tobytes(order="C"))


def _unlike(name: str) -> str:
    """Says of a type that looks like one of a recording why it is not taken for it."""
    if name.endswith("fnuz"):
        return ": its bits mean other numbers than those of the types without uz"
    if name == "float8_e4m3":
        return ": float8_e4m3 has infinities, which float8_e4m3fn has not"
    if name == "uint64":
        return ": uint64 has numbers that no type of a recording holds; convert it to int64"
    return ""


def from_torch(what: str, torch: Any, x: Any) -> Stored:
    """Takes a tensor of PyTorch: of any stride, device and storage, with gradient or without."""
    name = str(x.dtype).removeprefix("torch.")
    if reason := _not_plain(torch, x):
        raise RecordingError(f"{what}: {reason}")
    if name not in TYPES and name not in WIDENED:
        raise RecordingError(f"{what}: type {name}, want one of {', '.join(TYPES)}{_unlike(name)}")
    with torch.no_grad():
        plain = x.detach().resolve_conj().resolve_neg().cpu()
        if name in WIDENED:
            name = WIDENED[name]
            plain = plain.to(getattr(torch, name))
        flat = plain.contiguous().reshape(-1)
        data = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    if sys.byteorder == "big" and flat.element_size() > 1:
        data = np.frombuffer(data, f"u{flat.element_size()}").byteswap().tobytes()
    return Stored(TYPES[name], tuple(x.shape), data, Source("PyTorch", _torch_device(torch, x)))


def _not_plain(torch: Any, x: Any) -> str:
    """Says why a tensor has no elements that could be read, "" where it has."""
    if x.is_meta:
        return "a tensor on the meta device has no data"
    if x.layout != torch.strided:
        return f"layout {x.layout}, want a dense tensor (to_dense() makes one)"
    if x.is_quantized:
        return "a quantised tensor, want its codes (int_repr()) or its values (dequantize())"
    if type(x) not in (torch.Tensor, torch.nn.Parameter) and hasattr(type(x), "__tensor_flatten__"):
        return f"a {type(x).__name__}, which wraps other tensors; want a plain one"
    if type(x).__name__ in ("FakeTensor", "FunctionalTensor", "DTensor"):
        return f"a {type(x).__name__}, want a plain tensor: it stands for others, in torch.compile or on other devices"
    return ""


def _torch_device(torch: Any, x: Any) -> str:
    if x.device.type != "cuda":
        return "" if x.device.type == "cpu" else str(x.device)
    return str(torch.cuda.get_device_name(x.device))


def from_jax(what: str, jax: Any, x: Any) -> Stored:
    """Takes an array of JAX that has been computed."""
    if isinstance(x, jax.core.Tracer):
        raise RecordingError(f"{what}: a tracer of JAX has no values: record outside of jit, grad and vmap")
    if jax.dtypes.issubdtype(x.dtype, jax.dtypes.extended):
        raise RecordingError(f"{what}: type {x.dtype}, want one of {', '.join(TYPES)}")
    devices = sorted({d.device_kind for d in x.devices() if d.platform != "cpu"})
    return replace(from_numpy(what, np.asarray(x)), source=Source("JAX", ", ".join(devices)))


def from_python(what: str, x: bool | int | float | Sequence[Any], listed: bool) -> Stored:
    """Takes a number or a list of Python, where it can only stand for integers or truth values."""
    if not listed:
        raise RecordingError(f"{what}: a {type(x).__name__} of Python has no element type, want a tensor")
    try:
        array = np.array(x)
    except ValueError as e:
        raise RecordingError(f"{what}: lists of unequal lengths: {e}") from e
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "bi":
        raise RecordingError(f"{what}: a {type(x).__name__} of {array.dtype.name}, want integers or a tensor")
    return from_numpy(what, array if array.dtype.kind == "b" else array.astype(np.int64))


def is_tensor(x: Any) -> bool:
    """Tells whether something is a tensor of a library that is known."""
    return isinstance(x, np.ndarray) or any(
        (module := sys.modules.get(name)) is not None and isinstance(x, getattr(module, kind))
        for name, kind in (("torch", "Tensor"), ("jax", "Array"))
    )


def _kind(x: Any) -> str:
    return f"{type(x).__module__}.{type(x).__qualname__}"
