"""Satisfaction and frequencies: vectors, independent packages, laws, and every refusal."""

from __future__ import annotations

from itertools import repeat

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import t as student
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW
from survey_support import LEVELS, MAPPINGS, asked, codes, tidy

from evalkit.core.problem import EvalkitError
from evalkit.survey import estimates as estimating
from evalkit.survey.answers import grouped
from evalkit.survey.estimates import frequencies, wilson
from evalkit.survey.satisfaction import OPTIONS, satisfaction

Q = "1、总体满意吗"
V8 = [96, 120, 48, 12, 4]  # a worked example under five mappings
STRATA = {"甲": (40, [10, 15, 8, 4, 1, 2]), "乙": (300, [12, 20, 15, 8, 5, 6]),
          "丙": (120, [3, 9, 9, 2, 0, 1])}  # fmt: skip
SIZES = {name: size for name, (size, _) in STRATA.items()}
DRAWN = tidy({name: counts for name, (_, counts) in STRATA.items()})

counts6 = st.lists(st.integers(0, 60), min_size=6, max_size=6)


def estimates(table: pd.DataFrame, questions: list[str], mappings=MAPPINGS, *more, **options):
    return estimating.estimates(table, questions, mappings, *more, **options)


def one(table: pd.DataFrame, mapping: str = "百分赋值", **options) -> pd.Series:
    return estimates(table, [Q], **options).set_index("mapping").loc[mapping]


# vectors


def test_v8_under_every_mapping_of_the_domain_reference():
    found = estimates(tidy(V8), [Q]).set_index("mapping")
    assert found["satisfaction"].round(2).to_dict() == {
        "五级均值": 80.86, "百分赋值": 76.07, "递减赋值": 80.14, "前两级占比": 77.14,
        "前三级占比": 94.29,
    }  # fmt: skip
    assert found.loc["前两级占比", ["low", "high"]].astype(float).round(2).tolist() == [
        71.88,
        81.67,
    ]
    assert found["n"].eq(280).all() and found["unaware"].eq(0).all()


def test_the_mapping_is_named_with_its_values_in_every_row():
    found = estimates(tidy(V8), [Q], {"县定口径": [100, 90, 60, 20, 0]})
    assert found[["mapping", "values", "interval", "confidence"]].to_numpy().tolist() == [
        ["县定口径", "100、90、60、20、0", "t 区间", 0.95]
    ]
    assert estimates(tidy(V8), [Q])["interval"].tolist() == ["t 区间"] * 3 + ["Wilson 区间"] * 2


def test_the_exact_satisfaction_of_the_score_is_the_same():
    found = estimates(tidy(V8), [Q]).set_index("mapping")["satisfaction"]
    counts = dict(zip(OPTIONS, V8, strict=True))
    for name, weights in MAPPINGS.items():
        exact = satisfaction(counts, weights, 2)
        assert found[name] == pytest.approx(float(exact.value), abs=1e-12)


# independent packages


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), [(81, 263), (15, 148), (0, 20), (1, 29), (7, 7), (216, 280)])
def test_wilson_of_statsmodels(k, n, confidence):
    theirs = proportion_confint(k, n, 1 - confidence, "wilson")
    assert wilson(k / n, n, confidence) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_of_newcombe(k, n, low, high):
    """Newcombe (1998), Statistics in Medicine 17, table I, method 3."""
    assert [round(float(end), 4) for end in wilson(k / n, n)] == [low, high]


@pytest.mark.parametrize(
    ("k", "n", "confidence", "low", "high"),
    [(8, 10, 0.95, 0.4901625, 0.9433178), (15, 25, 0.95, 0.4074, 0.7660),
     (83, 86, 0.95, 0.9024, 0.9881), (10, 10, 0.95, 0.7225, 1)],
)  # fmt: skip
def test_wilson_of_r(k, n, confidence, low, high):
    """binom::binom.confint(method = "wilson"), prop.test(correct = FALSE)."""
    assert wilson(k / n, n, confidence) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(("share", "n"), [(0.5, 0), (0.5, -3), (np.nan, 5), (0, 0)])
