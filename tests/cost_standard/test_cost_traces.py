"""Every figure of a cost standard can be traced: its formula gives it, its cells move it alone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from cost_support import D, data, outcome, result, table
from tools import excel

from evalkit.core.model import Result

# --- formulas ------------------------------------------------------------------------------------

# table: the column that its formula gives, by what is divided for print, and the digits printed
FORMULAS: dict[str, tuple[str, int, int]] = {
    "audit": ("allowed", 1, 2),
    "steps": ("amount", -1, 2),
    "structure": ("share", 1, 2),
    "boundaries": ("unit_cost", 1, 3),
    "trend": ("change", 1, 2),
    "quota_lines": ("amount", 1, 3),
    "quotas": ("quota", 1, 3),
    "curve": ("unit_cost", 1, 3),
    "regulation": ("allowed", 10_000, 2),
    "posts": ("pay", 1, 2),
    "spending": ("budget", 10_000, 2),
    "back_test": ("standard", 10_000, 2),
}


def printed(value: Fraction, digits: int) -> Fraction:
    scaled = abs(value) * 10**digits + Fraction(1, 2)
    return Fraction(scaled.__floor__() * (1 if value >= 0 else -1), 10**digits)


def test_every_formula_gives_the_printed_value(slug):
    found, seen = result(slug), set()
    for name, (column, per, digits) in FORMULAS.items():
        for row in found.tables.get(name, []):
            if not (formula := row["formula"]) or row.get("item") == "合计":
                continue
            value = excel.evaluate(formula.replace("×", "*")) / per
            value *= 100 if name == "structure" else 1
            shown = Fraction(row[column])
            # the largest remainder goes one hundredth up, so that shares come to 100.00
            slack = Fraction(1, 100) if name == "structure" else 0
            if name == "trend":  # between unit costs as they are printed, to four digits
                slack = Fraction(1, 100)
            assert abs(printed(value, digits) - shown) <= slack, (name, formula, row[column])
            seen.add(name)
    assert {"audit", "boundaries", "quota_lines", "quotas", "spending", "back_test"} <= seen
    assert ("regulation" in seen) == (slug == "bus_subsidy")
    assert ("posts" in seen) == (slug == "canteen_cook")
    assert ("curve" in seen) == (slug == "wastewater")


def test_the_formula_of_a_benchmark_gives_its_value():
    for row in result("sanitation").tables["benchmarks"]:
        if row["name"] in ("平均值", "先进平均值", "最优三分之一平均值"):
            assert abs(excel.evaluate(row["formula"]) - Fraction(row["value"])) < Fraction(1, 1000)


def test_a_row_says_the_cell_that_it_came_from():
    found = result("rural_road").tables
    cells = {d.cell for t in data("rural_road").source.tables.values() for r in t
             for d in r.values() if d.raw}  # fmt: skip
    for name in ("audit", "boundaries", "quota_lines", "spending", "targets"):
        rows = [row for row in found[name] if row.get("item") != "合计"]
        assert {row["at"] for row in rows} <= cells
        assert len({row["at"] for row in rows}) == len(rows) or name == "boundaries"


# --- what moves what -----------------------------------------------------------------------------

Keys = dict[str, Callable[[dict[str, str]], str]]
KEY: Keys = {
    "audit": lambda r: f"{r['year']}{r['item']}",
    "boundaries": lambda r: r["boundary"],
    "trend": lambda r: r["year"],
    "methods": lambda r: r["tier"] + r["method"],
    "impact": lambda r: r["label"],
}
APART = {"audit_year", "flags_shown"}  # parts of other tables


def moved(before: Result, after: Result) -> dict[str, set[str]]:
    """Tables, and the keys of their rows, that are not as they were."""
    found: dict[str, set[str]] = {}
    for name in (before.tables.keys() | after.tables.keys()) - APART:
        old, new = (
            [{k: v for k, v in row.items() if k != "spread"} for row in of.tables.get(name, [])]
            for of in (before, after)  # the spread is of all methods of a tier
        )
        key = KEY.get(name, lambda row: next(iter(row.values())))
        gone = [row for row in old if row not in new] + [row for row in new if row not in old]
        if gone:
            found[name] = {key(row) for row in gone}
    values = {
        n for n in before.values | after.values if before.values.get(n) != after.values.get(n)
    }
    return found | ({"values": values} if values else {})


def after(sheet: str, number: int, **fields: Any) -> dict[str, set[str]]:
    changed = outcome("rural_road", (sheet, number, fields))
    return moved(result("rural_road"), changed)


@pytest.mark.parametrize("fields", [{"price": 30_000}, {"consumption": D("0.21")}])
def test_price_and_consumption_move_the_quota_of_their_tier_and_no_standard(fields):
    found = after("quota", 0, **fields)
    whole = {"T1定额测算", "综合定额测算"}
    assert found.pop("methods") >= whole
    assert set(found) == {"quota_lines", "quotas", "choices", "sensitivity"}
    assert found["quotas"] == found["quota_lines"] == {"T1"}
    assert found["choices"] == {"T1", "综合"}


def test_a_recommended_value_moves_what_the_budget_bears_and_no_cost():
    found = after("tiers", 0, recommended=10_200)
    assert found["spending"] == {"T1"}
    assert found["values"] == {"budget.new", "budget.change"}
    assert set(found) == {
        "spending", "values", "methods", "choices", "impact", "back_test", "sensitivity",
        "targets", "chain",
    }  # fmt: skip
    assert len(found["chain"]) == 1  # the cost target that cites the tier


def test_a_volume_of_a_tier_moves_its_budget():
    found = after("tiers", 0, volume=130)
    assert found["spending"] == {"T1"}
    assert "back_test" not in found  # past years have volumes of their own
    assert not {"audit", "boundaries", "quota_lines", "quotas", "targets", "chain"} & set(found)


def test_a_volume_of_a_year_moves_the_unit_costs_of_that_year():
    found = after("volumes", 2, volume=850)
    assert found["trend"] == {"2025"}
    assert found["values"] == {"cost.unit_cost"}
    assert set(found) == {"boundaries", "trend", "values", "methods", "choices"}
    assert found["methods"] == {"综合历史成本"}


def test_a_cut_moves_its_item_and_all_that_rests_on_what_is_allowed():
    found = after("cuts", 2, amount=70_000)
    assert found["audit"] == {"2025人工", "2025合计"}
    assert found["values"] == {"cost.cut", "cost.allowed", "cost.unit_cost"}
    assert found["trend"] == {"2025"}
    assert set(found) == {
        "audit", "steps", "structure", "boundaries", "trend", "values", "methods", "choices",
    }  # fmt: skip
    assert found["methods"] == {"综合历史成本"}


def test_a_cut_of_an_earlier_year_leaves_the_year_of_the_standard_alone():
    found = after("cuts", 0, amount=7_000)
    assert found["audit"] == {"2023管理费用", "2023合计"}
    assert found["trend"] >= {"2023"}
    assert "values" not in found
    assert "boundaries" not in found


def test_a_peer_moves_the_comparison_alone():
    found = after("peers", 0, unit_cost=9_700)
    assert set(found) <= {"peers", "methods", "choices"}
    assert found["methods"] == {"T1同业中位数"}


def test_words_move_no_figure():
    found = after("quota", 0, price_basis="另一个来源")
    assert set(found) == {"quota_lines"}
    assert table(outcome("rural_road", ("quota", 0, {"note": "x"}), parts="services tiers quotas"),
                 "quotas", "tier", "adjusted") == table(
        result("rural_road"), "quotas", "tier", "adjusted")  # fmt: skip


def test_the_sensitivity_is_what_a_change_of_the_price_does_to_the_budget():
    """Ten percent on one item, recommended values moved with the direct cost (no rounding)."""
    found = result("rural_road")
    rows = found.tables["quota_lines"]
    budgets = table(found, "spending", "tier", "budget")
    spends = table(found, "spending", "tier", "spend")
    quotas = table(found, "spending", "tier", "recommended")
    rise = Decimal(0)
    for tier, budget in budgets.items():
        lines = [row for row in rows if row["tier"] == tier]
        share = sum(D(r["share"]) for r in lines if r["item"] == "材料") / 100
        rise += D(quotas[tier]) * share / 10 * D(budget) / D(spends[tier])
    shown = table(found, "sensitivity", "factor", "rise")["材料"]
    assert abs(D(shown) - rise) < D("0.02")
