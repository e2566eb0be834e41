# P5 what was left in texts: repositories, instructions to agents, shell
# histories, transcripts; told as SARIF too.
. "$SRC/tests/e2e/lib.sh"
VALUE=$(canary)
GITHUB=ghp_$(head -c 99 /dev/urandom | base64 -w0 | tr -dc A-Za-z0-9 | head -c 36)
printf '%s\n' "$GITHUB" >>"$C/canaries"
mkdir -p "$C/repo/.git" "$C/repo/node_modules/x" "$C/repo/ä b" "$HOME/.codex/sessions/2026" "$HOME/.claude/projects/p"
printf 'say\nuse %s\n' "$GITHUB" >"$C/repo/AGENTS.md"
cp "$C/repo/AGENTS.md" "$C/repo/.git/config"
cp "$C/repo/AGENTS.md" "$C/repo/node_modules/x/y"
printf '%s' "$VALUE" >"$C/repo/ä b/c d.txt"
printf '\0%s' "$GITHUB" >"$C/repo/image.bin"
ln -s AGENTS.md "$C/repo/CLAUDE.md"
mkfifo "$C/repo/fifo"
printf 'A_TOKEN=%s\n' "$VALUE" >"$C/repo/.env"
told() { # of the last run with --json
    jq -r '.texts[] | "\(.path | sub(".*/(?<n>[^/]*)$"; "\(.n)")):\(.line):\(.column) \(.name)"' <<<"$OUT" | sort
}

say "a repository, by rules; without its objects and dependencies, links, binary files"
cd "$C/repo" || exit 70
run auth-guard scan --texts --json .
[ $RC -eq 1 ] || fail "exit $RC $ERR"
[ "$(told)" = '.env:1:9 rule:secret-plain
AGENTS.md:2:5 rule:github-token' ] || fail "$(told)"
[ "$(jq -r '.findings[].path' <<<"$OUT")" = "$(jq -r '.findings[0].path' <<<"$OUT")" ] || fail "$OUT"
has "$OUT" '.env"'
run auth-guard scan .
[ $RC -eq 1 ] || fail "exit $RC: $OUT $ERR"
hasnt "$OUT$ERR" AGENTS.md "what was said without --texts"
run auth-guard scan --texts "ä b"
[ $RC -eq 0 ] || fail "a text in which nothing looks like a secret: exit $RC $OUT"

say "with the vault open its values; only what looks like one where it is locked, which is said"
vault
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
run auth-guard scan --texts "ä b"
[ $RC -eq 1 ] || fail "exit $RC: $OUT $ERR"
has "$OUT" 'high      ä b/c d.txt:1:1 holds the value of web/key'
hasnt "$OUT$ERR" "$VALUE" "what was said"
auth-guard lock >/dev/null 2>&1
run auth-guard scan --texts "ä b"
[ $RC -eq 0 ] || fail "exit $RC: $OUT $ERR"
has "$ERR" "not the vault's values"
auth-guard unlock >/dev/null 2>&1 || fail unlock

say "SARIF"
run auth-guard scan --texts --sarif "$S/found.sarif" .
[ $RC -eq 1 ] || fail "exit $RC: $OUT $ERR"
has "$OUT" AGENTS.md:2:5
[ "$(jq -c '[.version, .runs[0].tool.driver.name, (.runs[0].results | map([.ruleId, .level,
    .locations[0].physicalLocation.artifactLocation.uri, .locations[0].physicalLocation.region.startLine]) | sort)]' "$S/found.sarif")" = \
    '["2.1.0","auth-guard",[["credential-file","warning",".env",null],["github-token","warning","AGENTS.md",2],["vault-value","error","%C3%A4%20b/c%20d.txt",1],["vault-value","error",".env",1]]]' ] ||
    fail "$(cat "$S/found.sarif")"
[ "$(jq -c '[.runs[0].tool.driver.rules[].id] | sort' "$S/found.sarif")" = '["credential-file","github-token","vault-value"]' ] || fail "its rules"
run auth-guard scan --texts --sarif - "$C/repo/AGENTS.md"
[ "$(jq -r '.runs[0].results[0].locations[0].physicalLocation.artifactLocation.uri' <<<"$OUT")" = AGENTS.md ] || fail "$OUT"
cd "$TREE" || exit 70
run auth-guard scan --texts --sarif - "$C/repo/AGENTS.md"
[ "$(jq -r '.runs[0].results[0].locations[0].physicalLocation.artifactLocation.uri' <<<"$OUT")" = "file://$C/repo/AGENTS.md" ] || fail "$OUT"
run auth-guard scan --texts --sarif "$S/no/such/file" "$C/repo"
[ $RC -ne 0 ] || fail "exit 0: $OUT $ERR"
has "$ERR" "$S/no/such/file"

say "what shells and agents keep, packed or not"
printf 'export X=%s\n' "$GITHUB" >"$HOME/.bash_history"
printf '{"a":"%s"}\n' "$VALUE" | gzip >"$HOME/.codex/sessions/2026/rollout.jsonl.gz"
printf '{"a":"%s"}\n' "$GITHUB" >"$HOME/.claude/projects/p/s.jsonl"
printf 'key %s\n' "$VALUE" >"$HOME/.codex/AGENTS.md"
head -c 9999 /dev/urandom | base64 | gzip | head -c 5000 >"$HOME/.codex/sessions/2026/cut.gz"
yes | head -c 300000000 | gzip -1 >"$HOME/.codex/sessions/2026/large.gz"
run auth-guard scan --texts --json
[ $RC -eq 1 ] || fail "exit $RC $ERR"
[ "$(told)" = '.bash_history:1:10 rule:github-token
AGENTS.md:1:5 web/key
rollout.jsonl.gz:1:7 web/key
s.jsonl:1:7 rule:github-token' ] || fail "$(told)"
[ "$(jq .texts_left <<<"$OUT")" = 2 ] || fail "what is damaged or too large: $OUT"
rm -r "$HOME/.bash_history" "$HOME/.codex" "$HOME/.claude"
no_leak
