"""Builds the command plumbline into the wheel, and the Go source that it is built from into the sdist.

A wheel is of the platform that Go builds for: of this machine, or the one that GOOS and GOARCH
name. PLUMBLINE_BINARY names a command that was built before, of that platform; then no Go is
needed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# The command is built without cgo and links no library, so a Linux binary runs on every libc.
# macOS 12 is the oldest that Go 1.26 supports.
TAGS = {
    ("linux", "amd64"): "manylinux2014_x86_64.manylinux_2_17_x86_64.musllinux_1_1_x86_64",
    ("linux", "arm64"): "manylinux2014_aarch64.manylinux_2_17_aarch64.musllinux_1_1_aarch64",
    ("darwin", "amd64"): "macosx_12_0_x86_64",
    ("darwin", "arm64"): "macosx_12_0_arm64",
    ("windows", "amd64"): "win_amd64",
    ("windows", "arm64"): "win_arm64",
}
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class BuildError(Exception):
    """Why there is no wheel, in words for whoever installs it."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc]  # hatchling has no types
    """What hatchling calls before it packs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if self.target_name == "sdist":
            build_data["force_include"].update(go_source(module_of(root)))
            return
        build_data["pure_python"] = False
        goos, goarch = target()
        build_data["tag"] = f"py3-none-{tag(goos, goarch)}"
        command = "plumbline.exe" if goos == "windows" else "plumbline"
        if version == "editable":
            folder = root / "src" / "plumbline" / "_built"
        else:
            self.temporary = tempfile.TemporaryDirectory()
            folder = Path(self.temporary.name)
        folder.mkdir(exist_ok=True)
        module = module_of(root)
        for path in (module / "docs" / "ops.json", module / "LICENSE"):
            shutil.copyfile(path, folder / path.name)
        provide(module, folder / command)
        if version != "editable":
            for name in ("ops.json", "LICENSE", command):
                build_data["force_include"][str(folder / name)] = f"plumbline/_built/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        del version, build_data, artifact_path
        if temporary := getattr(self, "temporary", None):
            temporary.cleanup()


def module_of(root: Path) -> Path:
    """Returns the folder of the Go module: the one above in a checkout, go/ in an sdist."""
    for folder in (root / "go", root.parent):
        if (folder / "cmd" / "plumbline").is_dir() and (folder / "go.mod").is_file():
            return folder
    raise BuildError(
        f"plumbline: no Go module at {root / 'go'} or {root.parent}: install from a checkout of Plumbline, from an "
        "sdist or from a wheel"
    )


def target() -> tuple[str, str]:
    """Returns the operating system and the processor that the wheel is for, in Go's words."""
    goos = os.environ.get("GOOS") or {"win32": "windows"}.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    return goos, os.environ.get("GOARCH") or MACHINES.get(machine, machine)


def tag(goos: str, goarch: str) -> str:
    """Returns the platform tag of a wheel."""
    if (goos, goarch) not in TAGS:
        known = ", ".join("/".join(pair) for pair in TAGS)
        raise BuildError(f"plumbline: no wheel for {goos}/{goarch}, only for {known}")
    return TAGS[goos, goarch]


def provide(module: Path, command: Path) -> None:
    """Puts the command in its place, built before or now."""
    fresh = command.with_name(command.name + ".new")
    if prebuilt := os.environ.get("PLUMBLINE_BINARY"):
        if not Path(prebuilt).is_file():
            raise BuildError(f"plumbline: PLUMBLINE_BINARY={prebuilt}: no such file")
        shutil.copyfile(prebuilt, fresh)
    else:
        build(module, fresh)
    fresh.chmod(0o755)
    fresh.replace(command)


def build(module: Path, command: Path) -> None:
    """Builds the command with Go."""
    check_go(module)
    arguments = ["build", "-trimpath", "-o", str(command), "./cmd/plumbline"]
    done = go(module, *arguments)
    if "VCS status" in done.stderr:  # a checkout that belongs to another user
        done = go(module, "build", "-buildvcs=false", *arguments[1:])
    if done.returncode != 0:
        raise BuildError(f"plumbline: go {' '.join(arguments)} in {module} failed:\n{done.stderr.strip()}")


def check_go(module: Path) -> None:
    """Demands a Go that is new enough. A newer toolchain that Go fetches by itself is one."""
    needed = re.search(r"^go (\S+)", (module / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    want = needed.group(1) if needed else "1.26.0"
    advice = f"Go {want} or newer (https://go.dev/dl/), or PLUMBLINE_BINARY with the path of a built command"
    if shutil.which("go") is None:
        raise BuildError(f"plumbline: go is not on PATH; building the command needs {advice}")
    done = go(module, "env", "GOVERSION")
    have = done.stdout.strip().removeprefix("go")
    if done.returncode != 0 or numbers(have) < numbers(want):
        said = done.stderr.strip() or f"it is Go {have}"
        raise BuildError(f"plumbline: {shutil.which('go')}: {said}; building the command needs {advice}")


def numbers(version: str) -> list[int]:
    """Returns 1.26.8 as a list of numbers."""
    return [int(n) for n in re.findall(r"\d+", version)[:3]]


def go(module: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs Go in the module, without cgo, in an environment with more in it."""
    environment = os.environ | {"CGO_ENABLED": "0"} | more
    return subprocess.run(
        ["go", *arguments], cwd=module, env=environment, capture_output=True, encoding="utf-8", check=False
    )


def go_source(module: Path) -> dict[str, str]:
    """Returns the files that the command is built from, on any platform, and their places below go/."""
    check_go(module)
    files = {"go.mod", "go.sum", "LICENSE", "docs/ops.json"}
    for goos, goarch in TAGS:
        for package in packages(module, goos, goarch):
            folder = Path(package["Dir"]).relative_to(module.resolve())
            kinds = ("GoFiles", "SFiles", "HFiles", "EmbedFiles")
            files.update((folder / name).as_posix() for kind in kinds for name in package.get(kind, ()))
    return {str(module / name): f"go/{name}" for name in sorted(files)}


def packages(module: Path, goos: str, goarch: str) -> list[dict[str, Any]]:
    """Lists the module's own packages behind the command."""
    fields = "-json=Dir,GoFiles,SFiles,HFiles,EmbedFiles,Module"
    done = go(module, "list", "-deps", fields, "./cmd/plumbline", GOOS=goos, GOARCH=goarch)
    if done.returncode != 0:
        raise BuildError(f"plumbline: go list in {module} failed for {goos}/{goarch}:\n{done.stderr.strip()}")
    decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        package, end = decoder.raw_decode(text)
        text = text[end:].lstrip()
        if package.get("Module", {}).get("Main"):
            found.append(package)
    return found
