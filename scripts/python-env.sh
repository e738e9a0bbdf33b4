#!/usr/bin/env bash
# Makes a Python environment under .venv/ from its lock file, or does nothing if it is already that.
#   python-env.sh lint|sdk-newest|sdk-previous|api    python-env.sh lock
set -euo pipefail

cd "$(dirname "$0")/.."
uv=.venv/uv/bin/uv
export UV_PYTHON_DOWNLOADS=never

lock_file() {
    case "$1" in
    lint) echo scripts/requirements-lint ;;
    api) echo api-tests/requirements ;;
    sdk-newest | sdk-previous) echo "sdk-tests/requirements-${1#sdk-}" ;;
    *) echo "unknown environment: $1" >&2 && return 1 ;;
    esac
}

# Whether the environment was made from exactly this lock file.
is_current() {
    cmp -s "$2" "$1/made-from.txt"
}

make_uv() {
    is_current .venv/uv scripts/requirements-uv.txt && return
    rm -rf .venv/uv
    python3 -m venv .venv/uv
    .venv/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r scripts/requirements-uv.txt
    cp scripts/requirements-uv.txt .venv/uv/made-from.txt
}

make_env() {
    local env=".venv/$1" lock
    lock="$(lock_file "$1").txt"
    is_current "$env" "$lock" && return
    make_uv
    rm -rf "$env"
    "$uv" venv --quiet --python "$(command -v python3)" "$env"
    "$uv" pip sync --quiet --python "$env/bin/python" --require-hashes "$lock"
    cp "$lock" "$env/made-from.txt"
}

# Lock files name no index, so that any mirror serves.
lock() {
    make_uv
    local base
    for name in lint sdk-newest sdk-previous api; do
        base="$(lock_file "$name")"
        "$uv" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
            --no-header --output-file "$base.txt" "$base.in"
    done
}

if [ "$1" = lock ]; then lock; else make_env "$1"; fi
