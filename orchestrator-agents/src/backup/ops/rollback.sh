#!/bin/sh
# Restores a backup: the files, and where the backup holds them the git refs and HEAD.
# Needs sh, tar, what the archive is compressed with, and git where the backup holds refs. Nothing is lost: commits, refs and uncommitted work
# that it replaces stay under refs/before-rollback/. Files that git ignores are left alone, except those in the backup.
#
# Exit codes: 0 restored, 1 failed, 2 wrong usage, 3 refused because newer work would be replaced.
set -eu
LC_ALL=C
export LC_ALL
unset CDPATH GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_NAMESPACE || :

name='@NAME@' # of this backup
compressor=@COMPRESSOR@
with_refs='@WITH_REFS@'
branch=@BRANCH@ # that HEAD named; empty where it was detached
head='@HEAD@'
prefix=@PREFIX@ # of the project in its repository
format='@FORMAT@'
back='@BACK@' # from here to the root of the project
store=@STORE@  # folder of all backups, from that root

usage() {
    printf '%s\n' "usage: sh rollback.sh [--target DIR] [--version TAG] [--dry-run] [--force]" \
        "  --target DIR   where to restore; by default the project that was backed up" \
        "  --version TAG  the committed files of a version that the backup's history has, instead of the backup's own;" \
        "                 the branch goes to that commit, and what git ignores stays as it is. Says how a deployment of" \
        "                 that version was started, where this project had one; starts and stops nothing" \
        "  --dry-run      only say what would change" \
        "  --force        also where uncommitted work is newer than the backup"
    database_usage
}
say() { printf '%s\n' "$*"; }
die() {
    code=$1
    shift
    printf 'rollback: %s\n' "$*" >&2
    exit "$code"
}

@DATABASE_STEPS@

target=
version=
dry=
force=
while [ $# -gt 0 ]; do
    case $1 in
    --target)
        [ $# -gt 1 ] || die 2 "--target needs a folder"
        target=$2
        shift
        ;;
    --target=*) target=${1#--target=} ;;
    --version)
        [ $# -gt 1 ] || die 2 "--version needs a tag"
        version=$2
        shift
        ;;
    --version=*) version=${1#--version=} ;;
    --dry-run) dry=1 ;;
    --force) force=1 ;;
    --files-only) files_only=1 ;;
    --database)
        [ $# -gt 1 ] || die 2 "--database needs a name"
        only="$only $2"
        shift
        ;;
    --database=*) only="$only ${1#--database=}" ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        die 2 "unknown argument: $1"
        ;;
    esac
    shift
done

case $0 in
*/*) here=${0%/*} ;;
*) here=. ;;
esac
here=$(cd "$here" && pwd -P)
elsewhere=$target
[ -n "$target" ] || target=$(cd "$here/$back" && pwd -P)
case $target in /*) ;; *) target=$(pwd -P)/$target ;; esac
archive=$here/@ARCHIVE@
bundle=$here/refs.bundle

command -v "$compressor" >/dev/null 2>&1 || die 1 "needs $compressor, which is not on PATH; nothing was changed"
"$compressor" -t "$archive" >/dev/null 2>&1 || die 1 "$archive is damaged; nothing was changed"
for one in $only; do
    case " $known " in *" $one "*) ;; *) die 2 "the backup holds no database $one; it holds: ${known:-none}" ;; esac
done
[ -n "$version" ] || databases check

# Whether the target holds anything but what backups and runs keep there.
occupied() {
    for path in "$target"/* "$target"/.[!.]* "$target"/..?*; do
        if [ -e "$path" ] || [ -L "$path" ]; then
            case ${path##*/} in
            .git | .orchestrate | "${store%%/*}") ;;
            *) return 0 ;;
            esac
        fi
    done
    return 1
}

# Folders that nobody may write to in the backup have to be opened to be filled again; unpacking closes them.
unlock() { if [ -d "$base/$1" ] && [ ! -L "$base/$1" ]; then chmod u+rwx "$base/$1"; fi; }
open_folders() { # DIR
    command -v chmod >/dev/null 2>&1 || return 0
    base=$1
@LOCKED@
}

# The archive was found to be whole before, so tar misses nothing of it.
plain() { "$compressor" -dc "$archive"; }
unpack() { plain | tar -xpf - -C "$1" || die 1 "the files could not be unpacked into $1"; }

# Git as it is, whatever the user's settings and hooks say.
g() {
    git -c core.hooksPath=/dev/null -c core.autocrlf=false -c core.fsmonitor=false -c core.quotePath=true \
        -c core.safecrlf=false -c gc.auto=0 -c maintenance.auto=false -c commit.gpgSign=false \
        -c advice.addEmbeddedRepo=false "$@"
}
at() { g -C "$target" "$@"; }

