#!/usr/bin/python3
"""github_runner.py - what GitHub's runner does with a composite action, and the
part of its service that the action calls.

    github_runner.py action ACTION.YML [INPUT=VALUE]…
        runs the steps one after another, as `shell: bash`, with inputs put
        into `env`; github.token=VALUE is the job's token. The first step that
        fails ends it.
    github_runner.py serve DIR
        DIR/port has the port; each change is a line of DIR/changes. What is
        asked for is DIR/now.
"""
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile

import yaml


def run_action(path, words):
    with open(path, encoding="utf-8") as f:
        action = yaml.safe_load(f)
    given = dict(word.split("=", 1) for word in words)
    values = {"github.token": given.pop("github.token", "")}

    def put(text):
        return re.sub(r"\$\{\{ *([a-z.-]+) *\}\}",
                      lambda m: values[m.group(1)], text)

    for name, spec in action["inputs"].items():
        values["inputs." + name] = given.pop(name, None)
        if values["inputs." + name] is None:
            values["inputs." + name] = put(spec["default"])
    if given:
        sys.exit(f"no such input: {list(given)}")
    for step in action["runs"]["steps"]:
        assert step["shell"] == "bash"
        # The text of a step has no inputs in it: they would be commands.
        assert "${{" not in step["run"]
        env = dict(os.environ)
        env.update({k: put(v) for k, v in step["env"].items()})
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
            script.write(step["run"])
            script.flush()
            code = subprocess.call(["bash", "--noprofile", "--norc", "-e", "-o",
                                    "pipefail", script.name], env=env,
                                   stdin=subprocess.DEVNULL)
        if code != 0:
            sys.exit(code)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def change(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        row = {"method": self.command, "path": self.path,
               "authorization": self.headers.get("Authorization"),
               "body": json.loads(body)}
        with open("changes", "a", encoding="utf-8") as f:
            f.write(json.dumps(row) + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PATCH = do_PUT = change

    def do_GET(self):
        with open("now", "rb") as f:
            text = f.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def serve(directory):
    os.chdir(directory)
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    with open("port.tmp", "w", encoding="utf-8") as f:
        f.write(str(server.server_address[1]))
    os.rename("port.tmp", "port")
    server.serve_forever()


if sys.argv[1] == "action":
    run_action(sys.argv[2], sys.argv[3:])
else:
    serve(sys.argv[2])
