# P3: an SSH key rotates at a real sshd: the new public half is installed and the
# old one taken away by a program on record. The program refuses, fails before or
# after its effect, or the broker is killed, at every act: the current key logs
# in, no line of another is left in authorized_keys.
# long: yes
SSHD=/usr/sbin/sshd
if ! [ -x $SSHD ] || ! command -v ssh-agent >/dev/null; then
    echo 'not run: no openssh-server'
    exit 77
fi
QUICK=$BIN/e2e_quick.so
export LD_PRELOAD=$QUICK
vault
unset LD_PRELOAD
start_broker() {
    within 5 broker_gone || fail "the last broker is still there"
    rm -f "$SOCKETS"/*.sock
    LD_PRELOAD=$QUICK auth-guardd >"$C/broker.out" 2>"$C/broker.err" &
    within 5 test -S "$SOCKETS/admin.sock" || fail "no broker: $(cat "$C/broker.err")"
    ok auth-guard unlock
    broker_pid >"$C/broker.pid"
}
ok auth-guard stop
start_broker

# ---- a server: sshd as this user, on loopback ----
keys=$C/authorized_keys mode=$C/mode calls=$C/calls tried=0
me=$(id -un)
port=$((20000 + RANDOM % 20000))
ssh-keygen -q -t ed25519 -N '' -f "$C/host_key"
cat >"$C/sshd_config" <<END_CONFIG
ListenAddress 127.0.0.1
Port $port
HostKey $C/host_key
AuthorizedKeysFile $keys
PidFile none
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
END_CONFIG
$SSHD -D -e -f "$C/sshd_config" 2>"$C/sshd.log" &
SSHD_PID=$!
at_end "kill $SSHD_PID"
printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 "$C/host_key.pub")" >"$C/known"
login=(ssh -F none -T -o BatchMode=yes -o KexAlgorithms=curve25519-sha256 -o IdentityFile=none -o UserKnownHostsFile="$C/known" -p "$port" "$me@127.0.0.1")
listens() { ssh-keyscan -p "$port" 127.0.0.1 2>/dev/null | grep -q .; }
within 5 listens || fail "sshd does not listen: $(cat "$C/sshd.log")"

# ---- the program, as in README.md, with faults ----
{
    printf '#!/bin/bash\nlogin=(%s) keys=%q mode=%q calls=%q broker=%q\n' \
        "$(printf '%q ' "${login[@]}")" "$keys" "$mode" "$calls" "$C/broker.pid"
    cat <<'END_PROGRAM'
told=$(cat)
printf '%s %s\n' "$1" "$told" >>"$calls"
ls /proc/self/fd >>"$calls.fds"
fault=
[ ! -f "$mode" ] || read -r when what <"$mode"
if [ "$when" = "$1" ]; then
    fault=$what
    rm -f "$mode"
    [ ! -f "$mode.next" ] || mv "$mode.next" "$mode"
fi
end() { # at BEFORE or AFTER the effect
    case $fault in
    "kill_$1") kill -9 "$(cat "$broker")"; sleep 5 ;;
    "exit_$1") exit 3 ;;
    "hang_$1") sleep 60 ;;
    "silent_$1") exit 0 ;;
    "garbage_$1") echo 'not JSON'; exit 0 ;;
    "refused_$1") echo '{"outcome":"refused","code":"said_no"}'; exit 0 ;;
    esac
}
key() { jq -r ".$1 // empty" <<<"$told"; }
blob() { key "$1" | cut -d' ' -f2; }
# Logs in with the private key on descriptor $1; runs what is on standard input.
remote() { ssh-agent sh -c 'ssh-add -q - <&'"$1"' && shift && exec "$@"' sh 0 "${login[@]}" sh; }
drop() { echo "grep -vF '$(blob "$1")' $keys >$keys.new; chmod 600 $keys.new; mv $keys.new $keys"; }
end before
case $1 in
prepare) printf "grep -qF '%s' $keys || cat >>$keys <<'END'\n%s\nEND\n" "$(blob new_key)" "$(key new_key)" | remote 3 ;;
verify) echo true | remote 4 ;;
retire) drop old_key | remote 4 ;;
undo) drop new_key | remote 3 ;;
esac || exit 1
end after
echo '{"outcome":"done"}'
END_PROGRAM
} >"$C/install"
chmod 755 "$C/install"
ok auth-guard rotate program add --limit 4s install "$C/install"

current() { (umask 077; auth-guard get ssh/deploy >"$C/key" 2>/dev/null); }
works() { # the current key logs in, as ssh itself reads it
    current && "${login[@]/IdentityFile=none/IdentityFile=$C/key}" true 2>>"$C/ssh.log"
}
state() { auth-guard rotate log ssh/deploy --json | jq -r '.rotations[0].state'; }
begin() {
    rm -f "$mode" "$mode.next" "$C/key"
    ssh-keygen -q -t ed25519 -N '' -C 'deploy of ci' -f "$C/key"
    mv "$C/key.pub" "$C/first.pub" # ssh would offer what lies beside the key
    cp "$C/first.pub" "$keys"
    sed -n '4,5p' "$C/key" >>"$C/canaries"
    auth-guard put --kind ssh-key ssh/deploy <"$C/key" >/dev/null 2>&1 || fail put
}
settled() {
    local i
    works || fail "$what: the current key does not log in at once: $(tail -n 3 "$C/sshd.log")"
    for i in 1 2 3 4 5; do
        [ "$(state)" != done ] || break
        run auth-guard rotate ssh/deploy
    done
    works || fail "$what: no key logs in; state $(state)"
    sed -n '4,5p' "$C/key" >>"$C/canaries"
    [ "$(state)" = done ] || fail "$what: the journal ends with $(state): $(auth-guard rotate log ssh/deploy --json)"
    [ "$(wc -l <"$keys")" = 1 ] || fail "$what: $(wc -l <"$keys") lines in authorized_keys"
    [ "$(cut -d' ' -f1,2 "$keys")" = "$(ssh-keygen -y -f "$C/key" | cut -d' ' -f1,2)" ] ||
        fail "$what: another key is installed"
}

# ---- what is refused ----
begin
refused 'which program' auth-guard rotate rule set --every 30d --rotator ssh ssh/deploy
refused 'program alone' auth-guard rotate rule set --every 30d --rotator ssh --program install --length 40 ssh/deploy
refused operator neighbour auth-guard rotate rule set --every 30d --rotator ssh --program install ssh/deploy
for other in "-t ecdsa -N ''" "-t ed25519 -N secret"; do
    rm -f "$C/other" "$C/other.pub"
    eval "ssh-keygen -q $other -f '$C/other'"
    auth-guard put --kind ssh-key ssh/other <"$C/other" >/dev/null 2>&1 || fail put
    refused 'no ed25519 key' auth-guard rotate rule set --every 30d --rotator ssh --program install ssh/other
done
say "keys of other types, and with a passphrase: refused when the rule is set"

# ---- it goes well ----
ok auth-guard rotate rule set --every 30d --rotator ssh --program install ssh/deploy
what='no fault'
ok auth-guard rotate ssh/deploy
settled
[ "$(cut -d' ' -f1 "$calls" | xargs)" = 'prepare verify retire' ] || fail "the acts: $(cat "$calls")"
cmp -s "$keys" "$C/first.pub" && fail "the key is the same"
[ "$(cut -d' ' -f3- "$keys")" = 'deploy of ci' ] || fail "the comment: $(cat "$keys")"
grep -q 'new_key":"ssh-ed25519 ' "$calls" || fail "told: $(cat "$calls")"
# Of the private halves only the one that works for certain, and no value in words.
grep '^prepare' "$calls" | cut -d' ' -f2- | jq -e '.old_fd == 3 and .new_fd == null and .out_fd == null' >/dev/null || fail "prepare: $(cat "$calls")"
grep '^retire' "$calls" | cut -d' ' -f2- | jq -e '.old_fd == null and .new_fd == 4' >/dev/null || fail "retire: $(cat "$calls")"
grep -qF -f "$C/canaries" "$calls" && fail "a private key was told in words"
auth-guard redact <"$C/key" 2>/dev/null | grep -qF -f <(sed -n '4,5p' "$C/key") && fail "the new key is not redacted"
say "a new pair, installed, verified by logging in, the old line gone; comment kept"

# ---- faults ----
for act in prepare verify retire undo; do
    for fault in kill_after exit_after garbage_after refused_before hang_before; do
        [ $fault != hang_before ] || [ $act = prepare ] || continue
        what="$act: $fault"
        begin
        if [ $act = undo ]; then
            printf 'verify refused_before\n' >"$mode"
            printf 'undo %s\n' "$fault" >"$mode.next"
        else
            printf '%s %s\n' "$act" "$fault" >"$mode"
        fi
        run timeout 30 auth-guard rotate ssh/deploy
        case $fault in
        kill_*)
            within 5 broker_gone || fail "$what: the broker lives"
            start_broker ;;
        *) [ $RC -eq 0 ] || [ $RC -eq 3 ] || fail "$what: exit $RC $OUT $ERR" ;;
        esac
        rm -f "$mode" "$mode.next"
        settled
        tried=$((tried + 1))
    done
done
say "points tried: $tried"
audit_verifies
no_agent() { ! pgrep -u "$(id -u)" -x ssh-agent; }
within 5 no_agent || fail "an agent with a key was left"
no_leak
