"""Sample sizes and allocations against published tables, and their laws."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.proportion import samplesize_confint_proportion
from survey_support import codes

from evalkit.core.problem import EvalkitError
from evalkit.survey.sample import allocate, size

# a worked table: z = 1.96, p = 0.5, margins of 3, 5 and 10 %
TABLE = {
    np.inf: (1068, 385, 97), 100: (92, 80, 50), 200: (169, 132, 66), 500: (341, 218, 81),
    1000: (517, 278, 88), 2000: (697, 323, 92), 5000: (880, 357, 95), 10_000: (965, 370, 96),
}  # fmt: skip


@pytest.mark.parametrize("population", TABLE)
def test_sizes_of_the_domain_reference(population):
    found = [size(margin, population=population)[0] for margin in (0.03, 0.05, 0.1)]
    assert tuple(found) == TABLE[population]


def test_cochran_blood_group_example():
    """Cochran (1977), 4.3: t = 2, d = 5 %, p = 0.5 give 400; of 3 200 islanders 356."""
    two = 2 * norm.cdf(2) - 1
    assert size(0.05, two)[0] == 400
    assert size(0.05, two, population=3200)[0] == 356


@pytest.mark.parametrize(
    ("p", "margin", "confidence"), [(0.3, 0.04, 0.95), (0.5, 0.02, 0.99), (0.1, 0.05, 0.9)]
)
def test_sizes_of_statsmodels(p, margin, confidence):
    theirs = samplesize_confint_proportion(p, margin, alpha=1 - confidence)
    assert size(margin, confidence, p)[0] == np.ceil(theirs)


def test_design_effect_and_response_come_after_the_finite_population():
    needed, issued, formula = size(0.05, population=2000, deff=1.5, response=0.8)
    assert (needed, issued) == (484, 605)  # 322.4 · 1.5 = 483.6; 484 / 0.8 = 605
    assert formula == (
        "1.96²×0.5×(1-0.5)/0.05²=384.15，/(1+(384.15-1)/2000)=322.39，×设计效应1.5=483.58，"
        "取484，/有效率0.8，发放605"
    )


def test_nobody_is_asked_twice():
    assert size(0.01, population=50, deff=2, response=0.5)[:2] == (50, 50)
    assert size(0.05, population=1)[:2] == (1, 1)


@pytest.mark.parametrize(
    "how",
    [{"population": np.int64(1000)}, {"population": 1000.0}, {"population": 10**30},
     {"margin": 1e-8, "population": 100}, {"margin": 0.99, "p": 1e-9}, {"population": 1.5},
     {"confidence": 1 - 2**-53}],
)  # fmt: skip
def test_odd_arguments_still_give_somebody_to_ask(how):
    needed, issued, formula = size(**{"margin": 0.05} | how)
    assert 1 <= needed <= issued and f"取{needed}" in formula
    assert {type(needed), type(issued)} == {int}


@pytest.mark.parametrize(
    "wrong",
    [{"margin": 0}, {"margin": 5}, {"confidence": 95}, {"p": 0}, {"p": 1}, {"population": 0.5},
     {"margin": 1e-200}, {"margin": 1e-9}, {"response": 1e-300}, {"deff": 1e300},
     {"confidence": 1}, {"deff": 0}, {"deff": np.inf}, {"response": 0}, {"response": 1.01},
     {"margin": np.nan}, {"population": np.nan}],
)  # fmt: skip
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(EvalkitError) as error:
        size(**{"margin": 0.05} | wrong)
    assert codes(error) == ["survey.size"]


@given(st.floats(0.01, 0.3), st.floats(0.01, 0.3), st.integers(1, 10**6))
def test_a_narrower_margin_and_a_larger_population_never_need_fewer(one, other, population):
    wide, narrow = max(one, other), min(one, other)
    assert size(wide, population=population)[0] <= size(narrow, population=population)[0]
    assert size(one, population=population)[0] <= min(size(one)[0], population)


# allocation


def strata(sizes, deviations=None) -> pd.DataFrame:
    table = pd.DataFrame({"stratum": [f"{i}层" for i in range(len(sizes))], "population": sizes})
    return table if deviations is None else table.assign(deviation=deviations)


def test_cochran_city_strata():
    """Cochran (1977), 5.7, table 5.2: 64 cities, S² of 53 843 and 5 581, 24 drawn."""
    cities = strata([16, 48], [53_843**0.5, 5_581**0.5])
    assert allocate(cities, 24)["n"].tolist() == [6, 18]
    assert allocate(cities, 24, "neyman")["n"].tolist() == [12, 12]


def test_the_viewers_of_scheaffer_mendenhall_and_ott():
    """Elementary Survey Sampling: two towns and the country round, a Neyman sample of 57."""
    county = strata([155, 62, 93], [5, 15, 10])
    assert allocate(county, 57, "neyman")["n"].tolist() == [17, 20, 20]
    assert allocate(county, 40)["n"].tolist() == [20, 8, 12]


def test_neyman_on_the_hospitals_of_the_practools_vignette():
    """Data of strAlloc(100, …) in Valliant, Dever & Kreuter, PracTools, Singlestage-samsize."""
    hospitals = strata(
        [215, 65, 252, 50, 149, 144], [26787207, 10645109, 6909676, 11085034, 9817762, 44553355]
    )
    shares = hospitals["population"] * hospitals["deviation"]
    found = allocate(hospitals, 100, "neyman")["n"]
    assert (abs(found - 100 * shares / shares.sum()) < 1).all()
    assert found.tolist() == [35, 4, 10, 3, 9, 39]


def test_largest_remainders_go_first_and_ties_to_the_first():
    assert allocate(strata([300, 100]), 50)["n"].tolist() == [38, 12]
    assert allocate(strata([10, 10, 10]), 10)["n"].tolist() == [4, 3, 3]


def test_small_strata_get_the_least_and_no_stratum_more_than_it_has():
    found = allocate(strata([900, 80, 20, 5]), 100, least=10)
    assert found["n"].tolist() == [75, 10, 10, 5]
    assert allocate(strata([10, 1000], [50, 1]), 40, "neyman")["n"].tolist() == [10, 30]
    assert allocate(strata([10, 10]), 20)["rate"].tolist() == [1, 1]


def test_strata_without_spread_get_the_least_only():
    assert allocate(strata([100, 100], [0, 2]), 30, "neyman", least=5)["n"].tolist() == [5, 25]


def test_a_sample_of_nobody_is_a_row_of_zeros():
    assert allocate(strata([3, 4]), 0)["n"].tolist() == [0, 0]
    assert allocate(strata([]), 0).empty


@pytest.mark.parametrize(
    ("table", "arguments"),
    [(strata([10, 10]), {"n": 4, "least": -1}), (strata([10, 10]), {"n": 4, "least": 1.5}),
     (strata([10, 10]), {"n": np.nan}), (strata([10, 10]), {"n": np.inf}),
     (strata([10, 10]), {"n": 21}), (strata([100, 100]), {"n": 15, "least": 10}),
     (strata([10, 10]), {"n": -1}), (strata([10, 10]), {"n": 1.5}),
     (strata([10, 10]), {"n": 4, "method": "equal"}),
     (strata([10, 10], [0, 0]), {"n": 4, "method": "neyman"}),
     (strata([10, 10], [0, 1]), {"n": 11, "method": "neyman"})],
)  # fmt: skip
def test_samples_that_do_not_fit_are_refused(table, arguments):
    with pytest.raises(EvalkitError) as error:
        allocate(table, **arguments)
    assert codes(error) == ["survey.allocation"]


def test_all_populations_and_deviations_that_are_none_are_refused_at_once():
    table = strata([-1, 2.5, "很多", None, np.inf, 1e300, 7], [1, 1, 1, 1, 1, 1, -2])
    with pytest.raises(EvalkitError) as error:
        allocate(table, 5, "neyman")
    assert codes(error) == ["survey.population"] * 7
    assert str(error.value).startswith("“0层”层的总体人数或标准差不能用——")
    with pytest.raises(EvalkitError) as error:
        allocate(strata([5, 5]), 5, "neyman")
    assert codes(error) == ["survey.population"] * 2


@pytest.mark.parametrize("kind", [str, Decimal, np.int64, float])
def test_populations_may_be_texts_or_any_numbers(kind):
    assert allocate(strata([kind(10), kind(20)]), np.int64(5))["n"].tolist() == [2, 3]


def test_a_sample_of_a_whole_country_is_still_exact():
    assert allocate(strata([10**15, 3 * 10**15]), 10**15 + 1)["n"].sum() == 10**15 + 1


@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.floats(0.01, 100) | st.just(0)), min_size=1, max_size=8
    ),
    st.integers(0, 30), st.sampled_from(["proportional", "neyman"]), st.data(),
)  # fmt: skip
def test_an_allocation_sums_to_the_sample_within_its_limits(parts, least, method, data):
    table = strata([n for n, _ in parts], [s for _, s in parts])
    low = np.minimum(least, table["population"])
    spread = table["deviation"] if method == "neyman" else 1
    top = np.where(table["population"] * spread > 0, table["population"], low)
    n = data.draw(st.integers(int(low.sum()), int(top.sum())))
    found = allocate(table, n, method, least)["n"]
    assert found.sum() == n
    assert (found >= low).all() and (found <= table["population"]).all()


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8), st.floats(0.1, 9), st.data())
def test_neyman_is_proportional_where_all_strata_spread_alike(sizes, spread, data):
    n = data.draw(st.integers(0, sum(sizes)))
    table = strata(sizes, spread)
    assert allocate(table, n, "neyman")["n"].equals(allocate(table, n)["n"])
