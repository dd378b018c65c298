"""Exact numbers that remember how they were found.

A `Term` is a rational number together with the Excel expression that yields it. Scoring rules are
written once, as ordinary arithmetic over terms; the value becomes the score and the text becomes
the formula in the trace, so the two cannot drift apart. The text is valid in Excel and WPS.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import total_ordering
from operator import add, eq, ge, gt, le, lt, mul, sub, truediv
from typing import Any, Union

from evalkit.core.numbers import plain, to_decimal

Number = Union["Term", Decimal, Fraction, int, str]

_ATOM, _PRODUCT, _SUM = 3, 2, 1
_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "+": add, "-": sub, "*": mul, "/": truediv,
    ">=": ge, ">": gt, "<=": le, "<": lt, "=": eq,
}  # fmt: skip
EPOCH = date(1899, 12, 30)  # Excel's day zero, so dates subtract as they do in a sheet


def _joined(sign: str, level: int) -> Callable[["Term", Number], "Term"]:
    """The operator with this sign."""

    def operator(left: "Term", other: Number) -> "Term":
        right = Term.of(other)
        text = f"{left._wrap(level)}{sign}{right._wrap(level + 1)}"
        return Term(_SIGNS[sign](left.value, right.value), text, level)

    return operator


@total_ordering
@dataclass(eq=False, slots=True)
class Term:
    """One exact number and its expression.

    >>> points, actual, target = Term.of(8), Term.of("205.8"), Term.of(210)
    >>> points * least(1, actual / target)
    Term(7.84, '8*MIN(1,205.8/210)')
    """

    value: Fraction
    text: str
    level: int = _ATOM  # how tightly the text holds together

    @classmethod
    def of(cls, number: Number | date) -> "Term":
        """Lift a plain number (or a date, as Excel's serial day) to a term.

        Floats are refused: they are turned into decimals at the door, by `to_decimal` alone.
        """
        if isinstance(number, Term):
            return number
        if isinstance(number, date):
            text = f"DATE({number.year},{number.month},{number.day})"
            return cls(Fraction((number - EPOCH).days), text)
        if isinstance(number, Fraction) and number.denominator != 1:
            return cls(number, f"{number.numerator}/{number.denominator}", _PRODUCT)
        decimal = to_decimal(str(number) if isinstance(number, Fraction) else number)
        text = plain(decimal)
        return cls(Fraction(decimal), text, _SUM if text.startswith("-") else _ATOM)

    def _wrap(self, level: int) -> str:
        return self.text if self.level >= level else f"({self.text})"

    __add__, __sub__ = _joined("+", _SUM), _joined("-", _SUM)
    __mul__, __truediv__ = _joined("*", _PRODUCT), _joined("/", _PRODUCT)

    def __rsub__(self, other: Number) -> "Term":
        return Term.of(other) - self

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Term, Decimal, Fraction, int)):
            return self.value == Term.of(other).value
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)

    def __lt__(self, other: Number) -> bool:
        return self.value < Term.of(other).value

    def decimal(self) -> Decimal:
        """The value as a decimal of at most 28 significant digits."""
        return Decimal(self.value.numerator) / Decimal(self.value.denominator)

    def __repr__(self) -> str:
        return f"Term({plain(self.decimal())}, {self.text!r})"


def least(*numbers: Number) -> "Term":
    """Excel's MIN over terms."""
    return _pick("MIN", min, numbers)


def greatest(*numbers: Number) -> "Term":
    """Excel's MAX over terms."""
    return _pick("MAX", max, numbers)


def _pick(name: str, choose: Callable[..., Fraction], numbers: tuple[Number, ...]) -> "Term":
    terms = [Term.of(n) for n in numbers]
    return Term(choose(t.value for t in terms), f"{name}({','.join(t.text for t in terms)})")


def total(numbers: list[Term]) -> "Term":
    """Sum of terms; a lone term stays as it is.

    >>> total([Term.of(1), Term.of(2), Term.of(3)])
    Term(6, '1+2+3')
    """
    return sum(numbers[1:], start=numbers[0])


def whole_up(number: Number) -> "Term":
    """Excel's ROUNDUP(x,0) for x ≥ 0: a started step counts in full."""
    t = Term.of(number)
    return Term(Fraction(-((-t.value) // 1)), f"ROUNDUP({t.text},0)")


def whole_down(number: Number) -> "Term":
    """Excel's ROUNDDOWN(x,0) for x ≥ 0: only whole steps count."""
    t = Term.of(number)
    return Term(Fraction(t.value // 1), f"ROUNDDOWN({t.text},0)")


def when(left: Term, op: str, right: Number, yes: Number, no: Number) -> "Term":
    """Excel's IF(left op right, yes, no); op is one of ``>= > <= < =``.

    >>> when(Term.of(93), ">=", 95, 10, 8)
    Term(8, 'IF(93>=95,10,8)')
    """
    r, y, n = Term.of(right), Term.of(yes), Term.of(no)
    met = y if _SIGNS[op](left.value, r.value) else n
    return Term(met.value, f"IF({left.text}{op}{r.text},{y.text},{n.text})")
