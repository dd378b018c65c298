"""Points drawn from a weights result: filled where blank, compared where filled, traced."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import drawn_support as drawn
import openpyxl
import pytest
import support
import test_traces
from typer.testing import CliRunner

from evalkit.cli import app
from evalkit.core.problem import EvalkitError, sentence
from evalkit.report.drawn import fill_from
from evalkit.workbook.blank import write_blank
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema

ROWS = [
    {"code": "C101", "points": "", "rule": "按次扣分", "target": "", "actual": "0", "unit": "次",
     "per_unit": "1"},
    {"code": "C102", "points": "", "rule": "比例得分", "target": "100", "actual": "75.5",
     "unit": "吨"},
]  # fmt: skip
POINTS = {"C101": "60", "C102": "40"}


def book(folder: Path, rows=ROWS, **form: str) -> Path:
    form = {"weights_from": "权重", **form}
    return support.workbook(folder / "数据底稿.xlsx", indicators=rows, project=form)


def problems(path: Path, stage: str = "初稿"):
    """By code, whatever the stage does with them."""
    try:
        found = support.evaluate(path, stage).problems
    except EvalkitError as error:
        found = error.problems
    return {p.code: p for p in found}


def drawing(path: Path, stage: str = "初稿") -> dict[str, str]:
    """What is said of drawing."""
    found = problems(path, stage).items()
    return {code.removeprefix("check.drawn."): str(p) for code, p in found if "drawn." in code}


def test_blank_points_are_those_of_the_weights_and_score_as_if_they_were_typed(tmp_path):
    drawn.weights(tmp_path / "权重", POINTS)
    result = support.evaluate(book(tmp_path))
    typed = [row | {"points": POINTS[row["code"]]} for row in ROWS]
    (tmp_path / "typed").mkdir()
    other = support.evaluate(support.workbook(tmp_path / "typed/数据底稿.xlsx", indicators=typed))
    assert result.score.total == other.score.total == Decimal("90.20")
    assert [i.trace.formula for i in result.score.indicators] == [
        i.trace.formula for i in other.score.indicators
    ]
    assert not [p for p in result.problems if p.code == "required.always"]
    assert drawing(tmp_path / "数据底稿.xlsx") == {}


def test_points_are_traced_to_the_cell_of_the_weights_and_opening_it_gives_them(tmp_path):
    drawn.weights(tmp_path / "权重", POINTS)
    path = book(tmp_path)
    result, workbook = support.evaluate(path), openpyxl.load_workbook(path, data_only=True)
    entries = [e for i in result.score.indicators for e in i.trace.inputs]
    mine = [e for e in entries if e.name == "分值"]
    assert [e.cell for e in mine] == [f"[权重/汇总表.xlsx]权重与分值!F{n}" for n in (3, 4)]
    assert all(test_traces._holds(workbook, e, tmp_path) for e in entries)
    wrong = mine[0].model_copy(update={"value": "61"})
    assert not test_traces._holds(workbook, wrong, tmp_path)


def test_codes_meet_whatever_their_width_and_case_and_whatever_the_order(tmp_path):
    drawn.weights(tmp_path / "权重", {"c102": "40", "Ｃ101": "60"})
    result = support.evaluate(book(tmp_path))
    cells = {i.code: i.trace.inputs for i in result.score.indicators}
    assert [i.points for i in result.score.indicators] == [60, 40]
    assert "权重与分值!F4" in str(cells["C101"]) and "权重与分值!F3" in str(cells["C102"])


def test_points_that_agree_stay_as_typed(tmp_path):
    drawn.weights(tmp_path / "权重", {"C101": "60.0", "C102": "40"})
    result = support.evaluate(book(tmp_path, [ROWS[0] | {"points": "60"}, ROWS[1]]))
    cells = [e.cell for i in result.score.indicators for e in i.trace.inputs if e.name == "分值"]
    assert cells[0].startswith("指标!") and cells[1] == "[权重/汇总表.xlsx]权重与分值!F4"
    assert drawing(tmp_path / "数据底稿.xlsx") == {}


def test_points_that_differ_are_an_error_that_names_both_cells(tmp_path):
    drawn.weights(tmp_path / "权重", POINTS)
    path = book(tmp_path, [ROWS[0] | {"points": "61"}, ROWS[1] | {"points": "39"}])
    result = support.evaluate(path)  # a draft shows it
    said = [str(p) for p in result.problems if p.code == "check.drawn.differs"]
    column = said[0].split("｜")[2][0]
    assert said == [
        f"数据底稿.xlsx｜指标｜{column}4：填写的是“61”，结果中是“60”（[权重/汇总表.xlsx]权重与分值!F3）"
        "——请核对；采用结果的，此处留空",
        f"数据底稿.xlsx｜指标｜{column}5：填写的是“39”，结果中是“40”（[权重/汇总表.xlsx]权重与分值!F4）"
        "——请核对；采用结果的，此处留空",
    ]
    assert [i.points for i in result.score.indicators] == [61, 39]  # nothing is replaced
    with pytest.raises(EvalkitError, match="填写的是“61”"):
        support.evaluate(path, "送审稿")


def _no_folder(folder):
    pass


def _no_result(folder):
    drawn.weights(folder / "权重", POINTS)
    (folder / "权重" / "result.json").unlink()


def _no_book(folder):
    drawn.weights(folder / "权重", POINTS)
    (folder / "权重" / "汇总表.xlsx").unlink()


def _broken(folder):
    drawn.weights(folder / "权重", POINTS)
    (folder / "权重" / "result.json").write_text("{", encoding="utf-8")


def _newer(folder):
    path = drawn.weights(folder / "权重", POINTS) / "result.json"
    data = json.loads(path.read_text("utf-8"))
    data["result"]["schema_version"] = "2.0"
    path.write_text(json.dumps(data), encoding="utf-8")


def _other(folder):
    drawn.survey(folder / "权重")


FAULTS = {
    _no_folder: ("check.drawn.files", "文件夹“权重”中没有 result.json、汇总表.xlsx"),
    _no_result: ("check.drawn.files", "文件夹“权重”中没有 result.json——"),
    _no_book: ("check.drawn.files", "文件夹“权重”中没有 汇总表.xlsx——"),
    _broken: ("result.file", "权重/result.json：不是评价结果文件"),
    _newer: ("result.version", "权重/result.json：结果版本 2.0 高于本程序支持的"),
    _other: ("check.drawn.business", "文件夹“权重”中是别种业务的结果（测试项目满意度）"),
}


@pytest.mark.parametrize("make", FAULTS, ids=lambda make: make.__name__)
def test_a_folder_that_cannot_be_used_is_told_and_the_points_stay_blank(make, tmp_path):
    make(tmp_path)
    path = book(tmp_path)
    code, said = FAULTS[make]
    found = problems(path)
    assert said in str(found[code])
    assert "required.always" in found  # nothing is guessed
    strict = problems(path, "终稿")
    assert strict[code].severity == strict["required.always"].severity == "error"


def test_an_indicator_that_the_weights_lack_and_one_too_many_are_told(tmp_path):
    drawn.weights(tmp_path / "权重", {"C101": "60", "C301": "30", "d4": "10"})
    said = drawing(book(tmp_path))
    assert "权重结果中没有指标“C102”的分值" in said["absent"] and "｜指标｜" in said["absent"]
    assert "权重结果（权重）中的指标不在“指标”表中：C301、d4" in said["extra"]
    assert "required.always" in problems(tmp_path / "数据底稿.xlsx")


def test_an_indicator_whose_points_the_weights_leave_open_stays_blank(tmp_path):
    drawn.weights(tmp_path / "权重", {"C101": "60", "C102": ""})
    found = problems(book(tmp_path))
    assert "required.always" in found and found["gap"].indicator == "C102"
    assert drawing(tmp_path / "数据底稿.xlsx") == {}


@pytest.mark.parametrize(
    ("theirs", "mine", "warned"),
    [("初稿", "终稿", True), ("征求意见稿", "送审稿", True), ("初稿", "初稿", False),
     ("送审稿", "终稿", False)],
)  # fmt: skip
def test_weights_still_in_draft_under_a_final_report_are_a_warning(theirs, mine, warned, tmp_path):
    drawn.weights(tmp_path / "权重", POINTS, stage=theirs)
    source = read(book(tmp_path), load_schema("project_evaluation"))
    found = fill_from(source, mine, []).problems
    said = f"项目信息｜B30：文件夹“权重”中的结果还是{theirs}——请先将其定稿"
    assert [(str(p), p.severity) for p in found] == [(said, "warning")] * warned


def test_blank_points_without_a_weights_result_are_an_error_as_before(tmp_path):
    found = problems(book(tmp_path, weights_from=""), "终稿")
    assert found["required.always"].severity == "error"
    assert not any("drawn" in code for code in found)


def test_a_problem_at_a_drawn_cell_names_its_file():
    problem = sentence("points.range", at="[权重/汇总表.xlsx]权重与分值!F3", name="里程", points=0)
    assert str(problem) == "权重/汇总表.xlsx｜权重与分值｜F3：里程：分值 0 须大于 0——请改正"


def test_a_weights_folder_may_lie_elsewhere(tmp_path):
    drawn.weights(tmp_path / "公用" / "权重", POINTS)
    (tmp_path / "甲").mkdir()
    result = support.evaluate(book(tmp_path / "甲", weights_from="../公用/权重/"))
    cells = [e.cell for i in result.score.indicators for e in i.trace.inputs if e.name == "分值"]
    assert cells[0] == "[../公用/权重/汇总表.xlsx]权重与分值!F3"


def test_a_workbook_of_version_2_is_read_and_draws_nothing(tmp_path):
    typed = [row | {"points": POINTS[row["code"]]} for row in ROWS]
    path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=typed)
    before = support.evaluate(path)
    old = openpyxl.load_workbook(path)
    sheet = old["项目信息"]
    for row in range(sheet.max_row, 0, -1):
        if "结果文件夹" in str(sheet.cell(row, 1).value):
            sheet.delete_rows(row)
    for row in old["_meta"].iter_rows():
        if row[0].value == "version":
            assert row[1].value == "3"
            row[1].value = "2"
    old.save(path)
    result = support.evaluate(path)
    assert [p.code for p in result.problems if p.code.startswith(("meta", "column"))] == [
        "meta.older"
    ]
    assert result.score.total == before.score.total


def test_the_schema_says_since_when_and_that_points_may_be_left_blank():
    schema = load_schema("project_evaluation")
    assert schema.version == 3
    since = {f.id: f.since for f in schema.sheet("project").fields}
    assert since["weights_from"] == since["survey_from"] == 3
    points = next(f for f in schema.sheet("indicators").fields if f.id == "points")
    assert points.required == "always" and "留空" in points.note


# --- the approved indicator system ---------------------------------------------------------------


def _freeze(path: Path):
    arguments = ["freeze", str(path), "--approver", "某财政局", "--date", "2025-04-10"]
    return CliRunner().invoke(app, arguments)


def test_an_indicator_system_with_drawn_points_can_be_approved(tmp_path):
    drawn.weights(tmp_path / "权重", POINTS)
    path = book(tmp_path)
    assert _freeze(path).exit_code == 0
    frozen = json.loads((tmp_path / "指标体系_审定.json").read_text("utf-8"))
    assert [one["points"] for one in frozen["indicators"]] == ["60", "40"]
    assert support.evaluate(path).tables["changes"] == []


def test_weights_that_were_changed_after_the_approval_are_a_change_of_the_points(tmp_path):
    drawn.weights(tmp_path / "权重", POINTS)
    path = book(tmp_path)
    _freeze(path)
    drawn.weights(tmp_path / "权重", {"C101": "55", "C102": "45"})
    changes = support.evaluate(path).tables["changes"]
    assert [(c["indicator"], c["field"], c["approved"], c["now"]) for c in changes] == [
        ("C101", "分值", "60", "55"), ("C102", "分值", "40", "45"),
    ]  # fmt: skip


def test_blank_points_cannot_be_approved(tmp_path):
    found = _freeze(book(tmp_path, weights_from=""))
    assert isinstance(found.exception, EvalkitError) and "分值为空" in str(found.exception)


# --- how sure the weights are --------------------------------------------------------------------


def _concentration(folder: Path, spread: str) -> dict[str, str]:
    drawn.weights(folder / "权重", POINTS, spread=spread)
    rows = support.evaluate(book(folder)).tables["robust_settings"]
    return next(row for row in rows if row["name"] == "权重的集中度")


def test_the_concentration_is_that_of_the_experts_disagreement(tmp_path):
    """w(1-w)/s² - 1 = 0.24 ÷ 0.0245² - 1 = 398.8, the same for 0.6 and 0.4."""
    row = _concentration(tmp_path, "0.0245")
    assert row["value"] == "399"
    assert row["meaning"].startswith("由7位专家所给权重的标准差s推算")
    assert _concentration(tmp_path, "0.0490")["value"] == "99"


def test_the_median_indicator_counts(tmp_path):
    rows = [*ROWS, ROWS[0] | {"code": "C103"}]
    folder = drawn.weights(tmp_path / "权重", {"C101": "50", "C102": "40", "C103": "10"})
    path = folder / "result.json"
    data = json.loads(path.read_text("utf-8"))
    for row, spread in zip(
        data["result"]["tables"]["points"], ("0.05", "0.02", "0.03"), strict=True
    ):
        row["spread"] = spread  # 99, 599 and 99: the median is 99
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    settings = support.evaluate(book(tmp_path, rows)).tables["robust_settings"]
    assert settings[0]["value"] == "99"


def test_experts_who_agree_leave_the_weights_as_they_are(tmp_path):
    row = _concentration(tmp_path, "0.0000")
    assert (row["value"], row["meaning"]) == ("不变动", "权重结果中各位专家的意见一致，权重不变动")


def test_weights_without_experts_leave_the_concentration_to_the_policy(tmp_path):
    row = _concentration(tmp_path, "")
    assert row["value"] == "399" and row["meaning"].startswith("数值越大")


def test_experts_who_could_not_differ_more_are_still_experts(tmp_path):
    """Two experts, 1 and 0: s = 0.707, w(1-w)/s² - 1 = -0.5; at least 1 is taken."""
    assert _concentration(tmp_path, "0.7071")["value"] == "1"


def test_the_blank_workbook_names_the_folders(tmp_path):
    path = write_blank(tmp_path / "空白.xlsx", load_schema("project_evaluation"))
    sheet = openpyxl.load_workbook(path)["项目信息"]
    labels = [str(cell.value) for (cell,) in sheet.iter_rows(max_col=1)]
    assert any("权重结果文件夹" in text for text in labels)
    assert any("满意度结果文件夹" in text for text in labels)
