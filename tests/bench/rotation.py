"""rotation.py - what a cron job costs that finds nothing to do: `rotate --due`
over very many secrets, each with a rule.
"""
import statistics
import time

COUNT = 10000
BUDGET_MS = 100


def rows(bench):
    """Beside `status`, which asks the broker as little as a command can."""
    count = max(1000, int(COUNT * bench.scale))
    bench.put_many(9, count)
    bench.load("-u", bench.sock + "/admin.sock", "-m", "PUT", "-c", "16",
               "-n", str(count), "-p", "/v1/secrets/bench%2Fs9n%d/rotation",
               "-b", '{"rotator":"random","every_s":2592000,"params":{}}')
    rules = len(bench.json("auth-guard", "rotate", "rule", "list")["rules"])
    if rules != count:
        raise SystemExit(f"bench: {rules} rules, not {count}")
    took = {"due": [], "status": []}
    for _ in range(bench.rounds):
        for what, words in (("due", ("rotate", "--due")),
                            ("status", ("status",))):
            began = time.monotonic()
            bench.run("auth-guard", *words)
            took[what].append((time.monotonic() - began) * 1000)
    due = statistics.median(took["due"])
    bench.row(f"rotate --due, {count} rules, none due", due, "ms",
              statistics.median(took["status"]), "status",
              f"<= {BUDGET_MS} ms", due <= BUDGET_MS)
