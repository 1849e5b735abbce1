#!/usr/bin/env bash
# Tests what the recorder does when its requests hang, crash, lose the device, do not fit it or are not there, and inputs made in small pieces; no GPU is needed.
#
#   kernels/recorder/failures_test.sh [RECORDER]     (default: build/recorder-cpu)
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
recorder=${1:-build/recorder-cpu}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
requests=(requests/policy-kl-k1-f32.safetensors)
for name in base far first half; do requests+=("requests/rope-apply-$name-f32.safetensors"); done
bad=0

# expect STATUS RECORDED PATTERN ARGUMENT… runs the recorder and compares its exit status, how many recordings there are, and what it says.
expect() {
	local status=$1 recorded=$2 pattern=$3 found
	shift 3
	rm -rf "$work/out"
	timeout 60 "$recorder" --out "$work/out" --patience 1 "$@" >"$work/said" 2>&1
	found="status $?, $(find "$work/out" -name '*.safetensors' 2>/dev/null | wc -l) recorded"
	[ "$found" = "status $status, $recorded recorded" ] && grep -q -e "$pattern" "$work/said" && return
	echo "FAIL recorder $*: $found, want status $status, $recorded recorded, and: $pattern"
	cat "$work/said"
	bad=1
}
rope() { echo "$1:rope-apply-$2-f32.safetensors"; }

expect 0 5 'policy-kl-k1.*recorded' "${requests[@]}"
expect 1 4 'rope-apply-base.*took too long' --inject "$(rope hang base)" "${requests[@]}"
expect 1 1 'rope-apply-half.*not run: rope.cu hung' --inject "$(rope hang base),$(rope hang far)" "${requests[@]}"
expect 1 4 'rope-apply-far.*Aborted' --inject "$(rope crash far)" "${requests[@]}"
expect 1 4 'rope-apply-first.*device is lost' --inject "$(rope lose first)" "${requests[@]}"
expect 0 5 'ceilings: took too long' --inject hang:ceilings "${requests[@]}"
expect 0 5 'ceilings: Aborted' --inject crash:ceilings "${requests[@]}"
expect 1 0 '5 requests were not run' --inject crash:device "${requests[@]}"
expect 0 1 'nothing.safetensors *passed over: No such file' nothing.safetensors "${requests[0]}"
expect 1 0 'none of the requests is there' nothing.safetensors
expect 1 0 'policy-kl-k1.*needs .* GB of the device.s memory, of which 0.0 GB are free' --inject full:device "${requests[@]}"
expect 0 5 'policy-kl-k1.*recorded' --piece 1000 "${requests[@]}"
expect 1 0 'not run: time is up' --seconds 0 "${requests[@]}"
[ "$(timeout 60 "$recorder" --out "$work/out" "${requests[@]}" | head -n 1 | cut -c 1-4)" = rope ] || { echo "FAIL simple ops come first"; bad=1; }
[ $bad -eq 0 ] && echo "failures test: 14 checks, 0 failed"
exit $bad
