"""Points and satisfaction drawn from other results: what a 数据底稿 leaves blank is filled.

Its form may name the folder of a weights result (`weights_from`) and of a survey result
(`survey_from`), each with result.json and 汇总表.xlsx. What is drawn carries the cell of that
汇总表 where it stands, ``[权重/汇总表.xlsx]权重与分值!F3``; a cell that is filled has to agree.
What does not fit is told by params/checks/drawn.yaml.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from evalkit.core.expr import Term
from evalkit.core.measure import direct
from evalkit.core.model import STRICT_STAGES, Datum, Result, Row, Source, Stage
from evalkit.core.numbers import fixed, plain, to_decimal
from evalkit.core.problem import Problem, noting
from evalkit.core.result_file import FILE_NAME, load
from evalkit.scoring.findings import load_checks, run_checks
from evalkit.survey.satisfaction import OPTIONS, UNAWARE, Question, Survey
from evalkit.workbook.names import match_key

BOOK = "汇总表.xlsx"
_FIRST = 3  # the first row of both its pages, below title and headings
_FROM = {"weights_from": "indicator_weights", "survey_from": "satisfaction_survey"}
_SAID, _COUNTED = ("mapping", "period", "method"), ("sent", "returned", "population")
INTERVAL = ("survey.low", "survey.high", "survey.confidence")  # of an evaluation's values, too
_OWN = {"survey_period", "survey_method"}  # where the form has words of its own, they stand


class Drawn(NamedTuple):
    """A source with its blanks filled, the results they came from, the files that were read."""

    source: Source
    weights: Result | None
    survey: Result | None
    files: list[Path]
    problems: list[Problem]


def fill_from(source: Source, stage: Stage, known: Iterable[Problem]) -> Drawn:
    """Fill the blanks of a 数据底稿 from the results whose folders it names.

    Points come by the code of their indicator; mapping, counts, period and method of the survey
    go into the form. Of the problems `known` those of blanks that are filled now are gone.
    """
    form, tables, results = source.forms["project"], dict(source.tables), dict[str, Result]()
    files, problems, cells = list[Path](), list[Problem](), list[dict[str, Any]]()
    scopes: dict[str, list[dict[str, Any]]] = {"folder": [], "cells": cells}  # for the checks
    for name, business in _FROM.items():
        at, found = form[name], None
        mine = [Path(source.path).parent / at.text / file for file in (FILE_NAME, BOOK)]
        lost = "、".join(path.name for path in mine if at.text and not path.is_file())
        with noting(problems, file=f"{at.text}/{FILE_NAME}"):
            found = load(mine[0])[0] if at.text and not lost else None
        about = {"result": found, "business": business, "strict": stage in STRICT_STAGES}
        scopes["folder"].append({"at": at, "lost": lost} | about)
        if found and found.workflow == business:
            results[name], files = found, files + mine
    weights, survey = map(results.get, _FROM)
    if weights:
        at, given = form["weights_from"], _points(weights, form["weights_from"])
        rows = [(row, given.pop(match_key(row["code"].text), None)) for row in tables["indicators"]]
        strange = [r["code"] for r in weights.tables["points"] if match_key(r["code"]) in given]
        scopes["weights"] = [{"at": at, "strange": strange}]
        tables["indicators"] = [_fill(row, {"points": c or Datum()}, cells) for row, c in rows]
    if survey:
        scopes["survey"] = [{**form, "result": survey, "answers": tables["survey"]}]
        form = _fill(form, _told(survey, form["survey_from"]), cells)
    forms, filled = source.forms | {"project": form}, {c["now"].cell for c in cells if c["blank"]}
    source = source.model_copy(update={"tables": tables, "forms": forms})
    problems += [found.problem("") for found in run_checks(load_checks("drawn"), scopes)]
    kept = [p for p in known if f"{p.sheet}!{p.cell}" not in filled]
    return Drawn(source, weights, survey, files, kept + problems)


def survey_of(result: Result, at: Datum) -> Survey:
    """A survey result as an evaluation uses it; `at` is the cell that names its folder."""
    tables, values = result.tables, result.values
    cell = _cell(values.get("survey.satisfaction"), f"{_page(at, '采用结果')}B{_FIRST}", "%")
    questions = [
        Question(row["question"], {option: int(row[option]) for option in (*OPTIONS, UNAWARE)},
                 Term.of(row["satisfaction"]) if row["satisfaction"] else None)
        for row in tables["questions"]
    ]  # fmt: skip
    groups = {row["group"]: (int(row["n"]), to_decimal(row["satisfaction"]))
              for row in tables["groups"] if row["satisfaction"]}  # fmt: skip
    count = int(values.get("survey.valid", 0))
    measure = direct(cell, "满意度")
    shown = measure.term and f"{fixed(measure.term.value)}%"
    return Survey(tuple(questions), count, groups, replace(measure, shown=shown or ""))


def _page(at: Datum, sheet: str) -> str:
    """A page of the 汇总表 in the folder that a cell names, as cells are called."""
    return f"[{at.text.strip('/')}/{BOOK}]{sheet}!"


def _cell(value: Decimal | str | None, place: str, unit: str = "") -> Datum:
    """A cell of a 汇总表; blank where the result says nothing."""
    raw = plain(value) if isinstance(value, Decimal) else value or ""
    return Datum(value=value if raw else None, raw=raw, unit=unit, cell=place)


def _points(result: Result, at: Datum) -> Row:
    """The points of a weights result by code."""
    page, rows = _page(at, "权重与分值"), enumerate(result.tables["points"], _FIRST)
    told = ((row["code"], row["points"], f"{page}F{number}") for number, row in rows)
    return {match_key(c): _cell(to_decimal(p) if p else None, place) for c, p, place in told}


def _told(result: Result, at: Datum) -> Row:
    """What a survey result says of its survey, by field of the form."""
    page, told = _page(at, "采用结果"), dict[str, Decimal | str | None]()
    told |= {f"survey_{name}": result.subject.get(f"survey_{name}") for name in _SAID}
    told |= {f"survey_{name}": result.values.get(f"survey.{name}") for name in _COUNTED}
    return {name: _cell(value, f"{page}A{_FIRST}") for name, value in told.items()}


def _fill(row: Row, given: Row, cells: list[dict[str, Any]]) -> Row:
    """The row with its blanks filled; every cell that is asked for is noted."""
    blank = {n: other for n, other in given.items() if other.raw and not row[n].raw}
    for name, other in given.items():
        about = {"now": row[name], "other": other, "own": name in _OWN, "blank": name in blank}
        cells.append(row | about)
    return row | blank
