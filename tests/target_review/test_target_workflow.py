"""From a folder of filed tables to grades, review forms, summary and report of a county."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import targets_demo
from docx import Document
from openpyxl import load_workbook

from evalkit.core.problem import EvalkitError
from evalkit.policy import load as load_policy
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema
from evalkit.workflows import target_review
from evalkit.workflows.task import open_task

# what the demo was made to show: grade and checks by project
MADE = {
    "2026年农村公路养护工程": ("优", ["S1"]),
    "城区环卫一体化服务": ("良", ["H1"]),
    "第一小学校舍维修": ("优", ["G1", "G4"]),
    "第二中学校舍维修": ("良", ["G1", "G4"]),
    "村级文化活动": ("中", ["B3", "C6", "D2", "D3", "D3", "D3", "D4", "D5"]),
    "应急物资购置": ("差", ["B1", "C2", "C3", "D1", "E2", "E4", "F2"]),
    "高素质农民培训": ("优", []),
    "农作物病虫害统防统治": ("良", ["C8", "C9", "C9", "E2", "E4", "S3"]),
    "政务信息系统运行维护": ("优", []),
    "某县住房和城乡建设局": ("优", []),
    "某县教育局": ("暂不评定", ["C2", "C2", "C2"]),
}  # fmt: skip


class Filed:
    """The demo's forms, read once; its task workbook is written anew by each test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        targets_demo.build(folder)
        params = target_review.Params(workbook=str(folder / "审核任务.xlsx"))
        self.data = target_review.load(params)


@pytest.fixture(scope="module")
def filed(tmp_path_factory) -> Filed:
    return Filed(tmp_path_factory.mktemp("targets"))


def run(filed: Filed, stage: str = "初稿", **sheets):
    """The result of the demo's forms with some sheets of the task replaced."""
    content, folder = targets_demo.task(), filed.folder
    content["project"] = {**content["project"], **sheets.pop("project", {})}
    path = folder / f"审核任务_{len([*folder.glob('*.xlsx')])}.xlsx"
    write_blank(path, load_schema("target_review"), content | sheets)
    params = target_review.Params(workbook=str(path), out=str(folder / "out"), stage=stage)
    opened = open_task("target_review", params)
    last = filed.data.last if opened.form["last_year"].text else []
    data = target_review.Data(**vars(opened), filed=filed.data.filed, last=last)
    return data, target_review.evaluate(data)


def refused(filed: Filed, stage: str = "终稿", **sheets) -> str:
    with pytest.raises(EvalkitError) as caught:
        run(filed, stage, **sheets)
    return str(caught.value)


def complete() -> list[dict[str, str]]:
    """The demo's entries and those still missing."""
    more = [
        {"form": "某县教育局", "item": item, "grade": "良", "rate": "85%"}
        for item in targets_demo.ITEMS
    ]
    return [*targets_demo.reviews(), *more]


def form(result, name: str) -> dict[str, str]:
    return next(row for row in result.tables["forms"] if row["name"] == name)


def test_the_demo_shows_what_it_was_made_to_show(filed):
    _, result = run(filed)
    found = {name: [] for name in MADE}
    for row in result.tables["findings"]:
        found[row["name"]].append(row["id"])
    grades = {row["name"]: row["grade"] for row in result.tables["forms"]}
    assert {name: (grades[name], found[name]) for name in MADE} == MADE


def test_what_stands_in_the_kit_is_what_the_builder_makes(filed):
    params = target_review.Params()
    mine = target_review.evaluate(target_review.load(params))
    _, result = run(filed)
    assert mine.tables == result.tables
    assert mine.subject["demo"] == "是"


def test_scores_and_kinds_of_review_follow_from_entries_and_objects(filed):
    _, result = run(filed)
    road, culture = form(result, "2026年农村公路养护工程"), form(result, "村级文化活动")
    assert (road["review"], road["method"], road["score"], road["open"]) == (
        "重点项目",
        "定量",
        "91.1",
        "",
    )
    assert (culture["review"], culture["method"], culture["score"]) == ("一般项目", "定性", "")
    school = form(result, "某县教育局")
    assert (school["review"], school["tree"], school["action"]) == ("部门整体", "34号", "待审核")
    assert school["open"].count("、") == 15 and "～" in school["score"]


