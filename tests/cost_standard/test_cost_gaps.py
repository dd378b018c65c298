"""Cost standards with gaps: drafts show them as 待补充, and nothing breaks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import openpyxl
import pytest
from cost_support import SLUGS, data, document, outcome, result, told, workbook
from support import SOAK
from typer.testing import CliRunner

from evalkit.cli import app
from evalkit.core.problem import EvalkitError
from evalkit.standards.service import load_service
from evalkit.workbook.blank import write_blank
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema
from evalkit.workflows import cost_standard as cost


def new(slug: str, path: Path) -> Path:
    done = CliRunner().invoke(app, ["new", "cost-standard", "--service", slug, "--out", str(path)])
    assert done.exit_code == 0, done.output
    return path


def begun(slug: str, folder: Path) -> Path:
    """The blank workbook of a service with nothing but code, name and year."""
    service, schema = load_service(slug), load_schema("cost_standard")
    named = {"service": slug, "code": "BZ-1", "name": "某县某项目", "year": 2025}
    path = folder / "成本测算表.xlsx"
    return write_blank(path, schema.using(service.sheets), service.content | {"project": named})


def test_a_blank_workbook_has_the_sheets_and_rows_of_its_service(tmp_path):
    path = new("bus", tmp_path / "空白.xlsx")
    service, found = load_service("bus_subsidy"), read(path, load_schema("cost_standard"))
    names = openpyxl.load_workbook(path, read_only=True).sheetnames
    assert {"成本规制", "样本", "异常值处理", "价格指数"} <= {*names}
    assert not {"名册", "发放", "人员配备"} & {*names}
    assert found.forms["project"]["service"].text == "bus_subsidy"
    for sheet in ("services", "tiers", "quota", "targets", "evaluations"):
        assert len(found.tables[sheet]) == len(service.content[sheet])


def test_without_a_service_all_of_them_are_listed(tmp_path):
    call = ["new", "cost-standard", "--out", str(tmp_path / "a.xlsx")]
    with pytest.raises(EvalkitError) as refused:
        CliRunner().invoke(app, call, catch_exceptions=False)
    assert all(slug in str(refused.value) for slug in SLUGS)


def test_an_empty_year_is_refused_because_it_chooses_the_policy(tmp_path):
    path = new("rural_road", tmp_path / "成本测算表.xlsx")
    with pytest.raises(EvalkitError, match="标准年度"):
        cost.load(cost.Params(workbook=str(path)))


@pytest.mark.parametrize("slug", SLUGS if SOAK else ["bus_subsidy", "landscape", "canteen_cook"])
def test_a_blank_workbook_runs_to_both_documents(slug, tmp_path):
    path = begun(slug, tmp_path)
    task = cost.load(cost.Params(workbook=str(path), out=str(tmp_path / "out")))
    found = cost.evaluate(task)
    with patch.object(cost.Data, "books", lambda *_: {}):  # the documents alone
        files = cost.deliver(task, found, {})
    report = document(files["编制说明"])
    (standard,) = (tmp_path / "out").rglob("支出标准*.docx")
    for parts in (report, document(standard)):
        text = "\n".join(part.text for part in parts)
        assert text.count("待补充") > 3
        assert not [w for w in ("None", "nan", "Decimal", "{{", "{%") if w in text]
    heads = {"Heading 1", "Heading 2"}
    for part, after in pairwise([part for part in report if part.text]):
        if part.style == "Heading 2":
            assert after.style not in heads, part.text
    asked = {p.cell for p in found.problems if p.code == "required.final" and p.sheet == "档次"}
    assert len(asked) == 2 * len(load_service(slug).content["tiers"])  # value and reason
    assert not {"audit", "boundaries", "trend", "spending"} & {*found.tables}
    final = task.params.model_copy(update={"stage": "送审稿"})
    with pytest.raises(EvalkitError, match="推荐定额"):
        cost.evaluate(replace(task, params=final))


def test_a_sheet_that_was_taken_away_is_asked_for(tmp_path):
    book = openpyxl.load_workbook(workbook("rural_road"))
    del book["同业比较"]
    path = tmp_path / "成本测算表.xlsx"
    book.save(path)
    with pytest.raises(EvalkitError, match="缺少工作表：同业比较"):
        cost.load(cost.Params(workbook=str(path)))


def test_an_optional_sheet_that_was_taken_away_is_not_missed(tmp_path):
    book = openpyxl.load_workbook(workbook("sanitation"))
    del book["样本"], book["异常值处理"]
    path = tmp_path / "成本测算表.xlsx"
    book.save(path)
    task = cost.load(cost.Params(workbook=str(path)))
    assert task.problems == []
    assert cost.evaluate(task).tables["few"]


@pytest.mark.parametrize("left", [0, 1, 7, 8])
def test_eight_units_make_a_sample_and_fewer_do_not(left):
    rows = data("landscape").source.tables["sample"]
    units = list(dict.fromkeys(row["unit"].text for row in rows))
    away = [("sample", {"unit": unit}, None) for unit in units[left:]]
    found = outcome("landscape", *away, parts="services tiers samples")
    assert bool(found.tables["few"]) == (left < 8)
    assert ("benchmarks" in found.tables) == (left == 8)
    assert found.values["study.units"] == left


def test_too_few_observations_for_the_regressors_give_benchmarks_and_no_cost_function():
    years = [("sample", {"year": year}, None) for year in ("2023", "2025")]
    decided = {"year": 2024}
    found = outcome("landscape", *years, ("decisions", 0, decided), parts="services tiers samples")
    assert found.values["study.rows"] == 10
    assert found.tables["benchmarks"]
    assert "terms" not in found.tables  # ten observations for each regressor


def test_without_a_ledger_costs_are_cut_by_hand_alone_and_that_is_told():
    parts = "services tiers audited unit_costs"
    found = outcome("rural_road", without=["ledger"], parts=parts)
    said = [p for p in found.problems if p.code == "audit.unbooked"]
    assert len(said) == len(data("rural_road").source.tables["declared"])
    assert {p.severity for p in said} == {"warning"}
    assert {row["booked"] for row in found.tables["audit"]} <= {"—", "0"}
    cuts = {s["item"] for s in found.tables["steps"]}
    assert cuts == {"管理费用", "人工", "折旧"}  # by hand, and of what the government paid
    assert found.values["cost.allowed"] == result("rural_road").values["cost.allowed"] + 1200


@pytest.mark.parametrize(
    ("sheet", "gone"),
    [
        (
            "declared",
            {"audit", "audit_year", "steps", "structure", "boundaries", "trend", "indices"},
        ),
        ("volumes", {"boundaries", "trend", "indices"}),
        ("history", {"back_test"}),
        ("peers", set()),
    ],
)
def test_a_sheet_without_rows_takes_only_its_own_tables_away(sheet, gone):
    found = outcome("rural_road", without=[sheet])
    before = {name for name, rows in result("rural_road").tables.items() if rows}
    after = {name for name, rows in found.tables.items() if rows}
    assert before - after == gone | ({sheet} & before)
    assert {p.severity for p in found.problems} <= {"warning"}


def test_a_sheet_of_standards_without_rows_is_told():
    for sheet, words in (("quota", "没有任何行"), ("targets", "没有任何行")):
        found = told("rural_road", without=[sheet], parts="services tiers quotas chained")
        assert any(words in p.what for p in found), sheet


def test_a_workbook_without_any_row_breaks_nothing():
    found = outcome("rural_road", without=[*data("rural_road").source.tables])
    assert {p.severity for p in found.problems} <= {"warning", "note"}
    shown = {name for name, rows in found.tables.items() if rows}
    assert shown == {"few", "performance"}


def test_a_plant_without_a_volume_has_no_load_curve_and_that_is_told():
    change = ("tiers", 0, {"volume": None})
    parts = "services tiers audited unit_costs quotas spending"
    found = outcome("wastewater", change, parts=parts)
    assert "fiscal.volume" in {p.code for p in found.problems}
    assert not {"curve", "spending"} & {*found.tables}
    assert found.tables["quotas"]
