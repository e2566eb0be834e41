# The man page is installed, is one that groff has nothing to say against, and
# knows every verb, every act and every code of exit that the program knows.
. "$SRC/tests/e2e/lib.sh"

PAGE=$BIN/../share/man/man1/auth-guard.1
[ -r "$PAGE" ] || fail "no man page in $PAGE"

say "it is well formed"
ok groff -man -Tutf8 -ww -z "$PAGE"
[ -z "$ERR" ] || fail "groff: $ERR"

say "it shows what --help shows"
ok groff -man -Tutf8 -P-cbou "$PAGE"
TEXT=$OUT
COUNT=0
for verb in $(auth-guard help --json | jq -r '.[].name'); do
    case $verb in help | version) continue ;; esac
    has "$TEXT" "auth-guard $verb"
    # Each option of the verb, as a line of the page.
    for option in $(auth-guard "$verb" --help | awk '/^  --[a-z]/ { print $1 }'); do
        has "$TEXT" "$option"
        COUNT=$((COUNT + 1))
    done
done
[ "$COUNT" -gt 50 ] || fail "only $COUNT options were looked for"
has "$TEXT" "auth-guard rotate rule set"
has "$TEXT" "auth-guard task end"
say "$COUNT options searched"

say "its examples of rotation are ones that the program takes"
for rotator in $(auth-guard rotate rule set --help | sed -n 's/.*--rotator R *//p' | tr -d ',' |
    sed 's/(default)//'); do
    has "$TEXT" "$rotator"
done
