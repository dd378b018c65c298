"""One indicator, one rule: find its inputs, run it, keep what the trace needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from evalkit.core.expr import Term
from evalkit.core.measure import direct, input_of, setting
from evalkit.core.model import Element, Input, PolicyUse
from evalkit.core.numbers import plain
from evalkit.policy import Policy
from evalkit.scoring import rules
from evalkit.scoring.indicator import Indicator
from evalkit.scoring.rules import RuleError


class Gap(Exception):
    """Something is missing; the indicator stays without a score."""


@dataclass
class Applied:
    """A rule at work on one indicator: whatever is read is noted for the trace."""

    indicator: Indicator
    policy: Policy
    inputs: list[Input] = field(default_factory=list)
    choices: list[Input] = field(default_factory=list)
    policies: list[PolicyUse] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)
    term: Term = field(default_factory=lambda: Term.of(0))

    def number(self, name: str, label: str) -> Decimal:
        """A number of the indicator's row that must be there."""
        datum = self.indicator.row[name]
        if datum.number is None:
            raise Gap(f"{label}待补充")
        self.inputs.append(input_of(label, datum))
        return datum.number

    def optional(self, name: str, label: str) -> Decimal | None:
        """A number that may be absent."""
        filled = self.indicator.row[name].value is not None
        return self.number(name, label) if filled else None

    def choice(self, name: str, label: str) -> str:
        """A choice or a limit that need not move the score."""
        datum = self.indicator.row[name]
        self.choices += setting(label, datum)
        return datum.text

    def cap(self) -> Decimal | None:
        """扣分封顶, which moves the score only where it binds."""
        self.choice("cap", "扣分封顶")
        return self.indicator.row["cap"].number

    def used(self, key: str) -> Any:
        """A policy value."""
        self.policies.append(self.policy.use(key))
        return self.policies[-1].value

    def actual(self) -> Term:
        """The measurement as a number, in the target's unit."""
        measure, target = self.indicator.measure, self.indicator.row["target"]
        if measure.gap:
            raise Gap(measure.gap)
        if measure.term is None or measure.day is not None:
            raise RuleError(f"实际完成值“{measure.shown}”不是数值——请填写数值或改用定性的计分规则")
        unit = target.unit or self.indicator.text("unit")
        if target.number is not None and unit and measure.unit and unit != measure.unit:
            raise RuleError(
                f"目标值的单位“{unit}”与实际完成值的单位“{measure.unit}”不一致——请统一单位"
            )
        self.inputs += measure.inputs
        return measure.term

    def answer(self) -> bool:
        """The measurement as 是 or 否; a count is 是 from one up."""
        measure = self.indicator.measure
        if measure.gap:
            raise Gap(measure.gap)
        self.inputs += measure.inputs
        if measure.term is not None and measure.day is None:
            return measure.term > 0
        if measure.answer not in {"是", "否"}:
            raise RuleError(f"实际完成值“{measure.shown}”应为 是 或 否")
        return measure.answer == "是"


def apply_rule(indicator: Indicator, policy: Policy) -> Applied:
    """Run an indicator's rule.

    Raises:
        Gap: an input is missing.
        RuleError: the rule cannot be applied to these inputs.
    """
    if indicator.duplicate:
        raise RuleError(f"指标编号“{indicator.code}”重复——请为每个指标编一个不同的编号")
    applied = Applied(indicator, policy)
    points = applied.number("points", "分值")
    if points <= 0:
        raise RuleError(f"分值 {plain(points)} 须大于 0——请改正分值")
    if indicator.rule == "experts":  # experts give marks, not shares of the points
        applied.inputs.clear()
        applied.choice("points", "分值")
    applied.choice("rule", "计分规则")
    if indicator.text("measure") == "问卷满意度":
        applied.used("survey_mappings")
    applied.choice("measure", "取数方式")
    applied.term = _term(applied, points)
    applied.inputs += applied.choices
    return applied


def _term(given: Applied, points: Decimal) -> Term:
    """The unrounded score."""
    match given.indicator.rule:
        case "proportional" | "satisfaction":
            actual, target = given.actual(), given.number("target", "目标值")
            return _moderated(given, rules.proportional(points, actual, target), actual, target)
        case "ratio_floor":
            actual, target = given.actual(), given.number("target", "目标值")
            typed = given.optional("floor", "起算完成率")
            floor = given.used("ratio_floor") if typed is None else typed
            score = rules.ratio_floor(points, actual, target, floor)
            return _moderated(given, score, actual, target)
        case "bands":
            return _bands(given, points)
        case "linear":
            actual = given.actual()
            full, zero = given.number("full_at", "满分值"), given.number("zero_at", "零分值")
            return rules.linear(points, actual, full, zero)
        case "within":
            actual = given.actual()
            lower, upper = given.number("lower", "区间下限"), given.number("upper", "区间上限")
            return rules.within(points, actual, lower, upper)
        case "exact":
            return rules.exact(points, given.actual(), given.number("target", "目标值"))
        case "on_time":
            return _on_time(given, points)
        case "lower_deduct":
            return rules.lower_deduct(points, given.actual(), given.number("target", "目标值"))
        case "lower_ratio":
            return rules.lower_ratio(points, given.actual(), given.number("target", "目标值"))
        case "yes_no":
            return rules.yes_no(points, given.answer(), given.optional("per_unit", "未达标扣分"))
        case "elements":
            return _elements(given, points)
        case "tiers":
            return _tiers(given, points)
        case "deduct":
            actual, each = given.actual(), given.number("per_unit", "每单位扣分")
            return rules.deduct(points, actual, each, cap=given.cap())
        case "step_deduct":
            actual, target = given.actual(), given.number("target", "目标值")
            each, step = given.number("per_unit", "每单位扣分"), given.optional("step", "扣分步长")
            return rules.step_deduct(
                points,
                actual,
                target,
                each,
                step=1 if step is None else step,
                lower_is_better=given.choice("direction", "方向") == "越低越好",
                rounding=given.choice("rounding", "不足一步") or "按比例",
                cap=given.cap(),
            )
        case "experts":
            return _experts(given, points)
        case "veto":
            return rules.veto(points, given.answer())
    raise RuleError(
        f"计分规则“{given.indicator.text('rule') or '（空）'}”无法识别——请从下拉框中选择"
    )


