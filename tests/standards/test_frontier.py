"""DEA against published results, R's Benchmarking, Pyfrontier, scipy, and its own laws."""

from __future__ import annotations

import itertools
from decimal import Decimal
from math import inf, nan
from pathlib import Path

import numpy as np
import pandas as pd
import Pyfrontier
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from Pyfrontier.frontier_model import EnvelopDEA
from scipy.optimize import linprog
from support import SOAK

from evalkit.core.problem import EvalkitError
from evalkit.standards.frontier import bootstrap, dea, scale_efficiency

WAYS = list(itertools.product(("input", "output"), ("crs", "vrs", "nirs", "ndrs")))
LIBRARIES = Path(Pyfrontier.__file__).with_name("datasets") / "library_prefecture.csv"

# Program Follow Through: five inputs, three outputs of 70 school sites (Charnes, Cooper & Rhodes
# 1981, Management Science 27:668–697); figures as in data/charnes1981.csv of R's Benchmarking.
SITES = """
86.13,16.24,48.21,49.69,9,54.53,58.98,38.16 29.26,10.24,41.96,40.65,5,24.69,33.89,26.02
43.12,11.31,38.19,35.03,9,36.41,40.62,28.51 24.96,6.14,24.81,25.15,7,14.94,17.58,16.19
11.62,2.21,6.85,6.37,4,7.81,6.94,5.37 11.88,4.97,18.73,18.04,4,12.59,16.85,12.84
32.64,6.88,28.1,25.45,7,17.06,16.99,17.82 20.79,12.97,54.85,52.07,8,20.29,30.64,33.16
34.4,11.04,38.16,42.4,8,26.13,29.8,26.29 61.74,14.5,49.09,42.92,9,46.42,51.59,35.2
52.92,11.67,39.48,39.64,5,39.8,37.73,30.29 36,10.15,37.8,39.52,5,37.84,47.85,25.35
39.2,10.8,41.04,41.12,7,26.48,31.36,26.54 14.6,2.88,9.64,11.14,3,10.31,10.86,7.47
4.29,5.42,21.45,17.27,5,14.39,18.3,14.33 27.25,14.17,56.46,55.26,9,32.94,36.03,38.19
22.63,4.43,15.4,15,2,17.25,20.8,12.07 28,7.61,28.73,27.04,9,27.55,38.19,20.44
53.56,13.7,53.04,49.85,7,41.12,43.8,36.54 25.42,9.05,29.69,31.74,4,29.43,42.63,23.34
31.57,10.08,39.34,40.57,6,37.46,51.02,27.44 16.34,5.84,20.89,22.1,4,19.4,25.18,16.52
44.28,14.14,56.7,52.27,11,39.88,47.72,38.97 19.74,6.43,24.2,25.66,3,25.72,30.81,16.54
24.4,8.05,33.42,31.29,7,24.88,25.27,22.43 41.4,11.7,44.01,46.35,7,31.62,40.78,31.16
27.2,9.38,37.8,31.55,4,31.31,38.32,25.03 23.92,7.12,25.58,29.01,3,21,21.3,18.3
10.62,2.55,10.10,9.09,4,6.51,7.02,6.16 12.48,6.14,23.13,22.46,6,11.64,15.26,15.68
19.32,5.89,24.01,24.74,6,12.58,15.9,14.42 6.3,1.93,7.11,7.68,4,4.59,6.16,4.99
46.62,14.65,65.71,57.49,10,43.76,46.64,39.1 38.95,12.82,47.02,48.92,9,32.38,38.55,31.05
61.6,15.56,53.98,50.29,6,34.64,45.46,39.22 31.08,6.26,22.18,21.96,4,11.52,15.14,13.91
19.35,6.68,22.61,23.31,4,15.96,19.21,15.3 11.2,3.08,9.9,10.06,2,9.91,12.3,7.22
34.4,11.61,41.79,41.79,5,30.44,33.53,29.8 35.55,6.48,21.69,21.69,6,22.63,25.24,17.15
30.53,9.3,35.5,35.14,8,24.41,27.16,25.3 25.44,7.1,26.81,26.23,3,23.11,22.67,17.56
26.66,11.43,41.36,44.63,6,21.82,31.45,27.54 39.79,22.49,84.77,76.12,11,63.92,79.67,63.11
8.32,3.64,12.92,13.13,2,9.47,11.92,8.85 59.78,13.52,48.8,49.69,15,33.94,39.18,34.61
39.22,10.06,37,38.33,4,29.42,35.1,28.42 3.24,3.18,13.12,12.71,5,7.7,11.02,9.02
7.14,5.29,23.10,19.06,8,12.17,16.03,15.82 68.16,12.28,33.58,34.64,15,39.07,42.71,27.67
11.88,3.59,13.41,13.82,8,9.96,14.34,9.33 55.3,11.53,36.73,35.78,6,45.37,51.38,31.61
16.2,7.02,26.94,26.3,9,18.23,22.05,17.56 82.45,15.52,45,44.23,13,59.63,64.41,35.89
15.81,6.93,23.91,23.61,7,24.2,28.21,18.74 4.65,5.5,20.91,23.39,5,13.53,17.09,15.61
41.25,8.41,26.23,25.24,10,28.39,27.65,20.79 10.44,5.22,17.1,18.93,3,21.67,26.22,13.66
139.65,35.03,119.56,130.83,22,120.17,144.67,88.59 16.28,4.81,18.2,18.98,5,15.15,18.04,13.58
12.06,2.59,8.74,8.17,5,6.92,7.1,6.35 4.2,2.64,9.89,11.25,2,9.35,9.85,7.7
19.44,3.83,12.87,13.23,5,13.03,13.4,10.29 28.38,8.91,30.95,33.33,8,18.63,24.48,23.13
13.5,3.61,15.6,12.39,4,12.28,13.01,9.89 23.32,7.1,24.96,28.56,22,16.81,19.72,18.7
27.6,9.38,32.29,34.01,20,26.36,28.22,24.46 11.7,10.53,37.67,43.6,8,22.85,26.21,28.14
4.68,1.85,6.22,5.46,5,8.17,8.7,5.12 10.44,4.82,17.13,18.21,9,13.69,14.19,12.99
"""
# Andersen–Petersen factors of the same sites by R's Benchmarking (sdea), as recorded in
# tests/reference/sdea/charnes.json of github.com/ArtyomViryutin/dealib; nan: no solution.
SUPER_VRS_INPUT = """
0.962137 0.901049 0.934775 0.901598 1.050444 0.909916 0.891415 0.905011 0.858524 0.940761
1.057722 1.048691 0.862317 0.989672 1.286791 0.950144 1.235984 1.039331 0.952553 1.142136
1.112151 1.015793 0.974834 1.105456 0.978669 0.942527 1.063000 0.990334 0.883292 0.893402
0.836877 1.061453 0.952089 0.859045 1.029884 0.792934 0.839302 1.145520 0.941479 0.949775
0.952326 0.953120 0.864742 2.081567 1.012029 0.912888 1.108887 1.301827 1.069000 0.958668
0.919870 1.186279 0.869643 1.218641 0.999367 1.092082 0.926926 1.351365 nan 0.980440
0.892692 1.554102 0.963448 0.930319 0.975393 0.935634 0.946232 1.189706 1.644846 0.964034
"""
SUPER_CRS_INPUT = """
0.919745 0.900793 0.926755 0.893309 0.929485 0.902729 0.888271 0.899947 0.844536 0.928748
0.975885 0.972647 0.857755 0.929464 1.281632 0.939280 1.080903 1.010101 0.945279 1.087180
1.026197 1.008946 0.958277 1.101493 0.960262 0.930731 1.059094 0.944332 0.829041 0.890687
0.832097 0.895162 0.927065 0.845817 1.005398 0.788316 0.837956 0.873283 0.935154 0.949652
0.941445 0.947353 0.864229 1.234222 0.880221 0.896436 1.106988 1.017496 1.068814 0.957469
0.919828 1.093894 0.861923 1.054322 0.990293 1.091354 0.925955 1.302978 0.915087 0.975330
0.881487 1.063918 0.961052 0.916809 0.964603 0.925897 0.927061 0.991159 1.256503 0.947464
"""
SUPER_VRS_OUTPUT = """
1.032294 1.109314 1.068429 1.107413 nan 1.105075 1.119087 1.104236 1.160721 1.054515
0.954870 0.963961 1.156008 1.015518 0.765976 1.052013 0.574493 0.964419 1.049108 0.889469
0.919013 0.984796 1.025260 0.907733 1.021387 1.060204 0.942567 1.012440 1.179593 1.117324
1.192858 nan 1.049250 1.160773 0.977344 1.268502 1.191771 nan 1.067070 1.052864 1.048858
1.055287 1.156332 0.655078 0.980441 1.093688 0.898157 nan 0.935198 1.043551 1.087084
0.856996 1.146480 0.872376 1.000621 0.913095 1.077509 0.754312 0.531913 1.019511 1.134393
nan 1.038235 1.073670 1.026983 1.067448 1.055316 0.893381 nan 1.036584
"""


