# Sealed cases of pages of 5, 50 and 500 KB, with their bodies in a file, made once and used by several parts. Sets, for a size in KB:
# $case, $bodies, $exchanges, $records, $segments (bytes), $raw (bytes of the bodies).

shown= # sizes whose altered case was refused in this run

exchanges_of() { # SIZE
  local n
  case $1 in 5) n=20000 ;; 50) n=4000 ;; 500) n=400 ;; esac
  echo $((quick ? n / 10 : n))
}

sealed_case() { # SIZE
  case=$work/case-$1 bodies=$work/bodies-$1.jsonl
  if [ ! -f "$case.json" ]; then
    say "making a case of $(exchanges_of "$1") pages of $1 KB"
    rm -rf "$case" "$bodies"
    "$bin/gencase" -o "$case" -n "$(exchanges_of "$1")" -size "${1}000" -bodies "$bodies" -seal >"$case.new"
    mv "$case.new" "$case.json"
  fi
  [[ $shown == *" $1 "* ]] || { refuses_altered "$case"; shown+=" $1 "; }
  exchanges=$(field exchanges <"$case.json") records=$(field records <"$case.json")
  segments=$(field segment_bytes <"$case.json") raw=$(field body_bytes <"$case.json")
}

# refuses_altered CASE: check and extract must say 3 of a copy in which one bit of a segment is another.
refuses_altered() {
  local copy=$work/altered segment size at byte command code
  rm -rf "$copy"
  cp -r "$1" "$copy"
  segment=$copy/data/evidence/00001.warc.zst
  chmod u+w "$segment"
  size=$(stat -c %s "$segment")
  at=$((size / 2))
  byte=$(od -An -tu1 -j "$at" -N 1 "$segment")
  printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$segment" bs=1 seek="$at" conv=notrunc status=none
  for command in check "check --deep" "extract -o $work/altered.jsonl"; do
    code=0
    # shellcheck disable=SC2086 # words of a command
    "$verify" ${command%% *} "$copy" $(cut -s -d' ' -f2- <<<"$command") >"$work/altered.txt" 2>&1 || code=$?
    [ "$code" = 3 ] || die "\"$command\" of an altered case exited with $code, not 3: its speed is of no interest"
    rm -f "$work/altered.jsonl"
  done
  rm -rf "$copy"
}
