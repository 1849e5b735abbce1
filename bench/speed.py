#!/usr/bin/env python3
"""Measures how fast Plumbline is, and writes docs/SPEED.md and docs/speed.svg.

    python3 bench/speed.py

It needs Go. With a Python that has PyTorch and safetensors it compares with PyTorch's float64, the
two in turn, so that others on the machine hit both alike; without, that column is empty.
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import picture

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
CORES = min(2, os.cpu_count() or 1)
LONGEST = 900  # seconds that one command may take
notes: list[str] = []  # what could not be measured, and why


def say(what: str) -> None:
    """Shows on a terminal what is being done."""
    if sys.stderr.isatty():
        print(f"\r{what}\x1b[K", end="", file=sys.stderr, flush=True)


def complain(what: str) -> None:
    notes.append(what)
    print(f"\rspeed.py: {what}", file=sys.stderr)


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


class Go:
    """The command and the benchmarks, built into a folder."""

    def __init__(self, folder: str):
        self.command, self.tests = f"{folder}/plumbline", f"{folder}/bench.test"
        for build in (
            ["build", "-o", self.command, "./cmd/plumbline"],
            ["test", "-c", "-o", self.tests, "./bench"],
        ):
            done = subprocess.run(["go", *build], cwd=ROOT, text=True, capture_output=True)
            if done.returncode:
                sys.exit(f"speed.py: go {' '.join(build)}: {done.stderr.strip()}")

    def bench(self, pattern: str, times: int, cores: int | None = None, *flags: str) -> dict:
        """Runs benchmarks; the result has their metrics by name and unit."""
        env = dict(os.environ, **({"GOMAXPROCS": str(cores)} if cores else {}))
        done = subprocess.run(
            [
                self.tests,
                "-test.run=^$",
                f"-test.bench={pattern}",
                f"-test.benchtime={times}x",
                f"-test.timeout={LONGEST}s",
                *flags,
            ],
            cwd=HERE,
            env=env,
            text=True,
            capture_output=True,
        )
        lines = done.stdout.splitlines()
        if done.returncode:
            why = [x.strip() for x in lines if "_test.go:" in x]
            why += [x for x in done.stderr.splitlines() if x.startswith("panic:")]
            complain(f"benchmark {pattern}: {(why or [last_line(done.stderr)])[0]}")
        return dict(parsed(x) for x in lines if re.match(r"Benchmark\S+\s+\d+\s", x))

    def verify(self, path: str) -> tuple[float, float, float, str]:
        """Judges what is at a path: seconds, those of all cores together, GiB at the peak, and the
        last line of what is said."""
        start = time.perf_counter()
        with tempfile.TemporaryFile("w+") as out:
            child = subprocess.Popen([self.command, "verify", path], stdout=out, stderr=out)
            timer = threading.Timer(LONGEST, child.kill)
            timer.start()
            _, status, used = os.wait4(child.pid, 0)
            timer.cancel()
            child.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - start
            out.seek(0)
            text = out.read()
        if child.returncode:
            what, said = os.path.basename(path), " ".join(text.split())[:300]
            complain(f"verify {what}: exit status {child.returncode}: {said}")
        unit = 1 if sys.platform == "darwin" else 1024
        cores = used.ru_utime + used.ru_stime
        return seconds, cores, used.ru_maxrss * unit / 2**30, last_line(text)


def parsed(line: str) -> tuple[str, dict]:
    """A line of a benchmark: its name without the number of cores, and its metrics by unit."""
    name, _, *rest = line.split()
    name = re.sub(r"-\d+$", "", name.removeprefix("Benchmark"))
    return name, {unit: float(value) for value, unit in zip(rest[::2], rest[1::2])}


class PyTorch:
    """A process that measures PyTorch; version is None where there is none."""

    def __init__(self):
        self.version = None
        self.process = subprocess.Popen(
            [sys.executable, HERE / "pytorch.py", "measure"],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        first = self.process.stdout.readline()
        if first:
            self.version = json.loads(first)["version"]
        else:
            complain(f"PyTorch is not measured: {last_line(self.process.stderr.read())}")

    def seconds(self, **ask) -> float | None:
        """The fastest run of what is asked for, in seconds."""
        if not self.version:
            return None
        print(json.dumps(ask), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if answer:
            return json.loads(answer)["seconds"]
        complain(f"PyTorch stopped: {last_line(self.process.stderr.read())}")
        self.version = None
        return None

    def make(self, what: str, path: str) -> str | None:
        """Makes a recording, and returns its path, or None."""
        if not self.version:
            return None
        done = subprocess.run(
            [sys.executable, HERE / "pytorch.py", "make", what, path],
            text=True,
            capture_output=True,
        )
        if done.returncode == 0:
            return path
        complain(f"{what} is not made: {last_line(done.stderr)}")
        return None


def least(all: dict, name: str, value: float | None) -> None:
    """Keeps the least value of a name."""
    if value is not None:
        all[name] = min(value, all.get(name, value))


def in_turn(go: Go, torch: PyTorch, rounds: int, decode: str | None) -> tuple[dict, dict]:
    """The fastest of all rounds, Plumbline and PyTorch in turn, in seconds."""
    ours, theirs = {}, {}
    for i in range(rounds):
        say(f"products and a decoding step, round {i + 1} of {rounds}")
        for cores in sorted({1, CORES}):
            for name, metrics in go.bench("^BenchmarkDgemm$", 3, cores).items():
                least(ours, f"{name}/{cores}", metrics["fastest-ms"] / 1e3)
                n = int(name.split("/")[1])
                other = torch.seconds(what="dgemm", n=n, cores=cores, repeats=3)
                least(theirs, f"{name}/{cores}", other)
        flags = [f"-decode={decode}"] if decode else []
        for name, metrics in go.bench("^BenchmarkDecode$", 2, CORES, *flags).items():
            least(ours, name, metrics["fastest-ms"] / 1e3)
        if decode:
            truth = torch.seconds(what="decode", file=decode, cores=CORES, repeats=2)
            least(theirs, "Decode/truth", truth)
            least(theirs, "Decode/verdict", truth)
    return ours, theirs


def numbers(file: pathlib.Path) -> int:
    """How many numbers the tensors of a recording have, those that are generated too."""
    data = file.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    generated = json.loads(header.pop("__metadata__", {}).get("generated", "{}"))
    return sum(math.prod(t["shape"]) for t in [*header.values(), *generated.values()])


def of_small(go: Go, folder: str, most: int, count: int = 1000) -> tuple[float, float, str]:
    """Judges copies of the recordings that ship with at most so many numbers."""
    shipped = sorted((ROOT / "golden/testdata").glob("*.safetensors"))
    files = [f for f in shipped if numbers(f) <= most]
    os.mkdir(folder)
    for i in range(count):
        shutil.copyfile(files[i % len(files)], f"{folder}/{i:04d}-{files[i % len(files)].name}")
    return go.verify(folder)


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def rounded(x: float, digits: int) -> str:
    """A number of so many digits, without an exponent where it is large."""
    text = f"{x:.{digits}g}"
    return f"{float(text):,.0f}" if "e+" in text else text


def product_rows(ours: dict, theirs: dict) -> list[str]:
    asked = {f"Dgemm/2048/{CORES}": "≥ 0.85", f"Dgemm/512/{CORES}": "≥ 60 GFLOP/s"}
    rows = []
    for n in (2048, 512):
        for cores in sorted({1, CORES}, reverse=True):
            name = f"Dgemm/{n}/{cores}"
            speed = [2 * n**3 / x[name] / 1e9 if name in x else None for x in (ours, theirs)]
            mine, other = (f"{x:.1f} GFLOP/s" if x else "–" for x in speed)
            ratio = f"{speed[0] / speed[1]:.2f}" if all(speed) else "–"
            where = "one core" if cores == 1 else f"{cores} cores"
            wanted = asked.get(name, "")
            rows.append(f"| product {n}³, {where} | {mine} | {other} | {ratio} | {wanted} |")
    return rows


def decode_rows(ours: dict, theirs: dict) -> list[str]:
    rows = []
    for name, what, asked in (
        ("Decode/truth", "`mla.decode`, its truth alone", "≤ 1.5"),
        ("Decode/verdict", "`mla.decode`, the whole verdict", "≤ 5"),
    ):
        mine, other = ours.get(name), theirs.get(name)
        ratio = f"{mine / other:.2f}" if mine and other else "–"
        rows.append(f"| {what} | {duration(mine)} | {duration(other)} | {ratio} | {asked} |")
    return rows


def op_rows(ops: dict) -> list[str]:
    rows = []
    for name, m in ops.items():
        _, op, call = name.split("/", 2)
        size = m["MB/s"] * m["ns/op"] / 1e9
        row = [
            f"`{op}`",
            call.replace("_", " "),
            duration(m["fastest-ms"] / 1e3),
            rounded(m["GFLOP/s"], 2),
            rounded(size, 2),
            rounded(m["B/op"] / 1e6, 3),
            f"{m['allocs/op']:,.0f}",
        ]
        rows.append(f"| {' | '.join(row)} |")
    return rows


def machine(torch_version: str | None, shared: bool) -> str:
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        name = re.search(r"model name\s*:\s*(.*)", text).group(1)
    except (OSError, AttributeError):
        name = platform.processor() or platform.machine()
    go = subprocess.run(["go", "env", "GOVERSION"], text=True, capture_output=True).stdout.strip()
    pytorch = f"PyTorch {torch_version}" if torch_version else "without PyTorch"
    about = f"{name}, {os.cpu_count()} cores, {platform.system()}; {go}, {pytorch}; "
    return f"{about}{datetime.date.today()}.\n{BUSY if shared else QUIET}"


BUSY = """Others used the machine at the same time: times are longer than they are alone, and ratios
less certain."""
QUIET = "Nobody else used the machine when the run began."


def busy() -> bool:
    """Tells whether half a core or more is in use."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] >= 0.5


