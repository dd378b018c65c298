"""Published cases with printed digits: judgement matrices, weights, rankings, ratings, seats."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit.core.problem import EvalkitError
from evalkit.scoring.agreement import icc, kendall
from evalkit.scoring.weights import ahp, complete, critic, entropy, to_points


def upper(rows: str, names: str = "") -> pd.DataFrame:
    """A judgement matrix from what stands above its diagonal, rows parted by bars."""
    cells = [row.split() for row in rows.split("|")]
    given = names.split() or [f"C{i + 1}" for i in range(len(cells) + 1)]
    table = [[""] * (i + 1) + row for i, row in enumerate(cells)]
    return pd.DataFrame([*table, [""] * len(given)], given, given)


def frame(rows: object) -> pd.DataFrame:
    a = np.asarray(rows)
    return pd.DataFrame(a, [f"行{i + 1}" for i in range(len(a))], [*map(str, range(a.shape[1]))])


def ranked(*experts: str) -> pd.DataFrame:
    """Items × experts from each expert's ranks."""
    return frame(np.transpose([[float(rank) for rank in ranks.split()] for ranks in experts]))


# --- judgement matrices --------------------------------------------------------------------------

# Saaty (1977), J. Math. Psychology 15(3), and (1980): wealth of the United States, the Soviet
# Union, China, France, the United Kingdom, Japan and West Germany
NATIONS = upper("4 9 6 6 5 5|7 5 5 3 4|1/5 1/5 1/7 1/5|1 1/3 1/3|1/3 1/3|2")
# the same, optics: the brightness of four chairs at growing distance, judged twice
CHAIRS = upper("5 6 7|4 6|4"), upper("4 6 7|3 4|2")
# the same: distance from Philadelphia of Cairo, Tokyo, Chicago, San Francisco, London, Montreal
CITIES = upper("1/3 8 3 3 7|9 3 3 9|1/6 1/5 2|1/3 6|6")


@pytest.mark.parametrize(("matrix", "weights", "off", "consistency"), [
    (NATIONS, [0.427, 0.230, 0.021, 0.052, 0.052, 0.123, 0.094], 5e-4, (7.61, 0.10, 0.08)),
    (CHAIRS[0], [0.61, 0.24, 0.10, 0.05], 1e-2, (4.39, 0.13)),
    (CHAIRS[1], [0.62, 0.22, 0.10, 0.06], 5e-3, (4.10, 0.03)),
    (CITIES, [0.263, 0.397, 0.033, 0.116, 0.164, 0.027], 2e-3, (6.45,)),
])  # fmt: skip
def test_the_validations_of_saaty_1977(matrix, weights, off, consistency):
    found, numbers, _ = ahp(matrix)
    assert found["weight"].tolist() == pytest.approx(weights, abs=off)
    names = ("lambda_max", "ci", "cr")[: len(consistency)]
    assert tuple(round(numbers[name], 2) for name in names) == consistency


def test_the_holiday_of_jiang_qiyuan():
    # 姜启源等《数学模型》，层次分析模型: scenery, cost, lodging, food, travel; three resorts. The
    # book reckons its vectors approximately and prints three digits
    top = upper("1/2 4 3 3|7 5 5|1/2 1/3|1", "景色 费用 居住 饮食 旅途")
    below = ["2 5|2", "1/3 1/8|1/3", "1 3|3", "3 4|1", "1 1/4|1/4"]
    weights, consistency, _ = ahp(top)
    assert weights["weight"].tolist() == pytest.approx(
        [0.263, 0.475, 0.055, 0.099, 0.110], abs=2e-3
    )
    assert consistency["lambda_max"] == pytest.approx(5.073, abs=1e-3)
    assert [round(consistency[name], 3) for name in ("ci", "cr")] == [0.018, 0.016]
    local = pd.DataFrame([ahp(upper(rows, "P1 P2 P3")).weights["weight"] for rows in below], top)
    printed = [[0.595, 0.277, 0.129], [0.082, 0.236, 0.682], [0.429, 0.429, 0.142],
               [0.633, 0.193, 0.175], [0.166, 0.166, 0.668]]  # fmt: skip
    assert np.allclose(local, printed, atol=2e-3)
    resorts = weights["weight"].to_numpy() @ local
    assert resorts.tolist() == pytest.approx([0.300, 0.246, 0.456], abs=2e-3)


