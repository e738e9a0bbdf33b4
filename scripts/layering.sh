#!/usr/bin/env bash
# Fails when a crate knows what it must not know; docs/architecture.md says who may know whom.
set -euo pipefail

cd "$(dirname "$0")/.."
failed=0

# must_not CRATE PATTERN [OPTION…]: no package in CRATE's normal dependency tree has a name that matches PATTERN. The options are
# those of cargo tree.
must_not() {
    local crate="$1" pattern="$2" found
    shift 2
    found="$(cargo tree --locked -e normal -p "$crate" --prefix none --format '{p}' "$@" 2>/dev/null |
        awk '{ print $1 }' | sort -u | grep -Ex "$pattern" | tr '\n' ' ' || true)"
    if [ -n "$found" ]; then
        echo "$crate must not know: $found" >&2
        failed=1
    fi
}

databases='rusqlite|libsqlite3-sys|tokio-postgres.*|postgres.*|deadpool.*'
servers='pingora.*|axum|hyper|reqwest'
network="tokio|$servers"
must_not policy "$network|$databases|providers|store|engine|admin|gateway|loadtest"
must_not providers "$network|$databases|store|engine|admin|gateway|loadtest"
# The client of PostgreSQL needs tokio; what else speaks to others stays out.
must_not store "$servers|http|providers|engine|admin|gateway|loadtest"
must_not engine "$servers|http|admin|gateway|loadtest"
must_not admin "pingora.*|reqwest|gateway|loadtest"
must_not gateway "loadtest"
must_not loadtest "$databases|policy|providers|store|engine|admin|gateway"
# A database comes to these by way of store, and by no other; tokio to engine likewise, and axum to gateway by way of admin.
must_not engine "tokio|$databases" --depth 1
must_not admin "$databases|providers" --depth 1
must_not gateway "$databases|axum" --depth 1

# The trees must be there at all: a misspelt crate would have none, and pass.
for crate in policy providers store engine admin gateway loadtest; do
    cargo tree --locked -e normal -p "$crate" --depth 0 >/dev/null
done

# What the image is built of is listed; a crate that is not would be missed only there.
for part in policy providers store engine admin gateway loadtest migrations conf; do
    if ! grep -qx "!$part" .dockerignore; then
        echo ".dockerignore keeps $part out of the image's build" >&2
        failed=1
    fi
done
[ "$failed" -eq 0 ] && echo "layering: ok"
exit "$failed"
