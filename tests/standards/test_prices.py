"""Price series: files, chaining, adjustment, and the four that come with the kit."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ROOT, SOAK

from evalkit.core.problem import EvalkitError
from evalkit.standards.prices import adjust, factor, load_series

D = Decimal
SHIPPED = ROOT / "params" / "prices"
HEAD = "# 标题：本县工资\n# 口径：{basis}\n# 来源：县统计局\nyear,value,source\n"


def series(name, basis, figures) -> pd.DataFrame:
    rows = [(name, name, basis, year, D(value), "") for year, value in figures.items()]
    return pd.DataFrame(rows, columns=["series", "title", "basis", "year", "value", "source"])


CPI = series("cpi", "上年=100", {2022: "102", 2023: "100.2", 2024: "100.2", 2025: "100"})
WAGE = series("wage", "水平", {2022: "114029", 2024: "124110"})


def costs(*rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["item", "year", "amount"])
    at = [f"成本!D{n}" for n in range(3, 3 + len(rows))]
    return frame.assign(unit="甲", amount=frame["amount"].map(D), at=at)


def refused(run, *args) -> list[str]:
    with pytest.raises(EvalkitError) as caught:
        run(*args)
    return [str(problem) for problem in caught.value.problems]


def written(tmp_path, text, encoding="utf-8", name="local.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_county_adds_a_series_in_any_encoding(tmp_path, encoding):
    text = HEAD.format(basis="水平") + "2023,61234.5,公报\n2024,63000,未核实\n"
    found = load_series(written(tmp_path, text, encoding))
    assert found["title"].tolist() == ["标题：本县工资"] * 2
    assert found["series"].tolist() == ["local"] * 2 and found["basis"].tolist() == ["水平"] * 2
    assert found[["year", "value", "source"]].values.tolist() == [
        [2023, D("61234.5"), "公报"], [2024, D("63000"), "未核实"],
    ]  # fmt: skip


def test_a_file_saved_by_a_spreadsheet_is_read(tmp_path):
    lines = ["# 标题：本县工资,,", "# 口径:水平,,", "year,value,source", "2023, 61234.5 ,公报"]
    found = load_series(written(tmp_path, "\r\n".join(lines) + "\r\n"))
    assert found["value"].tolist() == [D("61234.5")] and found["title"][0] == "标题：本县工资"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# 标题：a\n",
        "year,value,source\n2023,101,\n",  # no basis
        "# 口径：定基\nyear,value,source\n2023,101,\n",
        "# 口径：水平\nyear,source\n2023,\n",
        "# 口径：水平\nyear,value\n2023,101\n",  # a figure is cited
        "# 口径：水平\nyear,value,source\n2023,101,a\n2024,102,a,b\n",  # a comma in a source
    ],
)
def test_what_is_no_series_is_refused(tmp_path, text):
    assert refused(load_series, written(tmp_path, text)) == [
        "local.csv：不是可用的价格指数文件"
        "——注释行写明“# 口径：上年=100”或“# 口径：水平”，列为 year、value、source"
    ]


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert refused(load_series, tmp_path / "none.csv")[0].startswith("none.csv：不是可用的")


def test_all_bad_rows_of_a_series_are_named_at_once(tmp_path):
    rows = [
        "2020,1.4,涨幅",
        "2021,,空",
        "2022,102,",
        "2022,103,",
        "23,101,",
        "2024,abc,",
        "2025,-1,",
        "2026,inf,",
    ]
    text = HEAD.format(basis="上年=100") + "\n".join(rows)
    said = refused(load_series, written(tmp_path, text))
    assert [re.findall("：(.*?) 年的数值“(.*?)”", one)[0] for one in said] == [
        ("2020", "1.4"), ("2021", ""), ("2022", "103"), ("23", "101"), ("2024", "abc"),
        ("2025", "-1"), ("2026", "inf"),
    ]  # fmt: skip


def test_indices_are_chained_and_levels_divided():
    assert factor(CPI, 2021, 2024) == Fraction("1.02") * Fraction("1.002") * Fraction("1.002")
    assert factor(CPI, 2024, 2021) == 1 / factor(CPI, 2021, 2024)
    assert factor(WAGE, 2022, 2024) == Fraction(124110, 114029)
    assert factor(WAGE, 2024, 2022) == Fraction(114029, 124110)


def test_the_own_year_needs_no_figure():
    assert factor(CPI, 1999, 1999) == 1 and factor(WAGE, 1999, 1999) == 1


def test_a_missing_year_is_refused_with_series_and_year():
    gap = CPI[CPI["year"] != 2023]
    assert refused(factor, gap, 2021, 2024) == [
        "“价格”2021 年的金额换算不到 2024 年：价格指数“cpi”缺少其间的年份"
        "——请在 params/prices 的文件中补充，或改用别的指数"
    ]
    assert factor(gap, 2023, 2024) == Fraction("1.002")  # 2023 itself is not needed
    assert "“wage”" in refused(factor, WAGE, 2023, 2024)[0]


def test_costs_move_by_the_series_of_their_item_and_say_how():
    found = adjust(
        costs(("人工", 2022, "1234.00"), ("办公", 2022, "1234.00"), ("办公", 2025, "100"),
              ("折旧", 2022, "5.55"), ("办公", 2024, "100.10")),
        pd.concat([CPI, WAGE]), {"人工": "wage", "办公": "cpi", "折旧": ""}, 2024,
    )  # fmt: skip
    assert found["amount"].tolist() == [  # 1234×124110/114029, 1234×1.002², 100/1.00
        D("1343.09"), D("1238.94"), D("100.00"), D("5.55"), D("100.10"),
    ]  # fmt: skip
    assert found["formula"].tolist() == [
        "1234.00×124110/114029", "1234.00×100.2/100×100.2/100", "100.00×100/100", "5.55", "100.10",
    ]  # fmt: skip
    assert found["factor"].tolist()[3:] == [1, 1] and found["series"].tolist()[3] == ""


def test_costs_that_cannot_be_moved_are_named_all_at_once():
    rows = costs(("人工", 2021, "1"), ("办公", 2019, "1"), ("油料", 2022, "1"), ("电", 2022, "1"))
    rows.loc[3, "amount"] = None
    said = refused(
        adjust, rows, pd.concat([CPI, WAGE]), {"人工": "wage", "办公": "cpi", "电": "oil"}, 2024
    )
    assert [re.findall("^(?:成本｜)?(D.)：(.*?)(?:的|——)", one)[0] for one in said] == [
        ("D6", "第 4 行"), ("D3", "“人工”2021 年"), ("D4", "“办公”2019 年"),
        ("D5", "“油料”2022 年"), ("D6", "“电”2022 年"),
    ]  # fmt: skip
    assert "价格指数“未指定”" in said[3] and "价格指数“oil”" in said[4]


def test_figures_not_verified_are_marked_where_they_are_used():
    doubtful = CPI.assign(source=["", "未核实：凭记忆", "", ""])
    found = adjust(costs(("办公", 2022, "1"), ("办公", 2023, "1")), doubtful, {"办公": "cpi"}, 2024)
    assert found["unverified"].tolist() == [True, False]


def test_the_series_of_the_kit_have_every_year_and_a_source_for_each():
    spans = {"cpi": (2015, 2025), "ppi": (2015, 2025), "wage": (2015, 2024), "energy": (2022, 2025)}
    assert {path.stem for path in SHIPPED.glob("*.csv")} == set(spans)
    for name, (first, last) in spans.items():
        found = load_series(SHIPPED / f"{name}.csv")
        assert found["year"].tolist() == list(range(first, last + 1)), name
        assert found["source"].str.contains("国家统计局|国家发展改革委|未核实").all()
        assert "使用前请与国家统计局公布数核对" in (SHIPPED / f"{name}.csv").read_text("utf-8")
        for row in found.itertuples():  # what the release says is what the row holds
            change = re.search(r"比上年(上涨|下降)([\d.]+)%", row.source)
            if change and row.basis == "上年=100":
                sign = 1 if change[1] == "上涨" else -1
                assert row.value == 100 + sign * D(change[2])
    ppi = load_series(SHIPPED / "ppi.csv")
    assert ppi[ppi["source"].str.contains("未核实")]["year"].tolist() == [2018]


def test_wages_grew_as_the_bureau_says_they_did():
    wage = load_series(SHIPPED / "wage.csv")
    growth = {
        2016: "8.9",
        2017: "10.0",
        2019: "9.8",
        2020: "7.6",
        2021: "9.7",
        2022: "6.7",
        2023: "5.8",
        2024: "2.8",
    }
    for year, percent in growth.items():  # 名义增长 of the releases of 2017–2025
        assert round(float(factor(wage, year - 1, year) - 1) * 100, 1) == float(percent)


figures = st.lists(st.decimals(min_value=60, max_value=180, places=1), min_size=6, max_size=6)
years = st.integers(2019, 2025)


@settings(max_examples=300 if SOAK else 25)
@given(figures, years, years, years, st.sampled_from(["上年=100", "水平"]))
def test_factors_chain_whatever_the_years(values, a, b, c, basis):
    index = series("x", basis, dict(zip(range(2020, 2026), values, strict=True)))
    if basis == "水平":
        a, b, c = (max(year, 2020) for year in (a, b, c))
    assert factor(index, a, b) * factor(index, b, c) == factor(index, a, c)


@settings(max_examples=300 if SOAK else 25)
@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2), years)
def test_prices_of_the_own_year_stay_as_they_are(amount, year):
    found = adjust(costs(("办公", year, amount)), CPI, {"办公": "cpi"}, year)
    assert found["amount"].tolist() == [amount]
