#!/bin/sh
# Where the proxy sends traffic; it reads these files.
#   scripts/traffic.sh idle              prints the colour without traffic
#   scripts/traffic.sh switch COLOUR     sends traffic to a colour
#   scripts/traffic.sh share PERCENT     sends a share to the canary
set -eu

root=${DEPLOY_ROOT:-build/deploy}
mkdir -p "$root"
case "${1:-}" in
    idle) if [ "$(cat "$root/colour" 2> /dev/null)" = blue ]; then echo green; else echo blue; fi ;;
    switch) echo "${2:?a colour}" > "$root/colour" ;;
    share) echo "${2:?a share in percent}" > "$root/canary" ;;
    *)
        sed -n 's/^#   /usage: /p' "$0" >&2
        exit 2
        ;;
esac
