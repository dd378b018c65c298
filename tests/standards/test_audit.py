"""The cost audit: books, depreciation, cuts that add up to the cent, and every refusal."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK

from evalkit.core.problem import EvalkitError
from evalkit.standards.audit import audit, booked, depreciation

D = Decimal
ACCOUNTS = {"6401": "运营", "640101": "人工", "640106": "折旧", "6602": "管理费用"}


def ledger(*rows, **more) -> pd.DataFrame:
    """Rows of (account, name, amount[, item[, allowed]])."""
    full = [(*row, *("", True)[len(row) - 3 :]) for row in rows]
    frame = pd.DataFrame(full, columns=["account", "name", "amount", "item", "allowed"])
    frame["amount"] = frame["amount"].map(D)
    frame["at"] = [f"科目余额!E{n}" for n in range(3, 3 + len(frame))]
    return frame.assign(**{"unit": "甲", "year": 2024} | more)


def declared(**amounts) -> pd.DataFrame:
    frame = pd.DataFrame({"item": list(amounts), "declared": [D(a) for a in amounts.values()]})
    return frame.assign(unit="甲", year=2024, at="申报成本!D3")


def books(**pairs) -> pd.DataFrame:
    """Books of items: (booked, refused)."""
    rows = [
        ("甲", 2024, i, D(b), D(r), "660205罚款" if D(r) else "") for i, (b, r) in pairs.items()
    ]
    return pd.DataFrame(rows, columns=["unit", "year", "item", "booked", "refused", "accounts"])


def cuts(*rows) -> pd.DataFrame:
    """Rows of (item, amount[, reason[, basis]])."""
    full = [("甲", 2024, r[0], D(r[1]), *(*r[2:], "超编", "办法第八条")[:2]) for r in rows]
    names = ["unit", "year", "item", "amount", "reason", "basis"]
    frame = pd.DataFrame(full, columns=names, dtype=object)
    return frame.assign(evidence="2-1 花名册", at="核减!D3")


def register(*rows) -> pd.DataFrame:
    """Rows of (name, cost, life, own, declared)."""
    frame = pd.DataFrame(rows, columns=["name", "cost", "life", "own", "declared"], dtype=object)
    numbers = {name: frame[name].map(D) for name in ("cost", "life", "declared")}
    return frame.assign(**numbers, residual=D("0.05"), unit="甲", year=2024, at="资产!F3")


def refused(run, *args) -> list[str]:
    with pytest.raises(EvalkitError) as caught:
        run(*args)
    return [str(problem) for problem in caught.value.problems]


def test_an_account_with_sub_accounts_is_not_added_again():
    found = booked(
        ledger(
            ("6401", "主营业务成本", "300"), ("640101", "工资", "180"),
            ("64010101", "驾驶员", "100"), ("64010102", "管理人员", "80"),
            ("640106", "折旧", "120"), ("6602", "管理费用", "45"),
        ),
        ACCOUNTS,
    )  # fmt: skip
    assert found[["item", "booked"]].values.tolist() == [
        ["人工", D(180)], ["折旧", D(120)], ["管理费用", D(45)],
    ]  # fmt: skip


def test_the_longest_beginning_of_a_code_decides_and_the_ledger_over_it():
    rows = ledger(
        ("640102", "电费", "5"), ("640101", "工资", "7"), ("6401019", "劳务", "2", "外包")
    )
    with pytest.raises(EvalkitError):  # 6401019 is a sub-account of 640101 and does not make it up
        booked(rows, ACCOUNTS)
    rows.loc[1, "amount"] = D(2)
    found = booked(rows, ACCOUNTS)
    assert found[["item", "booked"]].values.tolist() == [["运营", D(5)], ["外包", D(2)]]


def test_what_is_not_allowed_bars_its_sub_accounts_and_is_named():
    found = booked(
        ledger(
            ("6602", "管理费用", "60"), ("660201", "办公", "40"),
            ("660205", "营业外性质", "20", "", False), ("66020501", "罚款", "15"),
            ("66020502", "捐赠", "5"),
        ),
        ACCOUNTS,
    )  # fmt: skip
    assert found.values.tolist() == [
        ["甲", 2024, "管理费用", D(60), D(20), "66020501罚款；66020502捐赠"]
    ]


def test_entries_of_a_journal_are_added_and_red_ones_taken_off():
    found = booked(ledger(("640101", "工资", "10"), ("640101", "工资", "-3")), ACCOUNTS)
    assert found["booked"].tolist() == [D(7)]


def test_units_and_years_do_not_mix():
    one, two = ledger(("64", "成本", "9"), unit="乙"), ledger(("640101", "工资", "9"))
    three = ledger(("640101", "工资", "8"), year=2023)
    found = booked(pd.concat([one, two, three]), ACCOUNTS | {"64": "全部"})
    assert found[["unit", "year", "booked"]].values.tolist() == [
        ["乙", 2024, D(9)], ["甲", 2024, D(9)], ["甲", 2023, D(8)],
    ]  # fmt: skip


def test_all_faults_of_the_books_are_found_at_once():
    rows = ledger(
        ("6401", "主营业务成本", "100"), ("640101", "工资", "90"), ("1601", "固定资产", "5"),
        ("", "合计", "0"),
    )  # fmt: skip
    assert refused(booked, rows, ACCOUNTS) == [
        "科目余额｜E5：科目“1601 固定资产”对应不到成本项目"
        "——请在“成本项目”列写明，或在服务的定义中补填科目编码",
        "科目余额｜E3：科目“6401 主营业务成本”的金额 100 不等于下级科目之和 90"
        "——请核对，或补齐下级科目",
        "科目余额｜E6：科目“ 合计”的金额 0 不等于下级科目之和 105——请核对，或补齐下级科目",
    ]


def test_a_total_row_without_code_that_adds_up_is_taken_for_what_it_is():
    rows = ledger(("", "合计", "12"), ("640101", "工资", "7"), ("6602", "管理费用", "5"))
    assert booked(rows, ACCOUNTS)["booked"].tolist() == [D(7), D(5)]


@pytest.mark.parametrize("amount", [None, D("NaN"), D("0.001"), 1.0, "12"])
def test_what_is_no_money_is_refused(amount):
    rows = ledger(("640101", "工资", "1")).assign(amount=[amount])
    (said,) = refused(booked, rows, ACCOUNTS)
    assert said.startswith(f"科目余额｜E3：第 1 行的发生额“{amount}”不能用——")


def test_an_item_left_empty_as_none_is_decided_by_the_code():
    rows = ledger(("640101", "工资", "7"), ("6602", "管理费用", "5")).assign(item=[None, ""])
    assert booked(rows, ACCOUNTS)["item"].tolist() == ["人工", "管理费用"]


def test_straight_line_depreciation_of_the_buses_of_vector_v2():
    found = depreciation(register(("纯电动客车", "19200000", "8", True, "2280000")))
    assert found["computed"].tolist() == [D("2280000.00")]  # 1920×0.95/8 = 228.00 万元
    assert found["formula"].tolist() == ["19200000.00×(1-0.05)/8×12/12"]


def test_depreciation_of_part_of_a_year_and_of_what_is_fully_depreciated():
    rows = register(("新车", "960000", "8", True, "60000"), ("旧车", "960000", "8", True, "114000"))
    found = depreciation(rows.assign(months=[6, 0]))
    assert found["computed"].tolist() == [D("57000.00"), D("0.00")]
    assert found["allowed"].tolist() == [D("57000.00"), D("0.00")]
    assert depreciation(rows, months=3)["computed"].tolist() == [D("28500.00")] * 2
    assert depreciation(rows.assign(months=D(6)))["computed"].tolist() == [D("57000.00")] * 2


def test_assets_that_cannot_be_depreciated_are_named_together():
    rows = register(*[(name, "100", "5", True, "19") for name in "甲乙丙丁戊"])
    rows["residual"] = [D(1), D("-0.1"), D("0.05"), D("0.05"), None]
    rows["life"] = [D(5), D(5), D(0), D(5), D(5)]
    rows = rows.assign(months=[12, 12, 12, 13, 12])
    rows.loc[3, "cost"] = D(-1)
    said = refused(depreciation, rows)
    assert "资产！" not in said[0] and said[0].startswith("资产｜F3：第 4 行的原值“-1”不能用")
    assert [text.split("“")[1][0] for text in said[1:]] == list("甲乙丙丁戊")


def test_each_cut_is_a_step_and_the_table_adds_up():
    assets = depreciation(
        register(
            ("自购车", "9600000", "8", True, "1200000"),
            ("上级拨付车", "2400000", "8", False, "285000"),
        )
    )  # fmt: skip
    table, steps, told = audit(
        declared(人工="5814000", 折旧="1485000", 管理费用="500000"),
        books(人工=("5714000", "0"), 折旧=("1485000", "0"), 管理费用=("500000", "50000")),
        cuts(("人工", "100000"), ("人工", "0.01", "超标准", "合同第3条")),
        assets, "折旧",
    )  # fmt: skip
    rows = table.set_index("item")
    assert rows["cut"].tolist() == [D("200000.01"), D("345000"), D("50000")]
    assert rows["allowed"].tolist() == [D("5613999.99"), D("1140000"), D("450000")]
    assert (table["declared"] - table["cut"] == table["allowed"]).all()
    assert rows.loc["人工", "formula"] == "5814000.00-100000.00-100000.00-0.01"
    assert rows.loc["人工", "reason"] == "申报数超过账面数的部分；超编；超标准"
    assert rows.loc["人工", "basis"] == "账面记录；办法第八条；合同第3条"
    assert rows.loc["管理费用", "evidence"] == "660205罚款"
    assert steps[["item", "amount"]].values.tolist() == [
        ["人工", D("100000")], ["管理费用", D("50000")], ["折旧", D("345000")],
        ["人工", D("100000")], ["人工", D("0.01")],
    ]  # fmt: skip
    assert list(steps["at"]) == ["申报成本!D3"] * 3 + ["核减!D3"] * 2 and told == []


def test_what_is_refused_but_was_not_declared_is_not_cut_again():
    table, steps, _ = audit(declared(管理费用="450"), books(管理费用=("500", "50")), cuts())
    assert table["cut"].tolist() == [D(0)] and table["formula"].tolist() == ["450.00"]
    assert steps.empty
    table, _, _ = audit(declared(管理费用="470"), books(管理费用=("500", "50")), cuts())
    assert table["cut"].tolist() == [D(20)]
    table, steps, _ = audit(declared(管理费用="520"), books(管理费用=("500", "50")), cuts())
    assert steps["amount"].tolist() == [D(20), D(50)] and table["allowed"].tolist() == [D(450)]


def test_donated_assets_on_a_refused_account_are_cut_once():
    assets = depreciation(
        register(("捐赠车", "800", "8", False, "95"), ("自购车", "800", "8", True, "95"))
    )
    table, steps, _ = audit(declared(折旧="190"), books(折旧=("190", "95")), cuts(), assets, "折旧")
    assert steps["amount"].tolist() == [D(95)] and table["allowed"].tolist() == [D(95)]


def test_assets_of_one_year_do_not_touch_other_years_or_items():
    assets = depreciation(register(("捐赠车", "800", "8", False, "95")))
    every = pd.concat([declared(折旧="95", 人工="95"), declared(折旧="95").assign(year=2023)])
    known = pd.concat(
        [books(折旧=("95", "0"), 人工=("95", "0")), books(折旧=("95", "0")).assign(year=2023)]
    )
    table, _, _ = audit(every, known, cuts(), assets, "折旧")
    assert table["allowed"].tolist() == [D(0), D(95), D(95)]


def test_books_below_zero_allow_nothing():
    table, _, _ = audit(declared(人工="10"), books(人工=("-5", "0")), cuts())
    assert table["allowed"].tolist() == [D(0)]
    table, _, _ = audit(declared(人工="10"), books(人工=("8", "9")), cuts())
    assert table["allowed"].tolist() == [D(0)]


def test_an_item_without_books_is_told_and_cut_by_hand_only():
    table, _, told = audit(
        declared(人工="100", 能耗="9"), books(能耗=("9", "0")), cuts(("人工", "1"))
    )
    assert table["allowed"].tolist() == [D(99), D(9)] and pd.isna(table["booked"].iloc[0])
    assert [str(problem) for problem in told] == [
        "申报成本｜D3：甲 2024 年的“人工”没有账面数——请补科目余额；在此之前只作人工核减"
    ]
    assert told[0].severity == "warning"


def test_empty_books_and_no_cuts_leave_the_declared_amount():
    empty = pd.DataFrame(columns=ledger(("6401", "", "1")).columns, dtype=object)
    table, steps, told = audit(declared(人工="5"), booked(empty, ACCOUNTS), cuts())
    assert table["allowed"].tolist() == [D(5)] and steps.empty and len(told) == 1


def test_all_faults_of_an_audit_are_found_at_once():
    twice = pd.concat([declared(人工="100", 折旧="50"), declared(人工="100", 能耗="7")])
    assets = depreciation(register(("车", "800", "8", True, "49")))
    said = refused(
        audit, twice, books(人工=("100", "0"), 折旧=("50", "0"), 能耗=("7", "0")),
        cuts(("工资", "1"), ("折旧", "1", "", "合同"), ("能耗", "1", "超支", ""), ("能耗", "6.01")),
        assets, "折旧",
    )  # fmt: skip
    assert [text.partition("：")[2].partition("——")[0] for text in said] == [
        "甲 2024 年的“人工”申报了不止一次",
        "甲 2024 年核减了没有申报的“工资”",
        "甲 2024 年“折旧”的核减没有理由或依据",
        "甲 2024 年“能耗”的核减没有理由或依据",
        "甲 2024 年资产的申报折旧合计 49 不等于“折旧”的申报数 50",
        "甲 2024 年“能耗”的核减数 7.01 超过申报数 7",
    ]


def test_negative_amounts_are_refused():
    said = refused(audit, declared(人工="-1"), books(), cuts(("人工", "-2")))
    assert [text.partition("：")[2].partition("——")[0] for text in said] == [
        "第 1 行的申报数“-1”不能用", "第 1 行的核减数“-2”不能用",
    ]  # fmt: skip


money = st.decimals(min_value=0, max_value=10**8, places=2)


@settings(max_examples=300 if SOAK else 20)
@given(st.lists(st.tuples(money, money, money, st.integers(0, 100)), min_size=1, max_size=25))
def test_declared_less_cut_is_allowed_and_never_above_what_the_books_allow(rows):
    names = [f"项目{n}" for n in range(len(rows))]
    said = declared(**{name: d for name, (d, *_) in zip(names, rows, strict=True)})
    known = books(**{n: (b, min(b, r)) for n, (_, b, r, _) in zip(names, rows, strict=True)})
    free = [min(d, b - min(b, r)) for d, b, r, _ in rows]  # left after the automatic cuts
    by_hand = [
        (f * p / 100).quantize(D("0.01"), "ROUND_DOWN")
        for f, (*_, p) in zip(free, rows, strict=True)
    ]
    table, steps, told = audit(said, known, cuts(*zip(names, by_hand, strict=True)))
    assert (table["declared"] - table["cut"] == table["allowed"]).all() and told == []
    assert [a + h for a, h in zip(table["allowed"], by_hand, strict=True)] == free
    assert sum(steps["amount"]) == sum(table["cut"])
