"""Sentences written from traces: what was measured, the score, what was lost and why.

Nothing is said that the result does not hold; what it lacks is 待补充. Wording varies with an
indicator's place in the list, so the same result always reads the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from evalkit.core.model import GroupScore, IndicatorScore, Result, Scorecard
from evalkit.core.numbers import fixed, plain, wan
from evalkit.report.oxml import GAP

Row = Mapping[str, str]

_AIM = ("本指标考察{aim}，分值{points}分。", "该指标反映{aim}，满分{points}分。",
        "设置本指标用以衡量{aim}，分值{points}分。")  # fmt: skip
_AWARD = ("按照评分标准（{standard}），得{score}分，得分率{rate}%。",
          "评分标准为：{standard}。据此得{score}分，得分率{rate}%。",
          "对照评分标准（{standard}），该指标得{score}分，得分率{rate}%。")  # fmt: skip
_LOSS = ("扣{lost}分，原因是：{reason}", "共扣{lost}分。扣分原因：{reason}", "扣减{lost}分，主要因为：{reason}")  # fmt: skip


def sentence(text: str, end: str = "。") -> str:
    """Text with one full stop at its end; empty stays empty.

    >>> sentence("资料齐全"), sentence("资料齐全；"), sentence("")
    ('资料齐全。', '资料齐全。', '')
    """
    bare = text.strip().rstrip("。；;，,.")
    return bare + end if bare else ""


def listed(items: Iterable[str]) -> str:
    """Names as a Chinese list.

    >>> listed(["甲", "乙", "丙"])
    '甲、乙和丙'
    """
    names = list(items)
    return "和".join(part for part in ("、".join(names[:-1]), "".join(names[-1:])) if part)


def evidence_mark(codes: Iterable[str] | str) -> str:
    """The reference to evidence as it is printed.

    >>> evidence_mark(["3-1", "3-2"]), evidence_mark("")
    ('〔佐证3-1、3-2〕', '')
    """
    text = codes if isinstance(codes, str) else "、".join(codes)
    return f"〔佐证{text}〕" if text else ""


def score_text(value: Decimal | None) -> str:
    """A score as printed: two decimals, or 待补充."""
    return GAP if value is None else fixed(value)


def situation(indicator: IndicatorScore) -> str:
    """评价情况: what was found, for a table cell."""
    if indicator.gap:
        return GAP
    parts = [indicator.finding or indicator.trace.measured]
    if indicator.elements and not indicator.finding:
        parts += [f"{e.text}：{e.finding}" for e in indicator.elements if e.met != 1 and e.finding]
    return "；".join(part.rstrip("。；") for part in parts if part) or GAP


def loss_reason(indicator: IndicatorScore) -> str:
    """扣分原因, for a table cell; a person's change of the score is said with it."""
    change = indicator.adjustment
    parts = [] if not indicator.lost else [indicator.reason or ("" if change else GAP)]
    if change:
        parts.append(
            f"调分：由{plain(change.computed)}分调整为{plain(change.adjusted)}分，{change.reason}"
        )
    return "；".join(part.rstrip("。；") for part in parts if part)


def indicator_paragraphs(
    indicator: IndicatorScore, place: int, issues: Sequence[Row] = ()
) -> list[str]:
    """The analysis of one indicator: what was measured, then what it is worth and why."""
    points = plain(indicator.points)
    aim = indicator.explanation.rstrip("。；")
    first = _AIM[place % 3].format(aim=aim, points=points) if aim else f"本指标分值{points}分。"
    marks = evidence_mark(indicator.evidence)
    if indicator.gap:
        return [f"{first}所需数据尚不完整（{indicator.gap}），得分{GAP}。{marks}"]
    found = "".join([_elements(indicator), _result(indicator, place), sentence(indicator.finding)])
    return [f"{first}{found or GAP}{marks}", _award(indicator, place, issues)]


