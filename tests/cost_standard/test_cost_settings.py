"""Settings of a cost study: price series, part of a year, back-test, coefficients, load."""

from __future__ import annotations

import pytest
from cost_support import D, data, datum, outcome, result, table, told

from evalkit.core.problem import EvalkitError

BOOKS = "services tiers audited unit_costs"
QUOTAS = "services tiers quotas"
WAGE_2023, WAGE_2024 = 120_698, 124_110  # 国家统计局, as params/prices/wage.csv has them


def index(found, item):
    (row,) = (row for row in found.tables["indices"] if row["item"] == item)
    return row


def test_the_sheet_of_prices_completes_the_file_and_says_so():
    row = index(result("rural_road"), "人工")
    whole = D("127213")
    factors = "，".join(f"{year}年{whole / wage:.4f}" for year, wage in
                       ((2023, WAGE_2023), (2024, WAGE_2024), (2025, whole)))  # fmt: skip
    assert row["factors"] == factors
    assert row["source"].startswith("2025年：示例数据：假定")  # it is not called an official figure
    assert "示例数据" not in index(result("rural_road"), "管理费用")["source"]


def test_the_sheet_of_prices_overrides_the_file():
    found = outcome("rural_road", ("prices", 0, {"year": 2024, "value": 127_213}),
                    form={"base": 2024}, parts=BOOKS)  # fmt: skip
    assert [p.code for p in found.problems] == ["price.step"]  # 2025 is not known any more
    changes = [("prices", 0, {"year": 2024, "value": 100_000})]
    only = [("declared", {"year": "2025"}, None), ("ledger", {"year": "2025"}, None),
            ("cuts", {"year": "2025"}, None), ("assets", {"year": "2025"}, None),
            ("volumes", {"year": "2025"}, None)]  # fmt: skip
    found = outcome("rural_road", *changes, *only, form={"base": 2024}, parts=BOOKS)
    assert found.problems == ()
    assert index(found, "人工")["factors"].startswith(f"2023年{D(100_000) / WAGE_2023:.4f}")


def test_a_series_of_ones_own_is_chained_like_an_index():
    service = data("rural_road").service
    items = tuple(i.model_copy(update={"index": "road" if i.name == "材料" else ""})
                  for i in service.items)  # fmt: skip
    source = data("rural_road").source
    row = source.tables["prices"][0]
    own = [
        row | {key: datum(value, row[key].cell) for key, value in fields.items()}
        for fields in ({"series": "road", "year": 2024, "value": 104},
                       {"series": "road", "year": 2025, "value": 110})
    ]  # fmt: skip
    source = source.model_copy(update={"tables": source.tables | {"prices": own}})
    mine = service.model_copy(update={"items": items})
    found = outcome("rural_road", parts=BOOKS, service=mine, source=source)
    assert [row["item"] for row in found.tables["indices"]] == ["材料"]
    row = index(found, "材料")
    assert row["factors"] == "2023年1.1440，2024年1.1000，2025年1.0000"
    assert "国家统计局" not in row["source"]


def test_costs_of_part_of_a_year_are_brought_to_twelve_months_where_the_driver_is_kept_all_year():
    change = ("volumes", {"year": "2025"}, {"months": 11})
    found = outcome("sanitation", change, parts=BOOKS)
    each = table(found, "boundaries", "boundary", "unit_cost")
    assert each["完全成本"] == f"{D(6_805_000) * 12 / 11 / 1_000_000:.3f}" == "7.424"
    assert found.values["cost.allowed"] == 6_805_000  # the audit is of what was spent
    made = outcome("bus_subsidy", ("volumes", {"year": "2025"}, {"months": 11}), parts=BOOKS)
    kept = table(result("bus_subsidy"), "boundaries", "boundary", "unit_cost")
    assert table(made, "boundaries", "boundary", "unit_cost") == kept  # 车公里 are produced


def test_a_back_test_beyond_the_limit_needs_a_reason():
    parts = QUOTAS + " spending"
    (silent,) = told("rural_road", ("history", 3, {"spending": 5_000_000}), parts=parts)
    assert (silent.code, silent.sheet) == ("fiscal.unexplained", "历年支出")
    assert "2024 年" in silent.what
    said = {"spending": 5_000_000, "reason": "含水毁修复"}
    (explained,) = told("rural_road", ("history", 3, said), parts=parts)
    assert explained.code == "fiscal.explained"
    assert "含水毁修复" in explained.what
    assert told("rural_road", ("history", 3, {"spending": 3_400_000}), parts=parts) == []
    with pytest.raises(EvalkitError, match="2024 年"):
        outcome("rural_road", ("history", 3, {"spending": 5_000_000}), parts=parts, stage="送审稿")
    outcome("rural_road", ("history", 3, said), parts=parts, stage="送审稿")


