"""What a workbook says to a person and how it looks; the words are in texts.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from evalkit.core.problem import EvalkitError, Problem

_TEXTS: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))


class Look(NamedTuple):
    """How a type of field looks: `width` in Excel's units, 0 is as wide as the choices."""

    name: str
    width: float
    number_format: str


class Need(NamedTuple):
    """How a level of need looks: its meaning, the mark behind a label, the colour of a cell."""

    meaning: str
    mark: str
    fill: str


TYPES = {name: Look(*row) for name, row in _TEXTS["types"].items()}
NEEDS = {name: Need(*row) for name, row in _TEXTS["needs"].items()}
HOW: tuple[str, ...] = tuple(_TEXTS["how"])
WORDS: dict[str, Any] = _TEXTS["words"]
SIGNS: tuple[str, ...] = tuple(_TEXTS["signs"])
STYLES: dict[str, dict[str, Any]] = _TEXTS["styles"]


def sentence(code: str, **facts: object) -> Problem:
    """The problem with this code, its sentence completed with the facts.

    >>> print(sentence("type.number", text="“很多”"))
    “很多”不是数字——请只填一个数字，说明写在文字列里
    """
    severity, what, remedy = (part.format(**facts) for part in _TEXTS["sentences"][code])
    return Problem(code=code, severity=severity, what=what, remedy=remedy)


def excel_error(shown: str) -> Problem:
    """What an Excel error such as ``#REF!`` means, to follow the field's label."""
    what, remedy = _TEXTS["excel_errors"].get(shown, ("公式出错", "请检查公式"))
    return sentence("formula.error", shown=shown, what=what, remedy=remedy)


def refusal(path: Path, code: str, **facts: object) -> EvalkitError:
    """The error for a file that is not read at all."""
    return EvalkitError([sentence(code, **facts).model_copy(update={"file": path.name})])