def test_wilson_of_nobody_is_unknown(share, n):
    assert np.isnan(wilson(share, n)).all()


def test_wilson_of_everybody_there_is_and_of_rounding_noise():
    assert wilson(0.5, np.inf) == (0.5, 0.5) == wilson(0.5, 1e300)
    assert wilson(1 + 2**-52, 7)[1] <= 1 + 2**-52 and wilson(0.5, 9, 1 - 2**-53)[1] < 1
    low, high = wilson(np.array([0, 1.0]), np.array([0, 5]))
    assert np.isnan(low[0]) and np.isnan(high[0]) and high[1] == 1


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.floats(0.01, 0.999))
def test_wilson_contains_the_share_and_mirrors(k, more, confidence):
    n = k + more
    low, high = wilson(k / n, n, confidence)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson(more / n, n, confidence) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize("counts", [V8, [3, 0, 0, 0, 1], [10, 0, 9, 8, 7]])
def test_the_interval_of_a_mean_is_that_of_statsmodels(counts):
    found = one(tidy(counts), confidence=0.9)
    data = np.repeat([100, 75, 50, 25, 0], counts)
    low, high = DescrStatsW(data).tconfint_mean(alpha=0.1)
    assert found["satisfaction"] == pytest.approx(data.mean())
    assert found[["low", "high"]].tolist() == pytest.approx([max(low, 0), min(high, 100)])


def welch(values: list[float], mean: float, fpc: bool) -> float:
    """Satterthwaite's degrees of freedom, stratum by stratum."""
    parts, terms = [], []
    stands = sum(size / sum(c) * sum(c[:5]) for size, c in STRATA.values())
    for size, counts in STRATA.values():
        apart = np.repeat([*(np.array(values) - mean), 0], counts)
        n = len(apart)
        part = (size / stands) ** 2 * (1 - fpc * n / size) / n * apart.var(ddof=1)
        parts.append(part)
        terms.append(part**2 / (n - 1))
    return sum(parts) ** 2 / sum(terms)


def test_stratified_means_are_those_of_samplics():
    """Samplics 0.6.1 (Taylor, ratio to the people aware), variance with fpc 1 - n/N and without."""
    found = one(DRAWN, populations=SIZES)
    assert found["satisfaction"] == pytest.approx(62.459961563100556)
    free = welch([100, 75, 50, 25, 0], found["satisfaction"], fpc=True)
    half = student.ppf(0.975, free) * np.sqrt(5.90940049278261)
    assert found["high"] - found["satisfaction"] == pytest.approx(half)
    assert found["weighted"] and found["n"] == 121 and found["unaware"] == pytest.approx(900 / 130)
    endless = one(DRAWN, populations={name: size * 1e9 for name, size in SIZES.items()})
    assert endless["satisfaction"] == pytest.approx(found["satisfaction"])
    free = welch([100, 75, 50, 25, 0], found["satisfaction"], fpc=False)
    half = student.ppf(0.975, free) * np.sqrt(7.6850561397543595)
    assert endless["high"] - endless["satisfaction"] == pytest.approx(half)


@pytest.mark.parametrize(
    ("scale", "variance"), [(1, 0.002009174015547819), (1e9, 0.0026032266355821864)]
)
def test_stratified_shares_are_those_of_samplics(scale, variance):
    """Samplics 0.6.1; the interval is Wilson's with the answers that give its variance."""
    found = one(DRAWN, "前两级占比", populations={name: n * scale for name, n in SIZES.items()})
    p = 0.5413196668802049
    assert found["satisfaction"] == pytest.approx(100 * p)
    answers = p * (1 - p) / variance * 121 / 120
    theirs = proportion_confint(p * answers, answers, 0.05, "wilson")
    assert found[["low", "high"]].tolist() == pytest.approx([100 * end for end in theirs])


