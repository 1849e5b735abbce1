#!/usr/bin/env bash
# Packs recordings into archives that fit a transfer, and says what it leaves out. Sourced by record.sh; by itself it tests itself.
#
#   pack FOLDER NAME MIB OUT    the recordings of FOLDER as OUT/NAME.tar.*, smallest first and MIB of them once compressed
#
# Each recording is compressed by itself (NAME.safetensors.gz), so that what counts is what a transfer carries, and archives are cut into parts of 15 MiB:
#   cat recordings.tar.* | tar x && gunzip *.gz
pack() {
	local folder=$1 name=$2 most=$3 out=$4 gz
	[ -n "$(find "$folder" -name '*.safetensors' 2>/dev/null)" ] || return 0
	rm -f "$out/$name".tar.*
	gz=$(mktemp -d)
	(cd "$folder" && find . -name '*.safetensors' -printf '%P\0') |
		xargs -0 -P "$(nproc)" -I{} sh -c 'mkdir -p "$(dirname "$2/$3")" && gzip -c "$1/$3" >"$2/$3.gz"' sh "$folder" "$gz" {}
	# A file in a tar has a head of 512 bytes and is padded to as many.
	(cd "$gz" && find . -name '*.gz' -printf '%s %P\n' | sort -k1,1n -k2) |
		awk -v most="$most" -v name="$name" -v list="$gz/list" '
			{ sum += $1 + 1024; if (sum <= most * 1048576) print $2 >list; else print name ": left out: " $2 ", " $1 " bytes" }'
	[ -s "$gz/list" ] || { echo "$name: nothing fits $most MiB"; rm -rf "$gz"; return 1; }
	tar -C "$gz" -c -T "$gz/list" | split -b 15M -d -a 2 - "$out/$name.tar."
	[ "${PIPESTATUS[*]}" = "0 0" ] || { rm -rf "$gz"; return 1; }
	printf '%s: %d recordings, %s in %d parts\n' "$name" "$(wc -l <"$gz/list")" \
		"$(du -ch --apparent-size "$out/$name".tar.* | tail -n 1 | cut -f 1)" "$(find "$out" -name "$name.tar.*" | wc -l)"
	rm -rf "$gz"
}

# testPack packs what does not compress and what does, and takes it out again.
testPack() {
	local work said kept
	work=$(mktemp -d)
	trap 'rm -rf "$work"' RETURN
	mkdir -p "$work/in/sub" "$work/out" "$work/back"
	for i in 1 2 3 4 5; do head -c 3000000 /dev/urandom >"$work/in/random-$i.safetensors"; done
	head -c 40000000 /dev/zero >"$work/in/sub/zeros.safetensors"
	said=$(pack "$work/in" test 10 "$work/out") || return 1
	cat "$work/out"/test.tar.* | tar -C "$work/back" -x && gunzip -r "$work/back"
	kept=$(find "$work/back" -name '*.safetensors' | wc -l)
	[ "$kept" -eq 4 ] || { echo "packs $kept of 6: forty megabytes of zeros and three files fit 10 MiB"; return 1; }
	[ "$(grep -c 'left out' <<<"$said")" -eq 2 ] || { echo "does not say what it leaves out: $said"; return 1; }
	cmp "$work/in/sub/zeros.safetensors" "$work/back/sub/zeros.safetensors" && cmp "$work/in/random-1.safetensors" "$work/back/random-1.safetensors" || return 1
	pack "$work/in" test 100 "$work/out" >/dev/null && [ "$(cat "$work/out"/test.tar.* | tar -t | wc -l)" -eq 6 ] || { echo "does not pack all"; return 1; }
	[ -z "$(find "$work/out" -size +16M)" ] || { echo "a part is too large"; return 1; }
	pack "$work/in" test 0.001 "$work/out" >/dev/null && { echo "packs into nothing"; return 1; }
	echo "pack: 6 checks passed"
}

[ "${BASH_SOURCE[0]}" != "$0" ] || testPack
