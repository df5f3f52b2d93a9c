# check against reading the same segments with zstd and sha256sum, and against what a backup program does to verify the same bodies.

part_check() {
  need zstd || { skip "check: zstd is missing"; return; }
  local size round
  for size in "${sizes[@]}"; do
    sealed_case "$size"
    restic_repository "$size"
    for ((round = 1; round <= rounds; round++)); do
      watch check check "$size KB" "$round" exhibit-verify -n "$exchanges" -bytes "$raw" -target 3 -reads "$segments" \
        -expect ", $exchanges exchanges, " -expect ': verified$' -- "$verify" check "$case"
      watch check check "$size KB" "$round" 'zstd -d | sha256sum' -n "$exchanges" -bytes "$raw" -reads "$segments" -expect '^[0-9a-f]{64}  -' -- \
        bash -o pipefail -c 'zstd -dcq "$@" | sha256sum' - "$case"/data/evidence/*.warc.zst
      watch check 'check --deep' "$size KB" "$round" exhibit-verify -n "$exchanges" -bytes "$raw" -target 1.5 -reads "$segments" \
        -expect ", $exchanges exchanges, " -expect ': verified$' -- "$verify" check --deep "$case"
      watch check 'check --deep' "$size KB" "$round" 'zstd -d | sha256sum' -n "$exchanges" -bytes "$raw" -reads "$segments" -expect '^[0-9a-f]{64}  -' -- \
        bash -o pipefail -c 'zstd -dcq "$@" | sha256sum' - "$case"/data/evidence/*.warc.zst
      [ -d "$work/restic-$size" ] || continue
      watch check 'check, as a backup' "$size KB" "$round" exhibit-verify -n "$exchanges" -bytes "$raw" -reads "$segments" \
        -expect ", $exchanges exchanges, " -expect ': verified$' -- "$verify" check "$case"
      watch check 'check, as a backup' "$size KB" "$round" 'restic check --read-data' -n "$exchanges" -bytes "$raw" -reads "$(packed "$work/restic-$size")" \
        -env RESTIC_PASSWORD=benchmark -expect 'no errors were found' -- restic --no-cache -r "$work/restic-$size" check --read-data
    done
  done
}

# restic_repository SIZE: a repository of the bodies, one file for each.
restic_repository() {
  [ ! -d "$work/restic-$1" ] || return 0
  need restic || { skip "check against restic, $1 KB: restic is missing"; return 0; }
  mkdir "$work/bodies-$1"
  split -l 1 -a 6 -d "$bodies" "$work/bodies-$1/"
  RESTIC_PASSWORD=benchmark restic -q --no-cache -r "$work/restic-$1" init
  RESTIC_PASSWORD=benchmark restic -q --no-cache -r "$work/restic-$1" backup "$work/bodies-$1"
  rm -rf "$work/bodies-$1"
}

# packed REPOSITORY: bytes in its packs.
packed() { find "$1/data" -type f -printf '%s\n' | awk '{ s += $1 } END { printf "%.0f\n", s }'; }
