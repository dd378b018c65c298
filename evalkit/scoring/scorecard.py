"""From indicator rows to a scorecard: every score rounded once, every score with its trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from evalkit.core.expr import Term
from evalkit.core.measure import Measure, direct, input_of, setting
from evalkit.core.model import (
    Adjustment,
    Basis,
    Datum,
    Element,
    GroupScore,
    IndicatorScore,
    Input,
    PolicyUse,
    Row,
    Scorecard,
    Source,
    Table,
    Trace,
)
from evalkit.core.numbers import chinese_date, plain, round_to
from evalkit.core.problem import Problem
from evalkit.policy import Policy
from evalkit.scoring import rules
from evalkit.scoring.measures import of_row
from evalkit.scoring.rules import RuleError

_LABELS = {
    "rule": "计分规则",
    "measure": "取数方式",
    "direction": "方向",
    "rounding": "不足一步",
    "step": "扣分步长",
}
_STEPPED = {"bands", "within", "exact", "yes_no", "on_time", "step_deduct", "veto"}


@dataclass(frozen=True)
class Indicator:
    """One row of 指标 with what the other sheets hold for it."""

    row: Row
    measure: Measure
    bands: Table = field(default_factory=list)
    elements: Table = field(default_factory=list)
    experts: tuple[tuple[str, Datum], ...] = ()
    duplicate: bool = False

    @property
    def code(self) -> str:
        """The indicator's code as typed."""
        return self.row["code"].text

    @property
    def rule(self) -> str:
        """The rule's id, empty when the cell is empty or names none."""
        return rules.BY_NAME.get(self.row["rule"].text, "")

    def text(self, name: str) -> str:
        """A field as text."""
        return self.row[name].text

    def number_of(self, name: str) -> Decimal | None:
        """A field as a number."""
        return self.row[name].number


@dataclass(frozen=True)
class _Applied:
    term: Term
    inputs: tuple[Input, ...]
    policies: tuple[PolicyUse, ...] = ()
    notes: tuple[str, ...] = ()
    elements: tuple[Element, ...] = ()


class _Gap(Exception):
    """Something is missing; the indicator stays without a score."""


def gather(source: Source, survey: Measure) -> list[Indicator]:
    """The indicators of a 数据底稿, in order, each with its data, bands, points and experts.

    资金 rows of the evaluated year count in an annual evaluation, all rows otherwise.
    """
    project = source.forms["project"]
    funds = [r for r in source.tables["funds"] if r["budget"].number is not None or r["year"].text]
    if project["phase"].text == "年度评价":
        funds = [row for row in funds if row["year"].number == project["year"].number]
    by_code: dict[str, dict[str, Table]] = {}
    for sheet in ("data", "bands", "elements", "experts"):
        for row in source.tables[sheet]:
            by_code.setdefault(row["indicator"].text, {}).setdefault(sheet, []).append(row)
    found, seen = [], set()
    for row in source.tables["indicators"]:
        related = by_code.get(row["code"].text, {})
        measure = of_row(row, related.get("data", []), funds, survey)
        measure = replace(measure, inputs=(*measure.inputs, *_scope(row, project)))
        scores = tuple(
            (name, expert[f"scores:{name}"])
            for expert in related.get("experts", [])
            for name in source.open_columns.get("experts", [])
            if expert[f"scores:{name}"].value is not None
        )
        found.append(
            Indicator(
                row,
                measure,
                related.get("bands", []),
                related.get("elements", []),
                scores,
                row["code"].text in seen,
            )
        )
        seen.add(row["code"].text)
    return found


def _scope(row: Row, project: Row) -> tuple[Input, ...]:
    """The project's choices that decide what a measurement covers."""
    match row["measure"].text:
        case "资金到位率" | "预算执行率":
            year = setting("评价年度", project["year"])
            return (*year, *setting("评价期限", project["phase"]))
        case "问卷满意度":
            return setting("满意度口径", project["survey_mapping"])
    return ()


