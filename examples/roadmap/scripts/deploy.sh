#!/bin/sh
# Releases `dist` to an environment: a folder for each version, and `current`, a link to the one that is live.
#   scripts/deploy.sh ENVIRONMENT [VERSION]       release
#   scripts/deploy.sh --rollback ENVIRONMENT      the version before
# ENVIRONMENT is staging, production or canary; with COLOUR, production is that side of it.
set -eu

root=${DEPLOY_ROOT:-build/deploy}
usage() { echo "usage: $0 [--rollback] ENVIRONMENT [VERSION]" >&2; exit 2; }

rollback=no
if [ "${1:-}" = --rollback ]; then rollback=yes; shift; fi
environment=${1:-}
case "$environment" in
    staging | canary) ;;
    production) [ -z "${COLOUR:-}" ] || environment=production-$COLOUR ;;
    *) usage ;;
esac
target=$root/$environment

if [ "$rollback" = yes ]; then
    [ -L "$target/previous" ] || { echo "there is no version before in $target" >&2; exit 1; }
    ln -sfn "$(readlink "$target/previous")" "$target/current"
    echo "$environment is back at $(basename "$(readlink "$target/current")")"
    exit 0
fi

version=${2:-$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)}
[ -d dist ] || { echo "there is no dist: run npm run build first" >&2; exit 1; }
mkdir -p "$target/releases/$version"
cp -R dist package.json "$target/releases/$version/"
[ ! -L "$target/current" ] || ln -sfn "$(readlink "$target/current")" "$target/previous"
ln -sfn "releases/$version" "$target/current"
echo "$environment is at $version"
