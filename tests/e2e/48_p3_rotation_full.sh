# P3: the disk full at each write of the vault during a rotation, by `random`, by a
# program that makes the value or is given it, and at AWS: a credential works all
# the while, and once there is space the runs that follow end it.
# long: yes
# timeout: 2700
#
# Every FULL_STEP-th write is tried, from a random start; FULL_STEP=1 tries all.
# Each second time the broker is started anew before it goes on.
. "$SRC/tests/e2e/rotation_lib.sh"
. "$SRC/tests/e2e/provider_lib.sh"
disk=$C/disk
dd if=/dev/zero of="$disk" bs=16 count=1 status=none
export AG_FULL=$disk
QUICK=$BIN/e2e_quick.so:$BIN/e2e_full.so
ok auth-guard stop
start_broker
ok auth-guard rotate program add --limit 20s svc "$C/rotator"

space() { # N: until the N-th write from now; 0: enough
    printf "$(printf '\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8)))" |
        cat - /dev/zero | head -c 16 | dd of="$disk" bs=16 conv=notrunc status=none
}
was_full() { [ "$(od -An -t d8 -j 8 -N 8 "$disk")" -gt 0 ]; }

# ---- what is rotated: its beginning, whether its value works, what is there ----
begin_of() {
    case $1 in
    aws)
        rm -f "$P/mode"
        control reset >"$P/key"
        jq -r .SecretAccessKey "$P/key" >>"$C/canaries"
        auth-guard put svc/key <"$P/key" >/dev/null 2>&1 || fail "put: $(cat "$P/key")"
        ok auth-guard rotate rule set --every 30d --rotator aws-access-key --endpoint "$URL" svc/key ;;
    random)
        begin
        ok auth-guard rotate rule set --every 30d svc/key ;;
    generate)
        begin
        ok auth-guard rotate rule set --every 30d --rotator command --program svc --generate svc/key ;;
    service)
        begin
        ok auth-guard rotate rule set --every 30d --rotator command --program svc svc/key ;;
    esac
}
note() {
    case $1 in
    aws) control state | jq -r '.keys[].secret' >>"$C/canaries" ;;
    random) current >>"$C/canaries" && echo >>"$C/canaries" ;;
    *) note_values ;;
    esac
}
works_of() {
    local value
    value=$(current) && [ -n "$value" ] || return 1
    case $1 in
    aws)
        [ "$(control state | jq -r --arg id "$(jq -r .AccessKeyId <<<"$value")" \
            '.keys[$id] | select(.status == "Active") | .secret')" = "$(jq -r .SecretAccessKey <<<"$value")" ] ;;
    random) : ;;
    *) works "$value" ;;
    esac
}
count_of() {
    case $1 in
    aws) control state | jq '.keys | length' ;;
    random) echo 1 ;;
    *) wc -l <"$service" ;;
    esac
}
ends_well() { # KIND
    local i
    works_of "$1" || fail "$what: the current credential does not work at once: $(state)"
    for i in 1 2 3 4 5; do
        run auth-guard rotate svc/key
        [ "$(state)" != done ] || break
    done
    note "$1"
    [ "$(state)" = done ] || fail "$what: ends $(state): $(auth-guard rotate log svc/key --json)"
    works_of "$1" || fail "$what: no credential works"
    [ "$(count_of "$1")" -eq 1 ] || fail "$what: $(count_of "$1") are left at the service"
    auth-guard versions svc/key --json | jq -e '[.versions[] | select(.state == "pending")] | length == 0' >/dev/null ||
        fail "$what: a pending version is left: $(auth-guard versions svc/key --json)"
}

for kind in random generate service aws; do
    step=${FULL_STEP:-17}
    # What it has made there is looked for for seconds.
    [ $kind != aws ] || step=${FULL_STEP:-31}
    points=0
    full=yes
    first=$((RANDOM % step + 1))
    for ((n = first; ; n += step)); do
        what="$kind, no space from write $n on"
        begin_of $kind
        space "$n"
        run timeout 60 auth-guard rotate svc/key
        note $kind
        was_full || full=no
        [ $full = no ] || [ $RC -ne 124 ] || fail "$what: no answer"
        space 0
        [ $full = yes ] || break
        points=$((points + 1))
        if [ $((points % 2)) -eq 0 ]; then
            ok auth-guard stop
            start_broker
        fi
        ends_well $kind
    done
    [ $points -ge 2 ] || fail "$kind: only $points writes"
    tried=$((tried + points))
    say "$kind: writes $first to $((n - step)) in steps of $step: $points points"
done
audit_verifies
say "points tried in all: $tried"
no_leak