def test_one_stratum_is_the_finite_population_correction_alone():
    found = one(tidy(V8), populations={"": 400})
    data = np.repeat([100, 75, 50, 25, 0], V8)
    half = student.ppf(0.975, 279) * data.std(ddof=1) * np.sqrt((1 - 280 / 400) / 280)
    assert [found["low"], found["high"]] == pytest.approx([data.mean() - half, data.mean() + half])
    share = one(tidy(V8), "前两级占比", populations={"": 400})
    theirs = proportion_confint(216 / 0.3, 280 / 0.3, 0.05, "wilson")
    assert share[["low", "high"]].tolist() == pytest.approx([100 * end for end in theirs])


# degenerate answers


@pytest.mark.parametrize("table", [tidy([0] * 5).iloc[:0], tidy([0] * 5), tidy([0] * 5 + [7])])
def test_without_an_answer_that_counts_there_is_no_satisfaction(table):
    found = estimates(table, [Q])
    assert found["n"].eq(0).all()
    assert found[["satisfaction", "low", "high"]].isna().all(axis=None)
    assert found["unaware"].isna().all() or found["unaware"].eq(100).all()


@pytest.mark.parametrize("counts", [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 5], [0, 40, 0, 0, 0]])
def test_one_answer_or_answers_all_alike_have_wilson_s_interval(counts):
    found = one(tidy(counts))
    n, place = sum(counts[:5]), [1, 0.75, 0.5][int(np.argmax(counts[:3]))]
    assert found["satisfaction"] == 100 * place
    theirs = proportion_confint(place * n, n, 0.05, "wilson")
    assert found[["low", "high"]].tolist() == pytest.approx([100 * end for end in theirs])
    assert found["interval"] == "Wilson 区间（各答案相同）"


def test_a_census_has_no_error():
    for counts in (V8, [0, 9, 0, 0, 0]):
        found = estimates(tidy(counts), [Q], populations={"": sum(counts)})
        assert found["low"].tolist() == pytest.approx(found["satisfaction"].tolist())
        assert found["high"].tolist() == pytest.approx(found["satisfaction"].tolist())


def test_a_question_without_answers_stands_beside_the_others():
    found = estimates(DRAWN, ["2、没有人答", Q], populations=SIZES)
    assert found["question"].tolist() == ["2、没有人答"] * 5 + [Q] * 5
    assert found["n"].tolist() == [0] * 5 + [121] * 5


def test_spellings_of_a_level_are_one_level():
    table = tidy(V8).replace(
        {"option": {"非常满意": "很满意", "满意": "比较满意", "一般": "基本满意"}}
    )
    assert estimates(table, [Q]).equals(estimates(tidy(V8), [Q]))


# refusals


def test_codes_and_other_answers_are_refused_all_at_once():
    table = tidy(V8).replace({"option": {"非常满意": "5", "一般": "还行", "不了解": "6"}})
    with pytest.raises(EvalkitError) as error:
        estimates(table, [Q])
    assert codes(error) == ["survey.option"] * 3
    assert str(error.value).startswith("“1、总体满意吗”的答案“5”不是五级满意度的单选答案——")


@pytest.mark.parametrize(
    "values",
    [[], [100, np.nan, 50, 25, 0], [100, 75, 50, 25], [100, 75, 50, 25, 0, 0], [50] * 5,
     [120, 80, 60, 30, 0], [100, 80, 60, 30, -1]],
)  # fmt: skip
def test_a_mapping_that_is_none_is_refused_with_its_name(values):
    with pytest.raises(EvalkitError) as error:
        estimates(tidy(V8), [Q], {"甲": values, "乙": [100, 75, 50, 25, 0], "丙": values})
    assert codes(error) == ["survey.mapping"] * 2
    assert str(error.value).startswith("满意度口径“甲”不能用——")


