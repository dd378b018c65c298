"""Sentences written from traces: what was measured, the score, what was lost and why.

Nothing is said that the result does not hold; what it lacks is 待补充. Wording varies with an
indicator's place in the list, so the same result always reads the same. Sentences that only frame
a figure stand in the template, where a firm can reword them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache, partial
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from evalkit.core.model import GroupScore, IndicatorScore, Result, Scorecard
from evalkit.core.numbers import chinese, fixed, plain, to_decimal
from evalkit.core.paths import asset
from evalkit.core.yaml_file import load_yaml
from evalkit.ooxml.bind import bound, slug
from evalkit.ooxml.oxml import GAP

Row = Mapping[str, str]

# Spaces where Chinese meets figures, and Western punctuation between Chinese characters.
_SPACE = re.compile(r"(?<=[一-鿿]) +(?=[^一-鿿\s])|(?<=[^一-鿿\s]) +(?=[一-鿿])")
_HALF_WIDTH = re.compile(r"(?<=[一-鿿])[,;:?!](?=[一-鿿])")
_PERCENT = re.compile(r"\D?(\d+(?:\.\d+)?)[%％](?:（.*）)?")
_FULL_WIDTH = str.maketrans(",;:?!", "，；：？！")
_CELLS = re.compile(r"（[^（）]*![A-Z]+\d[^（）]*）")  # where a gap is: for the working papers

WORDS: dict[str, Any] = load_yaml(asset("params", "report.yaml"))
"""Wording of the sentences, and which figures there are."""
_NO_SCORES = Scorecard(indicators=(), groups=(), points=Decimal(0), total=None, low=Decimal(0),
                       high=Decimal(0), rate=None)  # fmt: skip


def card_of(result: Result) -> Scorecard:
    """The scores of a result; an empty card where it has none."""
    return result.score or _NO_SCORES


def mark_of(result: Result) -> str:
    """What a demo is marked with wherever its name stands."""
    return "示例数据" if result.subject.get("demo") == "是" else ""


def report_date(result: Result) -> date | None:
    """The date on the cover: it stands for the clock in every file."""
    found = re.search(r"(\d{4})\D(\d{1,2})\D(\d{1,2})", result.subject.get("report_date", ""))
    return date(*map(int, found.groups())) if found else None


def bare(text: str) -> str:
    """Text without its final stop, set as Chinese is, to be built into a sentence.

    >>> bare("支出 93.60 万元,到位 100 万元；")
    '支出93.60万元，到位100万元'
    """
    tight = _SPACE.sub("", text.strip().rstrip("。；;，,"))
    return _HALF_WIDTH.sub(lambda mark: mark[0].translate(_FULL_WIDTH), tight)


def sentence(text: str) -> str:
    """Text with one full stop at its end; empty stays empty.

    >>> sentence("资料齐全；"), sentence("")
    ('资料齐全。', '')
    """
    return f"{bare(text)}。" if bare(text) else ""


def listed(items: Iterable[str]) -> str:
    """Names as a Chinese list.

    >>> listed(["甲", "乙", "丙"])
    '甲、乙和丙'
    """
    names = list(items)
    return "和".join(part for part in ("、".join(names[:-1]), "".join(names[-1:])) if part)


def numbered(items: Iterable[str]) -> str:
    """Items as one sentence, numbered in words.

    >>> numbered(["资料不全；账实不符。", "拨付滞后"])
    '一是资料不全，账实不符；二是拨付滞后。'
    """
    texts = [re.sub("[；。]", "，", bare(item)) for item in items if bare(item)]
    return sentence("；".join(f"{chinese(n)}是{text}" for n, text in enumerate(texts, 1)))


def evidence_mark(codes: str) -> str:
    """The reference to evidence as it is printed.

    >>> evidence_mark("3-1、3-2"), evidence_mark("")
    ('〔佐证3-1、3-2〕', '')
    """
    return f"〔佐证{codes}〕" if codes else ""


def figure(value: Decimal | None, sign: str = "") -> str:
    """A score or rate as printed: two decimals and its sign, or 待补充."""
    return GAP if value is None else fixed(value) + sign


def figures(item: IndicatorScore | GroupScore | Scorecard) -> dict[str, str]:
    """The figures of an indicator, group or scorecard as printed, by path in result.json."""
    found = {"score": "", "points": plain(item.points), "rate": figure(item.rate, "%")}
    if isinstance(item, Scorecard):
        found |= {"total": figure(item.total), "grade": item.grade or GAP}
        found |= {"low": fixed(item.low), "high": fixed(item.high)}
        place = "score"
    elif isinstance(item, GroupScore):
        place = f"score.groups.{WORDS['groups'].get(item.level1) or slug(item.level1)}"
        found["score"] = figure(item.score)
    else:
        place = f"score.indicators.{slug(item.code)}"
        found |= {"score": figure(item.score), "lost": figure(item.lost)}
    return {f"{place}.{name}": text for name, text in found.items() if text}


def printed(item: IndicatorScore | GroupScore | Scorecard) -> dict[str, str]:
    """The same figures by their last name."""
    return {path.rpartition(".")[2]: text for path, text in figures(item).items()}


def shown(item: IndicatorScore | GroupScore | Scorecard) -> dict[str, str]:
    """The same, bound to their paths; 待补充 is not bound."""
    return {path.rpartition(".")[2]: text if text == GAP else bound(path, text)
            for path, text in figures(item).items()}  # fmt: skip


def situation(indicator: IndicatorScore) -> str:
    """评价情况: what was found, for a table cell."""
    if indicator.gap:
        return GAP
    parts = [indicator.finding or indicator.trace.measured]
    if indicator.elements and not indicator.finding:
        parts += [f"{e.text}：{e.finding}" for e in indicator.elements if e.met != 1 and e.finding]
    return "；".join(bare(part) for part in parts if part) or GAP


def indicator_paragraphs(indicator: IndicatorScore, place: int, issues: Sequence[Row]) -> list[str]:
    """The analysis of one indicator: what was measured, then what it is worth and why."""
    facts = indicator, shown(indicator), place
    found = said("found", *facts)
    return [found] if indicator.gap else [found, said("award", *facts, issues)]


def said(macro: str, *facts: Any) -> str:
    """What a macro of templates/prose.j2 says."""
    return str(getattr(_macros(), macro)(*facts))


@cache
def _macros() -> Any:
    path = asset("templates", "prose.j2")
    engine = SandboxedEnvironment(loader=FileSystemLoader(path.parent), undefined=StrictUndefined)
    engine.filters |= {
        "bare": bare, "sentence": sentence, "listed": listed, "mark": evidence_mark, "plain": plain,
        "exact": to_decimal, "fixed": fixed, "shown": shown, "difference": _difference,
        "no_cells": partial(_CELLS.sub, ""),
        "loss": lambda i: f"{i.level3}（扣{shown(i)['lost']}分）",
    }  # fmt: skip
    engine.tests |= {
        "has_digit": re.compile(r"\d").search,
        "names": lambda listed, code: code in re.split(r"\W", listed),
    }
    return engine.get_template(path.name).module


def _difference(target: str, actual: str) -> str:
    """How far two percentages lie apart, in 百分点.

    >>> _difference("≥95%", "93.60%"), _difference("100%", "100%"), _difference("3次", "5次")
    ('，低于目标值1.40个百分点', '', '')
    """
    aim, done = (_PERCENT.fullmatch(text.strip()) for text in (target, actual))
    if aim is None or done is None:
        return ""
    gap = Decimal(done[1]) - Decimal(aim[1])
    side = "高于" if gap > 0 else "低于"
    return f"，{side}目标值{fixed(abs(gap))}个百分点" if gap else ""
