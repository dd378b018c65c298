"""What a cell means: numbers with units and operators, money, percentages, dates, yes and no.

Pure functions over one cell. Nothing is guessed: what has two readings is reported, and text that
is no number stays text.
"""

import calendar
import math
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from string import Template
from typing import Literal

from evalkit.core.model import Bound, Datum, Precision
from evalkit.core.numbers import plain, to_decimal
from evalkit.core.problem import Problem, sentence
from evalkit.workbook.names import clean, half, match_key, nearest, quote
from evalkit.workbook.texts import BOUNDS, PATTERNS, WORDS

FieldType = Literal[
    "text", "longtext", "code", "integer", "number", "amount", "date", "choice", "yesno", "value"
]
Content = str | int | float | bool | datetime | date | time | timedelta | None
Reading = tuple[Datum, list[Problem]]

LONG_TEXT = 5_000
_NUMBER_TEXT = 60  # longer text is never one number

_SCALES = {"千": 3, "万": 4, "百万": 6, "千万": 7, "亿": 8, "万亿": 12}  # powers of ten


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _pattern(name: str, **parts: str) -> re.Pattern[str]:
    return re.compile(Template(PATTERNS[name]).substitute(parts), re.VERBOSE)


_SCALED = re.compile(rf"({_any_of(_SCALES)})(.+)")
_QUANTITY = _pattern(
    "quantity", before=_any_of(BOUNDS.keys() - WORDS["behind"]), behind=_any_of(WORDS["behind"])
)
_DATES = [_pattern("date", rest=rest) for rest in PATTERNS["dates"]]


def excel_number(number: float) -> Decimal:
    """A number as Excel shows it: 15 significant digits, so binary noise goes.

    >>> excel_number(94.54000000000001)
    Decimal('94.54')
    """
    return Decimal(plain(to_decimal(number if isinstance(number, int) else f"{number:.15g}")))


def quantity(raw: str) -> Datum | None:
    """The one number that the whole text is, with its unit and operator as written, or None.

    >>> datum = quantity("≧735人次")
    >>> datum.value, datum.unit, datum.bound
    (Decimal('735'), '人次', '≥')
    >>> quantity("2处未达标") is None and quantity("3-5次") is None
    True
    """
    text = half(raw).replace("(含)", "").strip()
    found = _QUANTITY.fullmatch(text) if len(text) <= _NUMBER_TEXT else None
    if not found or (found["bound"] and found["tail"]) or (found["part"] and found["unit"]):
        return None
    value = Decimal(re.sub(r"[, ]", "", found["number"])) or Decimal(0)  # not -0
    unit = "%" if found["part"] else normal_unit(found["unit"] or "")
    if unit in _SCALES:  # 3万 without a noun
        value, unit = value.scaleb(_SCALES[unit]), ""
    bound = BOUNDS.get(found["bound"] or found["tail"], "")
    return Datum(value=Decimal(plain(value)), raw=raw, unit=unit, bound=bound)


def normal_unit(unit: str) -> str:
    """A unit in one spelling.

    >>> normal_unit("万元整"), normal_unit("百分比")
    ('万元', '%')
    """
    unit = "".join(half(unit).split())
    return "%" if unit in WORDS["percent"] else unit.removesuffix("整")


def split_scale(unit: str) -> tuple[int, str]:
    """A unit as (power of ten, base unit).

    >>> split_scale("万公里"), split_scale("亿元"), split_scale("人次")
    ((4, '公里'), (8, '元'), (0, '人次'))
    """
    found = _SCALED.fullmatch(unit)
    return (_SCALES[found[1]], found[2]) if found else (0, unit)


def convert(value: Decimal, unit: str, into: str) -> Decimal | None:
    """The value in another unit of the same base, exactly; None where the bases differ.

    >>> convert(Decimal("15.5"), "万元", "元")
    Decimal('155000')
    """
    (power, base), (wanted, other) = split_scale(unit), split_scale(into)
    return Decimal(plain(value.scaleb(power - wanted))) if base == other else None


