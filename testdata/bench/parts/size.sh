# What segments take, by type of record: 4,000 pages of 5 KB, captured over 8 connections as part capture does it.

part_size() {
  serve
  local case=$work/case-size list=$work/urls-size i
  for ((i = 0; i < 4000; i++)); do echo "$secure/pages/5/$i"; done >"$list"
  new_case "$case"
  "$exhibit" acquire http --case "$case" --url-file "$list" --parallel 8 --ca-file "$ca" --yes >/dev/null 2>&1
  holds "$case" 4000
  {
    echo "4,000 pages of 5 KB, captured over 8 connections; at most 12,800,000 bytes are allowed:"
    echo
    "$bin/frames" -limit 12800000 "$case" || status=1
    echo "$(stat -c %s "$case/work/ledger.db") bytes in the index"
  } >"$out/size.md"
}
