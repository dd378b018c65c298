"""One indicator, one rule: find its inputs, run it, keep what the trace needs."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from evalkit.core.expr import Number, Term
from evalkit.core.measure import Measure, direct, input_of, setting
from evalkit.core.model import Element, Input, PolicyUse
from evalkit.core.numbers import plain
from evalkit.policy import Policy
from evalkit.scoring import rules
from evalkit.scoring.indicator import Indicator, texts
from evalkit.scoring.rules import RuleError
from evalkit.scoring.texts import LABELS, TEXTS

_SIGNS = {"≥": ">=", "≤": "<="}


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

    def number(self, name: str) -> Decimal:
        """A number of the indicator's row that must be there."""
        datum = self.indicator.row[name]
        label = LABELS.get(f"{self.indicator.rule}.{name}", LABELS[name])
        if datum.number is None:
            raise Gap(f"{label}待补充")
        self.inputs.append(input_of(label, datum))
        return datum.number

    def optional(self, name: str, default: Decimal | None = None) -> Decimal | None:
        """A number that may be absent."""
        return default if self.indicator.row[name].value is None else self.number(name)

    def choice(self, name: str, default: str = "") -> str:
        """A choice or a limit that need not move the score."""
        datum = self.indicator.row[name]
        self.choices += setting(LABELS[name], datum)
        return datum.text or default

    def cap(self) -> Decimal | None:
        """扣分封顶, which moves the score only where it binds."""
        self.choice("cap")
        return self.indicator.row["cap"].number

    def floor(self) -> Decimal:
        """起算完成率, the policy's unless the indicator has its own."""
        own = self.optional("floor")
        return self.used("ratio_floor") if own is None else own

    def lower(self) -> bool:
        """Whether lower is better."""
        return self.choice("direction") == "越低越好"

    def used(self, key: str) -> Any:
        """A policy value."""
        self.policies.append(self.policy.use(key))
        return self.policies[-1].value

    def measured(self) -> Measure:
        """The measurement, which must be there."""
        measure = self.indicator.measure
        if measure.gap:
            raise Gap(measure.gap)
        self.inputs += measure.inputs
        return measure

    def actual(self) -> Term:
        """The measurement as a number, in the target's unit."""
        measure, target = self.measured(), self.indicator.row["target"]
        if measure.term is None or measure.day is not None:
            raise RuleError(f"实际完成值“{measure.shown}”不是数值——请填写数值或改用定性的计分规则")
        unit = target.unit or self.indicator.text("unit")
        if target.number is not None and unit and measure.unit and unit != measure.unit:
            units = f"目标值的单位“{unit}”与实际完成值的单位“{measure.unit}”"
            raise RuleError(f"{units}不一致——请统一单位")
        return measure.term

    def answer(self) -> bool:
        """The measurement as 是 or 否; a count is 是 from one up."""
        measure = self.measured()
        if measure.term is not None and measure.day is None:
            return measure.term > 0
        if measure.answer not in {"是", "否"}:
            raise RuleError(f"实际完成值“{measure.shown}”应为 是 或 否")
        return measure.answer == "是"

    def reached(self) -> tuple[Number, str, Number]:
        """What full points of 是否达标 ask for: a number against its target, else the answer 是."""
        target = self.indicator.row["target"]
        if target.number is None or self.indicator.measure.answer:
            return int(self.answer()), "=", 1
        actual, limit = self.actual(), self.number("target")
        usual = "<=" if self.lower() or not limit else ">="
        return actual, _SIGNS.get(target.bound, target.bound) or usual, limit


def apply_rule(indicator: Indicator, policy: Policy) -> Applied:
    """Run an indicator's rule.

    Raises:
        Gap: an input is missing.
        RuleError: the rule cannot be applied to these inputs.
    """
    if indicator.duplicate:
        raise RuleError(f"指标编号“{indicator.code}”重复——请为每个指标编一个不同的编号")
    applied = Applied(indicator, policy)
    points = applied.number("points")
    if points <= 0:
        raise RuleError(f"分值 {plain(points)} 须大于 0——请改正分值")
    if indicator.rule == "experts":  # experts give marks, not shares of the points
        applied.inputs.clear()
        applied.choice("points")
    applied.choice("rule")
    if indicator.text("measure") == "问卷满意度":
        applied.used("survey_mappings")
    applied.choice("measure")
    applied.term = _term(applied, points)
    applied.inputs += applied.choices
    return applied