PAGE = """# Speed

<!-- Written by python3 bench/speed.py. -->

{machine}

## Beside PyTorch's float64

| what | Plumbline | PyTorch | ratio | asked for |
|---|---|---|---|---|
{compared}

Each number is that of the fastest run of {rounds} rounds, in which the two are measured in turn. Of
a product the ratio is Plumbline's speed over PyTorch's; of `mla.decode` it is Plumbline's time over
that in which PyTorch computes the truth alone. The step has 4 sequences of 4096 keys in pages of
64, 128 heads and rows of 512 + 64 in BF16, on {cores} cores. Both read the file, which is in the
page cache. PyTorch's time is the shorter of one sequence after the other and all at once. A verdict
has the truth, what the roundings of the declared arithmetic do to it, and the judging. This kernel
divides by the sum of its weights after it has rounded them, as flash kernels do; one that divides
before is looked at in that form first, then in all, which takes two to three times as long.

| what | time | of all cores together | memory at the peak | asked for |
|---|---|---|---|---|
{judged}

The product is `plumbline verify` on one recording, which is too large to recompute and is checked
by random signs. The small recordings are copies of those that ship whose tensors have no more
numbers together, generated ones too, in one run of the command.

## Every op

| op | what is judged | time | GFLOP/s | MB read | MB allocated | allocations |
|---|---|---|---|---|---|---|
{ops}

Widths are DeepSeek-V3's, rows fewer. GFLOP/s count the operations of the equation alone, a
multiplication with its addition as two, over the time of the whole verdict, which runs the op many
times in other roundings. `go test -bench Judge -run '^$' ./bench` measures this table, and
`-bench Judge/norm` a row of it.

## How cost grows

![Time of a verdict against keys, heads, tokens, vocabulary and cores](speed.svg)

What does not grow is 128 heads and 4096 keys of one sequence of `mla.decode`, 8 heads and 1024 keys
of `attention.forward`, 8 rows of `policy.logprob`. Small calls have costs of their own, the same
for every size, so exponents lie below those of the equations.
{notes}"""


