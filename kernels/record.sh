#!/usr/bin/env bash
# Builds the kernels, records every request with the right ones, with every wrong one and with other people's, and leaves the recordings in $OUT.
#
#   kernels/record.sh [--dry-run] [REQUEST…]
#
# Requests default to kernels/requests/*.safetensors; those of kernels/requests/large are timed too, but not kept, and those of others are for other people's
# kernels alone. README.md, "On a machine with a GPU", says what to take to one.
#
# Nothing has to be there but a driver: build/recorder is taken as it is if it was compiled from these very sources, and built with nvcc otherwise. Other
# people's kernels run where python3 (or $PYTHON) has PyTorch for the GPU; the wheels of build/wheels are installed for them alone. Verdicts come from build/plumbline or Go, where
# either is; compute-sanitizer is run on small requests, where it is.
#
# $OUT (default: out) gets log.txt, table.txt, verdicts.txt, and recordings, others and invalid as NAME.tar.gz.*, cut into parts of 15 MiB:
#   cat recordings.tar.gz.* | tar xz
# At most 62 MiB in eight files: of others and invalid the largest are left out if need be, and named. Other people's outputs of more than OTHERS_LARGEST MiB (1.1)
# are not kept; wrong kernels run on requests of up to LARGEST GFLOP (0.1).
# What matters most comes first and is packed at once, so that it is there if time runs out. BUDGET is the seconds that all of it may take.
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
trap 'rm -rf "$work"' EXIT
status=0

step() { printf '== %3d s  %s\n' "$SECONDS" "$*"; }
failed() { printf 'FAILED: %s\n' "$*" >&2; status=1; }
left() { echo $((BUDGET - SECONDS > 5 ? BUDGET - SECONDS : 5)); }
atMost() { echo $(($(left) < $1 ? $(left) : $1)); }

# pack FOLDER NAME MIB packs the recordings of a folder, smallest first and so many MiB of them, into parts that fit a transfer.
pack() {
	[ -n "$(find "$1" -name '*.safetensors' 2>/dev/null)" ] || return 0
	rm -f "$OUT/$2".tar.gz.*
	(cd "$1" && find . -name '*.safetensors' -printf '%s %p\n' | sort -n) >"$work/sizes"
	awk -v most="$3" '{ sum += $1; if (sum <= most * 1048576) print $2 }' "$work/sizes" >"$work/packed"
	awk -v most="$3" -v name="$2" '{ sum += $1; if (sum > most * 1048576) print name ": left out: " $2 ", " $1 " bytes" }' "$work/sizes"
	tar -C "$1" -cz -T "$work/packed" | split -b 15M -d -a 2 - "$OUT/$2.tar.gz." || failed "packing $2"
	step "$2: $(wc -l <"$work/packed") recordings, $(du -csh "$OUT/$2".tar.gz.* | tail -n 1 | cut -f 1) in $(ls "$OUT/$2".tar.gz.* | wc -l) parts"
}

arguments=("$@")
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
	recorder/failures_test.sh || failed "hangs and crashes"
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
		command -v python3 >/dev/null && echo "python/record.py: $(python3 python/record.py --dry-run | tail -n 1)"
		$recorder --list | while IFS=$'\t' read -r name id ops what; do echo "recorder --mistake $name --out DIR    $id: $ops"; done
		step "the small ones on a processor"
		build/recorder-cpu --largest "${LARGEST:-0.01}" --out "$work/right" "${requests[@]}" >"$work/small" || failed "small requests on a processor"
		printf '%d recorded, %d larger ones passed over\n' "$(grep -c 'recorded$' "$work/small")" "$(grep -c 'passed over' "$work/small")"
		if command -v go >/dev/null && [ -d "$work/right" ]; then
			(cd .. && go run ./cmd/plumbline verify "$work/right") | tail -n 1
			[ "${PIPESTATUS[0]}" -eq 0 ] || failed "a recording made on a processor is not explained"
		fi
	fi
	step "dry run done, status $status"
	exit $status
fi

exec > >(tee "$OUT/log.txt") 2>&1
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,temperature.gpu --format=csv,noheader
resources=
if [ -x build/recorder ] && build/recorder --sources | sha256sum --check --status; then
	step "build/recorder is that of these sources"
elif [ -n "$NVCC" ]; then
	step "build, with $("$NVCC" --version | grep release)"
	make -s -j "$jobs" NVCC="$NVCC" build/recorder || exit 1
	(make -s -j 4 NVCC="$NVCC" check >"$work/resources" 2>&1 || echo "make check failed" >>"$work/resources") &
	resources=$!
else
	echo "build/recorder is missing or of other sources, and nvcc is not on PATH, nor in \$CUDA_HOME/bin" >&2
	exit 1
fi
build/recorder --host-test || failed "host test"

