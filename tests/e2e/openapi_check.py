#!/usr/bin/python3
"""openapi_check.py SPEC ADMIN_SOCKET - holds the running broker to its contract.

For every operation of the specification: a call with made-up parameters by the
operator. The status must be one that the operation declares, the media type and
the body must fit the declared schema. Acts that would end the test (stop, lock,
init, rekey, passphrase) are called last or only with a bad body. Then a few
real calls whose answers must fit too. Prints how many were checked.
"""
import http.client
import json
import socket
import sys
import urllib.parse

import yaml

# Called only with a body that must be refused.
HARSH = {"/v1/init", "/v1/unlock", "/v1/lock", "/v1/stop", "/v1/rekey",
         "/v1/passphrase", "/v1/proof"}


class Conn(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def quote_name(name):
    return urllib.parse.quote(name, safe="")


class Check:
    def __init__(self, spec, sock):
        self.spec = spec
        self.sock = sock
        self.bad = []
        self.count = 0

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            at = self.spec
            for step in node["$ref"].lstrip("#/").split("/"):
                at = at[step.replace("~1", "/").replace("~0", "~")]
            node = at
        return node

    def fits(self, value, schema, where):
        """The part of JSON Schema that the contract uses."""
        schema = self.resolve(schema)
        if not isinstance(schema, dict):
            return
        for part in schema.get("allOf", []):
            self.fits(value, part, where)
        for word in ("oneOf", "anyOf"):
            if word in schema:
                before = len(self.bad)
                for part in schema[word]:
                    at = len(self.bad)
                    self.fits(value, part, where)
                    if len(self.bad) == at:
                        del self.bad[before:]
                        break
                else:
                    del self.bad[before:]
                    self.bad.append(f"{where}: fits none of {word}")
        kinds = schema.get("type")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(self.is_kind(value, k) for k in kinds):
            self.bad.append(f"{where}: {type(value).__name__}, not {kinds}")
            return
        if "enum" in schema and value not in schema["enum"]:
            self.bad.append(f"{where}: {value!r} is not in the enum")
        if "const" in schema and value != schema["const"]:
            self.bad.append(f"{where}: {value!r} is not the constant")
        if isinstance(value, dict):
            self.fits_object(value, schema, where)
        if isinstance(value, list) and "items" in schema:
            for i, item in enumerate(value):
                self.fits(item, schema["items"], f"{where}/{i}")

    @staticmethod
    def is_kind(value, kind):
        if isinstance(value, bool):
            return kind == "boolean"
        return isinstance(value, {
            "object": dict, "array": list, "string": str, "integer": int,
            "number": (int, float), "boolean": bool,
            "null": type(None)}[kind])

    def fits_object(self, value, schema, where):
        known = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                self.bad.append(f"{where}: no {name}")
        for name, item in value.items():
            if name in known:
                self.fits(item, known[name], f"{where}/{name}")
            elif schema.get("additionalProperties") is False:
                self.bad.append(f"{where}: {name} is not declared")
            elif known and "additionalProperties" not in schema:
                self.bad.append(f"{where}: {name} is not in the contract")
            elif isinstance(schema.get("additionalProperties"), dict):
                self.fits(item, schema["additionalProperties"],
                          f"{where}/{name}")

    def ask(self, method, path, body=None):
        conn = Conn(self.sock)
        head = {}
        if body is not None:
            head["Content-Type"] = "application/json"
            body = json.dumps(body)
        conn.request(method, path, body, head)
        answer = conn.getresponse()
        data = answer.read()
        kind = (answer.getheader("Content-Type") or "").split(";")[0]
        conn.close()
        return answer.status, kind, data

    def judge(self, template, method, path, body=None, want=None):
        item = self.resolve(self.spec["paths"][template])
        op = item[method.lower()]
        status, kind, data = self.ask(method, path, body)
        where = f"{method} {path} -> {status}"
        self.count += 1
        declared = op.get("responses", {})
        answer = declared.get(str(status)) or declared.get(
            f"{status // 100}XX") or declared.get("default")
        if answer is None:
            self.bad.append(f"{where}: not declared {data[:200]!r}")
            return None
        if want is not None and status != want:
            self.bad.append(f"{where}: wanted {want} {data[:300]!r}")
        content = self.resolve(answer).get("content", {})
        if not content:
            if data:
                self.bad.append(f"{where}: a body where none is declared")
            return None
        if kind not in content:
            self.bad.append(f"{where}: {kind} is not declared")
            return None
        if "json" not in kind:
            return data
        value = json.loads(data)
        self.fits(value, content[kind].get("schema", {}), where)
        return value

    def sweep(self):
        for template, item in self.spec["paths"].items():
            item = self.resolve(item)
            for method in ("get", "put", "post", "patch", "delete"):
                if method not in item or (method, template) == (
                        "get", "/v1/audit/export"):
                    continue
                path = template
                while "{" in path:
                    name = path[path.index("{"):path.index("}") + 1]
                    path = path.replace(name, "424242")
                body = None
                if "requestBody" in item[method]:
                    body = {"nonsense": 1}
                elif template in HARSH:
                    continue
                self.judge(template, method.upper(), path, body)

    def real_calls(self):
        quote = quote_name("open/api")
        secret = "/v1/secrets/{name}"
        self.judge(secret, "PUT", "/v1/secrets/" + quote,
                   {"value": "a value of the contract test 5718",
                    "encoding": "text"}, 200)
        self.judge(secret, "GET", "/v1/secrets/" + quote, None, 200)
        for template in ("/v1/health", "/v1/status", "/v1/secrets",
                         "/v1/tasks", "/v1/tokens", "/v1/leases", "/v1/roles",
                         "/v1/slots", "/v1/audit", "/v1/audit/verify",
                         "/v1/profiles", "/v1/moves", "/metrics"):
            if template in self.spec["paths"]:
                self.judge(template, "GET", template, None, 200)
        # What 15_contract.sh has put: rules, an incident, a minted secret.
        of_ruled = quote_name("open/ruled")
        for template, path in (
                ("/v1/secrets/{name}/versions", f"/v1/secrets/{of_ruled}/versions"),
                ("/v1/secrets/{name}/rotation", f"/v1/secrets/{of_ruled}/rotation"),
                ("/v1/secrets/{name}/mint",
                 f"/v1/secrets/{quote_name('open/minted')}/mint"),
                ("/v1/rotation-rules", "/v1/rotation-rules"),
                ("/v1/rotations", "/v1/rotations"),
                ("/v1/mint-rules", "/v1/mint-rules"),
                ("/v1/minted", "/v1/minted"), ("/v1/programs", "/v1/programs"),
                ("/v1/incidents", "/v1/incidents"),
                ("/v1/incidents/{id}", "/v1/incidents/1"),
                ("/v1/dangers", "/v1/dangers"),
                ("/v1/exposure", f"/v1/exposure?secret={of_ruled}"),
                ("/v1/receipts/key", "/v1/receipts/key")):
            self.judge(template, "GET", path, None, 200)
        self.judge("/v1/redact", "POST", "/v1/redact",
                   {"text": "x a value of the contract test 5718 y"}, 200)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        spec = yaml.safe_load(f)
    check = Check(spec, sys.argv[2])
    check.sweep()
    check.real_calls()
    for line in check.bad:
        print(line)
    print(f"{check.count} calls of {len(spec['paths'])} paths fit the contract"
          if not check.bad else f"{len(check.bad)} differences")
    return 1 if check.bad else 0


if __name__ == "__main__":
    sys.exit(main())
