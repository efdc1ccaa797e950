#!/bin/bash
# Mutation testing: changes the program in one place after another and sees whether a test notices.
#   .ci/mutants.sh               every part below, one after the other: many hours
#   .ci/mutants.sh vault wire…   these parts
# As a room uses only rooms below it, each part is compiled with those alone: seconds a change instead of minutes. Its unit
# tests are tried first, and on what they miss those integration tests that need no more rooms; UNIT_ONLY=1 leaves the
# second out, and AGAIN=1 tries only what earlier runs missed. Results lie in .ci/cache/mutants/PART; docs/mutants.md explains what is missed. One job at the lowest priority.
set -eu -o pipefail

cd "$(dirname "$(realpath "$0")")/.."
version=27.1.0
tool=.ci/cache/mutants/bin/cargo-mutants
"$tool" mutants --version 2>/dev/null | grep -qF " $version" ||
  cargo install --locked --quiet --root .ci/cache/mutants --target-dir .ci/cache/mutants/build cargo-mutants --version $version

# part | files | rooms beside the ground | modules of tests/all | names of tests
parts='
wire       | src/egress/wire/*.rs src/egress/gate.rs                       | egress                                      | egress/gate         | egress:: gate::
vault      | src/vault/*.rs                                                | vault                                       | vault skip          | vault::
projection | src/stream/{convert,walk,record,seeds,lookup,page,project}.rs | stream providers                            | stream              | stream::
declare    | src/stream/{declare,tree,class}.rs                            | stream providers                            | stream              | stream::
egress     | src/egress/*.rs                                               | egress sandbox http vault                   | egress              | egress::
plan       | src/sync/{plan,span}.rs                                       | stream providers store vault http sync      |                     | sync::
store      | src/store/*.rs                                                | stream providers store vault http sync egress config agent service sandbox cli | store skip | store::
sync       | src/sync/*.rs                                                 | stream providers store vault http sync egress config agent service sandbox cli | sync changes | sync:: changes::
'
ground='clock dbfile entropy paths problem testpoint'

# The changes are made in a copy of what is in the index, which keeps what it has compiled.
tree=.ci/cache/mutants/tree
mkdir -p "$tree"
export CARGO_PROFILE_DEV_DEBUG=0 RUST_BACKTRACE=0
# Stores and vaults of the tests lie in memory where there is such a place: they are synced all the time.
[ ! -d /dev/shm ] || export TMPDIR=/dev/shm

# run PART TESTS ARGUMENT...: one pass of a part with the tests of these names.
run() {
  local part=$1 tests=$2
  shift 2
  # It ends with 2 or 3 when something is missed or hangs: that is what the results are for.
  # shellcheck disable=SC2086
  nice -n 19 "$tool" mutants --dir "$tree" --in-place --output "$PWD/.ci/cache/mutants/$part" "$@" --cargo-arg=--lib \
    --timeout 60 --build-timeout 900 --no-shuffle --colors=never -- -- $tests || [ $? -le 3 ]
}

for part in ${*:-$(cut -d'|' -f1 <<<"$parts")}; do
  IFS='|' read -r _ files rooms modules tests < <(grep -E "^$part +\\|" <<<"$parts") || { echo "no part $part"; exit 2; }
  git checkout-index --all --force --prefix="$tree/"
  printf 'pub mod %s;\n' $ground $rooms > "$tree/src/lib.rs"
  [[ "$rooms" = *cli* ]] || echo 'fn main() {}' > "$tree/src/main.rs"
  grep '^#!\[' tests/all/main.rs > "$tree/tests/all/main.rs"
  for module in $modules; do
    [[ "$module" != */* ]] || echo "#[path = \"$module.rs\"]" >> "$tree/tests/all/main.rs"
    echo "mod ${module##*/};" >> "$tree/tests/all/main.rs"
  done
  named=()
  for file in $(eval echo "$files"); do named+=(--file "$file"); done
  echo "=== $part"
  mkdir -p ".ci/cache/mutants/$part"
  run "$part" "$tests" "${named[@]}" ${AGAIN:+--iterate}
  [ "${UNIT_ONLY:-}" ] || [ -z "${modules// /}" ] || run "$part" "$tests" "${named[@]}" --iterate --cargo-arg=--test=all
done
