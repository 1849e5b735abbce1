"""What tests share: a recording of a right kernel and of a wrong one, and files taken apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plumbline import Stored

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def norm() -> dict[str, np.ndarray]:
    """Inputs of norm.rms."""
    rng = np.random.default_rng(3)
    return {"x": rng.normal(size=(5, 64)).astype(np.float32), "weight": rng.normal(size=64).astype(np.float32)}


def rms(x: np.ndarray, weight: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    """Normalises rows, as a kernel in float32 does."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(eps)) * weight


def read(path: Path | bytes) -> tuple[dict[str, Any], dict[str, Stored]]:
    """Returns the metadata and the tensors of a safetensors file."""
    data = path if isinstance(path, bytes) else path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    metadata = header.pop("__metadata__")
    for key in ("attrs", "arithmetic", "generated", "provenance"):
        metadata[key] = json.loads(metadata.get(key, "{}"))
    tensors = {}
    for name, entry in header.items():
        first, last = (begin + offset for offset in entry["data_offsets"])
        tensors[name] = Stored(entry["dtype"], tuple(entry["shape"]), data[first:last])
    return metadata, tensors