def adjustments_of(source: Source) -> dict[str, Adjustment]:
    """调分记录 by indicator code; rows without both scores are left to the reader's problems."""
    found = {}
    for row in source.tables["adjustments"]:
        computed, adjusted = row["computed"].number, row["adjusted"].number
        if computed is not None and adjusted is not None:
            found[row["indicator"].text] = Adjustment(
                indicator=row["indicator"].text,
                computed=computed,
                adjusted=adjusted,
                reason=row["reason"].text,
                basis=row["basis"].text,
                approver=row["approver"].text,
                dated=row["date"].text,
                cell=row["adjusted"].cell,
            )
    return found


def scorecard(
    indicators: list[Indicator], adjustments: dict[str, Adjustment], policy: Policy
) -> tuple[Scorecard, list[Problem]]:
    """Score every indicator, add up, grade.

    A missing input leaves the indicator without a score (a gap); the total is then None and the
    possible range is stated. A grade is given on the published total only, and capped where a
    veto occurred that says so.

    Args:
        indicators: in report order.
        adjustments: by indicator code; each replaces a computed score.
        policy: values in force at the evaluated year's end.

    Returns:
        The scorecard, and every problem met on the way.
    """
    scores: list[IndicatorScore] = []
    problems: list[Problem] = []
    caps: list[tuple[str, str]] = []
    for indicator in indicators:
        score, found = _score(indicator, adjustments.get(indicator.code), policy)
        scores.append(score)
        problems += found
        if score.vetoed and indicator.text("veto_cap"):
            caps.append((score.level3, indicator.text("veto_cap")))
    digits = int(policy.value("score_rate_digits"))
    points = sum((s.points for s in scores), Decimal(0))
    low = sum((s.score for s in scores if s.score is not None), Decimal(0))
    high = low + sum((s.points for s in scores if s.score is None), Decimal(0))
    total = low if scores and all(s.score is not None for s in scores) else None
    bands = policy.use("grade_bands")
    grade, note = "", ""
    if total is not None:
        grade = grade_of(total, policy.value("grade_bands"))
        for name, cap in caps:
            capped = worse(grade, cap, policy.value("grade_bands"))
            if capped != grade:
                note = f"“{name}”触发一票否决，评价等级由“{grade}”降为“{capped}”"
                grade = capped
    card = Scorecard(
        indicators=tuple(scores),
        groups=_groups(scores, digits),
        points=points,
        total=total,
        low=low,
        high=high,
        rate=_rate(total, points, digits),
        grade=grade,
        grade_note=note,
        policies=(bands, policy.use("score_digits"), policy.use("rounding")),
    )
    return card, problems


def grade_of(score: Decimal, bands: list[dict[str, Any]]) -> str:
    """The grade of a published score; bands are half-open from below (财预〔2020〕10号 art. 18).

    >>> cuts = [{"grade": g, "from": f} for g, f in zip("优良中差", (90, 80, 60, 0))]
    >>> grade_of(Decimal("89.99"), cuts), grade_of(Decimal("90"), cuts)
    ('良', '优')
    """
    for band in sorted(bands, key=lambda b: Decimal(str(b["from"])), reverse=True):
        if score >= Decimal(str(band["from"])):
            return str(band["grade"])
    raise ValueError(f"no grade for {score}")


def worse(grade: str, cap: str, bands: list[dict[str, Any]]) -> str:
    """The lower of two grades.

    >>> worse("优", "中", [{"grade": g, "from": f} for g, f in zip("优良中差", (90, 80, 60, 0))])
    '中'
    """
    floor = {str(b["grade"]): Decimal(str(b["from"])) for b in bands}
    return min(grade, cap, key=lambda g: floor[g])


def award(term: Term, digits: int, mode: str) -> tuple[Decimal, str]:
    """Round a score once, when it is awarded; the formula says so.

    >>> award(rules.proportional(8, "205.75", 210), 2, "half_up")
    (Decimal('7.84'), 'ROUND(8*MAX(0,MIN(1,205.75/210)),2)')
    """
    name = "ROUND" if mode == "half_up" else "GBT8170"
    value = round_to(term.value, digits, "half_up" if mode == "half_up" else "gbt8170")
    return value, f"{name}({term.text},{digits})"


