"""What an indicator measured: an exact number, the cells it came from, how it is printed."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from evalkit.core.expr import Term
from evalkit.core.model import Datum, Input
from evalkit.core.numbers import chinese_date, plain


@dataclass(frozen=True)
class Measure:
    """A measurement. `gap` says what is missing; term and value are then None."""

    term: Term | None = None
    inputs: tuple[Input, ...] = ()
    shown: str = ""
    unit: str = ""
    gap: str = ""
    day: date | None = None  # a date measured instead of a number
    answer: str = ""  # 是 / 否
    month_only: bool = False


def setting(name: str, datum: Datum) -> tuple[Input, ...]:
    """The trace's entry for a choice (rule, direction, year); none for an empty cell."""
    return () if datum.value is None else (input_of(name, datum, "setting"),)


def input_of(name: str, datum: Datum, of: Literal["value", "setting"] = "value") -> Input:
    """The trace's entry for one workbook cell."""
    number = datum.number
    value = plain(number) if number is not None else str(datum.value or "")
    place = datum.model_dump(include={"unit", "cell", "raw", "formula"})
    return Input(name=name, value=value, of=of, **place)


def direct(datum: Datum, name: str = "实际完成值") -> Measure:
    """A value typed in one cell.

    >>> from decimal import Decimal
    >>> direct(Datum(value=Decimal("98.5"), cell="指标!M4", raw="98.5%", unit="%")).shown
    '98.5%'
    """
    if datum.value is None:
        return Measure(gap=f"{name}待补充")
    value, inputs = datum.value, (input_of(name, datum),)
    if isinstance(value, date):
        shown = datum.raw if datum.precision else chinese_date(value)
        return Measure(Term.of(value), inputs, shown, day=value, month_only=datum.precision != "")
    if isinstance(value, str):
        return Measure(None, inputs, value, answer=value)
    return Measure(Term.of(value), inputs, f"{plain(value)}{datum.unit}", datum.unit)
