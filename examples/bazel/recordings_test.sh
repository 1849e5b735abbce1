#!/usr/bin/env bash
# Judges the recordings that it is given, those of its shard: Plumbline reads Bazel's variables. The
# report goes where Bazel looks for one.
set -euo pipefail
exec "$PLUMBLINE" verify ${XML_OUTPUT_FILE:+-junit "$XML_OUTPUT_FILE"} "$@"
