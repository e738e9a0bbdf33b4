#!/usr/bin/env bash
# Sees to what is needed from the system: for building, a C compiler and CMake (zlib is compiled in); with the argument
# `python`, Python's venv too. Root gets what is missing installed; anybody else is told what to install.
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
[ "${#packages[@]}" -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing: ${packages[*]} (on Debian: sudo apt-get install ${packages[*]})" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
