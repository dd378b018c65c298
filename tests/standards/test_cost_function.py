"""Cost functions against NIST's certified values, published tables and plain matrix algebra."""

from __future__ import annotations

import pickle
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import linprog
from support import SOAK
from test_outliers import codes, worked_out

from evalkit.core.problem import EvalkitError
from evalkit.standards.cost_function import CostFunction, fit

# NIST/ITL StRD, linear regression (itl.nist.gov/div898/strd/lls): certified estimates, their
# standard deviations, residual standard deviation and R².
NORRIS = (
    "0.1 0.2 338.8 337.4 118.1 118.2 888.0 884.6 9.2 10.1 228.1 226.5 668.5 666.3 998.5 996.3 "
    "449.1 448.6 778.9 777.0 559.2 558.2 0.3 0.4 0.1 0.6 778.1 775.5 668.8 666.9 339.3 338.0 "
    "448.9 447.5 10.8 11.6 557.7 556.0 228.3 228.1 998.0 995.8 888.8 887.6 119.6 120.2 0.3 0.3 "
    "0.6 0.3 557.6 556.8 339.3 339.1 888.0 887.2 998.5 999.0 778.9 779.0 10.2 11.1 117.6 118.3 "
    "228.9 229.2 668.4 669.1 449.2 448.9 0.2 0.5"
)
PONTIUS = (
    ".11019 .21956 .32949 .43899 .54803 .65694 .76562 .87487 .98292 1.09146 1.20001 1.30822 "
    "1.41599 1.52399 1.63194 1.73947 1.84646 1.95392 2.06128 2.16844 .11052 .22018 .32939 .43886 "
    ".54798 .65739 .76596 .87474 .98300 1.09150 1.20004 1.30818 1.41613 1.52408 1.63159 1.73965 "
    "1.84696 1.95445 2.06177 2.16829"
)
LONGLEY = (
    "60323 83.0 234289 2356 1590 107608 1947 61122 88.5 259426 2325 1456 108632 1948 60171 88.2 "
    "258054 3682 1616 109773 1949 61187 89.5 284599 3351 1650 110929 1950 63221 96.2 328975 2099 "
    "3099 112075 1951 63639 98.1 346999 1932 3594 113270 1952 64989 99.0 365385 1870 3547 115094 "
    "1953 63761 100.0 363112 3578 3350 116219 1954 66019 101.2 397469 2904 3048 117388 1955 67857 "
    "104.6 419180 2822 2857 118734 1956 68169 108.4 442769 2936 2798 120445 1957 66513 110.8 "
    "444546 4681 2637 121950 1958 68655 112.6 482704 3813 2552 123366 1959 69564 114.2 502601 "
    "3931 2514 125368 1960 69331 115.7 518173 4806 2572 127852 1961 70551 116.9 554894 4007 2827 "
    "130081 1962"
)
WAMPLER_NOISE = [759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048, 2048, -2048, 1838,
                 -2048, 2048, -2048, 2523, -2048, 2048, -2048, 759]  # fmt: skip
WAMPLER_SD = np.array([
    2152.32624678170, 2363.55173469681, 779.343524331583, 101.475507550350, 5.64566512170752,
    0.112324854679312,
])  # fmt: skip


def numbers(text: str, columns: int) -> np.ndarray:
    return np.array(text.split(), dtype=float).reshape(-1, columns)


def powers(x: np.ndarray, y: np.ndarray, degree: int) -> pd.DataFrame:
    return pd.DataFrame({"y": y} | {f"x{i}": x**i for i in range(1, degree + 1)})


def wampler(size: int) -> pd.DataFrame:
    """Wampler3 (size 1), Wampler4 (100), Wampler5 (10 000): all coefficients 1, and noise."""
    x = np.arange(21.0)
    return powers(x, sum(x**i for i in range(6)) + size * np.array(WAMPLER_NOISE, float), 5)


def straight(frame: pd.DataFrame, **more) -> CostFunction:
    """The first column on all others, in levels, with classical errors."""
    cost, first, *others = frame
    settings = {"log": False, "robust": "nonrobust", "least": 1} | more
    return fit(frame, cost, [first], others, **settings)


