"""Cronbach's α: the vector, published and independent values, laws, and every refusal."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from survey_support import asked, codes, tidy

from evalkit.core.problem import EvalkitError
from evalkit.survey.reliability import reliability, scores

V9 = ["5454", "4444", "3323", "5545", "2322", "4454", "3433", "5554"]
V9 = pd.DataFrame([[*map(int, row)] for row in V9])
# psych::alpha in the README of a package that wraps it: seven respondents, three items of 1–9
PSYCH = pd.DataFrame([(6, 7, 8), (1, 2, 1), (3, 4, 5), (4, 5, 4), (5, 4, 4), (9, 8, 9), (9, 9, 8)])
# fmsb::CronbachAlpha, its example QUEST
QUEST = pd.DataFrame({
    "Q1": [1, 5, 2, 3, 4, 2, 3, 4, 3, 2], "Q2": [2, 4, 1, 2, 4, 1, 2, 5, 2, 1],
    "Q3": [2, 5, 1, 3, 3, 2, 2, 4, 2, 2],
})  # fmt: skip
RANDOM = [
    "24434", "44222", "23443", "22313", "45555", "12112", "53354", "12112", "34423",
    "55554", "12211", "53454", "23444", "55335", "35544", "21331", "55543", "43554",
    "22243", "11111", "54454", "11111", "55545", "45555", "54555",
]  # fmt: skip
RANDOM = pd.DataFrame([[*map(int, row)] for row in RANDOM])

# ten answers of fifteen respondents, psych::alpha 0.59 and its interval as pingouin prints it
ANSWERS = pd.DataFrame([[*map(int, row)] for row in [
    "3224145143", "5546351255", "7535564336", "2343322266", "6556544467", "1223425235",
    "4335352124", "2544372246", "6255516523", "5246435317", "4135253234", "4423253423",
    "5556233244", "6555422146", "4435531323",
]])  # fmt: skip
# eleven answers of 0 and 1 by twelve respondents, three of whom left some out (KR-20)
BINARY = pd.DataFrame([[int(x) if x != "-" else None for x in row] for row in [
    "11111111111", "11111111010", "-011-111100", "11101101100", "11111000100", "01-01111000",
    "11110010000", "11111000000", "01011000010", "10010100-00", "11100000000", "10010000000",
]], dtype=float)  # fmt: skip

items = st.lists(
    st.lists(st.integers(1, 5), min_size=4, max_size=4), min_size=3, max_size=15
).map(pd.DataFrame)  # fmt: skip


def test_v9_is_that_of_the_domain_reference():
    found, _ = reliability(V9)
    assert f"{found['alpha']:.4f}" == "0.9360"
    assert (found["n"], found["items"], found["dropped"]) == (8, 4, 0)


@pytest.mark.parametrize(
    ("data", "ends", "alpha", "low", "high"),
    [(ANSWERS, (1, 7), 0.5917188485995826, 0.195, 0.84),
     (V9, (1, 5), 0.935960591133005, 0.81, 0.986),
     (QUEST, (1, 5), 0.9295039164490861, 0.794, 0.981),
     (PSYCH, (1, 9), 0.9740398293029873, 0.903, 0.995),
     (RANDOM, (1, 5), 0.9352876939298088, 0.884, 0.968)],
)  # fmt: skip
def test_alpha_and_interval_of_pingouin(data, ends, alpha, low, high):
    """pingouin 0.7.0, cronbach_alpha (which rounds its interval to three digits)."""
    found, _ = reliability(data, ends=ends)
    assert found["alpha"] == pytest.approx(alpha, abs=1e-14)
    assert [round(found["low"], 3), round(found["high"], 3)] == [low, high]


def test_kuder_and_richardson_s_20_of_those_who_answered_all():
    """pingouin 0.7.0, listwise; its interval (0.581, 0.933) counts also who was left out."""
    found, _ = reliability(BINARY, ends=(0, 1))
    assert found["alpha"] == pytest.approx(0.8016949152542373, abs=1e-14)
    assert (found["n"], found["dropped"], found["items"]) == (9, 3, 11)
    assert 0 < found["low"] < 0.581 < 0.933 < found["high"] < 1


def test_another_confidence_of_pingouin():
    found, _ = reliability(RANDOM, confidence=0.9)
    assert [round(found["low"], 3), round(found["high"], 3)] == [0.894, 0.964]


def test_alpha_without_each_item_is_that_of_pingouin():
    _, table = reliability(RANDOM)
    assert table["alpha_deleted"].tolist() == pytest.approx([
        0.923076923076923, 0.924791086350975, 0.9160269830193069, 0.9233830845771145,
        0.9148319596552632,
    ])  # fmt: skip


def test_items_are_those_that_psych_prints():
    """psych::alpha: raw_alpha 0.97; dropped .96 .95 .97; r.drop .94 .97 .93; sd 3.0 2.5 2.9."""
    found, table = reliability(PSYCH, ends=(1, 9))
    assert round(found["alpha"], 2) == 0.97
    assert table["alpha_deleted"].round(2).tolist() == [0.96, 0.95, 0.97]
    assert table["item_total"].round(2).tolist() == [0.94, 0.97, 0.93]
    assert table["deviation"].round(1).tolist() == [3.0, 2.5, 2.9]
    assert table["mean"].round(1).tolist() == [5.3, 5.6, 5.6]


def test_alpha_if_deleted_is_alpha_of_the_others():
    _, table = reliability(V9)
    others = [reliability(V9.drop(columns=name))[0]["alpha"] for name in V9]
    assert table["alpha_deleted"].tolist() == pytest.approx(others)
    rest = [V9[name].corr(V9.drop(columns=name).sum(axis=1)) for name in V9]
    assert table["item_total"].tolist() == pytest.approx(rest)


def test_reversed_items_are_turned_first_and_said():
    turned = V9.rename(columns=str)
    turned["2"] = 6 - turned["2"]
    found, table = reliability(turned, reverse=["2"])
    assert found["alpha"] == pytest.approx(reliability(V9)[0]["alpha"])
    assert table["reversed"].tolist() == [False, False, True, False]
    assert table["mean"].tolist() == pytest.approx(V9.mean().tolist())
    assert reliability(turned)[1]["item_total"][2] < 0


def test_two_items_have_no_alpha_without_one_of_them():
    found, table = reliability(V9[[0, 1]])
    assert table["alpha_deleted"].isna().all() and found["items"] == 2
    assert table["item_total"].nunique() == 1


def test_an_item_that_never_varies_has_no_correlation():
    found, table = reliability(V9.assign(constant=4))
    assert np.isnan(table["item_total"].iloc[-1]) and np.isfinite(found["alpha"])
    _, pair = reliability(pd.DataFrame({"a": [1, 2, 3], "b": [4, 4, 4], "c": [4, 4, 4]}))
    assert pair["item_total"].isna().all()
    assert np.isnan(pair["alpha_deleted"][0])  # without a there is nothing that varies


@pytest.mark.parametrize("kind", [str, Decimal, np.int8, "Int64"])
def test_items_may_be_texts_or_any_numbers(kind):
    data = V9.map(kind) if kind in (str, Decimal) else V9.astype(kind)
    assert reliability(data)[0] == reliability(V9)[0]


@pytest.mark.parametrize("cell", ["好", np.inf, "1e300", True])
def test_an_item_that_is_no_number_is_not_left_out_in_silence(cell):
    data = V9.astype(object)
    data.iloc[0, 0] = cell
    if cell is True:  # counts as 1, as it does everywhere in Python
        assert reliability(data)[0]["n"] == 8
        return
    with pytest.raises(EvalkitError) as error:
        reliability(data)
    assert codes(error) == ["survey.items"]


def test_items_all_alike_have_alpha_one():
    found, _ = reliability(pd.DataFrame({"a": [1, 3, 5], "b": [1, 3, 5]}))
    assert [found["alpha"], found["low"], found["high"]] == pytest.approx([1, 1, 1])


def test_who_lacks_an_answer_is_left_out_and_counted():
    found, _ = reliability(pd.concat([V9, pd.DataFrame([[5, None, 4, 4], [None] * 4])]))
    assert (found["n"], found["dropped"]) == (8, 2)
    assert found["alpha"] == pytest.approx(reliability(V9)[0]["alpha"])


@pytest.mark.parametrize(
    ("data", "options"),
    [(V9[[0]], {}), (V9[[]], {}), (V9.iloc[:2], {}), (V9.iloc[:0], {}), (V9, {"least": 30}),
     (V9.iloc[:1], {"least": 0}), (V9, {"reverse": ["第9题"]}), (V9, {"ends": (1, 4)}),
     (V9 * np.nan, {}), (pd.DataFrame([[4, 4]] * 9), {}),
     (pd.DataFrame([[1, 5], [2, 4], [3, 3]]), {})],
)  # fmt: skip
def test_too_little_to_measure_with_is_refused_with_the_reason(data, options):
    with pytest.raises(EvalkitError) as error:
        reliability(data, **options)
    assert codes(error) == ["survey.items"]
    assert f"{len(data.dropna())} 份完整答卷、{data.shape[1]} 个题目不能计算信度" in str(
        error.value
    )


@given(items)
def test_alpha_stays_when_a_constant_is_added_or_the_scale_turned(data):
    assume(data.sum(axis=1).nunique() > 1)
    found, table = reliability(data)
    moved, _ = reliability(data + 7, ends=(8, 12))
    turned, _ = reliability(data, reverse=list(data))
    for other in (moved, turned):
        assert other["alpha"] == pytest.approx(found["alpha"], rel=1e-6, abs=1e-9)
    assert found["low"] <= found["alpha"] <= found["high"] <= 1
    assert table["item_total"].dropna().between(-1 - 1e-9, 1).all()
    assert (table["alpha_deleted"].dropna() <= 1 + 1e-12).all()


# from answers to items


def test_levels_become_5_to_1_and_what_is_no_level_nothing():
    said = pd.DataFrame({"1、态度": ["非常满意", "满意", "一般", None],
                         "2、效率": ["不满意", "很不满意", "不了解", "比较满意"]})  # fmt: skip
    found = scores(
        pd.concat([asked(said), tidy([5, 5, 5, 5, 5], "1、态度")]), ["2、效率", "1、态度"]
    )
    assert found.columns.tolist() == ["2、效率", "1、态度"]
    assert found.loc[["1", "2", "3", "4"]].to_numpy().tolist() == pytest.approx(
        np.array([[2, 5], [1, 4], [np.nan, 3], [4, np.nan]]), nan_ok=True
    )


def test_a_tally_has_no_items_and_codes_are_refused():
    assert scores(tidy([1, 2, 3, 4, 5]), ["1、总体满意吗"]).empty
    with pytest.raises(EvalkitError) as error:
        scores(asked(pd.DataFrame({"1、态度": ["5", "4"]})), ["1、态度"])
    assert codes(error) == ["survey.option"] * 2
