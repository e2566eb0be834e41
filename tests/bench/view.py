"""view.py - the view that an isolated task has, as options for bubblewrap: what
the kernel takes for the same namespaces and mounts, whoever asks for them.

Read from a task's own mountinfo. What bubblewrap has no word for costs it less:
the home is a tmpfs there, where a task has an overlay and marks in it.
"""

OF_DEV_AND_PROC = ("/dev/", "/proc/")  # --dev and --proc make them


def options(mountinfo, blank):
    """`blank`: an empty directory, for those that are hidden."""
    words = ["--unshare-all", "--die-with-parent"]
    seen = []
    for line in mountinfo.strip().split("\n"):
        left, right = line.split(" - ")
        root, path, flags = left.split()[3:6]
        kind = right.split()[0]
        inside = any(path.startswith(s + "/") for s in seen)
        if path == "/" or path.startswith(OF_DEV_AND_PROC) or \
                (inside and kind.startswith("cgroup")):
            continue  # of these the last comes with the mount it is in
        words += words_for(root, path, flags, kind, blank)
        seen.append(path)
    for name in ("bin", "lib", "lib64"):
        words += ["--symlink", f"usr/{name}", f"/{name}"]
    return words + ["--dev", "/dev"]


def words_for(root, path, flags, kind, blank):
    if kind == "proc":
        return ["--proc", path]
    if kind == "overlay":
        return ["--tmpfs", path]
    if kind == "tmpfs" and root == "/nothing":
        return ["--ro-bind", "/dev/null", path]
    if kind == "tmpfs" and root == "/blank":
        return ["--ro-bind", blank, path]
    if kind == "tmpfs" and "rw" in flags.split(","):
        return ["--tmpfs", path]
    return ["--ro-bind" if "ro" in flags.split(",") else "--bind", path, path]
