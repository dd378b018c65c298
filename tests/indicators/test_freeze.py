"""Freezing the approved indicator system, and finding what was changed since."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from evalkit.core.model import Datum, Source
from evalkit.core.problem import EvalkitError, Problem
from evalkit.core.store import digest
from evalkit.indicators.freeze import FILE_NAME, changes, freeze, frozen_file, problems, read
from evalkit.workbook.schema import load_schema

DAY = date(2025, 4, 10)
FIRST = {
    "code": "C101",
    "level1": "产出",
    "level2": "产出数量",
    "level3": "清扫面积完成率",
    "points": Decimal(8),
    "rule": "比例得分",
    "target": "100%",
    "standard": "按完成率乘以分值计分。",
    "basis_date": DAY,
    "actual": "98.5%",
}
SECOND = {**FIRST, "code": "A101", "level1": "决策", "level3": "立项依据", "rule": "评价要点"}


def cell(value: object, unit: str = "") -> Datum:
    if isinstance(value, Decimal):
        return Datum(value=value, raw=f"{value}{unit}", unit=unit)
    return Datum(value=value, raw=str(value)) if value else Datum()


def source(
    *indicators: dict[str, object], code: str = "P-1", found: list[Problem] | None = None, **tables
) -> Source:
    """A read workbook with these rows, every other cell empty."""
    schema = load_schema("project_evaluation")

    def rows(sheet: str, entries: list[dict[str, object]]) -> list[dict[str, Datum]]:
        empty = {field.id: Datum() for field in schema.sheet(sheet).fields}
        return [
            empty | {k: v if isinstance(v, Datum) else cell(v) for k, v in entry.items()}
            for entry in entries
        ]

    sheets = {"elements": [], "bands": [], "changes": [], **tables}
    return Source(
        path="数据底稿.xlsx",
        schema_name="project_evaluation",
        version=1,
        forms={"project": {"code": cell(code), "name": cell("道路清扫项目")}},
        tables={
            "indicators": rows("indicators", list(indicators)),
            **{sheet: rows(sheet, entries) for sheet, entries in sheets.items()},
        },
        problems=found or [],
    )


ELEMENTS = [
    {"indicator": "A101", "text": "符合政策", "share": "40%", "met": "是"},
    {"indicator": "A101", "text": "不重复", "share": "60%"},
]
APPROVED = source(FIRST, SECOND, elements=ELEMENTS)


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    return freeze(APPROVED, tmp_path / "数据底稿.xlsx", "李某某", DAY)


def test_the_approved_system_lies_beside_the_workbook(tmp_path: Path, frozen: Path):
    assert frozen == tmp_path / FILE_NAME == frozen_file(tmp_path / "数据底稿.xlsx")
    data = read(frozen)
    assert (data["code"], data["name"], data["approver"], data["date"]) == (
        "P-1",
        "道路清扫项目",
        "李某某",
        "2025-04-10",
    )
    assert [i["code"] for i in data["indicators"]] == ["C101", "A101"]
    assert data["indicators"][1]["elements"] == [
        {"text": "符合政策", "share": "40%"},
        {"text": "不重复", "share": "60%"},
    ]


def test_results_are_no_part_of_what_is_approved(frozen: Path):
    assert "actual" not in read(frozen)["indicators"][0]
    met = [ELEMENTS[0] | {"met": "否"}, ELEMENTS[1]]
    later = source(FIRST | {"actual": "77%", "reason": "未完成"}, SECOND, elements=met)
    assert changes(later, frozen) == []


def test_freezing_the_same_system_twice_gives_the_same_bytes(tmp_path: Path, frozen: Path):
    first = frozen.read_bytes()
    freeze(APPROVED, tmp_path / "数据底稿.xlsx", "李某某", DAY, replace=True)
    assert frozen.read_bytes() == first


def test_an_approved_system_is_not_overwritten_unless_asked(tmp_path: Path, frozen: Path):
    before = frozen.read_bytes()
    other = source(FIRST)
    with pytest.raises(EvalkitError, match=r"指标体系_审定.json：指标体系已经审定过"):
        freeze(other, tmp_path / "数据底稿.xlsx", "王某某", DAY)
    assert frozen.read_bytes() == before
    freeze(other, tmp_path / "数据底稿.xlsx", "王某某", DAY, replace=True)
    assert read(frozen)["approver"] == "王某某"


def test_nothing_is_frozen_without_approver_or_indicators(tmp_path: Path):
    with pytest.raises(EvalkitError) as caught:
        freeze(source(), tmp_path / "数据底稿.xlsx", " ", DAY)
    assert [p.code for p in caught.value.problems] == ["freeze.approver", "freeze.empty"]
    assert not (tmp_path / FILE_NAME).exists()


def test_errors_in_the_frozen_sheets_are_refused_and_others_are_not(tmp_path: Path):
    elsewhere = Problem(sheet="资金", what="金额为空")
    mild = Problem(sheet="指标", what="单位未写", severity="warning")
    freeze(source(FIRST, found=[elsewhere, mild]), tmp_path / "a.xlsx", "李某某", DAY)
    broken = Problem(sheet="分档", cell="B2", what="界限为空")
    with pytest.raises(EvalkitError, match="分档｜B2：界限为空"):
        freeze(source(FIRST, found=[broken]), tmp_path / "a.xlsx", "李某某", DAY, replace=True)


def test_without_a_frozen_system_there_are_no_changes(tmp_path: Path):
    assert changes(APPROVED, tmp_path / FILE_NAME) == []


def test_an_unchanged_system_has_no_changes(frozen: Path):
    assert changes(APPROVED, frozen) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("points", Datum(value=Decimal("8"), raw="8.00")),
        ("points", Datum(value=Decimal("8"), raw="８")),
        ("target", " 100% "),
        ("target", "１００％"),
        ("standard", "按完成率  乘以分值计分。"),
        ("basis_date", Datum(value=DAY, raw="2025/4/10")),
    ],
)
def test_another_way_of_writing_the_same_is_no_change(frozen: Path, field: str, value: object):
    assert changes(source(FIRST | {field: value}, SECOND, elements=ELEMENTS), frozen) == []


@pytest.mark.parametrize(
    ("field", "value", "label", "approved", "now"),
    [
        ("points", Decimal(10), "分值", "8", "10"),
        ("points", Datum(value=Decimal("1234.5"), raw="1,234.50"), "分值", "8", "1234.5"),
        ("rule", "分档得分", "计分规则", "比例得分", "分档得分"),
        ("target", "95%", "目标值", "100%", "95%"),
        ("level3", "清扫率", "三级指标", "清扫面积完成率", "清扫率"),
        ("standard", "按实际计分。", "评分标准", "按完成率乘以分值计分。", "按实际计分。"),
        ("cap", Decimal(3), "扣分封顶", "", "3"),
        ("target", "", "目标值", "100%", ""),
        ("basis_date", date(2025, 5, 1), "依据日期", "2025-04-10", "2025-05-01"),
    ],
)
def test_a_change_shows_what_was_approved_and_what_is_now(
    frozen: Path, field: str, value: object, label: str, approved: str, now: str
):
    [row] = changes(source(FIRST | {field: value}, SECOND, elements=ELEMENTS), frozen)
    assert (row["indicator"], row["field"]) == ("C101", label)
    assert (row["approved"], row["now"]) == (approved, now)


def test_changed_evaluation_points_and_bands_are_shown_in_one_line(frozen: Path):
    now = source(
        FIRST,
        SECOND,
        elements=[ELEMENTS[0] | {"share": "50%"}, {"indicator": "A101", "text": "不重复"}],
        bands=[{"indicator": "C101", "limit": "95%", "rate": "100%"}],
    )
    rows = {row["field"]: (row["approved"], row["now"]) for row in changes(now, frozen)}
    assert rows == {
        "评分要点": ("符合政策（40%）；不重复（60%）", "符合政策（50%）；不重复"),
        "分档": ("", "95%（100%）"),
    }


def test_added_and_removed_indicators_are_listed(frozen: Path):
    rows = changes(source(FIRST, FIRST | {"code": "C102", "level3": "公厕达标率"}), frozen)
    assert [(r["indicator"], r["level3"], r["approved"], r["now"]) for r in rows] == [
        ("C102", "公厕达标率", "（无）", "新增指标"),
        ("A101", "立项依据", "已审定指标", "删除"),
    ]


def test_an_indicator_that_lost_its_code_is_new(frozen: Path):
    rows = changes(source(FIRST | {"code": ""}, SECOND, elements=ELEMENTS), frozen)
    assert [(r["indicator"], r["now"]) for r in rows] == [("", "新增指标"), ("C101", "删除")]


def test_the_order_of_the_indicators_does_not_matter(frozen: Path):
    assert changes(source(SECOND, FIRST, elements=ELEMENTS), frozen) == []


def test_the_reason_comes_from_the_sheet_of_changes(frozen: Path):
    reasons = [
        {"indicator": "C101", "reason": "委托方意见第2条", "approver": "李某某", "date": DAY},
        {"indicator": "C101", "reason": "专家会意见", "approver": "李某某"},
        {"indicator": "A101", "reason": "不相干"},
    ]
    now = source(FIRST | {"points": Decimal(9)}, SECOND, elements=ELEMENTS, changes=reasons)
    [row] = changes(now, frozen)
    assert (row["reason"], row["approver"], row["date"]) == (
        "委托方意见第2条；专家会意见",
        "李某某",
        "2025-04-10",
    )
    assert problems([row], "终稿") == []


@pytest.mark.parametrize(
    ("stage", "severity"),
    [("初稿", "warning"), ("征求意见稿", "warning"), ("送审稿", "error"), ("终稿", "error")],
)
def test_a_change_without_reason_blocks_from_the_submitted_draft_on(
    frozen: Path, stage: str, severity: str
):
    rows = changes(source(FIRST | {"cap": Decimal(3)}, SECOND, elements=ELEMENTS), frozen)
    [problem] = problems(rows, stage)
    assert (problem.severity, problem.indicator) == (severity, "C101")
    assert "“清扫面积完成率”的扣分封顶在审定后由“空”改为“3”，没有写明理由" in str(problem)


def test_a_file_edited_by_hand_is_refused(frozen: Path):
    text = frozen.read_text("utf-8")
    frozen.write_text(text.replace('"points": "8"', '"points": "5"', 1), "utf-8")
    with pytest.raises(EvalkitError, match="与审定时的校验值不符") as caught:
        changes(APPROVED, frozen)
    assert caught.value.problems[0].code == "freeze.hash"


def test_reformatting_the_file_does_not_break_its_hash(frozen: Path):
    data = json.loads(frozen.read_text("utf-8"))
    frozen.write_text(json.dumps(data, sort_keys=True), "utf-8")
    assert changes(APPROVED, frozen) == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema_version": "x", "hash": ""}', '{"schema_version": "1.0"}']
)
def test_a_file_that_is_no_approved_system_is_refused(frozen: Path, text: str):
    frozen.write_text(text, "utf-8")
    with pytest.raises(EvalkitError, match=r"指标体系_审定.json：不是指标体系审定文件"):
        changes(APPROVED, frozen)


def test_a_newer_major_version_is_refused(frozen: Path):
    data = json.loads(frozen.read_text("utf-8"))
    del data["hash"]
    data["schema_version"] = "2.0"
    frozen.write_text(json.dumps({**data, "hash": digest(data)}), "utf-8")
    with pytest.raises(EvalkitError, match=r"审定文件版本 2.0 高于本程序支持的 1.0"):
        changes(APPROVED, frozen)


def test_the_approved_system_of_another_project_is_refused(frozen: Path):
    with pytest.raises(EvalkitError, match="不是本项目（P-2）"):
        changes(source(FIRST, SECOND, elements=ELEMENTS, code="P-2"), frozen)


def test_hostile_text_stays_text(tmp_path: Path):
    nasty = '=cmd()|{{ 7*7 }}"../../x\x07'
    path = freeze(source(FIRST | {"level3": nasty}), tmp_path / "a.xlsx", "李某某", DAY)
    assert read(path)["indicators"][0]["level3"] == nasty
