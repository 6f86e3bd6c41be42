# Databases. SQLite by sqlite3; a server by its own client, which is told by its own variables where it is and as whom.
only=
files_only=
need_tool() { command -v "$1" >/dev/null 2>&1 || die 1 "database $2 needs $1, which is not on PATH; nothing was changed"; }
chosen() { # NAME : whether a database is to be restored
    [ -z "$files_only" ] || return 1
    case " $only " in "  " | *" $1 "*) return 0 ;; esac
    return 1
}
on_server() { # NAME : the same for one on a server; another folder alone does not mean it
    chosen "$1" || return 1
    [ -z "$elsewhere" ] || [ -n "$only" ] || return 1
}
sound() { gzip -t "$1" || die 1 "$1 is damaged; nothing was changed"; }
replaces() { # WHAT : stops before anything is replaced that nobody allowed to
    if [ -z "$force$dry" ]; then
        die 3 "$1 would be replaced; use --force (what is there is kept), or --files-only"
    fi
}
kept() { # NAME ENDING : a free name for what is replaced
    n=1
    while [ -e "$here/databases/$1.before-rollback-$n.$2" ]; do n=$((n + 1)); done
    printf '%s\n' "$1.before-rollback-$n.$2"
}

lite() { sqlite3 -batch -bail -init /dev/null -cmd '.timeout 30000' "$@"; }
# Removes a file of ours, also where there is no rm.
discard() {
    rm -f "$target/$1" 2>/dev/null || tar -cf /dev/null --remove-files -C "$target" "$1" 2>/dev/null || : >"$target/$1"
}
sqlite() { # STEP NAME FILE FOLDER MEMBER SHA3 UMASK
    chosen "$2" || return 0
    db=$target/$3
    case $1 in
    check)
        need_tool sqlite3 "$2"
        sound "$here/databases/$2.tar.gz"
        if [ -e "$db" ] && [ "$(lite "$db" '.sha3sum --schema')" != "$6" ]; then
            replaces "database $2 ($3), which has changed since,"
            [ -z "$dry" ] || say "would replace database $2 ($3)"
        elif [ ! -e "$db" ] && [ -n "$dry" ]; then
            say "would make database $2 ($3)"
        fi
        ;;
    keep)
        if [ -e "$db" ] && [ "$(lite "$db" '.sha3sum --schema')" != "$6" ]; then
            copy=$(kept "$2" db)
            (umask 077 && cd "$here/databases" && lite "$db" ".backup main $copy")
            say "database $2 as it was is kept as $here/databases/$copy"
        fi
        # The log of what was written last must not be taken for one of the file that takes its place.
        [ -e "$db" ] || return 0
        case $(lite "$db" 'PRAGMA wal_checkpoint(TRUNCATE)') in
        0*) ;;
        *) die 1 "database $2 ($3) is in use: stop what uses it and run this again; nothing was changed" ;;
        esac
        ;;
    restore)
        if [ -e "$db" ] && [ "$(lite "$db" '.sha3sum --schema' || :)" = "$6" ]; then return; fi
        [ -d "$target" ] || mkdir -p "$target"
        tar -xzf "$here/databases/$2.tar.gz" -C "$target" || die 1 "database $2 could not be unpacked"
        (umask "$7" && cd "$target/$4" && lite "$db" ".restore main .$2.from-backup") || {
            discard "$5"
            die 1 "database $2 could not be restored; it is as it was"
        }
        discard "$5"
        say "restored database $2 ($3)"
        ;;
    esac
}

query() { psql --no-psqlrc --quiet --no-align --tuples-only --no-password --set=ON_ERROR_STOP=1; }
postgres() { # STEP NAME DATABASE NEW HOST PORT USER CREATE SWAP
    on_server "$2" || return 0
    case $1 in
    check)
        need_tool psql "$2"
        sound "$here/databases/$2.sql.gz"
        replaces "database $2 ($3) on a server"
        [ -z "$dry" ] || say "would replace database $2 ($3) on a server, and keep the old one under another name"
        ;;
    restore)
        (
            : "${PGHOST:=$5}" "${PGPORT:=$6}" "${PGUSER:=$7}"
            PGDATABASE=postgres
            export PGHOST PGPORT PGUSER PGDATABASE
            [ -n "$PGUSER" ] || unset PGUSER
            printf '%s\n' "$8" | query || die 1 "database $2 could not be made beside the one that is there"
            gzip -dc "$here/databases/$2.sql.gz" | PGDATABASE=$4 query >/dev/null ||
                die 1 "database $2 could not be restored; it is as it was"
            old=$(printf '%s\n' "$9" | query) || die 1 "database $2 could not be swapped; it is as it was"
            say "restored database $2 ($3)${old:+; the old one is $old}"
        ) || exit $?
        ;;
    esac
}

client() { "$mysql" ${MYSQL_DEFAULTS_FILE:+"--defaults-extra-file=$MYSQL_DEFAULTS_FILE"} ${user:+"--user=$user"} ${socket:+"--socket=$socket"} ${host:+"--host=$host"} ${port:+"--port=$port"} --default-character-set=utf8mb4 "$@"; }
mysql_() { # STEP NAME DATABASE HOST PORT SOCKET USER COUNT CREATE
    on_server "$2" || return 0
    mysql=mariadb dumper=mariadb-dump
    command -v mariadb >/dev/null 2>&1 || mysql=mysql dumper=mysqldump
    case $1 in
    check)
        need_tool "$mysql" "$2"
        need_tool "$dumper" "$2"
        sound "$here/databases/$2.sql.gz"
        replaces "database $2 ($3) on a server"
        [ -z "$dry" ] || say "would dump database $2 ($3) on a server, then replace it"
        ;;
    restore)
        host=${MYSQL_HOST-$4} port=${MYSQL_TCP_PORT-$5} socket=${MYSQL_UNIX_PORT-$6} user=${MYSQL_USER-$7}
        there=$(printf '%s\n' "$8" | client --batch --skip-column-names) || die 1 "database $2 could not be reached"
        if [ "$there" != 0 ]; then
            copy=$(kept "$2" sql.gz)
            tool=$mysql mysql=$dumper
            failed=$({ { client --single-transaction --routines --triggers --events --no-tablespaces --hex-blob -- "$3" ||
                say failed >&3; } | (umask 077 && gzip -c >"$here/databases/$copy"); } 3>&1)
            [ -z "$failed" ] || die 1 "database $2 could not be dumped before; it is as it was"
            mysql=$tool
            say "database $2 as it was is kept as $here/databases/$copy"
        fi
        # There is no transaction for this: where it is cut short, run it again.
        printf '%s\n' "$9" | client || die 1 "database $2 could not be made anew"
        gzip -dc "$here/databases/$2.sql.gz" | client "--database=$3" ||
            die 1 "database $2 is only partly restored: mend what is said above and run this again"
        say "restored database $2 ($3)"
        ;;
    esac
}
