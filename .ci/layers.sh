#!/usr/bin/env bash
# The architecture as a check: who may import whom (docs/design.md, section 4). Every package outside tests is held against it.
# `.ci/layers.sh --self-test` shows that the check can fail.
set -euo pipefail
cd "$(dirname "$0")/.."
module=$(go list -m)
failed=0

fail() { echo "layers: $*" >&2; failed=1; }

# edges: "importer imported" for every import of every package of ours, tests left out.
edges() {
  if [ "${LAYERS_EDGES:-}" ]; then cat "$LAYERS_EDGES"; else go list -f '{{$p := .ImportPath}}{{range .Imports}}{{$p}} {{.}}{{"\n"}}{{end}}' ./...; fi
}

# forbid FROM TO [EXCEPT]: no package whose path matches FROM imports one that matches TO, unless the importer matches EXCEPT.
forbid() {
  local bad
  bad=$(edges | awk -v from="^$module/$1" -v to="^$2" -v except="${3:+^$module/$3}" \
    '$1 ~ from && $2 ~ to && (except == "" || $1 !~ except)')
  [ -z "$bad" ] || fail "$1 must not import $2:"$'\n'"$bad"
}

# Data flows acquire → evidence ← verify.
forbid 'evidence' "$module/(acquire|verify|cmd)"
forbid 'acquire' "$module/(verify|cmd)"
forbid 'verify' "$module/(acquire|cmd)"
forbid 'cmd/exhibit-verify' "$module/acquire"
forbid 'cmd/cli' "$module/(acquire|verify)"
forbid 'evidence/odata' "$module"
forbid 'evidence/(warc|httpblock|trust|signer|bag|boltread)(/|$)' "$module/evidence\$"
# verify looks at what it is given: no network. What it replays goes through a stream that cmd/exhibit-verify accepts, the one place that listens there; nothing dials.
forbid 'verify' 'net/http$'
forbid 'verify' '(net|crypto/tls)$'
forbid 'evidence' 'net/http$'
# One home for each dependency.
forbid '(acquire|evidence|verify)' 'github.com/spf13/cobra'
forbid '.*' 'golang.org/x/oauth2' 'acquire/auth'
forbid '.*' 'go.etcd.io/bbolt' 'evidence/ledger$'
forbid '.*' 'github.com/klauspost/compress' 'evidence/warc$'
forbid '.*' 'golang.org/x/crypto/ssh/agent' 'evidence/signer$'
forbid '.*' 'filippo.io/age' 'evidence/bag$'
# encoding/json loses duplicate keys, big numbers and bad UTF-8.
forbid '(evidence|verify)' 'encoding/json$'

# What exhibit-verify links, all dependencies included.
linked=$(go list -deps ./cmd/exhibit-verify)
for bad in golang.org/x/oauth2 go.etcd.io/bbolt net/http "$module/acquire"; do
  if grep -q "^$bad\(/\|\$\)" <<<"$linked"; then fail "exhibit-verify links $bad"; fi
done

dials=$(grep -rnE '(net|tls)\.(Dial|Resolver|Lookup|DefaultResolver)' --include='*.go' --exclude='*_test.go' cmd/exhibit-verify cmd/cli verify || true)
[ -z "$dials" ] || fail "exhibit-verify makes connections: $dials"

# No grab bags, no init, no registration.
bags=$(go list ./... | grep -E '/(util|utils|common|helpers?|types|misc|internal)(/|$)' || true)
[ -z "$bags" ] || fail "grab bags: $bags"
inits=$(grep -rnE '^func init\(\)' --include='*.go' . || true)
[ -z "$inits" ] || fail "init functions: $inits"

if [ "${1:-}" = --self-test ]; then
  temp=$(mktemp)
  trap 'rm -f "$temp"' EXIT
  for edge in "$module/verify $module/acquire" "$module/evidence $module/verify" "$module/verify/extract net/http" "$module/verify/replay net" \
    "$module/evidence go.etcd.io/bbolt" "$module/verify encoding/json" "$module/acquire/wire golang.org/x/oauth2" "$module/verify filippo.io/age/agessh"; do
    echo "$edge" >"$temp"
    if LAYERS_EDGES=$temp "$0" >/dev/null 2>&1; then fail "self-test: \"$edge\" was not noticed"; fi
  done
fi
[ $failed = 0 ] && echo "layers: ok"
exit $failed