def table(rows, inputs: int, names=None) -> pd.DataFrame:
    """Units u1, u2, … with inputs x1, x2, … and outputs y1, y2, …"""
    rows = np.asarray(rows, dtype=float)
    heads = [f"x{i + 1}" for i in range(inputs)]
    heads += [f"y{r + 1}" for r in range(rows.shape[1] - inputs)]
    frame = pd.DataFrame(rows, columns=heads)
    return frame.assign(unit=names or [f"u{k + 1}" for k in range(len(rows))])


def sides(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    return [c for c in frame if c[0] == "x"], [c for c in frame if c[0] == "y"]


def run(frame: pd.DataFrame, orientation="input", returns="crs", **more):
    more = {"enough": 2} | more
    return dea(frame, *sides(frame), orientation=orientation, returns=returns, **more)


def score(frame: pd.DataFrame, *way: str, **more) -> np.ndarray:
    return run(frame, *way, **more).scores.score.to_numpy()


def codes(caught) -> list[str]:
    return [problem.code for problem in caught.value.problems]


SCHOOLS = table([row.split(",") for row in SITES.split()], 5)


# published results


def test_the_five_firms_of_the_deap_manual_with_peers_weights_slacks_and_targets():
    """DEAP 2.1, example 1 (Coelli 1996): its output file at jthuang.nccu.edu.tw/…/EG1-out.txt."""
    firms = table([[2, 5, 1], [2, 4, 2], [6, 6, 3], [3, 2, 1], [6, 2, 2]], 2)
    found = run(firms, enough=5)
    assert found.scores.score.round(3).tolist() == [0.5, 1, 0.833, 0.714, 1]
    weights = (
        found.peers.round(3).groupby("unit").apply(lambda p: dict(p[["peer", "weight"]].to_numpy()))
    )
    assert weights.tolist() == [
        {"u2": 0.5}, {"u2": 1}, {"u2": 1, "u5": 0.5}, {"u5": 0.286, "u2": 0.214}, {"u5": 1},
    ]  # fmt: skip
    assert found.targets.slack.round(3).tolist() == [0, 0.5] + [0] * 13
    targets = found.targets.target.to_numpy().reshape(5, 3).round(3).tolist()
    assert targets == [[1, 2, 1], [2, 4, 2], [5, 5, 3], [2.143, 1.429, 1], [6, 2, 2]]


def test_eleven_units_of_the_julia_package_with_their_slacks():
    """javierbarbero/DataEnvelopmentAnalysis.jl, docs/src/technical/radial.md."""
    x = [[5, 13], [16, 12], [16, 26], [17, 15], [18, 14], [23, 6], [25, 10], [27, 22], [37, 14],
         [42, 25], [5, 17]]  # fmt: skip
    y = [12, 14, 25, 26, 8, 9, 27, 30, 31, 26, 12]
    units = table(np.column_stack([x, y]), 2)
    crs, vrs = run(units), run(units, returns="vrs")
    assert crs.scores.score.to_numpy() == pytest.approx(
        [1, 0.62229, 0.819856, 1, 0.310371, 0.555556, 1, 0.757669, 0.820106, 0.490566, 1], abs=1e-6
    )
    assert vrs.scores.score.to_numpy() == pytest.approx(
        [1, 0.8699861687413553, 1, 1, 0.7116402116402116, 1, 1, 1, 1, 0.4931209268645909, 1]
    )
    assert run(units, "output", "vrs").scores.factor.to_numpy() == pytest.approx(
        [1, 1.50752, 1, 1, 3.20395, 1, 1, 1, 1, 1.19231, 1], abs=1e-5
    )
    slack = [t.targets.slack.to_numpy().reshape(11, 3) for t in (crs, vrs)]
    assert slack[0][[5, 8, 10], [0, 0, 1]] == pytest.approx([4.44444, 1.64021, 4], abs=1e-5)
    assert slack[1][[4, 10], [2, 1]] == pytest.approx([2.69841, 4], abs=1e-5)
    assert [np.count_nonzero(part) for part in slack] == [3, 2]


@pytest.mark.parametrize(
    ("way", "published"),
    [
        (("input", "vrs"), SUPER_VRS_INPUT), (("input", "crs"), SUPER_CRS_INPUT),
        (("output", "vrs"), SUPER_VRS_OUTPUT),
    ],
)  # fmt: skip
def test_follow_through_sites_score_as_in_benchmarking(way, published):
    published = np.array(published.split(), dtype=float)
    factor = run(SCHOOLS, *way, super_efficiency=True, enough=None).scores.factor.to_numpy()
    assert factor == pytest.approx(published, abs=1e-6, nan_ok=True)
    worse = published < 1 if way[0] == "input" else published > 1
    expected = np.where(worse, published, 1)
    assert run(SCHOOLS, *way).scores.factor.to_numpy() == pytest.approx(expected, abs=1e-6)


def test_follow_through_nineteen_efficient_sites_and_the_slacks_of_the_first():
    """Benchmarking's second stage, recorded in the same repository, dea/charnes.json."""
    assert (score(SCHOOLS) == 1).sum() == 19
    first = run(SCHOOLS, returns="vrs").targets.slack[:8].to_numpy()
    recorded = [16.5200594116, 1.2491454329, 0, 1.0171921507, 0.443211861, 0, 3.5152937504, 0]
    assert first == pytest.approx(recorded, abs=1e-8)


def test_scale_efficiency_of_the_deap_manual():
    """DEAP 2.1 manual, example 2: one input, one output (Coelli 1996, CEPA 96/08)."""
    firms = table([[2, 1], [4, 2], [3, 3], [5, 4], [6, 5]], 1)
    found = scale_efficiency(firms, ["x1"], ["y1"], enough=5)
    assert found.crs.round(3).tolist() == [0.5, 0.5, 1, 0.8, 0.833]
    assert found.vrs.round(3).tolist() == [1, 0.625, 1, 0.9, 1]
    assert found.scale.round(3).tolist() == [0.5, 0.8, 1, 0.889, 0.833]
    assert found.returns.tolist() == ["递增", "递增", "不变", "递减", "递减"]
    assert found.formula[3] == "0.8/0.9"


# independent packages


@pytest.mark.parametrize("way", WAYS if SOAK else [("input", "crs"), ("output", "vrs")])
def test_pyfrontier_agrees_on_the_libraries_of_47_prefectures(way):
    raw = pd.read_csv(LIBRARIES)
    inputs, outputs = ["図書館数", "司書数", "図書冊数"], ["登録者数", "貸出冊数"]
    peer = EnvelopDEA(way[1].upper(), "in" if way[0] == "input" else "out")
    peer.fit(raw[inputs].to_numpy(float), raw[outputs].to_numpy(float))
    found = dea(raw, inputs, outputs, orientation=way[0], returns=way[1], unit="都道府県")
    assert found.scores.factor.to_numpy() == pytest.approx(
        [one.score for one in peer.result], abs=2e-6
    )


def brute(data, inputs: int, o: int, orientation: str, returns: str, *, apart=False):
    """Factor and largest sum of slacks (in column means) of unit o, each one program of scipy."""
    rest = np.delete(data, o, axis=0) if apart else data
    z, width = (rest / data[o]).T, data.shape[1]
    inward, kind = orientation == "input", np.arange(width) < inputs
    sign = np.where(kind, 1.0, -1.0)  # inputs at most, outputs at least
    radial = kind == inward
    left = np.column_stack([np.where(radial, -sign, 0.0), sign[:, None] * z])
    right = np.where(radial, 0.0, sign)
    sums, bound = np.r_[0.0, np.ones(len(rest))][None], {"vrs": "=", "nirs": "<", "ndrs": ">"}
    both = {"A_ub": left, "b_ub": right} if returns in ("crs", "vrs") else {
        "A_ub": np.vstack([left, sums if bound[returns] == "<" else -sums]),
        "b_ub": np.r_[right, 1.0 if bound[returns] == "<" else -1.0],
    }  # fmt: skip
    if returns == "vrs":
        both |= {"A_eq": sums, "b_eq": [1.0]}
    costs = np.r_[1.0 if inward else -1.0, np.zeros(len(rest))]
    first = linprog(costs, **both)
    if first.status == 2:
        return nan, nan
    share = data[o] / data.mean(axis=0)
    best = first.x[0] * (1 + (1e-9 if inward else -1e-9))
    limits = [(best, best)] + [(0, None)] * len(rest)
    second = linprog(np.r_[0.0, share @ left[:, 1:]], **both, bounds=limits)
    return first.x[0], share @ right - share @ left[:, 0] * best - second.fun


positive = st.integers(1, 60).map(lambda v: v / 7)


@st.composite
def samples(draw, cells=positive, least=2, most=10):
    """Data of a few units: ties are likely; two inputs or outputs at most."""
    inputs, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    row = st.lists(cells, min_size=inputs + outputs, max_size=inputs + outputs)
    return inputs, np.array(draw(st.lists(row, min_size=least, max_size=most)))


few = settings(max_examples=100 if SOAK else 12)


@few
@given(samples(), st.sampled_from(WAYS), st.booleans())
def test_every_factor_and_sum_of_slacks_is_that_of_a_program_over_all_units(sample, way, apart):
    inputs, data = sample
    found = run(table(data, inputs), *way, super_efficiency=apart)
    slack = found.targets.slack.to_numpy().reshape(data.shape)
    for o, factor in enumerate(found.scores.factor):
        best, total = brute(data, inputs, o, *way)
        if apart and abs(best - 1) < 1e-8:
            best, total = brute(data, inputs, o, *way, apart=True)
        assert factor == pytest.approx(best, abs=1e-7, nan_ok=True)
        assert (slack[o] / data.mean(axis=0)).sum() == pytest.approx(total, abs=1e-5, nan_ok=True)


def test_units_a_million_times_apart_and_columns_in_any_measure():
    dice = np.random.default_rng(7)
    size = 10 ** dice.uniform(0, 6, (20, 1))
    data = size * dice.uniform(0.5, 2, (20, 4)) * [1e9, 1e-3, 1, 1e4]
    frame = table(data, 2)
    for way in WAYS:
        expected = [brute(data, 2, o, *way)[0] for o in range(20)]
        assert run(frame, *way).scores.factor.to_numpy() == pytest.approx(expected, rel=1e-6)


# laws


@few
@given(samples(), st.sampled_from(WAYS), st.randoms(use_true_random=False))
def test_neither_units_of_measurement_nor_the_order_of_rows_change_anything(sample, way, dice):
    inputs, data = sample
    base = run(table(data, inputs), *way)
    measures = np.array([10.0 ** dice.randint(-6, 6) * dice.choice([1, 3, 0.7]) for _ in data.T])
    other = run(table(data * measures, inputs), *way)
    assert other.scores.score.to_numpy() == pytest.approx(base.scores.score.to_numpy(), abs=1e-9)
    assert other.scores.peers.tolist() == base.scores.peers.tolist()
    slack = base.targets.slack.to_numpy() * np.tile(measures, len(data))
    assert other.targets.slack.to_numpy() == pytest.approx(slack, rel=1e-5)
    rows = dice.sample(range(len(data)), len(data))
    moved = run(table(data, inputs).iloc[rows], *way)
    pd.testing.assert_frame_equal(moved.scores, base.scores.iloc[rows].reset_index(drop=True))
    again = moved.targets.set_index("unit").loc[base.targets.unit.unique()].reset_index()
    pd.testing.assert_frame_equal(again, base.targets)


@few
@given(samples(), st.sampled_from(["input", "output"]))
def test_more_returns_allowed_never_raise_a_distance(sample, orientation):
    inputs, data = sample
    crs, vrs, nirs, ndrs = (
        score(table(data, inputs), orientation, returns)
        for returns in ("crs", "vrs", "nirs", "ndrs")
    )
    assert (crs <= np.minimum(nirs, ndrs) + 1e-9).all()
    assert (np.maximum(nirs, ndrs) <= vrs + 1e-9).all()
    assert (crs > 0).all() and (vrs <= 1).all() and (vrs == 1).any()
    assert np.minimum(abs(nirs - crs), abs(nirs - vrs)) == pytest.approx(0, abs=1e-8)


@few
@given(samples())
def test_under_constant_returns_both_orientations_score_alike(sample):
    inputs, data = sample
    frame = table(data, inputs)
    assert score(frame) == pytest.approx(score(frame, "output"), abs=1e-9)


@few
@given(samples(least=3), st.sampled_from(WAYS))
def test_a_further_unit_never_raises_the_scores_of_the_others(sample, way):
    inputs, data = sample
    less = score(table(data[:-1], inputs), *way)
    assert (score(table(data, inputs), *way)[:-1] <= less + 1e-9).all()


@few
@given(samples(), st.sampled_from(WAYS), st.floats(1, 3))
def test_an_efficient_unit_stays_so_when_others_get_worse(sample, way, worse):
    inputs, data = sample
    before = run(table(data, inputs), *way).scores.efficient.to_numpy()
    keep = int(np.flatnonzero(before)[0])
    later = data.copy()
    later[:, :inputs] *= worse
    later[keep] = data[keep]
    assert run(table(later, inputs), *way).scores.efficient[keep]


@few
@given(samples(), st.sampled_from(WAYS), st.integers(0, 1))
def test_more_of_an_input_or_less_of_an_output_never_raises_ones_own_score(sample, way, which):
    inputs, data = sample
    before, later = score(table(data, inputs), *way)[0], data.copy()
    later[0, which % data.shape[1]] *= 1.5 if which % data.shape[1] < inputs else 1 / 1.5
    assert score(table(later, inputs), *way)[0] <= before + 1e-9


@few
@given(samples(), st.sampled_from(WAYS))
def test_a_target_is_what_its_formula_says_and_efficient_among_the_units(sample, way):
    inputs, data = sample
    found = run(table(data, inputs), *way)
    targets = found.targets.target.to_numpy()
    said = [eval(formula) for formula in found.targets.formula]  # noqa: S307 digits and signs
    assert targets == pytest.approx(said, rel=1e-8, abs=1e-8)
    targets = targets.reshape(data.shape)
    assert (targets[:, :inputs] <= data[:, :inputs] + 1e-9).all()
    assert (targets[:, inputs:] >= data[:, inputs:] - 1e-9).all()
    assert (targets > 0).all()
    for target in targets:
        again = run(table(np.vstack([data, target]), inputs), *way)
        assert again.scores.score.iloc[-1] == pytest.approx(1, abs=1e-6)
        shares = again.targets.slack.iloc[-data.shape[1] :] / data.mean(axis=0)
        assert shares.max() < 1e-5


@few
@given(samples(), st.sampled_from(WAYS))
def test_peers_are_efficient_and_add_up_to_the_target(sample, way):
    inputs, data = sample
    frame = table(data, inputs)
    found = run(frame, *way)
    efficient = set(found.scores.unit[found.scores.efficient])
    assert set(found.peers.peer) <= efficient
    weights = found.peers.pivot(index="unit", columns="peer", values="weight").fillna(0)
    mixed = weights.loc[frame.unit].to_numpy() @ frame.set_index("unit").loc[weights.columns]
    targets = found.targets.target.to_numpy().reshape(data.shape)
    assert mixed.to_numpy() == pytest.approx(targets, rel=1e-6, abs=1e-6)
    sums = weights.sum(axis=1)
    low, high = {"crs": (0, inf), "vrs": (1, 1), "nirs": (0, 1), "ndrs": (1, inf)}[way[1]]
    assert (sums >= low - 1e-6).all() and (sums <= high + 1e-6).all()


# what a reader is told


def test_weakly_efficient_and_unsolvable_units_are_named_and_nothing_is_silently_a_number():
    units = table([[1, 2, 1], [1, 1, 1], [5, 5, 9]], 2)
    found = run(units, "input", "vrs")
    assert found.scores.efficient.tolist() == [False, True, True]
    assert found.scores.note.tolist() == ["弱有效：仍有松弛", "", ""]
    best = run(units, "input", "vrs", super_efficiency=True)
    assert best.scores.score.isna().tolist() == [False, False, True]
    assert best.scores.note[2] == "超效率无解：其余单位不可比" and best.scores.peers[2] == ""
    last = best.targets[best.targets.unit == "u3"]
    assert last.target.isna().all() and set(last.formula) == {""}
    assert best.scores.efficient.tolist() == [False, True, True]


def test_without_a_second_stage_targets_are_radial():
    found = run(table([[2, 5, 1], [2, 4, 2]], 2), slacks=False)
    assert found.targets.target[:3].tolist() == [1, 2.5, 1] and not found.targets.slack.any()


def test_decimals_are_figures_and_names_may_be_anything():
    frame = pd.DataFrame({"单位": [1, 2], "成本": [Decimal("10.50"), 21], "里程": [1, np.int64(1)]})
    found = dea(frame, ["成本"], ["里程"], enough=2, unit="单位")
    assert found.scores.score.tolist() == [1, 0.5] and found.scores.unit.tolist() == ["1", "2"]


def test_nothing_is_printed(capfd):
    run(table([[1, 2], [2, 3]], 1))
    assert capfd.readouterr() == ("", "")


# refusals


def test_all_faults_of_the_data_are_told_at_once_with_their_cells():
    frame = table([[1, 1], [0, 2], [-3, 4], [nan, 1], [inf, 1]], 1)
    frame["x1"] = frame.x1.astype(object)
    frame.loc[0, "x1"] = "12"
    frame["unit"] = ["甲", "乙", "甲", "丙", None]
    frame["at"] = [f"样本!B{k}" for k in range(2, 7)]
    with pytest.raises(EvalkitError) as caught:
        dea(frame, ["x1"], ["y1"], enough=5)
    assert sorted(problem.cell for problem in caught.value.problems) == [
        "B2", "B3", "B4", "B4", "B5", "B6", "B6",
    ]  # fmt: skip
    assert set(codes(caught)) == {"frontier.twice", "sample.value", "sample.positive"}
    assert "x1" in str(caught.value) and "“甲”" in str(caught.value)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (table([[1, 1]] * 5, 1), "sample.few"),
        (table([[1, 1]] * 6, 1).drop(columns="unit"), "sample.column"),
        (table([[1]] * 6, 1).assign(y2=1), "sample.column"),
    ],
)
def test_too_few_units_and_missing_columns_are_refused(frame, code):
    with pytest.raises(EvalkitError) as caught:
        dea(frame, ["x1"], ["y1"])
    assert codes(caught) == [code]


