#!/usr/bin/env bash
# Builds the kernels, records every request with the right ones, with every wrong one and with other people's, and leaves the recordings in $OUT.
#
#   kernels/record.sh [--dry-run | --quick] [REQUEST…]
#
# With --quick 26 small requests are recorded by the right kernels and judged, and nothing else: what to run first on a machine, in under a minute.
#
# Requests default to kernels/requests/*.safetensors; those of kernels/requests/large are timed too, but not kept, and those of others are for other people's
# kernels alone. README.md, "On a machine with a GPU", says what to take to one.
#
# Nothing has to be there but a driver: build/recorder is taken as it is if it was compiled from these very sources, and built with nvcc otherwise. Other
# people's kernels run where python3 (or $PYTHON) has PyTorch for the GPU; the wheels of build/wheels are installed for them alone. Verdicts come from build/plumbline or Go, where
# either is; compute-sanitizer is run on small requests, where it is.
#
# $OUT (default: out) gets log.txt (what is printed here, then the table of all requests and the verdicts) and recordings, others, invalid and probe as NAME.tar.*,
# cut into parts of 15 MiB, every recording compressed by itself:
#   cat recordings.tar.* | tar x && gunzip -r .
# Some 60 MiB in seven files, counted compressed; what is left out is named, the largest of each kind. Other people's outputs of more than OTHERS_LARGEST MiB (2.2) are not
# kept; wrong kernels run on requests of up to LARGEST GFLOP (0.1).
# What matters most comes first and is packed at once, so that it is there if time runs out. BUDGET is the seconds that all of it may take.
#
# With --dry-run everything is done that needs no GPU: the host tests, the check of every request with its generated inputs and their digests, the list
# of what would be run, the small requests on a processor and, where Go is, their verdict; where nvcc is, the compilation and the resource report.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1

dry=no quick=no
case "${1:-}" in
--dry-run) dry=yes && shift ;;
--quick) quick=yes && shift ;;
esac
OUT=${OUT:-out}
BUDGET=${BUDGET:-540}
mkdir -p "$OUT" && OUT=$(cd "$OUT" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
# shellcheck source=pack.sh
. ./pack.sh

step() { printf '== %3d s  %s\n' "$SECONDS" "$*"; }
failed() { printf 'FAILED: %s\n' "$*" >&2; status=1; }
left() { echo $((BUDGET - SECONDS > 5 ? BUDGET - SECONDS : 5)); }
atMost() { echo $(($(left) < $1 ? $(left) : $1)); }

# keep packs a folder of recordings, once.
kept=
keep() {
	case "$kept" in *" $2 "*) return 0 ;; esac
	kept="$kept $2 "
	pack "$work/$1" "$2" "$3" "$OUT" || failed "packing $2"
}

# finish packs what is there, whether all was done or time ran out, and writes the log whole.
finish() {
	local end=$?
	trap - EXIT TERM INT
	keep right recordings 36
	keep others others 14
	keep invalid invalid 6
	keep probe probe 4
	[ "$end" -eq 0 ] || echo "ended with status $end after $SECONDS s"
	exec >&3 2>&3
	(sleep 5 && kill "$tee" 2>/dev/null) & # a child that hangs in its driver may hold the pipe open
	wait "$tee"
	{
		cat "$work/log"
		for part in table verdicts; do
			[ -s "$work/$part" ] && printf '\n== %s\n' "$part" && cat "$work/$part"
		done
	} >"$OUT/log.txt"
	rm -rf "$work"
	exit "$end"
}

