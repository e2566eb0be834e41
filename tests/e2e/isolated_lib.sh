# isolated_lib.sh - what is outside of an isolated task, and the tries to reach
# it. Sourced by the scenarios of P7.

MARK=mark$(head -c 12 /dev/urandom | od -An -tx1 | tr -d ' \n')

put() { # FILE: with the mark in it
    mkdir -p "$(dirname "$1")"
    printf '%s\n' "$MARK" >"$1"
    chmod 600 "$1"
}

hidden=(.ssh/id_rsa .gnupg/private-keys-v1.d/k.key .local/share/keyrings/login.keyring
    .mozilla/firefox/x/logins.json .config/google-chrome/Default/Cookies .bash_history .zsh_history
    .aws/credentials .config/gh/hosts.yml .npmrc .docker/config.json .kube/config .netrc .git-credentials
    .codex/auth.json .claude/.credentials.json .gemini/oauth_creds.json .aws/sso/cache/a.json
    .codex/sessions/s.jsonl .claude/projects/p.jsonl .codex/history.jsonl .codex/state_5.sqlite
    .config/auth-guard/settings.ini)
start_up=(.bashrc .profile .config/systemd/user/x.service .config/autostart/x.desktop
    .local/bin/git .config/fish/config.fish .gitconfig .config/environment.d/x.conf)

# Everything that is to stay out of reach, and its description for escapes.py.
outside() {
    local i sockets=$S/outside
    ok git init -q -b main "$TREE"
    ok git config --global user.name t
    ok git config --global user.email t@example.org
    for i in "${hidden[@]}"; do put "$HOME/$i"; done
    printf '# %s\n' "$MARK" >"$HOME/.config/auth-guard/settings.ini"
    put "$S/neighbour.txt"
    TMPFILE=$(mktemp /tmp/age2e.XXXXXX)
    at_end "rm -f '$TMPFILE'"
    printf '%s\n' "$MARK" >"$TMPFILE"
    for i in "${start_up[@]}"; do [ "$i" = .gitconfig ] || put "$HOME/$i"; done
    for i in "${start_up[@]}"; do sha256sum "$HOME/$i"; done >"$C/start_up"
    ln -s "$HOME/.ssh/id_rsa" "$TREE/link-file"
    ln -s "$HOME" "$TREE/link-home"
    ln -s /proc/1/root "$TREE/link-proc"
    mkdir -p "$sockets"
    cat >"$S/victim.py" <<'PY'
import ctypes, os, signal, socket, sys, time
tree, runtime, tmp, abstract, key = sys.argv[1:6]
def got(number, frame):
    open(runtime + "/signalled", "w").close()
signal.signal(signal.SIGUSR2, got)
keep = []
def unix(name, kind=socket.SOCK_STREAM):
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(name)
    if kind == socket.SOCK_STREAM:
        s.listen(64)
    keep.append(s)
unix(runtime + "/bus")
unix(tmp + ".sock")
unix(os.path.dirname(tree) + "/.agent.sock")
unix("\0" + abstract)
unix("\0" + abstract + "-d", socket.SOCK_DGRAM)
tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
libc = ctypes.CDLL(None)
libc.shmget(int(key), 16, 0o1600)
with open(runtime + "/port.new", "w") as f:
    f.write(str(tcp.getsockname()[1]))
os.rename(runtime + "/port.new", runtime + "/port")
end = time.time() + 500
while time.time() < end:
    time.sleep(0.02)
    if os.path.exists(tree + "/now") and not os.path.exists(tree + "/later-is-there"):
        with open(os.environ["LATER"], "w") as f:
            f.write(os.environ["MARK_ENV"])
        open(tree + "/later-is-there", "w").close()
PY
    LATER=$HOME/.pypirc MARK_ENV="$MARK-environ" /usr/bin/python3 "$S/victim.py" "$TREE" "$RUNDIR" "$TMPFILE" \
        "ag-$MARK" $((RANDOM * 32768 + RANDOM + 1)) >"$C/victim" 2>&1 &
    VICTIM=$!
    at_end "kill $VICTIM; rm -f '$TMPFILE.sock'"
    within 20 test -e "$RUNDIR/port" || fail "victim: $(cat "$C/victim")"
    cp "$SRC/tests/e2e/escapes.py" "$TREE/"
    python3 - "$HOME" "$TREE" "$MARK" "$VICTIM" "$RUNDIR" "$TMPFILE" "$S" "$VAULT" "$SOCKETS" "$BIN" "$C/passphrase" \
        "${#hidden[@]}" "${hidden[@]}" "${start_up[@]}" >"$TREE/outside.json" <<'PY'
import json, os, sys
home, tree, mark, victim, run, tmp, s, vault, sockets, bin_, passphrase = sys.argv[1:12]
n = int(sys.argv[12])
hidden, start_up = sys.argv[13:13 + n], sys.argv[13 + n:]
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
    try:
        u.connect(("192.0.2.1", 9)); address = u.getsockname()[0]
    except OSError:
        address = "127.0.0.2"
json.dump({
    "home": home, "tree": tree, "mark": mark, "victim": int(victim), "victim_word": s + "/victim.py",
    "hidden": {"~/" + h: home + "/" + h for h in hidden},
    "outside": {"a file of a neighbour": s + "/neighbour.txt", "the host's /tmp": tmp},
    "start_up": {"~/" + h: home + "/" + h for h in start_up},
    "later": home + "/.pypirc", "usr_file": os.path.realpath("/usr/bin/env"),
    "shm_key": int(open("/proc/%s/cmdline" % victim).read().split("\0")[6]),
    "sockets": {"admin.sock": sockets + "/admin.sock", "fd.sock": sockets + "/fd.sock",
                "the session's bus": run + "/bus", "an agent's socket in /tmp": tmp + ".sock", "an agent's socket in the home": home + "/.agent.sock"},
    "abstract": "ag-" + mark, "port": int(open(run + "/port").read()), "address": address,
    "secret": "web/key", "auth_guard": bin_ + "/auth-guard", "root": os.getuid() == 0,
}, sys.stdout)
PY
}

