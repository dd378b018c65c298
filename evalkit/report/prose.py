"""Sentences written from traces: what was measured, the score, what was lost and why.

Nothing is said that the result does not hold; what it lacks is 待补充. Wording varies with an
indicator's place in the list, so the same result always reads the same. Sentences that only frame
a figure stand in the template, where a firm can reword them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from evalkit.core.model import Adjustment, GroupScore, IndicatorScore, Result, Scorecard
from evalkit.core.numbers import chinese, fixed, plain
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


def shown(item: IndicatorScore | GroupScore | Scorecard) -> dict[str, str]:
    """The same figures by their last name, bound to their paths; 待补充 is not bound."""
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


def loss_reason(indicator: IndicatorScore) -> str:
    """扣分原因, for a table cell; a person's change of the score is said with it."""
    change = indicator.adjustment
    parts = [indicator.reason or ("" if change else GAP)] if indicator.lost else []
    if change:
        parts.append(f"调分：{_moved(change)}，{change.reason}")
    return "；".join(bare(part) for part in parts if part)


def _moved(change: Adjustment) -> str:
    return f"由{fixed(change.computed)}分调整为{fixed(change.adjusted)}分"


def indicator_paragraphs(indicator: IndicatorScore, place: int, issues: Sequence[Row]) -> list[str]:
    """The analysis of one indicator: what was measured, then what it is worth and why."""
    points, aim = shown(indicator)["points"], bare(indicator.explanation)
    first = _said("aim", place, aim=aim, points=points) if aim else f"本指标分值{points}分。"
    marks = evidence_mark("、".join(indicator.evidence))
    if indicator.gap:
        gap = _CELLS.sub("", indicator.gap)
        return [f"{first}所需数据尚不完整（{gap}），得分{GAP}。{marks}"]
    found = _elements(indicator) + _result(indicator, place) + sentence(indicator.finding)
    return [f"{first}{found or GAP}{marks}", _award(indicator, place, issues)]


def _said(key: str, place: int, **facts: str) -> str:
    """A sentence in the wording of a place in the list."""
    ways = WORDS[key]
    return str(ways[place % len(ways)].format(**facts))


def _elements(indicator: IndicatorScore) -> str:
    """Evaluation points, those met first."""
    groups: dict[str, list[str]] = {"符合": [], "部分符合": [], "不符合": []}
    for e in indicator.elements:
        share = f"符合{plain(e.met * 100)}%" if e.met and e.met != 1 else ""
        remarks = "，".join(bare(part) for part in (share, e.finding) if part)
        met = "符合" if e.met == 1 else "部分符合" if e.met else "不符合"
        groups[met].append(bare(e.text) + (f"（{remarks}）" if remarks else ""))
    full, count = len(groups["符合"]), len(indicator.elements)
    listing = {met: "；".join(texts) for met, texts in groups.items() if texts}
    if full == count:
        said = WORDS["elements"]["all"].format(count=count, met=listing["符合"]) if count else ""
        return str(said)
    parts = (f"{met}的有：{texts}。" for met, texts in listing.items())
    return "".join([WORDS["elements"]["some"].format(count=count, full=full), *parts])


def _result(indicator: IndicatorScore, place: int) -> str:
    target, actual = bare(indicator.target), bare(indicator.actual)
    if indicator.elements or not actual:
        return ""
    if indicator.trace.rule == "experts":
        return f"采用专家评分方式，共{actual}。"
    if not re.search(r"\d", actual):  # 是, 否, 部分达成: a finding says it better
        return "" if indicator.finding else f"核查结果为“{actual}”。"
    if not target:
        return f"核查认定{actual}。" if indicator.trace.rule == "deduct" else f"实际为{actual}。"
    pattern = ("目标值为{t}，实际为{a}", "实际为{a}，目标值为{t}")[place % 2]
    return f"{pattern.format(t=target, a=actual)}{_difference(target, actual)}。"


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


def _award(indicator: IndicatorScore, place: int, issues: Sequence[Row]) -> str:
    change, mine = indicator.adjustment, shown(indicator)
    standard = bare(indicator.standard) or GAP
    text = _said("award", place, standard=standard, **mine)
    if indicator.vetoed:
        text += WORDS["veto"]
    if indicator.lost:
        reason = bare(indicator.reason or (change.reason if change else GAP))
        related = [r["no"] for r in issues if indicator.code in re.split(r"\W", r["indicators"])]
        reason += f"（见问题{'、'.join(related)}）" if related else ""
        text += _said("loss", place, lost=mine["lost"], reason=reason)
    if change:
        scores = {"computed": fixed(change.computed), "adjusted": fixed(change.adjusted)}
        grounds = {"approver": change.approver or GAP, "basis": change.basis or GAP}
        text += WORDS["adjusted"].format(**scores, **grounds, reason=bare(change.reason))
    return text


def group_paragraph(group: GroupScore, indicators: Sequence[IndicatorScore]) -> str:
    """One level-1 group: its points, score, and where marks were lost."""
    gaps = listed(i.level3 for i in indicators if i.gap)
    facts = {**shown(group), "level1": group.level1, "count": len(indicators), "gaps": gaps}
    if group.score is None:
        return str(WORDS["group_gap"].format(**facts))
    text = str(WORDS["group"].format(**facts))
    lost = sorted((i for i in indicators if i.lost), key=lambda i: -(i.lost or 0))
    if not lost:
        return f"{text}各项指标均得满分。"
    full = len(indicators) - len(lost)
    text += f"其中{full}项得满分，" if full else ""
    named = listed(f"{i.level3}（扣{shown(i)['lost']}分）" for i in lost)
    return f"{text}扣分指标为{named}。"


def comparison(card: Scorecard) -> str:
    """Which level-1 group did best and which worst."""
    known = [g for g in card.level1() if g.rate is not None]
    if len(known) < 2:
        return ""
    rates = "，".join(f"{g.level1}{shown(g)['rate']}" for g in known)
    best, worst = (choose(known, key=lambda g: g.rate or Decimal(0)) for choose in (max, min))
    ends = f"；{best.level1}最高，{worst.level1}最低" if best.rate != worst.rate else ""
    return f"从一级指标看，得分率分别为：{rates}{ends}。"


def adjustments(card: Scorecard) -> str:
    """What people changed, named in the summary; empty if nothing."""
    moved = [f"{i.level3}{_moved(i.adjustment)}" for i in card.indicators if i.adjustment]
    return f"评价中有{len(moved)}项指标的得分经批准作了调整：{'；'.join(moved)}。" if moved else ""
