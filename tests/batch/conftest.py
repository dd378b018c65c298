"""A small list of tiny notebooks, and results made by hand."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import docx
import pytest
from batch_support import FILES, HEADERS, scorecard

from evalkit.batch.jobs import Job
from evalkit.batch.outcome import Outcome
from evalkit.batch.summary import Entry
from evalkit.core import model
from evalkit.core.problem import Problem


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
