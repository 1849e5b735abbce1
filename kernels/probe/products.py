"""Records what a library's products give on a GPU: cuBLAS through PyTorch, for the K of DeepSeek-V3.

    python3 kernels/probe/products.py OUT [--device cuda] [--only WORDS]

Inputs are recipes (a [M,K], b [N,K]); outputs are stored, c = a·bᵀ [M,N]. Each case is a file of its own, product-*.safetensors in the form of a recording with op
probe.product, to be judged where such an op is: bf16 and f16 with and without reduced sums over split K, and with float32 results; float32 with and without TF32;
E4M3 with and without fast accumulation. A line says how far the result is from float64's, relative and as a root mean square, and whether a second call gave the
same bits. A case that fails is named and the others go on; the exit status is 1 then.
"""

import argparse
import hashlib
import math
import os
import pathlib
import sys
import types

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import recordings  # noqa: E402

# K of DeepSeek-V3's products: latents, query latent, routed experts, model width, output projection.
DEPTHS = (512, 1536, 2048, 7168, 16384)
SHAPES = ((64, 128), (1, 256))  # M, N: a small tile over a long K, and one row, are where libraries split K
WORDS = {"bf16": "BF16", "f16": "F16", "f32": "F32", "e4m3": "F8_E4M3"}


def recipe(word, shape, seed):
    """Returns a recipe with its digest, and what it makes."""
    r = {"dtype": word, "shape": list(shape), "dist": "normal", "seed": seed}
    x = recordings.generate(r)
    r["sha256"] = hashlib.sha256(recordings.raw(x)).hexdigest()
    return r, x


def reduced(yes):
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = yes
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = yes


def plain(a, b):
    return torch.matmul(a, b.t())


def with_reduced(yes):
    def work(a, b):
        reduced(yes)
        return plain(a, b)

    return work


def to_f32(a, b):
    return torch.mm(a, b.t(), out_dtype=torch.float32)


def with_tf32(yes):
    def work(a, b):
        torch.backends.cuda.matmul.allow_tf32 = yes
        try:
            return plain(a, b)
        finally:
            torch.backends.cuda.matmul.allow_tf32 = False

    return work


def scaled(fast, out):
    def work(a, b):
        one = torch.ones((), device=a.device)
        return torch._scaled_mm(a, b.t(), scale_a=one, scale_b=one, out_dtype=out, use_fast_accum=fast)

    return work


def ways(name):
    """Yields the ways to call a library for operands of this type: a name, attributes and the call."""
    if name in ("bf16", "f16"):
        for yes in (True, False):
            yield f"reduced-{str(yes).lower()}", {"reduced_precision_reduction": yes}, with_reduced(yes)
        yield "to-f32", {"out_dtype": "F32"}, to_f32
    elif name == "f32":
        for yes in (True, False):
            yield f"tf32-{str(yes).lower()}", {"allow_tf32": yes}, with_tf32(yes)
    else:
        for fast in (True, False):
            for word, out in (("BF16", torch.bfloat16), ("F32", torch.float32)):
                yield f"fast-{str(fast).lower()}-{word.lower()}", {"use_fast_accum": fast, "out_dtype": word}, scaled(fast, out)


def synchronize(device):
    if device != "cpu":
        torch.cuda.synchronize()


def provenance(device):
    p = {"producer": "plumbline's probe, library products", "toolchain": f"torch {torch.__version__}, CUDA {torch.version.cuda}"}
    p["device"] = torch.cuda.get_device_name() if device != "cpu" else "a processor, no GPU"
    return p


def write(path, attrs, generated, c, device):
    request = types.SimpleNamespace(op="probe.product", attrs=attrs, generated=generated, stored={})
    part = f"{path}.part"
    recordings.write(part, request, {"c": c.cpu()}, {}, provenance(device))
    os.replace(part, path)


def run_case(path, work, a, b, truth, attrs, generated, device):
    c, again = work(a, b), work(a, b)
    synchronize(device)
    write(path, attrs, generated, c, device)
    error = ((c.double() - truth).square().mean() / truth.square().mean()).sqrt().item()
    equal = recordings.raw(c) == recordings.raw(again)
    return f"{error:.3g} of the size, {math.log2(error) if error > 0 else -math.inf:.1f} bits" + ("" if equal else ", OTHER BITS in a second call")


def cases(names):
    for k in DEPTHS:
        for m, n in SHAPES:
            for name in names:
                if name != "e4m3" or m % 16 == 0:
                    yield k, m, n, name


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", nargs="*", default=list(WORDS), choices=list(WORDS))
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    failed = done = 0
    for k, m, n, name in cases(arguments.only):
        (ra, a), (rb, b) = recipe(WORDS[name], (m, k), 2 * k + 1), recipe(WORDS[name], (n, k), 2 * k + 2)
        a, b = a.to(arguments.device), b.to(arguments.device)
        truth = a.double() @ b.double().t()
        for way, attrs, work in ways(name):
            case = f"{name}-{m}x{n}x{k}-{way}"
            try:
                said = run_case(os.path.join(arguments.out, f"product-{case}.safetensors"), work, a, b, truth, attrs, {"a": ra, "b": rb}, arguments.device)
                done += 1
            except (NotImplementedError, TypeError) as error:
                said = f"not in this PyTorch: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
            except Exception as error:  # whatever a library throws: the other cases go on
                said, failed = f"FAILED: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", failed + 1
            print(f"{case:44s} {said}", flush=True)
    print(f"library products: {done} written, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
