"""A folder of forms, and a county's headings that are asked once."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from boards import Form, self_evaluation, to_html, to_xlsx

from evalkit.core.problem import EvalkitError
from evalkit.filed.folder import ask, fields, load_headings, read_folder
from evalkit.filed.tables import Unknown
from evalkit.workbook.reader import read as read_workbook
from evalkit.workbook.schema import load_schema

ROW = ("产出指标", "数量指标", "人数", "", 735, "", 735, 10, 10)


def form(name: str, **more: object):
    return self_evaluation(Form(name=name, indicators=[ROW], **more))


def test_files_are_read_in_natural_order_and_a_bad_one_stops_none(tmp_path: Path):
    for name in ("10", "9", "子/1"):
        path = tmp_path / f"{name}.xlsx"
        path.parent.mkdir(exist_ok=True)
        to_xlsx(path, form(f"项目{name}"))
    to_html(tmp_path / "8.xls", form("项目8"))
    ask(tmp_path / "列名对应.xlsx", [Unknown("某列", "9.xlsx")])
    (tmp_path / "7.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "~$9.xlsx").write_bytes(b"lock")
    (tmp_path / ".隐藏").mkdir()
    (tmp_path / ".隐藏" / "1.xlsx").write_bytes(b"x")
    filing = read_folder(tmp_path)
    names = [source.forms["project"]["name"].value for source in filing.sources]
    assert names == ["项目8", "项目9", "项目10", "项目子/1"]
    assert [(p.code, p.file) for p in filing.problems] == [("filed.scan", "7.pdf")]


def test_a_project_that_was_filed_twice_names_both_files(tmp_path: Path):
    to_xlsx(tmp_path / "甲.xlsx", form("养护", unit="甲局"))
    to_xlsx(tmp_path / "乙.xlsx", form("养护", unit="甲局"))
    to_xlsx(tmp_path / "丙.xlsx", form("养护", unit="乙局"))
    (problem,) = read_folder(tmp_path).problems
    assert (
        problem.code == "filed.project" and problem.file == "甲.xlsx" and "乙.xlsx" in problem.what
    )


def test_headings_are_asked_once_and_answers_are_kept(tmp_path: Path):
    path = tmp_path / "列名对应.xlsx"
    assert load_headings(path) == {}
    ask(
        path,
        [
            Unknown("年末考核值", "a.xlsx｜表｜F12"),
            Unknown("年末 考核值", "b.xlsx｜表｜F12"),
            Unknown("科目", "a"),
        ],
    )
    book = openpyxl.load_workbook(path)
    page = book["列名对应"]
    row = next(r for r in page.iter_rows() if r[1].value == "年末考核值")
    row[3].value = "指标｜实际完成值"
    row[4].value = "局里商定"
    book.save(path)
    assert load_headings(path) == {"年末考核值": "indicators.actual"}
    ask(path, [Unknown("年末考核值", "c"), Unknown("科目", "c"), Unknown("新列", "c.xlsx｜表｜A1")])
    rows = read_workbook(path, load_schema("headings")).tables["headings"]
    assert [row["heading"].text for row in rows] == ["年末考核值", "科目", "新列"]
    assert rows[0]["remark"].text == "局里商定" and load_headings(path) == {
        "年末考核值": "indicators.actual"
    }


def test_an_answer_that_is_no_choice_is_refused(tmp_path: Path):
    path = ask(tmp_path / "列名对应.xlsx", [Unknown("年末考核值", "a")])
    book = openpyxl.load_workbook(path)
    next(r for r in book["列名对应"].iter_rows() if r[1].value == "年末考核值")[
        3
    ].value = "完成数值"
    book.save(path)
    with pytest.raises(EvalkitError, match="不在可选项中"):
        load_headings(path)


def test_the_choices_are_all_fields_and_not_to_read():
    assert fields()["资金｜得分"] == "funds.score" and fields()["指标｜得分"] == "indicators.score"
    (sheet,) = load_schema("headings").sheets
    assert next(spec.choices for spec in sheet.fields if spec.id == "field") == (*fields(),)
    assert fields()["不用"] == "" and len(set(fields().values())) == len(fields())