def test_departments_and_kinds_of_review_add_up_to_all_tables(filed):
    _, result = run(filed)
    for name in ("departments", "reviews"):
        *rows, total = result.tables[name]
        for column in ("forms", *target_review.GRADES):
            assert sum(int(row[column]) for row in rows) == int(total[column])
        assert sum(Decimal(row["amount"]) for row in rows) == Decimal(total["amount"])
    assert result.values["targets.forms"] == 11
    assert result.values["targets.amount"] == Decimal("541860000")
    assert sum(int(row["times"]) for row in result.tables["kinds"]) == 30


def test_strict_stages_refuse_what_nobody_reviewed_and_name_it(filed):
    assert "“某县教育局”还有16个子项没有审核或没有得分比例" in refused(filed, "送审稿")
    _, result = run(filed, "终稿", reviews=complete())
    assert form(result, "某县教育局")["grade"] == "良"
    assert not [problem for problem in result.problems if problem.severity == "error"]


def test_a_scored_table_without_a_rate_is_still_open(filed):
    entries = [
        {**row, "rate": ""} if row["form"] == "621026-2026-001" else row for row in complete()
    ]
    assert "“2026年农村公路养护工程”还有16个子项没有审核或没有得分比例" in refused(
        filed, reviews=entries
    )


WRONG = [  # code, item, grade, rate, what is said
    ("999", "1.1 格式规范", "优", "", "“621026-2026-999”不是任何一张填报表的编码或名称"),
    ("009", "规范完整性", "良", "", "“621026-2026-009”的“规范完整性”填了2次"),
    ("009", "1.1 格式规范", "优", "85%", "得分比例85%不在等级“优”的范围之内"),
    ("009", "1.1 格式规范", "优", "101%", "得分比例101%不在等级“优”的范围之内"),
    ("009", "1.1 格式规范", "差", "-1%", "得分比例-1%不在等级“差”的范围之内"),
    ("009", "九、其他", "优", "", "“九、其他”不在可选项中"),
]


@pytest.mark.parametrize(("code", "item", "grade", "rate", "said"), WRONG)
def test_wrong_entries_are_refused_at_their_cell(filed, code, item, grade, rate, said):
    entry = {"form": f"621026-2026-{code}", "item": item, "grade": grade, "rate": rate}
    told = refused(filed, reviews=[*complete(), entry])
    line = next(line for line in told.splitlines() if said in line)
    assert "｜审核记录｜" in line


def test_a_rate_between_two_bands_belongs_to_the_lower_one_and_is_said(filed):
    _, result = run(filed)
    said = [p.what for p in result.problems if p.code == "check.K4"]
    assert said == ["得分比例89.5%落在两档之间，按半开区间归入“良”"]


def test_a_finding_that_does_not_hold_is_struck_with_a_reason(filed):
    decision = {"form": "621026-2026-001", "check": "S1", "reason": "另有批准"}
    _, result = run(filed, decisions=[decision])
    assert "S1" not in [row["id"] for row in result.tables["findings"]]
    assert form(result, "2026年农村公路养护工程")["findings"] == "0"


def test_another_tree_asks_for_other_kinds(filed):
    _, result = run(filed, project={"tree": "10号", "department_tree": "53号"})
    ids = {
        (row["name"], row["id"], row["what"].partition("（")[0])
        for row in result.tables["findings"]
    }
    assert ("2026年农村公路养护工程", "C7", "“经济成本指标”列在“成本指标”之下，按所选体系") in ids
    assert ("某县教育局", "C1", "没有产出指标") in ids


def test_without_last_years_forms_nothing_is_compared(filed):
    _, result = run(filed, project={"last_year": ""})
    assert not {"H1", "H2"} & {row["id"] for row in result.tables["findings"]}


