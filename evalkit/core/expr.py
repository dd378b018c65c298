"""Exact numbers that remember how they were found.

A `Term` is a rational number together with the Excel expression that yields it. Scoring rules are
written once, as ordinary arithmetic over terms; the value becomes the score and the text becomes
the formula in the trace, so the two cannot drift apart. The text is valid in Excel and WPS.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Union

from evalkit.core.numbers import plain, to_decimal

Number = Union["Term", Decimal, Fraction, int, str]

_ATOM, _PRODUCT, _SUM = 3, 2, 1
EPOCH = date(1899, 12, 30)  # Excel's day zero, so dates subtract as they do in a sheet


class Term:
    """One exact number and its expression.

    >>> points, actual, target = Term.of(8), Term.of("205.8"), Term.of(210)
    >>> points * least(1, actual / target)
    Term(7.84, '8*MIN(1,205.8/210)')
    """

    __slots__ = ("level", "text", "value")

    def __init__(self, value: Fraction, text: str, level: int = _ATOM) -> None:
        self.value = value
        self.text = text
        self.level = level

    @classmethod
    def of(cls, number: Number | date) -> Term:
        """Lift a plain number (or a date, as Excel's serial day) to a term.

        Floats are refused: they are turned into decimals at the door, by `to_decimal` alone.
        """
        if isinstance(number, Term):
            return number
        if isinstance(number, date):
            return cls(
                Fraction((number - EPOCH).days), f"DATE({number.year},{number.month},{number.day})"
            )
        if isinstance(number, Fraction) and number.denominator != 1:
            return cls(number, f"{number.numerator}/{number.denominator}", _PRODUCT)
        decimal = to_decimal(str(number) if isinstance(number, Fraction) else number)
        text = plain(decimal)
        return cls(Fraction(decimal), text, _SUM if text.startswith("-") else _ATOM)

    def _wrap(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"

    def __add__(self, other: Number) -> Term:
        o = Term.of(other)
        return Term(self.value + o.value, f"{self.text}+{o._wrap(_PRODUCT)}", _SUM)

    def __sub__(self, other: Number) -> Term:
        o = Term.of(other)
        return Term(self.value - o.value, f"{self.text}-{o._wrap(_PRODUCT)}", _SUM)

    def __mul__(self, other: Number) -> Term:
        o = Term.of(other)
        text = f"{self._wrap(_PRODUCT)}*{o._wrap(_ATOM)}"
        return Term(self.value * o.value, text, _PRODUCT)

    def __truediv__(self, other: Number) -> Term:
        o = Term.of(other)
        text = f"{self._wrap(_PRODUCT)}/{o._wrap(_ATOM)}"
        return Term(self.value / o.value, text, _PRODUCT)

    def __rsub__(self, other: Number) -> Term:
        return Term.of(other) - self

    def __radd__(self, other: Number) -> Term:
        return Term.of(other) + self

    def __rmul__(self, other: Number) -> Term:
        return Term.of(other) * self

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Term, Decimal, Fraction, int)):
            return self.value == Term.of(other).value
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: Number) -> bool:
        return self.value < Term.of(other).value

    def __le__(self, other: Number) -> bool:
        return self.value <= Term.of(other).value

    def __gt__(self, other: Number) -> bool:
        return self.value > Term.of(other).value

    def __ge__(self, other: Number) -> bool:
        return self.value >= Term.of(other).value

    def decimal(self) -> Decimal:
        """The value as a decimal of at most 28 significant digits."""
        return Decimal(self.value.numerator) / Decimal(self.value.denominator)

    def __repr__(self) -> str:
        return f"Term({plain(self.decimal())}, {self.text!r})"


def least(*numbers: Number) -> Term:
    """Excel's MIN over terms."""
    return _pick("MIN", min, numbers)


def greatest(*numbers: Number) -> Term:
    """Excel's MAX over terms."""
    return _pick("MAX", max, numbers)


def _pick(name: str, choose: Callable[..., Fraction], numbers: tuple[Number, ...]) -> Term:
    terms = [Term.of(n) for n in numbers]
    return Term(choose(t.value for t in terms), f"{name}({','.join(t.text for t in terms)})")


def total(numbers: list[Term]) -> Term:
    """Sum of terms; a lone term stays as it is.

    >>> total([Term.of(1), Term.of(2), Term.of(3)])
    Term(6, '1+2+3')
    """
    result = numbers[0]
    for number in numbers[1:]:
        result = result + number
    return result


def whole_up(number: Number) -> Term:
    """Excel's ROUNDUP(x,0) for x ≥ 0: a started step counts in full."""
    t = Term.of(number)
    return Term(Fraction(-((-t.value) // 1)), f"ROUNDUP({t.text},0)")


def whole_down(number: Number) -> Term:
    """Excel's ROUNDDOWN(x,0) for x ≥ 0: only whole steps count."""
    t = Term.of(number)
    return Term(Fraction(t.value // 1), f"ROUNDDOWN({t.text},0)")


def when(left: Term, op: str, right: Number, yes: Number, no: Number) -> Term:
    """Excel's IF(left op right, yes, no); op is one of ``>= > <= < =``.

    >>> when(Term.of(93), ">=", 95, 10, 8)
    Term(8, 'IF(93>=95,10,8)')
    """
    r, y, n = Term.of(right), Term.of(yes), Term.of(no)
    holds = {
        ">=": left.value >= r.value,
        ">": left.value > r.value,
        "<=": left.value <= r.value,
        "<": left.value < r.value,
        "=": left.value == r.value,
    }[op]
    return Term((y if holds else n).value, f"IF({left.text}{op}{r.text},{y.text},{n.text})")
