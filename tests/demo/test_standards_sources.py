"""Services as data and their demos: they hang together, and carry the vectors of the manual"""

from __future__ import annotations

import math
from collections import defaultdict
from decimal import Decimal
from functools import cache, reduce
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import build
import pytest
import standards
import yaml

from evalkit.core.model import Row, Source
from evalkit.core.paths import assets
from evalkit.standards.service import Service, load_service
from evalkit.workbook.blank import write_blank
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema

SERVICES = {name: load_service(name) for name in assets("params", "services")}
SOURCES = {path.stem: standards.load(path) for path in sorted(standards.SOURCES.glob("*.yaml"))}
SCHEMA = load_schema("cost_standard")
WAN = Decimal(10_000)


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Service:
    return SERVICES[request.param]


@pytest.fixture(params=SOURCES)
def slug(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@cache
def book(slug: str) -> Source:
    """The committed workbook as the reader sees it."""
    return read(standards.DEMO / standards.WORKBOOK.format(slug=slug), SCHEMA)


def number(row: Row, field: str) -> Decimal:
    value = row[field].value
    assert isinstance(value, Decimal), (field, row[field].raw)
    return value


def printed(value: Decimal, digits: str = "0.001") -> str:
    return str(value.quantize(Decimal(digits), "ROUND_HALF_UP"))


# --- services ------------------------------------------------------------------------------------


def test_there_are_six_services_and_a_seventh_that_no_code_knows() -> None:
    assert len(SERVICES) >= 7
    assert "rural_road" in SERVICES
    code = Path(standards.__file__).parents[2] / "evalkit"
    assert not [path for path in code.rglob("*.py") if "rural_road" in path.read_text("utf-8")]


def test_the_blank_workbook_of_a_service_fits_the_schema(service: Service, tmp_path: Path) -> None:
    path = write_blank(tmp_path / "空白.xlsx", standards.schema_of(service), service.content)
    found = read(path, SCHEMA).problems
    assert {p.code for p in found} <= {"required.always", "required.final"}
    filled_by_people = {"项目信息", "文字", "定额测算", "成本规制", "档次", "参数", "名册"}
    assert {p.sheet for p in found} <= filled_by_people | {"绩效目标标准"}
    targets = {p.cell[0] for p in found if p.sheet == "绩效目标标准"}
    assert targets <= {"F"}  # the values of cost indicators, which the quota will give


def test_points_sum_to_a_hundred_and_each_target_has_one_evaluation(service: Service) -> None:
    targets, evaluations = (service.content[name] for name in ("targets", "evaluations"))
    points = {row["code"]: row["points"] for row in targets}
    assert len(points) == len(targets)
    assert sum(map(Decimal, points.values())) == 100
    assert [(row["target"], row["points"]) for row in evaluations] == list(points.items())


def test_every_target_cites_a_service_row_and_a_cost_indicator_a_tier(service: Service) -> None:
    rows = {row["no"] for row in service.content["services"]}
    tiers = {row["code"] for row in service.content["tiers"]}
    cited = {row["code"]: row["basis"] for row in service.content["targets"]}
    assert set(cited.values()) <= rows | tiers
    costs = {code for code, basis in cited.items() if basis in tiers}
    assert {cited[code] for code in costs} == tiers  # no tier is left without its cost indicator
    for row in service.content["targets"]:
        assert (row["code"] in costs) == ("value" not in row), row["code"]


def test_quota_rows_name_items_tiers_and_service_rows_that_exist(service: Service) -> None:
    items, tiers = {item.name: item for item in service.items}, set()
    rows = {row["no"] for row in service.content["services"]}
    for row in service.content["quota"]:
        tiers.add(row["tier"])
        assert row["behaviour"] == items[row["item"]].behaviour
        assert row.get("service") in rows | {None}
    assert tiers == {row["code"] for row in service.content["tiers"]}
    for table in ("coefficients", "regulation"):
        for row in service.content.get(table, []):
            assert row.get("tier") in tiers | {None}
            assert row.get("item") in items.keys() | {None}
    for row in service.content.get("coefficients", []):
        assert row["source"].startswith("机构设定")
    first = {row["unit"] for row in service.content["tiers"]}
    assert service.driver.unit in first | {unit.removesuffix("·年") for unit in first}


def test_account_beginnings_are_of_one_item_only(service: Service) -> None:
    begun = [(start, item.name) for item in service.items for start in item.accounts]
    for start, name in begun:
        others = [other for other in begun if other[0].startswith(start) and other[1] != name]
        assert not others, (start, name)


def test_a_clause_never_claims_to_be_checked(service: Service) -> None:
    assert {row["checked"] for row in service.content["services"]} == {"待核对"}


# --- demos ---------------------------------------------------------------------------------------


def test_every_service_has_a_demo_and_one_of_them_is_for_submission() -> None:
    assert SOURCES.keys() == SERVICES.keys()
    assert [source["stage"] for source in SOURCES.values()].count("送审稿") == 1
    assert len({source["content"]["project"]["code"] for source in SOURCES.values()}) == 7


def test_a_demo_reads_without_any_problem_and_is_marked_as_sample_data(slug: str) -> None:
    found = book(slug)
    assert not found.problems, "\n".join(map(str, found.problems))
    project = found.forms["project"]
    assert project["demo"].text == "是"
    assert project["service"].text == slug
    evaluated = build.load(build.SOURCES / f"{slug}.yaml")["project"]
    if slug != "rural_road":  # that project there is a single repair, this one daily care
        assert project["name"].text == evaluated["name"]
    assert project["department"].text == evaluated["department"]


def test_building_twice_gives_equal_bytes_and_the_committed_workbook(
    slug: str, tmp_path: Path
) -> None:
    once, again = (
        standards.build_one(SOURCES[slug], tmp_path / folder).read_bytes() for folder in "ab"
    )
    assert once == again
    mine = read(tmp_path / "a" / standards.WORKBOOK.format(slug=slug), SCHEMA)
    assert mine.model_copy(update={"path": ""}) == book(slug).model_copy(update={"path": ""})


def test_the_committed_list_is_what_the_builder_makes() -> None:
    text = standards.project_list(list(SOURCES.values()))
    assert (standards.DEMO / "standards.csv").read_bytes() == text.encode("utf-8-sig")
    assert len(text.splitlines()) == 8


def test_points_and_the_chain_of_a_demo_hold(slug: str) -> None:
    tables = book(slug).tables
    rows = {row["no"].text for row in tables["services"]}
    tiers = {row["code"].text for row in tables["tiers"]}
    targets = {row["code"].text: row for row in tables["targets"]}
    assert {row["basis"].text for row in targets.values()} <= rows | tiers
    assert sum(number(row, "points") for row in targets.values()) == 100
    assert [row["target"].text for row in tables["evaluations"]] == list(targets)
    for row in tables["evaluations"]:
        assert row["points"].value == targets[row["target"].text]["points"].value
    recommended = {row["code"].text: number(row, "recommended") for row in tables["tiers"]}
    for row in targets.values():
        if row["basis"].text in tiers:
            assert number(row, "value") == recommended[row["basis"].text], row["code"].text


def test_statistics_name_columns_of_the_sample(slug: str) -> None:
    service, found = SERVICES[slug], book(slug)
    named = {*service.statistics.others, *service.statistics.inputs, *service.statistics.outputs}
    assert bool(named) == ("sample" in service.sheets)
    assert named <= set(found.open_columns["sample"]) | {""}


def test_items_and_drivers_of_a_demo_are_those_of_the_service(slug: str) -> None:
    service, tables = SERVICES[slug], book(slug).tables
    items = {item.name: item for item in service.items}
    for table in ("declared", "cuts", "quota"):
        assert {row["item"].text for row in tables[table]} <= items.keys(), table
    drivers = {driver.name: driver.unit for driver in service.drivers}
    for row in tables["volumes"]:
        assert row["volume_unit"].text.removeprefix("万") == drivers[row["driver"].text]
    for row in leaves(tables["ledger"]):
        starts = [s for i in service.items for s in i.accounts if row["account"].text.startswith(s)]
        assert len(starts) == 1, row["account"].text


def leaves(ledger: list[Row]) -> list[Row]:
    """Accounts that no other account of the same unit and year lies under."""
    keys = [(r["unit"].text, r["year"].text, r["account"].text) for r in ledger]
    return [
        row
        for row, (unit, year, code) in zip(ledger, keys, strict=True)
        if not any(k[:2] == (unit, year) and k[2].startswith(code) and k[2] != code for k in keys)
    ]


def test_parents_of_the_books_equal_their_children(slug: str) -> None:
    ledger = book(slug).tables["ledger"]
    ends = {id(row) for row in leaves(ledger)}
    differs = {}
    for row in ledger:
        mine = (row["unit"].text, row["year"].text)
        below = [
            number(r, "amount")
            for r in ledger
            if (r["unit"].text, r["year"].text) == mine
            and id(r) in ends
            and r["account"].text.startswith(row["account"].text)
        ]
        if sum(below) != number(row, "amount"):
            differs[mine[0], row["account"].text] = number(row, "amount") - sum(below)
    assert not differs


def audit(slug: str) -> dict[tuple[str, int, str], dict[str, Decimal]]:
    """申报 − 核减 = 核定 by unit, year and item, reckoned from the cells."""
    service, tables = SERVICES[slug], book(slug).tables
    found: dict[Any, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))

    def key(row: Row, item: str) -> tuple[str, int, str]:
        return row["unit"].text, int(number(row, "year")), item

    for row in leaves(tables["ledger"]):
        item = next(
            item.name
            for item in service.items
            if any(row["account"].text.startswith(start) for start in item.accounts)
        )
        part = "refused" if row["allowed"].text == "否" else "books"
        found[key(row, item)][part] += number(row, "amount")
    for row in tables["declared"]:
        found[key(row, row["item"].text)]["declared"] += number(row, "amount")
    for row in tables["cuts"]:
        found[key(row, row["item"].text)]["cut"] += number(row, "amount")
    for row in tables["assets"]:
        yearly = number(row, "original") * (100 - number(row, "residual")) / 100
        yearly *= number(row, "months") / 12 / number(row, "life")
        assert yearly.quantize(Decimal("0.01")) == number(row, "declared"), row["name"].text
        if row["funding"].text != "自有资金":
            found[key(row, service.depreciation)]["public"] += number(row, "declared")
        found[key(row, service.depreciation)]["assets"] += number(row, "declared")
    for (_, _, item), part in found.items():
        over = max(part["declared"] - part["books"] - part["refused"], Decimal(0))
        part["approved"] = part["declared"] - over - part["refused"] - part["public"] - part["cut"]
        assert part["approved"] >= 0, item
        assert part["assets"] in (0, part["declared"]), item
    return found


