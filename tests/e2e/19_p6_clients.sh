# P6: real clients by the reverse proxy: git, npm, Node and Python, each as its
# user would set it up; the service, by TLS, serves nobody without the value, and
# says it back.
. "$SRC/tests/e2e/lib.sh"
. "$SRC/tests/e2e/proxy_lib.sh"

authority good DNS:localhost
roots good
vault
VALUE=$(canary npm_)
printf %s "$VALUE" | auth-guard put api/key --min-grade proxy >"$C/out" || fail put
clients_service
AT=localhost:$CLIENTS
P="secret=ag://api/key,upstream=https://$AT,url-env=API_URL,key-env=API_KEY,inner"
G="secret=ag://api/key,upstream=https://$AT/git,url-env=API_URL,key-env=API_KEY,basic=bot,inner"
unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy

# What the client prints goes to a file first: outside of the filter, which
# would hide a miss.
client() { # GRANT SCRIPT [OPTION…]
    printf 'exec >%q 2>&1\n%s\n' "$TREE/said" "$2" >"$TREE/client.sh"
    run auth-guard run --proxy "$1" "${@:3}" -- sh -e "$TREE/client.sh"
    OUT=$(cat "$TREE/said")
    [ $RC -eq 0 ] || fail "exit $RC: $OUT $ERR"
    hasnt "$OUT" "$VALUE" "what the client says"
}
basic=$(printf %s "bot:$VALUE" | base64 -w0)

say "git: clone, fetch and push, with the password in the address"
client "$G" 'git -c url."http://bot:$API_KEY@${API_URL#http://}/".insteadOf=https://git.example/ \
    clone -q https://git.example/repo.git cloned
git -C cloned log --format=%s'
has "$OUT" 'a change of the test'
saw clients "Basic $basic"
saw clients git-upload-pack
git -C "$S/made" -c user.name=a -c user.email=a@b commit -q --allow-empty -m "one more" &&
    git -C "$S/made" push -q ../served/repo.git HEAD:refs/heads/main || fail "no commit"
# Larger than what git sends whole: this one goes in chunks.
client "$G" 'cd cloned
git config url."http://bot:$API_KEY@${API_URL#http://}/".insteadOf https://git.example/
git config user.name b && git config user.email b@c
git fetch -q && git merge -q --ff-only origin/main
head -c 3000000 /dev/urandom >file && git add file && git commit -q -m "from the task"
git push -q origin HEAD:main
git log --format=%s origin/main'
has "$OUT" 'one more'
[ "$(git -C "$S/served/repo.git" log --format=%s main | head -n 1)" = "from the task" ] ||
    fail "not pushed"
git -C "$S/served/repo.git" fsck --strict >"$C/fsck" 2>&1 || fail "$(cat "$C/fsck")"
grep -F 'git-receive-pack"' "$C/clients.log" | grep -qF '"Transfer-Encoding", "chunked"' ||
    fail "not in chunks"

say "git: with a header of its own, and with a password that it asks for"
client "$G" 'git -c http.extraHeader="Authorization: Basic $(printf %s "bot:$API_KEY" | base64 -w0)" \
    clone -q "$API_URL/repo.git" second
git -C second log --format=%s'
has "$OUT" 'from the task'
client "$G" 'printf "#!/bin/sh\necho \"\$API_KEY\"\n" >askpass && chmod +x askpass
GIT_ASKPASS=$PWD/askpass git clone -q "http://bot@${API_URL#http://}/repo.git" third
git -C third log --format=%s'
has "$OUT" 'from the task'

# npm takes the package from where the registry says that it is, by its own name:
# that host needs the token too, and is reached by the forward proxy.
say "npm: view and install, the token in .npmrc"
client "$P" 'export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
mkdir -p npm && cd npm && echo "{}" >package.json
printf "registry=\${API_URL}/\n%s/:_authToken=\${API_KEY}\n//%s/:_authToken=\${API_KEY}\n" \
    "${API_URL#http:}" '"$AT"' >.npmrc
npm view package description --no-update-notifier --fetch-retries 0
npm install package --no-audit --no-fund --no-update-notifier --fetch-retries 0
node -p "require(\"package\")"' --allow example.org
has "$OUT" 'Bearer [redacted]'
has "$OUT" 'it is installed'
saw clients "Bearer $VALUE"
grep -F '"/package"' "$C/clients.log" | grep -qF "Bearer $VALUE" || fail "npm did not ask"
grep -F 'package-1.2.3.tgz' "$C/clients.log" | grep -qF "Bearer $VALUE" || fail "npm did not install"
! grep -qrF "$VALUE" "$TREE/npm" || fail "the value is in npm's files"

say "Node's fetch: events as they come"
cat >"$TREE/events.mjs" <<'T'
const answer = await fetch(process.env.API_URL + '/events',
    {headers: {authorization: 'Bearer ' + process.env.API_KEY}});
const text = new TextDecoder();
for await (const part of answer.body)
    for (const line of text.decode(part, {stream: true}).split('\n').filter(Boolean))
        console.log(Date.now(), line);
T
client "$P" 'node events.mjs'
one_by_one
has "$OUT" '4 Bearer [redacted]'

say "Python's urllib"
client "$P" "python3 -c 'import os, urllib.request as u
answer = u.urlopen(u.Request(os.environ[\"API_URL\"] + \"/python\", headers={
    \"Authorization\": \"Bearer \" + os.environ[\"API_KEY\"]}), timeout=20)
print(answer.status, answer.headers[\"X-Echo\"], answer.read().decode())'"
has "$OUT" '200 Bearer [redacted]'
grep -F '"/python"' "$C/clients.log" | grep -qF "Bearer $VALUE" || fail "urllib did not ask"

audit_verifies
no_leak
