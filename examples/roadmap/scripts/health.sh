#!/bin/sh
# Asks an API for its health until it answers: scripts/health.sh URL [ATTEMPTS]
set -eu
url=${1:?usage: scripts/health.sh URL [ATTEMPTS]}
left=${2:-10}
until curl -fsS "$url/health"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo "$url does not answer" >&2; exit 1; }
    sleep 1
done