def _score(
    indicator: Indicator, adjustment: Adjustment | None, policy: Policy
) -> tuple[IndicatorScore, list[Problem]]:
    row = indicator.row
    points = row["points"].number or Decimal(0)
    rule = indicator.rule
    problems: list[Problem] = []
    gap, applied = "", None
    try:
        applied = _apply(indicator, policy)
    except _Gap as missing:
        gap = str(missing)
        problems.append(_at(row["actual"], indicator, "gap", gap, "补充后重新运行", "warning"))
    except RuleError as refused:
        what, _, remedy = str(refused).partition("——")
        gap = what
        problems.append(_at(row["rule"], indicator, "rule", what, remedy))
    computed, formula = None, ""
    if applied is not None:
        computed, formula = award(
            applied.term, int(policy.value("score_digits")), str(policy.value("rounding"))
        )
    score = computed
    if adjustment is not None:
        problems += _check_adjustment(indicator, adjustment, computed, points)
        if computed is not None and 0 <= adjustment.adjusted <= points:
            score = adjustment.adjusted
        else:
            adjustment = None
    target = _shown_target(row)
    trace = Trace(
        rule=rule,
        rule_name=row["rule"].text,
        basis=Basis(
            kind=row["basis_kind"].text,
            document=row["basis_document"].text,
            dated=_shown_date(row["basis_date"]),
        ),
        standard=row["standard"].text,
        inputs=applied.inputs if applied else indicator.measure.inputs,
        policies=applied.policies if applied else (),
        formula=formula,
        computed=computed,
        limit=_limit(indicator, applied, points) if applied else "",
        measured=_measured(indicator, target),
        notes=applied.notes if applied else (),
    )
    scored = IndicatorScore(
        code=indicator.code,
        level1=row["level1"].text,
        level2=row["level2"].text,
        level3=row["level3"].text,
        explanation=row["explanation"].text,
        kind=row["kind"].text,
        points=points,
        target=target,
        actual=_shown_actual(indicator),
        standard=row["standard"].text,
        score=score,
        lost=None if score is None else points - score,
        rate=_rate(score, points, int(policy.value("score_rate_digits"))),
        reason=row["reason"].text,
        finding=row["finding"].text,
        evidence=split_list(row["evidence"].text),
        elements=applied.elements if applied else (),
        trace=trace,
        adjustment=adjustment,
        gap=gap,
        vetoed=rule == "veto" and computed == 0 and points > 0,
    )
    return scored, problems


def split_list(text: str) -> tuple[str, ...]:
    """A cell that lists several codes, by 、 ， ； or blanks.

    >>> split_list("3-1、3-2，4-1")
    ('3-1', '3-2', '4-1')
    """
    for mark in ",，;；\n\t ":
        text = text.replace(mark, "、")
    return tuple(part for part in text.split("、") if part)


