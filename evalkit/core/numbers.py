"""Decimals: where floats end, where rounding happens, how figures are printed."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import floor
from typing import Literal

Rounding = Literal["half_up", "gbt8170"]

YUAN_PER = {"元": Decimal(1), "万元": Decimal(10_000), "亿元": Decimal(100_000_000)}


def to_decimal(number: Decimal | int | float | str) -> Decimal:
    """The only place where a float becomes a decimal: through its shortest text.

    >>> to_decimal(1.005)
    Decimal('1.005')

    Raises:
        ValueError: not a finite number.
    """
    try:
        decimal = number if isinstance(number, Decimal) else Decimal(str(number))
    except InvalidOperation:
        raise ValueError(f"不是数字：{number!r}") from None
    if not decimal.is_finite():
        raise ValueError(f"不是有限的数：{number!r}")
    return decimal


def round_to(value: Decimal | Fraction | int, digits: int, mode: Rounding = "half_up") -> Decimal:
    """Round once, exactly, to `digits` decimals.

    Fiscal practice rounds half up; GB/T 8170-2008 rounds an exact half to the even digit.

    >>> round_to(Decimal("1.005"), 2), round_to(Decimal("0.125"), 2, "gbt8170")
    (Decimal('1.01'), Decimal('0.12'))
    """
    scaled = abs(Fraction(value)) * 10**digits
    whole = round(scaled) if mode == "gbt8170" else floor(scaled + Fraction(1, 2))
    return Decimal(f"{whole if value >= 0 else -whole}E{-digits}")


def chinese_date(day: date) -> str:
    """A date without padded zeros (GB/T 9704-2012).

    >>> chinese_date(date(2025, 6, 30))
    '2025年6月30日'
    """
    return f"{day.year}年{day.month}月{day.day}日"


def chinese(number: int) -> str:
    """1–99 in Chinese.

    >>> chinese(7), chinese(10), chinese(21)
    ('七', '十', '二十一')
    """
    digits = "零一二三四五六七八九"
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else digits[tens] + "十"
    return head + (digits[ones] if ones or not tens else "")


def plain(value: Decimal) -> str:
    """A decimal as plain digits, without exponent or trailing zeros.

    >>> plain(Decimal("7.840")), plain(Decimal("1E+3"))
    ('7.84', '1000')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def fixed(value: Decimal | Fraction | int, digits: int = 2, mode: Rounding = "half_up") -> str:
    """A figure as printed: rounded once, fixed decimals, no thousands separators.

    >>> fixed(Decimal("94.5"))
    '94.50'
    """
    return f"{round_to(value, digits, mode):f}"


def fine(value: Decimal | Fraction | int) -> str:
    """A unit cost or a quota as printed, to a thousandth.

    >>> fine(Decimal("5.39995"))
    '5.400'
    """
    return fixed(value, 3)


def finer(value: Decimal | float) -> Decimal:
    """A statistic or a value to go on with, to a ten-thousandth.

    >>> finer(0.123228)
    Decimal('0.1232')
    """
    return round_to(to_decimal(value), 4)


def wan(yuan: Decimal, digits: int = 2) -> str:
    """Money in 元 printed in 万元.

    >>> wan(Decimal("7691780"))
    '769.18'
    """
    return fixed(yuan / YUAN_PER["万元"], digits)


def percent(part: Decimal | None, whole: Decimal | None, digits: int = 2) -> Decimal | None:
    """Percent as printed, rounded once; None where one is unknown or there is no whole.

    >>> percent(Decimal(1), Decimal(3)), percent(Decimal(1), Decimal(0))
    (Decimal('33.33'), None)
    """
    if part is None or not whole:
        return None
    return round_to(Fraction(part) / Fraction(whole) * 100, digits)


def rounding_tail(parts: Sequence[Decimal], printed_total: Decimal, digits: int = 2) -> bool:
    """True when rounded parts depart from their rounded total by at most n half-units.

    A table then carries the note 因四舍五入存在尾差; a larger gap is an error, not a tail.

    >>> rounding_tail([Decimal("33.33")] * 3, Decimal("100.00"))
    True
    """
    gap = abs(sum(parts, Decimal(0)) - printed_total)
    unit = Decimal(1).scaleb(-digits)
    return 0 < gap <= unit * len(parts) / 2
