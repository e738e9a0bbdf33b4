#!/usr/bin/env bash
# Sees to what is needed from the system: for building, a C compiler and CMake (zlib is compiled in); with the argument
# `python`, Python's venv too; with `postgres`, the programs of PostgreSQL. Root gets what is missing installed; anybody
# else is told what to install.
set -euo pipefail

if ! command -v cargo >/dev/null; then
    echo "cargo is missing; install a Rust toolchain: https://rustup.rs" >&2
    exit 1
fi

packages=()
command -v cc >/dev/null || packages+=(build-essential)
command -v cmake >/dev/null || packages+=(cmake)
if [ "${1:-}" = python ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    packages+=(python3 python3-venv)
fi
if [ "${1:-}" = postgres ] && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    packages+=(postgresql openssl)
fi
[ "${#packages[@]}" -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing: ${packages[*]} (on Debian: sudo apt-get install ${packages[*]})" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# Debian makes and starts a cluster when PostgreSQL is installed, unless told otherwise; tests make their own.
if [[ " ${packages[*]} " == *" postgresql "* ]]; then
    mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/tollgate.conf
fi
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
