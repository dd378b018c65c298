"""What is known of a notebook without running it, and of a run that failed."""

import ast
import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from evalkit.core.problem import refusal

ATTEMPTS = 3  # where the machine is to blame, not the project
MEMORY = 4 * 1024**3  # bytes that one project's processes may hold, if nobody says
ERROR_TAG = "papermill-error-cell-tag"  # cells so tagged are dropped when a notebook runs again
Kind = Literal[
    "refused", "exception", "timeout", "memory", "kernel", "figure", "stopped", "internal"
]  # fmt: skip
_KINDS = {"NoneType": "str"} | {kind: kind for kind in ("str", "int", "float", "bool")}
# for nbconvert's warnings to developers, and nbclient's: `Failure` says all
SILENT = logging.Logger(__name__, level=logging.CRITICAL)


@dataclass(frozen=True)
class Failure:
    """Why a project failed. `cell` is the number in ``In [n]``; `lines` are whole sentences."""

    kind: Kind
    lines: tuple[str, ...]
    heading: str = ""
    cell: int | None = None

    @property
    def place(self) -> str:
        """Where, as ``“三、评分”代码格 [4]``; empty if no cell is to blame."""
        heading = f"“{self.heading}”" if self.heading else ""
        return f"{heading}代码格 [{self.cell}]" if self.cell else ""

    def __str__(self) -> str:
        return "：".join(filter(None, (self.place, "；".join(self.lines))))


def declared(source: str) -> dict[str, str]:
    """The parameters a `parameters` cell assigns, read without running it.

    Each has a kind: str, int, float, bool or other.

    >>> declared("stage = '初稿'; top: int = 5")
    {'stage': 'str', 'top': 'int'}
    """
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        kind, targets = "str", list[ast.expr]()
        if isinstance(node, ast.AnnAssign):
            kind, targets = ast.unparse(node.annotation).split("|")[0].strip(), [node.target]
        elif isinstance(node, ast.Assign):
            targets = node.targets
            with suppress(ValueError):  # it is no literal
                kind = type(ast.literal_eval(node.value)).__name__
        names = (target.id for target in targets if isinstance(target, ast.Name))
        found |= dict.fromkeys(names, _KINDS.get(kind, "other"))
    return found


def notebook_parameters(path: Path) -> dict[str, str]:
    """What the cell tagged `parameters` of a notebook declares.

    Raises:
        EvalkitError: not a notebook, or its `parameters` cell is not Python.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        tagged = (c for c in cells if "parameters" in c["metadata"].get("tags", []))
        return declared("".join(next(tagged, {"source": ""})["source"]))
    except (OSError, ValueError, KeyError, TypeError, SyntaxError):
        raise refusal("notebook", file=path.name) from None


def plain(value: Any) -> Any:
    """A parameter as JSON types: numpy scalars unwrapped, dates ISO, decimals as text.

    >>> from datetime import date
    >>> plain({"day": date(2025, 6, 30), "codes": ("001",)})
    {'day': '2025-06-30', 'codes': ['001']}
    """
    return to_jsonable_python(value, fallback=methodcaller("item"))
