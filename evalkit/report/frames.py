"""What a notebook shows: results as DataFrames, with the columns that params/report.yaml names."""

from collections.abc import Iterable

import pandas as pd

from evalkit.core.model import Result, Trace
from evalkit.core.problem import SEVERITY_NAMES, Problem
from evalkit.report.papers import policy_rows, problem_rows
from evalkit.report.prose import WORDS, card_of, figure, printed

# Formulas and cells are there to be read, not to be cut.
pd.set_option("display.max_colwidth", None, "display.max_rows", None)


def _frame(name: str, rows: Iterable[dict[str, str]]) -> pd.DataFrame:
    columns: dict[str, str] = WORDS["frames"][name]
    frame = pd.DataFrame(rows, columns=list(columns.values()))
    return frame.set_axis(list(columns), axis="columns").set_index(next(iter(columns)))


def problems(found: Iterable[Problem]) -> pd.DataFrame:
    """Problems, errors first."""
    ranked = sorted(found, key=lambda p: [*SEVERITY_NAMES].index(p.severity))
    rows = problem_rows(ranked, "sheet", "cell")
    nothing = {"severity": "", "place": "", "what": "没有问题", "remedy": ""}
    return _frame("problems", rows or [nothing])


def table(result: Result, name: str) -> pd.DataFrame:
    """A table of a result, with the columns that its business shows."""
    return _frame(f"{result.workflow}.{name}", result.tables[name])


def scores(result: Result) -> pd.DataFrame:
    """One row an indicator: points, score, rate, rule, target and actual."""
    rows = ({**dict(i), **printed(i), "rule": i.trace.rule_name}
            for i in card_of(result).indicators)  # fmt: skip
    return _frame("scores", rows)


def groups(result: Result) -> pd.DataFrame:
    """Level-1 subtotals and the total; with gaps the total is 暂计 with its range."""
    card = card_of(result)
    whole = printed(card)
    known = whole["total"] if card.total is not None else "暂计 {low}～{high}".format(**whole)
    rows = [{"level1": g.level1, **printed(g)} for g in card.level1()]
    return _frame("groups", [*rows, {**whole, "level1": "合计", "score": known}])


def _inputs(trace: Trace) -> str:
    """The first values of a trace with their cells; the choices made are told in 底稿."""
    values = [f"{x.name} {x.value}{x.unit}（{x.cell}）" for x in trace.inputs if x.of != "setting"]
    return "；".join([*values[:6], *(["……"] if len(values) > 6 else [])])


def traces(result: Result) -> pd.DataFrame:
    """How each score came about: formula, inputs with their cells, basis."""
    rows = (
        {**dict(i.trace), "level3": i.level3, "computed": figure(i.trace.computed),
         "score": figure(i.score), "inputs": _inputs(i.trace), "basis": str(i.trace.basis)}
        for i in card_of(result).indicators
    )  # fmt: skip
    return _frame("traces", rows)


def policies(result: Result) -> pd.DataFrame:
    """Every policy value used: value, source, date, profile, what it overrode, by whom used."""
    return _frame("policies", policy_rows(card_of(result)))


def issues(result: Result) -> pd.DataFrame:
    """The problems found, as a rectification ledger starts."""
    return _frame("issues", result.tables["issues"])
