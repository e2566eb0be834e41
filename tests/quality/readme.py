"""readme.py - tables of measured figures in a Markdown file, written anew."""
import re


def table(head, rows):
    """Lines of a Markdown table."""
    return ["| " + " | ".join(str(cell) for cell in row) + " |"
            for row in (head, ["---"] * len(head), *rows)]


def put(path, name, lines):
    """Between <!-- NAME --> and <!-- /NAME --> of the file at `path` stand the
    lines; what was there is gone."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    inside = f"<!-- {name} -->\n" + "\n".join(lines) + f"\n<!-- /{name} -->"
    text, count = re.subn(f"<!-- {name} -->.*<!-- /{name} -->",
                          lambda _: inside, text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{path}: no place for {name}")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
