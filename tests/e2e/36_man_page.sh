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

say "it has an example of each rotator and each minter, with what they are given"
# What it says by itself; the verbs' own words name them all.
OWN=$(sed '/^VERBS$/,/^ROTATION$/d' <<<"$TEXT")
! grep -q '^usage: ' <<<"$OWN" || fail "verbs' words are in it"
SEEN=0
names() { sed -n "s/^ *--$1 \([a-z0-9|-]*\)$/\1/p" | tr '|' ' '; } # OPTION
for rotator in $(auth-guard rotate rule set --help | names rotator); do
    [ "$rotator" = random ] || has "$OWN" "--rotator $rotator"
    grep -q "^ *$rotator$" <<<"$OWN" || fail "no section of $rotator"
    SEEN=$((SEEN + 1))
done
for minter in $(auth-guard mint set --help | names minter); do
    has "$OWN" "--minter $minter"
    SEEN=$((SEEN + 1))
done
[ "$SEEN" -ge 9 ] || fail "only $SEEN rotators and minters were looked for"
for words in "incident close" "exposure --task" "render --watch" "rotate --from-incident"; do
    has "$OWN" "auth-guard $words"
done
has "$OWN" '$XDG_CONFIG_HOME/auth-guard/settings.ini'
