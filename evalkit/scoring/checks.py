"""Cross-checks of a scorecard and its workbook, and what each state of a report refuses.

Drafts (初稿, 征求意见稿) run with everything shown; 送审稿 and 终稿 refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from evalkit.core.model import STRICT_STAGES, Datum, Row, Scorecard, Source, Stage, problem_at
from evalkit.core.numbers import plain
from evalkit.core.problem import Problem, Severity
from evalkit.policy import Policy
from evalkit.scoring.indicator import Indicator, split_list
from evalkit.scoring.scorecard import grade_of, worse

# Without these there is no project to speak of, whatever the state of the report.
_ALWAYS_FATAL = ("file.", "meta.", "sheet.missing", "column.missing", "list.", "project.")
# Drafts show these, 送审稿 and 终稿 refuse them: what is missing, and what is not sure.
_STRICT = ("gap", "required.final", "unit.missing", "unit.conflict", "percent.ambiguous")
# 终稿 alone refuses these; in 送审稿 they are still being explained.
_FINAL_ONLY = ("oddity.",)


def for_stage(problems: Iterable[Problem], stage: Stage) -> list[Problem]:
    """Set each problem's severity to what it means in this state of the report.

    >>> gap = Problem(code="gap", what="实际完成值待补充", severity="warning")
    >>> [for_stage([gap], stage)[0].severity for stage in ("初稿", "送审稿")]
    ['warning', 'error']
    """
    strict = stage in STRICT_STAGES
    found = []
    for problem in problems:
        severity = problem.severity
        if problem.code.startswith(_FINAL_ONLY):
            severity = "error" if stage == "终稿" else "warning"
        elif problem.code in _STRICT:
            severity = "error" if strict else "warning"
        elif severity == "error" and not strict and not problem.code.startswith(_ALWAYS_FATAL):
            severity = "warning"
        found.append(problem.model_copy(update={"severity": severity}))
    return found


def check_scorecard(card: Scorecard, policy: Policy) -> list[Problem]:
    """The arithmetic that a reviewer redoes first (B1, B3, B4, B5); also run on results read back.

    Returns:
        Errors: points that do not sum, scores outside their points, totals and subtotals that are
        not the sum of their parts, a grade that does not fit. Warnings: a total near a cut.
    """
    found: list[Problem] = []

    def fault(code: str, what: str, remedy: str, indicator: str = "") -> None:
        found.append(
            Problem(code=code, sheet="指标", what=what, remedy=remedy, indicator=indicator)
        )

    full = policy.value("full_total")
    points = sum((i.points for i in card.indicators), Decimal(0))
    if points != full or card.points != points:
        what = f"各指标分值合计为 {plain(points)}，应为 {plain(full)}"
        fault("points.sum", what, "请调整“分值”列")
    for i in card.indicators:
        if i.points <= 0:
            fault("points.range", f"{i.level3}：分值 {plain(i.points)} 须大于 0", "请改正", i.code)
        if i.score is not None and not 0 <= i.score <= i.points:
            what = f"{i.level3}：得分 {plain(i.score)} 超出 0 与分值 {plain(i.points)} 之间"
            fault("score.range", what, "请检查计分规则与调分记录", i.code)
    scores = [i.score for i in card.indicators]
    known = [s for s in scores if s is not None]
    total = sum(known, Decimal(0)) if len(known) == len(scores) else None
    if card.total != total:
        fault("score.sum", "总分不等于各指标得分之和", "请重新运行")
    for group in card.groups:
        parts = [
            i.score
            for i in card.indicators
            if i.level1 == group.level1 and group.level2 in {"", i.level2}
        ]
        has = [p for p in parts if p is not None]
        if group.score != (sum(has, Decimal(0)) if len(has) == len(parts) else None):
            name = group.level2 or group.level1
            fault("score.sum", f"“{name}”小计不等于各指标得分之和", "请重新运行")
    bands = policy.value("grade_bands")
    gradable = card.total if points == full else None  # only full points can be graded
    expected = "" if gradable is None else grade_of(gradable, bands)
    if card.grade_note and card.grade and expected:
        expected = worse(expected, card.grade, bands)
    if card.grade != expected:
        what = f"等级应为“{expected or '暂不评定'}”，现为“{card.grade or '空'}”"
        fault("grade", what, "请重新运行")
    margin = policy.value("near_cut_margin")
    for band in bands:
        if gradable is not None and band["from"] > 0 and abs(gradable - band["from"]) < margin:
            cut = f"“{band['grade']}”的界限 {plain(band['from'])}"
            what = f"总分 {plain(gradable)} 距{cut} 不足 {plain(margin)} 分"
            remedy = "请复核临界指标的证据"
            found.append(Problem(code="grade.near", severity="warning", what=what, remedy=remedy))
    return found


def check_evaluation(
    source: Source, indicators: list[Indicator], card: Scorecard, policy: Policy
) -> list[Problem]:
    """What the workbook must satisfy (B2, B6, B8), oddities, and prose against parameters."""
    return [
        *_weights(source, card, policy),
        *_reasons(source, card),
        *_funds(source, policy),
        *_oddities(indicators, policy),
        *_prose(indicators),
        *_survey(source, policy),
    ]


def _warn(
    datum: Datum, code: str, what: str, remedy: str, severity: Severity = "warning"
) -> Problem:
    return problem_at(datum, code, what, remedy, severity)


def _weights(source: Source, card: Scorecard, policy: Policy) -> list[Problem]:
    """B2: 产出 + 效益 ≥ 60 %, 原则上 (财预〔2020〕10号 art. 14)."""
    names = tuple(policy.value("outcome_levels"))
    least = policy.value("outcome_share_min")
    outcome = sum((g.points for g in card.level1() if g.level1.startswith(names)), Decimal(0))
    reason = source.forms["project"]["weight_reason"]
    if card.points == 0 or outcome * 100 >= least * card.points or reason.text:
        return []
    share = outcome * 100 / card.points
    return [
        _warn(
            reason,
            "weights.outcome",
            f"产出、效益指标权重合计 {plain(share)}%，低于 {plain(least)}%"
            f"（{policy.use('outcome_share_min').source}，原则上）",
            "请调整分值，或在“权重偏离理由”中说明",
            "error",
        )
    ]


def _reasons(source: Source, card: Scorecard) -> list[Problem]:
    """B6: every lost mark has a reason, evidence and a problem; every problem an indicator."""
    found: list[Problem] = []
    rows = {row["code"].text: row for row in source.tables["indicators"]}
    codes = set(rows)
    listed = {c for row in source.tables["issues"] for c in split_list(row["indicators"].text)}
    numbers = {row["no"].text for row in source.tables["evidence"]}
    for i in card.indicators:
        row = rows[i.code]
        if i.lost:
            if not i.reason:
                what = f"{i.level3}：扣 {plain(i.lost)} 分，没有写扣分原因"
                found.append(_warn(row["reason"], "reason.missing", what, "请填写", "error"))
            if not i.evidence and not any(e.evidence for e in i.elements):
                what = f"{i.level3}：扣分没有列出佐证"
                found.append(_warn(row["evidence"], "evidence.missing", what, "请填写佐证编号"))
            if i.code not in listed:
                what = f"{i.level3}：扣分未对应任何问题"
                remedy = "请在“问题”表的“关联指标”中写上它的编号"
                found.append(_warn(row["code"], "issue.missing", what, remedy))
        for number in i.evidence:
            if number not in numbers:
                what = f"佐证编号“{number}”不在“佐证”表中"
                found.append(_warn(row["evidence"], "evidence.unknown", what, "请补登或改正"))
    for row in source.tables["issues"]:
        named = split_list(row["indicators"].text)
        if not named:
            what = f"问题“{row['title'].text}”没有关联指标"
            found.append(_warn(row["indicators"], "issue.indicator", what, "请填写指标编号"))
        found += [
            _warn(row["indicators"], "issue.unknown", f"指标编号“{code}”不存在", "请改正", "error")
            for code in named
            if code not in codes
        ]
    return found


def _funds(source: Source, policy: Policy) -> list[Problem]:
    """B8: 到位 ≤ 预算 and 支出 ≤ 到位, or an explanation."""
    found = []
    for row in source.tables["funds"]:
        if row["explanation"].text:
            continue
        for part, whole, what in (
            ("arrived", "budget", "到位金额大于全年预算"),
            ("spent", "arrived", "支出金额大于到位金额"),
        ):
            top, base = row[part].number, row[whole].number
            if top is not None and base is not None and top > base:
                remedy = "请核实，或在“异常说明”中写明原因"
                found.append(_warn(row[part], "oddity.funds", what, remedy))
    return found


def _oddities(indicators: list[Indicator], policy: Policy) -> list[Problem]:
    """Rates that are too good to be left without a word."""
    limits = policy.value("oddity")
    found = []
    for indicator in indicators:
        row, measure = indicator.row, indicator.measure
        if measure.term is None or row["explanation_high"].text:
            continue
        executed = row["measure"].text in {"预算执行率", "资金到位率"}
        if executed and measure.term > (top := limits["execution_rate_max"]):
            what = f"{row['level3'].text}为 {measure.shown}，超过 {plain(top)}%"
        elif not executed and indicator.rule in {"proportional", "ratio_floor"}:
            target = row["target"].number
            most = limits["completion_rate_max"]
            if not target or target <= 0 or measure.term / target * 100 <= most:
                continue
            what = f"{row['level3'].text}：完成值 {measure.shown} 超过目标值的 {plain(most)}%"
        else:
            continue
        remedy = "请在“异常说明”中写明原因；确因目标偏低的，“目标偏低”填 是"
        found.append(_warn(row["explanation_high"], "oddity.rate", what, remedy))
    return found


_DIGITS = {"一": "1", "二": "2", "两": "2", "三": "3", "四": "4", "五": "5", "半": "0.5"}


def standard_conflicts(standard: str, row: Row, bands: Iterable[Row] = ()) -> list[str]:
    """Where the 评分标准 that the client approved contradicts the parameters of the rule.

    Only clear statements are compared: marks taken off each time, the value for full marks, the
    value for none, the indicator's points, the cuts of bands, and proportional against not.

    Returns:
        One Chinese clause for each contradiction.
    """
    text = re.sub(r"\s", "", standard)
    text = re.sub(r"([一二两三四五半])(?=分)", lambda m: _DIGITS[m[1]], text)
    number = r"(\d+(?:\.\d+)?)"
    found: list[str] = []

    def compare(pattern: str, names: tuple[str, ...], what: str) -> None:
        said = {Decimal(n) for n in re.findall(pattern, text)}
        meant = {m for n in names if (m := row[n].number) is not None}
        if said and meant and not said & meant:
            a, b = ("、".join(plain(x) for x in sorted(s)) for s in (said, meant))
            found.append(f"{what}：文字写 {a}，参数为 {b}")

    rule = row["rule"].text
    if row["per_unit"].number is not None:
        compare(rf"扣(?:除|减)?{number}分", ("per_unit", "cap"), "每次扣分")
    if row["cap"].number is not None:
        compare(rf"(?:最多扣|扣分上限(?:为)?|封顶){number}分", ("cap",), "扣分封顶")
    compare(rf"(?:满分|分值)(?:为|：|:)?{number}分", ("points",), "分值")
    gap = r"[^\d，。；,;]{0,6}(?:的)?，?"
    goal = rf"(?:≥|≧|达到|不低于|等于|不超过|≤|≦){number}{gap}(?:得|记|计)满分"
    compare(goal, ("target", "full_at", "lower", "upper"), "满分值")
    none = rf"(?:低于|小于|不足|不高于|＜|<){number}{gap}(?:不得分|得0分|得零分|记0分)"
    compare(none, ("floor", "zero_at"), "零分值")
    by_share = "按比例" in text or re.search(r"乘以?分值|×分值|\*分值", text)
    if by_share and rule in {"等值达标", "是否达标", "分档得分", "按次扣分", "一票否决"}:
        found.append(f"文字写按比例计分，计分规则为“{rule}”")
    if rule == "比例得分" and re.search(r"每(?:降低|减少|低|少|差|超)", text) and not by_share:
        found.append("文字写逐点扣分，计分规则为“比例得分”")
    if rule == "分档得分":
        said = {Decimal(n) for n in re.findall(number, text)}
        cuts = {c for b in bands if (c := b["limit"].number) is not None}
        if said and not cuts <= said:
            lost = "、".join(plain(c) for c in sorted(cuts - said))
            found.append(f"分档界限 {lost} 在文字中没有出现")
    return found


def _prose(indicators: list[Indicator]) -> list[Problem]:
    return [
        _warn(
            indicator.row["standard"],
            "standard.conflict",
            f"{indicator.text('level3')}：评分标准的文字与参数不一致——{conflict}",
            "以审定的实施方案为准改正其一",
        )
        for indicator in indicators
        for conflict in standard_conflicts(
            indicator.text("standard"), indicator.row, indicator.bands
        )
    ]


def _survey(source: Source, policy: Policy) -> list[Problem]:
    """Few answers make a weak satisfaction; no national minimum exists."""
    rows, project = source.tables["survey"], source.forms["project"]
    if not rows:
        return []
    found = []
    least = policy.value("survey_min_valid")
    if len(rows) < least:
        found.append(
            _warn(
                project["survey_sent"],
                "survey.few",
                f"有效问卷 {len(rows)} 份，少于 {plain(least)} 份"
                f"（{policy.use('survey_min_valid').source}）",
                "请补充调查，或在报告中说明代表性",
            )
        )
    sent, returned = project["survey_sent"].number, project["survey_returned"].number
    if sent is not None and returned is not None and returned > sent:
        what = "问卷回收份数大于发放份数"
        found.append(_warn(project["survey_returned"], "survey.counts", what, "请核对", "error"))
    if returned is not None and len(rows) > returned:
        what = f"“问卷”表有 {len(rows)} 份，多于回收份数 {plain(returned)}"
        found.append(_warn(project["survey_returned"], "survey.counts", what, "请核对", "error"))
    return found