def unit_cost(slug: str, unit: str, year: int, without: tuple[str, ...]) -> Decimal:
    """Approved cost of the categories left, over the main driver."""
    service = SERVICES[slug]
    kept = {item.name for item in service.items if item.category not in without}
    cost = sum(
        part["approved"]
        for (who, when, item), part in audit(slug).items()
        if (not unit or who == unit) and when == year and item in kept
    )
    volumes = [
        number(row, "volume") * (WAN if row["volume_unit"].text.startswith("万") else 1)
        for row in book(slug).tables["volumes"]
        if row["driver"].text == service.driver.name
        and (not unit or row["unit"].text == unit)
        and number(row, "year") == year
    ]
    return Decimal(cost) / sum(volumes)


def quotas(slug: str) -> dict[str, Decimal]:
    """Σ consumption × price ÷ per × (1+m)(1+r)(1+t) by tier."""
    tables, found = book(slug).tables, {}
    for tier in tables["tiers"]:
        lines = [row for row in tables["quota"] if row["tier"].text == tier["code"].text]
        direct = sum(
            number(row, "consumption") * number(row, "price") / (row["per"].value or 1)
            for row in lines
        )
        rates = (1 + number(tier, rate) / 100 for rate in ("management", "profit", "tax"))
        found[tier["code"].text] = reduce(lambda a, b: a * b, rates, Decimal(direct))
    return found