@pytest.mark.parametrize("confidence", [0, 1, 95, np.nan])
def test_a_confidence_that_is_none_is_refused(confidence):
    for call in (lambda: wilson(0.5, 9, confidence), lambda: frequencies(tidy(V8), confidence),
                 lambda: estimates(tidy(V8), [Q], confidence=confidence)):  # fmt: skip
        with pytest.raises(EvalkitError) as error:
            call()
        assert codes(error) == ["survey.size"]


def test_several_levels_of_one_person_are_refused():
    with pytest.raises(EvalkitError) as error:
        estimates(tidy(V8).assign(people=lambda t: t["people"] / 2).iloc[:1], [Q])
    assert codes(error) == ["survey.option"]


@pytest.mark.parametrize(
    "populations",
    [{"甲": 40, "乙": 300}, SIZES | {"甲": np.inf}, SIZES | {"丁": 50}, SIZES | {"甲": 39},
     SIZES | {"甲": np.nan}, SIZES | {"甲": 0}],
)  # fmt: skip
def test_strata_without_people_or_answers_are_refused(populations):
    with pytest.raises(EvalkitError) as error:
        estimates(DRAWN, [Q], populations=populations)
    assert codes(error) == ["survey.stratum"]


def test_a_stratum_of_one_answer_is_refused():
    with pytest.raises(EvalkitError) as error:
        estimates(tidy({"甲": [1, 0, 0, 0, 0], "乙": V8}), [Q], populations={"甲": 9, "乙": 900})
    assert str(error.value).startswith("“1、总体满意吗”在“甲”层有 1 份答案，不能按层加权")


# laws


@given(counts6, st.sampled_from([0.8, 0.95, 0.999]))
def test_intervals_contain_the_estimate_and_lie_within_0_and_100(counts, confidence):
    found = estimates(tidy(counts), [Q], confidence=confidence).dropna()
    assert len(found) == (5 if sum(counts[:5]) else 0)
    assert (found["low"] >= 0).all() and (found["high"] <= 100).all()
    assert (found["low"] <= found["satisfaction"]).all()
    assert (found["satisfaction"] <= found["high"]).all()


@given(st.lists(counts6, min_size=1, max_size=4), st.integers(1, 50))
def test_weighted_is_unweighted_where_all_strata_are_drawn_at_one_rate(rows, rate):
    assume(all(sum(counts) > 1 for counts in rows))
    drawn = {f"{i}": counts for i, counts in enumerate(rows)}
    sizes = {name: sum(counts) * rate for name, counts in drawn.items()}
    weighted, plain = estimates(tidy(drawn), [Q], populations=sizes), estimates(tidy(drawn), [Q])
    for column in ("satisfaction", "n", "unaware"):
        assert weighted[column].tolist() == pytest.approx(plain[column].tolist(), nan_ok=True)
    width = (weighted["high"] - weighted["low"]).dropna()
    assert (width >= 0).all() and (weighted["low"].dropna() >= 0).all()
    known = weighted.dropna(subset="low")
    assert (known["low"] <= known["satisfaction"]).all()
    assert (known["satisfaction"] <= known["high"]).all() and (known["high"] <= 100).all()


@given(counts6, st.integers(2, 40))
def test_more_of_the_same_answers_give_a_narrower_interval(counts, times):
    assume(sum(counts[:5]) > 1)
    few, many = estimates(tidy(counts), [Q]), estimates(tidy([n * times for n in counts]), [Q])
    assert many["satisfaction"].tolist() == pytest.approx(few["satisfaction"].tolist())
    assert (many["high"] - many["low"] <= few["high"] - few["low"] + 1e-9).all()


@given(counts6)
def test_a_better_answer_never_lowers_the_satisfaction(counts):
    assume(sum(counts[:5]) and counts[4])
    better = [counts[0] + 1, *counts[1:4], counts[4] - 1, counts[5]]
    one, other = (estimates(tidy(c), [Q])["satisfaction"] for c in (counts, better))
    assert (other >= one - 1e-9).all()


