"""What a cell means: numbers with units and operators, money, percentages, dates, yes and no.

Pure functions over one cell. Nothing is guessed: what has two readings is reported, and text that
is no number stays text.
"""

from __future__ import annotations

import calendar
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Literal

from evalkit.core.model import Datum
from evalkit.core.numbers import plain, to_decimal
from evalkit.core.problem import Problem
from evalkit.workbook.sentences import sentence

FieldType = Literal[
    "text", "longtext", "code", "integer", "number", "amount", "date", "choice", "yesno", "value"
]
Content = str | int | float | bool | datetime | date | time | timedelta | None
Bound = Literal["", "≥", "≤", "=", ">", "<"]
Precision = Literal["", "month", "year"]

LONG_TEXT = 5_000
_NUMBER_TEXT = 60  # longer text is never one number

_HALF = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    ord(full): half
    for full, half in {
        "\u3000": " ", "\xa0": " ", "￥": "¥", "﹪": "%", "−": "-", "﹣": "-", "〔": "(", "〕": ")",
        "≧": "≥", "⩾": "≥", "≦": "≤", "⩽": "≤", "═": "=", "〓": "=", "﹥": ">", "﹤": "<",
    }.items()
}  # fmt: skip
_ESCAPED = re.compile(r"_x(00[01][0-9A-Fa-f]|007[Ff])_")  # how a control character sits in a sheet
_SPACE = re.compile(r"\s+")

_WORDS: dict[Bound, str] = {
    "≥": "≥ >= 不低于 不少于 不小于 大于等于 大于或等于 至少 以上 及以上",
    "≤": "≤ <= 不超过 不高于 不多于 不大于 小于等于 小于或等于 至多 以下 及以下 以内 之内",
    "=": "= == 等于",
    ">": "> 大于 高于 多于 超过",
    "<": "< 小于 低于 少于",
}
_BOUNDS: dict[str, Bound] = {word: bound for bound in _WORDS for word in _WORDS[bound].split()}
_TAILS = ("及以上", "及以下", "以上", "以下", "以内", "之内")


def _any_of(words: Sequence[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True) if word)


_QUANTITY = re.compile(
    rf"(?P<bound>{_any_of([word for word in _BOUNDS if word not in _TAILS])})?\s*"
    r"(?:人民币|¥|达到)?\s*(?P<part>百分之)?"
    r"(?P<number>[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+)(?:\.\d+)?"
    r"(?:[eE][+-]?\d{1,2})?)\s*"
    # a unit, not a sentence: no digits but m2, m3; none of the words that make a statement
    r"(?P<unit>(?![\-~/.,:])(?:(?![未不无已全均没其后前内的了并与])[^\W\d_]|[%‰/·.℃²³()]|(?<=m)[23]){1,12}?)?\s*"
    rf"(?P<tail>{_any_of(_TAILS)})?"
)
_DAY = re.compile(
    r"(\d{4})\s*([-/.年])\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?:\s*[日号])?"
    r"(?:[ T]+\d{1,2}:\d\d(?::\d\d)?)?"
)
_MONTH = re.compile(r"(\d{4})\s*(?:年\s*(\d{1,2})\s*月?份?|[-/](\d{1,2}))")
_YEAR = re.compile(r"(\d{4})\s*年度?")
_DOTTED_MONTH = re.compile(r"(\d{4})\.(\d{1,2})()")
_COMPACT = re.compile(r"(\d{4})()(\d{2})(\d{2})")
_NOT_AFTER = re.compile(r"(?:≤|<=|不晚于|不迟于)\s*")
_DONE = re.compile(r"[底末]?(之前|以前|前)?(?:全部|已|按期)?(?:完成|完工|竣工|建成|验收|交付)?")

_YES = {"是", "有", "√", "✓", "✔", "☑", "y", "yes", "true"}
_NO = {"否", "无", "×", "✗", "✘", "x", "n", "no", "false"}
_NOTHING = {"/", "-", "--", "—", "——", "–", "\\"}
_PERCENT = {"百分比", "百分数", "百分率", "％"}
_SCALES = {"千": 3, "万": 4, "百万": 6, "千万": 7, "亿": 8, "万亿": 12}  # powers of ten