def test_the_city_to_live_in_of_saaty_2005():
    # Saaty (2005), Theory and Applications of the Analytic Network Process; the case is among the
    # tests of AHPy
    top = upper("1/5 3 1/2 5|7 1 7|1/4 3|7", "Culture Family Housing Jobs Transport")
    below = ["1/2 1 1/2|2.5 1|1/2.5", "2 1/3 4|1/8 2|9", "5 1/2 2.5|1/9 1/4|7", "1/2 3 4|6 8|1",
             "1.5 1/2 4|1/3.5 2.5|9"]  # fmt: skip
    cities = "Bethesda Boston Pittsburgh SantaFe"
    local = [ahp(upper(rows, cities), "saaty2005").weights["weight"] for rows in below]
    found = sum(whole * part for whole, part in zip(ahp(top).weights["weight"], local, strict=True))
    assert found.round(3).tolist() == [0.229, 0.275, 0.385, 0.111]


def test_the_example_of_bozoki_fulop_and_ronyai_2010_once_its_pair_is_judged():
    # Mathematical and Computer Modelling 52; weights as the manual of AHPy prints them
    matrix = upper("1 5 2|3 4|3/4", "a b c d")
    assert ahp(matrix).weights["weight"].round(4).tolist() == [0.3742, 0.3917, 0.0991, 0.1349]


def test_pairs_left_out_are_all_named_and_none_is_guessed():
    # the incomplete housing example of the same paper: 12 of 28 pairs have no judgement
    house = pd.DataFrame("", [*"abcdefgh"], [*"abcdefgh"])
    given = {"ab": 5, "ac": 3, "ad": 7, "ae": 6, "af": 6, "bd": 5, "bf": 3, "ce": 3, "cg": 6,
             "fd": 4, "ga": 3, "ge": 5, "ha": 4, "hb": 7, "hd": 8, "hf": 6}  # fmt: skip
    for pair, judgement in given.items():
        house.loc[pair[0], pair[1]] = str(judgement)
    with pytest.raises(EvalkitError) as error:
        complete(house)
    assert [problem.code for problem in error.value.problems] == ["weight.unjudged"] * 12
    assert str(error.value).startswith("“b”与“c”没有比较——请填写上三角的判断值")


# --- weights from data ---------------------------------------------------------------------------

# Hwang & Yoon (1981), Multiple Attribute Decision Making: four fighters, six attributes
FIGHTERS = [[2.0, 1500, 20_000, 5.5, 5, 9], [2.5, 2700, 18_000, 6.5, 3, 5],
            [1.8, 2000, 21_000, 4.5, 7, 7], [2.2, 1800, 20_000, 5.0, 5, 5]]  # fmt: skip
# Xu (2004), European Journal of Operational Research 156; the last attribute hardly differs
XU = [[30, 30, 38, 29], [19, 54, 86, 29], [19, 15, 85, 28.9], [68, 70, 60, 29]]
# Zavadskas & Podvezko (2016), International Journal of Information Technology & Decision Making 15
ZAVADSKAS = [[3.0, 100, 10, 7], [2.5, 80, 8, 5], [1.8, 50, 20, 11], [2.2, 70, 12, 9]]
# Ersoy (2021), LogForum 17(3)
ERSOY = [[256, 8, 41, 1.6, 1.77, 7347.16], [256, 8, 32, 1.0, 1.8, 6919.99],
         [256, 8, 53, 1.6, 1.9, 8400], [256, 8, 41, 1.0, 1.75, 6808.9],
         [512, 8, 35, 1.6, 1.7, 8479.99], [256, 4, 35, 1.6, 1.7, 7499.99]]  # fmt: skip
