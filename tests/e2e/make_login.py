#!/usr/bin/python3
"""make_login.py - an auth.json as `codex login` would leave it, made up.

    make_login.py --kind apikey|chatgpt [--expires S] --canaries FILE
                  [--refresh FILE]

Prints the JSON; appends every secret value to FILE (canaries), and the refresh
token alone to the other FILE, where the mock service finds it.
"""
import argparse
import json
import os
import secrets
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mock_service import login_claims, make_jwt  # noqa: E402


def append(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(fd, "a", encoding="utf-8") as f:
        f.write(text + "\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kind", choices=["apikey", "chatgpt"], required=True)
    p.add_argument("--expires", type=int, default=3600)
    p.add_argument("--account", default="acct-e2e")
    p.add_argument("--canaries", required=True)
    p.add_argument("--refresh")
    args = p.parse_args()
    if args.kind == "apikey":
        key = "sk-proj-" + secrets.token_urlsafe(96)
        append(args.canaries, key)
        login = {"OPENAI_API_KEY": key}
    else:
        access = make_jwt(login_claims(args.expires, args.account))
        ident = make_jwt(login_claims(args.expires, args.account))
        refresh = "rt_" + secrets.token_urlsafe(48)
        append(args.canaries, access)
        append(args.canaries, refresh)
        if args.refresh:
            append(args.refresh, refresh)
        login = {
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": None,
            "tokens": {"id_token": ident, "access_token": access,
                       "refresh_token": refresh, "account_id": args.account},
            "last_refresh": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
    print(json.dumps(login, indent=2))


if __name__ == "__main__":
    main()