def test_a_self_evaluation_among_the_target_tables_is_named_and_not_reviewed(tmp_path):
    targets_demo.build(tmp_path)
    (other,) = (targets_demo.DEMO.parent / "self_evaluation/自评表").rglob("公交运营补贴.xlsx")
    (tmp_path / "申报表" / other.name).write_bytes(other.read_bytes())
    params = target_review.Params(workbook=str(tmp_path / "审核任务.xlsx"))
    task = open_task("target_review", params)
    assert len(task.read_filed()) == 11
    (said,) = (p for p in task.problems if p.file == other.name)
    assert (said.severity, said.what) == ("note", "不是绩效目标申报表（自评表），未审核")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    content = targets_demo.task()
    content["project"] = {**content["project"], "folder": "没有这个文件夹", "last_year": ""}
    path = write_blank(tmp_path / "审核任务.xlsx", load_schema("target_review"), content)
    with pytest.raises(EvalkitError, match="没有这个文件夹"):
        target_review.load(target_review.Params(workbook=str(path)))


def test_a_folder_without_any_readable_table_is_refused_with_what_was_wrong(tmp_path):
    content = targets_demo.task()
    content["project"] = {**content["project"], "last_year": ""}
    path = write_blank(tmp_path / "审核任务.xlsx", load_schema("target_review"), content)
    (tmp_path / "申报表").mkdir()
    (tmp_path / "申报表" / "扫描件.pdf").write_bytes(b"%PDF-1.4\n")
    with pytest.raises(EvalkitError) as caught:
        target_review.load(target_review.Params(workbook=str(path)))
    assert "扫描件.pdf" in str(caught.value) and "申报表" in str(caught.value)


def test_a_workbook_of_another_task_is_refused():
    params = target_review.Params(code="别的任务")
    with pytest.raises(EvalkitError, match="与底稿中的“SH-2026-001”不一致"):
        target_review.load(params)


@pytest.fixture(scope="module")
def delivered(filed):
    data, result = run(filed, reviews=complete())
    return data, result, target_review.deliver(data, result, target_review.draw(data, result))


def texts(path: Path) -> str:
    document = Document(str(path))
    cells = (cell.text for table in document.tables for row in table.rows for cell in row.cells)
    return "\n".join([*(p.text for p in document.paragraphs), *cells])


def test_each_table_gets_its_review_form(delivered):
    data, result, _ = delivered
    made = {path.stem: path for path in (data.out / "函件").glob("*.docx")}
    assert len(made) == len(result.tables["forms"]) == 11
    road = texts(made["621026-2026-001 2026年农村公路养护工程 审核表"])
    for said in (
        "☑优　☐良　☐中　☐差",
        "总分：91.1分（满分100分）",
        "一、完整性审核（20分）",
        "资金匹配性（15分）",
        "每公里养护成本8.5万元高于标准8万元",
        "高于支出标准8万元/公里",
        "目标表!F12",
        "处理：进入下一步预算编审程序",
        "养护成本按标准调整后，可进入下一步预算编审程序。",
    ):
        assert said in road, said
    culture = texts(made["621026-2026-005 村级文化活动 审核表"])
    assert "总分" not in culture and "3个工作日内重新报送审核" in culture
    assert "☐优 ☐良\n☑中 ☐差" in culture


def test_report_summary_and_records_tell_the_same(delivered):
    *_, files = delivered
    report = texts(files["审核报告"])
    for said in (
        "共审核绩效目标表11张，涉及资金54186.00万元",
        "优5张，良4张，中1张，差1张",
        "相似度达到85%",
        "《郑州市市级部门预算绩效目标管理办法》附件2-5、附件2-6",
    ):
        assert said in report, said
    assert "待补充" not in report
    book = load_workbook(files["汇总表"])
    assert book.sheetnames == ["审核结果", "分部门", "分类别", "子项", "问题类别", "问题清单"]
    assert book["审核结果"].max_row == 13 and book["子项"].max_row == 2 + 11 * 16
    record = json.loads(files["结果"].read_text(encoding="utf-8"))["result"]
    assert record["values"]["targets.amount"] == "541860000"
    said = [problem.code for problem in target_review.checks(files)]
    assert said == ["check.K4"]


def test_a_profile_may_bring_its_own_grades_and_digits():
    policy = load_policy("zhengzhou", as_of=date(2026, 12, 31))
    for key in ("target_review_bands", "target_review_digits"):
        use = policy.use(key)
        assert use.profile == "zhengzhou" and "附件2-6" in use.source