# Lee & Chang (2018), Renewable and Sustainable Energy Reviews 92
LEE = [[4550, 30, 6.74, 20, 15, 5, 85, 150, 0.87, 4.76],
       [3005, 60.86, 2.4, 35, 27, 4, 26, 200, 0.17, 4.51],
       [2040, 14.85, 1.7, 90, 25, 5, 26, 500, 0.27, 4.19],
       [3370, 99.4, 3.25, 25.3, 54, 3, 45, 222, 0.21, 3.78],
       [3920, 112.6, 4.93, 11.4, 71.7, 2, 50, 100, 0.25, 4.11]]  # fmt: skip
# Elsayed, Dawood & Karthikeyan (2017), Int. J. Engineering Trends and Technology 46; numbers from
# 0.1 to 900 000 in one table
ELSAYED = [[7, 312, 1891, 6613, 163], [72, 88, 728, 941_804, 1078], [10, 252, 2594, 3466, 117_471],
           [10, 145, 980, 2371, 86_329], [65, 54, 350, 501, 29_897], [29, 48, 380, 912, 34_051],
           [7, 476, 3300, 78_470, 2212], [70, 87, 650, 733, 819_000], [4, 86, 591, 3015, 103],
           [12, 79, 579, 3240, 96_098], [21, 45, 261, 1253, 453],
           [1, 72, 530, 4333, 0.1048]]  # fmt: skip


@pytest.mark.parametrize(("table", "weights", "off"), [
    # Hwang & Yoon go on with entropies of four digits
    (FIGHTERS, [0.0649, 0.2055, 0.0133, 0.0829, 0.3570, 0.2764], 2e-3),
    (XU, [0.4630, 0.3992, 0.1378, 0.0000], 5e-5),
    (ZAVADSKAS, [0.1146, 0.1981, 0.4185, 0.2689], 5e-5),
    (ERSOY, [0.405, 0.221, 0.134, 0.199, 0.007, 0.034], 5e-4),
    (LEE, [0.026, 0.154, 0.089, 0.199, 0.115, 0.040, 0.080, 0.123, 0.172, 0.002], 5e-4),
    (ELSAYED, [0.104991, 0.069124, 0.071373, 0.449937, 0.304575], 5e-7),
])  # fmt: skip
def test_published_entropy_weights(table, weights, off):
    assert entropy(frame(table))["weight"].tolist() == pytest.approx(weights, abs=off)


# Diakoulaki, Mavrotas & Papayannakis (1995), Computers & Operations Research 22(7): profitability,
# market share and productivity of eight firms
FIRMS = [[61, 1.08, 4.33], [20.7, 0.26, 4.34], [16.3, 1.98, 2.53], [9.0, 3.29, 1.65],
         [5.4, 2.77, 2.33], [4.0, 4.12, 1.21], [-6.1, 3.52, 2.10], [-34.6, 3.31, 0.98]]  # fmt: skip
# Tuş & Aytaç Adalı (2019), OPSEARCH 56(2); they do not turn the first one, a cost
SOFTWARE = [[5000, 3, 3, 4, 3, 2], [680, 5, 3, 2, 2, 1], [2000, 3, 2, 3, 4, 3],
            [600, 4, 3, 1, 2, 2], [800, 2, 4, 3, 3, 4]]  # fmt: skip


@pytest.mark.parametrize(("table", "weights"), [
    (FIRMS, [0.202, 0.481, 0.317]), (SOFTWARE, [0.157, 0.249, 0.168, 0.121, 0.154, 0.151]),
])  # fmt: skip
def test_published_critic_weights(table, weights):
    assert critic(frame(table))["weight"].round(3).tolist() == weights


