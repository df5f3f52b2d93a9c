# Sealing a GiB of segments against `openssl dgst` over the same files. Reading back what no head covers is done before, as it is due at any stop; opening, which an
# acquisition that seals at its end does not do again, is left out of the time and counts for the memory.

part_seal() {
  need openssl || { skip "seal: openssl is missing"; return; }
  local size round n case copy bytes
  for size in "${sizes[@]}"; do
    case $size in 5) n=360000 ;; 50) n=94000 ;; 500) n=13700 ;; esac
    n=$((quick ? n / 10 : n)) case=$work/seal-$size copy=$work/seal-copy
    if [ ! -f "$case.json" ]; then
      say "making a case of $n pages of $size KB"
      rm -rf "$case"
      "$bin/gencase" -o "$case" -n "$n" -size "${size}000" -workers 64 >"$case.new"
      mv "$case.new" "$case.json"
    fi
    bytes=$(field segment_bytes <"$case.json")
    for ((round = 1; round <= rounds; round++)); do
      rm -rf "$copy"
      cp -r "$case" "$copy"
      watch seal seal "$size KB" "$round" exhibit -n 1 -bytes "$bytes" -target 0.667 -reads "$bytes" -seconds seal_seconds -- "$bin/sealcase" "$copy"
      watch seal seal "$size KB" "$round" 'openssl dgst -sha256' -n 1 -bytes "$bytes" -reads "$bytes" -expect 'warc.zst\)= [0-9a-f]{64}$' -- \
        openssl dgst -sha256 "$copy"/data/evidence/*.warc.zst
    done
    "$verify" check "$copy" >"$work/sealed.txt" || die "a case that was sealed is not verified: $(tail -1 "$work/sealed.txt")"
    rm -rf "$copy"
  done
}