def _elements(indicator: IndicatorScore) -> str:
    """Evaluation points, those met first."""
    if not indicator.elements:
        return ""

    def said(text: str, *remarks: str) -> str:
        inside = "，".join(r.rstrip("。；") for r in remarks if r)
        return text.rstrip("。；") + (f"（{inside}）" if inside else "")

    full = [said(e.text, e.finding) for e in indicator.elements if e.met == 1]
    part = [said(e.text, f"符合{plain(e.met * 100)}%", e.finding)
            for e in indicator.elements if e.met is not None and 0 < e.met < 1]  # fmt: skip
    none = [said(e.text, e.finding) for e in indicator.elements if e.met == 0]
    groups = (("符合的有：", full), ("部分符合的有：", part), ("不符合的有：", none))
    text = "".join(f"{label}{'；'.join(items)}。" for label, items in groups if items)
    return f"评价要点共{len(indicator.elements)}项，完全符合{len(full)}项。{text}"


def _result(indicator: IndicatorScore, place: int) -> str:
    if indicator.elements or not indicator.actual:
        return ""
    if indicator.trace.rule == "experts":
        return f"采用专家评分方式，共{indicator.actual}。"
    if not re.search(r"\d", indicator.actual):  # 是, 否, 部分达成: the finding says it in words
        return "" if indicator.finding else f"核查结果为“{indicator.actual}”。"
    if not indicator.target:
        return f"实际为{indicator.actual}。"
    pattern = ("目标值为{t}，实际为{a}", "实际为{a}，目标值为{t}")[place % 2]
    text = pattern.format(t=indicator.target, a=indicator.actual)
    return f"{text}{_difference(indicator.target, indicator.actual)}。"


def _difference(target: str, actual: str) -> str:
    """How far two percentages lie apart, in 百分点.

    >>> _difference("≥95%", "93.60%"), _difference("100%", "100%"), _difference("3次", "5次")
    ('，低于目标值1.40个百分点', '', '')
    """
    pair = [re.fullmatch(r"\D?(\d+(?:\.\d+)?)[%％]", text.strip()) for text in (target, actual)]
    if pair[0] is None or pair[1] is None:
        return ""
    gap = Decimal(pair[1][1]) - Decimal(pair[0][1])
    side = "高于" if gap > 0 else "低于"
    return f"，{side}目标值{fixed(abs(gap))}个百分点" if gap else ""


def _award(indicator: IndicatorScore, place: int, issues: Sequence[Row]) -> str:
    score, rate = score_text(indicator.score), score_text(indicator.rate)
    standard = (indicator.standard or GAP).rstrip("。；")
    text = _AWARD[place % 3].format(standard=standard, score=score, rate=rate)
    if indicator.vetoed:
        text += "发生评分标准规定的否决事项，该指标不得分。"
    change = indicator.adjustment
    if indicator.lost:
        reason = (indicator.reason or (change.reason if change else GAP)).rstrip("。；")
        related = [
            row["no"] for row in issues if indicator.code in _codes(row.get("indicators", ""))
        ]
        reason += f"（见问题{'、'.join(related)}）" if related else ""
        text += sentence(_LOSS[place % 3].format(lost=plain(indicator.lost), reason=reason))
    if change:
        text += (f"该指标计算得分为{plain(change.computed)}分，经{change.approver or GAP}批准调整为"
                 f"{plain(change.adjusted)}分，理由：{change.reason.rstrip('。')}"
                 f"（依据：{change.basis or GAP}）。")  # fmt: skip
    return text


def _codes(text: str) -> list[str]:
    return [code for code in re.split(r"[、，,；;\s]+", text) if code]


def group_paragraph(group: GroupScore, indicators: Sequence[IndicatorScore]) -> str:
    """One level-1 group: its points, score, and where marks were lost."""
    name, points = group.level1, plain(group.points)
    if group.score is None:
        gaps = listed(i.level3 for i in indicators if i.gap)
        return f"{name}类指标分值{points}分，其中{gaps}{GAP}，小计{GAP}。"
    text = f"{name}类指标共{len(indicators)}项，分值{points}分，得{fixed(group.score)}分"
    text += f"，得分率{score_text(group.rate)}%。"
    lost = sorted((i for i in indicators if i.lost), key=lambda i: -(i.lost or 0))
    if not lost:
        return f"{text}各项指标均得满分。"
    full = len(indicators) - len(lost)
    text += f"其中{full}项得满分，" if full else ""
    return f"{text}扣分指标为{listed(f'{i.level3}（扣{plain(i.lost or Decimal(0))}分）' for i in lost)}。"


