# extract to JSONL, verification included, against jq taking the same lists apart. jq gets the bodies decoded, in one file.

part_extract() {
  need jq || { skip "extract: jq is missing"; return; }
  local size round
  for size in "${sizes[@]}"; do
    sealed_case "$size"
    for ((round = 1; round <= rounds; round++)); do
      watch extract extract "$size KB" "$round" exhibit-verify -n "$records" -bytes "$raw" -target 10 -reads "$segments" -stdout "$work/out.jsonl" -lines "$records" \
        -expect "^$records records from $exchanges pages" -- "$verify" extract --format jsonl "$case"
      watch extract extract "$size KB" "$round" jq -n "$records" -bytes "$raw" -reads "$raw" -stdout "$work/out.jsonl" -lines "$records" -- jq -c '.value[]' "$bodies"
    done
  done
}