def _apply(indicator: Indicator, policy: Policy) -> _Applied:
    """Run the indicator's rule; _Gap for what is missing, RuleError for what cannot be."""
    row, measure = indicator.row, indicator.measure
    if indicator.duplicate:
        raise RuleError(f"指标编号“{indicator.code}”重复——请为每个指标编一个不同的编号")
    if row["points"].number is None:
        raise _Gap("分值待补充")
    points = row["points"].number
    inputs: list[Input] = [input_of("分值", row["points"])]
    policies: list[PolicyUse] = []

    def param(name: str, label: str) -> Decimal:
        datum = row[name]
        if datum.number is None:
            raise _Gap(f"{label}待补充")
        inputs.append(input_of(label, datum))
        return datum.number

    def optional(name: str, label: str) -> Decimal | None:
        return param(name, label) if row[name].value is not None else None

    def cap() -> Decimal | None:
        inputs.extend(setting("扣分封顶", row["cap"]))  # moves the score only where it binds
        return row["cap"].number

    def used(key: str) -> Any:
        policies.append(policy.use(key))
        return policy.value(key)

    def actual() -> Term:
        if measure.gap:
            raise _Gap(measure.gap)
        if measure.term is None or measure.day is not None:
            raise RuleError(f"实际完成值“{measure.shown}”不是数值——请填写数值或改用定性的计分规则")
        _same_unit(indicator)
        inputs.extend(measure.inputs)
        return measure.term

    def answer() -> bool:
        if measure.gap:
            raise _Gap(measure.gap)
        inputs.extend(measure.inputs)
        if measure.term is not None:
            return measure.term > 0
        if measure.answer not in {"是", "否"}:
            raise RuleError(f"实际完成值“{measure.shown}”应为 是 或 否")
        return measure.answer == "是"

    lower = row["direction"].text == "越低越好"
    notes: list[str] = []
    parts: tuple[Element, ...] = ()
    match indicator.rule:
        case "proportional" | "satisfaction":
            value, target = actual(), param("target", "目标值")
            term = rules.proportional(points, value, target)
            term = _overachieved(indicator, term, value, target, inputs, used)
        case "ratio_floor":
            value, target = actual(), param("target", "目标值")
            given = optional("floor", "起算完成率")
            floor = used("ratio_floor") if given is None else given
            term = rules.ratio_floor(points, value, target, floor)
            term = _overachieved(indicator, term, value, target, inputs, used)
        case "bands":
            value = actual()
            limits, rates = [], []
            for band in indicator.bands:
                if band["limit"].number is None or band["rate"].number is None:
                    raise _Gap("分档表的界限或得分比例待补充")
                inputs += [input_of("界限", band["limit"]), input_of("得分比例", band["rate"])]
                limits.append(band["limit"].number)
                rates.append(band["rate"].number)
            term = rules.bands(points, value, limits=limits, rates=rates, lower_is_better=lower)
        case "linear":
            value = actual()
            full, zero = param("full_at", "满分值"), param("zero_at", "零分值")
            term = rules.linear(points, value, full, zero)
        case "within":
            value = actual()
            term = rules.within(
                points, value, param("lower", "区间下限"), param("upper", "区间上限")
            )
        case "exact":
            value = actual()
            term = rules.exact(points, value, param("target", "目标值"))
        case "on_time":
            term = _on_time(indicator, inputs, points, param("per_unit", "每单位扣分"))
        case "lower_deduct" | "lower_ratio":
            value, target = actual(), param("target", "目标值")
            rule = rules.lower_deduct if indicator.rule == "lower_deduct" else rules.lower_ratio
            term = rule(points, value, target)
        case "yes_no":
            met = answer()
            term = rules.yes_no(points, met, optional("per_unit", "未达标扣分"))
        case "elements":
            term, parts = _elements(indicator, points, inputs)
        case "tiers":
            name = row["tier"].text
            if not name:
                raise _Gap("定性档次待补充")
            tiers = {str(t["tier"]): t for t in used("tiers")}
            tier, top = tiers[name], max(tiers.values(), key=lambda t: Decimal(str(t["to"])))
            rate = param("tier_rate", "得分比例")
            inputs += setting("定性档次", row["tier"])
            low, high = Decimal(str(tier["from"])), Decimal(str(tier["to"]))
            term = rules.tiers(points, rate, low=low, high=high, top=tier is top)
        case "deduct":
            value = actual()
            each = param("per_unit", "每单位扣分")
            term = rules.deduct(points, value, each, cap=cap())
        case "step_deduct":
            value, target = actual(), param("target", "目标值")
            each, step = param("per_unit", "每单位扣分"), optional("step", "扣分步长")
            term = rules.step_deduct(
                points,
                value,
                target,
                each,
                step=1 if step is None else step,
                lower_is_better=lower,
                rounding=row["rounding"].text or "按比例",
                cap=cap(),
            )
        case "experts":
            scores = [(name, d) for name, d in indicator.experts if d.number is not None]
            if not scores:
                raise _Gap("专家打分待补充")
            inputs += [input_of(f"{name}打分", datum) for name, datum in scores]
            values = [d.number or Decimal(0) for _, d in scores]
            trim = int(used("expert_trim_from"))
            term = rules.experts(points, values, trim_from=trim)
            if len(values) >= trim:
                notes.append(f"{len(values)} 位专家，去掉一个最高分和一个最低分后取平均")
        case "veto":
            term = rules.veto(points, answer())
        case _:
            raise RuleError(f"计分规则“{row['rule'].text or '（空）'}”无法识别——请从下拉框中选择")
    chosen = ["rule", "measure"]
    chosen += {"bands": ["direction"], "step_deduct": ["direction", "rounding"]}.get(
        indicator.rule, []
    )
    chosen += ["step"] if indicator.rule == "on_time" else []
    inputs += [entry for name in chosen for entry in setting(_LABELS[name], row[name])]
    return _Applied(term, tuple(inputs), tuple(policies), tuple(notes), parts)


