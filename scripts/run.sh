#!/usr/bin/env bash
# Runs the gateway that is already built. A vendor without a key in the environment is played by the fake provider.
#   LISTEN  where the gateway listens (127.0.0.1:8080)
#   CONFIG  its configuration (conf/quickstart.json)
#   DATA    its data folder (./data)
set -euo pipefail

cd "$(dirname "$0")/.."
bin="${CARGO_TARGET_DIR:-target}/debug"
fake_pid=""
gateway_pid=""

# shellcheck disable=SC2329  # the trap calls it
# Both end with this script, the gateway first: it may still be serving from the fake provider.
stop() {
    trap '' INT TERM
    if [ -n "$gateway_pid" ]; then
        kill -TERM "$gateway_pid" 2>/dev/null || true
        wait "$gateway_pid" || true
    fi
    [ -z "$fake_pid" ] || kill "$fake_pid" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 0' INT TERM

# The fake provider says on its first line where it listens.
start_fake() {
    [ -n "$fake_pid" ] && return
    exec {fake_out}< <(exec "$bin/fake-provider" --listen 127.0.0.1:0)
    fake_pid=$!
    local line
    if ! read -r -t 10 line <&"$fake_out"; then
        echo "the fake provider did not start" >&2
        exit 1
    fi
    fake_url="${line#listening on }"
}

# A vendor with a key is used, at its own address unless another one is given. A vendor without a key is played, unless an
# address is given: then it is somebody who takes any key.
vendor() {
    local name="$1" key="$2_API_KEY" url="$2_BASE_URL" own="$3"
    if [ -n "${!key:-}" ]; then
        export "$url=${!url:-$own}"
        echo "$name: ${!url}" >&2
    elif [ -n "${!url:-}" ]; then
        export "$key=sk-fake-$name"
        echo "$name: $key is not set; ${!url} gets a made-up one" >&2
    else
        start_fake
        export "$key=sk-fake-$name" "$url=$fake_url"
        echo "$name: $key is not set; fake provider at ${!url}" >&2
    fi
}

vendor openai OPENAI https://api.openai.com
vendor anthropic ANTHROPIC https://api.anthropic.com
vendor gemini GEMINI https://generativelanguage.googleapis.com

"$bin/tollgate" serve --config "${CONFIG:-conf/quickstart.json}" --data "${DATA:-./data}" \
    --listen "${LISTEN:-127.0.0.1:8080}" &
gateway_pid=$!
status=0
wait "$gateway_pid" || status=$?
gateway_pid=""
exit "$status"
