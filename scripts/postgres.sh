#!/usr/bin/env bash
# A PostgreSQL for tests: a cluster of its own in a temporary folder, on a free port of the loopback, without fsync.
#   postgres.sh start [PID]    starts one and prints its URL; with PID, later starts clear it away once that process is gone
#   postgres.sh stop [URL]     ends that one and removes it; without URL, all of this user's
# The certificate authority of its TLS certificate is `ca.pem` in its data folder.
set -euo pipefail

cd "$(dirname "$0")/.."
prefix="${TMPDIR:-/tmp}/tollgate-postgres.$(id -u)"
tries=5

# The newest that is installed, or whatever is in the path.
programs() {
    local found
    found="$(find /usr/lib/postgresql/*/bin -name pg_ctl 2>/dev/null | sort -V | tail -n 1 || true)"
    [ -n "$found" ] || found="$(command -v pg_ctl || true)"
    [ -z "$found" ] || dirname "$found"
}

# PostgreSQL refuses to be run by root.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && exec runuser -u postgres -- "$@")
    else
        (cd / && exec "$@")
    fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

remove() {
    local folder="$1"
    if [ -e "$folder/data/postmaster.pid" ]; then
        as_postgres "$(programs)/pg_ctl" stop --silent --mode=immediate --pgdata="$folder/data" >/dev/null 2>&1 || true
    fi
    rm -rf "$folder"
}

# Those whose runs were aborted.
remove_orphans() {
    local folder owner
    for folder in "$prefix".*; do
        [ -e "$folder/owner" ] || continue
        owner="$(cat "$folder/owner")"
        if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
            remove "$folder"
        fi
    done
}

# An authority, and a certificate of it for `localhost`; not for 127.0.0.1, so that names can be told to be wrong.
make_certificates() {
    local data="$1"
    as_postgres openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=test authority" \
        -keyout "$data/ca.key" -out "$data/ca.pem" 2>/dev/null
    as_postgres openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=test" \
        -CA "$data/ca.pem" -CAkey "$data/ca.key" -addext "subjectAltName=DNS:localhost" \
        -addext "basicConstraints=critical,CA:FALSE" -keyout "$data/server.key" -out "$data/server.crt" 2>/dev/null
}

make_cluster() {
    local folder="$1" password="$2"
    [ "$(id -u)" -ne 0 ] || chown postgres "$folder"
    (umask 077 && echo "$password" | as_postgres tee "$folder/password" >/dev/null)
    as_postgres "$(programs)/initdb" --pgdata="$folder/data" --username=tollgate --auth=scram-sha-256 \
        --pwfile="$folder/password" --encoding=UTF8 --locale=C --no-sync >/dev/null
    make_certificates "$folder/data"
    as_postgres tee -a "$folder/data/postgresql.conf" >/dev/null <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
ssl = on
max_connections = 300
shared_buffers = 64MB
fsync = off
synchronous_commit = off
full_page_writes = off
END
}

# Another process may take the port between the look and the start.
launch() {
    local folder="$1" port
    for _ in $(seq "$tries"); do
        port="$(free_port)"
        if as_postgres "$(programs)/pg_ctl" start --silent --wait --pgdata="$folder/data" --log="$folder/log" \
            --options="-p $port" >/dev/null 2>&1; then
            echo "$port" >"$folder/port"
            return
        fi
    done
    cat "$folder/log" >&2
    return 1
}

start() {
    local folder password
    if [ -z "$(programs)" ]; then
        scripts/system.sh postgres >&2
    fi
    remove_orphans
    folder="$(mktemp -d "$prefix.XXXXXX")"
    # shellcheck disable=SC2064  # the folder as it is now
    trap "remove '$folder'" EXIT
    trap 'exit 1' INT TERM HUP
    echo "${1:-}" >"$folder/owner"
    password="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
    make_cluster "$folder" "$password"
    launch "$folder"
    trap - EXIT
    echo "postgres://tollgate:$password@127.0.0.1:$(cat "$folder/port")/postgres"
}

stop() {
    local folder port="${1:-}"
    port="${port##*:}"
    port="${port%%/*}"
    for folder in "$prefix".*; do
        [ -d "$folder" ] || continue
        if [ -z "$port" ] || [ "$(cat "$folder/port" 2>/dev/null)" = "$port" ]; then
            remove "$folder"
        fi
    done
}

case "${1:-}" in
start) start "${2:-}" ;;
stop) stop "${2:-}" ;;
*)
    echo "usage: postgres.sh start [PID] | stop [URL]" >&2
    exit 2
    ;;
esac
