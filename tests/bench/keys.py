"""keys.py - the rows of what a person feels: how much later a typed letter
shows under `auth-guard run`.
"""


def rows(bench):
    """cat and a shell, directly, without and with a view of their own."""
    count = str(max(1000, int(3000 * bench.scale)))
    unlock = "auth-guard unlock >/dev/null 2>&1; exec "
    run = unlock + "auth-guard run --env K=bench/secret "
    for name, program in (("cat", "cat"),
                          ("bash", "bash --norc --noprofile -i")):
        command = f"sh -c 'echo READY; exec {program}'"
        lines = bench.run(
            bench.tool("keys"), count,
            "--", "sh", "-c", unlock + command,
            "--", "sh", "-c", run + "--no-isolate -- " + command,
            "--", "sh", "-c", run + "-- " + command).strip().split("\n")
        bare, plain, isolated = (bench.fields(line) for line in lines)
        for what, got in (("--no-isolate", plain), ("isolated", isolated)):
            for part, budget in (("p50_us", None), ("p99_us", 1000)):
                added = got[part] - bare[part]
                bench.row(f"a typed letter shows, {name}, {what}, {part[:3]}",
                          got[part], "us", bare[part], "without",
                          "+<= 1 ms" if budget else "",
                          added <= budget if budget else None)
