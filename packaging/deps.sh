#!/bin/sh
# deps.sh - the one list of Debian packages, and how they get installed.
#
#   packaging/deps.sh build   what quickstart.sh needs: compile and run
#   packaging/deps.sh test    the same and what tests/run.sh needs
#   packaging/deps.sh list    print the list with the reasons
#
# Quiet and idempotent: does nothing when everything is there. Calls apt-get
# by sudo when the caller is not root.
set -eu

# set | package | why
packages() {
    cat <<'LIST'
build|gcc|compiler of the dev and release builds
build|libc6-dev|C library headers
build|cmake|build description (3.25 or newer)
build|ninja-build|the builder the presets name
build|pkg-config|finds the libraries below
build|libsodium-dev|all cryptography: Argon2id, XChaCha20-Poly1305, BLAKE2b
build|libsqlite3-dev|the vault file
build|libmicrohttpd-dev|HTTP, in the broker only
build|libjansson-dev|JSON
build|libseccomp-dev|system call filters of the broker's processes
build|libgnutls28-dev|TLS towards a task's clients where the forward proxy ends it, and its certificates; a GitHub App's signature; libmicrohttpd brings it along
build|libinih-dev|settings.ini
build|libcurl4-openssl-dev|calls to services (HTTP/1.1, HTTP/2, TLS); only the broker loads it
build|libpq-dev|roles of PostgreSQL made for tasks, and passwords of those that stay; only the broker loads it
build|zlib1g-dev|answers in gzip and deflate, on their way through the filter
build|libzstd-dev|the same in zstd; its static API, for memory that is wiped; both also for packed transcripts
build|libvectorscan-dev|rules for unknown secrets: compiled by it, and its run time searches streams; loaded only when rules are used
build|libpcre2-dev|what Vectorscan finds is confirmed, and the secret cut out of it; loaded likewise
build|ca-certificates|npm and git over TLS
test|clang|second compiler: ASan, UBSan, TSan and fuzz builds
test|libclang-rt-14-dev|their run-time libraries
test|llvm|symbols in sanitizer reports
test|clang-format|one layout
test|clang-tidy|static checks of STYLE
test|cppcheck|static checks, second opinion
test|pmccabe|complexity limit
test|libcmocka-dev|unit, property and fault tests
test|python3|mock service that the real Codex CLI talks to; openapi check
test|python3-yaml|reads schema/openapi.yaml in its test
test|python3-websockets|both ends of the WebSockets that the proxy passes on
test|openssl|certificates of the service that the upstream tests call; PKCS#8 keys
test|nginx-light|HTTP/2 in front of that service; the other side of the proxy's benchmark
test|npm|installs the real Codex CLI for the end-to-end tests
test|bubblewrap|the other side of the start benchmark
test|strace|counts system calls in the benchmarks and crash tests
test|gdb|tries to attach and to dump: must be refused
test|groff-base|reads the man page
test|git|a real client of the forward proxy
test|postgresql|the real server that roles are made at and their passwords rotate
test|zstd|makes packed transcripts
test|sqlite3|makes and reads databases with transcripts
test|curl|plain HTTP client for the API scenarios
test|jq|reads JSON in the scenarios
test|tmux|the terminal that full-screen programs are compared in
test|vim-tiny|one of them
test|less|another
test|htop|one that draws anew by itself
test|systemd|systemd-analyze verifies the timer and its service; nothing is started, and without systemd-sysv it is not what boots
test|bash-completion|what bash finds completions with, and completes a command behind run by
test|zsh|another shell whose completion is tried
test|fish|a third
test|procps|ps, for the scenarios
test|util-linux|setsid, unshare, script, runuser
test|openssh-client|ssh-keygen reads the key files that placeholders are
test|openssh-server|the sshd at which an SSH key rotates
LIST
}

wanted() {
    case $1 in
    build) packages | grep '^build|' ;;
    test) packages ;;
    *) echo "usage: packaging/deps.sh build|test|list" >&2 && exit 64 ;;
    esac
}

# npm may come from elsewhere (NodeSource); the command is what counts.
has() {
    [ "$1" != npm ] || { command -v npm >/dev/null && return 0; }
    state=$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) || return 1
    [ "$state" = installed ]
}

missing() {
    wanted "$1" | cut -d'|' -f2 | while read -r name; do
        has "$name" || echo "$name"
    done
}

if [ "${1-}" = list ]; then
    packages | awk -F'|' '{ printf "%-6s %-20s %s\n", $1, $2, $3 }'
    exit 0
fi
[ $# -eq 1 ] || { echo "usage: packaging/deps.sh build|test|list" >&2; exit 64; }
todo=$(missing "$1" | tr '\n' ' ')
[ -n "$todo" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: these packages are missing and there is no sudo; as root: apt-get install $todo" >&2
        exit 69
    }
    as_root=sudo
fi
echo "deps: installing $todo" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Dpkg::Use-Pty=0 -o APT::Install-Recommends=false "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        return 1
    }
}
# shellcheck disable=SC2086
apt update && apt install $todo
