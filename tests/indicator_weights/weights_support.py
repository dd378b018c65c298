"""Small tasks of 指标权重 made to order."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from evalkit.core.model import Result
from evalkit.core.problem import EvalkitError, Problem
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema
from evalkit.workflows import indicator_weights as weighing

SCHEMA = load_schema("indicator_weights")
FORM = {
    "code": "QZ-1", "name": "测试项目", "year": "2024", "unit": "某中心", "client": "某财政局",
    "agency": "某机构", "lead_evaluator": "张某", "reviewer": "李某", "report_date": "2025-03-20",
}  # fmt: skip
TEXTS = {"panel": "由机构选定。", "review": "无"}
GOAL = "总目标"


def flat(names: Sequence[str]) -> list[dict[str, str]]:
    """Indicators of which only the first level is weighed: one below each."""
    return [
        {"code": f"A{n}", "level1": name, "level2": f"{name}类", "level3": f"{name}项"}
        for n, name in enumerate(names, 1)
    ]


def pairs(above: str, names: Sequence[str], *judged: Mapping[str, str]) -> list[dict[str, str]]:
    """Rows of 两两比较 for a group; `judged` are judgements by expert, pair after pair."""
    rows = []
    for n, (a, b) in enumerate(itertools.combinations(names, 2)):
        said = {
            f"judgement:{who}": texts.split()[n] for each in judged for who, texts in each.items()
        }
        rows.append({"parent": above, "a": a, "b": b} | said)
    return rows


def marks(round_: str, codes: Sequence[str], **said: str) -> list[dict[str, str]]:
    """Rows of 专家打分 for a round; `said` are marks by expert in the order of the codes."""
    return [
        {"round": round_, "indicator": code}
        | {
            f"mark:{who}": texts.split()[n]
            for who, texts in said.items()
            if texts.split()[n] != "_"
        }
        for n, code in enumerate(codes)
    ]


def people(*names: str, **more: str) -> list[dict[str, str]]:
    """Rows of 专家, complete."""
    return [
        {"name": name, "unit": "某大学", "title": "教授", "field": "绩效"}
        | ({"share": more[name]} if name in more else {})
        for name in names
    ]


def write(path: Path, form: Mapping[str, str] | None = None, **sheets: Any) -> Path:
    """A task workbook; sheets by id."""
    content = {"project": FORM | dict(form or {}), "texts": TEXTS} | sheets
    filled = {sheet.id: [] for sheet in SCHEMA.sheets if sheet.kind == "table"} | content
    return write_blank(path, SCHEMA, filled)


def load(path: Path, stage: str = "初稿", **more: str) -> weighing.Data:
    out = str(path.parent / "out")
    return weighing.load(weighing.Params(workbook=str(path), stage=stage, out=out, **more))


def run(path: Path, stage: str = "初稿", **more: str) -> Result:
    return weighing.evaluate(load(path, stage, **more))


def column(result: Result, key: str, table: str = "points") -> list[str]:
    return [row[key] for row in result.tables[table]]


def numbers(result: Result, key: str = "weight", table: str = "points") -> list[float]:
    return [float(text) for text in column(result, key, table)]


def said(found: Result | EvalkitError, code: str) -> list[Problem]:
    return [problem for problem in found.problems if problem.code == code]


def put(path: Path, sheet: str, cell: str, value: Any) -> None:
    """Change one cell as a person would."""
    book = load_workbook(path)
    book[sheet][cell].value = value
    book.save(path)


def head_row(path: Path, sheet: str, first: str) -> int:
    """The row of the headings of a table."""
    for row in load_workbook(path)[sheet].iter_rows():
        if any(str(cell.value or "").rstrip("*△") == first for cell in row):
            return row[0].row
    raise AssertionError(first)
