#!/usr/bin/env bash
# Measures the gateway beside a bare pass-through; arguments go to the load driver. The report goes to standard output.
set -euo pipefail

cd "$(dirname "$0")/.."
cargo build --locked --release -p gateway -p loadtest --bins
data="$(mktemp -d)"
trap 'rm -rf "$data"' EXIT
bin="${CARGO_TARGET_DIR:-target}/release"
"$bin/load" --tollgate "$bin/tollgate" --config scripts/load-config.json --key sk-bf-load \
    --tollgate-args "serve --config {config} --listen {listen} --data $data" "$@"
