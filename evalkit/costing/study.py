"""What the parts of a cost standard study hand on to one another, and how they print it.

A part without data leaves no table, and the report then has no such section.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from string import ascii_uppercase
from typing import Any, Protocol

import numpy as np
import pandas as pd

from evalkit.core.model import Row, Source
from evalkit.core.numbers import finer, plain
from evalkit.core.problem import Problem
from evalkit.policy import Policy
from evalkit.scoring.rows import Line
from evalkit.standards.service import Service

Frame = Any  # a pandas DataFrame; pandas-stubs knows no columns of Decimals
_NUMBERS = ("number", "integer", "amount")
WHOLE = "综合"  # all tiers that are measured in the unit of the main driver, by volume


class Given(Protocol):
    """The workbook as it was read, and what holds for its year."""

    @property
    def form(self) -> Row:
        """The first sheet."""

    @property
    def source(self) -> Source:
        """All sheets."""

    @property
    def schema(self) -> Any:
        """What the sheets are."""

    @property
    def policy(self) -> Policy:
        """The policy as of the end of its year."""


@dataclass
class Study:
    """What is known so far."""

    task: Given
    service: Service
    tables: dict[str, list[Line]] = field(default_factory=dict)
    values: dict[str, Line] = field(default_factory=dict)
    subject: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    offers: list[Line] = field(default_factory=list)  # what each method says a tier costs
    tiers: Frame = field(default_factory=pd.DataFrame)  # with volume in units of the tier
    allowed: Frame = field(default_factory=pd.DataFrame)  # costs after the audit
    quotas: Frame = field(default_factory=lambda: pd.DataFrame(columns=["tier", "adjusted"]))
    extra: dict[str, Decimal] = field(default_factory=dict)  # taxes and profit beside the quota
    year: int = 0  # the last one with costs of the unit
    capacity: Decimal = Decimal(0)  # of the unit in that year, if it has one; main driver

    def frame(self, name: str) -> Frame:
        """A sheet as it was filled in: numbers as Decimal or None, the rest as text, and `at`."""
        sheet = self.task.schema.sheet(name)
        kinds = {spec.id: spec.type for spec in sheet.fields}
        rows = [
            {
                key.partition(":")[2] or key: _cell(datum, kinds[key.partition(":")[0]])
                for key, datum in row.items()
            }
            | {"at": max((d.cell for d in row.values() if d.raw), key=_line, default="")}
            for row in self.task.source.tables[name]
        ]
        columns = list(rows[0]) if rows else [*sheet.blank, "at"]
        return pd.DataFrame(rows, columns=columns, dtype=object)

    def text(self, name: str) -> str:
        """A field of the first sheet."""
        return self.task.form[name].text

    def policy(self, key: str) -> Any:
        """The value of a policy parameter."""
        return self.task.policy.value(key)

    def offer(self, tier: str, method: str, value: Any, n: int, note: str = "") -> None:
        """Enter what a method gives for a tier."""
        if value is not None and value > 0:
            at = {"tier": tier, "method": method, "n": n, "note": note}
            self.offers.append(at | {"value": finer(value)})

    @property
    def whole(self) -> str:
        """The tier, or all tiers together, that the unit costs of the main driver are of."""
        alike = self.tiers[self.tiers["unit"] == self.service.driver.unit]
        return str(alike["tier"].iloc[0]) if len(alike) == 1 else WHOLE


def _line(cell: str) -> int:
    """The number of a cell's row; what is filled down into a row stands in a cell above it."""
    return int(cell.rpartition("!")[2].lstrip(ascii_uppercase))


def _cell(datum: Any, kind: str) -> Any:
    if kind not in _NUMBERS:
        return datum.raw if kind == "value" else datum.text
    if datum.number is None:
        return None
    return int(datum.number) if kind == "integer" else datum.number


def text_of(value: Any, say: Callable[[Decimal], str] = plain) -> str:
    """A value as text: — for what is not there, floats to four decimals."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "—"
    if isinstance(value, Decimal):
        return say(value)
    return say(finer(value)) if isinstance(value, float) else str(value)


def printed(frame: Frame, **say: Callable[[Decimal], str]) -> list[Line]:
    """The rows as text; numbers of a column as `say` has it, else plainly."""
    records = frame.to_dict("records")
    return [{str(k): text_of(v, say.get(str(k), plain)) for k, v in row.items()} for row in records]
