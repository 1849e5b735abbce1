#!/usr/bin/env bash
# Installs the package into an environment of its own, as its users do, and runs every check of it:
#   python/check.sh [PACKAGE…]
# It needs Python 3.10 or newer, Go, and a package registry. Tests of PyTorch and JAX run where these
# are among the packages: python/check.sh torch jax. PYTHON names the interpreter, python3 else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT

step "an empty environment"
"${PYTHON:-python3}" -m venv "$environment"
export PATH="$environment/bin:$PATH"
pip install --quiet --upgrade pip

step "pip install ./python"
pip install ./python

step "a first verdict"
python - <<'VERDICT'
import numpy, plumbline
x, weight = numpy.random.default_rng(0).normal(size=(2, 8, 64)).astype(numpy.float32)
y = x / numpy.sqrt((x * x).mean(-1, keepdims=True) + numpy.float32(1e-6)) * weight[0]
print(plumbline.check("norm.rms", {"x": x, "weight": weight[0]}, y).line)
VERDICT

step "the tools of the checks${*:+, and $*}"
pip install --quiet --group ./python/pyproject.toml:check "$@"

cd python
step "ruff"
ruff format --check .
ruff check .

step "mypy --strict"
mypy

step "pytest"
pytest -q -n auto

step "done"
