"""An eighth service is a YAML file in the working folder and a workbook; no code knows of it."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from cost_support import D, document, table, tables
from typer.testing import CliRunner

from evalkit.cli import app
from evalkit.core.problem import EvalkitError
from evalkit.standards.service import Service, load_service
from evalkit.workbook.blank import write_blank
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema
from evalkit.workflows import cost_standard as cost

LAMP = Path(__file__).with_name("lamp.yaml")


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    """A firm's own working folder, with one service of its own."""
    for folder in ("params/policy", "params/services", "templates"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(LAMP, tmp_path / "params" / "services" / "street_lamp.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def observed(n: int) -> dict[str, Any]:
    """A unit of the sample: costs in proportion to the lamps, higher with their power."""
    lamps, power = round(900 * 1.25**n), 50 + 17 * n % 41
    cost = round(lamps * 60 * math.exp(power / 100) * (1 + math.sin(5 * n) / 40))
    unit = {"unit": f"样本{n:02}", "year": 2025, "volume": lamps, "volume_unit": "盏·年"}
    return unit | {"cost": cost, "平均功率（瓦）": power}


def filled(service: Service) -> dict[str, Any]:
    """What people write into the workbook of the lamps; costs follow size and power."""
    content: dict[str, Any] = {name: [dict(r) for r in rows]
                               for name, rows in service.content.items()}  # fmt: skip
    (tier,), (power, repair, watch) = content["tiers"], content["quota"]
    tier |= {"volume": 5000, "recommended": "109.20", "reason": "与逐项测算一致"}
    power |= {"consumption": 150, "price": "0.6", "price_basis": "电价"}
    repair |= {"consumption": "0.2", "price": 40, "price_basis": "材料价"}
    watch |= {"consumption": 1, "per": 5000, "price": 30_000, "price_basis": "工资"}
    content["targets"][2]["value"] = "≤109.20"
    costs = [("电费", 440_000), ("维修", 45_000), ("值守", 30_000)]
    content["sample"] = [observed(n) for n in range(24)]
    unit = {"unit": "某路灯所", "year": 2025}
    return content | {
        "project": {
            "service": service.name, "code": "BZ-8", "name": "某县路灯运行维护项目", "year": 2025,
            "county": "某县", "department": "某局", "unit": "某路灯所", "vat": "含税",
            "report_date": "2026-03-31",
        },
        "declared": [unit | {"item": item, "amount": amount} for item, amount in costs],
        "ledger": [unit | {"account": f"50010{n}", "name": item, "amount": amount}
                   for n, (item, amount) in enumerate(costs, 1)],
        "volumes": [unit | {"driver": "在册路灯", "volume": "0.5", "volume_unit": "万盏·年",
                            "months": 12, "source": "台账"}],
    }  # fmt: skip


def test_a_service_of_ones_own_needs_no_code(workspace):
    done = CliRunner().invoke(app, ["new", "cost-standard", "--service", "street"])
    assert done.exit_code == 0, done.output
    blank = read(workspace / "数据底稿.xlsx", load_schema("cost_standard"))
    assert [row["item"].text for row in blank.tables["quota"]] == ["电费", "维修", "值守"]
    service = load_service("street_lamp")
    path = workspace / "成本测算表.xlsx"
    write_blank(path, load_schema("cost_standard").using(service.sheets), filled(service))
    task = cost.load(cost.Params(workbook=str(path), out="成果"))
    found = cost.evaluate(task)
    assert {p.code for p in found.problems} <= {"required.final", "cost.single", "fiscal.outside"}
    assert table(found, "quotas", "tier", "quota") == {"T1": "109.200"}  # (90+8+6)×1.05
    assert table(found, "boundaries", "boundary", "unit_cost") == {
        "完全成本": "103.000", "不含电费": "15.000",
    }  # fmt: skip
    assert {row["verdict"] for row in found.tables["chain"]} == {"引用完整"}
    assert found.values["budget.new"] == D("546000")
    terms = table(found, "terms", "term", "coefficient")
    assert abs(float(terms["ln(业务量)"]) - 1) < 0.01
    assert abs(float(terms["平均功率（瓦）"]) - 0.01) < 0.001
    assert len(found.tables["frontier"]) == 24
    files = cost.deliver(task, found, {})
    report = tables(document(files["编制说明"]))
    assert [row["三级指标"] for row in report["标准引用关系"]] == [
        "亮灯率",
        "修复及时率",
        "单盏成本",
    ]
    assert next((workspace / "成果").rglob("支出标准*.docx")).is_file()


def test_a_ground_that_is_only_a_time_limit_is_shown(workspace):
    service, schema = load_service("street_lamp"), load_schema("cost_standard")
    content = filled(service) | {"sample": []}
    write_blank(workspace / "a.xlsx", schema.using(service.sheets), content)
    found = cost.evaluate(cost.load(cost.Params(workbook=str(workspace / "a.xlsx"))))
    assert table(found, "chain", "target", "ground")["C2"] == "维修：接报后24小时内修复"
    assert found.tables["few"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("without: [燃料动力]", "without: [水费]", "“水费”"),
        ("sheets: [sample", "depreciation: 折旧\nsheets: [sample", "“折旧”"),
        ("nature: ", "natur: ", "natur"),
        ("behaviour: 固定, accounts", "behaviour: 半固定, accounts", "behaviour"),
    ],
)
def test_a_faulty_definition_is_refused_with_its_file_and_fault(workspace, old, new, words):
    path = workspace / "params" / "services" / "street_lamp.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(EvalkitError, match="street_lamp") as refused:
        load_service("street_lamp")
    assert words in str(refused.value)