arguments=("$@")
requests=("$@")
large=() vast=() # vast: inputs of tens of gigabytes
if [ $quick = yes ] && [ ${#requests[@]} -eq 0 ]; then
	for name in rope-apply-half-bf16 norm-rms-odd-bf16 attention-forward-ragged-bf16 attention-backward-gqa-bf16 attention-merge-odd-bf16 mla-decode-plain-bf16 \
		policy-logprob-two-bf16 ppo-loss-plain-bf16 moe-dispatch-plain-i32 moe-bias-update-sign-f32 moe-balance-loss-sequence-f32 moe-gate-v3-f32 moe-gate-tokens-bf16 \
		moe-experts-plain-bf16 moe-experts-odd-f32 moe-layer-v3-bf16 fp8-cast-rows-bf16 fp8-cast-powers-codes-bf16 \
		mtp-combine-ragged-bf16 mtp-loss-two-depths-bf16 mtp-accept-plain-f32 policy-cross-entropy-ragged-bf16 \
		fp8-gemm-plain-f32 fp8-gemm-ragged-bf16 fp8-grouped-gemm-plain-f32 fp8-grouped-gemm-empty-experts-bf16; do
		requests+=("requests/$name.safetensors")
	done
elif [ ${#requests[@]} -eq 0 ]; then
	shopt -s nullglob
	requests=(requests/fp8-gemm-plain-f32.safetensors) # the recorder sorts by op alone, so that this is the first product by wgmma
	for f in requests/*.safetensors; do
		[ "$f" = "${requests[0]}" ] || requests+=("$f")
	done
	for f in requests/large/*.safetensors; do
		case $f in *-v3-all-*) vast+=("$f") ;; *) large+=("$f") ;; esac
	done
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
	bash pack.sh || failed "packing"
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
		$recorder --check "${requests[@]}" "${large[@]}" "${vast[@]}" >"$OUT/requests.txt" || failed "checking requests"
		awk '/GFLOP/ { n++; flops += $3; bytes += $5 } END { printf "%d requests, %.1f GFLOP, %.0f MB\n", n, flops, bytes }' "$OUT/requests.txt"
		step "would be run"
		echo "recorder --out DIR    ${#requests[@]} requests"
		echo "recorder --time-only    ${#large[@]} requests, and ${#vast[@]} of all experts"
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

exec 3>&1 > >(tee "$work/log") 2>&1
tee=$!
trap finish EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
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

plumbline=
if [ -x build/plumbline ]; then
	plumbline=$PWD/build/plumbline
elif command -v go >/dev/null; then
	(cd .. && go build -o "$work/plumbline" ./cmd/plumbline) && plumbline=$work/plumbline
fi
[ -n "$plumbline" ] || step "neither build/plumbline nor Go is here: plumbline verify gives the verdicts elsewhere"

# judge WHAT FILE… gives the verdicts on files or folders below $work.
judge() {
	local what=$1
	shift
	[ -n "$plumbline" ] || return 0
	(cd "$work" && timeout "$(left)" "$plumbline" verify "$@") >>"$work/verdicts" 2>&1 || failed "verdicts of $what"
	echo "$what: $(tail -n 1 "$work/verdicts")"
}

if [ $quick = yes ]; then
	step "right kernels: ${#requests[@]} requests"
	timeout "$(atMost 120)" build/recorder --no-times --out "$work/right" "${requests[@]}" >"$work/table" || failed "some requests were not recorded"
	[ ! -d "$work/right" ] || judge right right
	step "done, status $status"
	exit $status
fi

step "right kernels: ${#requests[@]} requests"
timeout "$(left)" build/recorder --out "$work/right" "${requests[@]}" >"$work/table" || failed "some requests were not recorded"
[ ! -d "$work/right" ] || judge right right
keep right recordings 36
[ ${#large[@]} -eq 0 ] || timeout "$(left)" build/recorder --time-only "${large[@]}" >>"$work/table" || failed "large requests"

if [ -x build/probe ]; then
	step "probe"
	timeout "$(atMost 120)" build/probe "$work/probe" || failed "a part of the probe"
	if "${PYTHON:-python3}" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
		timeout "$(atMost 120)" "${PYTHON:-python3}" probe/products.py "$work/probe" || failed "a library product"
	fi
	steps=("$work"/probe/step-*.safetensors)
	[ ! -e "${steps[0]}" ] || judge "steps of the tensor cores" "${steps[@]#"$work/"}"
	keep probe probe 4
fi

# Every group of producers in a process of its own: one that loses the device leaves the others going.
PYTHON=${PYTHON:-python3}
export PYTHONPATH=$work/site${PYTHONPATH:+:$PYTHONPATH} OMP_NUM_THREADS=${OMP_NUM_THREADS:-4} FLASHINFER_WORKSPACE_BASE=$work
if "$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
	step "other people's kernels"
	for wheel in build/wheels/*.whl; do # one by one: a wheel that does not fit costs only those who need it
		[ -e "$wheel" ] || continue
		"$PYTHON" -m pip install -q --no-index --no-deps --no-compile --upgrade --target "$work/site" "$wheel" || failed "installing $wheel"
	done
	running=() # four at a time: their largest inputs and scores shall not all be in the GPU's memory at once
	for group in sdpa-math sdpa-flash sdpa-efficient sdpa-cudnn torch,hf,hf-eager,hf-sdpa triton liger,liger-llama,liger-gemma,liger-triton verl,verl-vectorized,verl-vanilla,verl-gspo,verl-cispo openrlhf,trl; do
		[ ${#running[@]} -lt 4 ] || wait "${running[${#running[@]} - 4]%%:*}"
		# shellcheck disable=SC2086 # the names are words
		timeout "$(atMost 300)" "$PYTHON" python/record.py --device cuda --largest-output "${OTHERS_LARGEST:-2.2}" --only ${group//,/ --only } --out "$work/others" ${arguments[@]+"${arguments[@]}"} >"$work/python.$group" 2>&1 &
		running+=("$!:$group")
	done
	for r in "${running[@]}"; do wait "${r%%:*}" || failed "other people's kernels: ${r#*:}"; done
	for f in "$work"/python.*; do
		echo "${f##*/python.}: $(tail -n 1 "$f")"
		grep -h '^failed ' "$f"
		cat "$f" >>"$work/table"
	done
	[ ! -d "$work/others" ] || judge others others
	keep others others 14
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
	grep ' differ, ' "$work/wrong.$mistake" >>"$work/table"
done
keep invalid invalid 6

if [ -n "$plumbline" ] && [ -d "$work/invalid" ]; then
	step "verdicts of wrong kernels"
	(cd "$work" && timeout "$(left)" "$plumbline" verify invalid) >"$work/invalid.txt" 2>&1
	grep -vE '^(unexplained|  )' "$work/invalid.txt" >>"$work/verdicts"
	echo "invalid: $(tail -n 1 "$work/invalid.txt")"
	! grep -q '^explained' "$work/invalid.txt" || failed "wrong kernels that are explained: the verdicts name them"
fi

if [ ${#vast[@]} -gt 0 ]; then
	step "all of DeepSeek-V3's experts"
	timeout "$(atMost 120)" build/recorder --time-only "${vast[@]}" >>"$work/table" || failed "requests of all experts"
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
step "the largest requests; the table has them all"
grep -E 'ceilings|v3|many' "$work/table" | grep ' TFLOP/s'
parts=$(find "$OUT" -type f | wc -l)
[ "$parts" -le 8 ] || echo "$parts files in OUT: more than one transfer may bring back"
step "done, status $status"
exit $status
