# Prints one line for each kernel of a log of ptxas -v: file, architecture, kernel with its template arguments, registers, stack and spilled bytes.
FNR == 1 {
  split(FILENAME, parts, "/"); log_name = parts[length(parts)]
  split(log_name, parts, "."); file = parts[1]; arch = "sm_" parts[2]
}
/Compiling entry function/ {
  split($0, parts, "'"); name = parts[2]
  sub(/^.*_cu_[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]_?[0-9]+/, "", name)
  arguments = ""
  if (match(name, /I(L[ib][0-9]+E)+E/)) {
    arguments = substr(name, RSTART + 1, RLENGTH - 2); gsub(/L[ib]/, "", arguments); gsub(/E/, ",", arguments); sub(/,$/, "", arguments)
  } else if (match(name, /I(f|NS_4bf16E)(f|S[0-9]_|NS_4bf16E)?E/)) {
    arguments = substr(name, RSTART + 1, RLENGTH - 2); gsub(/NS_4bf16E|S[0-9]_/, "bf16 ", arguments); gsub(/f$/, "f32", arguments); sub(/^f/, "f32 ", arguments)
    gsub(/ bf16/, ",bf16", arguments); gsub(/ f32/, ",f32", arguments); gsub(/ /, "", arguments); sub(/^f3232/, "f32", arguments)
  }
  match(name, /^[A-Za-z]+Kernel/); name = substr(name, RSTART, RLENGTH)
  if (arguments != "") name = name "<" arguments ">"
}
/bytes stack frame/ { stack = $1; spilled = $5 + $9 }
/Used [0-9]+ registers/ {
  match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5)
  printf "%-24s %-7s %-34s %9d %6d %7d\n", file, arch, name, registers, stack, spilled
}