def test_how_many_units_are_enough_may_be_said_but_one_is_never():
    assert score(table([[1, 1]] * 6, 1), enough=None).tolist() == [1] * 6
    for frame, enough, least in (
        (table([[1, 1, 1]] * 8, 2), None, "9"), (table([[1] * 8] * 23, 5), None, "24"),
        (table([[1, 1]], 1), 1, "2"),
    ):  # fmt: skip
        with pytest.raises(EvalkitError, match=least) as caught:
            score(frame, enough=enough)
        assert codes(caught) == ["sample.few"]


def test_data_beyond_the_solver_are_refused_not_guessed():
    wild = np.exp(np.random.default_rng(0).normal(0, 9, (25, 5)))
    with pytest.raises(EvalkitError) as caught:
        [run(table(wild, 3), *way) for way in WAYS]
    assert codes(caught) == ["frontier.solver"]


# bootstrap


def boot(frame, **more):
    told: list[str] = []
    more = {"seed": 3, "replications": 40, "enough": 2, "tell": told.append} | more
    return bootstrap(frame, *sides(frame), **more), told


FLEET = table(
    np.random.default_rng(4).uniform(1, 2, (14, 3))
    * [[1, 1, 0.8]]
    * np.linspace(1, 3, 14)[:, None],
    2,
)


