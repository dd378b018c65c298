"""Cost standards through their notebook, alone and in a list: equal inputs, equal results."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import openpyxl
import pytest
from cost_support import SLUGS, workbook
from support import DEMO
from typer.testing import CliRunner

from evalkit.batch import run
from evalkit.batch.jobs import read_list
from evalkit.batch.run import run_one
from evalkit.cli import app


@pytest.fixture(autouse=True)
def _steady(monkeypatch):
    """The kit's own source may be edited while the tests run; that is tested on its own."""
    monkeypatch.setattr(run, "shared_inputs", lambda: {"evalkit": "1"})


def result_of(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))["result"]


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_a_list_runs_past_a_bad_workbook_and_one_alone_gives_the_same(tmp_path):
    bad = tmp_path / "成本测算表.xlsx"
    book = openpyxl.load_workbook(workbook("rural_road"))
    book["项目信息"]["B6"].value = "今年"
    book.save(bad)
    rows = [
        ["BZ-2026-07", "农村公路日常养护项目", "cost_standard", bad, "初稿"],
        ["BZ-2026-05", "农村中小学代课人员工龄补助项目", "cost_standard",
         workbook("substitute_teacher"), "初稿"],
    ]  # fmt: skip
    listed, out = tmp_path / "清单.csv", tmp_path / "批量"
    with listed.open("w", encoding="utf-8-sig", newline="") as stream:
        head = ["code", "name", "notebook", "workbook", "stage"]
        csv.writer(stream).writerows([head, *rows])
    done = CliRunner().invoke(app, ["batch", str(listed), "--out", str(out)])
    assert done.exit_code == 1, done.output
    assert "标准年度" in done.output.replace("\n", "")
    assert not [*out.glob("BZ-2026-07*/*.docx")]
    (folder,) = out.glob("BZ-2026-05*")
    page = (folder / "cost_standard.html").read_text(encoding="utf-8")
    assert page.count("<table") > 5
    assert page.count("data:image/png") == 3
    assert len([*folder.rglob("*.docx")]) == 2
    assert (out / "summary.xlsx").is_file()
    assert rows[1][1] in (out / "index.html").read_text(encoding="utf-8")

    book = workbook("substitute_teacher")
    (alone,) = run_one("cost_standard", book, tmp_path / "单个", stage="初稿").outcomes
    assert (alone.status, alone.failure) == ("完成", None)
    assert {p.severity for p in alone.problems} <= {"note"}
    assert result_of(alone.folder) == result_of(folder)
    for document in folder.rglob("*.docx"):
        again = alone.folder / document.relative_to(folder)
        assert parts(again) == parts(document), document.name
    twin = folder / "绩效评价数据底稿.xlsx"
    assert parts(alone.folder / twin.name) == parts(twin)


def test_the_demo_list_names_every_demo_and_the_check_finds_no_error(tmp_path):
    jobs = read_list(DEMO / "standards.csv")
    assert {job.workbook.parent.name for job in jobs} == set(SLUGS)
    with (DEMO / "standards.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    short = tmp_path / "清单.csv"
    chosen = [[*row[:3], str(DEMO / row[3]), row[4]] for row in rows[1:] if "公交" in row[1]]
    with short.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([rows[0], *chosen])
    done = CliRunner().invoke(app, ["check", str(short)])
    assert done.exit_code == 0, done.output
    assert "0 个有错误" in done.output
    assert chosen[0][4] == "送审稿"
