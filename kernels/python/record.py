"""Runs other people's kernels, and this project's Triton ones, on the requests, and writes recordings:

    python kernels/python/record.py --out DIR [--only NAME] [--device cpu] [--largest MIB] [--largest-output MIB] [REQUEST…]
    python kernels/python/record.py --dry-run

Requests default to kernels/requests/*.safetensors and those in others. A recording is named after its request and its producer. What a producer cannot do is
skipped, and the reason printed. --dry-run lists every producer and request without torch. Exit status: 1 if anything failed that was not skipped.
"""

import argparse
import datetime
import math
import pathlib
import platform
import shlex
import subprocess
import sys
import traceback

from experts import EXPERTS
from objectives import OBJECTIVES
from prediction import PREDICTION
from producers import FOLDER, PRODUCERS, Refused
from recordings import WIDTHS, Request, write


def main():
    options = arguments()
    requests = [request for request in map(opened, options.requests or default_requests()) if request]
    if options.dry_run:
        return dry_run(requests, options)
    import torch

    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    counts = {"recorded": 0, "skipped": 0, "failed": 0}
    options.out.mkdir(parents=True, exist_ok=True)
    for request in requests:
        for producer in chosen(request, options):
            result, text = attempt(request, producer, device, options)
            counts[result] += 1
            print(f"{result:9} {request.name:44} {producer.name:14} {text}", flush=True)
        request.release()
    print(", ".join(f"{n} {word}" for word, n in counts.items()))
    return 1 if counts["failed"] else 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("out"), help="folder for recordings")
    parser.add_argument("--only", action="append", help="producers of that name (again for more)")
    parser.add_argument("--device", choices=["cpu", "cuda"])
    parser.add_argument("--largest", type=float, default=math.inf, help="pass over requests with inputs of more MiB")
    parser.add_argument("--largest-output", type=float, default=math.inf, help="do not keep recordings with outputs of more MiB")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("requests", nargs="*", metavar="REQUEST")
    return parser.parse_args()


def opened(path):
    """Returns a request, or nothing and a message: one file that is not there does not end the others."""
    try:
        return Request(path)
    except (OSError, ValueError) as error:
        print(f"skipped   {path}: {error}", flush=True)
        return None


def default_requests():
    folder = FOLDER.parent / "requests"
    return sorted(folder.glob("*.safetensors")) + sorted((folder / "others").rglob("*.safetensors"))


def chosen(request, options):
    return [p for p in PRODUCERS + OBJECTIVES + EXPERTS + PREDICTION if request.op in p.ops and (not options.only or p.name in options.only)]


def dry_run(requests, options):
    possible = 0
    for request in requests:
        for producer in chosen(request, options):
            reason = producer.refuses(request)
            possible += not reason
            print(f"{'skip' if reason else 'run':5} {request.name:44} {producer.name:14} {reason or producer.title}")
    print(f"{possible} recordings of {len(requests)} requests, where all producers are installed and a GPU is there")
    return 0


def megabytes(request):
    names = list(request.stored) + list(request.generated)
    return sum(math.prod(request.shape(name)) * WIDTHS[request.dtype(name)] for name in names) / 2**20


def attempt(request, producer, device, options):
    """Returns what became of it and a line about it."""
    if megabytes(request) > options.largest:
        return "skipped", "larger than asked for"
    reason = producer.missing() or producer.refuses(request)
    if reason:
        return "skipped", reason
    device = getattr(producer, "device", device)
    try:
        names = list(request.stored) + list(request.generated)
        outputs = producer.run(request, {name: request.tensor(name).to(device) for name in names})
        if getattr(producer, "poisoned", True):
            check(outputs)
        if sum(x.numel() * x.element_size() for x in outputs.values()) / 2**20 > options.largest_output:
            return "skipped", "outputs larger than asked for"
        arithmetic = producer.arithmetic(request, device)
        write(options.out / f"{request.name}-{producer.name}.safetensors", request, outputs, arithmetic, provenance(request, producer, device))
        return "recorded", producer.title
    except Refused as refusal:
        return "skipped", str(refusal)
    except Exception:  # another producer may do it
        traceback.print_exc()
        return "failed", traceback.format_exc().splitlines()[-1]
    finally:
        if device == "cuda":
            give_back()


def give_back():
    """Gives memory back to the GPU, of which other groups want some; a device that is lost has none."""
    import torch

    try:
        torch.cuda.empty_cache()
    except RuntimeError as error:
        print(f"the device is lost: {str(error).splitlines()[0]}", flush=True)


def check(outputs):
    """Refuses outputs with elements that still have every bit set, as poisoned memory has."""
    import torch

    for name, x in outputs.items():
        width = {2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()]
        unwritten = int((x.detach().contiguous().view(width) == -1).sum())
        if unwritten:
            raise RuntimeError(f"output {name}: {unwritten} elements were not written")


def provenance(request, producer, device):
    import torch

    fields = {
        "producer": producer.title,
        "source": producer.source,
        "device": torch.cuda.get_device_name() if device == "cuda" else f"CPU: {processor()}",
        "toolchain": f"{producer.version()}, Python {platform.python_version()}",
        "command": shlex.join(["python", "kernels/python/record.py", "--device", device, "--only", producer.name, f"{request.name}.safetensors"]),
        "recorded_at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "note": "; ".join(filter(None, [request.provenance.get("note"), producer.note(request)])),
    }
    if device == "cuda":
        fields["driver"] = driver()
        fields["toolchain"] += f", CUDA {torch.version.cuda}"
    if hasattr(producer, "digest"):
        fields["source_sha256"] = producer.digest()
    return fields


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def driver():
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
