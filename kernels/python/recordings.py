"""Reads requests and writes recordings: safetensors files as the format of recordings has them, with generated inputs made anew bit for bit.

Headers need nothing but Python; tensors need torch, which is imported when the first one is made.
"""

import ctypes
import hashlib
import json
import math
import pathlib
import struct

# Widths in bytes, and names in torch.
WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}
TORCH_NAMES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "I64": "int64",
    "I32": "int32",
    "U8": "uint8",
    "BOOL": "bool",
}
OBJECTS = ("attrs", "arithmetic", "generated", "provenance")
METADATA = "__metadata__"


def defaults():
    """Returns what an attribute that a request leaves out is taken for, op by op: what docs/ops.json has of the catalogue, and None for one without default."""
    text = (pathlib.Path(__file__).parents[2] / "docs" / "ops.json").read_text(encoding="utf-8")
    return {op["name"]: {attr["name"]: attr.get("default") for attr in op["attrs"]} for op in json.loads(text)["ops"]}


DEFAULTS = defaults()
ATTRS = {name for attrs in DEFAULTS.values() for name in attrs}


class Unusable(Exception):
    """A file that breaks the format, or an input that cannot be made as it says."""


class Request:
    """One call without its outputs. Tensors are made when they are asked for, on the CPU, and kept."""

    def __init__(self, path):
        self.path = str(path)
        self.name = self.path.rsplit("/", 1)[-1].removesuffix(".safetensors")
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        self.begin = 8 + length
        self.metadata = header.pop(METADATA, {})
        self.stored = header
        self.op = self.metadata.get("op")
        for key in OBJECTS:
            setattr(self, key, json.loads(self.metadata.get(key, "{}")))
        if self.metadata.get("plumbline") != "1" or not self.op:
            raise Unusable(f"{self.path}: not a recording of format 1")
        self.made = {}

    def has(self, name):
        return name in self.stored or name in self.generated

    def attr(self, name):
        """Returns an attribute, or its default; None where there is neither, or the op has no such attribute."""
        if name not in ATTRS:
            raise KeyError(name)
        return self.attrs.get(name, DEFAULTS.get(self.op, {}).get(name))

    def dtype(self, name):
        return (self.stored.get(name) or self.generated[name])["dtype"]

    def shape(self, name):
        return (self.stored.get(name) or self.generated[name])["shape"]

    def tensor(self, name):
        if name not in self.made:
            self.made[name] = self._stored(name) if name in self.stored else self._generated(name)
        return self.made[name]

    def list(self, name):
        """Returns a stored integer or float tensor of one axis as a list, without torch."""
        entry = self.stored[name]
        data = self._bytes(entry)
        code = {"I64": "q", "I32": "i", "F32": "f", "F64": "d", "U8": "B"}[entry["dtype"]]
        return list(struct.unpack(f"<{len(data) // WIDTHS[entry['dtype']]}{code}", data))

    def release(self):
        self.made = {}

    def _bytes(self, entry):
        begin, end = entry["data_offsets"]
        with open(self.path, "rb") as file:
            file.seek(self.begin + begin)
            return file.read(end - begin)

    def _stored(self, name):
        import torch

        entry = self.stored[name]
        data = bytearray(self._bytes(entry))
        return torch.frombuffer(data, dtype=torch_type(entry["dtype"])).reshape(entry["shape"])

    def _generated(self, name):
        recipe = self.generated[name]
        x = generate(recipe)
        if hashlib.sha256(raw(x)).hexdigest() != recipe["sha256"]:
            raise Unusable(f"{self.path}: tensor {name!r}: made with another sha256 than the recipe has")
        return x


def torch_type(word):
    import torch

    return getattr(torch, TORCH_NAMES[word])


def word_of(dtype):
    return next(word for word, name in TORCH_NAMES.items() if str(dtype) == "torch." + name)


def raw(x):
    """Returns the bytes of a tensor in row-major order."""
    x = x.detach().cpu().contiguous()
    return ctypes.string_at(x.data_ptr(), x.numel() * x.element_size())


