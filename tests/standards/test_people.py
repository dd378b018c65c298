"""Cooks, seniority and rosters: published vectors, laws, and every check."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools import excel

from evalkit.core.numbers import wan
from evalkit.core.problem import EvalkitError
from evalkit.standards.people import masked, roster_problems, seniority, staffing, valid_id

D = Decimal
# the manual P6, vector V7
SITES = pd.DataFrame({"site": list("甲乙丙丁戊己"), "served": [38, 100, 101, 260, 640, 1250]})
PAY = pd.DataFrame({"wage": [2200], "months": 10, "other": 600})


def test_vector_v7_twenty_seven_cooks_against_twenty_four():
    table = staffing(SITES, 1, {None: 100}, PAY)
    assert table["posts"].tolist() == [1, 1, 2, 3, 7, 13]
    assert table["posts"].sum() == 27
    assert table["county"].tolist() == [24] * 6
    assert wan(table["ceiling"].sum()) == wan(table["pay"].sum()) == "61.02"


def test_vacant_posts_and_months_that_nobody_worked_are_not_paid():
    held = SITES.assign(filled=[1, 2, 1, 3, 7, 13], worked=[10, 20, 5, 30, 70, 131])
    table = staffing(held, 1, {None: 100}, PAY)
    assert table["vacant"].tolist() == [0, 0, 1, 0, 0, 0]
    # one post of the third site is empty, the other was held for five months;
    # the second cook of the second site and the 131st month are beyond the standard
    assert table["pay"].tolist() == [
        22_600, 22_600, 5 * 2200 + 600, 67_800, 158_200, 13 * 22_600,
    ]  # fmt: skip
    assert table["formula"][2] == (
        "MIN(5,MAX(1,ROUNDUP(101/100,0))*10)*2200+MIN(1,MAX(1,ROUNDUP(101/100,0)))*600"
    )
    for pay, formula in table[["pay", "formula"]].values:
        assert excel.evaluate(formula) == pay


def test_small_schools_have_ratios_of_their_own():
    table = staffing(SITES, 1, {50: 25, 100: 50, None: 100}, PAY)
    assert table["posts"].tolist() == [2, 2, 2, 3, 7, 13]


@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=8), st.integers(1, 200), st.integers(1, 3)
)
def test_posts_by_school_are_never_fewer_than_by_county(served, ratio, least):
    sites = pd.DataFrame({"site": range(len(served)), "served": served})
    table = staffing(sites, least, {None: ratio}, PAY)
    assert table["posts"].tolist() == [max(least, math.ceil(n / ratio)) for n in served]
    assert table["county"][0] == math.ceil(sum(served) / ratio)
    assert table["posts"].sum() >= table["county"][0]
    assert (table["pay"] == table["ceiling"]).all()


def test_sites_with_bad_numbers_or_names_are_refused_together():
    bad = SITES.assign(site=["甲", "甲", None, *"丁戊己"], served=[38, 0, 101, -1, "x", 1250])
    with pytest.raises(EvalkitError) as error:
        staffing(bad, 1, {None: 100}, PAY)
    assert [problem.code for problem in error.value.problems] == [
        "quota.blank", "quota.twice", *["quota.number"] * 3,
    ]  # fmt: skip
    with pytest.raises(EvalkitError, match="月数“13”不是 0 到 12 的数"):
        staffing(SITES, 1, {None: 100}, PAY.assign(months=13))


# --- seniority -----------------------------------------------------------------------------------


def test_vector_v6_the_allowance_of_four_people():
    roster = pd.DataFrame({"years": [5, 12, 18, 23], "months": 12})
    table = seniority(roster, {0: 20})  # the rate is invented
    assert table["annual"].sum() == 13_920
    assert table["monthly"].tolist() == [100, 240, 360, 460]


@pytest.mark.parametrize(
    ("how", "counted"),
    [("half", [5, 6, 6]), ("down", [5, 5, 5]), ("up", [6, 6, 6]), ("exact", ["5.4", "5.5", "5.9"])],
)
def test_part_years_count_by_the_rule(how, counted):
    table = seniority(pd.DataFrame({"years": ["5.4", "5.5", "5.9"], "months": 12}), {0: 20}, how)
    assert table["counted"].tolist() == [D(years) for years in counted]


def test_an_unknown_rounding_is_not_taken_for_another():
    with pytest.raises(KeyError):
        seniority(pd.DataFrame({"years": [1], "months": 12}), {0: 20}, "四舍五入")


def test_tiers_floor_and_cap():
    roster = pd.DataFrame({"years": [3, 5, 10, 30], "months": [12, 12, 6, 12]})
    table = seniority(roster, {5: 20, 10: 25}, low=110, high=D("500.5"))
    assert table["monthly"].tolist() == [110, 110, 250, D("500.5")]
    assert table["annual"].tolist() == [1320, 1320, 1500, 6006]
    for annual, formula in table[["annual", "formula"]].values:
        assert excel.evaluate(formula) == Fraction(annual)


@given(st.decimals(0, 50, places=2), st.decimals(0, 50, places=2))
def test_longer_service_never_earns_less(a, b):
    low, high = sorted((a, b))
    table = seniority(pd.DataFrame({"years": [low, high], "months": 12}), {0: 20, 10: 25, 20: 30})
    assert table["annual"][0] <= table["annual"][1]


@pytest.mark.parametrize(("years", "months"), [(-1, 12), (None, 12), (5, 13), (5, None), ("五", 1)])
def test_service_that_is_no_number_is_refused(years, months):
    with pytest.raises(EvalkitError):
        seniority(pd.DataFrame({"years": [years], "months": [months]}), {0: 20})


# --- identity numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])
def test_the_examples_of_gb_11643_1999_annex_a_are_valid(number):
    assert valid_id(number)


@pytest.mark.parametrize(
    "number",
    ["", "11010519491231002x", "110105194912310021", "1101051949123100", "１1010519491231002X",
     "1101051949123100²X", "X1010519491231002X", "11010519491231002?", "1" * 30],
)  # fmt: skip
def test_other_numbers_are_not(number):
    assert not valid_id(number)


@given(st.text("0123456789", min_size=17, max_size=17), st.integers(0, 16), st.integers(1, 9))
def test_each_number_has_one_check_digit_and_a_slip_shows(body, at, shift):
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]  # as the standard prints them
    rest = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11
    sign = "10X98765432"[rest]
    assert [last for last in "0123456789X" if valid_id(body + last)] == [sign]
    slip = body[:at] + str((int(body[at]) + shift) % 10) + body[at + 1 :]
    assert not valid_id(slip + sign)


def test_a_masked_number_hides_birth_and_most_of_the_rest():
    assert masked("11010519491231002X") == "110***********002X"
    assert masked("1234567890") == "*" * 10


# --- rosters -------------------------------------------------------------------------------------

LI, WANG = "11010519491231002X", "440524188001010014"  # the examples of the standard


def numbered(born: str, serial: int = 1) -> str:
    body = f"622826{born}{serial:03d}"
    return next(body + last for last in "0123456789X" if valid_id(body + last))


ZHAO = numbered("19600305")
ROSTER = pd.DataFrame(
    {"person": [LI, ZHAO], "born": [date(1949, 12, 31), date(1960, 3, 5)], "years": ["12", "20"],
     "account": ["6217000000000000001", "6217000000000000002"], "status": ["在册", "在册"],
     "since": [None, None], "annual": [480, 800], "at": ["名册!A3", "名册!A4"]}
)  # fmt: skip
PAID = pd.DataFrame(
    {"person": [LI, LI, ZHAO, ZHAO], "month": ["2025-01", "2025-02"] * 2,
     "amount": [240, 240, 400, 400], "at": [f"发放!A{n}" for n in range(3, 7)]}
)  # fmt: skip
RULES = {"as_of": date(2025, 12, 31), "least_age": 60, "start_age": 16, "supported": [],
         "treasury": 1280}  # fmt: skip


def problems(roster=ROSTER, payments=PAID, **rules) -> list:
    found = roster_problems(roster, payments, RULES | rules)
    for problem in found:
        for number in [*roster["person"].astype(str), *payments["person"].astype(str)]:
            assert number not in str(problem)
    return found


def codes(*given_, **rules) -> list[str]:
    return [problem.code for problem in problems(*given_, **rules)]


def changed(frame: pd.DataFrame, row: int, **cells) -> pd.DataFrame:
    table = frame.astype(object)
    for column, value in cells.items():
        table.at[row, column] = value
    return table


def test_a_roster_in_order_has_no_problems():
    assert problems() == []


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"person": LI, "born": date(1949, 12, 31)}, ["roster.twice", *["roster.stranger"] * 2]),
        ({"person": f" {LI.lower()}", "born": date(1949, 12, 31)},
         ["roster.twice", *["roster.stranger"] * 2]),
        ({"account": "6217000000000000001"}, ["roster.account"]),
        ({"person": ZHAO[:-1] + "?"}, ["roster.digit", *["roster.stranger"] * 2]),
        ({"born": date(1960, 3, 6)}, ["roster.born"]),
        ({"born": None}, ["roster.born"]),
        ({"person": numbered("19660101"), "born": date(1966, 1, 1)},
         ["roster.young", *["roster.stranger"] * 2]),
        ({"years": "49"}, []),
        ({"years": "49.1"}, ["roster.years"]),
        ({"status": "死亡", "since": None}, ["roster.since"]),
        ({"status": "财政供养"}, ["roster.supported"]),
        ({"status": "死亡", "since": date(2025, 1, 20)}, ["roster.late"]),
        ({"status": "停发", "since": date(2025, 2, 1)}, []),
        ({"status": "死亡", "since": date(2024, 12, 31)}, ["roster.late"] * 2),
    ],
)  # fmt: skip
def test_each_thing_that_is_wrong_with_a_person_is_found(cells, expected):
    assert codes(changed(ROSTER, 1, **cells)) == expected


def test_age_turns_on_the_birthday():
    young = changed(ROSTER, 1, person=numbered("19651231"), born=date(1965, 12, 31))
    assert "roster.young" not in codes(young)
    assert "roster.young" in codes(young, as_of=date(2025, 12, 30))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"month": "2025-02"}, ["roster.again"]),
        ({"month": "2025年1月"}, ["roster.month"]),
        ({"person": numbered("19500101")}, ["roster.stranger"]),
        ({"person": f" {ZHAO} "}, []),
    ],
)
def test_each_thing_that_is_wrong_with_a_payment_is_found(cells, expected):
    assert codes(ROSTER, changed(PAID, 2, **cells)) == expected


def test_someone_on_the_list_of_public_payrolls_is_found():
    assert codes(supported=[ZHAO]) == ["roster.supported"]


def test_roster_payments_and_treasury_must_agree():
    (problem,) = problems(treasury=D("1280.01"))
    assert str(problem) == (
        "名册应发 1280 元、发放文件 1280 元、国库支付 1280.01 元不一致——请逐人核对差额"
    )
    assert codes(ROSTER.assign(annual=[480, 801])) == ["roster.sums"]
    assert codes(ROSTER, PAID.assign(amount=1)) == ["roster.sums"]


def test_a_problem_stands_at_its_cell_with_a_masked_number():
    (problem,) = problems(changed(ROSTER, 1, status="财政供养"))
    assert str(problem) == (f"名册｜A4：{masked(ZHAO)} 属于财政供养人员——请核对后停发或说明理由")


def test_years_that_cannot_have_been_worked_are_told():
    (problem,) = problems(changed(ROSTER, 1, years="49.10"))
    assert f"{masked(ZHAO)} 的认定工龄 49.1 年，超过" in str(problem).replace("49.10", "49.1")


def test_years_and_amounts_that_are_no_numbers_are_refused_together():
    with pytest.raises(EvalkitError) as error:
        problems(changed(ROSTER, 0, years="很久"), changed(PAID, 0, amount=None))
    assert [problem.cell for problem in error.value.problems] == ["A3", "A3"]
    assert LI not in str(error.value)