@pytest.mark.parametrize(("alpha", "k"), [(20, "1.2"), (80, "1.3"), (-50, "0.8")])
def test_coefficients_are_capped_by_policy(alpha, k):
    found = outcome("rural_road", ("coefficients", 0, {"alpha": alpha}), parts=QUOTAS)
    assert table(found, "quotas", "tier", "coefficient") == {"T1": k, "T2": "1.06", "T3": "1.06"}
    (row,) = (row for row in found.tables["quotas"] if row["tier"] == "T1")
    assert abs(D(row["adjusted"]) - D(row["quota"]) * D(k)) < D("0.001")


def test_coefficients_of_a_tier_are_multiplied_and_those_not_applied_are_left_out():
    found = outcome("rural_road", ("coefficients", -1, {"applied": "是"}), parts=QUOTAS)
    assert table(found, "quotas", "tier", "coefficient")["T1"] == "1.166"  # 1.06 × 1.10
    listed = result("rural_road").tables["coefficients"]
    assert [row["applied"] for row in listed] == ["是", "是", "是", "否"]


def test_fixed_costs_weigh_more_where_the_plant_is_empty():
    curve = [D(v) for v in table(result("wastewater"), "curve", "load", "unit_cost").values()]
    assert curve == sorted(curve, reverse=True)
    lines = result("wastewater").tables["quota_lines"]
    fixed = sum(D(r["consumption"]) * D(r["price"]) for r in lines if r["behaviour"] == "固定")
    variable = sum(D(r["consumption"]) * D(r["price"]) / D(r["per"])
                   for r in lines if r["behaviour"] == "变动")  # fmt: skip
    full = fixed / (D("5475") * 10_000) + variable
    assert f"{full:.3f}" == f"{curve[-1]:.3f}"


@pytest.mark.parametrize(("score", "factor"), [(95, "1"), (85, "0.95"), (70, "0.7"), (40, "0.5")])
def test_the_performance_factor_follows_the_score(score, factor):
    change = ("terms", {"name": "绩效得分（分）"}, {"value": score})
    found = outcome("bus_subsidy", change, parts=QUOTAS + " regulated")
    shown = table(found, "subsidy", "label", "value")
    assert shown["补贴额"] == "769.18"
    assert shown["应付补贴"] == f"{D('769.178') * D(factor):.2f}"


def test_a_user_fee_a_grant_a_share_and_a_cap_make_what_the_budget_bears():
    parts = QUOTAS + " spending"
    change = {"user_fee": 100, "upper": 2000, "share": 50}
    found = outcome("rural_road", ("tiers", 0, change), parts=parts)
    assert table(found, "spending", "tier", "spend")["T1"] == "4000.000"  # (10100−100−2000)×50 %
    found = outcome("rural_road", ("tiers", 0, change | {"cap": 3500}), parts=parts)
    assert table(found, "spending", "tier", "spend")["T1"] == "3500.000"
    found = outcome("rural_road", ("tiers", 0, {"user_fee": 20_000}), parts=parts)
    assert table(found, "spending", "tier", "spend")["T1"] == "0.000"


def test_an_operator_with_two_kinds_of_vehicles_is_regulated_on_all_its_kilometres():
    tiers = data("bus_subsidy").source.tables["tiers"]
    old = {"code": datum("T2", tiers[0]["code"].cell), "volume": datum(80, tiers[0]["volume"].cell)}
    new = {"volume": datum(130, tiers[0]["volume"].cell)}
    source = data("bus_subsidy").source
    both = source.tables | {"tiers": [tiers[0] | new, tiers[0] | old]}
    source = source.model_copy(update={"tables": both})
    found = outcome("bus_subsidy", parts="services tiers regulated spending", source=source)
    shown = table(found, "subsidy", "label", "value")
    assert (shown["补贴额"], shown["单位规制成本"]) == ("769.18", "5.400")
    kept = result("bus_subsidy")
    assert found.values["budget.new"] == kept.values["budget.new"]
    (spend,) = table(kept, "spending", "tier", "spend").values()
    assert table(found, "spending", "tier", "spend") == {"T1": spend, "T2": spend}


@pytest.mark.parametrize("fields", [{"volume": None}, {"unit": "人次", "volume_unit": "人次"}])
def test_a_regulated_operator_without_kilometres_is_told(fields):
    parts = "services tiers regulated"
    codes = {p.code for p in told("bus_subsidy", ("tiers", 0, fields), parts=parts)}
    assert "regulation.volume" in codes
