# What segments take, by type of record: 4,000 pages of 5 KB.

part_size() {
  local case=$work/case-size
  "$bin/gencase" -o "$case" -n 4000 -size 5000 >"$case.json"
  size_table "$case" "written by gencase, 8 chains at once"
}

size_table() { # CASE TEXT
  { echo "4,000 pages of 5 KB, $2:"; echo; "$bin/frames" "$1"; echo; } >>"$out/size.md"
}