@pytest.mark.parametrize("way", [("input", "vrs"), ("output", "crs")])
def test_a_bootstrap_is_the_published_algorithm(way):
    """Simar & Wilson (1998), redone step by step with scipy on the same draws."""
    width, rounds = 0.05, 8
    found, _ = boot(FLEET, orientation=way[0], returns=way[1], replications=rounds, bandwidth=width)
    data = FLEET.drop(columns="unit").to_numpy()
    order = np.lexsort(data.T[::-1])
    data, inward = data[order], way[0] == "input"

    def distance(own, reference):
        units = np.vstack([reference, own])  # measured against the others only
        factor, _ = brute(units, 2, len(reference), *way, apart=True)
        return 1 / factor if inward else factor

    real = np.array([brute(data, 2, o, *way)[0] for o in range(14)]) ** (-1 if inward else 1)
    dice = np.random.default_rng(3)
    drawn = dice.choice(real, (rounds, 14)) - 1
    smooth = abs(dice.normal(drawn, width))
    pseudo = 1 + smooth / np.sqrt(1 + width**2 / ((real - 1) ** 2).mean())
    again = np.empty((rounds, 14))
    for b in range(rounds):
        moved = data.copy()
        if inward:
            moved[:, :2] *= (pseudo[b] / real)[:, None]
        else:
            moved[:, 2:] /= (pseudo[b] / real)[:, None]
        again[b] = [distance(own, moved) for own in data]
    corrected = 1 / (2 * real - again.mean(axis=0))
    assert found.corrected.to_numpy()[order] == pytest.approx(corrected, abs=1e-6)
    high, low = 1 / (2 * real - np.quantile(again, [0.975, 0.025], axis=0))
    assert found.low.to_numpy()[order] == pytest.approx(low, abs=1e-6)
    assert found.high.to_numpy()[order] == pytest.approx(high, abs=1e-6)
    assert found.bias.to_numpy() == pytest.approx(found.score - found.corrected)