def write(path, request, outputs, arithmetic, provenance):
    """Writes a recording: what the request holds, and the outputs. Tensors of the widest types come first, so that each is aligned."""
    entries = {name: (request.dtype(name), request.shape(name), request._bytes(entry)) for name, entry in request.stored.items()}
    for name, x in outputs.items():
        entries["out." + name] = (word_of(x.dtype), list(x.shape), raw(x))
    metadata = {"plumbline": "1", "op": request.op}
    objects = {"attrs": request.attrs, "arithmetic": arithmetic, "generated": request.generated, "provenance": provenance}
    metadata.update({key: json.dumps(value, sort_keys=True, ensure_ascii=False) for key, value in objects.items() if value})
    header, offset, data = {METADATA: metadata}, 0, []
    for name, (dtype, shape, payload) in sorted(entries.items(), key=lambda entry: -WIDTHS[entry[1][0]]):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(payload)]}
        offset += len(payload)
        data.append(payload)
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(data)


# --- generated inputs

GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
MASK = (1 << 64) - 1


def generate(recipe):
    import torch

    shape, dist = recipe["shape"], recipe["dist"]
    n = math.prod(shape)
    if dist == "permutation":
        x = torch.tensor(permutation(recipe["seed"], n), dtype=torch.float64)
    else:
        x = values(dist, splitmix64(recipe["seed"], n), recipe)
    x = x * 2.0 ** recipe.get("exp2", 0)
    if "shift" in recipe:
        x = x + struct.unpack("f", struct.pack("f", recipe["shift"]))[0]
    x = rounded(x, recipe["dtype"]).reshape(shape)
    for edit in recipe.get("edits", []):
        x[tuple(edit["index"])] = rounded(torch.tensor(float(edit["value"]), dtype=torch.float64), recipe["dtype"])
    return x


def splitmix64(seed, n):
    """Returns the first n outputs of the generator as int64, whose bits are those of the unsigned numbers."""
    import torch

    z = torch.arange(1, n + 1, dtype=torch.int64) * signed(GOLDEN) + signed(seed)
    z = (z ^ shifted(z, 30)) * signed(FIRST)
    z = (z ^ shifted(z, 27)) * signed(SECOND)
    return z ^ shifted(z, 31)


def signed(x):
    x &= MASK
    return x - (1 << 64) if x >> 63 else x


def shifted(z, by):
    """Shifts right as of an unsigned number."""
    return (z >> by) & ((1 << (64 - by)) - 1)


def values(dist, z, recipe):
    if dist == "uniform":
        return (shifted(z, 40) - (1 << 23)).double() * 2.0**-23
    if dist == "normal":
        fields = sum(shifted(z, by) & 0xFFFF if by else z & 0xFFFF for by in (0, 16, 32, 48))
        return (fields - 131070).double() * 2.0**-15
    span = recipe["hi"] - recipe["lo"]
    remainder = (shifted(z, 1) % span * 2 + (z & 1)) % span  # of the unsigned number
    return (remainder + recipe["lo"]).double()


def permutation(seed, n):
    x = list(range(n))
    for i in range(n - 1, 0, -1):
        z = (seed + (i + 1) * GOLDEN) & MASK
        z = ((z ^ z >> 30) * FIRST) & MASK
        z = ((z ^ z >> 27) * SECOND) & MASK
        j = (z ^ z >> 31) % (i + 1)
        x[i], x[j] = x[j], x[i]
    return x


def rounded(x, word):
    """Rounds float64 once, to nearest even. torch goes to 16 bits by way of float32, which would round twice: so float32 is rounded to odd first."""
    import torch

    if word not in ("F16", "BF16"):
        return x.to(torch_type(word))
    near = x.float()
    bits = near.view(torch.int32)
    inexact = (near.double() != x) & torch.isfinite(x) & torch.isfinite(near)
    bits = torch.where(inexact & (near.double().abs() > x.abs()), bits - 1, bits)
    bits = torch.where(inexact, bits | 1, bits)
    return bits.view(torch.float32).to(torch_type(word))