def moment(raw: str, loose: bool = False) -> Datum | None:
    """The date that the whole text is, or None; a month or a year stands for its last day.

    `loose` also takes 20250630 and 2025.6, which elsewhere are numbers.

    >>> datum = moment("2021年12月完成")
    >>> datum.value, datum.precision
    (datetime.date(2021, 12, 31), 'month')

    Raises:
        ValueError: it is written as a date that does not exist.
    """
    text = half(raw).strip()
    patterns = _DATES if loose else _DATES[:-2]
    matches = (pattern.fullmatch(text) for pattern in patterns if len(text) <= _NUMBER_TEXT)
    found = next((match for match in matches if match), None)
    if not found or not 1900 <= int(found["y"]) <= 2100:
        return None
    part = {name: int(digits) for name, digits in found.groupdict("").items() if digits.isdigit()}
    day = date(part["y"], part.get("m", 12), part.get("d", 1))
    precision: Precision = "" if "d" in part else "month" if "m" in part else "year"
    bound: Bound = "≤" if found["until"] or found["before"] else ""
    day = _month_end(day) if precision else day
    return Datum(value=day, raw=raw, precision=precision, bound=bound)


def _month_end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def yes_no(text: str) -> Literal["是", "否"] | None:
    """是 or 否 for the usual ways to write it, else None.

    >>> yes_no("√"), yes_no("Ｎ"), yes_no("有效")
    ('是', '否', None)
    """
    key = match_key(text)
    return "是" if key in WORDS["yes"] else "否" if key in WORDS["no"] else None


def read_cell(
    content: Content, kind: FieldType, *, unit: str = "", choices: Sequence[str] = (),
    number_format: str = "General",
) -> Reading:  # fmt: skip
    """One cell's content as a datum without address, and what is wrong with it.

    `content` is what openpyxl gives; `unit` is that of a bare number (header or 单位 column).
    Problems speak of the content only and are meant to follow the field's label.

    >>> datum, problems = read_cell("１５．５万元", "amount", unit="元")
    >>> datum.value, datum.unit, problems
    (Decimal('155000'), '元', [])
    >>> read_cell(0.98, "value", number_format="0%")[0].value
    Decimal('98')
    """
    if isinstance(content, bool):
        content = "是" if content else "否"
    typed: Reading | object = content
    if isinstance(content, int | float):
        typed = _from_number(content, kind, unit, number_format)
    elif isinstance(content, date):
        typed = _from_date(content, kind, number_format)
    if isinstance(typed, tuple):
        return typed
    text, dirty = clean("" if typed is None else str(typed))
    problems = [sentence("text.control")] if dirty else []
    if len(text) > LONG_TEXT:
        problems.append(sentence("text.long", size=len(text)))
    if not text or (text in WORDS["nothing"] and kind not in ("text", "longtext", "code")):
        return Datum(raw=text), problems
    datum, more = _from_text(text, kind, unit, choices)
    return datum, problems + more


def _wrong(code: str, raw: str, **facts: object) -> Reading:
    return Datum(raw=raw), [sentence(code, text=quote(raw), **facts)]


def _from_text(text: str, kind: FieldType, unit: str, choices: Sequence[str]) -> Reading:
    if kind in ("text", "longtext"):
        return Datum(value=text, raw=text), []
    if kind == "code":
        lost = re.fullmatch(r"\d(?:\.\d+)?E\+\d+", half(text))
        problems = [sentence("code.scientific", text=quote(text))] if lost else []
        return Datum(value=half(text), raw=text), problems
    if kind == "choice":
        known = {match_key(choice): choice for choice in choices}
        if match_key(text) in known:
            return Datum(value=known[match_key(text)], raw=text), []
        names, hint = "、".join(choices), nearest(text, choices)
        return _wrong("choice.unknown", text, choices=names, hint=hint)
    if kind in ("yesno", "value") and (answer := yes_no(text)):
        return Datum(value=answer, raw=text), []
    if kind in ("date", "value"):
        try:
            when = moment(text, loose=kind == "date")
        except ValueError:
            return _wrong("date.impossible", text)
        if when:
            return when, []
    if kind not in ("yesno", "date") and (number := quantity(text)):
        return _measure(number, kind, unit)
    return (Datum(value=text, raw=text), []) if kind == "value" else _wrong(f"type.{kind}", text)