def test_a_bootstrap_tells_its_cost_is_repeatable_and_forgets_the_order_of_rows():
    found, told = boot(FLEET)
    assert len(told) == 1 and "560 个线性规划（40 次，每次 14 个单位），预计约" in told[0]
    pd.testing.assert_frame_equal(found, boot(FLEET)[0])
    moved, _ = boot(FLEET.iloc[::-1])
    pd.testing.assert_frame_equal(moved, found.iloc[::-1].reset_index(drop=True))
    assert not found.corrected.equals(boot(FLEET, seed=5)[0].corrected)
    assert (found.bias > 0).all() and found.advised.any()
    assert (found.low < found.high).all() and (found.high <= found.score + 1e-9).all()
    assert found.low.gt(0).all() and found.corrected.between(0, 1).all()


def test_the_default_bandwidth_is_the_stated_rule(monkeypatch):
    seen: list[float] = []
    real = 1 / score(FLEET)

    class Generator:
        def choice(self, values, size):
            return np.broadcast_to(values, size)

        def normal(self, middle, width):
            seen.append(width)
            return middle

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Generator())
    boot(FLEET, replications=2)
    above = np.sort(real)[np.sort(real) > 1]
    mirrored = np.r_[above, 2 - above]
    spread = min(mirrored.std(ddof=1), np.subtract(*np.quantile(mirrored, [0.75, 0.25])) / 1.34)
    assert seen == [pytest.approx(0.9 * spread * len(mirrored) ** -0.2)]


