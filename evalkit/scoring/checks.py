"""Cross-checks of a scorecard and its workbook, and what each state of a report refuses.

Drafts (初稿, 征求意见稿) run with everything shown; 送审稿 and 终稿 refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from evalkit.core.model import STRICT_STAGES, Datum, Row, Scorecard, Source, Stage
from evalkit.core.numbers import plain
from evalkit.core.problem import Problem
from evalkit.policy import Policy
from evalkit.scoring.indicator import Indicator, split_list
from evalkit.scoring.scorecard import grade_of, members, summed, worse
from evalkit.scoring.texts import TEXTS, say

_SHEET = Datum(cell="指标!")  # what concerns the sheet as a whole

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
    full, bands = policy.value("full_total"), policy.value("grade_bands")
    margin = policy.value("near_cut_margin")
    points = sum((i.points for i in card.indicators), Decimal(0))
    if points != full or card.points != points:
        found.append(say("points.sum", _SHEET, points=plain(points), full=plain(full)))
    for i in card.indicators:
        facts = {"name": i.level3, "points": plain(i.points), "score": plain(i.score or Decimal(0))}
        if i.points <= 0:
            found.append(say("points.range", _SHEET, i.code, **facts))
        if i.score is not None and not 0 <= i.score <= i.points:
            found.append(say("score.range", _SHEET, i.code, **facts))
    if card.total != summed(card.indicators):
        found.append(say("score.sum/total", _SHEET))
    for group in card.groups:
        if group.score != summed(members(card.indicators, group.level1, group.level2)):
            found.append(say("score.sum/group", _SHEET, name=group.level2 or group.level1))
    gradable = card.total if points == full else None  # only full points can be graded
    expected = "" if gradable is None else grade_of(gradable, bands)
    if card.grade_note and card.grade and expected:
        expected = worse(expected, card.grade, bands)
    if card.grade != expected:
        facts = {"expected": expected or "暂不评定", "grade": card.grade or "空"}
        found.append(say("grade", _SHEET, **facts))
    for band in bands:
        if gradable is not None and band["from"] > 0 and abs(gradable - band["from"]) < margin:
            facts = {"total": plain(gradable), "cut": plain(band["from"]), "margin": plain(margin)}
            found.append(say("grade.near", Datum(), grade=band["grade"], **facts))
    return found


def check_evaluation(
    source: Source, indicators: list[Indicator], card: Scorecard, policy: Policy
) -> list[Problem]:
    """What the workbook must satisfy (B2, B6, B8), oddities, and prose against parameters."""
    return [
        *_weights(source, card, policy), *_reasons(source, card), *_funds(source),
        *_oddities(indicators, policy), *_prose(indicators), *_survey(source, policy),
    ]  # fmt: skip


def _weights(source: Source, card: Scorecard, policy: Policy) -> list[Problem]:
    """B2: 产出 + 效益 ≥ 60 %, 原则上 (财预〔2020〕10号 art. 14)."""
    names = tuple(policy.value("outcome_levels"))
    least = policy.use("outcome_share_min")
    outcome = sum((g.points for g in card.level1() if g.level1.startswith(names)), Decimal(0))
    reason = source.forms["project"]["weight_reason"]
    if card.points == 0 or outcome * 100 >= least.value * card.points or reason.text:
        return []
    facts = {"share": plain(outcome * 100 / card.points), "least": plain(least.value)}
    return [say("weights.outcome", reason, source=least.source, **facts)]


def _reasons(source: Source, card: Scorecard) -> Iterator[Problem]:
    """B6: every lost mark has a reason, evidence and a problem; every problem an indicator."""
    rows = {row["code"].text: row for row in source.tables["indicators"]}
    listed = {c for row in source.tables["issues"] for c in split_list(row["indicators"].text)}
    numbers = {row["no"].text for row in source.tables["evidence"]}
    for i in card.indicators:
        row, facts = rows[i.code], {"name": i.level3, "lost": plain(i.lost or Decimal(0))}
        if i.lost and not i.reason:
            yield say("reason.missing", row["reason"], **facts)
        if i.lost and not i.evidence and not any(e.evidence for e in i.elements):
            yield say("evidence.missing", row["evidence"], **facts)
        if i.lost and i.code not in listed:
            yield say("issue.missing", row["code"], **facts)
        for number in i.evidence:
            if number not in numbers:
                yield say("evidence.unknown", row["evidence"], number=number)
    for row in source.tables["issues"]:
        named = split_list(row["indicators"].text)
        if not named:
            yield say("issue.indicator", row["indicators"], title=row["title"].text)
        for code in named:
            if code not in rows:
                yield say("issue.unknown", row["indicators"], code=code)


def _funds(source: Source) -> Iterator[Problem]:
    """B8: 到位 ≤ 预算 and 支出 ≤ 到位, or an explanation."""
    for row in source.tables["funds"]:
        for part, whole in (("arrived", "budget"), ("spent", "arrived")):
            top, base = row[part].number, row[whole].number
            unsaid = not row["explanation"].text
            if unsaid and top is not None and base is not None and top > base:
                yield say(f"oddity.funds/{part}", row[part])


def _oddities(indicators: list[Indicator], policy: Policy) -> Iterator[Problem]:
    """Rates that are too good to be left without a word."""
    limits = policy.value("oddity")
    for indicator in indicators:
        row, measure, target = indicator.row, indicator.measure, indicator.row["target"].number
        if measure.term is None or row["explanation_high"].text:
            continue
        if row["measure"].text in {"预算执行率", "资金到位率"}:
            rate, kind = measure.term, "execution"
        elif indicator.rule in {"proportional", "ratio_floor"} and target and target > 0:
            rate, kind = measure.term / target * 100, "completion"
        else:
            continue
        limit = limits[f"{kind}_rate_max"]
        facts = {"name": row["level3"].text, "shown": measure.shown, "limit": plain(limit)}
        if rate > limit:
            yield say(f"oddity.rate/{kind}", row["explanation_high"], **facts)


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


def _prose(indicators: list[Indicator]) -> Iterator[Problem]:
    for i in indicators:
        for conflict in standard_conflicts(i.text("standard"), i.row, i.bands):
            at, name = i.row["standard"], i.text("level3")
            yield say("standard.conflict", at, name=name, conflict=conflict)


def _survey(source: Source, policy: Policy) -> Iterator[Problem]:
    """Few answers make a weak satisfaction; no national minimum exists."""
    rows, project = len(source.tables["survey"]), source.forms["project"]
    if not rows:
        return
    least = policy.use("survey_min_valid")
    if rows < least.value:
        facts = {"least": plain(least.value), "source": least.source}
        yield say("survey.few", project["survey_sent"], rows=rows, **facts)
    at = project["survey_returned"]
    sent, returned = project["survey_sent"].number, at.number
    if sent is not None and returned is not None and returned > sent:
        yield say("survey.counts/sent", at)
    if returned is not None and rows > returned:
        yield say("survey.counts/returned", at, rows=rows, returned=plain(returned))