def _moderated(given: Applied, score: Term, actual: Term, target: Decimal) -> Term:
    """Over-achievement costs marks only where the workbook says that the target was too low."""
    if given.choice("target_low", "目标偏低") != "是":
        return score
    figures = given.used("over_achievement")
    points = given.indicator.row["points"].number or 0
    limits = (figures["tolerance"], figures["slope"], figures["cap"])
    return rules.overachieved(points, score, actual, target, *limits)


def _bands(given: Applied, points: Decimal) -> Term:
    actual, limits, rates = given.actual(), [], []
    for band in given.indicator.bands:
        limit, rate = band["limit"].number, band["rate"].number
        if limit is None or rate is None:
            raise Gap("分档表的界限或得分比例待补充")
        given.inputs += [input_of("界限", band["limit"]), input_of("得分比例", band["rate"])]
        limits.append(limit)
        rates.append(rate)
    lower = given.choice("direction", "方向") == "越低越好"
    return rules.bands(points, actual, limits=limits, rates=rates, lower_is_better=lower)


def _on_time(given: Applied, points: Decimal) -> Term:
    done, due = given.indicator.measure, direct(given.indicator.row["target"], "目标日期")
    each = given.number("per_unit", "每单位扣分")
    if done.gap or due.gap:
        raise Gap(done.gap or due.gap)
    if done.day is None or due.day is None:
        raise RuleError("“按期完成”的目标值和实际完成值须为日期——请写成 2024-06-30")
    by = given.choice("step", "扣分步长") or "日"
    if by == "日" and done.day > due.day and (done.month_only or due.month_only):
        raise RuleError("日期只写到月份，不能按日扣分——请写明日期，或把扣分步长改为“月”")
    given.inputs += [*done.inputs, *due.inputs]
    return rules.on_time(points, done.day, due.day, each, by=by, cap=given.cap())


def _elements(given: Applied, points: Decimal) -> Term:
    rows = given.indicator.elements
    if not rows:
        raise Gap("评分要点待补充")
    shares = [s for row in rows if (s := row["share"].number) is not None]
    if shares and len(shares) < len(rows):
        raise RuleError("评分要点的占比须全部填写或全部不填")
    if shares and sum(shares) != 100:
        raise RuleError(f"评分要点占比合计为 {plain(sum(shares, Decimal(0)))}%，应为 100%")
    for row, share in zip(rows, shares or [Decimal(100) / len(rows)] * len(rows), strict=True):
        met = {"是": Decimal(100), "否": Decimal(0)}.get(row["met"].text, row["met"].number)
        if row["met"].value is not None and met is None:
            raise RuleError(f"要点符合情况“{row['met'].text}”应为 是、否 或百分比")
        given.inputs.append(input_of(row["text"].text, row["met"]))
        given.inputs += [input_of("占比", row["share"])] if shares else []
        given.elements.append(
            Element(
                text=row["text"].text,
                share=share,
                met=None if met is None else met / 100,
                finding=row["finding"].text,
                evidence=row["evidence"].text,
                cell=row["met"].cell,
            )
        )
    degrees = [e.met for e in given.elements if e.met is not None]
    if len(degrees) < len(rows):
        raise Gap("评分要点的符合情况待补充")
    return rules.elements(points, degrees, shares or None)


def _tiers(given: Applied, points: Decimal) -> Term:
    """Tiers and their bounds: 财预〔2020〕10号 art. 16, with a named tier and a percentage."""
    name = given.choice("tier", "定性档次")
    if not name:
        raise Gap("定性档次待补充")
    tiers = {str(tier["tier"]): tier for tier in given.used("tiers")}
    low, high = tiers[name]["from"], tiers[name]["to"]
    top = high == max(tier["to"] for tier in tiers.values())
    return rules.tiers(points, given.number("tier_rate", "得分比例"), low=low, high=high, top=top)


def _experts(given: Applied, points: Decimal) -> Term:
    scores = {name: n for name, d in given.indicator.experts if (n := d.number) is not None}
    if not scores:
        raise Gap("专家打分待补充")
    given.inputs += [input_of(f"{name}打分", datum) for name, datum in given.indicator.experts]
    trim_from = int(given.used("expert_trim_from"))
    if len(scores) >= trim_from:
        given.notes.append(f"{len(scores)} 位专家，去掉一个最高分和一个最低分后取平均")
    return rules.experts(points, list(scores.values()), trim_from=trim_from)