# The files of the target, looked at with an index of our own, as if the target were the root of the repository.
looked() {
    GIT_INDEX_FILE=$index GIT_ATTR_SOURCE=$empty g -C "$target" --git-dir="$gitdir" --work-tree="$target" "$@"
}

commit() { # TREE [-p PARENT].. : a commit that only names a tree
    GIT_AUTHOR_NAME=rollback GIT_AUTHOR_EMAIL=rollback@localhost GIT_COMMITTER_NAME=rollback \
        GIT_COMMITTER_EMAIL=rollback@localhost at commit-tree "$@" -m "before the rollback to $name"
}

include() { # PATH : counts an ignored file that the backup holds as work
    if [ -e "$target/$1" ] || [ -L "$target/$1" ]; then
        looked add -A -f -- ":(top,literal)$1"
    fi
}
included() {
    :
@INCLUDED@
}

# Compares the target with the backup, or the version in it. Sets $was, $now (trees), $work (a commit of the present files).
compare() {
    gitdir=$(at rev-parse --absolute-git-dir)
    empty=$(at hash-object -t tree -w --stdin </dev/null)
    stage=$gitdir/rollback-$$
    at worktree add -q --detach --no-checkout "$stage" "$(commit "$empty")"
    trap 'open_folders "$stage" && at worktree remove --force "$stage" || :' 0
    trap 'exit 1' 1 2 15
    if [ -n "$version" ]; then
        head=$(at rev-parse -q --verify "$tagged^{commit}") || die 2 "$version names no commit"
        was=$(at rev-parse -q --verify "$head:$prefix") || die 2 "$version does not have this project"
    else
        unpack "$stage"
        GIT_ATTR_SOURCE=$empty g -C "$stage" add -A -f . || die 1 "git could not read the backup; nothing was changed"
        was=$(g -C "$stage" write-tree)
    fi
    index=$(g -C "$stage" rev-parse --absolute-git-dir)/now
    committed=$(at rev-parse -q --verify "HEAD:$prefix" || printf '%s\n' "$empty")
    looked read-tree "$committed"
    # Git takes it ill to be told to leave out what it ignores anyway.
    apart=':(exclude,top).orchestrate'
    if looked check-ignore -q .orchestrate; then apart=; fi
    looked add -A -- . ${apart:+"$apart"} || die 1 "git could not read $target; nothing was changed"
    [ -n "$version" ] || included
    now=$(looked write-tree)
    work=$(commit "$now" -p "$(commit "$committed")" -p "$(commit "$was")")
    # What differs from the commit and from the backup is work that only this place has.
    newer=$(at diff-tree -c --no-commit-id --name-only -r "$work")
}

# Finds the commit of $version in the backup's history. Sets $version (the tag), $tagged (the tag's object).
find_version() {
    [ -n "$with_refs" ] || die 2 "this backup holds no history, so no version of it either"
    known=
    tagged=
    heads=$(g bundle list-heads "$bundle") || die 1 "$bundle is damaged; nothing was changed"
    while read -r object ref; do
        case $ref in
        "refs/tags/$version") tagged=$object ;;
        "refs/tags/v$version") other=$object ;;
        refs/tags/*) known="$known ${ref#refs/tags/}" ;;
        esac
    done <<LIST
$heads
LIST
    if [ -z "$tagged" ] && [ -n "${other:-}" ]; then
        tagged=$other
        version=v$version
    fi
    [ -n "$tagged" ] || die 2 "this backup has no version $version; it has:${known:- none}"
}

# The refs that a version sets: all of the backup in a new repository, else its branch and its tag.
version_refs() {
    printf '%s\n' "$refs" | while read -r object ref; do
        case $ref in
        "refs/heads/$branch") ;;
        "refs/tags/$version") say "$object $ref" ;;
        *) [ -z "$fresh" ] || say "$object $ref" ;;
        esac
    done
    [ -z "$branch" ] || say "$head refs/heads/$branch"
}

# Says how releases of the version were started, as the project's state folder has it.
deployments() {
    for release in "$here/$back"/.orchestrate/deploy/*/releases/"${version#v}"-*/release.json; do
        [ -f "$release" ] || continue
        binary=
        words=
        inside=
        while IFS= read -r line; do
            case $line in
            '  "binary": "'*)
                binary=${line#'  "binary": "'}
                binary=${binary%'",'}
                ;;
            '  "argv": [') inside=1 ;;
            '  ]'*) inside= ;;
            *) [ -z "$inside" ] || words="$words ${line#    }" ;;
            esac
        done <"$release"
        folder=${release%/release.json}
        place=${folder%/releases/*}
        say "deployed once to ${place##*/}: $folder/$binary" "  started as:${words:- {binary\}}"
    done
}

