"""Writes the files of this folder, as NumPy writes them:

    python verify/foreign/testdata/numpy_files.py verify/foreign/testdata

Needs numpy and ml_dtypes. Another version of NumPy may write other headers; the numbers are the same.
"""

import sys

import ml_dtypes
import numpy as np

folder = sys.argv[1] + "/"

# Of every type the numbers 0 to 5, less 2 where it has negative ones, and 1 to 32 where it has powers of two alone.
types = {}
for name in ["<f8", ">f8", "<f4", ">f4", "<f2", ">f2", "<i8", ">i8", "<i4", ">i4", "<i2", ">i2", "|i1"]:
    types[np.dtype(name).name + ("_big" if name[0] == ">" else "")] = np.arange(6).reshape(2, 3).astype(name) - np.array(2, name)
for name in ["|u1", "<u2", ">u2", "<u4", ">u4", "<u8", ">u8"]:
    types[np.dtype(name).name + ("_big" if name[0] == ">" else "")] = np.arange(6).reshape(2, 3).astype(name)
types["bool"] = np.arange(6).reshape(2, 3) % 2 == 1
for name in ["bfloat16", "float8_e4m3fn", "float8_e5m2"]:
    types[name] = (np.arange(6).reshape(2, 3) - 2).astype(getattr(ml_dtypes, name))
types["float8_e8m0fnu"] = (2.0 ** np.arange(6)).reshape(2, 3).astype(ml_dtypes.float8_e8m0fnu)
types["columns"] = np.asfortranarray(types["float32"])
types["columns_big"] = np.asfortranarray(types["float32_big"])
types["deep/er"] = np.arange(24, dtype="<i4").reshape(2, 3, 4).transpose(1, 2, 0).copy(order="F")
types["scalar"] = np.float32(7)
types["empty"] = np.zeros((0, 3), np.float32)
np.savez(folder + "types.npz", **types)
np.savez_compressed(folder + "packed.npz", zeros=np.zeros((300, 100), np.float32), **{"float32": types["float32"]})

# What is refused.
np.save(folder + "objects.npy", np.array([{}, None], object), allow_pickle=True)
np.save(folder + "structures.npy", np.zeros(2, [("a", "<f4"), ("b", "<i4")]))
np.save(folder + "words.npy", np.array(["a", "bc"]))
np.save(folder + "complex.npy", np.zeros(2, np.complex64))
np.save(folder + "beyond.npy", np.array([1 << 63], np.uint64))

# RMSNorm of bfloat16 rows, right, and without its weight.
random = np.random.default_rng(7)
x = random.standard_normal((6, 48)).astype(ml_dtypes.bfloat16)
weight = (1 + random.standard_normal(48) / 4).astype(ml_dtypes.bfloat16)
wide = x.astype(np.float32)
rows = wide / np.sqrt(np.mean(wide * wide, axis=1, keepdims=True) + np.float32(1e-6))
np.savez(folder + "norm-right.npz", x=x, weight=weight, out_y=(rows * weight.astype(np.float32)).astype(ml_dtypes.bfloat16))
np.savez(folder + "norm-wrong.npz", input=x, weight=weight, result=rows.astype(ml_dtypes.bfloat16))