def judged_rows(product: tuple | None, small: tuple, larger: tuple) -> list[str]:
    rows = []
    for what, result, asked in (
        ("an FP8 product 4096 × 7168 × 7168", product, "< 3 s, < 2 GiB"),
        ("1,000 recordings of up to 1,000 numbers", small, "< 5 s"),
        ("100 recordings of up to 10,000 numbers", larger, ""),
    ):
        if result is None:
            rows.append(f"| {what} | – | – | – | {asked} |")
            continue
        seconds, cores, peak, said = result
        # The last line sums up: of one recording that is not judged, that is no time of a verdict.
        failed = "" if re.search(r"\d explained$", said) else f"; {said}"
        took = f"{duration(seconds)}{failed} | {duration(cores)}"
        rows.append(f"| {what} | {took} | {peak:.2f} GiB | {asked} |")
    return rows


def run(folder: str, rounds: int) -> tuple[str, list]:
    """Measures everything: the page, and the points of the picture."""
    shared = busy()  # before building makes it so
    say("building")
    go, torch = Go(folder), PyTorch()
    about = machine(torch.version, shared)
    say("making recordings")
    decode = torch.make("decode", f"{folder}/decode.safetensors")
    ours, theirs = in_turn(go, torch, rounds, decode)
    say("making an FP8 product")
    product = torch.make("product", f"{folder}/product.safetensors")
    product = product and go.verify(product)
    say("1,000 small recordings")
    small = of_small(go, f"{folder}/small", 1000)
    larger = of_small(go, f"{folder}/larger", 10_000, 100)
    say("every op")
    ops = go.bench("^BenchmarkJudge$", 2)
    say("sizes that grow")
    growth = go.bench("^BenchmarkGrowth$", 3)
    page = PAGE.format(
        machine=about,
        rounds=rounds,
        cores=CORES,
        compared="\n".join(product_rows(ours, theirs) + decode_rows(ours, theirs)),
        judged="\n".join(judged_rows(product, small, larger)),
        ops="\n".join(op_rows(ops)),
        notes="".join(f"\nNot measured as it should be: {note}\n" for note in notes),
    )
    return page, [(name.split("/")[1:], m["fastest-ms"] / 1e3) for name, m in growth.items()]


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    flags.add_argument("--rounds", type=int, default=5, help="of what is compared with PyTorch (5)")
    flags.add_argument(
        "--out", default=ROOT / "docs", type=pathlib.Path, help="folder of the page (docs)"
    )
    args = flags.parse_args()
    if not shutil.which("go"):
        sys.exit("speed.py: go is not on PATH")
    with tempfile.TemporaryDirectory() as folder:
        page, growth = run(folder, args.rounds)
    say("")
    (args.out / "SPEED.md").write_text(page, encoding="utf-8")
    (args.out / "speed.svg").write_text(picture.drawn(growth), encoding="utf-8")


if __name__ == "__main__":
    main()
