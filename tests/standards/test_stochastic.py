"""Stochastic frontier against FRONTIER 4.1's own example, other optimisers, and its laws."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import norm
from support import SOAK

from evalkit.core.problem import EvalkitError
from evalkit.standards.stochastic import frontier_fit

# Output, capital and labour of 60 firms: EG1.DTA of FRONTIER 4.1 (Coelli 1996, CEPA 96/07), as in
# pystoned/data/41Firm.csv of github.com/ds2010/pyStoNED.
FIRM_ROWS = """
12.778,9.416,35.134 24.285,4.643,77.297 20.855,5.095,89.799 13.213,4.935,35.698
12.018,8.717,27.878 15.284,1.066,92.174 6.707,0.258,97.907 21.656,6.334,82.084
14.574,2.35,38.876 13.743,1.076,81.761 3.793,3.432,9.476 37.118,4.033,55.096
11.235,7.975,73.13 9.237,7.604,24.35 12.634,0.344,65.38 9.677,2.44,63.839
18.315,7.891,59.241 17.094,2.906,72.574 21.566,2.668,68.916 18.872,4.22,57.424
17.102,2.661,87.843 14.55,2.455,30.789 24.031,2.827,93.734 6.787,0.439,35.961
6.388,0.312,94.264 32.996,3.265,95.773 26.04,6.752,80.275 16.619,4.425,49.886
10.065,1.583,22.072 6.554,0.907,38.727 3.539,6.149,5.322 1.66,0.479,2.52 16.775,1.955,41.545
10.085,8.169,68.389 7.064,4.055,77.556 31.793,5.029,77.812 32.303,6.937,98.904
14.571,8.405,42.74 12.258,2.503,59.741 12.683,6.59,18.085 12.88,7.149,26.651
15.841,8.04,50.488 24.623,4.896,88.182 20.571,6.722,30.451 21.208,4.195,95.834
12.493,4.551,36.704 32.313,7.223,89.312 15.575,9.561,29.055 13.414,4.871,50.018
10.228,9.312,40.996 19.927,2.895,63.051 26.938,8.085,60.992 35.825,8.656,94.159
12.768,3.427,39.312 18.412,1.918,78.628 19.853,6.177,64.377 3.269,7.188,1.073
21.358,9.329,87.124 27.124,7.834,60.34 14.105,5.621,44.218
"""
# Efficiencies that FRONTIER 4.1 printed: inst/front41/EG1.OUT of R's frontier.
EFFICIENCIES = """
0.65068880 0.82889151 0.72642592 0.74785113 0.69133584 0.77654637 0.56516787 0.73768185
0.84388964 0.75784167 0.54558432 0.93739520 0.44809682 0.61831027 0.87384359 0.54952777
0.71262499 0.75907226 0.85727198 0.80651927 0.72458613 0.87223606 0.83681369 0.75225715
0.52974774 0.89731683 0.81013415 0.78179413 0.85610585 0.62097885 0.57938181 0.74934194
0.88192581 0.42082174 0.35126244 0.88908382 0.84118609 0.67868899 0.67291047 0.83853427
0.75964587 0.68189614 0.80438742 0.88652992 0.74299265 0.72610191 0.85341515 0.78519185
0.67207111 0.51430249 0.84238134 0.85098581 0.85963850 0.75508293 0.81649829 0.75991250
0.87350729 0.66471456 0.85670448 0.70842786
"""
# Value added, capital, labour of the transport equipment industry in 25 states (Zellner & Revankar
# 1969): TranspEq of R's Ecdat, the example of Greene, Econometric Analysis, section 9.7.1.
STATE_ROWS = """
126.148,3.804,31.551 3201.486,185.446,452.844 690.67,39.712,124.074 56.296,6.547,19.181
304.531,11.53,45.534 723.028,58.987,88.391 992.169,112.884,148.53 35.796,2.698,8.017
494.515,10.36,86.189 124.948,5.213,12 73.328,3.763,15.9 29.467,1.967,6.47
415.262,17.546,69.342 241.53,15.347,39.416 4079.554,435.105,490.384 652.085,32.84,84.831
667.113,33.292,83.033 940.43,72.974,190.094 1611.899,157.978,259.916 617.579,34.324,98.152
527.413,22.736,109.728 174.394,7.173,31.301 636.948,30.807,87.963 22.7,1.543,4.063
349.711,22.001,52.818
"""


def table(text: str, heads: str) -> pd.DataFrame:
    rows = [[float(cell) for cell in row.split(",")] for row in text.split()]
    return pd.DataFrame(rows, columns=heads.split()).assign(unit=range(1, len(rows) + 1))


FIRMS = table(FIRM_ROWS, "output capital labour")
STATES = table(STATE_ROWS, "value capital labour")


def production(frame: pd.DataFrame = FIRMS, **more):
    return frontier_fit(frame, "output", ["capital", "labour"], kind="production", **more)


def drawn(seed: int, units: int = 300, sigma_u: float = 0.4, sigma_v: float = 0.15, kind="cost"):
    """Costs or outputs with two drivers, logarithms drawn from the model itself."""
    dice = np.random.default_rng(seed)
    x = dice.normal(2, 1, (units, 2))
    u, v = np.abs(dice.normal(0, sigma_u, units)), dice.normal(0, sigma_v, units)
    y = 1 + x @ [0.7, 0.2] + v + (u if kind == "cost" else -u)
    return pd.DataFrame(np.exp(x), columns=["km", "buses"]).assign(
        y=np.exp(y), unit=range(units), u=u
    )


def codes(found) -> list[str]:
    return [problem.code for problem in found.problems]


# published results


def test_estimates_of_frontier_41():
    """EG1.OUT: final mle estimates, log likelihood, LR test of the one-sided error."""
    found = production()
    assert found.coefficients.index.tolist() == ["常数项", "capital", "labour", "sigma2", "gamma"]
    printed = [0.56161963, 0.28110205, 0.53647981, 0.21700046, 0.79720730]
    assert found.coefficients.estimate.to_numpy() == pytest.approx(printed, rel=2e-5)
    assert found.statistics.log_likelihood == pytest.approx(-17.027229, abs=5e-6)
    assert found.statistics.least_squares == pytest.approx(-18.446849, abs=1e-5)
    assert found.statistics.ratio == pytest.approx(2.8392402, abs=3e-5)
    assert codes(found) == []  # above 2.706
    sigma2, gamma = printed[3:]
    assert found.statistics.sigma_u == pytest.approx((gamma * sigma2) ** 0.5, rel=1e-4)
    assert found.statistics.sigma_v == pytest.approx(((1 - gamma) * sigma2) ** 0.5, rel=1e-4)
    assert found.statistics["lambda"] == pytest.approx((gamma / (1 - gamma)) ** 0.5, rel=1e-4)


def test_standard_errors_are_near_those_that_frontier_41_approximates():
    """It prints the last direction matrix of its search, not the information: a few per cent."""
    printed = [0.20261668, 0.047643365, 0.045251553, 0.063909106, 0.13642399]
    assert production().coefficients.error.to_numpy() == pytest.approx(printed, rel=0.02)


def test_efficiencies_of_frontier_41():
    found = production().efficiencies
    assert found.unit.tolist() == [str(k) for k in range(1, 61)]
    assert found.efficiency.to_numpy() == pytest.approx(
        np.array(EFFICIENCIES.split(), float), abs=2e-6
    )
    assert found.efficiency.mean() == pytest.approx(0.74056772, abs=2e-6)
    assert found.residual[:3].to_numpy() == pytest.approx(
        [-0.553663, -0.135783, -0.394590], abs=2e-6
    )
    assert (found.jlms < found.efficiency).all()  # Jensen


def test_residuals_skewed_the_wrong_way_are_told_and_the_answer_is_least_squares():
    """The same firms as a cost frontier; least squares as printed in EG1.OUT."""
    found = frontier_fit(FIRMS, "output", ["capital", "labour"])
    table = found.coefficients
    assert table.estimate[:3].to_numpy() == pytest.approx([0.24489834, 0.28049246, 0.53330637])
    assert table.error[:3].to_numpy() == pytest.approx([0.21360307, 0.048066617, 0.051498586])
    assert table.estimate["gamma"] == 0 and found.statistics.ratio == 0
    assert found.efficiencies.efficiency.isna().all() and found.efficiencies.jlms.isna().all()
    assert codes(found) == ["frontier.skew"] and "最小二乘" in str(found.problems[0])


def test_transport_equipment_in_25_states_as_in_statas_manual():
    """[R] frontier, example 1 (webuse greene9), figures from memory, not looked up again."""
    found = frontier_fit(STATES, "value", ["capital", "labour"], kind="production")
    estimate, error = found.coefficients.estimate.to_numpy(), found.coefficients.error.to_numpy()
    assert estimate[:4] == pytest.approx([2.081135, 0.2585478, 0.7802451, 0.0797496], rel=5e-6)
    assert error[:4] == pytest.approx([0.281641, 0.098764, 0.1199399, 0.0426989], rel=5e-5)
    assert found.statistics.log_likelihood == pytest.approx(2.4695222, abs=2e-6)
    assert found.statistics[["sigma_u", "sigma_v", "lambda"]].to_numpy() == pytest.approx(
        [0.2215073, 0.1751688, 1.264536], rel=1e-5
    )
    assert codes(found) == ["frontier.weak"] and "0.43" in str(found.problems[0])


# the likelihood anew


def by_simplex(frame, y, regressors, side):
    """The likelihood written in σu, σv and searched without gradients."""
    target = np.log(frame[y].to_numpy())
    design = np.column_stack([np.ones(len(frame)), np.log(frame[regressors].to_numpy())])

    def loss(point):
        u, v = np.exp(point[-2:])
        e, s = side * (target - design @ point[:-2]), np.hypot(u, v)
        return -(np.log(2 / s) + norm.logpdf(e / s) + norm.logcdf(-e * u / v / s)).sum()

    least = np.linalg.lstsq(design, target)[0]
    spread = np.log((target - design @ least).std())
    least[0] += side * 0.8 * np.exp(spread)
    options = {"maxiter": 20000, "maxfev": 20000, "xatol": 1e-9, "fatol": 1e-12}
    return minimize(loss, [*least, spread, spread], method="Nelder-Mead", options=options)


@pytest.mark.parametrize("kind", ["cost", "production"])
@pytest.mark.parametrize("seed", range(20 if SOAK else 1))
def test_another_optimiser_finds_no_greater_likelihood_nor_another_answer(kind, seed):
    frame = drawn(seed, kind=kind)
    found = frontier_fit(frame, "y", ["km", "buses"], kind=kind)
    best = by_simplex(frame, "y", ["km", "buses"], -1 if kind == "cost" else 1)
    assert found.statistics.log_likelihood >= -best.fun - 1e-6
    assert found.coefficients.estimate[:3].to_numpy() == pytest.approx(best.x[:3], abs=1e-3)
    assert found.statistics.sigma_u == pytest.approx(np.exp(best.x[3]), abs=2e-3)


def test_standard_errors_are_the_curvature_of_the_likelihood():
    """Second differences of the likelihood in β, σ², γ themselves."""
    found = production()
    target, x = np.log(FIRMS.output), np.log(FIRMS[["capital", "labour"]])
    design = np.column_stack([np.ones(60), x])

    def loss(point):
        s2, gamma = point[-2:]
        e, s = target - design @ point[:-2], s2**0.5
        tail = norm.logcdf(-e / s * (gamma / (1 - gamma)) ** 0.5)
        return -(np.log(2 / s) + norm.logpdf(e / s) + tail).sum()

    at, step = found.coefficients.estimate.to_numpy(), 1e-4 * np.eye(5)
    hessian = np.array([
        [(loss(at + a + b) - loss(at + a - b) - loss(at - a + b) + loss(at - a - b)) / 4e-8
         for b in step] for a in step
    ])  # fmt: skip
    errors = np.sqrt(np.diag(np.linalg.inv(hessian)))
    assert found.coefficients.error.to_numpy() == pytest.approx(errors, rel=1e-3)
    assert found.coefficients.z.to_numpy() == pytest.approx(at / errors, rel=1e-3)


@pytest.mark.parametrize("kind", ["cost", "production"])
def test_efficiencies_are_the_integrals_that_define_them(kind):
    """E[exp(-u)|ε] and E[u|ε] by quadrature over the density of u."""
    found = frontier_fit(drawn(5, 60, kind=kind), "y", ["km", "buses"], kind=kind)
    u, v, side = found.statistics.sigma_u, found.statistics.sigma_v, 1 if kind == "cost" else -1
    for row in found.efficiencies[:8].itertuples():

        def joint(x, e=side * row.residual):
            return norm.pdf(x, scale=u) * norm.pdf(e - x, scale=v)

        mass = quad(joint, 0, 5)[0]
        mean = quad(lambda x: np.exp(-x) * joint(x), 0, 5)[0] / mass
        expected = quad(lambda x: x * joint(x), 0, 5)[0] / mass
        assert row.efficiency == pytest.approx(mean, rel=1e-6)
        assert row.jlms == pytest.approx(np.exp(-expected), rel=1e-6)


# laws


def test_a_model_is_recovered_from_its_own_draws():
    frame = drawn(8, 4000)
    found = frontier_fit(frame, "y", ["km", "buses"])
    table = found.coefficients
    true = [1, 0.7, 0.2, 0.4**2 + 0.15**2, 0.4**2 / (0.4**2 + 0.15**2)]
    assert (abs(table.estimate - true) < 4 * table.error).all()
    assert codes(found) == [] and found.statistics.ratio > 100
    assert np.corrcoef(found.efficiencies.efficiency, np.exp(-frame.u))[0, 1] > 0.75
    assert found.efficiencies.efficiency.mean() == pytest.approx(np.exp(-frame.u).mean(), abs=0.02)


@settings(max_examples=20 if SOAK else 4)
@given(st.integers(0, 99), st.floats(-8, 8), st.floats(-8, 8), st.randoms(use_true_random=False))
def test_units_of_measurement_move_the_constant_only_and_rows_may_come_in_any_order(a, b, c, dice):
    frame = drawn(a, 80)
    base = frontier_fit(frame, "y", ["km", "buses"])
    rows = dice.sample(range(80), 80)
    other = frontier_fit(
        frame.assign(y=frame.y * np.exp(b), km=frame.km * np.exp(c)).iloc[rows],
        "y",
        ["km", "buses"],
    )
    assert codes(other) == codes(base)
    if "frontier.edge" not in codes(base):
        same = base.coefficients.estimate[1:].to_numpy()
        assert other.coefficients.estimate[1:].to_numpy() == pytest.approx(same, abs=2e-4)
        assert other.efficiencies.efficiency.to_numpy() == pytest.approx(
            base.efficiencies.efficiency.to_numpy()[rows], abs=2e-4, nan_ok=True
        )


def test_logarithms_may_be_taken_by_the_caller():
    frame = drawn(2)
    logs = frame.assign(**{name: np.log(frame[name]) for name in ("y", "km", "buses")})
    mine = frontier_fit(logs, "y", ["km", "buses"], log=False)
    pd.testing.assert_frame_equal(
        mine.coefficients, frontier_fit(frame, "y", ["km", "buses"]).coefficients, rtol=1e-4
    )


def test_a_cost_frontier_is_the_production_frontier_of_its_inverse():
    frame = drawn(3)
    cost = frontier_fit(frame, "y", ["km", "buses"])
    inverse = frontier_fit(frame.assign(y=1 / frame.y), "y", ["km", "buses"], kind="production")
    signs = np.array([-1, -1, -1, 1, 1])
    assert inverse.coefficients.estimate.to_numpy() * signs == pytest.approx(
        cost.coefficients.estimate.to_numpy(), abs=1e-5
    )
    assert inverse.efficiencies.efficiency.to_numpy() == pytest.approx(
        cost.efficiencies.efficiency.to_numpy(), abs=1e-5
    )


def test_a_frontier_without_chance_is_told_to_be_at_the_edge():
    found = frontier_fit(drawn(1, 60, sigma_u=0.5, sigma_v=1e-6), "y", ["km", "buses"])
    assert codes(found) == ["frontier.edge"] and found.coefficients.error.isna().all()
    assert found.coefficients.estimate["gamma"] > 0.999
    assert found.efficiencies.efficiency.between(0, 1 + 1e-9).all()


def test_a_maximum_inside_is_taken_although_the_edge_is_higher():
    """The search of FRONTIER and Stata ends there too; chance is not argued away."""
    frame, heads = STATES, ["capital", "labour"]
    found = frontier_fit(frame, "value", heads, kind="production")
    target = np.log(frame.value.to_numpy())
    design = np.column_stack([np.ones(25), np.log(frame[heads])])
    assert codes(found) == ["frontier.weak"]

    def deterministic(point):  # σv = 0: residuals half-normal
        u = design @ point[:3] - target
        return (
            inf if (u < 0).any() else -norm.logpdf(u, scale=np.exp(point[3])).sum() - 25 * np.log(2)
        )

    first = [*found.coefficients.estimate[:3], np.log(0.3)]
    first[0] += 0.5
    options = {"maxiter": 9999, "maxfev": 9999, "xatol": 1e-9, "fatol": 1e-12}
    best = minimize(deterministic, first, method="Nelder-Mead", options=options)
    assert -best.fun > found.statistics.log_likelihood


# refusals


def test_all_faults_of_the_data_are_told_at_once_with_their_cells():
    frame = FIRMS.assign(at=[f"样本!C{k}" for k in range(2, 62)], unit=FIRMS.unit.astype(object))
    frame.loc[[1, 2, 3], "output"] = [0, nan, inf]
    frame.loc[4, "unit"] = 1
    with pytest.raises(EvalkitError) as caught:
        production(frame)
    found = {(problem.cell, problem.code) for problem in caught.value.problems}
    assert found == {
        ("C3", "sample.positive"), ("C4", "sample.value"), ("C5", "sample.value"),
        ("C6", "frontier.twice"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (FIRMS[:19], "sample.few"),
        (FIRMS.assign(capital=3.0), "frontier.rank"),
        (FIRMS.assign(capital=FIRMS.labour**2), "frontier.rank"),
        (FIRMS.assign(output=FIRMS.capital**0.3 * FIRMS.labour**0.6), "frontier.exact"),
        (FIRMS.assign(output=5.0), "frontier.exact"),
        (FIRMS.drop(columns="unit"), "sample.column"),
        (FIRMS.drop(columns="labour"), "sample.column"),
    ],
)
def test_what_cannot_be_fitted_is_refused(frame, code):
    with pytest.raises(EvalkitError) as caught:
        production(frame)
    assert [problem.code for problem in caught.value.problems] == [code]


def test_fewer_units_may_be_allowed_but_never_fewer_than_parameters():
    assert len(production(FIRMS[:19], each=5).efficiencies) == 19
    with pytest.raises(EvalkitError, match="至少需要 6 个"):
        production(FIRMS[:5], each=1)


def test_an_unknown_kind_is_an_error_of_the_caller():
    with pytest.raises(KeyError):
        frontier_fit(FIRMS, "output", ["labour"], kind="x")


def test_negative_logarithms_are_figures_like_others():
    frame = drawn(2).assign(km=lambda f: np.log(f.km) - 9, y=lambda f: np.log(f.y))
    assert frontier_fit(frame, "y", ["km"], log=False).coefficients.index[1] == "km"