def spending(tier: Row) -> Decimal:
    """What the county pays a unit."""
    each = number(tier, "recommended") - number(tier, "user_fee") - number(tier, "upper")
    return max(each, Decimal(0)) * number(tier, "share") / 100


def budget(slug: str) -> Decimal:
    """Σ volume × max(0, quota − user fee − upper grant) × share, in 元."""
    total = Decimal(0)
    for tier in book(slug).tables["tiers"]:
        scale = WAN if tier["volume_unit"].text.startswith("万") else 1
        total += number(tier, "volume") * scale * spending(tier)
    return total


def test_quotas_stand_by_the_recommended_values(slug: str) -> None:
    """Within a percent, after the coefficients that are used; each with a reason in writing."""
    tables = book(slug).tables
    for tier in tables["tiers"]:
        code = tier["code"].text
        used = [
            1 + number(row, "alpha") / 100
            for row in tables["coefficients"]
            if row["tier"].text == code and row["applied"].text == "是"
        ]
        quota = reduce(lambda a, b: a * b, used, quotas(slug)[code])
        assert abs(quota / number(tier, "recommended") - 1) < Decimal("0.01"), code
        assert len(tier["reason"].text) > 15


def test_texts_are_several_sentences(slug: str) -> None:
    for field, datum in book(slug).forms["texts"].items():
        assert datum.text.count("。") >= 2, field