def conclusion(result: Result) -> str:
    """Score and grade, or what the total is for now."""
    card, name = result.score, result.name
    if card is None:
        return GAP
    if card.total is None:
        gaps = [i.level3 for i in card.indicators if i.gap]
        return (f"{name}尚有{len(gaps)}项指标（{listed(gaps)}）{GAP}，总分暂计："
                f"最低{fixed(card.low)}分、最高{fixed(card.high)}分，暂不评定等级。")  # fmt: skip
    text = f"经综合评价，{name}得{fixed(card.total)}分（满分{plain(card.points)}分），"
    text += f"得分率{score_text(card.rate)}%，评价等级为“{card.grade or GAP}”。"
    return text + sentence(card.grade_note) + sentence(result.texts.get("conclusion", ""))


def comparison(card: Scorecard) -> str:
    """Which level-1 group did best and which worst."""
    known = [g for g in card.level1() if g.rate is not None]
    if len(known) < 2:
        return ""
    best, worst = (choose(known, key=lambda g: g.rate or 0) for choose in (max, min))
    text = "，".join(f"{g.level1}{fixed(g.rate or 0)}%" for g in known)
    if best.rate == worst.rate:
        return f"从一级指标看，得分率分别为：{text}。"
    return f"从一级指标看，得分率分别为：{text}；{best.level1}最高，{worst.level1}最低。"


def adjustments(card: Scorecard) -> str:
    """What people changed, named in the summary; empty if nothing."""
    changed = [i for i in card.indicators if i.adjustment]
    if not changed:
        return ""
    items = [f"{i.level3}由{plain(i.adjustment.computed)}分调整为{plain(i.adjustment.adjusted)}分"
             for i in changed if i.adjustment]  # fmt: skip
    return f"经专家评审或内部审核，{len(changed)}项指标的得分作了调整：{'；'.join(items)}。"


def money(values: Mapping[str, Decimal], key: str) -> str:
    """A figure in 万元, or 待补充."""
    return f"{wan(values[key])}万元" if key in values else GAP


def rate(values: Mapping[str, Decimal], key: str) -> str:
    """A rate with its sign, or 待补充."""
    return f"{fixed(values[key])}%" if key in values else GAP


def funds(values: Mapping[str, Decimal]) -> str:
    """Budget, arrival and spending; both rates of execution are named by their denominators."""
    first, last = values.get("funds.initial"), values.get("funds.budget")
    text = f"项目年初预算{money(values, 'funds.initial')}，" if first is not None else "项目"
    text += f"全年预算{money(values, 'funds.budget')}"
    if first is not None and last is not None and first != last:
        text += f"（{'调增' if last > first else '调减'}{wan(abs(last - first))}万元）"
    text += (
        f"；实际到位{money(values, 'funds.arrived')}，到位率{rate(values, 'funds.arrival_rate')}；"
    )
    text += f"实际支出{money(values, 'funds.spent')}，预算执行率（支出÷到位）"
    text += rate(values, "funds.execution_rate")
    if values.get("funds.budget_execution_rate") != values.get("funds.execution_rate"):
        text += f"，占全年预算的{rate(values, 'funds.budget_execution_rate')}"
    return text + "。"


def samples(rows: Sequence[Row], values: Mapping[str, Decimal]) -> str:
    """How much was looked at, by number and by money."""
    groups = [row for row in rows if row.get("population") != "合计"]
    text = "；".join(f"{r['population']}共{r['total'] or GAP}{r['unit']}，抽取{r['sample'] or GAP}{r['unit']}"
                    f"{'（' + r['method'] + '）' if r['method'] else ''}" for r in groups)  # fmt: skip
    shares = [f"按{label}计算的覆盖率为{fixed(values[key])}%" for label, key in
              (("数量", "sample.coverage"), ("金额", "sample.coverage_amount")) if key in values]  # fmt: skip
    return "。".join(part for part in (text, "，".join(shares)) if part) + "。"


