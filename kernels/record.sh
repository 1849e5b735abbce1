#!/usr/bin/env bash
# Builds the kernels, records every request with the right ones and with every wrong one, and leaves the recordings in $OUT.
#
#   kernels/record.sh [--dry-run] [REQUEST…]
#
# Requests default to kernels/requests/*.safetensors; those of kernels/requests/large are timed too, but not kept.
#
# $OUT (default: out) gets log.txt, table.txt, recordings.tar.gz.* and invalid.tar.gz.*; the archives are cut into parts of 15 MiB:
#   cat recordings.tar.gz.* | tar xz
# Wrong kernels run on requests of up to LARGEST GFLOP (0.1).
# The right recordings are packed before the wrong kernels start, so that they are there if time runs out. BUDGET is the seconds that all of it may take.
#
# With --dry-run everything is done that needs no GPU: the host tests, the check of every request with its generated inputs and their digests, the list
# of what would be run, the small requests on a processor and, where Go is, their verdict; where nvcc is, the compilation and the resource report.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

dry=no
[ "${1:-}" = --dry-run ] && { dry=yes; shift; }
OUT=${OUT:-out}
BUDGET=${BUDGET:-570}
mkdir -p "$OUT" && OUT=$(cd "$OUT" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work" "$work.txt"' EXIT
status=0

step() { printf '== %3d s  %s\n' "$SECONDS" "$*"; }
failed() { printf 'FAILED: %s\n' "$*" >&2; status=1; }
left() { echo $((BUDGET - SECONDS > 5 ? BUDGET - SECONDS : 5)); }

# pack FOLDER NAME packs the recordings of a folder into parts that fit a transfer.
pack() {
	[ -n "$(ls -A "$1" 2>/dev/null)" ] || return 0
	rm -f "$OUT/$2".tar.gz.*
	tar -C "$1" -cz . | split -b 15M -d -a 2 - "$OUT/$2.tar.gz." || failed "packing $2"
	step "$2: $(find "$1" -name '*.safetensors' | wc -l) recordings, $(du -csh "$OUT/$2".tar.gz.* | tail -n 1 | cut -f 1) in $(ls "$OUT/$2".tar.gz.* | wc -l) parts"
}

requests=("$@")
large=()
if [ ${#requests[@]} -eq 0 ]; then
	shopt -s nullglob
	requests=(requests/*.safetensors)
	large=(requests/large/*.safetensors)
	shopt -u nullglob
fi
[ ${#requests[@]} -gt 0 ] || echo "no requests: give files, or put them into kernels/requests" >&2

NVCC=${NVCC:-$(command -v nvcc || ls "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" 2>/dev/null || true)}
jobs=$(nproc)

if [ $dry = yes ]; then
	step "the same sources for a processor"
	make -s -j "$jobs" cpu || exit 1
	build/recorder-cpu --host-test || failed "host test"
	recorder=build/recorder-cpu
	if [ -n "$NVCC" ]; then
		step "nvcc: every kernel, right and wrong, and the resource report"
		make -s -j "$jobs" NVCC="$NVCC" build/recorder || failed "build with nvcc"
		make -s -j "$jobs" NVCC="$NVCC" check || failed "make check"
		recorder=build/recorder
		$recorder --host-test || failed "host test of the nvcc build"
	else
		step "no nvcc here: the kernels are not compiled for a GPU"
	fi
	if [ ${#requests[@]} -gt 0 ]; then
		step "requests: attributes, shapes, generated inputs and their sha256"
		$recorder --check "${requests[@]}" "${large[@]}" >"$OUT/requests.txt" || failed "checking requests"
		awk '/GFLOP/ { n++; flops += $3; bytes += $5 } END { printf "%d requests, %.1f GFLOP, %.0f MB\n", n, flops, bytes }' "$OUT/requests.txt"
		step "would be run"
		echo "recorder --out DIR    ${#requests[@]} requests"
		echo "recorder --time-only    ${#large[@]} requests"
		$recorder --list | while IFS=$'\t' read -r name id ops what; do echo "recorder --mistake $name --out DIR    $id: $ops"; done
		step "the small ones on a processor"
		build/recorder-cpu --largest "${LARGEST:-0.01}" --out "$work" "${requests[@]}" >"$work.txt" || failed "small requests on a processor"
		printf '%d recorded, %d larger ones passed over\n' "$(grep -c 'recorded$' "$work.txt")" "$(grep -c 'passed over' "$work.txt")"
		if command -v go >/dev/null && [ -n "$(ls "$work")" ]; then
			(cd .. && go run ./cmd/plumbline verify "$work") | tail -n 1
			[ "${PIPESTATUS[0]}" -eq 0 ] || failed "a recording made on a processor is not explained"
		fi
	fi
	step "dry run done, status $status"
	exit $status
fi

exec > >(tee "$OUT/log.txt") 2>&1
[ -n "$NVCC" ] || { echo "nvcc is not on PATH, nor in \$CUDA_HOME/bin" >&2; exit 1; }
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,temperature.gpu --format=csv,noheader
step "build, with $("$NVCC" --version | grep release)"
make -s -j "$jobs" NVCC="$NVCC" build/recorder || exit 1
build/recorder --host-test || failed "host test"
(make -s -j 4 NVCC="$NVCC" check >"$work.txt" 2>&1 || echo "make check failed" >>"$work.txt") &
resources=$!
step "right kernels: ${#requests[@]} requests"
timeout "$(left)" build/recorder --out "$work/right" "${requests[@]}" >"$OUT/table.txt" || failed "some requests were not recorded"
pack "$work/right" recordings
[ ${#large[@]} -eq 0 ] || timeout "$(left)" build/recorder --time-only "${large[@]}" >>"$OUT/table.txt" || failed "large requests"
step "wrong kernels"
for mistake in $(build/recorder --list | cut -f 1); do
	timeout "$(left)" build/recorder --mistake "$mistake" --largest "${LARGEST:-0.1}" --out "$work" "${requests[@]}" >"$work/wrong.txt" || failed "wrong kernels: $mistake"
	printf '%-20s %3d recorded, %3d requests do not show it\n' "$mistake" "$(grep -c ' differ, ' "$work/wrong.txt")" "$(grep -c 'do not show' "$work/wrong.txt")"
	grep ' differ, ' "$work/wrong.txt" >>"$OUT/table.txt"
done
pack "$work/invalid" invalid
wait $resources
step "resource report"
cat "$work.txt"
step "the largest requests; table.txt has them all"
grep -E 'ceilings|v3' "$OUT/table.txt" | grep -v ' differ, '
parts=$(find "$OUT" -type f | wc -l)
[ "$parts" -le 8 ] || echo "$parts files in OUT: more than one transfer may bring back"
step "done, status $status"
exit $status
