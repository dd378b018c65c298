"""A small list of tiny notebooks, and results made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import batch_support
import crashing
import docx
import pytest
from batch_support import FILES, lay_out, scorecard

from evalkit.batch.jobs import Job
from evalkit.batch.outcome import Outcome
from evalkit.core import model
from evalkit.core.problem import Problem
from evalkit.core.store import safe_name


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the tiny notebooks and one workbook."""
    return lay_out(tmp_path)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place whose list is run by `crashing.Run`, without kernels."""
    crashing.install(monkeypatch)
    crashing.lay_out(tmp_path, "1")
    return tmp_path


@pytest.fixture
def write_list(place: Path) -> Callable[..., Path]:
    """`batch_support.write_list` into `place`."""
    return partial(batch_support.write_list, place)


@pytest.fixture
def make_outcome(tmp_path: Path) -> Callable[..., Outcome]:
    """An Outcome with a report of the given paragraphs in a folder of its own."""

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
    ) -> Outcome:
        folder = tmp_path / safe_name(f"{code}_{name}")
        folder.mkdir()
        report = docx.Document()
        for text in paragraphs:
            report.add_paragraph(text)
        report.save(str(folder / "评价报告.docx"))
        job = Job(2, code, name, FILES / "ok.ipynb", tmp_path / "数据底稿.xlsx", folder.name)
        found = model.Result(
            workflow="ok",
            code=code,
            name=name,
            stage="终稿",
            subject={"unit": unit, **(subject or {})},
            score=scorecard(*indicators) if indicators else None,
            **result,
        )
        outputs = ("评价报告.docx",)
        return Outcome(job, folder, "完成", outputs=outputs, result=found, problems=tuple(problems))

    return make
