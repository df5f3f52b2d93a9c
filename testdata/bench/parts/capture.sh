# Capture over loopback: against a plain client that keeps nothing, and against wget writing WARC. Every case is checked after its run.

requests_of() { # SIZE
  local n
  case $1 in 5) n=10000 ;; 50) n=4000 ;; 500) n=600 ;; esac
  echo $((quick ? n / 10 : n))
}

# serve starts the load server once. Sets $plain and $secure, its origins, and $ca.
serve() {
  [ -z "${secure:-}" ] || return 0
  ca=$work/ca.pem
  "$bin/loadserver" -ca "$ca" >"$work/origins" &
  children+=($!)
  local tries
  for ((tries = 0; tries < 300; tries++)); do
    [ ! -s "$work/origins" ] || break
    kill -0 "${children[-1]}" || die "the load server has ended"
    sleep 0.1
  done
  read -r plain secure <"$work/origins"
}

new_case() { # DIR
  rm -rf "$1"
  "$exhibit" case new "$1" --case-number BENCHMARK --exhibit B1 --examiner run >/dev/null 2>&1
}

# holds CASE EXCHANGES: the case, which is not sealed, is intact and holds so many.
holds() {
  local code=0
  "$verify" check "$1" >"$work/holds.txt" 2>&1 || code=$?
  [ "$code" = 4 ] || die "the check of a case that was captured exited with $code, not 4"
  grep -qF ", $2 exchanges, " "$work/holds.txt" || die "a capture said that it kept $2 exchanges and did not"
}

# capture MEASURE SIZE ROUND TARGET LIST REQUESTS PARALLEL
capture() {
  local case=$work/captured
  new_case "$case"
  watch capture "$1" "$2 KB$form" "$3" exhibit -target "$4" -n "$6" -bytes $(($6 * $2 * 1000)) -expect "\"pages\": $6," -expect '"outcome": "complete"' -- \
    "$exhibit" acquire http --case "$case" --url-file "$5" --parallel "$7" --ca-file "$ca" --yes --json
  holds "$case" "$6"
  rm -rf "$case"
}

# plain_client MEASURE SIZE ROUND LIST REQUESTS OPTION…
plain_client() {
  watch capture "$1" "$2 KB$form" "$3" 'plain client' -n "$5" -bytes $(($5 * $2 * 1000)) -expect "\"responses\":$5}" -- "$bin/floor" -ca "$ca" -url-file "$4" "${@:6}"
}

form= # of the answers, where it is another than plain with Content-Length

part_capture() {
  serve
  local size round n list=$work/urls chains=$work/chains serial=$work/serial i
  for size in "${sizes[@]}"; do
    n=$(requests_of "$size")
    for ((i = 0; i < n; i++)); do echo "$secure/pages/$size/$i"; done >"$list"
    for ((i = 0; i < 8; i++)); do echo "$secure/chains/$size/$i/1?length=$((n / 8))"; done >"$chains"
    for ((round = 1; round <= rounds; round++)); do
      capture 'capture, independent URLs' "$size" "$round" 0.12 "$list" "$n" 8
      plain_client 'capture, independent URLs' "$size" "$round" "$list" "$n"
      capture 'capture, 8 chains' "$size" "$round" 0.08 "$chains" $((n / 8 * 8)) 8
      plain_client 'capture, 8 chains' "$size" "$round" "$chains" $((n / 8 * 8)) -follow
    done
  done
  form=', gzip, chunked' n=$(requests_of 50)
  for ((i = 0; i < n; i++)); do echo "$secure/pages/50/$i?coding=gzip&transfer=chunked"; done >"$list"
  for ((round = 1; round <= rounds; round++)); do
    capture 'capture, independent URLs' 50 "$round" 0 "$list" "$n" 8
    plain_client 'capture, independent URLs' 50 "$round" "$list" "$n"
  done
  form=
  need wget || { skip "capture against wget: wget is missing"; return; }
  for size in "${sizes[@]}"; do
    [ "$size" != 5 ] || continue
    n=$(($(requests_of "$size") / 2))
    for ((i = 0; i < n; i++)); do echo "$plain/pages/$size/$i"; done >"$serial"
    for ((round = 1; round <= rounds; round++)); do
      capture 'capture, serial, plain HTTP' "$size" "$round" 2 "$serial" "$n" 1
      wget_warc "$size" "$round" "$serial" "$n"
    done
  done
}

# wget_warc SIZE ROUND LIST REQUESTS
wget_warc() {
  local warc=$work/wget
  rm -f "$warc".warc.gz
  watch capture 'capture, serial, plain HTTP' "$1 KB" "$2" 'wget --warc-file' -n "$4" -bytes $(($4 * $1 * 1000)) -- wget -q -i "$3" -O /dev/null --warc-file="$warc" --warc-tempdir="$work"
  [ "$(zcat "$warc.warc.gz" | grep -ac '^WARC-Type: response')" = "$4" ] || die "wget did not keep $4 responses"
  rm -f "$warc".warc.gz
}