def test_an_unknown_orientation_or_technology_is_an_error_of_the_caller():
    for way in (("in", "crs"), ("input", "CRS")):
        with pytest.raises(KeyError):
            run(FLEET, *way)


def test_nothing_can_be_corrected_where_all_are_efficient():
    with pytest.raises(EvalkitError) as caught:
        boot(table([[1, 1]] * 4, 1))
    assert codes(caught) == ["frontier.alike"]


def test_corrected_scores_are_nearer_to_a_known_truth_and_intervals_cover_it():
    """Two inputs, one output, constant returns, half-normal inefficiency."""
    found = []
    for trial in range(10 if SOAK else 4):
        dice = np.random.default_rng(100 + trial)
        x, true = dice.uniform(1, 3, (40, 2)), np.exp(-np.abs(dice.normal(0, 0.3, 40)))
        frame = table(np.column_stack([x, np.sqrt(x.prod(axis=1)) * true]), 2)
        found.append(boot(frame, replications=150 if SOAK else 30)[0].assign(true=true))
    all_units = pd.concat(found)
    raw, corrected = all_units.score - all_units.true, all_units.corrected - all_units.true
    assert (raw >= -1e-9).all()
    assert abs(corrected.mean()) < raw.mean() / 3
    assert (corrected**2).mean() < (raw**2).mean()
    inside = all_units.true.between(all_units.low, all_units.high).mean()
    assert inside > (0.8 if SOAK else 0.7)
