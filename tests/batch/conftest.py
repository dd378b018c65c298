"""A small list of tiny notebooks, and results made by hand."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import docx
import pytest

from evalkit.batch.jobs import Job
from evalkit.batch.outcome import Outcome
from evalkit.batch.summary import Entry
from evalkit.core import model
from evalkit.core.problem import Problem

FILES = Path(__file__).parent / "files"
HEADERS = ("code", "name", "notebook", "workbook")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the tiny notebooks and one workbook (a text that `ok.ipynb` reads)."""
    for notebook in FILES.glob("*.ipynb"):
        shutil.copy(notebook, tmp_path)
    (tmp_path / "数据底稿.xlsx").write_text("某县甲中心｜125000", encoding="utf-8")
    return tmp_path


WriteList = Callable[..., Path]


@pytest.fixture
def write_list(place: Path) -> WriteList:
    """Write a CSV list into `place`; rows are (code, name, notebook[, further])."""

    def write(
        *rows: Sequence[str], headers: Sequence[str] = HEADERS, encoding: str = "utf-8-sig"
    ) -> Path:
        path = place / "清单.csv"
        with path.open("w", encoding=encoding, newline="") as stream:
            csv.writer(stream).writerows([headers, *rows])
        return path

    return write


def row(code: str, name: str, notebook: str = "ok", *further: str) -> tuple[str, ...]:
    return (code, name, f"{notebook}.ipynb", "数据底稿.xlsx", *further)


def indicator(level3: str = "资金到位率", **changes: Any) -> model.IndicatorScore:
    """One scored indicator of 10 points; `rule`, `basis`, `inputs` go into its trace."""
    trace = model.Trace(
        rule=changes.pop("rule", "proportional"),
        rule_name=changes.pop("rule_name", "比例得分"),
        basis=model.Basis(kind="实施方案"),
        inputs=changes.pop("inputs", ()),
    )
    fields: dict[str, Any] = {
        "code": "B101",
        "level1": "过程",
        "level2": "资金管理",
        "points": Decimal(10),
        "score": Decimal(9),
        "target": "100%",
        "actual": "90%",
    }
    return model.IndicatorScore(level3=level3, trace=trace, **{**fields, **changes})


def scorecard(*indicators: model.IndicatorScore) -> model.Scorecard:
    scores = [i.score for i in indicators]
    known = sum((s for s in scores if s is not None), Decimal(0))
    points = sum((i.points for i in indicators), Decimal(0))
    total = None if None in scores else known
    group = model.GroupScore(level1="过程", points=points, score=total, rate=None)
    return model.Scorecard(
        indicators=indicators,
        groups=(group,),
        points=points,
        total=total,
        low=known,
        high=points,
        rate=None if total is None else total / points * 100,
        grade="" if total is None else "良",
    )


@pytest.fixture
def make_entry(tmp_path: Path) -> Callable[..., Entry]:
    """An Entry with a report of the given paragraphs in a folder of its own."""

    def make(
        code: str,
        name: str,
        *,
        unit: str = "",
        indicators: Sequence[model.IndicatorScore] = (),
        paragraphs: Sequence[str] = (),
        problems: Sequence[Problem] = (),
        subject: dict[str, str] | None = None,
        **result: Any,
    ) -> Entry:
        folder = tmp_path / f"{code}_{name}"
        folder.mkdir()
        report = docx.Document()
        for text in paragraphs:
            report.add_paragraph(text)
        report.save(str(folder / "评价报告.docx"))
        job = Job(2, code, name, FILES / "ok.ipynb", tmp_path / "数据底稿.xlsx", folder.name)
        outcome = Outcome(job, folder, "完成", outputs=("评价报告.docx",))
        found = model.Result(
            workflow="ok",
            code=code,
            name=name,
            stage="终稿",
            subject={"unit": unit, **(subject or {})},
            score=scorecard(*indicators) if indicators else None,
            **result,
        )
        return Entry(outcome, found, tuple(problems))

    return make