def _overachieved(
    indicator: Indicator,
    term: Term,
    value: Term,
    target: Decimal,
    inputs: list[Input],
    used: Callable[[str], Any],
) -> Term:
    """Only where the workbook says that the target was set too low."""
    inputs += setting("目标偏低", indicator.row["target_low"])
    if indicator.text("target_low") != "是":
        return term
    figures = used("over_achievement")
    return rules.overachieved(
        indicator.number_of("points") or 0,
        term,
        value,
        target,
        figures["tolerance"],
        figures["slope"],
        figures["cap"],
    )


def _on_time(indicator: Indicator, inputs: list[Input], points: Decimal, each: Decimal) -> Term:
    row, measure = indicator.row, indicator.measure
    due = direct(row["target"], "目标日期")
    if measure.gap or due.gap:
        raise _Gap(measure.gap or due.gap)
    if measure.day is None or due.day is None:
        raise RuleError("“按期完成”的目标值和实际完成值须为日期——请写成 2024-06-30")
    by = row["step"].text or "日"
    if by == "日" and (measure.month_only or (due.month_only and measure.day > due.day)):
        raise RuleError("日期只写到月份，不能按日扣分——请写明日期，或把扣分步长改为“月”")
    inputs.extend((*measure.inputs, *due.inputs))
    cap = row["cap"].number
    inputs.extend(setting("扣分封顶", row["cap"]))
    return rules.on_time(points, measure.day, due.day, each, by=by, cap=cap)


def _elements(
    indicator: Indicator, points: Decimal, inputs: list[Input]
) -> tuple[Term, tuple[Element, ...]]:
    rows = indicator.elements
    if not rows:
        raise _Gap("评分要点待补充")
    shares = [row["share"].number for row in rows]
    given = [s for s in shares if s is not None]
    if given and len(given) < len(shares):
        raise RuleError("评分要点的占比须全部填写或全部不填")
    if given and sum(given) != 100:
        raise RuleError(f"评分要点占比合计为 {plain(sum(given, Decimal(0)))}%，应为 100%")
    parts, degrees = [], []
    for row in rows:
        met = {"是": Decimal(100), "否": Decimal(0)}.get(row["met"].text, row["met"].number)
        if row["met"].value is not None and met is None:
            raise RuleError(f"要点符合情况“{row['met'].text}”应为 是、否 或百分比")
        degree = None if met is None else met / 100
        equal = Decimal(100) / len(rows)
        parts.append(
            Element(
                text=row["text"].text,
                share=(row["share"].number if given else equal) or Decimal(0),
                met=degree,
                finding=row["finding"].text,
                evidence=row["evidence"].text,
                cell=row["met"].cell,
            )
        )
        inputs.append(input_of(row["text"].text[:20], row["met"]))
        if given:
            inputs.append(input_of("占比", row["share"]))
        if degree is None:
            raise _Gap("评分要点的符合情况待补充")
        degrees.append(degree)
    return rules.elements(points, degrees, given or None), tuple(parts)


def _same_unit(indicator: Indicator) -> None:
    target, measure = indicator.row["target"], indicator.measure
    unit = target.unit or indicator.text("unit")
    if target.number is not None and unit and measure.unit and unit != measure.unit:
        raise RuleError(f"目标值的单位“{unit}”与实际完成值的单位“{measure.unit}”不一致——请统一单位")


