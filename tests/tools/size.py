"""Code lines by room: no blank lines, comments or docstrings. `--check` fails over the limits."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

ROOM, WHOLE = 1500, 15_050
_SKIP = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENCODING, tokenize.ENDMARKER,
}  # fmt: skip


def code_lines(source: str) -> int:
    """Lines that hold a token, without docstrings."""
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in _SKIP
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(lines)


def main() -> int:
    """Print the table; return 1 if `--check` finds a room too large."""
    root = Path(__file__).resolve().parents[2] / "evalkit"
    rooms: Counter[str] = Counter()
    for path in root.rglob("*.py"):
        part = path.relative_to(root).parts
        rooms[part[0] if len(part) > 1 else "cli"] += code_lines(path.read_text(encoding="utf-8"))
    for room, lines in sorted(rooms.items()):
        sys.stdout.write(f"{room:12}{lines:6}\n")
    sys.stdout.write(f"{'evalkit':12}{sum(rooms.values()):6}\n")
    over = [room for room, lines in rooms.items() if lines > ROOM]
    over += ["evalkit"] if sum(rooms.values()) > WHOLE else []
    if over and "--check" in sys.argv:
        sys.stderr.write(f"too large: {', '.join(over)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
