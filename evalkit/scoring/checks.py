"""Cross-checks of a scorecard and its workbook, and what each state of a report refuses.

Drafts (初稿, 征求意见稿) run with everything shown; 送审稿 and 终稿 refuse.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from evalkit.core.model import STRICT_STAGES, Datum, Row, Scorecard, Source, Stage
from evalkit.core.numbers import plain
from evalkit.core.problem import Problem, Severity
from evalkit.policy import Policy
from evalkit.scoring.findings import load_checks, run_checks
from evalkit.scoring.indicator import Indicator, split_list
from evalkit.scoring.scorecard import grade_of, members, summed, worse
from evalkit.scoring.texts import TEXTS, say

_SHEET = Datum(cell="指标!")  # what concerns the sheet as a whole

_FATAL, _STRICT, _FINAL_ONLY = map(tuple, TEXTS["stages"].values())


def for_stage(problems: Iterable[Problem], stage: Stage, file: str = "") -> list[Problem]:
    """Set each problem's severity to what it means in this state; `file` is of those without one.

    >>> gap = Problem(code="gap", what="实际完成值待补充", severity="warning")
    >>> [for_stage([gap], stage)[0].severity for stage in ("初稿", "送审稿")]
    ['warning', 'error']
    """
    strict: Severity = "error" if stage in STRICT_STAGES else "warning"
    found = []
    for problem in problems:
        severity, fatal = problem.severity, problem.code.startswith(_FATAL)
        if problem.code.startswith(_FINAL_ONLY):
            severity = "error" if stage == "终稿" else "warning"
        elif problem.code in _STRICT or (severity == "error" and not fatal):
            severity = strict
        update = {"severity": severity, "file": problem.file or file}
        found.append(problem.model_copy(update=update))
    return found


def check_scorecard(card: Scorecard, policy: Policy) -> Iterator[Problem]:
    """The arithmetic that a reviewer redoes first (B1, B3, B4, B5); also run on results read back.

    Yields:
        Errors: points that do not sum, scores outside their points, totals and subtotals that are
        not the sum of their parts, a grade that does not fit. Warnings: a total near a cut.
    """
    full, bands = policy.value("full_total"), policy.value("grade_bands")
    margin = policy.value("near_cut_margin")
    points = sum((i.points for i in card.indicators), Decimal(0))
    if points != full or card.points != points:
        yield say("points.sum", _SHEET, points=points, full=full)
    for i in card.indicators:
        facts = {"name": i.level3, "points": i.points, "score": i.score}
        if i.points <= 0:
            yield say("points.range", _SHEET, i.code, **facts)
        if i.score is not None and not 0 <= i.score <= i.points:
            yield say("score.range", _SHEET, i.code, **facts)
    if card.total != summed(card.indicators):
        yield say("score.sum", _SHEET, name="总分")
    for group in card.groups:
        if group.score != summed(members(card.indicators, group.level1, group.level2)):
            yield say("score.sum", _SHEET, name=f"“{group.level2 or group.level1}”小计")
    gradable = card.total if points == full else None  # only full points can be graded
    expected = "" if gradable is None else grade_of(gradable, bands)
    if card.grade_note and card.grade and expected:
        expected = worse(expected, card.grade, bands)
    if card.grade != expected:
        shown = expected or "暂不评定"
        yield say("grade", _SHEET, expected=shown, grade=card.grade or "空")
    for grade, cut in ((band["grade"], band["from"]) for band in bands):
        if gradable is not None and cut > 0 and abs(gradable - cut) < margin:
            facts = {"total": gradable, "cut": cut, "margin": margin}
            yield say("grade.near", Datum(), grade=grade, **facts)


def check_evaluation(
    source: Source, indicators: list[Indicator], card: Scorecard, policy: Policy
) -> Iterator[Problem]:
    """What `params/checks/project_evaluation.yaml` finds in the workbook and its scores."""
    checks = load_checks("project_evaluation")
    for scope, context in _scopes(source, indicators, card, policy):
        for f in run_checks(checks, {scope: [context]}):
            own = {"code": f.check.id.partition("/")[0], "indicator": ""}
            yield f.problem("").model_copy(update=own)


def _scopes(
    source: Source, indicators: list[Indicator], card: Scorecard, policy: Policy
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the checks look at, as the head of their file says, in the order of the problems."""
    tables, project = source.tables, source.forms["project"]
    names, least = tuple(policy.value("outcome_levels")), policy.use("outcome_share_min")
    outcome = sum((g.points for g in card.level1() if g.level1.startswith(names)), Decimal(0))
    yield "weights", {**project, "outcome": outcome, "points": card.points, "least": least}
    rows = {row["code"].text: row for row in tables["indicators"]}
    listed = {c for row in tables["issues"] for c in split_list(row["indicators"].text)}
    numbers = {row["no"].text for row in tables["evidence"]}
    for score in card.indicators:
        yield "scores", {**rows[score.code], "score": score, "listed": listed}
        for number in score.evidence:
            yield "evidence", {**rows[score.code], "number": number, "numbers": numbers}
    for row in tables["issues"]:
        named = split_list(row["indicators"].text)
        yield "issues", {**row, "named": named}
        for code in named:
            yield "issue_codes", {**row, "named_code": code, "codes": rows}
    for row in tables["funds"]:
        yield "funds", row
    for i in indicators:
        yield "rates", {**i.row, "given": i, "limits": policy.value("oddity")}
    for i in indicators:
        for conflict in standard_conflicts(i.text("standard"), i.row, i.bands):
            yield "conflicts", {**i.row, "conflict": conflict}
    if answers := len(tables["survey"]):
        yield "survey", {**project, "rows": answers, "few": policy.use("survey_min_valid")}


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
    found: list[str] = []
    for statement in TEXTS["statements"]:
        said = {Decimal(n) for n in re.findall(statement["said"], text)}
        meant = {m for name in statement["meant"] if (m := row[name].number) is not None}
        given = "given" not in statement or row[statement["given"]].number is not None
        if given and said and meant and not said & meant:
            a, b = ("、".join(plain(x) for x in sorted(s)) for s in (said, meant))
            found.append(f"{statement['what']}：文字写 {a}，参数为 {b}")
    rule = row["rule"].text
    for clash in TEXTS["clashes"]:
        if rule in clash["rules"] and re.search(clash["said"], text):
            found.append(clash["what"].format(rule=rule))
    if rule == "分档得分":
        said = {Decimal(n) for n in re.findall(r"\d+(?:\.\d+)?", text)}
        cuts = {c for b in bands if (c := b["limit"].number) is not None}
        if said and not cuts <= said:
            lost = "、".join(plain(c) for c in sorted(cuts - said))
            found.append(f"分档界限 {lost} 在文字中没有出现")
    return found
