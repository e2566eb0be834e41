# P5 where an agent works: the real Codex CLI asks before a tool runs, and behind
# it; what Claude Code would be answered; installed beside other hooks.
# needs: codex
. "$SRC/tests/e2e/codex_lib.sh"
# What is done with the login is another scenario's matter.
vault
VALUE=$(canary)
printf %s "$VALUE" | auth-guard put web/key >/dev/null 2>&1 || fail put
GITHUB=ghp_$(head -c 99 /dev/urandom | base64 -w0 | tr -dc A-Za-z0-9 | head -c 36)
printf '%s\n' "$GITHUB" >>"$C/canaries"

told() { # EVENT JSON: what an agent tells, as jq makes it; with all that is documented of each event
    jq -cn --arg event "$1" --arg cwd "$PWD" "{session_id: \"s\", transcript_path: \"/nowhere/s.jsonl\", cwd: \$cwd,
        permission_mode: \"default\", hook_event_name: \$event} +
        (if \$event == \"UserPromptSubmit\" then {} else {tool_use_id: \"toolu_01ABC123\"} end) + $2"
}
asked() { # AGENT EVENT JSON [OPTION]
    told "$2" "$3" >"$C/told"
    run auth-guard hook run "$1" ${4-} "$2" <"$C/told"
    hasnt "$OUT$ERR" "$VALUE" "what the hook said"
    hasnt "$OUT$ERR" "$GITHUB" "what the hook said"
}
command_is() { # DECISION WORDS COMMAND: by Claude Code's answer, ask or deny
    asked claude PreToolUse "{tool_name: \"Bash\", tool_input: {command: $(jq -Rs . <<<"$3")}}"
    [ $RC -eq 0 ] || fail "$3: exit $RC $ERR"
    [ "$(jq -r '.hookSpecificOutput.permissionDecision // "none"' <<<"${OUT:-{\}}")" = "$1" ] || fail "$3: $OUT"
    has "$OUT" "$2"
    [ "$1" = none ] || [ "$(jq -c '[keys, (.hookSpecificOutput | keys, .hookEventName)]' <<<"$OUT")" = \
        '[["hookSpecificOutput"],["hookEventName","permissionDecision","permissionDecisionReason"],"PreToolUse"]' ] || fail "$OUT"
}

say "a command that reads a credential file, in many spellings"
mkdir -p "$HOME/.aws" sub
echo '[default]' >"$HOME/.aws/credentials"
printf 'A_TOKEN=%s\n' "$VALUE" >.env
cp .env .env.example
ln -s ../.env sub/link
for command in 'cat ~/.aws/credentials' 'cat $HOME/.aws/credentials' "cat \"\${HOME}/.aws/credentials\"" \
    'cd sub && cat ../../.aws/./credentials' 'base64 < ~/.aws/credentials' 'x=$(<~/.aws/credentials)' \
    'sudo -n head -n 3 ~/.aws/credentials | tr a b' 'bash -lc "cat ~/.aws/credentials"' "sh -c 'eval cat ~/.aws/credentials'" \
    'cat ~/.aws/cred*' 'cp -r ~/.aws /tmp/x' 'grep -r key ~/.aws' 'curl -d @.env http://127.0.0.1/' 'git add --pathspec-from-file=.env' \
    'cat sub/link' 'for f in .env; do true; done' 'cat <<EOF
x
EOF
cat .env' 'tar cf - ~/.aws' 'cat /proc/1/environ' 'echo "$(cat ./.env)"' "cat $C/passphrase"; do
    command_is ask 'this call reads' "$command"
done
for command in 'ls -l ~/.aws/credentials' 'rm .env' 'cat .env.example' 'cat .environment' "cat <<'EOF'
cat ~/.aws/credentials
EOF" '# cat .env' 'grep -r key sub' 'cat ~/.aws' 'echo .env >>.gitignore' 'auth-guard adopt .env' 'cat ~/nothing/.env'; do
    command_is none '' "$command"
done
asked claude PreToolUse '{tool_name: "Read", tool_input: {file_path: ($cwd + "/.env")}}'
has "$OUT" '"permissionDecision":"ask"'
asked claude PreToolUse '{tool_name: "Write", tool_input: {file_path: ($cwd + "/.env"), content: "A=b"}}'
[ $RC -eq 0 ] && [ -z "$OUT" ] || fail "writing it: $OUT"

say "one that prints a variable that looks like a secret"
for command in 'echo $GITHUB_TOKEN' 'printf %s "${DB_PASSWORD}" | base64' 'printenv AWS_SECRET_ACCESS_KEY' \
    'declare -p PGPASSWORD' 'cat <<<"$API_KEY"' 'true; echo a "b $MY_SECRET"'; do
    command_is ask 'which looks like a secret' "$command"
done
for command in 'curl -H "Authorization: Bearer $GITHUB_TOKEN" http://127.0.0.1/' "echo '\$GITHUB_TOKEN'" \
    'echo $PWD $AWS_ACCESS_KEY_ID $MY_PUBLIC_KEY' 'echo "$GITHUB_TOKEN" | docker login --password-stdin' \
    'export GITHUB_TOKEN=$x' 'printenv PATH' env; do
    command_is none '' "$command"
done
export SOME_TOKEN=$VALUE
for command in env 'env | sort' 'export -p' 'printenv' 'sudo env'; do
    command_is ask 'prints the environment' "$command"
done
command_is none '' 'env A=b true'
unset SOME_TOKEN

say "one that holds a secret; by the person too; a patch that takes it out does not"
command_is deny 'holds the value of web/key' "curl -H 'X-Key: $VALUE' http://127.0.0.1/"
command_is deny 'as base64' "echo $(printf %s "$VALUE" | base64 -w0)"
command_is ask 'looks like a secret (rule github-token)' "git clone https://x:$GITHUB@127.0.0.1/"
for agent in codex claude; do
    asked $agent UserPromptSubmit "{prompt: \"use $VALUE\"}"
    [ "$(jq -r .decision <<<"$OUT")" = block ] || fail "$OUT"
    has "$OUT" 'holds the value of web/key'
    asked $agent UserPromptSubmit '{prompt: "use ag://web/key"}'
    [ $RC -eq 0 ] && [ -z "$OUT" ] || fail "a prompt without: $OUT"
done
asked codex PreToolUse "{tool_name: \"apply_patch\", tool_input: {command: \"*** Begin Patch\n*** Update File: a\n-$VALUE\n+x\n*** End Patch\n\"}}"
[ $RC -eq 0 ] && [ -z "$OUT" ] || fail "a patch that takes it out: $OUT"
asked codex PreToolUse "{tool_name: \"apply_patch\", tool_input: {command: \"*** Begin Patch\n*** Update File: a\n-x\n+$VALUE\n*** End Patch\n\"}}"
has "$OUT" '"permissionDecision":"deny"'
asked claude PreToolUse "{tool_name: \"Edit\", tool_input: {file_path: \"a\", old_string: \"$VALUE\", new_string: \"x\"}}"
[ $RC -eq 0 ] && [ -z "$OUT" ] || fail "an edit that takes it out: $OUT"

say "what a tool answered, in its own shape"
asked claude PostToolUse "{tool_name: \"Bash\", tool_response: {stdout: \"a $VALUE b\", stderr: \"$GITHUB\", interrupted: false, n: [1, \"x\"]}}"
[ "$(jq -c .hookSpecificOutput.updatedToolOutput <<<"$OUT")" = \
    '{"stdout":"a [redacted:web/key] b","stderr":"[redacted:rule:github-token]","interrupted":false,"n":[1,"x"]}' ] || fail "$OUT"
# The shapes of Claude Code's own tools and of MCP's: what comes back is of the same.
same_shape() { # TOOL JSON: a response with the value, and the same with its marker
    asked claude PostToolUse "{tool_name: \"$1\", tool_input: {}, tool_response: ${2//@/$VALUE}}"
    [ "$(jq -S '.hookSpecificOutput | [.hookEventName, .updatedToolOutput]' <<<"$OUT")" = \
        "$(jq -Sn "[\"PostToolUse\", ${2//@/[redacted:web/key]}]")" ] || fail "$1: $OUT"
    has "$(jq -r .hookSpecificOutput.additionalContext <<<"$OUT")" 'web/key'
    [ "$(jq -c 'keys' <<<"$OUT")" = '["hookSpecificOutput"]' ] || fail "$1: $OUT"
}
same_shape Bash '{stdout: "", stderr: "x @", interrupted: false, isImage: false}'
same_shape Read '{type: "text", file: {filePath: "/a", content: "1\n@\n", numLines: 2, startLine: 1, totalLines: 2}}'
same_shape Grep '{mode: "content", numFiles: 1, filenames: [], content: "a:1:@", numLines: 1}'
same_shape WebFetch '{bytes: 9, code: 200, codeText: "OK", result: "@", durationMs: 4, url: "http://127.0.0.1/"}'
same_shape mcp__files__read '[{type: "text", text: "@"}, {type: "text", text: "other"}]'
asked codex PostToolUse "{tool_name: \"Bash\", tool_response: \"one\n$VALUE\n\"}"
[ "$(jq -r .decision <<<"$OUT")" = block ] || fail "$OUT"
has "$(jq -r .reason <<<"$OUT")" 'It is now:
one
[redacted:web/key]'
asked codex PostToolUse '{tool_name: "Bash", tool_response: "nothing\u0000"}'
[ $RC -eq 0 ] && [ -z "$OUT" ] || fail "an answer without: $OUT"

say "what can't be read is not let through; with a locked vault rules, or nothing"
run auth-guard hook run codex PreToolUse <<<'{"hook_event_name": "PreToolUse"'
[ $RC -ne 0 ] && [ -z "$OUT" ] || fail "no JSON: exit $RC"
run auth-guard hook run codex PreToolUse <<<'{"hook_event_name": "PostToolUse"}'
[ $RC -ne 0 ] || fail "another event"
run auth-guard hook run codex Stop <<<'{}'
[ $RC -eq 64 ] || fail "no event of ours: exit $RC"
auth-guard lock >/dev/null 2>&1
asked codex UserPromptSubmit '{prompt: "hello"}'
[ $RC -eq 0 ] || fail "exit $RC: $OUT $ERR"
has "$(jq -r .systemMessage <<<"$OUT")" "not the vault's values"
asked codex PostToolUse "{tool_name: \"Bash\", tool_response: \"$GITHUB\"}"
has "$OUT" '[redacted:rule:github-token]'
asked codex PreToolUse '{tool_name: "Bash", tool_input: {command: "true"}}' --require-vault
[ $RC -ne 0 ] || fail "exit 0: $OUT $ERR"
has "$ERR" 'the vault is locked'
asked claude PostToolUse "{tool_name: \"Bash\", tool_response: {stdout: \"$GITHUB\", n: 1}}" --require-vault
[ "$(jq -c .hookSpecificOutput.updatedToolOutput <<<"$OUT")" = '{"stdout":"[withheld by auth-guard]","n":1}' ] || fail "$OUT"
auth-guard unlock >/dev/null 2>&1 || fail unlock

say "installed beside what is there, twice, by a link; removed"
mkdir -p "$HOME/.claude" "$HOME/dots"
cat >"$HOME/dots/settings.json" <<'JSON'
{"model": "x", "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "other"}]}], "Stop": []}}
JSON
chmod 640 "$HOME/dots/settings.json"
ln -s ../dots/settings.json "$HOME/.claude/settings.json"
ok auth-guard hook install claude --require-vault
ok auth-guard hook install claude
[ -L "$HOME/.claude/settings.json" ] && [ "$(stat -c %a "$HOME/dots/settings.json")" = 640 ] || fail "link or mode"
[ "$(jq -c '[.model, (.hooks | map_values(length)), .hooks.PreToolUse[0].hooks[0].command]' "$HOME/dots/settings.json")" = \
    '["x",{"PreToolUse":2,"Stop":0,"PostToolUse":1,"UserPromptSubmit":1},"other"]' ] || fail "$(cat "$HOME/dots/settings.json")"
command=$(jq -r '.hooks.PreToolUse[1].hooks[0].command' "$HOME/dots/settings.json")
told PreToolUse '{tool_name: "Bash", tool_input: {command: "cat .env"}}' >"$C/told"
run sh -c "$command" <"$C/told"
has "$OUT" '"permissionDecision":"ask"'
run sh -c "$command" <<<nonsense
[ $RC -eq 2 ] || fail "a hook that fails: exit $RC"
run sh -c "${command//auth-guard/nobody}" <"$C/told"
[ $RC -eq 2 ] || fail "a hook that is gone: exit $RC"
[ "$(auth-guard hook list --json | jq -r '.hooks[] | select(.tool == "claude") | .hook' | tr '\n' ' ')" = \
    'PreToolUse PostToolUse UserPromptSubmit ' ] || fail "$(auth-guard hook list)"
ok auth-guard hook remove claude
[ "$(jq -c . "$HOME/dots/settings.json")" = \
    '{"model":"x","hooks":{"PreToolUse":[{"matcher":"Bash","hooks":[{"type":"command","command":"other"}]}],"Stop":[]}}' ] ||
    fail "$(cat "$HOME/dots/settings.json")"
refused 'no hook of auth-guard' auth-guard hook remove claude
echo '// mine' >"$HOME/dots/settings.json"
refused 'line 1 is not JSON' auth-guard hook install claude
[ "$(cat "$HOME/dots/settings.json")" = '// mine' ] || fail "it was changed"
rm -r "$HOME/.claude" "$HOME/dots"

say "inside an isolated task: by rules, and by a set that it may read"
ok auth-guard redaction-set export --names all.set
told PreToolUse "{tool_name: \"Bash\", tool_input: {command: \"cat $HOME/.aws/credentials .env; echo $GITHUB\"}}" >told
run auth-guard run --ro "$(dirname "$BIN")" -- sh -c 'auth-guard hook run codex PreToolUse <told'
[ $RC -eq 0 ] || fail "exit $RC: $OUT $ERR"
has "$OUT" 'looks like a secret (rule github-token)'
told PreToolUse '{tool_name: "Bash", tool_input: {command: "cat .env"}}' >told
run auth-guard run --ro "$(dirname "$BIN")" -- sh -c 'auth-guard hook run codex PreToolUse <told'
[ $RC -eq 0 ] || fail "exit $RC: $OUT $ERR"
has "$OUT" "reads $TREE/.env"
told PostToolUse "{tool_name: \"Bash\", tool_response: \"a $VALUE\"}" >told
run auth-guard run --ro "$(dirname "$BIN")" -- sh -c 'auth-guard hook run codex --set all.set PostToolUse <told'
[ $RC -eq 0 ] || fail "exit $RC: $OUT $ERR"
has "$OUT" 'a [redacted:web/key]'
run auth-guard run --ro "$(dirname "$BIN")" -- sh -c 'auth-guard hook run codex --require-vault PostToolUse <told'
[ $RC -eq 0 ] || fail "exit $RC: $OUT $ERR"
has "$OUT" "can't be looked for from inside an isolated task" && has "$OUT" '[withheld by auth-guard]'
rm told all.set

say "the real Codex CLI"
rm -r sub .env .env.example
login apikey
cat >"$S/calls" <<CALLS
echo hello from a tool call; cat $HOME/.codex/auth.json
echo \$SOME_TOKEN
printf '%s' '$(printf %s "$VALUE" | cut -c 1-20)'; printf '%s\\n' '$(printf %s "$VALUE" | cut -c 21-)'
echo hello from a tool call
CALLS
mock
configure apikey
ok auth-guard redaction-set export --names "$S/set"
ok auth-guard hook install codex --set "$S/set"
has "$ERR" /hooks
codex() { # WORDS: one run, whose answers to the service are in outputs.jsonl
    rm -f "$MOCK/outputs.jsonl"
    touch "$MOCK/outputs.jsonl"
    env SOME_TOKEN=placeholder timeout 90 "${RUN[@]}" "$CODEX" exec --skip-git-repo-check -s danger-full-access \
        --dangerously-bypass-hook-trust "$1" >"$C/codex.out" 2>"$C/codex.err" </dev/null
    RC=$?
    ! grep -qF -f "$C/canaries" "$MOCK/outputs.jsonl" || fail "a value went to the service"
}
answered() { # NUMBER TEXT: of the calls
    sed -n "$1p" "$MOCK/outputs.jsonl" | grep -qF "$2" || fail "call $1: $(sed -n "$1p" "$MOCK/outputs.jsonl")"
}
all_answered() { # MARKER
    [ $RC -eq 0 ] && grep -q 'all done' "$C/codex.out" || fail "codex: $(tail -n 20 "$C/codex.err")"
    [ "$(wc -l <"$MOCK/outputs.jsonl")" -eq 4 ] || fail "not four calls: $(cat "$MOCK/outputs.jsonl")"
    answered 1 "reads $HOME/.codex/auth.json"
    answered 2 'prints $SOME_TOKEN'
    answered 3 "$1"
    answered 4 'hello from a tool call'
}
# Its hooks have sessions of their own, in which nobody is the operator.
RUN=(env)
codex 'look around'
all_answered '[redacted:web/key]'
codex "use $VALUE"
[ ! -s "$MOCK/outputs.jsonl" ] || fail "the prompt was sent"

say "the same as a task, where the vault answers them"
ok auth-guard hook install codex --require-vault
RUN=(auth-guard run --no-isolate --)
codex 'look around'
all_answered '[redacted]'
codex "use $VALUE"
[ ! -s "$MOCK/outputs.jsonl" ] || fail "the prompt was sent"
RUN=(env)
codex 'look around'
[ ! -s "$MOCK/outputs.jsonl" ] || fail "it went on without the vault"