# --- rankings and ratings ------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "w", "chi2"), [
    # Siegel (1956), Nonparametric Statistics: three executives rank six applicants
    (ranked("1 6 3 2 5 4", "1 5 6 4 2 3", "6 3 2 5 4 1"), 0.162, 2.429),
    # the same: three rankings of ten objects with ties; W = .828
    (ranked("1 4.5 2 4.5 3 7.5 6 9 7.5 10", "2.5 1 2.5 4.5 4.5 8 9 6.5 10 6.5",
            "2 1 4.5 4.5 4.5 4.5 8 8 8 10"), 0.828, 22.349),
    # Kendall & Gibbons (1990), chapter 6: four rankings of six objects, S = 64
    (ranked("5 4 1 6 3 2", "2 3 1 5 6 4", "4 1 6 3 2 5", "4 3 2 5 1 6"), 0.229, 4.571),
])  # fmt: skip
def test_published_concordance(table, w, chi2):
    found = kendall(table)
    assert (round(found["w"], 3), round(found["chi2"], 3)) == (w, chi2)


def test_the_ways_to_round_first_base_of_hollander_and_wolfe_1973():
    # in R's friedman.test: chi-squared = 11.143, df = 2, p-value = 0.003805
    times = """5.40 5.50 5.55  5.85 5.70 5.75  5.20 5.60 5.50  5.55 5.50 5.40  5.90 5.85 5.70
        5.45 5.55 5.60  5.40 5.40 5.35  5.45 5.50 5.35  5.25 5.15 5.00  5.85 5.80 5.70
        5.25 5.20 5.10  5.65 5.55 5.45  5.60 5.35 5.45  5.05 5.00 4.95  5.50 5.50 5.40
        5.45 5.55 5.50  5.55 5.55 5.35  5.45 5.50 5.55  5.50 5.45 5.25  5.65 5.60 5.40
        5.70 5.65 5.55  6.30 6.30 6.25"""
    found = kendall(frame(np.reshape(times.split(), (22, 3)).T))
    assert (found["experts"], found["items"], found["df"]) == (22, 3, 2)
    assert (round(found["chi2"], 3), round(found["p_chi2"], 6)) == (11.143, 0.003805)
    assert found["method"].startswith("精确概率") and found["p"] == pytest.approx(0.00315, abs=1e-5)


def test_the_wines_of_real_statistics():
    # four judges, eight wines; coefficients and intervals as R's psych::ICC gives them
    wines = [[1, 2, 0, 1], [1, 3, 3, 2], [3, 8, 1, 4], [6, 4, 3, 3], [6, 5, 5, 6], [7, 5, 6, 2],
             [8, 7, 7, 9], [9, 9, 9, 8]]  # fmt: skip
    found = icc(frame(wines))
    assert found["icc"].round(3).tolist() == [0.728, 0.728, 0.729, 0.914, 0.914, 0.915]
    assert found["low"].round(3).tolist() == [0.434, 0.434, 0.426, 0.754, 0.754, 0.748]
    assert found["high"].round(3).tolist() == [0.927, 0.927, 0.928, 0.981, 0.981, 0.981]
    assert found["f"].round(3).tolist() == [11.680, 11.787, 11.787] * 2
    assert found["p"].round(6).tolist() == [2e-6, 5e-6, 5e-6] * 2


# --- seats ---------------------------------------------------------------------------------------


def test_seats_by_largest_remainders():
    # the usual textbook election: 100 000 votes, ten seats, the quota of Hare
    votes = {"黄": 47_000, "白": 16_000, "红": 15_900, "绿": 12_000, "蓝": 6000, "粉": 3100}
    assert to_points(votes, 10)["points"].tolist() == [5, 2, 1, 1, 1, 0]


def test_the_alabama_paradox_is_a_property_of_the_method():
    # Balinski & Young (1982): a larger house can take a seat from a small state
    people = {"甲": 6, "乙": 6, "丙": 2}
    assert to_points(people, 10)["points"].tolist() == [4, 4, 2]
    assert to_points(people, 11)["points"].tolist() == [5, 5, 1]
