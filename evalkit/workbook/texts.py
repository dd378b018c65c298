"""How a workbook looks and what words it knows; both are in texts.yaml."""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from evalkit.core.model import Bound

_TEXTS: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))


class Look(NamedTuple):
    """How a type of field looks: `width` in Excel's units, 0 is as wide as the choices."""

    name: str
    width: float
    style: dict[str, Any]


class Need(NamedTuple):
    """How a level of need looks: its meaning, the mark behind a label, the colour of a cell."""

    meaning: str
    mark: str
    fill: str


TYPES = {name: Look(*row) for name, row in _TEXTS["types"].items()}
NEEDS = {name: Need(*row) for name, row in _TEXTS["needs"].items()}
GUIDE: dict[str, list[list[str]]] = _TEXTS["guide"]
DROPDOWNS: dict[str, dict[str, str]] = _TEXTS["dropdowns"]
WORDS = {name: frozenset(words.split()) for name, words in _TEXTS["words"].items()}
_SIGNED = _TEXTS["bounds"].items()
BOUNDS: dict[str, Bound] = {word: sign for sign, words in _SIGNED for word in words.split()}
PATTERNS: dict[str, Any] = _TEXTS["patterns"]
SIGNS: tuple[str, ...] = tuple(_TEXTS["signs"])
STYLES: dict[str, dict[str, Any]] = _TEXTS["styles"]