def half(text: str) -> str:
    """Full-width letters, digits and signs as half-width ones; ≧ ═ ≦ as ≥ = ≤.

    >>> half("≧７３５，０００")
    '≥735,000'
    """
    return text.translate(_HALF)


def clean(text: str) -> tuple[str, bool]:
    """Text without control characters and outer blanks, and whether there were control characters.

    >>> clean("保洁_x0007_合格 ")
    ('保洁合格', True)
    """
    found = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    found = found.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(
        char for char in found if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs")
    )
    kept = kept.replace("\ufeff", "").replace("\u200b", "")
    return kept.strip(), kept != found.replace("\ufeff", "").replace("\u200b", "")


def match_key(text: str) -> str:
    """How choices, codes and names are compared: width, case and blanks do not count."""
    return _SPACE.sub("", half(text)).casefold()


_LABEL_END = re.compile(r"(?:[*△:]|\((?P<inner>[^()]*)\))$")


def split_label(text: str) -> tuple[str, str]:
    """A header as (name to compare, what stands in its last brackets).

    >>> split_label("全年预算 （万元）*")
    ('全年预算', '万元')
    """
    name, inner = match_key(clean(text)[0]), ""
    while (found := _LABEL_END.search(name)) and found.start() > 0:
        inner = found["inner"] or inner
        name = name[: found.start()]
    return name, inner.removeprefix("单位:")


def label_key(text: str) -> str:
    """Only the name of `split_label`."""
    return split_label(text)[0]


def excel_number(number: float) -> Decimal:
    """A number as Excel shows it: 15 significant digits, so binary noise goes.

    >>> excel_number(94.54000000000001)
    Decimal('94.54')
    """
    return Decimal(plain(to_decimal(number if isinstance(number, int) else f"{number:.15g}")))


@dataclass(frozen=True)
class Quantity:
    """A number as written, with its unit and operator."""

    value: Decimal
    unit: str = ""
    bound: Bound = ""


def quantity(text: str) -> Quantity | None:
    """The one number that the whole text is, or None.

    >>> quantity("≧735人次")
    Quantity(value=Decimal('735'), unit='人次', bound='≥')
    >>> quantity("2处未达标") is None and quantity("3-5次") is None
    True
    """
    text = half(text).replace("(含)", "").strip()
    if len(text) > _NUMBER_TEXT:
        return None
    found = _QUANTITY.fullmatch(text)
    if not found or (found["bound"] and found["tail"]) or (found["part"] and found["unit"]):
        return None
    value = Decimal(re.sub(r"[, ]", "", found["number"])) or Decimal(0)  # not -0
    unit = "%" if found["part"] else normal_unit(found["unit"] or "")
    if unit in _SCALES:  # 3万 without a noun
        value, unit = value.scaleb(_SCALES[unit]), ""
    return Quantity(
        Decimal(plain(value)), unit, _BOUNDS.get(found["bound"] or found["tail"] or "", "")
    )


def normal_unit(unit: str) -> str:
    """A unit in one spelling.

    >>> normal_unit("万元整"), normal_unit("百分比")
    ('万元', '%')
    """
    unit = _SPACE.sub("", half(unit))
    return "%" if unit in _PERCENT else unit.removesuffix("整")


def split_scale(unit: str) -> tuple[int, str]:
    """A unit as (power of ten, base unit).

    >>> split_scale("万公里"), split_scale("亿元"), split_scale("人次")
    ((4, '公里'), (8, '元'), (0, '人次'))
    """
    for prefix in sorted(_SCALES, key=len, reverse=True):
        if unit.startswith(prefix) and len(unit) > len(prefix):
            return _SCALES[prefix], unit[len(prefix) :]
    return 0, unit


def convert(value: Decimal, unit: str, into: str) -> Decimal | None:
    """The value in another unit of the same base, exactly; None where the bases differ.

    >>> convert(Decimal("15.5"), "万元", "元")
    Decimal('155000')
    """
    have, want = split_scale(unit), split_scale(into)
    if have[1] != want[1]:
        return None
    return Decimal(plain(value.scaleb(have[0] - want[0])))


@dataclass(frozen=True)
class Moment:
    """A date as written; a month or a year stands for its last day."""

    day: date
    precision: Precision = ""
    bound: Bound = ""


