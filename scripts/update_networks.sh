#!/usr/bin/env bash
# Writes the tables of networks in docs/networks.md anew, as `senet models --format markdown` prints it.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --quiet
table=$(mktemp)
trap 'rm -f "$table"' EXIT
target/release/senet models --format markdown >"$table"
sed --in-place --expression "/^<!-- senet models /,/^<!-- end -->/ {
    /^<!-- senet models /r $table
    /^<!--/!d
}" docs/networks.md
