"""What a cost standard leaves behind: sound files, no identity numbers, words that stay words."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import openpyxl
from cost_support import SLUGS, changed, data, document, result
from openxml_audit import OpenXmlValidator
from support import ROOT, SOAK
from typer.testing import CliRunner

from evalkit.cli import app
from evalkit.core import result_file
from evalkit.ooxml import package
from evalkit.report import frames
from evalkit.workflows import cost_standard as cost

WRITTEN = {"编制说明.docx", "汇总表.xlsx", "绩效评价数据底稿.xlsx", "checks.json", "result.json"}


def everything(folder: Path) -> str:
    """All that any file of a folder says."""
    found = []
    for path in folder.rglob("*"):
        if path.suffix in (".docx", ".xlsx"):
            with zipfile.ZipFile(path) as file:
                found += [file.read(name).decode("utf-8", "replace") for name in file.namelist()]
        elif path.is_file():
            found.append(path.read_text(encoding="utf-8"))
    return "\n".join(found)


def test_all_files_are_written_and_sound(slug, delivered):
    files = delivered(slug)
    folder = files["编制说明"].parent
    assert {path.name for path in folder.iterdir() if path.is_file()} >= WRITTEN
    documents = [files["编制说明"], files["支出标准"]]
    assert [problem for path in documents for problem in package.check(path)] == []
    back, run = result_file.load(files["结果"])
    assert back == result(slug)
    assert set(run["inputs"]) == {"成本测算表.xlsx"}


def test_word_files_keep_to_the_standard(delivered):
    for path in (delivered(slug)["支出标准"] for slug in (SLUGS if SOAK else ["bus_subsidy"])):
        assert OpenXmlValidator().validate(path).errors == []


def test_the_summary_workbook_has_a_page_for_every_table_that_people_read(delivered):
    book = openpyxl.load_workbook(delivered("sanitation")["汇总表"])
    pages = "成本核定表 核减明细 单位成本 异常值 成本函数 前沿分析 定额测算 方法比较 引用关系"
    assert {*pages.split()} <= {*book.sheetnames}
    assert not {"成本规制", "名册核对", "人员配备", "负荷率"} & {*book.sheetnames}
    rows = list(book["成本核定表"].iter_rows(values_only=True))
    head = next(row for row in rows if "核定数（元）" in row)
    declared, cut, allowed = (
        head.index(n) for n in ("申报数（元）", "核减数（元）", "核定数（元）")
    )
    numbers = [row for row in rows if isinstance(row[allowed], int | float)]
    assert len(numbers) == len(result("sanitation").tables["audit"])
    assert all(row[declared] - row[cut] == row[allowed] for row in numbers)


def test_no_file_tells_an_identity_or_an_account_number(delivered):
    said = everything(delivered("substitute_teacher")["结果"].parent)
    rows = data("substitute_teacher").source.tables["roster"]
    assert len(rows) == 4
    assert not [row["person"].cell for row in rows if row["person"].text in said]
    assert not [row["account"].cell for row in rows if row["account"].text in said]


def test_text_of_a_workbook_stays_text(tmp_path):
    sly = ["{{ 7*7 }}", "=1+1", "<b>&amp;", "{% raw %}"]
    changes = [("peers", n, {"name": name}) for n, name in enumerate(sly)]
    task = changed("rural_road", *changes, ("services", 0, {"content": "{{ subject }}&<w:p/>"}))
    task = replace(task, params=task.params.model_copy(update={"out": str(tmp_path)}))
    files = cost.deliver(task, cost.evaluate(task), {})
    parts = document(files["编制说明"])
    text = "\n".join(part.text for part in parts)
    assert all(name in text for name in sly)
    assert "{{ subject }}&<w:p/>" in text
    cells = [
        c for row in openpyxl.load_workbook(files["汇总表"])["同业比较"].iter_rows() for c in row
    ]
    assert {c.value for c in cells} >= {*sly}
    assert {c.data_type for c in cells if c.value in sly} == {"s"}


def test_the_notebook_can_show_every_table_that_it_asks_for():
    cells = json.loads((ROOT / "notebooks" / "cost_standard.ipynb").read_text(encoding="utf-8"))
    code = "\n".join("".join(c["source"]) for c in cells["cells"] if c["cell_type"] == "code")
    asked = {name for name in result("sanitation").tables if f'"{name}"' in code}
    assert {"audit", "quotas", "methods", "choices", "spending", "chain"} <= asked
    for slug in SLUGS:
        for name in asked & result(slug).tables.keys():
            shown = frames.table(result(slug), name)
            assert len(shown) == len(result(slug).tables[name])
            assert not shown.isna().to_numpy().any()


def test_the_manual_tells_every_sheet_and_field():
    done = CliRunner().invoke(app, ["manual", "cost-standard"])
    assert done.exit_code == 0
    for sheet in data("rural_road").schema.sheets:
        assert sheet.name in done.output
        assert all(field.label in done.output for field in sheet.fields)


def test_a_report_is_checked_from_the_command_line(delivered):
    done = CliRunner().invoke(app, ["verify", str(delivered("substitute_teacher")["编制说明"])])
    assert done.exit_code == 0, done.output