def moment(text: str, loose: bool = False) -> Moment | None:
    """The date that the whole text is, or None.

    `loose` also takes 20250630 and 2025.6, which elsewhere are numbers.

    >>> moment("2021年12月完成")
    Moment(day=datetime.date(2021, 12, 31), precision='month', bound='')

    Raises:
        ValueError: it is written as a date that does not exist.
    """
    text = half(text).strip()
    not_after = _NOT_AFTER.match(text)
    text = text[not_after.end() :] if not_after else text
    if len(text) > _NUMBER_TEXT:
        return None
    patterns = [_DAY, _MONTH, _YEAR] + ([_COMPACT, _DOTTED_MONTH] if loose else [])
    for pattern in patterns:
        found = pattern.match(text)
        tail = found and _DONE.fullmatch(text[found.end() :].strip())
        if not found or not tail:
            continue
        bound: Bound = "≤" if tail[1] or not_after else ""
        year = int(found[1])
        if not 1900 <= year <= 2100:
            return None
        if pattern is _YEAR:
            return Moment(date(year, 12, 31), "year", bound)
        if pattern in (_DAY, _COMPACT):
            return Moment(date(year, int(found[3]), int(found[4])), "", bound)
        month = int(found[2] or found[3])
        return Moment(_month_end(date(year, month, 1)), "month", bound)
    return None


def _month_end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def yes_no(text: str) -> Literal["是", "否"] | None:
    """是 or 否 for the usual ways to write it, else None.

    >>> yes_no("√"), yes_no("Ｎ"), yes_no("有效")
    ('是', '否', None)
    """
    key = match_key(text)
    return "是" if key in _YES else "否" if key in _NO else None


def quote(text: str) -> str:
    """Text in quotation marks, shortened, for use inside a sentence."""
    flat = _SPACE.sub(" ", text)
    return f"“{flat[:20]}…”" if len(flat) > 21 else f"“{flat}”"


def nearest(text: str, known: Sequence[str]) -> str:
    """A did-you-mean for the end of a remedy, empty where nothing is near."""
    by_key = {match_key(name): name for name in known}
    close = get_close_matches(match_key(text), list(by_key), n=1, cutoff=0.5)
    return f"，是否应为“{by_key[close[0]]}”" if close else ""


def read_cell(
    content: Content,
    kind: FieldType,
    *,
    unit: str = "",
    choices: Sequence[str] = (),
    number_format: str = "General",
) -> tuple[Datum, list[Problem]]:
    """One cell's content as a datum without address, and what is wrong with it.

    `content` is what openpyxl gives; `unit` is that of a bare number (header or 单位 column).
    Problems speak of the content only and are meant to follow the field's label.

    >>> datum, problems = read_cell("１５．５万元", "amount", unit="元")
    >>> datum.value, datum.unit, problems
    (Decimal('155000'), '元', [])
    >>> read_cell(0.98, "value", number_format="0%")[0].value
    Decimal('98')
    """
    problems: list[Problem] = []
    if isinstance(content, str):
        content, dirty = clean(content)
        if dirty:
            problems.append(sentence("text.control"))
        if len(content) > LONG_TEXT:
            problems.append(sentence("text.long", size=len(content)))
        worded = kind in ("text", "longtext", "code")
        if not content or (not worded and content in _NOTHING):
            return Datum(raw=content), problems
        datum, more = _from_text(content, kind, unit, choices)
    elif content is None:
        return Datum(), problems
    elif isinstance(content, bool):
        datum, more = _from_text("是" if content else "否", kind, unit, choices)
    elif isinstance(content, float) and not math.isfinite(content):
        datum, more = Datum(raw=str(content)), [_wrong("number", str(content))]
    elif isinstance(content, (int, float)):
        datum, more = _from_number(content, kind, unit, choices, number_format)
    elif isinstance(content, date):
        datum, more = _from_date(content, kind, number_format)
    else:
        datum, more = _from_text(str(content), kind, unit, choices)
    return datum, problems + more


def _wrong(kind: FieldType, text: str) -> Problem:
    known = kind in ("integer", "amount", "date", "yesno")
    return sentence(f"type.{kind}" if known else "type.number", text=quote(text))


