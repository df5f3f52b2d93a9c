# The same things done to cases of different size: 1,000, 100,000, 1,000,000 exchanges of one record, or what --n says. Small cases several times.

scale_rounds() { # EXCHANGES
  if [ "$1" -le 10000 ]; then echo "$rounds"; elif [ "$1" -le 100000 ]; then echo 3; else echo 1; fi
}

part_scale() {
  serve
  local n
  for n in ${numbers//,/ }; do
    scale_case "$n"
  done
  "$bin/plot" "$out/scale.csv" >"$out/scale.svg"
  "$bin/plot" -processor "$out/scale.csv" >"$out/scale-processor.svg"
}

# scale WHAT EXCHANGES ROUND UNITS …
scale() { watch scale "$1" "$2" "$3" exhibit -n "$4" "${@:5}"; }

scale_case() { # EXCHANGES
  local n=$1 case=$work/scale-$1 list=$work/urls-scale times round i held
  say "$n exchanges ($(date -u +%H:%M:%S))"
  times=$(scale_rounds "$n")
  rm -rf "$case" "$case-more"
  scale write "$n" 1 "$n" -expect "\"exchanges\":$n," -- "$bin/gencase" -o "$case" -n "$n" -size 1000 -workers 32
  [ "$times" = 1 ] || cp -r "$case" "$case-more" # what is added to a small case would change what the rest measures
  [ "$times" != 1 ] || mv "$case" "$case-more"
  for ((round = 1; round <= times; round++)); do
    scale 'open, add a note' "$n" "$round" 1 -- "$exhibit" note "$case-more" "round $round"
    for ((i = 0; i < 1000; i++)); do echo "$secure/pages/1/$((round * 1000 + i))"; done >"$list"
    scale 'open, capture 1,000 more' "$n" "$round" 1000 -expect '"pages": 1000,' -expect '"outcome": "complete"' -- \
      "$exhibit" acquire http --case "$case-more" --url-file "$list" --parallel 8 --ca-file "$ca" --yes --json
    scale status "$n" "$round" 1 -expect "^  exchange: $((n + round * 1000))\$" -- "$exhibit" status "$case-more"
  done
  held=$n
  [ "$times" != 1 ] || { mv "$case-more" "$case"; held=$((n + 1000)); }
  rm -rf "$case-more"
  scale seal "$n" 1 "$held" -- "$exhibit" seal "$case" --yes
  rm -f "$case/work/ledger.db"
  scale_sealed "$n" "$case" "$held" "$times"
  rm -rf "$case"
}

scale_sealed() { # SETTING CASE EXCHANGES ROUNDS
  local n=$1 case=$2 held=$3 round bytes records # records: what the windows say was counted while it was acquired
  records=$("$exhibit" status "$case" --json | awk '/^ *"records": / { s += $2 } END { printf "%.0f\n", s }')
  bytes=$(stat -c %s "$case"/data/evidence/* | awk '{ s += $1 } END { printf "%.0f\n", s }')
  for ((round = 1; round <= $4; round++)); do
    scale check "$n" "$round" "$held" -reads "$bytes" -expect ", $held exchanges, " -expect ': verified$' -- "$verify" check "$case"
    scale 'check --deep' "$n" "$round" "$held" -reads "$bytes" -expect ", $held exchanges, " -expect ': verified$' -- "$verify" check --deep "$case"
    scale extract "$n" "$round" "$held" -reads "$bytes" -expect "^$records\$" -- bash -o pipefail -c '"$@" | wc -l' - "$verify" extract "$case"
  done
}