def visits(rows: Sequence[Row]) -> str:
    """How many places were visited and where reports and findings differed."""
    differing = [
        r["place"] for r in rows if r["difference"].strip("。 ") not in ("", "无", "一致", "无差异")
    ]
    text = f"评价组现场核查{len(rows)}个点位。"
    if differing:
        return f"{text}其中{listed(differing)}的情况与上报资料存在差异。"
    return f"{text}核查情况与上报资料一致。"


def survey(subject: Row, values: Mapping[str, Decimal]) -> list[str]:
    """Sending, return and result of a questionnaire, with the mapping used (口径)."""

    def count(key: str) -> str:
        return plain(values[f"survey.{key}"]) if f"survey.{key}" in values else GAP

    text = "".join((
        f"问卷调查时间为{subject['survey_period']}。" if subject.get("survey_period") else "",
        f"调查方式：{sentence(subject['survey_method'])}" if subject.get("survey_method") else "",
        f"调查对象总数{count('population')}人，" if "survey.population" in values else "",
        f"发放问卷{count('sent')}份，回收{count('returned')}份，回收率{rate(values, 'survey.return_rate')}，",
        f"有效问卷{count('valid')}份，有效率{rate(values, 'survey.valid_rate')}。",
    ))  # fmt: skip
    mapping = {
        "五级均值": "五级均值法（非常满意至非常不满意依次按100、80、60、40、20计）",
        "百分赋值": "百分赋值法（非常满意至非常不满意依次按100、75、50、25、0计）",
        "前两级占比": "非常满意和满意的份数占有效份数的比例",
    }.get(subject.get("survey_mapping", ""), GAP)
    last = f"满意度按{mapping}计算，“不了解”不计入，总体满意度为{rate(values, 'survey.satisfaction')}。"
    return [text, last]


def issue_paragraphs(row: Row) -> list[str]:
    """One problem: fact, money, rule and evidence, then its cause."""
    fact = sentence(row["fact"] or GAP)
    if row["amount"]:
        fact += f"涉及金额{row['amount']}万元。"
    if row["rule"]:
        fact += f"上述情况不符合{row['rule'].rstrip('。')}的规定。"
    fact += evidence_mark(row["evidence"])
    return [fact, f"原因分析：{sentence(row['cause'] or GAP)}"]


def advice_paragraph(row: Row) -> str:
    """One piece of advice, tied to its problem, with who and until when."""
    last = f"责任单位：{row['responsible'] or GAP}；整改期限：{row['deadline'] or GAP}。"
    return f"针对“{row['title'].rstrip('。')}”的问题，{sentence(row['advice'] or GAP)}（{last.rstrip('。')}）"


def summary(result: Result) -> list[str]:
    """摘要: the project, the conclusion, the problems and the advice, one paragraph each."""
    subject, issues = result.subject, result.tables.get("issues", [])
    about = (f"{subject.get('client') or GAP}委托{subject.get('agency') or GAP}对{result.name}开展"
             f"{subject.get('mode') or '绩效评价'}。项目主管部门为{subject.get('department') or GAP}，"
             f"实施单位为{subject.get('unit') or GAP}。")  # fmt: skip
    lines = [about + funds(result.values), conclusion(result)]
    if result.score:
        lines[-1] += comparison(result.score)
        lines.append(adjustments(result.score))
    if issues:
        titles = "；".join(
            f"{n}是{r['title'].rstrip('。')}" for n, r in zip(_ORDER, issues, strict=False)
        )
        lines.append(f"评价发现的主要问题：{titles}。")
        advice = "；".join(f"{n}是{r['advice'].rstrip('。')}" for n, r in zip(_ORDER, issues, strict=False)
                          if r["advice"])  # fmt: skip
        lines.append(f"主要建议：{advice or GAP}。")
    return [line for line in lines if line]


_ORDER = "一二三四五六七八九十"
