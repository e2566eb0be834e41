"""type_keys.py - types at a shell on a terminal and looks at what it shows.

  type_keys.py SHELL [ARGUMENT…]  with lines on stdin: TYPED TAB EXPECTED

Each TYPED (\\t is the Tab key, \\n Return) goes to the shell; the terminal must
then show EXPECTED within ten seconds, or, where that begins with !, must not have
shown it once the word "ready" came back. Between lines the input is cleared. The
last line of output says how many were seen; the first that fails is told.
"""
import os
import pty
import re
import select
import sys
import time

TOKEN = re.compile(rb"\x1b\[([0-9;?]*)([a-zA-Z])|\x1b[=>()][0B]?|\x1b\][^\x07]*\x07|.", re.S)


def drawn(stream):
    """What stands on the lines of the screen: enough of a terminal for a prompt."""
    lines, row, column = [[]], 0, 0
    for token in TOKEN.finditer(stream):
        count = int(token[1]) if (token[1] or b"").isdigit() else 1
        text = token[2] or token[0]
        if text == b"\n":  # back to the begin only by \r
            row += 1
        elif text in (b"\r", b"\b") or token[2] == b"D":
            column = 0 if text == b"\r" else max(0, column - count)
        elif token[2] == b"A":
            row = max(0, row - count)
        elif token[2] == b"C":
            column += count
        elif token[2] in (b"J", b"K") and count != 2 and token[1] in (b"", b"0"):
            del lines[row][column:]
            if token[2] == b"J":
                del lines[row + 1:]
        elif len(token[0]) == 1 and text >= b" ":
            lines[row] += [b" "] * (column + 1 - len(lines[row]))
            lines[row][column] = text
            column += 1
        lines += [[] for _ in range(row + 1 - len(lines))]
    return b"\n".join(b"".join(line).rstrip() for line in lines) + b"\n"


class Shell:
    def __init__(self, command):
        self.shown = b""
        pid, self.fd = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm"
            os.execvp(command[0], command)

    def read(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                self.shown += os.read(self.fd, 65536)
            except OSError:
                return

    def sees(self, text, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in drawn(self.shown):
                return True
            self.read(0.05)
        return False

    def type(self, text):
        self.shown = b""
        os.write(self.fd, text)

    def clear(self, number):
        """Ctrl-U, then a line whose answer is not in what was typed."""
        os.write(self.fd, b"\x15echo rea''dy%d\n" % number)
        return self.sees(b"\nready%d\n" % number)


def main():
    shell = Shell(sys.argv[1:])
    if not shell.clear(0):
        sys.exit(f"no shell: {shell.shown!r}")
    count = 0
    for line in sys.stdin.read().splitlines():
        typed, _, expected = line.partition("\t")
        expected = expected.encode()
        unwanted = expected.startswith(b"!")
        shell.type(typed.replace("\\t", "\t").replace("\\n", "\n").encode())
        seen = unwanted or shell.sees(expected)
        shown = shell.shown
        if not shell.clear(count + 1):
            sys.exit(f"{typed}: the shell hangs: {shell.shown!r}")
        if not seen or (unwanted and expected[1:] in drawn(shell.shown)):
            sys.exit(f"{typed}: expected {expected!r} in {DRAWING.sub(b'', shown)!r}")
        count += 1
    print(f"{count} seen")


main()