@given(st.lists(st.sampled_from(LEVELS), min_size=1, max_size=40))
def test_answers_of_respondents_and_their_tally_give_the_same(said):
    raw = asked(pd.DataFrame({Q: said}))
    counted = tidy([said.count(level) for level in LEVELS])
    assert estimates(raw, [Q]).equals(estimates(counted, [Q]))


@given(st.lists(st.sampled_from([0, 10**15, 3, 7]), min_size=5, max_size=5))
def test_counts_of_any_size_keep_their_interval(counts):
    assume(sum(counts))
    found = estimates(tidy(counts), [Q])
    assert (found["low"] <= found["satisfaction"]).all()
    assert (found["satisfaction"] <= found["high"]).all() and found["low"].notna().all()


# frequencies


CHANNELS = pd.DataFrame({
    "respondent": list("1123"), "question": "3、渠道", "option": ["微信", "广播", "广播", "广播"],
    "number": "3", "text": "", "group": "", "count": 1, "people": [0.5, 0.5, 1, 1],
})  # fmt: skip


def test_shares_of_respondents_and_of_answers_are_told_apart():
    found = frequencies(CHANNELS).set_index("option")
    assert found["share"].tolist() == pytest.approx([100 / 3, 100])
    assert found["of_answers"].tolist() == [25, 75]
    assert found["n"].tolist() == [3, 3] and found["group"].eq("合计").all()
    theirs = [proportion_confint(k, 3, 0.05, "wilson") for k in (1, 3)]
    assert found[["low", "high"]].to_numpy() / 100 == pytest.approx(np.array(theirs))


def test_a_cross_table_has_every_option_in_every_group_and_in_all():
    person = pd.DataFrame(
        {"1、性别": ["男", "女", "女", None], Q: ["满意", "一般", "满意", "满意"]}
    )
    found = frequencies(grouped(asked(person), "1、性别"))
    cross = found[found["question"] == Q].set_index(["option", "group"]).sort_index()
    assert cross["count"].unstack()[["男", "女", "未填", "合计"]].to_numpy().tolist() == [
        [0, 1, 0, 1], [1, 1, 1, 3],
    ]  # fmt: skip
    assert cross.loc["满意"]["n"].to_dict() == {"男": 1, "女": 2, "未填": 1, "合计": 4}
    assert cross.loc[("一般", "男"), ["share", "low"]].tolist() == [0, 0]
    none = found.set_index(["question", "group"]).sort_index().loc[("1、性别", "未填")]
    assert none["n"].eq(0).all() and none[["share", "low", "high", "of_answers"]].isna().all(None)


def test_frequencies_of_a_tally_keep_its_groups():
    found = frequencies(DRAWN).set_index(["group", "option"])
    assert found.loc[("乙", "满意"), ["count", "n"]].tolist() == [20, 66]
    assert found.loc[("合计", "满意"), ["count", "n"]].tolist() == [44, 130]


def test_no_answers_have_no_frequencies():
    assert frequencies(CHANNELS.iloc[:0]).empty
    assert frequencies(CHANNELS.iloc[:0]).columns.tolist() == frequencies(CHANNELS).columns.tolist()


@given(st.lists(st.tuples(st.sampled_from("甲乙"), st.sampled_from(LEVELS)), max_size=30))
def test_shares_of_a_single_choice_make_100_in_every_group(rows):
    table = asked(pd.DataFrame({Q: [said for _, said in rows]}))
    found = frequencies(table.assign(group=[group for group, _ in rows]))
    for name in ("share", "of_answers"):
        sums = found.dropna().groupby("group")[name].sum().tolist()
        assert sums == pytest.approx(list(repeat(100, len(sums))))
    assert (found["low"] <= found["share"]).all() and (found["share"] <= found["high"]).all()