def _term(given: Applied, points: Decimal) -> Term:
    """The unrounded score."""
    rule = given.indicator.rule
    if rule in _READERS:
        return _READERS[rule](given, points)
    if rule not in TEXTS["plain_rules"]:
        shown = given.indicator.text("rule") or "（空）"
        raise RuleError(f"计分规则“{shown}”无法识别——请从下拉框中选择")
    read = [getattr(given, how)(*names) for how, *names in TEXTS["plain_rules"][rule]]
    score: Term = getattr(rules, rule)(points, *read)
    if rule in TEXTS["reducible"] and given.choice("target_low") == "是":
        actual, target, *_ = read
        figures = given.used("over_achievement")
        limits = (figures["tolerance"], figures["slope"], figures["cap"])
        return rules.overachieved(points, score, actual, target, *limits)
    return score


def _bands(given: Applied, points: Decimal) -> Term:
    actual, limits, rates = given.actual(), [], []
    for band in given.indicator.bands:
        limit, rate = band["limit"].number, band["rate"].number
        if limit is None or rate is None:
            raise Gap("分档表的界限或得分比例待补充")
        given.inputs += [input_of("界限", band["limit"]), input_of("得分比例", band["rate"])]
        limits.append(limit)
        rates.append(rate)
    return rules.bands(points, actual, limits=limits, rates=rates, lower_is_better=given.lower())


def _on_time(given: Applied, points: Decimal) -> Term:
    each, done = given.number("per_unit"), given.measured()
    due = direct(given.indicator.row["target"], "目标日期")
    if due.gap:
        raise Gap(due.gap)
    if done.day is None or due.day is None:
        raise RuleError("“按期完成”的目标值和实际完成值须为日期——请写成 2024-06-30")
    by = given.choice("step", "日")
    if by == "日" and done.day > due.day and (done.month_only or due.month_only):
        raise RuleError("日期只写到月份，不能按日扣分——请写明日期，或把扣分步长改为“月”")
    given.inputs += due.inputs
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
        said = texts(row, "text", "finding", "evidence")
        degree = None if met is None else met / 100
        given.elements.append(Element(share=share, met=degree, cell=row["met"].cell, **said))
    degrees = [e.met for e in given.elements if e.met is not None]
    if len(degrees) < len(rows):
        raise Gap("评分要点的符合情况待补充")
    return rules.elements(points, degrees, shares or None)


def _tiers(given: Applied, points: Decimal) -> Term:
    """Tiers and their bounds: 财预〔2020〕10号 art. 16, with a named tier and a percentage."""
    name = given.choice("tier")
    if not name:
        raise Gap("定性档次待补充")
    tiers = {str(tier["tier"]): tier for tier in given.used("tiers")}
    low, high = tiers[name]["from"], tiers[name]["to"]
    top = high == max(tier["to"] for tier in tiers.values())
    return rules.tiers(points, given.number("tier_rate"), low=low, high=high, top=top)


def _experts(given: Applied, points: Decimal) -> Term:
    scores = {name: n for name, d in given.indicator.experts if (n := d.number) is not None}
    if not scores:
        raise Gap("专家打分待补充")
    given.inputs += [input_of(f"{name}打分", datum) for name, datum in given.indicator.experts]
    trim_from = int(given.used("expert_trim_from"))
    if len(scores) >= trim_from:
        given.notes.append(f"{len(scores)} 位专家，去掉一个最高分和一个最低分后取平均")
    return rules.experts(points, list(scores.values()), trim_from=trim_from)


def _yes_no(given: Applied, points: Decimal) -> Term:
    return rules.yes_no(points, *given.reached(), given.optional("per_unit"))


_READERS = {
    "bands": _bands, "elements": _elements, "experts": _experts, "on_time": _on_time,
    "tiers": _tiers, "yes_no": _yes_no,
}  # fmt: skip
