"""Working papers (底稿.xlsx): every score with its data, source, calculation and signatures.

Scores, subtotals and rates are live formulas with cached values. How the sheets look stands in
`params/books/papers.yaml`; here are their rows.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from evalkit.core.model import GroupScore, IndicatorScore, PolicyUse, Result, Scorecard
from evalkit.core.numbers import fixed, plain
from evalkit.core.problem import SEVERITY_NAMES, Problem
from evalkit.ooxml.oxml import GAP
from evalkit.policy.load import NATIONAL, value_text
from evalkit.report.prose import card_of, mark_of, report_date
from evalkit.report.sheets import Cell, Content, Row, read_book, sheet_names, write_book
from evalkit.scoring.scorecard import members
from evalkit.workbook.blank import BORN

SCHEMA = "working_papers"

# What a trace formula may hold to be written as a live formula; anything else stays text.
_LIVE = re.compile(r"(?:ROUND|ROUNDUP|ROUNDDOWN|MIN|MAX|IF|SUM|AVERAGE|ABS|DATE|[\d.,()<>=+*/ -])+")


def _policy(use: PolicyUse) -> dict[str, str]:
    """A policy value with its source, date, profile and what was overridden."""
    profile = "国家" if use.profile == NATIONAL else use.profile
    shown = {"value": value_text(use.value), "overrode": use.overrode or "无", "profile": profile}
    return {**dict(use), **shown, "valid": f"{use.effective}\n{profile}"}


def policy_rows(card: Scorecard) -> list[dict[str, str]]:
    """Every policy value used, once, with the codes of the indicators that used it."""
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    uses = [("总评", use) for use in card.policies]
    uses += [(i.code, use) for i in card.indicators for use in i.trace.policies]
    for user, use in uses:
        found.setdefault(tuple(_policy(use).items()), []).append(user)
    every = [i.code for i in card.indicators]
    named = (["全部指标"] if users == every != every[:1] else users for users in found.values())
    return [dict(policy, users="、".join(who)) for policy, who in zip(found, named, strict=True)]


def _score_note(score: IndicatorScore) -> str:
    """What sets this score apart: a gap, a veto, an adjustment."""
    if score.score is None:
        return score.gap or GAP
    notes = ["一票否决"] if score.vetoed else []
    if change := score.adjustment:
        notes.append(f"经调分：{fixed(change.computed)}→{fixed(change.adjusted)}")
    return "；".join(notes)


def _choices(score: IndicatorScore) -> list[Row]:
    """The choices made in scoring, each once with all its cells."""
    cells: dict[tuple[str, str], list[str]] = {}
    for i in score.trace.inputs:
        if i.of == "setting":
            cells.setdefault((i.name, i.value + i.unit), []).append(i.cell)
    return [{"name": n, "value": v, "cells": "、".join(where)} for (n, v), where in cells.items()]


def _indicator(score: IndicatorScore) -> Content:
    """What stands on the sheet of one indicator."""
    trace, change = score.trace, score.adjustment
    computed = mark = lost = Cell(GAP, look="number")
    if trace.computed is not None:
        computed = Cell(trace.computed, trace.formula if _LIVE.fullmatch(trace.formula) else "")
    if score.score is not None:
        same = trace.computed == score.score and not change
        mark = Cell(score.score, "[computed]" if same else "", "mark")
        lost = Cell(score.points - score.score, "[points]-[score]")
    return {
        **dict(trace), **dict(score),
        "name": f"{score.code}　{score.level3}", "levels": f"{score.level1}—{score.level2}",
        "points": plain(score.points), "basis": str(trace.basis),
        "inputs": [dict(i) for i in trace.inputs if i.of != "setting"], "choices": _choices(score),
        "elements": [
            {**dict(e), "share": f"{fixed(e.share)}%",
             "met": GAP if e.met is None else f"{plain(e.met * 100)}%"}
            for e in score.elements
        ],
        "policies": [_policy(use) for use in trace.policies],
        "formula": trace.formula or GAP, "computed": computed, "score": mark, "lost": lost,
        "notes": [{"label": "备注", "text": note} for note in trace.notes],
        "evidence": "、".join(score.evidence) or "无", "score_note": _score_note(score),
        "reason": score.reason or ("未扣分" if score.lost == 0 else GAP),
        "finding": score.finding or GAP, "adjustments": [dict(change)] if change else [],
    }  # fmt: skip


def _rate(rate: Decimal | None) -> str | Cell:
    return GAP if rate is None else Cell(rate / 100, "ROUND([score]/[points],4)")


def _awarded(formula: str, known: Decimal, whole: Decimal | None, look: str) -> Cell:
    """A total: with gaps only what is known, marked 暂计."""
    return Cell(known, formula, look if whole is not None else f"{look}_tentative")


def _subtotal(group: GroupScore, card: Scorecard, parts: Sequence[str], **more: Any) -> Row:
    """Points, score and rate of a group: the sums of these rows; `more` as it is."""
    under = members(card.indicators, group.level1, group.level2) or card.indicators
    known = sum((i.score or Decimal(0) for i in under), Decimal(0))
    points, score = (f"SUM({','.join(f'[{field} {part}]' for part in parts)})"
                     for field in ("points", "score"))  # fmt: skip
    sums = {"points": Cell(group.points, points), "rate": _rate(group.rate)}
    return {**dict(group), **sums, "score": _awarded(score, known, group.score, "score"), **more}


def _scores(card: Scorecard, sheets: Mapping[str, str]) -> list[Row]:
    """The score table: indicators by level, each level with its subtotal, the total last."""
    rows: list[Row] = []
    totals: list[str] = []
    for one in card.level1():
        parts = []
        for two in (g for g in card.groups if g.level1 == one.level1 and g.level2):
            start = len(rows)
            for i in members(card.indicators, two.level1, two.level2):
                sheet = sheets[i.code]
                score = Cell(GAP if i.score is None else i.score, f"[{sheet}!score]")
                rows.append({
                    **dict(i), "code": Cell(i.code, link=sheet), "score": score,
                    "points": Cell(i.points, f"[{sheet}!points]"),
                    "rate": _rate(i.rate), "note": _score_note(i),
                })  # fmt: skip
            parts.append(f"{start}:{len(rows) - 1}")
            if len(rows) - start > 1:
                label = Cell("小计", over=2)
                rows.append(_subtotal(two, card, parts[-1:], look="level2", code=label))
        totals.append(str(len(rows)))
        label = Cell(f"{one.level1}合计", over=3)
        rows.append(_subtotal(one, card, parts, look="level1", level2=label))
    whole = GroupScore(level1="", points=card.points, score=card.total, rate=card.rate)
    last = {"look": "total", "level1": Cell("总计", over=4), "note": card.grade_note}
    return [*rows, _subtotal(whole, card, totals, **last)]


def _summary(result: Result, sheets: Mapping[str, str]) -> Content:
    """The cover block with total and grade, and the score table."""
    cover: dict[str, Any] = {"code": result.code, "name": result.name, **result.subject}
    cover |= {"stage": result.stage, "nature": mark_of(result), "total": GAP, "grade": GAP}
    card = result.score
    if card is None:
        return cover
    rows = _scores(card, sheets)
    last = len(rows) - 1
    total = f"[score {last}]"
    cover |= {"total": _awarded(total, card.low, card.total, "whole"), "scores": rows}
    if card.total is not None:
        return cover | {"grade": Cell(card.grade, look="grade")}
    high = f'{total}+SUMIF([score 0:{last - 1}],"{GAP}",[points 0:{last - 1}])'
    rows.append({
        "level1": Cell("可能区间（最低、最高）", over=4), "score": Cell(card.low, total),
        "rate": Cell(card.high, high, "score"), "note": "待补充指标得零分、得满分",
    })  # fmt: skip
    return cover | {"grade": f"{GAP}（可能区间 {fixed(card.low)}～{fixed(card.high)} 分）"}


def problem_rows(problems: Iterable[Problem], *place: str) -> list[dict[str, str]]:
    """Problems as rows; these of their fields say at which `place` they are."""
    return [
        {**dict(p), "severity": SEVERITY_NAMES[p.severity],
         "place": "｜".join(filter(None, (getattr(p, field) for field in place)))}
        for p in problems
    ]  # fmt: skip


def write_papers(result: Result, path: Path) -> Path:
    """Write the working papers of one result; returns the path really written.

    Sheets: 汇总, one a third-level indicator (by its code), the other pages of the book, each with
    a table of the result, its `problems` or its `policies`, and a hidden ``_meta`` with schema and
    version.
    """
    card, book = card_of(result), read_book("papers")
    records = [page for page in book["pages"] if page not in ("汇总", "*")]
    problems = problem_rows(result.problems, "file", "sheet", "cell", "indicator")
    tables = {**result.tables, "problems": problems, "policies": policy_rows(card)}
    codes = [i.code for i in card.indicators]
    names = sheet_names(codes, ("汇总", "_meta", *records))
    summary = _summary(result, dict(zip(codes, names, strict=True)))
    pages = dict(zip(names, map(_indicator, card.indicators), strict=True))
    contents = {"汇总": summary, **pages, **dict.fromkeys(records, tables)}
    meta = {"schema": SCHEMA, "version": result.schema_version, "workflow": result.workflow,
            "code": result.code, "stage": result.stage}  # fmt: skip
    mark, day = mark_of(result), report_date(result) or BORN
    name, created = result.name + (f"（{mark}）" if mark else ""), datetime(*day.timetuple()[:3])
    return write_book(path, book, contents, meta, name=name, created=created)