def _measure(number: Datum, kind: FieldType, unit: str) -> Reading:
    """Bring a number into the unit of its field, row or header."""
    value, own, raw = number.number or Decimal(0), number.unit, number.raw
    if kind == "integer":
        whole = value == value.to_integral_value() and not number.bound and own != "%"
        return (number, []) if whole else _wrong("type.integer", raw)
    if kind == "amount":
        money = "万元" if own == "万" else own or unit or "元"
        yuan = convert(value, money, "元")
        if yuan is None:
            return _wrong("unit.unknown", raw, unit=money)
        return number.model_copy(update={"value": yuan, "unit": "元"}), []
    problems = []
    unit = normal_unit(unit)
    if own:
        into = unit or ("元" if split_scale(own)[1] == "元" else own)
        converted = convert(value, own, into)
        if converted is None:
            problems.append(sentence("unit.conflict", text=quote(raw), unit=unit))
        value, unit = (value, own) if converted is None else (converted, into)
    elif unit == "%" and 0 < abs(value) <= 1:
        low, high = plain(value), plain(value.scaleb(2))
        problems.append(sentence("percent.ambiguous", text=quote(raw), low=low, high=high))
    return number.model_copy(update={"value": value, "unit": unit}), problems


def _from_number(content: float, kind: FieldType, unit: str, shown: str) -> Reading | str:
    """A number's reading, or the text to read instead where the kind asks for another type."""
    if not math.isfinite(content):
        return _wrong("type.number", str(content))
    value = excel_number(content)
    raw = plain(value)
    if kind == "code":
        raw = raw.zfill(len(shown)) if re.fullmatch("0+", shown) else raw
        lost = abs(value) >= Decimal(10) ** 15
        code, text = ("code.scientific", f"{value:.2E}") if lost else ("code.zeros", raw)
        return Datum(value=raw, raw=raw), [sentence(code, text=quote(text))]
    own = _format_unit(shown)
    if own == "%":
        value = Decimal(plain(value.scaleb(2)))
    raw = plain(value) + own
    if kind in ("number", "amount", "integer", "value"):
        return _measure(Datum(value=value, raw=raw, unit=own), kind, unit)
    if kind == "date" and "." in raw:  # 2025.1 may have been 2025.10
        return _wrong("type.date", raw)
    return raw


def _format_unit(number_format: str) -> str:
    """The unit that a number format shows behind the number: ``0.00%``, ``0.00"万元"``."""
    first = re.sub(r"\[[^\]]*\]|_.|\\", "", number_format.split(";")[0]).strip()
    found = re.fullmatch(r'[#0,]*0(?:\.[0#]+)?\s*"?([^"\s#0-9,.?*@+\-()]+)"?', first)
    return normal_unit(found[1]) if found else ""


def _from_date(content: date, kind: FieldType, shown: str) -> Reading | str:
    """A date's reading, or the text to read instead where the kind asks for another type."""
    day = content.date() if isinstance(content, datetime) else content
    raw = day.isoformat()
    if kind in ("text", "longtext"):
        return Datum(value=raw, raw=raw), [sentence("text.date", text=raw)]
    if kind == "code":
        return Datum(raw=raw), [sentence("code.date", text=raw)]
    if kind not in ("date", "value"):
        return raw
    shown = re.sub(r"\[[^\]]*\]", "", shown).lower()
    if "y" in shown and "d" not in shown:
        return Datum(value=_month_end(day), raw=raw[:7], precision="month"), []
    return Datum(value=day, raw=raw), []
