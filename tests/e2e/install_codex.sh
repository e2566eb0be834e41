#!/bin/sh
# install_codex.sh DIR - the real Codex CLI, pinned, below DIR; prints the path
# of its native program. 400 MB from the npm registry, kept between runs; who
# comes while another installs waits for that. Exit 75: npm is not there.
set -eu
version=0.169.0
dir=${1:?usage: install_codex.sh DIR}
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
find_program() {
    find "$dir/node_modules/@openai" -path '*/vendor/*/bin/codex' -type f 2>/dev/null | head -n 1
}
program=$(find_program)
if [ -z "$program" ] || [ "$(cat "$dir/version" 2>/dev/null)" != "$version" ]; then
    command -v npm >/dev/null || { echo "npm is not installed" >&2; exit 75; }
    npm install --prefix "$dir" --no-audit --no-fund --loglevel=error \
        "@openai/codex@$version" >"$dir/npm.log" 2>&1 || { cat "$dir/npm.log" >&2; exit 69; }
    echo "$version" >"$dir/version"
    program=$(find_program)
fi
[ -n "$program" ] || { echo "the package has no native program for this machine" >&2; exit 69; }
echo "$program"
