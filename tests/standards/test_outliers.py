"""Rules against published values, laws of the rules, and the log of people's decisions."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SOAK

from evalkit.core.problem import EvalkitError
from evalkit.standards import outliers
from evalkit.standards.outliers import (
    decide,
    esd,
    grubbs,
    log,
    numbers,
    robust_z,
    settle,
    three_sigma,
    tukey,
)

V1 = [4.82, 5.10, 5.36, 5.55, 5.61, 5.90, 6.20, 9.80]  # the manual, test vector V1
# Tietjen & Moore (1972), mass spectrometer; NIST/SEMATECH e-Handbook 1.3.5.17.1
URANIUM = [199.31, 199.53, 200.19, 200.82, 201.92, 201.95, 202.18, 245.57]
# Rosner (1983); NIST/SEMATECH e-Handbook 1.3.5.17.3
ROSNER = [
    -0.25, 0.68, 0.94, 1.15, 1.20, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49, 1.49, 1.55, 1.56, 1.58,
    1.65, 1.69, 1.70, 1.76, 1.77, 1.81, 1.91, 1.94, 1.96, 1.99, 2.06, 2.09, 2.10, 2.14, 2.15,
    2.23, 2.24, 2.26, 2.35, 2.37, 2.40, 2.47, 2.54, 2.62, 2.64, 2.90, 2.92, 2.92, 2.93, 3.21,
    3.26, 3.30, 3.59, 3.68, 4.30, 4.64, 5.34, 5.42, 6.01,
]  # fmt: skip
ROSNER_R = [3.118906, 2.942973, 3.179424, 2.810181, 2.815580, 2.848172, 2.279, 2.310, 2.102, 2.067]
ROSNER_LIMITS = [
    3.158794, 3.151430, 3.143890, 3.136165, 3.128247, 3.120, 3.112, 3.103, 3.094, 3.085,
]  # fmt: skip

samples = st.lists(st.integers(-1000, 1000), min_size=11, max_size=40)
RULES = {
    "tukey": tukey,
    "robust_z": robust_z,
    "three_sigma": three_sigma,
    "grubbs": grubbs,
    "esd": lambda values: esd(values, 3),
}


def codes(error: pytest.ExceptionInfo[EvalkitError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def worked_out(formula: str) -> float:
    """The number that a printed formula gives."""
    return eval(formula.replace("×", "*").replace("--", "+"))  # noqa: S307


# published values


def test_v1_fences_and_robust_score_are_those_of_the_domain_reference():
    fences, scores = tukey(V1), robust_z(V1)
    assert fences.loc[0, ["low", "high"]].tolist() == pytest.approx([4.275, 6.995])
    assert fences["flagged"].tolist() == [False] * 7 + [True]
    assert round(scores.loc[7, "statistic"], 2) == 7.12
    assert scores["flagged"].tolist() == [False] * 7 + [True]
    classical = (np.array(V1) - np.mean(V1)) / np.std(V1, ddof=1)
    assert round(classical[7], 2) == 2.38  # which three sigma would not see


def test_grubbs_statistic_of_the_nist_example():
    found = grubbs(URANIUM)
    assert found.loc[7, "statistic"] == pytest.approx(2.46876461121245, abs=1e-13)
    assert found["flagged"].tolist() == [False] * 7 + [True]
    assert found["rule"].unique().tolist() == ["Grubbs（双侧，α=0.05）"]


@pytest.mark.parametrize(
    ("n", "critical"),
    # ASTM E178, upper 2.5 % significance level (two-sided 5 %)
    [(4, 1.481), (5, 1.715), (6, 1.887), (7, 2.020), (8, 2.126), (9, 2.215),
     (10, 2.290), (15, 2.549), (20, 2.709)],
)  # fmt: skip
def test_grubbs_critical_values_are_those_of_the_standard_table(n, critical):
    assert grubbs(list(range(n)))["high"].iloc[0] == pytest.approx(critical, abs=1e-3)


def test_rosners_example_has_three_outliers_that_the_first_two_steps_mask():
    found = esd(ROSNER, most=10)
    steps = found[found["step"] > 0].sort_values("step")
    assert steps["statistic"].abs().to_numpy() == pytest.approx(ROSNER_R, abs=6e-4)
    assert steps["statistic"].abs().to_numpy()[:6] == pytest.approx(ROSNER_R[:6], abs=6e-7)
    assert steps["high"].to_numpy() == pytest.approx(ROSNER_LIMITS, abs=6e-4)
    assert steps["high"].to_numpy()[:5] == pytest.approx(ROSNER_LIMITS[:5], abs=6e-7)
    assert [ROSNER[i] for i in np.flatnonzero(found["flagged"])] == [5.34, 5.42, 6.01]
    assert not esd(ROSNER, most=2)["flagged"].any()  # masking: two steps find nothing


def test_robust_score_of_iglewicz_and_hoaglin_without_spread_uses_the_mean_deviation():
    values = [5.0] * 8 + [6.0]
    found = robust_z(values)
    mean_deviation = 1 / 9
    assert found.loc[8, "statistic"] == pytest.approx(1 / (1.253314 * mean_deviation), rel=1e-6)
    assert found["flagged"].tolist() == [False] * 8 + [True]
    assert "MAD为0" in found.loc[0, "rule"]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_equal_values_are_no_outliers(rule):
    for value in (0.1, 0, -7, 1e9 / 3):
        found = rule([value] * 12)
        assert not found["flagged"].any()
        assert np.isfinite(found["statistic"]).all()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_values_that_differ_by_float_noise_only_are_no_outliers(rule):
    values = [0.1 + 0.2] + [0.3] * 12
    assert not rule(values)["flagged"].any()


# Hyndman & Fan (1996), from the definitions in the paper: sample quantile of type i at p.
def hyndman_fan(x: list[float], p: float, kind: int) -> float:
    x, n = sorted(x), len(x)
    m = {1: 0, 2: 0, 3: -0.5, 4: 0, 5: 0.5, 6: p, 7: 1 - p, 8: (p + 1) / 3, 9: p / 4 + 3 / 8}[kind]
    j = math.floor(p * n + m + 1e-12)
    g = p * n + m - j
    if kind <= 3:
        whole = abs(g) < 1e-9
        gamma = {1: 0 if whole else 1, 2: 0.5 if whole else 1,
                 3: 0 if whole and j % 2 == 0 else 1}[kind]  # fmt: skip
    else:
        gamma = g
    low, high = x[min(max(j, 1), n) - 1], x[min(max(j + 1, 1), n) - 1]
    return low + gamma * (high - low)


@pytest.mark.parametrize("kind", range(1, 10))
@pytest.mark.parametrize("n", [4, 5, 6, 7, 8, 11, 12, 14])
def test_quartiles_are_those_of_hyndman_and_fan(kind, n):
    values = [float(v * v) for v in range(n)]
    first, third = (hyndman_fan(values, p, kind) for p in (0.25, 0.75))
    found = tukey(values, quantile_type=kind)
    assert found.loc[0, "low"] == pytest.approx(first - 1.5 * (third - first))
    assert found.loc[0, "high"] == pytest.approx(third + 1.5 * (third - first))
    assert f"分位数类型{kind}" in found.loc[0, "rule"]


# three sigma


@pytest.mark.parametrize("n", [3, 8, 10])
def test_three_sigma_is_refused_where_it_can_never_flag(n):
    with pytest.raises(EvalkitError) as error:
        three_sigma([1.0] * (n - 1) + [1e6])
    reach = (n - 1) / math.sqrt(n)
    assert f"{reach:.3f} 倍标准差" in str(error.value)
    assert "Tukey" in str(error.value)


def test_three_sigma_works_from_eleven_values():
    assert three_sigma([1.0] * 10 + [1e6])["flagged"].tolist() == [False] * 10 + [True]


@given(samples)
def test_no_score_exceeds_its_bound(values):
    n = len(values)
    assert three_sigma(values)["statistic"].abs().max() <= (n - 1) / math.sqrt(n) * (1 + 1e-9)


# laws


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@settings(max_examples=200 if SOAK else 25)
@given(values=samples, scale=st.sampled_from([0.25, 0.5, 3, 1000]), shift=st.integers(-500, 500))
def test_flags_do_not_change_with_the_unit_of_measurement(rule, values, scale, shift):
    moved = [scale * value + shift for value in values]
    assert rule(moved)["flagged"].tolist() == rule(values)["flagged"].tolist()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@settings(max_examples=200 if SOAK else 25)
@given(values=samples, order=st.randoms(use_true_random=False))
def test_flags_do_not_change_with_the_order(rule, values, order):
    mixed = list(range(len(values)))
    order.shuffle(mixed)
    flags = rule(values)["flagged"].to_numpy()
    assert rule([values[i] for i in mixed])["flagged"].tolist() == flags[mixed].tolist()


@given(samples)
def test_one_step_of_esd_is_grubbs(values):
    one, other = esd(values, 1), grubbs(values)
    assert one.drop(columns="rule").equals(other.drop(columns="rule"))


@given(samples, st.integers(1, 8))
def test_esd_flags_whatever_it_took_out_up_to_the_last_step_beyond_its_limit(values, most):
    found = esd(values, most)
    steps = found[found["step"] > 0].sort_values("step")
    beyond = steps.loc[steps["statistic"].abs() > steps["high"] * (1 + 1e-9), "step"]
    last = beyond.max() if len(beyond) else 0
    taken = {values[i] for i in steps.index[steps["step"] <= last]}
    assert {values[i] for i in np.flatnonzero(found["flagged"])} == taken


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_formulas_hold_the_numbers_of_the_statistic(rule):
    found = rule([*V1, 5.5, 5.7, 5.2])
    if rule is tukey:
        low, high = found["formula"].iloc[0].strip("[]").split(",")
        assert worked_out(low) == pytest.approx(found["low"].iloc[0])
        assert worked_out(high) == pytest.approx(found["high"].iloc[0])
        return
    for text, statistic in zip(found["formula"], found["statistic"], strict=True):
        assert worked_out(text) == pytest.approx(statistic, abs=1e-6)


def test_results_keep_the_index_and_take_decimals():
    series = pd.Series([Decimal(str(value)) for value in V1], index=list("abcdefgh"))
    for rule in (tukey, robust_z, grubbs):
        found = rule(series)
        assert found.index.tolist() == list("abcdefgh")
        assert found["flagged"].to_dict()["h"]


def test_thousands_of_values_are_quick():
    values = np.random.default_rng(1).normal(size=3000)
    assert esd(values, 60)["step"].max() == 60


# refusals


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), "5.1", Decimal("NaN"), 1e200])
def test_a_value_that_is_no_finite_number_is_refused_with_its_row(bad):
    with pytest.raises(EvalkitError, match=r"第 2 行.*不是有限的数"):
        tukey([1.0, bad, 2.0, 3.0])


def test_all_bad_values_are_told_at_once_with_their_cells():
    frame = pd.DataFrame(
        {"cost": [1, None, -2], "volume": [0, 5, 6], "at": ["表!A1", "表!A2", "表!A3"]}
    )
    with pytest.raises(EvalkitError) as error:
        numbers(frame, ["cost", "volume"], least=4, positive=["cost", "volume"])
    assert codes(error) == ["sample.few", "sample.value", "sample.positive", "sample.positive"]
    assert [problem.cell for problem in error.value.problems] == ["", "A2", "A3", "A1"]


def test_a_missing_column_is_named():
    with pytest.raises(EvalkitError, match="缺少列“volume”"):
        numbers(pd.DataFrame({"cost": [1.0]}), ["cost", "volume"])


@pytest.mark.parametrize("rule", [tukey, robust_z, three_sigma, grubbs])
def test_fewer_than_three_values_are_refused(rule):
    with pytest.raises(EvalkitError, match="只有 2 个样本，至少需要 3 个"):
        rule([1.0, 2.0])


@pytest.mark.parametrize(
    "call",
    [
        lambda: tukey(V1, k=0),
        lambda: tukey(V1, quantile_type=10),
        lambda: robust_z(V1, limit=-1),
        lambda: grubbs(V1, alpha=0),
        lambda: esd(V1, most=0),
        lambda: esd(V1, most=7),
    ],
)
def test_arguments_out_of_range_are_refused(call):
    with pytest.raises(EvalkitError) as error:
        call()
    assert codes(error) == ["sample.argument"]


# the log and its decisions


def costs(n: int = 8) -> pd.DataFrame:
    frame = pd.DataFrame({"unit": list("甲乙丙丁戊己庚辛"), "year": 2024, "cost": V1})
    return frame.assign(at=[f"样本!C{row}" for row in range(2, 10)]).iloc[8 - n :]


def flagged(n: int = 8) -> pd.DataFrame:
    frame = costs(n)
    return log(frame, "cost", tukey(frame["cost"]), robust_z(frame["cost"]))


def decision(**said: object) -> pd.DataFrame:
    row = {
        "unit": "辛",
        "year": 2024,
        "decision": "剔除",
        "cause": "含一次性大修",
        "approver": "张某",
    }
    return pd.DataFrame([row | said | {"at": "决定!D2"}])


def test_the_log_has_a_row_for_each_flag_and_rule():
    found = flagged()
    assert found["rule"].str[:5].tolist() == ["Tukey", "稳健z（M"]
    assert (
        found[["unit", "year", "value", "row", "n", "at"]].values.tolist()
        == [["辛", 2024, 9.8, 8, 8, "样本!C9"]] * 2
    )
    assert found["limit"].tolist() == pytest.approx([6.995, 3.5])
    assert found["reason"].str.startswith("统计量高于上限：").all()
    assert found["decision"].tolist() == ["待核实"] * 2


def test_a_low_value_is_logged_with_the_lower_limit():
    frame = pd.DataFrame({"cost": [1.0, 5.0, 5.1, 5.2, 5.3, 5.4, 5.5, 5.6]})
    found = log(frame, "cost", tukey(frame["cost"]))
    assert found["reason"].str.startswith("统计量低于下限：").all()
    assert (found["limit"] < 5).all() and found["row"].tolist() == [1]


def test_a_log_without_flags_is_empty_and_changes_nothing():
    frame = costs().iloc[:7]
    empty = log(frame, "cost", tukey(frame["cost"]), esd(frame["cost"], 2))
    assert empty.empty and "decision" in empty
    decided = decide(empty, decision().iloc[:0])
    assert settle(frame, "cost", decided).equals(frame)


def test_what_nobody_decided_stays_in_the_sample():
    decided = decide(flagged(), decision().iloc[:0])
    assert decided["decision"].tolist() == ["待核实"] * 2
    assert len(settle(costs(), "cost", decided)) == 8


def test_a_small_sample_waits_for_a_person_and_uses_the_median():
    found = flagged(7)
    assert set(found["decision"]) == {"待核实（样本不足8个，只标记不剔除，取中位数）"}
    with pytest.raises(EvalkitError, match="没有批准人（样本 7 个，不足 8 个时"):
        decide(found, decision(approver=""))
    assert len(settle(costs(7), "cost", decide(found, decision()))) == 6
    wider = log(costs(7), "cost", tukey(costs(7)["cost"]), least=7)
    assert set(wider["decision"]) == {"待核实"}
    assert len(decide(wider, decision(approver=None), least=7)) == 1


def test_a_removal_with_a_cause_takes_the_observation_out():
    decided = decide(flagged(), decision(approver=None))
    assert set(decided["cause"]) == {"含一次性大修"} and set(decided["approver"]) == {""}
    assert settle(costs(), "cost", decided)["unit"].tolist() == list("甲乙丙丁戊己庚")


def test_a_kept_value_stays_and_a_corrected_one_is_replaced_exactly():
    kept = settle(costs(), "cost", decide(flagged(), decision(decision=" 保留 ")))
    assert kept["cost"].tolist() == V1
    fixed = settle(costs(), "cost", decide(flagged(), decision(decision="修正为5.80")))
    assert fixed["cost"].tolist() == [*V1[:7], Decimal("5.80")]
    assert costs()["cost"].tolist() == V1


def test_observations_without_names_are_told_apart_by_their_row():
    frame = pd.DataFrame({"cost": V1})
    found = log(frame, "cost", tukey(frame["cost"]))
    said = pd.DataFrame([{"row": 8, "decision": "剔除", "cause": "口径不同", "approver": ""}])
    assert settle(frame, "cost", decide(found, said))["cost"].tolist() == V1[:7]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"unit": "甲"}, "sample.unflagged"),
        ({"year": 2023}, "sample.unflagged"),
        ({"decision": "删了吧"}, "sample.decision"),
        ({"decision": None}, "sample.decision"),
        ({"decision": "修正为很多"}, "sample.decision"),
        ({"cause": "  "}, "sample.cause"),
        ({"cause": float("nan")}, "sample.cause"),
        ({"decision": "修正为5.8", "approver": ""}, "sample.approver"),
    ],
)
def test_a_decision_that_cannot_stand_is_refused_at_its_cell(said, code):
    with pytest.raises(EvalkitError) as error:
        decide(flagged(), decision(**said))
    assert codes(error) == [code]
    assert error.value.problems[0].cell == "D2"


def test_two_decisions_about_one_observation_are_refused():
    twice = pd.concat([decision(), decision(decision="保留")])
    with pytest.raises(EvalkitError) as error:
        decide(flagged(), twice)
    assert codes(error) == ["sample.decided"] * 2


def test_decisions_without_their_columns_are_refused():
    frame = pd.concat([costs(), costs().assign(year=2023)], ignore_index=True)
    found = log(frame, "cost", tukey(frame["cost"]))
    with pytest.raises(EvalkitError) as error:
        decide(found, pd.DataFrame({"unit": ["辛"]}))
    assert [p.what for p in error.value.problems] == [
        f"缺少列“{name}”" for name in ("year", "decision", "cause", "approver")
    ]


def test_what_does_not_tell_observations_apart_need_not_be_named():
    frame = costs().assign(driver="清扫面积")
    found = log(frame, "cost", tukey(frame["cost"]))
    assert len(settle(frame, "cost", decide(found, decision()))) == 7
    assert decide(found, pd.DataFrame()).equals(found)


def test_a_decision_concerns_its_year_alone():
    frame = pd.concat([costs(), costs().assign(year=2023)], ignore_index=True)
    decided = decide(log(frame, "cost", tukey(frame["cost"])), decision(year=2023))
    kept = settle(frame, "cost", decided)
    assert len(kept) == 15 and kept.loc[kept["unit"] == "辛", "year"].tolist() == [2024]


def test_every_quantile_type_has_its_numpy_name():
    assert sorted(outliers.QUANTILE_TYPES) == list(range(1, 10))
