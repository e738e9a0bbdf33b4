#!/usr/bin/env bash
# Fails when a crate knows what it must not know; docs/architecture.md says who may know whom.
set -euo pipefail

cd "$(dirname "$0")/.."
failed=0

# must_not CRATE PATTERN: no package in CRATE's normal dependency tree has a name that matches PATTERN.
must_not() {
    local found
    found="$(cargo tree --locked -e normal -p "$1" --prefix none --format '{p}' 2>/dev/null |
        awk '{ print $1 }' | sort -u | grep -Ex "$2" | tr '\n' ' ' || true)"
    if [ -n "$found" ]; then
        echo "$1 must not know: $found" >&2
        failed=1
    fi
}

io='tokio|pingora.*|axum|hyper|reqwest|rusqlite|tokio-postgres'
must_not policy "$io|providers|engine|gateway|loadtest"
must_not providers "$io|engine|gateway|loadtest"
must_not engine "$io|http|gateway|loadtest"
must_not gateway "axum|loadtest"
must_not loadtest "policy|providers|engine|gateway"

# The trees must be there at all: a misspelt crate would have none, and pass.
for crate in policy providers engine gateway loadtest; do
    cargo tree --locked -e normal -p "$crate" --depth 0 >/dev/null
done
[ "$failed" -eq 0 ] && echo "layering: ok"
exit "$failed"
