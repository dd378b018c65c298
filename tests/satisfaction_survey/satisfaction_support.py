"""Tasks of a survey made to order: a workbook, an export of answers beside it, and a run."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from docx import Document

from evalkit.core.model import Result
from evalkit.core.problem import EvalkitError
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema
from evalkit.workflows import satisfaction_survey as survey

LEVELS = ["非常满意", "满意", "一般", "不满意", "非常不满意"]
PROJECT = {
    "code": "DC-1", "name": "测试项目", "year": "2024", "department": "某局", "unit": "某中心",
    "client": "某财政局", "agency": "某机构", "lead_evaluator": "张某", "reviewer": "李某",
    "report_date": "2025-06-30", "object": "读者", "sampling": "简单随机抽样",
    "survey_period": "2025年5月", "survey_method": "问卷", "survey_mapping": "百分赋值",
}  # fmt: skip
TEXTS = {"design": "等距抽取。", "limits": "样本偏少。"}
Q = "1、您对服务是否满意？"


def paper(*counts: int, question: str = Q, group: str = "") -> dict[str, str]:
    """A line of the tally from counts of the five levels and 不了解."""
    told = zip([*LEVELS, "不了解"], map(str, counts), strict=False)
    return {"question": question, "group": group, **dict(told)}


def task(folder: Path, **sheets: Any) -> Path:
    """A workbook; `project` goes over a complete one, a tally brings its numbers of forms."""
    tally = sheets.get("tally", [])
    sizes: dict[str, int] = {}
    for row in tally:
        people = row.get("people") or sum(int(v) for v in row.values() if v.isdigit())
        sizes[row["question"]] = sizes.get(row["question"], 0) + int(people)
    forms = str(max(sizes.values(), default=0)) if tally else ""
    numbers = dict.fromkeys(("sent_paper", "returned_paper", "valid_paper"), forms)
    content = {
        "questions": [{"question": Q, "kind": "满意度"}],
        **sheets,
        "project": PROJECT | numbers | sheets.get("project", {}),
        "texts": TEXTS | sheets.get("texts", {}),
    }
    return write_blank(folder / "调查任务.xlsx", load_schema("satisfaction_survey"), content)


def export(folder: Path, rows: Sequence[Sequence[object]], *heads: str, **how: Any) -> str:
    """An export as CSV beside the workbook; rows are answers, seconds and address are made up."""
    path = folder / how.pop("name", "答卷.csv")
    with path.open("w", encoding=how.pop("encoding", "utf-8"), newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["序号", "所用时间", "来自IP", *heads])
        seconds, places = how.pop("seconds", {}), how.pop("places", {})
        for number, row in enumerate(rows, 1):
            place = places.get(number, f"10.9.8.{number}")
            writer.writerow([number, f"{seconds.get(number, 60 + number)}秒", place, *row])
    return path.name


def run(path: Path, stage: str = "终稿", **more: str) -> Result:
    data = survey.load(survey.Params(workbook=str(path), stage=stage, **more))
    return survey.evaluate(data)


def said(path: Path, stage: str = "终稿") -> str:
    """What a run is refused for."""
    with pytest.raises(EvalkitError) as caught:
        run(path, stage)
    return str(caught.value)


def deliver(path: Path, out: Path, stage: str = "终稿", figures: bool = False) -> dict[str, Path]:
    data = survey.load(survey.Params(workbook=str(path), stage=stage, out=str(out)))
    result = survey.evaluate(data)
    return survey.deliver(data, result, survey.draw(data, result) if figures else {})


def texts(path: Path) -> str:
    """All text of a Word file."""
    document = Document(str(path))
    cells = (cell.text for table in document.tables for row in table.rows for cell in row.cells)
    return "\n".join([*(p.text for p in document.paragraphs), *cells])


def value(formula: str) -> Fraction:
    """What an Excel expression of whole numbers and decimals gives, exactly."""
    assert re.fullmatch(r"[\d.+*/()-]+", formula)
    exact = re.sub(r"\d+(\.\d+)?", lambda number: f"Fraction('{number[0]}')", formula)
    return eval(exact, {"Fraction": Fraction})  # noqa: S307