again() { rm -f "$TREE/now" "$TREE/later-is-there" "$HOME/.pypirc" "$RUNDIR/signalled"; }

# What of it gets through outside of a task: a try that works nowhere proves
# nothing by being refused.
works_outside() { # AT LEAST
    local got
    again
    timeout 200 env -u AUTH_GUARD_PASSPHRASE_FILE /usr/bin/python3 "$TREE/escapes.py" "$TREE/outside.json" \
        --outside >"$C/outside.out" 2>&1
    rm -f "$TREE/stolen"
    got=$(grep -c ^ESCAPED "$C/outside.out")
    [ "$got" -ge "$1" ] || fail "only $got get through outside: $(grep -v ^ESCAPED "$C/outside.out")"
    say "$got of $(grep -c -E '^(ESCAPED|refused|broken)' "$C/outside.out") tried get through outside of a task"
}

nothing_got_out() { # NAME
    local i
    ! grep -E '^(ESCAPED|broken)' "$S/$1.out" || fail "$1: $(grep -E '^(ESCAPED|broken)' "$S/$1.out")"
    grep -q 'ways tried' "$S/$1.out" || fail "$1: did not end: $(tail -n 5 "$S/$1.out" "$C/err")"
    hasnt "$(cat "$S/$1.out")" "$MARK" "what the task printed"
    sha256sum -c --quiet "$C/start_up" >"$C/sum" 2>&1 || fail "$1: a start-up file changed: $(cat "$C/sum")"
    [ ! -e "$RUNDIR/signalled" ] || fail "$1: the neighbour was signalled"
    [ -z "$(ls -A "$TREE/.git/hooks" | grep -v sample)" ] || fail "$1: a hook was written"
    [ ! -e "$TREE/stolen" ] || fail "$1: a hard link was made"
    kill -0 "$VICTIM" || fail "$1: the neighbour is gone"
    say "$1: $(tail -n 1 "$S/$1.out"), none got out"
}

escapes() { # NAME OPTIONS…
    local name=$1
    shift
    again
    run timeout 200 auth-guard run "$@" "${INSIDE[@]}" -- /usr/bin/python3 "$TREE/escapes.py" "$TREE/outside.json"
    # By a PTY lines end in CR LF.
    printf '%s\n' "$OUT" | tr -d '\r' >"$S/$name.out"
    nothing_got_out "$name"
}