def _check_adjustment(
    indicator: Indicator, adjustment: Adjustment, computed: Decimal | None, points: Decimal
) -> list[Problem]:
    sheet, _, cell = adjustment.cell.partition("!")
    place = {"sheet": sheet, "cell": cell, "indicator": indicator.code}
    found = []
    if not 0 <= adjustment.adjusted <= points:
        what = f"调整后得分 {plain(adjustment.adjusted)} 不在 0 与分值 {plain(points)} 之间"
        found.append(Problem(code="adjustment.range", what=what, remedy="请改正", **place))
    if computed is None:
        what = "该指标没有计算得分，不能调整"
        found.append(Problem(code="adjustment.gap", what=what, remedy="请先补齐数据", **place))
    elif computed != adjustment.computed:
        what = f"调分记录写的计算得分 {plain(adjustment.computed)} 与现在的 {plain(computed)} 不符"
        remedy = "数据已变化，请重新确认调整后得分并改正“计算得分”"
        found.append(Problem(code="adjustment.stale", what=what, remedy=remedy, **place))
    return found


def _limit(indicator: Indicator, applied: _Applied, points: Decimal) -> str:
    """Why a changed input need not move the score."""
    if applied.term.value >= Fraction(points):
        return "封顶"
    if applied.term.value <= 0:
        return "扣完"
    if indicator.rule in _STEPPED:
        return "本档内"
    return "去掉最高最低" if indicator.rule == "experts" and applied.notes else ""


def _shown_target(row: Row) -> str:
    if row["rule"].text == rules.NAMES["within"] and row["lower"].text:
        return f"{row['lower'].text}～{row['upper'].text}"
    target = row["target"]
    if isinstance(target.value, date):
        return target.bound + _shown_date(target)
    if target.number is None:
        return target.text
    return f"{target.bound}{plain(target.number)}{target.unit or row['unit'].text}"


def _shown_date(datum: Datum) -> str:
    value = datum.value
    return chinese_date(value) if isinstance(value, date) and not datum.precision else datum.raw


def _shown_actual(indicator: Indicator) -> str:
    if indicator.rule == "tiers":
        return indicator.text("tier")
    if indicator.rule == "elements":
        return _met(indicator.elements)
    if indicator.rule == "experts":
        return f"{len(indicator.experts)} 位专家评分" if indicator.experts else ""
    return indicator.measure.shown


def _met(rows: Table) -> str:
    full = sum(1 for row in rows if row["met"].text == "是" or row["met"].number == 100)
    none = sum(1 for row in rows if row["met"].text == "否" or row["met"].number == 0)
    open_ = sum(1 for row in rows if row["met"].value is None)
    counts = ((full, "符合"), (len(rows) - full - none - open_, "部分符合"), (none, "不符合"))
    said = "、".join(f"{n} 个{how}" for n, how in (*counts, (open_, "待核查")) if n)
    return f"{len(rows)} 个要点中 {said}" if rows else ""


def _measured(indicator: Indicator, target: str) -> str:
    shown = _shown_actual(indicator)
    if not shown:
        return ""
    if indicator.rule in {"elements", "experts", "tiers"}:
        return shown
    return f"目标值 {target}，实际 {shown}" if target else f"实际 {shown}"


def _rate(score: Decimal | None, points: Decimal, digits: int) -> Decimal | None:
    if score is None or points == 0:
        return None
    return round_to(Fraction(score) / Fraction(points) * 100, digits)


def _groups(scores: list[IndicatorScore], digits: int) -> tuple[GroupScore, ...]:
    keys = dict.fromkeys(k for s in scores for k in ((s.level1, ""), (s.level1, s.level2)))
    order = [
        key for one in dict.fromkeys(s.level1 for s in scores) for key in keys if key[0] == one
    ]
    found = []
    for one, two in order:
        under = [s for s in scores if s.level1 == one and (not two or s.level2 == two)]
        points = sum((s.points for s in under), Decimal(0))
        known = [s.score for s in under if s.score is not None]
        score = sum(known, Decimal(0)) if len(known) == len(under) else None
        found.append(
            GroupScore(
                level1=one,
                level2=two,
                points=points,
                score=score,
                rate=_rate(score, points, digits),
            )
        )
    return tuple(found)


def _at(
    datum: Datum, indicator: Indicator, code: str, what: str, remedy: str, severity: str = "error"
) -> Problem:
    sheet, _, cell = datum.cell.partition("!")
    return Problem(
        code=code,
        sheet=sheet,
        cell=cell,
        indicator=indicator.code,
        what=f"{indicator.text('level3')}：{what}",
        remedy=remedy,
        severity="warning" if severity == "warning" else "error",
    )