NIST = {
    "Norris": (
        pd.DataFrame(numbers(NORRIS, 2)),
        [-0.262323073774029, 1.00211681802045], [0.232818234301152, 0.429796848199937e-3],
        0.884796396144373, 0.999993745883712, 1e-11,
    ),
    "Pontius": (
        powers(np.tile(np.arange(150_000.0, 3_000_001, 150_000), 2), numbers(PONTIUS, 1)[:, 0], 2),
        [0.673565789473684e-3, 0.732059160401003e-6, -0.316081871345029e-14],
        [0.107938612033077e-3, 0.157817399981659e-9, 0.486652849992036e-16],
        0.205177424076185e-3, 0.999999900178537, 1e-10,
    ),
    "Longley": (
        pd.DataFrame(numbers(LONGLEY, 7)),
        [-3482258.63459582, 15.0618722713733, -0.358191792925910e-1, -2.02022980381683,
         -1.03322686717359, -0.511041056535807e-1, 1829.15146461355],
        [890420.383607373, 84.9149257747669, 0.334910077722432e-1, 0.488399681651699,
         0.214274163161675, 0.226073200069370, 455.478499142212],
        304.854073561965, 0.995479004577296, 1e-11,
    ),
    "Wampler3": (wampler(1), [1] * 6, WAMPLER_SD, 2360.14502379268, 0.999995559025820, 1e-8),
    "Wampler4": (
        wampler(100), [1] * 6, WAMPLER_SD * 100, 236014.502379268, 0.957478440825662, 5e-8,
    ),
    "Wampler5": (
        wampler(10_000), [1] * 6, WAMPLER_SD * 10_000, 23601450.2379268, 0.224668921574940e-2, 5e-6,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NIST)
def test_nist_certified_values(name):
    frame, estimates, deviations, sigma, r2, digits = NIST[name]
    found = straight(frame.set_axis([f"c{i}" for i in range(frame.shape[1])], axis=1))
    assert found.terms["coefficient"].tolist() == pytest.approx(list(estimates), rel=digits)
    assert found.terms["se"].tolist() == pytest.approx(list(deviations), rel=1e-9)
    assert found.sigma == pytest.approx(sigma, rel=1e-11)
    assert found.r2 == pytest.approx(r2, rel=1e-11)


@pytest.mark.parametrize("base", [1.0, 0.1])
def test_nist_wampler_1_and_2_are_exact_and_said_to_be(base):
    x = np.arange(21.0)
    found = straight(powers(x, sum((base * x) ** i for i in range(6)), 5))
    assert found.terms["coefficient"].tolist() == pytest.approx(
        [base**i for i in range(6)], rel=1e-7
    )
    assert found.sigma == pytest.approx(0, abs=1e-6) and found.r2 == pytest.approx(1)
    assert "残差为零（成本疑为按公式推算）" in found.diagnostics.loc["reset", "verdict"]
    assert np.isfinite(found.points["studentised"]).all()


def test_longleys_collinearity_as_published():
    found = straight(NIST["Longley"][0].set_axis(list("yabcdef"), axis=1))
    # variance inflation as printed in regression texts; condition √(4.603377/0.000376708)
    assert found.terms["vif"].round(2).tolist()[1:] == [
        135.53,
        1788.51,
        33.62,
        3.59,
        399.15,
        758.98,
    ]
    assert found.diagnostics.loc["condition", "statistic"] == pytest.approx(110.54, abs=0.01)
    assert found.diagnostics.loc["vif", "verdict"] == "共线性严重，各系数不宜单独解释"
    assert np.isnan(found.diagnostics.loc["white", "statistic"])
    assert "样本太少" in found.diagnostics.loc["white", "verdict"]
    assert found.adjusted_r2 == pytest.approx(0.992465, abs=1e-6)


# Nerlove (1963), 145 US electricity producers in 1955: cost (million $), output (million kWh),
# prices of labour, capital, fuel. Data of R's AER::Electricity1955 and Ecdat::Nerlove, with the
# wage of firm 42 at 2.05 (printed 2.02 there): no other cell reproduces the published digits.
NERLOVE = """
0.082 2 2.09 183 17.9 0.661 3 2.05 174 35.1 0.99 4 2.05 171 35.1 0.315 4 1.83 166 32.2 0.197 5 2.12
233 28.6 0.098 9 2.12 195 28.6 0.949 11 1.98 206 35.5 0.675 13 2.05 150 35.1 0.525 13 2.19 155 29.1
0.501 22 1.72 188 15 1.194 25 2.09 170 17.9 0.67 25 1.68 167 39.7 0.349 35 1.81 213 22.6 0.423 39
2.3 164 23.6 0.501 43 1.75 170 42.8 0.55 63 1.76 161 10.3 0.795 68 1.98 210 35.5 0.664 81 2.29 158
28.5 0.705 84 2.19 156 29.1 0.903 73 1.75 176 42.8 1.504 99 2.2 170 36.2 1.615 101 1.66 192 33.4
1.127 119 1.92 164 22.5 0.718 120 1.77 175 21.3 2.414 122 2.09 180 17.9 1.13 130 1.82 176 38.9
0.992 138 1.8 202 20.2 1.554 149 1.92 227 22.5 1.225 196 1.92 186 29.1 1.565 197 2.19 183 29.1
1.936 209 1.92 169 22.5 3.154 214 1.52 168 27.5 2.599 220 1.92 164 22.5 3.298 234 2.2 164 36.2
2.441 235 2.11 170 24.4 2.031 253 1.92 158 22.5 4.666 279 2.05 177 35.1 1.834 290 1.66 195 33.4
2.072 290 1.8 176 20.2 2.039 295 1.77 188 21.3 3.398 299 1.7 187 26.9 3.083 324 2.02 152 35.1 2.344
333 2.19 157 29.1 2.382 338 1.85 163 24.6 2.657 353 2.19 143 29.1 1.705 353 2.13 167 10.7 3.23 416
1.54 217 26.2 5.049 420 1.52 144 27.5 3.814 456 2.09 178 30 4.58 484 1.75 176 42.8 4.358 516 2.3
167 23.6 4.714 550 2.05 158 35.1 4.357 563 2.32 162 31.9 3.919 566 2.31 198 33.5 3.442 592 1.92 164
22.5 4.898 671 2.05 164 35.1 3.584 696 1.76 161 10.3 5.535 719 1.7 174 26.9 4.406 742 2.04 157 20.7
4.289 795 2.24 185 26.5 6.731 800 1.7 157 26.9 6.895 808 1.68 203 39.7 5.112 811 2.29 178 28.5
5.141 855 2 183 34.3 5.72 860 2.31 168 33.5 4.691 909 1.45 196 17.6 6.832 913 1.7 166 26.9 4.813
924 1.76 172 10.3 6.754 984 1.7 158 26.9 5.127 991 2.09 174 30 6.388 1000 1.55 225 28.2 4.509 1098
2.11 168 24.4 7.185 1109 2.05 177 35.1 6.8 1118 2.3 161 23.6 7.743 1122 2.19 162 29.1 7.968 1137
2.04 158 20.7 8.858 1156 2.31 176 33.5 8.588 1166 1.7 183 26.9 6.449 1170 2.05 166 35.1 8.488 1215
2.19 164 29.1 8.877 1279 2 207 34.3 10.274 1291 2.32 175 31.9 6.024 1290 1.55 225 28.2 8.258 1331
2.13 178 30 13.376 1373 2.2 157 36.2 10.69 1420 2.2 138 36.2 8.308 1474 1.85 163 24.6 6.082 1497
1.76 168 10.3 9.284 1545 1.8 158 20.2 10.879 1649 2.32 177 31.9 8.477 1668 1.8 170 20.2 6.877 1782
2.13 183 10.7 15.106 1831 1.98 162 35.5 8.031 1833 1.76 177 10.3 8.082 1838 1.45 196 17.6 10.866
1787 2.24 164 26.5 8.596 1918 1.69 158 12.9 8.673 1930 1.81 157 22.6 15.437 2028 2.11 163 24.4
8.211 2057 1.76 161 10.3 11.982 2084 1.77 156 21.3 16.674 2226 2 217 34.3 12.62 2304 2.3 161 23.6
12.905 2341 2.04 183 20.7 11.615 2353 1.69 167 12.9 9.321 2367 1.76 161 10.3 12.962 2451 2.04 163
20.7 16.932 2457 2.2 170 36.2 9.648 2507 1.76 174 10.3 18.35 2530 2.31 197 33.5 17.333 2576 1.92
162 22.5 12.015 2607 1.76 155 10.3 11.32 2870 1.76 167 10.3 22.337 2993 2.31 176 33.5 19.035 3202
2.3 170 23.6 12.205 3286 1.61 183 17.8 17.078 3312 1.68 190 28.8 25.528 3498 2.09 170 30 24.021
3538 2.09 176 30 32.197 3794 2.05 159 35.1 26.652 3841 2.29 157 28.5 20.164 4014 2.11 161 24.4
14.132 4217 1.53 172 18.1 21.41 4305 2.11 203 24.4 23.244 4494 2.04 167 20.7 29.845 4764 2.19 195
29.1 32.318 5277 1.92 161 29.1 21.988 5283 2.04 159 20.7 35.229 5668 2.11 177 24.4 17.467 5681 1.76
157 10.3 22.828 5819 1.79 196 18.5 33.154 6000 2.11 183 24.4 32.228 6119 1.54 189 26.2 34.168 6136
1.92 160 22.5 40.594 7193 2.12 162 28.6 33.354 7886 1.61 178 17.8 64.542 8419 2.32 199 31.9 41.238
8642 2.24 182 26.5 47.993 8787 2.31 190 33.5 69.878 9484 2.11 165 24.4 44.894 9956 1.68 203 28.8
67.12 11477 2.24 151 26.5 73.05 11796 2.12 148 28.6 139.422 14359 2.31 212 33.5 119.939 16719 2.3
162 23.6
"""


def nerlove() -> pd.DataFrame:
    frame = pd.DataFrame(
        numbers(NERLOVE, 5), columns=["cost", "output", "labor", "capital", "fuel"]
    )
    frame.loc[41, "labor"] = 2.05
    return frame


def test_nerloves_cost_function_as_published():
    # unrestricted Cobb–Douglas: Hayashi (2000), ch. 1, printed by gretl in Creel's Econometrics
    found = fit(
        nerlove(), "cost", ["output"], ["labor", "fuel", "capital"],
        logged=["labor", "fuel", "capital"], robust="nonrobust",
    )  # fmt: skip
    constant, *elasticities = found.terms["coefficient"]
    assert constant == pytest.approx(-3.5265, abs=6e-5)
    assert elasticities == pytest.approx([0.720394, 0.436341, 0.426517, -0.219888], abs=6e-7)
    assert found.terms["se"].tolist() == pytest.approx(
        [1.77437, 0.0174664, 0.291048, 0.100369, 0.339429], abs=6e-6
    )
    assert found.terms["t"].tolist() == pytest.approx(
        [-1.9875, 41.2445, 1.4992, 4.2495, -0.6478], abs=6e-5
    )
    assert found.terms["p"].tolist() == pytest.approx([0.0488, 0, 0.1361, 0, 0.5182], abs=6e-5)
    assert found.sigma == pytest.approx(0.392356, abs=6e-7)
    assert (found.r2, found.adjusted_r2) == pytest.approx((0.925955, 0.923840), abs=6e-7)
    assert found.scale.loc[0, "b"] == pytest.approx(0.720394, abs=6e-7)
    assert found.scale.loc[0, "t"] == pytest.approx((0.720394 - 1) / 0.0174664, abs=1e-3)
    assert found.scale.loc[0, "verdict"].startswith("规模经济")
    assert found.formula.startswith("ln(cost) = -3.5265+0.720394×ln(output)+0.436341×ln(labor)")
    assert found.diagnostics.loc["reset", "p"] < 0.001  # Nerlove: elasticity varies with output


# Christensen, six US airlines 1970–1984 (Greene, Econometric Analysis; R's AER::USAirlines):
# firm, output (revenue passenger miles), cost ($1 000), fuel price, load factor.
AIRLINES = """
1 0.952757 1140640 106650 0.534487 1 0.986757 1215690 110307 0.532328 1 1.09198 1309570 110574
0.547736 1 1.17578 1511530 121974 0.540846 1 1.16017 1676730 196606 0.591167 1 1.17376 1823740
265609 0.575417 1 1.29051 2022890 263451 0.594495 1 1.39067 2314760 316411 0.597409 1 1.61273
2639160 384110 0.638522 1 1.82544 3247620 569251 0.676287 1 1.54604 3787750 871636 0.605735 1
1.5279 3867750 997239 0.61436 1 1.6602 3996020 938002 0.633366 1 1.82231 4282880 859572 0.650117 1
1.93646 4748320 823411 0.625603 2 0.520635 569292 103795 0.490851 2 0.534627 640614 111477 0.473449
2 0.655192 777655 118664 0.503013 2 0.791575 999294 114797 0.512501 2 0.842945 1203970 215322
0.566782 2 0.852892 1358100 281704 0.558133 2 0.922843 1501350 304818 0.558799 2 1 1709270 348609
0.57207 2 1.19845 2025400 374579 0.624763 2 1.34067 2548370 544109 0.628706 2 1.32624 3137740
853356 0.58915 2 1.24852 3557700 1003200 0.532612 2 1.25432 3717740 941977 0.526652 2 1.37177
3962370 856533 0.540163 2 1.38974 4209390 821361 0.528775 3 0.262424 286298 118788 0.524334 3
0.266433 309290 123798 0.537185 3 0.306043 342056 122882 0.582119 3 0.325586 374595 131274 0.579489
3 0.345706 450037 222037 0.606592 3 0.367517 510412 278721 0.60727 3 0.409937 575347 306564
0.582425 3 0.448023 669331 356073 0.573972 3 0.539595 783799 378311 0.654256 3 0.539382 913883
555267 0.631055 3 0.467967 1041520 850322 0.56924 3 0.450544 1125800 1015610 0.589682 3 0.468793
1096070 954508 0.587953 3 0.494397 1198930 886999 0.565388 3 0.493317 1170470 844079 0.577078 4
0.086393 145167 114987 0.432066 4 0.09674 170192 120501 0.439669 4 0.1415 247506 121908 0.488932 4
0.169715 309391 127220 0.484181 4 0.173805 354338 209405 0.529925 4 0.164272 373941 263148 0.532723
4 0.170906 420915 316724 0.549067 4 0.17784 474017 363598 0.55714 4 0.192248 532590 389436 0.611377
4 0.242469 676771 547376 0.645319 4 0.256505 880438 850418 0.611734 4 0.249657 1052020 1011170
0.580884 4 0.273923 1193680 951934 0.572047 4 0.371131 1303390 881323 0.59457 4 0.421411 1436970
831374 0.585525 5 0.051028 91361 118222 0.442875 5 0.052646 95428 116223 0.462473 5 0.056348 98187
115853 0.519118 5 0.066953 115967 129372 0.529331 5 0.070308 138382 243266 0.557797 5 0.073961
156228 277930 0.556181 5 0.084946 183169 317273 0.569327 5 0.095474 210212 358794 0.583465 5
0.119814 274024 397667 0.631818 5 0.150046 356915 566672 0.604723 5 0.144014 432344 848393 0.587921
5 0.1693 524294 1005740 0.616159 5 0.172761 530924 958231 0.605868 5 0.18667 581447 872924 0.594688
5 0.213279 610257 844622 0.635545 6 0.037682 68978 117112 0.448539 6 0.039784 74904 119420 0.475889
6 0.044331 83829 116087 0.500562 6 0.050245 98148 122997 0.500344 6 0.055046 118449 194309 0.528897
6 0.052462 133161 307923 0.495361 6 0.056977 145062 323595 0.510342 6 0.06149 170711 363081
0.518296 6 0.069027 199775 386422 0.546723 6 0.092749 276797 564867 0.554276 6 0.11264 381478
874818 0.517766 6 0.154154 506969 1013170 0.580049 6 0.186461 633388 930477 0.556024 6 0.246847
804388 851676 0.537791 6 0.304013 1009500 819476 0.525775
"""


def airlines() -> pd.DataFrame:
    frame = pd.DataFrame(numbers(AIRLINES, 5), columns=["unit", "output", "cost", "price", "load"])
    return frame.assign(year=np.tile(np.arange(1970, 1985), 6))


def test_airlines_cost_function_as_published_by_greene():
    found = fit(airlines(), "cost", ["output"], ["price", "load"], logged=["price"],
                robust="nonrobust")  # fmt: skip
    assert found.terms["coefficient"].tolist() == pytest.approx(
        [9.51692, 0.882739, 0.453977, -1.62751], abs=6e-5
    )
    assert found.terms["se"].tolist() == pytest.approx(
        [0.22924, 0.013255, 0.020304, 0.345302], abs=6e-6
    )
    assert found.r2 == pytest.approx(0.98829, abs=6e-6)


# robust and quantile regression


def stackloss() -> pd.DataFrame:
    data = sm.datasets.stackloss.load_pandas().data
    return data.set_axis(["loss", "air", "water", "acid"], axis=1)


@pytest.mark.parametrize(
    ("method", "published", "scale"),
    [  # R, MASS::rlm on stackloss, as printed on its help page
        ("huber", [-41.0265, 0.8294, 0.9261, -0.1278], 2.441),
        ("bisquare", [-42.2853, 0.9275, 0.6507, -0.1123], 2.282),
    ],
)
def test_stackloss_as_published_by_mass(method, published, scale):
    found = straight(stackloss(), method=method)
    assert found.terms["coefficient"].tolist() == pytest.approx(published, abs=2e-4)
    assert found.sigma == pytest.approx(scale, abs=6e-4)
    assert found.points["weight"].iloc[20] < 0.4  # observation 21 is the known outlier


def test_huber_run_to_convergence_agrees_with_mass_to_more_digits():
    # MASS::rlm(acc = 1e-14): scale there is median|r|/0.6745, here the exact quartile
    found = straight(stackloss(), method="huber").terms["coefficient"].tolist()
    exact = [-41.026485373295010, 0.829385770253855, 0.926059415548607, -0.127846317965416]
    assert found == pytest.approx(exact, rel=2e-5)


@pytest.mark.parametrize(
    ("method", "variances"),
    [  # SAS, asymptotic covariance H1, diagonal
        ("huber", [95.8813, 0.01232, 0.09177, 0.01655]),
        ("bisquare", [90.3354, 0.01161, 0.08646, 0.01559]),
    ],
)
def test_standard_errors_of_m_estimates_as_published_by_sas(method, variances):
    found = straight(stackloss(), method=method).terms["se"].to_numpy() ** 2
    assert found == pytest.approx(np.array(variances), rel=1e-3)


ENGEL = {  # R, quantreg vignette: rq(foodexp ~ income)
    0.05: (124.88004, 0.34336),
    0.25: (95.48354, 0.47410),
    0.5: (81.48225, 0.56018),
    0.75: (62.39659, 0.64401),
    0.95: (64.10396, 0.70907),
}


@pytest.mark.parametrize("quantile", ENGEL)
def test_engels_food_expenditure_as_published_by_quantreg(quantile):
    data = sm.datasets.engel.load_pandas().data[["foodexp", "income"]]
    found = straight(data, method="quantile", quantile=quantile)
    assert found.terms["coefficient"].tolist() == pytest.approx(ENGEL[quantile], abs=6e-6, rel=2e-6)
    assert found.method == f"{quantile}分位数回归" and found.smearing == 1


def test_the_least_squares_line_of_engels_data_as_published():
    data = sm.datasets.engel.load_pandas().data[["foodexp", "income"]]
    assert straight(data).terms["coefficient"].tolist() == pytest.approx(
        [147.4754, 0.4851784], abs=6e-5
    )


@pytest.mark.parametrize("money", [1e-4, 1.0, 1e8])
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_quantile_regression_solves_its_linear_programme_in_any_unit(money, quantile):
    rng = np.random.default_rng(4)
    x = rng.uniform(1e5, 1e7, (60, 2))
    y = money * (3 + x @ [2e-6, 1e-6] + rng.standard_t(2, 60))
    design = np.column_stack([np.ones(60), x])
    design /= [1, 1e6, 1e6]
    dual = linprog(-y / money, A_eq=design.T, b_eq=(1 - quantile) * design.sum(0), bounds=(0, 1))
    best = -dual.eqlin.marginals  # Koenker & Bassett (1978): the dual programme
    found = straight(pd.DataFrame(np.column_stack([y, x]), columns=list("yab")), method="quantile",
                     quantile=quantile)  # fmt: skip
    assert found.terms["coefficient"].to_numpy() / money * [1, 1e6, 1e6] == pytest.approx(
        best, rel=1e-6
    )


# plain matrix algebra


def growth(n: int = 60, seed: int = 1) -> pd.DataFrame:
    """Units whose costs follow a known function, with a little of everything."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"q": rng.lognormal(5, 0.8, n), "age": rng.integers(1, 15, n)})
    noise = rng.normal(0, 0.15, n) * (1 + 0.1 * frame["age"])
    frame["cost"] = np.exp(2 + 0.85 * np.log(frame["q"]) + 0.02 * frame["age"] + noise)
    return frame.assign(
        unit=[f"单位{i // 3}" for i in range(n)], year=[2022 + i % 3 for i in range(n)]
    )


def algebra(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    x = np.column_stack([np.ones(len(frame)), np.log(frame["q"]), frame["age"]])
    y = np.log(frame["cost"].to_numpy())
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ y
    return x, y - x @ beta, inverse, beta


def covariance(frame: pd.DataFrame, robust: str) -> np.ndarray:
    x, e, inverse, _ = algebra(frame)
    n, k = x.shape
    h = np.einsum("ij,jk,ik->i", x, inverse, x)
    if robust == "nonrobust":
        return inverse * (e @ e) / (n - k)
    if robust == "cluster":
        codes, _ = pd.factorize(frame["unit"])
        groups = codes.max() + 1
        sums = np.array([x[codes == g].T @ e[codes == g] for g in range(groups)])
        correction = groups / (groups - 1) * (n - 1) / (n - k)
        return correction * inverse @ sums.T @ sums @ inverse
    weight = {"HC0": 1, "HC1": n / (n - k), "HC2": 1 / (1 - h), "HC3": 1 / (1 - h) ** 2}[robust]
    return inverse @ (x.T * (weight * e**2)) @ x @ inverse


@pytest.mark.parametrize("robust", ["nonrobust", "HC0", "HC1", "HC2", "HC3", "cluster"])
def test_standard_errors_intervals_and_returns_to_scale_by_matrix_algebra(robust):
    frame = growth()
    _, _, _, beta = algebra(frame)
    v, df = covariance(frame, robust), 19 if robust == "cluster" else 57
    found, se = fit(frame, "cost", ["q"], ["age"], robust=robust), np.sqrt(np.diag(v))
    half = stats.t.ppf(0.975, df) * se
    assert found.df == df and found.method == f"最小二乘法，{robust}标准误"
    for column, wanted in {
        "coefficient": beta, "se": se, "t": beta / se, "low": beta - half, "high": beta + half,
        "p": 2 * stats.t.sf(np.abs(beta / se), df),
    }.items():  # fmt: skip
        assert found.terms[column].to_numpy() == pytest.approx(wanted, rel=1e-8), column
    scale = found.scale.loc[0]
    assert scale[["b", "se"]].tolist() == pytest.approx([beta[1], se[1]], rel=1e-8)
    assert scale["p"] == pytest.approx(2 * stats.t.sf(abs(beta[1] - 1) / se[1], df), rel=1e-6)
    assert found.covariance == pytest.approx(v, rel=1e-7)


def test_returns_to_scale_add_the_elasticities_of_several_outputs():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.lognormal(3, 1, (50, 2)), columns=["km", "passengers"])
    noise = rng.normal(0, 0.05, 50)
    frame["cost"] = frame["km"] ** 0.7 * frame["passengers"] ** 0.5 * np.exp(noise)
    found = fit(frame, "cost", ["km", "passengers"])
    v, b = found.covariance, found.terms["coefficient"]
    assert found.scale.loc[0, "b"] == pytest.approx(b[1] + b[2])
    assert found.scale.loc[0, "se"] == pytest.approx(np.sqrt(v[1, 1] + v[2, 2] + 2 * v[1, 2]))
    assert found.scale.loc[0, "verdict"].startswith("规模不经济")


def test_constant_returns_cannot_be_denied_without_evidence():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"q": rng.lognormal(3, 1, 40)})
    frame["cost"] = frame["q"] * np.exp(rng.normal(0, 0.2, 40))
    assert fit(frame, "cost", ["q"]).scale.loc[0, "verdict"].startswith("不能否定")


def test_costs_in_exact_proportion_have_constant_returns_and_nothing_to_flag():
    frame = pd.DataFrame({"q": np.arange(1.0, 31)}).assign(cost=lambda f: 2 * f["q"])
    found = fit(frame, "cost", ["q"])
    assert found.scale.loc[0, "b"] == pytest.approx(1)
    assert found.scale.loc[0, "verdict"].startswith("不能否定")
    assert (found.points["studentised"] == 0).all()


def test_in_levels_the_elasticity_is_that_at_the_means():
    frame = growth()
    found = fit(frame, "cost", ["q"], ["age"], log=False)
    slope = found.terms.loc[1, "coefficient"]
    assert found.scale.loc[0, "b"] == pytest.approx(
        slope * frame["q"].mean() / frame["cost"].mean()
    )
    assert found.smearing == 1 and found.formula.startswith("cost = ")


def test_influence_by_leaving_each_observation_out():
    frame = growth(30)
    found = fit(frame, "cost", ["q"], ["age"])
    x, e, inverse, beta = algebra(frame)
    n, k = x.shape
    s2 = e @ e / (n - k)
    for i in range(n):
        rest = np.delete(np.arange(n), i)
        inner = np.linalg.inv(x[rest].T @ x[rest])
        y = np.log(frame["cost"].to_numpy())
        left = inner @ x[rest].T @ y[rest]
        r = y[rest] - x[rest] @ left
        spread = np.sqrt(r @ r / (n - 1 - k) * (1 + x[i] @ inner @ x[i]))
        row = found.points.iloc[i]
        assert row["studentised"] == pytest.approx((y[i] - x[i] @ left) / spread, rel=1e-7)
        assert row["cooks"] == pytest.approx(
            (beta - left) @ x.T @ x @ (beta - left) / k / s2, rel=1e-6
        )
        assert row["leverage"] == pytest.approx(x[i] @ inverse @ x[i])
        assert row["standardised"] == pytest.approx(e[i] / np.sqrt(s2 * (1 - row["leverage"])))
        assert row["residual"] == pytest.approx(e[i])
    assert (found.points["observed"] - found.points["fitted"]).to_numpy() == pytest.approx(e)


def test_a_gross_error_is_flagged():
    frame = growth()
    frame.loc[7, "cost"] *= 30  # 万元 written as 元, nearly
    found = fit(frame, "cost", ["q"], ["age"])
    assert found.points.index[found.points["studentised"].abs() > 3].tolist() == [7]
    assert found.points.loc[7, "flagged"]
    assert found.points.loc[7, ["unit", "year"]].tolist() == ["单位2", 2023]


def test_diagnostics_by_auxiliary_regressions():
    frame = growth(80)
    found = fit(frame, "cost", ["q"], ["age"]).diagnostics
    x, e, _, beta = algebra(frame)
    n, k = x.shape

    def explained(y, design):
        design = np.column_stack(design)
        fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
        return 1 - ((y - fitted) ** 2).sum() / ((y - y.mean()) ** 2).sum()

    def unexplained(y, design):
        design = np.column_stack(design)
        return ((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum()

    one, q, age = x.T
    koenker = n * explained(e**2, [one, q, age])  # Koenker (1981)
    white = n * explained(e**2, [one, q, age, q * q, age * age, q * age])  # White (1980)
    g1, g2 = stats.skew(e), stats.kurtosis(e)
    normal = n / 6 * (g1**2 + g2**2 / 4)  # Jarque & Bera (1980)
    y, fit_ = e + x @ beta, x @ beta
    full = unexplained(y, [one, q, age, fit_**2, fit_**3])
    ramsey = (e @ e - full) / 2 / (full / (n - k - 2))  # Ramsey (1969)
    for key, statistic, p in (
        ("breusch_pagan", koenker, stats.chi2.sf(koenker, 2)),
        ("white", white, stats.chi2.sf(white, 5)),
        ("jarque_bera", normal, stats.chi2.sf(normal, 2)),
        ("reset", ramsey, stats.f.sf(ramsey, 2, n - k - 2)),
    ):
        assert found.loc[key, ["statistic", "p"]].tolist() == pytest.approx(
            [statistic, p], rel=1e-6
        )
    r = np.corrcoef(q, age)[0, 1]
    assert found.loc["vif", "statistic"] == pytest.approx(1 / (1 - r * r))
    assert found.loc["condition", "statistic"] == pytest.approx(
        np.sqrt((1 + abs(r)) / (1 - abs(r)))
    )


def test_verdicts_follow_the_evidence():
    rng = np.random.default_rng(8)
    q = rng.uniform(1, 10, 300)
    frame = pd.DataFrame({"q": q, "cost": 5 + q + 0.4 * q**2 + q * rng.standard_t(2, 300) / 4})
    bad = fit(frame, "cost", ["q"], log=False).diagnostics["verdict"]
    assert bad["breusch_pagan"].startswith("存在异方差") and bad["white"].startswith("存在异方差")
    assert bad["jarque_bera"].startswith("残差偏离正态") and bad["reset"].startswith(
        "函数形式可能不当"
    )
    frame["cost"] = 50 + q + rng.normal(0, 0.5, 300)
    good = fit(frame, "cost", ["q"], log=False).diagnostics["verdict"]
    assert good.tolist()[:4] == ["未见异方差"] * 2 + ["残差近似正态", "未见函数形式问题"]
    assert good.tolist()[4:] == ["共线性可以接受"] * 2


# prediction


def test_prediction_with_its_intervals_by_matrix_algebra():
    frame, level = growth(), 0.9
    new = pd.DataFrame({"unit": ["新设单位", "大单位"], "q": [200.0, 5000.0], "age": [3, 12]})
    found = fit(frame, "cost", ["q"], ["age"])
    _, e, _, beta = algebra(frame)
    at = np.column_stack([[1, 1], np.log(new["q"]), new["age"]])
    smearing = np.exp(e).mean()  # Duan (1983)
    reach = stats.t.ppf(0.95, 57)
    error = np.sqrt(np.diag(at @ covariance(frame, "HC3") @ at.T))
    single = np.sqrt(error**2 + e @ e / 57)
    shown = found.predict(new, level)
    assert found.smearing == pytest.approx(smearing)
    for column, wanted in {
        "expected": np.exp(at @ beta) * smearing,
        "mean_low": np.exp(at @ beta - reach * error) * smearing,
        "mean_high": np.exp(at @ beta + reach * error) * smearing,
        "low": np.exp(at @ beta - reach * single),
        "high": np.exp(at @ beta + reach * single),
    }.items():
        assert shown[column].to_numpy() == pytest.approx(wanted, rel=1e-7), column
    assert shown["unit"].tolist() == ["新设单位", "大单位"]
    assert shown["extrapolated"].tolist() == [False, True]
    assert shown["note"].tolist() == ["", "q超出样本范围"]
    for formula, expected in zip(shown["formula"], shown["expected"], strict=True):
        text = formula.replace("exp", "np.exp").replace("ln", "np.log")
        assert worked_out_with_numpy(text) == pytest.approx(expected, rel=1e-7)


def worked_out_with_numpy(text: str) -> float:
    return float(eval(text.replace("×", "*"), {"np": np}))  # noqa: S307


def test_prediction_in_levels_is_the_textbook_interval():
    frame = pd.DataFrame(numbers(NORRIS, 2), columns=["y", "x"])
    found = straight(frame)
    row = found.predict(pd.DataFrame({"x": [500.0]})).loc[0]
    x, n = frame["x"], 36
    centre = 1 / n + (500 - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
    line, reach = (
        -0.262323073774029 + 1.00211681802045 * 500,
        stats.t.ppf(0.975, 34) * 0.884796396144373,
    )
    assert row["expected"] == pytest.approx(line)
    assert row["high"] - row["expected"] == pytest.approx(reach * np.sqrt(1 + centre))
    assert row["mean_high"] - row["expected"] == pytest.approx(reach * np.sqrt(centre))
    assert worked_out(row["formula"]) == pytest.approx(line)


def test_prediction_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(6)
    frame, later = growth(200, seed=6), growth(4000, seed=7)
    noise = rng.normal(0, 0.2, len(later))
    for data, spread in ((frame, rng.normal(0, 0.2, len(frame))), (later, noise)):
        data["cost"] = np.exp(2 + 0.85 * np.log(data["q"]) + spread)
    shown = fit(frame, "cost", ["q"], robust="nonrobust").predict(later, 0.8)
    inside = later["cost"].between(shown["low"], shown["high"])
    assert inside.mean() == pytest.approx(0.8, abs=0.05)
    assert shown["expected"].mean() == pytest.approx(later["cost"].mean(), rel=0.05)


def test_a_quantile_regression_predicts_its_quantile_and_says_it_has_no_interval():
    frame = growth(300)
    found = fit(frame, "cost", ["q"], ["age"], method="quantile", quantile=0.75)
    shown = found.predict(frame)
    assert (frame["cost"] <= shown["expected"] * (1 + 1e-9)).mean() == pytest.approx(0.75, abs=0.01)
    assert shown[["low", "high"]].isna().all(axis=None) and np.isnan(found.sigma)
    assert shown["note"].str.contains("分位数回归没有个体区间").all()


def test_the_smearing_of_an_m_estimate_weighs_as_the_fit_does():
    frame = growth()
    frame.loc[7, "cost"] *= 1000
    found = fit(frame, "cost", ["q"], ["age"], method="bisquare")
    assert found.points.loc[7, "weight"] == 0 and found.smearing < 1.2
    plain = fit(frame.drop(7), "cost", ["q"], ["age"], method="bisquare")
    assert found.terms["coefficient"].to_numpy() == pytest.approx(
        plain.terms["coefficient"], rel=0.05
    )


# laws


@settings(max_examples=200 if SOAK else 12)
@given(st.sampled_from(["ols", "huber", "bisquare", "quantile"]), st.integers(0, 5),
       st.sampled_from([1e-4, 1e-3, 10.0, 1e4]), st.sampled_from([1e-4, 1e4]))  # fmt: skip
def test_elasticities_do_not_change_with_the_units_of_measurement(method, seed, volume, money):
    frame = growth(40, seed)
    before = fit(frame, "cost", ["q"], ["age"], method=method)
    scaled = frame.assign(q=frame["q"] * volume, cost=frame["cost"] * money)
    after = fit(scaled, "cost", ["q"], ["age"], method=method)
    columns = ["coefficient", "se", "low", "high"]
    assert after.terms.loc[1:, columns].to_numpy() == pytest.approx(
        before.terms.loc[1:, columns].to_numpy(), rel=1e-6, abs=1e-9
    )
    assert after.smearing == pytest.approx(before.smearing, rel=1e-6)
    assert after.predict(scaled)["expected"].to_numpy() == pytest.approx(
        before.predict(frame)["expected"].to_numpy() * money, rel=1e-6
    )


@settings(max_examples=200 if SOAK else 12)
@given(st.integers(0, 20), st.randoms(use_true_random=False))
def test_the_order_of_units_does_not_matter(seed, order):
    frame = growth(40, seed)
    rows = list(range(40))
    order.shuffle(rows)
    one, other = fit(frame, "cost", ["q"]), fit(frame.iloc[rows], "cost", ["q"])
    numeric = one.terms.columns[1:]
    assert other.terms[numeric].to_numpy() == pytest.approx(
        one.terms[numeric].to_numpy(), rel=1e-9, nan_ok=True
    )
    assert other.points.sort_index()["cooks"].to_numpy() == pytest.approx(
        one.points["cooks"], rel=1e-6
    )


def test_decimals_are_taken_and_the_result_can_be_pickled():
    frame = growth()
    exact = frame.assign(cost=[Decimal(f"{c:.2f}") for c in frame["cost"]])
    found = fit(exact, "cost", ["q"])
    assert found.terms.loc[1, "coefficient"] == pytest.approx(
        fit(frame, "cost", ["q"]).terms.loc[1, "coefficient"], rel=1e-3
    )
    assert pickle.loads(pickle.dumps(found)).formula == found.formula


@pytest.mark.parametrize("method", ["ols", "huber", "bisquare", "quantile"])
def test_thousands_of_units_are_quick_and_nothing_is_warned(method):
    frame = growth(3000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit(frame, "cost", ["q"], ["age"], method=method, robust="cluster")
        assert found.predict(frame)["expected"].notna().all()
    assert found.terms.loc[1, "coefficient"] == pytest.approx(0.85, abs=0.03)


def test_indicators_among_the_regressors_are_handled():
    frame = growth().assign(urban=[i % 2 == 0 for i in range(60)])
    found = fit(frame, "cost", ["q"], ["age", "urban"])
    assert found.diagnostics["statistic"].notna().all()
    alone = fit(frame.assign(one=frame["urban"]), "cost", ["urban"], log=False)
    assert alone.diagnostics.loc["breusch_pagan", "p"] <= 1


# refusals


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"cost": 0}, "sample.positive", "第 3 行“cost”为 0，不是正数"),
        ({"q": -4}, "sample.positive", "第 3 行“q”为 -4，不是正数"),
        ({"q": None}, "sample.value", "第 3 行“q”的值“None”不是有限的数"),
        ({"age": "十年"}, "sample.value", "第 3 行“age”的值“十年”不是有限的数"),
    ],
)
def test_a_bad_cell_is_named(change, code, says):
    frame = growth().astype(object)
    for name, bad in change.items():
        frame.loc[2, name] = bad
    with pytest.raises(EvalkitError) as error:
        fit(frame, "cost", ["q"], ["age"])
    assert codes(error) == [code]
    assert says in str(error.value)


def test_negative_regressors_are_fine_where_no_log_is_taken():
    frame = growth().assign(change=lambda f: f["age"] - 8)
    assert fit(frame, "cost", ["q"], ["change"]).n == 60
    with pytest.raises(EvalkitError, match="不能取对数"):
        fit(frame, "cost", ["q"], ["change"], logged=["change"])


def test_too_few_observations_are_refused_unless_said_otherwise():
    with pytest.raises(
        EvalkitError, match="15 个样本支持不了 2 个解释变量，每个变量至少需要 10 个"
    ):
        fit(growth(15), "cost", ["q"], ["age"])
    assert fit(growth(15), "cost", ["q"], ["age"], least=7).n == 15
    with pytest.raises(EvalkitError, match="只有 1 个样本，至少需要 5 个"):
        fit(growth(1), "cost", ["q"], least=1)


def test_a_column_without_differences_is_refused():
    frame = growth().assign(same=3.3)
    with pytest.raises(EvalkitError, match="“same”在各样本中没有差别"):
        fit(frame, "cost", ["q"], ["same"])


def test_collinear_regressors_are_named_and_the_others_are_not():
    frame = growth().assign(km=lambda f: f["q"] * 1000, half=lambda f: f["age"] / 2 + 1)
    with pytest.raises(EvalkitError) as error:
        fit(frame, "cost", ["q", "km"], ["age"])
    assert str(error.value).startswith("q、km完全共线")
    with pytest.raises(EvalkitError) as error:
        fit(frame, "cost", ["q"], ["age", "half"])
    assert str(error.value).startswith("age、half完全共线")


def test_a_unit_year_that_is_there_twice_is_refused_with_both_rows():
    frame = growth()
    frame.loc[4, ["unit", "year"]] = frame.loc[9, ["unit", "year"]]
    with pytest.raises(EvalkitError) as error:
        fit(frame, "cost", ["q"])
    assert codes(error) == ["sample.twice"] * 2
    assert "第 5 行" in str(error.value) and "第 10 行" in str(error.value)


def test_a_row_that_alone_determines_a_coefficient_is_refused():
    frame = growth().assign(only=[0.0] * 59 + [1.0])
    with pytest.raises(EvalkitError, match="第 60 行单独决定了一个系数"):
        fit(frame, "cost", ["q"], ["only"])


@pytest.mark.parametrize(
    "arguments",
    [
        {"method": "lasso"},
        {"robust": "HC9"},
        {"quantile": 1.0, "method": "quantile"},
        {"level": 0},
        {"logged": ["nothing"]},
        {"others": ["q"]},
        {"outputs": []},
        {"outputs": ["cost"]},
        {"robust": "cluster", "cluster": "town"},
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments):
    with pytest.raises(EvalkitError) as error:
        fit(growth(), "cost", arguments.pop("outputs", ["q"]), **arguments)
    assert codes(error) == ["sample.fit"]


def test_a_missing_column_is_named():
    with pytest.raises(EvalkitError, match="缺少列“volume”"):
        fit(growth(), "cost", ["volume"])


def test_no_convergence_is_a_sentence_and_no_warning(monkeypatch):
    monkeypatch.setattr("evalkit.standards.cost_function._STEPS", 2)
    for method in ("quantile", "bisquare"):
        with pytest.raises(EvalkitError, match="没有收敛"):
            fit(growth(), "cost", ["q"], method=method)


@pytest.mark.parametrize("method", ["huber", "bisquare"])
def test_an_m_estimate_without_spread_is_a_sentence(method):
    frame = pd.DataFrame({"q": np.arange(1.0, 41)}).assign(cost=lambda f: 2 * f["q"])
    with pytest.raises(EvalkitError, match="没有收敛，或标准误无法估计"):
        fit(frame, "cost", ["q"], log=False, method=method)


def test_a_quantile_too_far_out_for_its_sample_is_a_sentence():
    with pytest.raises(EvalkitError, match="标准误无法估计"):
        fit(growth(12), "cost", ["q"], method="quantile", quantile=0.995)


def test_prediction_refuses_what_it_cannot_take():
    found = fit(growth(), "cost", ["q"], ["age"])
    with pytest.raises(EvalkitError, match="缺少列“age”"):
        found.predict(pd.DataFrame({"q": [1.0]}))
    with pytest.raises(EvalkitError, match="不是正数"):
        found.predict(pd.DataFrame({"q": [0.0], "age": [1]}))
    with pytest.raises(EvalkitError, match="level"):
        found.predict(pd.DataFrame({"q": [1.0], "age": [1]}), level=95)
