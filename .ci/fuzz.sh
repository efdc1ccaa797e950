#!/bin/bash
# Runs the fuzz targets.
#   .ci/fuzz.sh SECONDS [TARGET…]    each target (or those named) for so long; 0 only replays the kept inputs
#   .ci/fuzz.sh gate [TARGET…]       the same inputs each time, about a quarter of a minute a target: a gate must not fail by
#                                    lot those who changed nothing
# Ends with 1 when a target finds anything; the input is then in fuzz/target/found, and the command that replays it is
# printed. New inputs that reach new code are gathered in fuzz/target/corpus; `.ci/fuzz.sh keep` moves the smallest set
# that reaches as much into fuzz/corpus. Plain stable Rust and a C++ compiler are enough.
set -eu -o pipefail

cd "$(dirname "$(realpath "$0")")/.."
seconds=${1:?SECONDS, gate or keep}
shift
host=$(rustc -vV | sed -n 's/^host: //p')
fuzzer=fuzz/target/$host/release/counterfoil-fuzz
# A kept input is at most this long: longer ones say nothing that a short one does not.
longest=8192

# How many inputs make about 15 seconds.
declare -A inputs=([config]=100000 [numbers]=600000 [pages]=30000 [paging]=1000 [records]=60000 [vault]=45000 [wire]=900000)

# LLVM's own pass puts counters into the code; with --target it does so only in what runs, not in what builds.
flags=(-Cpasses=sancov-module -Ccodegen-units=1)
for option in level=4 inline-8bit-counters pc-table trace-compares; do
  flags+=("-Cllvm-args=-sanitizer-coverage-$option")
done
RUSTFLAGS="${flags[*]}" cargo build --locked --release --quiet --manifest-path fuzz/Cargo.toml --target "$host"

if [ $# -gt 0 ]; then targets=("$@"); else mapfile -t targets < <(ls fuzz/corpus); fi
mkdir -p fuzz/target/found
failed=()
for target in "${targets[@]}"; do
  export COUNTERFOIL_FUZZ=$target
  kept=fuzz/corpus/$target
  found=fuzz/target/corpus/$target
  log=fuzz/target/$target.log
  mkdir -p "$found"
  if [ "$seconds" = keep ]; then
    "$fuzzer" -set_cover_merge=1 -max_len=$longest "$kept" "$found" > "$log" 2>&1 || { tail -5 "$log"; exit 1; }
    # What is kept is for the ordinary tests and stays small: beside seeds and findings, the smallest up to 30 kB.
    find "$kept" -type f ! -name 'seed-*' ! -name 'found-*' -printf '%s %p\n' | sort -n |
      awk '(sum += $1) > 30000 { print $2 }' | xargs -r rm
    echo "$target: $(find "$kept" -type f | wc -l) inputs, $(du -sb "$kept" | cut -f1) bytes"
    continue
  fi
  case $seconds in
    0) limit=(-runs=0) ;;
    gate)
      limit=(-runs="${inputs[$target]:?inputs of this target}" -seed=1)
      # From the kept inputs alone: what earlier runs gathered would lead elsewhere.
      found=$(mktemp -d)
      ;;
    *) limit=(-max_total_time="$seconds") ;;
  esac
  begin=$SECONDS
  if "$fuzzer" "${limit[@]}" -max_len=$longest -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="fuzz/target/found/$target-" "$found" "$kept" > "$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    cover=$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -1)
    printf '%-12s %10s inputs in %s s, %s\n' "$target" "$runs" $((SECONDS - begin)) "$cover"
  else
    failed+=("$target")
    grep -E '^(thread|  left|  right)|panicked|ERROR|Test unit written' "$log" | head -20 || true
    echo "replay: COUNTERFOIL_FUZZ=$target $fuzzer fuzz/target/found/$target-…"
  fi
  [ "$seconds" != gate ] || rm -rf "$found"
done
[ ${#failed[@]} = 0 ] || { echo "found something: ${failed[*]}"; exit 1; }
