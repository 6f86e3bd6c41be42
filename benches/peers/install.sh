#!/usr/bin/env bash
# Puts the tools that `benches/peers` compares with into one folder, and nothing anywhere else:
#
#   benches/peers/install.sh DIR && PEERS=DIR cargo bench -p orchestrator-cli --bench peers
#
# The only part of the bench that needs the network. Wants npm, python3 with venv, cargo; on Debian also apt-get, for GNU
# make where there is none. A tool that cannot be had is named and passed over: the bench lists it as not installed.
set -uo pipefail
[ $# -eq 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$1" && dir=$(cd "$1" && pwd) || exit 2
missing=()

# Runs what follows a name, quietly; remembers the name where it fails.
step() {
    local name=$1
    shift
    if "$@" >"$dir/$name.log" 2>&1; then
        printf 'ok      %s\n' "$name"
    else
        printf 'FAILED  %s: %s\n' "$name" "$(grep -iE 'error|not found|denied' "$dir/$name.log" | tail -n 1)"
        missing+=("$name")
    fi
}

from_npm() { npm install --prefix "$dir/npm" --no-fund --no-audit "$@"; }
from_pip() { "$dir/py/bin/pip" install --disable-pip-version-check "$@"; }

make_there() {
    command -v make && return
    local work
    work=$(mktemp -d) && (cd "$work" && apt-get download make && dpkg -x make_*.deb "$dir/apt")
}

just_there() {
    [ -x "$dir/cargo/bin/just" ] && return
    CARGO_TARGET_DIR="$dir/build" cargo install just --locked --root "$dir/cargo"
    local code=$?
    rm -rf "$dir/build"
    return $code
}

# Its package on npm fetches the program from elsewhere; the wheel holds it.
task_there() { from_pip go-task-bin || from_npm @go-task/cli; }

# Bazelisk fetches bazel from elsewhere, and newer versions fetch modules at run time. This is the last whole one on npm.
bazel_there() {
    npm install --prefix "$dir/bazel" --no-fund --no-audit --ignore-scripts @bazel/bazel@2.1.0 || return
    local program
    program=$(find "$dir/bazel/node_modules/@bazel" -name 'bazel-*-x86_64' -type f | head -n 1)
    [ -n "$program" ] && chmod +x "$program" && mkdir -p "$dir/bazel/bin" && ln -sf "$program" "$dir/bazel/bin/bazel"
}

step make make_there
[ -x "$dir/py/bin/pip" ] || step python python3 -m venv "$dir/py"
step ninja sh -c "command -v ninja || '$dir/py/bin/pip' install ninja"
step doit from_pip doit
step snakemake from_pip snakemake
step go-task task_there
step turbo from_npm turbo
step bun from_npm bun
step nx from_npm nx
step moon from_npm @moonrepo/cli
step bazel bazel_there
step just just_there
printf '\nPEERS=%s cargo bench -p orchestrator-cli --bench peers\n' "$dir"
[ ${#missing[@]} -eq 0 ] || { printf 'not installed: %s\n' "${missing[*]}"; exit 1; }