def _from_text(
    text: str, kind: FieldType, unit: str, choices: Sequence[str]
) -> tuple[Datum, list[Problem]]:
    raw = Datum(raw=text)
    if kind == "code":
        lost = re.fullmatch(r"\d(?:\.\d+)?E\+\d+", half(text))
        problems = [sentence("code.scientific", text=quote(text))] if lost else []
        return Datum(value=half(text), raw=text), problems
    if kind in ("text", "longtext"):
        return Datum(value=text, raw=text), []
    if kind == "choice":
        by_key = {match_key(choice): choice for choice in choices}
        if match_key(text) in by_key:
            return Datum(value=by_key[match_key(text)], raw=text), []
        names, hint = "、".join(choices), nearest(text, choices)
        return raw, [sentence("choice.unknown", text=quote(text), choices=names, hint=hint)]
    if kind in ("yesno", "value"):
        answer = yes_no(text)
        if answer:
            return Datum(value=answer, raw=text), []
    if kind in ("date", "value"):
        try:
            when = moment(text, loose=kind == "date")
        except ValueError:
            return raw, [sentence("date.impossible", text=quote(text))]
        if when:
            return Datum(value=when.day, raw=text, precision=when.precision, bound=when.bound), []
    number = quantity(text) if kind not in ("yesno", "date") else None
    if number:
        return _measure(number, text, kind, unit)
    if kind == "value":
        return Datum(value=text, raw=text), []
    return raw, [_wrong(kind, text)]


def _measure(number: Quantity, raw: str, kind: FieldType, unit: str) -> tuple[Datum, list[Problem]]:
    """Bring a number into the unit of its field, row or header."""
    value, own = number.value, number.unit
    if kind == "integer":
        if value != value.to_integral_value() or number.bound or own == "%":
            return Datum(raw=raw), [_wrong(kind, raw)]
        return Datum(value=value, raw=raw, unit=own), []
    if kind == "amount":
        money = "万元" if own == "万" else own or unit or "元"
        yuan = convert(value, money, "元")
        if yuan is None:
            return Datum(raw=raw), [sentence("unit.unknown", text=quote(raw), unit=money)]
        return Datum(value=yuan, raw=raw, unit="元", bound=number.bound), []
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
    return Datum(value=value, raw=raw, unit=unit, bound=number.bound), problems


def _from_number(
    content: float, kind: FieldType, unit: str, choices: Sequence[str], number_format: str
) -> tuple[Datum, list[Problem]]:
    value = excel_number(content)
    raw = plain(value)
    if kind == "code":
        if abs(value) >= Decimal(10) ** 15:
            lost = sentence("code.scientific", text=quote(f"{value:.2E}"))
            return Datum(value=raw, raw=raw), [lost]
        if re.fullmatch("0+", number_format):
            raw = raw.zfill(len(number_format))
        return Datum(value=raw, raw=raw), [sentence("code.zeros", text=quote(raw))]
    own = _format_unit(number_format)
    if own == "%":
        value = Decimal(plain(value.scaleb(2)))
    raw = plain(value) + own
    if kind in ("number", "amount", "integer", "value"):
        return _measure(Quantity(value, own), raw, kind, unit)
    if kind == "date" and "." in raw:  # 2025.1 may have been 2025.10
        return Datum(raw=raw), [_wrong(kind, raw)]
    return _from_text(raw, kind, unit, choices)


def _format_unit(number_format: str) -> str:
    """The unit that a number format shows behind the number: ``0.00%``, ``0.00"万元"``."""
    first = re.sub(r"\[[^\]]*\]|_.|\\", "", number_format.split(";")[0]).strip()
    found = re.fullmatch(r'[#0,]*0(?:\.[0#]+)?\s*"?([^"\s#0-9,.?*@+\-()]+)"?', first)
    return normal_unit(found[1]) if found else ""


def _from_date(content: date, kind: FieldType, number_format: str) -> tuple[Datum, list[Problem]]:
    day = content.date() if isinstance(content, datetime) else content
    raw = day.isoformat()
    if kind in ("date", "value"):
        shown = re.sub(r"\[[^\]]*\]", "", number_format).lower()
        if "y" in shown and "d" not in shown:
            return Datum(value=_month_end(day), raw=raw[:7], precision="month"), []
        return Datum(value=day, raw=raw), []
    if kind == "code":
        return Datum(raw=raw), [sentence("code.date", text=raw)]
    if kind in ("text", "longtext"):
        return Datum(value=raw, raw=raw), [sentence("text.date", text=raw)]
    return Datum(raw=raw), [_wrong(kind, raw)]