step "right kernels: ${#requests[@]} requests"
timeout "$(left)" build/recorder --out "$work/right" "${requests[@]}" >"$OUT/table.txt" || failed "some requests were not recorded"
pack "$work/right" recordings 29
[ ${#large[@]} -eq 0 ] || timeout "$(left)" build/recorder --time-only "${large[@]}" >>"$OUT/table.txt" || failed "large requests"

# Every group of producers in a process of its own: one that loses the device leaves the others going.
PYTHON=${PYTHON:-python3}
export PYTHONPATH=$work/site${PYTHONPATH:+:$PYTHONPATH} OMP_NUM_THREADS=${OMP_NUM_THREADS:-4} FLASHINFER_WORKSPACE_BASE=$work
if "$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
	step "other people's kernels"
	if ls build/wheels/*.whl >/dev/null 2>&1; then
		"$PYTHON" -m pip install -q --no-index --no-deps --no-compile --target "$work/site" build/wheels/*.whl || failed "installing build/wheels"
	fi
	running=()
	for group in sdpa-math sdpa-flash sdpa-efficient sdpa-cudnn torch,hf,hf-eager,hf-sdpa triton liger,liger-llama,liger-gemma,liger-triton verl,verl-vectorized,verl-vanilla,verl-gspo,verl-cispo openrlhf,trl flashinfer,flashinfer-table; do
		# shellcheck disable=SC2086 # the names are words
		timeout "$(atMost 300)" "$PYTHON" python/record.py --device cuda --largest-output "${OTHERS_LARGEST:-1.1}" --only ${group//,/ --only } --out "$work/others" ${arguments[@]+"${arguments[@]}"} >"$work/python.$group" 2>&1 &
		running+=("$!:$group")
	done
	for r in "${running[@]}"; do wait "${r%%:*}" || failed "other people's kernels: ${r#*:}"; done
	for f in "$work"/python.*; do
		echo "${f##*/python.}: $(tail -n 1 "$f")"
		grep -h '^failed ' "$f"
		cat "$f" >>"$OUT/table.txt"
	done
	pack "$work/others" others 24
else
	step "no PyTorch with a GPU here: other people's kernels are not recorded"
fi

step "wrong kernels"
running=()
for mistake in $(build/recorder --list | cut -f 1); do
	timeout "$(left)" build/recorder --mistake "$mistake" --largest "${LARGEST:-0.1}" --out "$work" "${requests[@]}" >"$work/wrong.$mistake" &
	running+=("$!:$mistake")
	[ $((${#running[@]} % 10)) -ne 0 ] || wait "${running[-1]%%:*}" || true # ten at a time, or nearly
done
for r in "${running[@]}"; do
	mistake=${r#*:}
	wait "${r%%:*}" || failed "wrong kernels: $mistake"
	printf '%-20s %3d recorded, %3d requests do not show it\n' "$mistake" "$(grep -c ' differ, ' "$work/wrong.$mistake")" "$(grep -c 'do not show' "$work/wrong.$mistake")"
	grep ' differ, ' "$work/wrong.$mistake" >>"$OUT/table.txt"
done
pack "$work/invalid" invalid 9

plumbline=
if [ -x build/plumbline ]; then
	plumbline=$PWD/build/plumbline
elif command -v go >/dev/null; then
	(cd .. && go build -o "$work/plumbline" ./cmd/plumbline) && plumbline=$work/plumbline
fi
if [ -n "$plumbline" ]; then
	step "verdicts"
	for folder in right others; do
		[ -d "$work/$folder" ] || continue
		(cd "$work" && timeout "$(left)" "$plumbline" verify "$folder") >>"$OUT/verdicts.txt" 2>&1 || failed "verdicts of $folder"
		echo "$folder: $(tail -n 1 "$OUT/verdicts.txt")"
	done
	if [ -d "$work/invalid" ]; then
		(cd "$work" && timeout "$(left)" "$plumbline" verify invalid) >"$work/invalid.txt" 2>&1
		grep -vE '^(unexplained|  )' "$work/invalid.txt" >>"$OUT/verdicts.txt"
		echo "invalid: $(tail -n 1 "$work/invalid.txt")"
		! grep -q '^explained' "$work/invalid.txt" || failed "wrong kernels that are explained: verdicts.txt names them"
	fi
else
	step "neither build/plumbline nor Go is here: plumbline verify gives the verdicts elsewhere"
fi

if command -v compute-sanitizer >/dev/null && [ "$(left)" -gt 60 ]; then
	for tool in memcheck racecheck; do
		step "compute-sanitizer, $tool"
		timeout $(($(left) / 2)) compute-sanitizer --tool "$tool" --target-processes all --error-exitcode 9 build/recorder --no-times --time-only --patience 120 --largest 0.0005 "${requests[@]}" >"$work/sanitizer" 2>&1
		case $? in
		0) ;;
		124) echo "stopped, as time ran out" ;;
		*) failed "$tool" ;;
		esac
		grep -E 'Invalid|hazard|SUMMARY|^recorder: ' "$work/sanitizer" | sort | uniq -c | sort -rn | head -n 20
	done
fi

[ -z "$resources" ] || { wait "$resources"; step "resource report"; cat "$work/resources"; }
step "the largest requests; table.txt has them all"
grep -E 'ceilings|v3|many' "$OUT/table.txt" | grep ' TFLOP/s'
parts=$(find "$OUT" -type f | wc -l)
[ "$parts" -le 8 ] || echo "$parts files in OUT: more than one transfer may bring back"
step "done, status $status"
exit $status
