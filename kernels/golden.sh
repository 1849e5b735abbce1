#!/usr/bin/env bash
# Records the kernels' golden data anew, the requests and mistakes of golden.txt, into golden/testdata/kernels and golden/testdata/invalid.
#
#   kernels/golden.sh
#
# With nvcc and a GPU the recorder is built for that; elsewhere for a processor, which takes no more than a C++ compiler and a minute, and the provenance says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

NVCC=${NVCC:-$(command -v nvcc || ls "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" 2>/dev/null || true)}
if [ -n "$NVCC" ] && nvidia-smi -L 2>/dev/null | grep -q GPU; then
	recorder=build/recorder
	make -s -j "$(nproc)" NVCC="$NVCC" build/recorder
else
	recorder=build/recorder-cpu
	make -s -j "$(nproc)" cpu
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for mistake in $(awk '!/^#/ { print $1 }' golden.txt | sort -u); do
	mapfile -t requests < <(awk -v mistake="$mistake" '$1 == mistake { print "requests/" $2 ".safetensors" }' golden.txt)
	switch=(--mistake "$mistake")
	[ "$mistake" != right ] || switch=()
	"$recorder" ${switch[@]+"${switch[@]}"} --out "$work" "${requests[@]}" >>"$work/table.txt"
done
recorded=$(find "$work" -name '*.safetensors' | wc -l)
[ "$recorded" -eq "$(grep -vc '^#' golden.txt)" ] || { grep 'passed over' "$work/table.txt" >&2 || true; echo "$recorded recorded of $(grep -vc '^#' golden.txt)" >&2; exit 1; }

mkdir -p ../golden/testdata/kernels ../golden/testdata/invalid
rm -f ../golden/testdata/kernels/*.safetensors
find ../golden/testdata/invalid -name '*.safetensors' -exec sh -c '! grep -aq "go run ./golden/gen" "$1"' - {} ';' -delete # golden/gen writes the others
mv "$work"/*.safetensors ../golden/testdata/kernels/
mv "$work"/invalid/*.safetensors ../golden/testdata/invalid/
echo "$recorded recordings: $(ls ../golden/testdata/kernels | wc -l) right, $(grep -c -v -e '^#' -e '^right ' golden.txt) wrong; go generate ./golden/... brings the index up to date"