# Makes those of $changes that keep what was there, or those that move refs.
change_refs() { # keep|move
    printf '%s\n' "$changes" | while read -r line; do
        case $line in
        "create refs/before-rollback/"*) [ "$1" != keep ] || say "$line" ;;
        ?*) [ "$1" != move ] || say "$line" ;;
        esac
    done | at update-ref -m "rollback to $name" --stdin
}

# Prints the changes of refs as `git update-ref --stdin` reads them.
ref_changes() {
    n=1
    while [ -n "$(at for-each-ref --count=1 "refs/before-rollback/$n/")" ]; do n=$((n + 1)); done
    present=$(at rev-parse -q --verify HEAD || :)
    if [ -n "$present" ] && [ "$present" != "$head" ]; then
        say "create refs/before-rollback/$n/HEAD $present"
    fi
    if [ "$now" != "$committed" ] && [ "$now" != "$was" ]; then
        say "create refs/before-rollback/$n/files $(commit "$now" ${present:+-p "$present"})"
    fi
    current=$(at symbolic-ref -q HEAD || :)
    elsewhere="$(at worktree list --porcelain)
"
    printf '%s\n' "$refs" | while read -r object ref; do
        case $ref in refs/*) ;; *) continue ;; esac
        if at symbolic-ref -q "$ref" >/dev/null; then continue; fi
        old=$(at rev-parse -q --verify "$ref" || :)
        case $elsewhere in
        *"branch $ref
"*)
            if [ "$ref" != "$current" ]; then
                [ "$old" = "$object" ] || say "left alone: $ref is checked out in another worktree" >&2
                continue
            fi
            ;;
        esac
        if [ -z "$old" ]; then
            say "create $ref $object"
        elif [ "$old" != "$object" ]; then
            say "create refs/before-rollback/$n/${ref#refs/} $old"
            say "update $ref $object $old"
        fi
    done
}

restore_with_refs() {
    fresh=
    if [ -d "$target" ] && [ "$(at rev-parse --show-prefix 2>/dev/null || printf none)" = "$prefix" ]; then
        :
    elif [ -n "$dry" ]; then
        say "would make a repository in $target and restore ${version:-backup $name} into it"
        return
    else
        if occupied && [ -z "$force" ]; then
            die 3 "$target holds files and is not the repository that was backed up; use --force to replace them"
        fi
        git init -q --object-format="$format" "$target"
        fresh=1
    fi
    at bundle verify -q "$bundle" || die 1 "$bundle is damaged; nothing was changed"
    refs=$(at bundle unbundle "$bundle")
    compare
    if [ -n "$version" ]; then refs=$(version_refs); fi
    if [ -n "$newer" ]; then
        [ -n "$force" ] || printf '%s\n' "uncommitted work that is not in the backup:" "$newer" >&2
        [ -n "$force$dry" ] || die 3 "refused; commit it, or use --force (it then stays under refs/before-rollback/)"
    fi
    changes=$(ref_changes)
    if [ -n "$dry" ]; then
        say "would change refs:"
        say "$changes"
        say "would change files:"
        at diff-tree --name-status -r "$now" "$was"
        return
    fi
    # What would be lost is kept first; refs move last, so that one that was cut short can be run again.
    change_refs keep
    [ -n "$version" ] || databases keep
    open_folders "$target"
    # Removes what is not in the backup; the archive then gives every byte and mode.
    looked read-tree --reset -u "$now" "$was"
    [ -n "$version" ] || unpack "$target"
    change_refs move
    if [ -n "$branch" ]; then
        at symbolic-ref -m "rollback to $name" HEAD "refs/heads/$branch"
    else
        at update-ref -m "rollback to $name" --no-deref HEAD "$head"
    fi
    if [ -n "$head" ]; then at reset -q; else at read-tree --empty; fi
}

restore_files() {
    if [ -n "$dry" ]; then
        say "would unpack these files into $target:"
        plain | tar -tf -
        return
    fi
    if occupied && [ -z "$force" ]; then
        die 3 "$target holds files, and without git nobody can tell whether they are newer; use --force"
    fi
    [ -d "$target" ] || mkdir -p "$target"
    [ -n "$version" ] || databases keep
    open_folders "$target"
    unpack "$target"
}

if [ -n "$version" ]; then find_version; fi
if [ -n "$only" ]; then
    [ -n "$dry" ] || databases keep
elif [ -n "$with_refs" ]; then restore_with_refs; else restore_files; fi
if [ -n "$version" ]; then
    deployments
elif [ -z "$dry" ]; then databases restore; fi
[ -n "$dry" ] || say "restored ${version:+$version of }backup $name into $target"