def test_past_years_differ_from_the_new_standard_by_less_than_a_printed(slug: str) -> None:
    tables = book(slug).tables
    each = {row["code"].text: spending(row) for row in tables["tiers"]}
    by_year: dict[int, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in tables["history"]:
        scale = WAN if row["volume_unit"].text.startswith("万") else 1
        year = by_year[int(number(row, "year"))]
        year[0] += number(row, "volume") * scale * each[row["tier"].text]
        year[1] += row["spending"].value or 0
    assert len(by_year) == 3
    for new, spent in by_year.values():
        assert abs(spent / new - 1) < Decimal("0.1")


# --- the vectors of the manual -------------------------------------------------------------


def test_v2_bus_cost_regulation_and_subsidy() -> None:
    tables = book("bus_subsidy").tables
    allowed = {}
    for row in tables["regulation"]:
        actual, standard = number(row, "actual"), row["standard"].value
        match row["rule"].text:
            case "不超标准":
                got = min(actual, standard)
            case "区间":
                low, high = (standard * (100 + k) / 100 for k in (-10, 10))
                assert low <= actual <= high
                got = actual
            case "据实":
                got = actual
            case "不予列支":
                got = Decimal(0)
        allowed[row["item"].text] = got
    assert [allowed[i] / WAN for i in ("驾驶员薪酬", "管理人员薪酬")] == [Decimal("426.4"), 135]
    assert sum(allowed.values()) == Decimal("11339000")
    terms = {row["name"].text: row["value"].value for row in tables["terms"]}
    cost = sum(allowed.values())
    loss = cost + terms["税金（元）"] - terms["总收入（元）"] - terms["上级补助（元）"]
    assert loss == Decimal("7465000")
    subsidy = loss + cost * terms["利润率（%）"] / 100
    assert subsidy == Decimal("7691780")
    assert 80 <= terms["绩效得分（分）"] < 90  # φ = 0.95
    assert printed(subsidy * Decimal("0.95") / WAN) == "730.719"
    (volume,) = (
        number(row, "volume") * WAN
        for row in tables["volumes"]
        if row["driver"].text == "车公里" and number(row, "year") == 2025
    )
    assert volume == 2_100_000
    assert printed(cost / volume) == printed(quotas("bus_subsidy")["T1"]) == "5.400"
    assert printed(subsidy / volume) == "3.663"


def test_v2_what_is_regulated_is_what_the_audit_left() -> None:
    approved = {i: p["approved"] for (_, y, i), p in audit("bus_subsidy").items() if y == 2025}
    for row in book("bus_subsidy").tables["regulation"]:
        assert approved[row["item"].text] == number(row, "actual"), row["item"].text
    parts = [part for (_, year, _), part in audit("bus_subsidy").items() if year == 2025]
    over = sum(max(p["declared"] - p["books"] - p["refused"], Decimal(0)) for p in parts)
    total = {name: sum(p[name] for p in parts) for name in ("declared", "refused", "public", "cut")}
    assert over == 104_000
    assert list(total.values()) == [12_497_600, 32_600, 400_000, 78_000]
    assert sum(approved.values()) == 11_883_000


def test_v3_sanitation_quotas_and_their_total() -> None:
    found = quotas("sanitation")
    assert [printed(found[code]) for code in ("T1", "T2", "T3")] == ["9.510", "7.397", "5.166"]
    areas = {r["code"].text: number(r, "volume") for r in book("sanitation").tables["tiers"]}
    each = [found[code] * area for code, area in areas.items()]
    assert [printed(part, "0.01") for part in each] == ["285.29", "332.84", "129.16"]
    assert printed(sum(each), "0.01") == printed(budget("sanitation") / WAN, "0.01") == "747.30"
    assert printed(sum(each) / sum(areas.values())) == "7.473"
    assert {r["price"].value for r in book("sanitation").tables["quota"]} >= {
        2600 * 12 * Decimal("1.26") + 900
    }


def test_v4_wastewater_boundaries_of_two_plants() -> None:
    """The published table; O&M of plant A is 1.1174…, which double rounding makes 1.118.

    Its parts add up to 1911.33 and 6331.54, where it prints 1911.34 and 6331.55 (万元).
    """
    service = SERVICES["wastewater"]
    assert len(service.boundaries) == 4
    plants = ("A厂", "B厂", "两厂合计")
    assert book("wastewater").forms["project"]["unit"].text == plants[-1]
    stated = {
        "生产成本（不含期间费用）": ["1.496", "1.730", "1.652"],
        "完全成本": ["2.097", "2.610", "2.439"],
        "不含财务费用": ["1.608", "1.807", "1.741"],
        "运维口径（不含折旧和财务费用）": ["1.117", "1.093", "1.101"],
    }
    for boundary in service.boundaries:
        got = [unit_cost("wastewater", unit, 2025, boundary.without) for unit in plants]
        assert [printed(value) for value in got] == stated[boundary.name], boundary.name
    assert printed(quotas("wastewater")["T1"]) == "1.101"
    volumes = book("wastewater").tables["volumes"]
    loads = [number(row, "volume") / number(row, "capacity") for row in volumes]
    assert [printed(100 * load, "0.1") for load in loads] == ["70.0"] * 3
    for field in ("volume", "capacity"):
        *each, whole = (number(row, field) for row in volumes)
        assert sum(each) == whole
    parts = audit("wastewater")
    for _, year, item in list(parts):
        for name in ("declared", "books", "cut", "approved", "assets"):
            a, b, both = (parts[plant, year, item][name] for plant in plants)
            assert a + b == both, (item, name)
    assert "塘汛" in volumes[0]["source"].text


def test_v4_the_second_difference_of_the_published_table_is_cut() -> None:
    parts = {k[::2]: p for k, p in audit("wastewater").items()}
    declared = parts["B厂", "管理费用"]["declared"] + parts["B厂", "财务费用"]["declared"]
    approved = parts["B厂", "管理费用"]["approved"] + parts["B厂", "财务费用"]["approved"]
    assert (declared / WAN, approved / WAN) == (Decimal("2257.32"), Decimal("2249.06"))
    assert not any(part["public"] for part in parts.values())


def test_v5_landscape_total() -> None:
    tiers = book("landscape").tables["tiers"]
    assert [number(row, "recommended") for row in tiers] == [9, 6, Decimal("3.5"), 35]
    assert budget("landscape") / WAN == Decimal("320.5")


def test_v6_roster_payments_and_books_agree_and_check_digits_hold() -> None:
    tables = book("substitute_teacher").tables
    rate = quotas("substitute_teacher")["T1"]
    terms = {row["name"].text: row["value"].value for row in tables["terms"]}
    assert rate == terms["补助标准（元/年·月）"] == 20
    assert terms["国库支付（元）"] == 13_920
    years = [number(row, "years") for row in tables["roster"]]
    assert years == [5, 12, 18, 23]
    owed = {r["person"].text: number(r, "years") * rate for r in tables["roster"]}
    assert sum(owed[r["person"].text] * number(r, "months") for r in tables["roster"]) == 13_920
    paid = defaultdict(list)
    for row in tables["payments"]:
        assert number(row, "amount") == owed[row["person"].text]
        paid[row["person"].text].append(row["month"].text)
    assert {tuple(sorted(months)) for months in paid.values()} == {
        tuple(f"2025-{month:02d}" for month in range(1, 13))
    }
    assert sum(number(row, "amount") for row in tables["payments"]) == 13_920
    parts = {key[1:]: part for key, part in audit("substitute_teacher").items()}
    assert parts[2025, "工龄补助"]["books"] == 13_920
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643—1999
    for row in tables["roster"]:
        person, born = row["person"].text, row["born"].value
        assert len(person) == 18
        left = sum(int(digit) * w for digit, w in zip(person[:17], weights, strict=True)) % 11
        assert person[17] == "10X98765432"[left]
        assert person[6:14] == f"{born:%Y%m%d}"
        assert person.startswith("629999")  # no such place
        assert number(row, "years") <= 2025 - born.year - 16


def test_v7_posts_of_six_schools() -> None:
    tables = book("canteen_cook").tables
    terms = {row["name"].text: row["value"].value for row in tables["terms"]}
    ratio, least = terms["配备比例（人）"], terms["每校至少（人）"]
    served = [number(row, "served") for row in tables["posts"]]
    posts = [max(least, math.ceil(pupils / ratio)) for pupils in served]
    assert posts == [1, 1, 2, 3, 7, 13]
    assert (sum(posts), math.ceil(sum(served) / ratio)) == (27, 24)
    each = quotas("canteen_cook")["T1"]
    assert each == terms["月工资（元）"] * terms["年用工月数（月）"] + terms["其他费用（元/人·年）"]
    assert sum(posts) * each / WAN == Decimal("61.02")
    worked = sum(number(row, "months") for row in tables["posts"]) / terms["年用工月数（月）"]
    spent = unit_cost("canteen_cook", "", 2025, ("管理",))
    assert (worked, spent) == (25, each)
    parts = {key[1:]: part["declared"] for key, part in audit("canteen_cook").items()}
    names = ("工资", "保险", "健康体检", "工装", "培训")
    assert sum(parts[2025, name] for name in names) == 610_200


def test_peers_hold_the_public_anchors() -> None:
    anchors = {"bus_subsidy": ("射洪", "3.77", "1772.54/470.53"),
               "sanitation": ("漳平", "6.89", "69.44*12/121"),
               "landscape": ("苏州", "4.93", "2798.30*12/9/757"),
               "wastewater": ("湘潭", "1.48", "25674.55/17324.14")}  # fmt: skip
    for slug, (name, cost, formula) in anchors.items():
        (row,) = (r for r in book(slug).tables["peers"] if r["name"].text.startswith(name))
        assert number(row, "unit_cost") == Decimal(cost)
        assert f"{eval(formula):.2f}" == cost  # noqa: S307
        assert "公开转载" in row["source"].text
        others = [r for r in book(slug).tables["peers"] if "示例" in r["name"].text]
        assert len(others) >= 2


@pytest.mark.parametrize(
    ("slug", "flagged", "removed"),
    [
        ("sanitation", {("河口镇", 2024), ("青岭乡", 2023)}, {("河口镇", 2024)}),
        ("landscape", {("滨河绿地", 2024)}, {("滨河绿地", 2024)}),
    ],
)
def test_the_samples_carry_a_planted_outlier_and_its_decision(
    slug: str, flagged: set[tuple[str, int]], removed: set[tuple[str, int]]
) -> None:
    tables = book(slug).tables
    key = lambda row: (row["unit"].text, int(number(row, "year")))  # noqa: E731
    units = {key(r): float(number(r, "cost") / number(r, "volume") / WAN) for r in tables["sample"]}
    assert len(units) == len(tables["sample"]) >= 24
    low, _, high = quantiles(units.values(), method="inclusive")
    fence = 1.5 * (high - low)
    out = {k for k, v in units.items() if not low - fence <= v <= high + fence}
    assert out == flagged == {key(row) for row in tables["decisions"]}
    middle = median(units.values())
    spread = median(abs(v - middle) for v in units.values())
    assert {k for k, v in units.items() if 0.6745 * abs(v - middle) / spread > 3.5} == removed
    assert removed == {key(r) for r in tables["decisions"] if r["decision"].text == "剔除"}


# --- the builder ---------------------------------------------------------------------------------


def test_rows_are_completed_by_key_and_added_or_left_out() -> None:
    theirs = [{"code": "T1", "unit": "吨"}, {"code": "T2"}]
    mine = [{"code": "T1", "volume": "3"}, {"code": "T9"}]
    assert standards._over(theirs, mine, "code", ["T2"]) == [
        {"code": "T1", "unit": "吨", "volume": "3"},
        {"code": "T9"},
    ]
    with pytest.raises(ValueError, match="T7"):
        standards._over(theirs, mine, "code", ["T7"])


@pytest.mark.parametrize("extra", [{"sample": []}, {"strange": "1"}, {"slug": "other"}])
def test_a_source_with_unknown_keys_or_sheets_is_refused(
    extra: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "rural_road.yaml"
    path.write_text(yaml.safe_dump({"slug": "rural_road", "service": "rural_road", **extra}))
    with pytest.raises(ValueError, match=r"rural_road\.yaml"):
        standards.load(path)
