"""The names that scoring knows, which stand in texts.yaml, and how it speaks of a cell."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from evalkit.core.model import Datum
from evalkit.core.numbers import plain
from evalkit.core.problem import Problem, sentence
from evalkit.core.yaml_file import load_yaml

TEXTS: dict[str, Any] = load_yaml(Path(__file__).with_suffix(".yaml"))
LABELS: dict[str, str] = TEXTS["labels"]


def say(code: str, at: Datum, indicator: str = "", /, **facts: object) -> Problem:
    """The `sentence` of this code at a cell, completed with the facts, numbers plain.

    >>> print(say("points.range", Datum(cell="指标!H4"), name="里程", points=Decimal(0)))
    指标｜H4：里程：分值 0 须大于 0——请改正
    """
    shown = {name: plain(f) if isinstance(f, Decimal) else f for name, f in facts.items()}
    return sentence(code, at=at.cell, indicator=indicator, **shown)
