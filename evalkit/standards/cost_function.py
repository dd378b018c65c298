"""Cost functions: what a unit of this size would be expected to cost, and how sure that is."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd

from evalkit.core.problem import demand, refuse, sentence
from evalkit.standards.outliers import TEXTS, Floats, numbers, shown
from evalkit.standards.rows import problems

ROBUST = ("HC3", "HC2", "HC1", "HC0", "nonrobust", "cluster")
_FINE = 1e6  # QuantReg stops at residuals of 1e-6, so it is given larger ones
_EXACT = 1e-18  # residual sum of squares that is rounding alone
_STEPS = 10_000  # of an iteration, before it counts as not converging
_COLUMNS = ["coefficient", "se", "t", "p", "low", "high"]  # as summary_frame orders them


@dataclass(frozen=True)
class CostFunction:
    """A fitted cost function; `fit` makes it and says what the fields hold."""

    method: str
    terms: pd.DataFrame
    scale: pd.DataFrame
    n: int
    df: float
    r2: float
    adjusted_r2: float
    sigma: float
    smearing: float
    diagnostics: pd.DataFrame
    points: pd.DataFrame
    formula: str
    sample: pd.DataFrame
    logged: tuple[str, ...]
    covariance: Floats

    def predict(self, new: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
        """Expected cost of new units, in the unit of the cost column.

        Args:
            new: the regressors' columns, one row a unit.
            level: of both intervals.

        Returns:
            The frame with expected (after logs: exp of the fit times the smearing factor),
            mean_low, mean_high (interval of the expected cost, smeared alike), low, high
            (interval for one unit's own cost: quantiles, which need no smearing; NaN for a
            quantile regression, which gives none), extrapolated, note (what lies outside the
            sample), formula.

        Raises:
            EvalkitError: a column is missing, a value is no number or has no logarithm.
        """
        from scipy.stats import t as student

        demand(0 < level < 1, "sample.argument", name="level", known="0 与 1 之间的数")
        cost, *names = map(str, self.sample)
        table, sample = numbers(new, names, positive=self.logged), self.sample[names]
        x, beta = _design(table, self.logged), self.terms["coefficient"].to_numpy()
        line, reach = x @ beta, student.ppf((1 + level) / 2, self.df)
        mean = reach * np.sqrt(np.einsum("ij,jk,ik->i", x, self.covariance, x))
        one, log, times = np.hypot(mean, reach * self.sigma), cost in self.logged, self.smearing
        money, form = (np.exp, f"exp({{}})×{shown(times)}") if log else (np.asarray, "{}")
        outside: Any = ((table < sample.min()) | (table > sample.max())).to_numpy()
        notes = ["、".join(compress(names, row)) + "超出样本范围" * any(row) for row in outside]
        notes = [note + "（分位数回归没有个体区间）" * bool(np.isnan(self.sigma)) for note in notes]
        rows = (_labels(names, self.logged, map(shown, row)) for row in table.to_numpy())
        return new.assign(
            expected=money(line) * times, mean_low=money(line - mean) * times,
            mean_high=money(line + mean) * times, low=money(line - one), high=money(line + one),
            extrapolated=outside.any(axis=1), note=notes,
            formula=[form.format(_sum(beta, row)) for row in rows],
        )  # fmt: skip


def _design(table: pd.DataFrame, logged: Sequence[str]) -> Floats:
    columns = [np.log(table[name]) if name in logged else table[name] for name in table]
    return np.column_stack([np.ones(len(table)), *columns])


def _labels(names: Sequence[str], logged: Sequence[str], texts: Iterable[str]) -> list[str]:
    pairs = zip(names, texts, strict=True)
    return [f"ln({t})" if n in logged else f"({t})" if t[0] == "-" else t for n, t in pairs]


def _sum(beta: Floats, labels: Sequence[str], digits: int = 10) -> str:
    """The terms as text: 1.2+0.87×ln(Q)-0.3×X."""
    first, *others = ("+-"[int(b < 0)] + shown(abs(b), digits) for b in beta)
    return first.lstrip("+") + "".join(f"{b}×{x}" for b, x in zip(others, labels, strict=True))


def _diagnostics(base: Any, vif: float, level: float) -> pd.DataFrame:
    """What a reviewer asks of a least-squares fit on standardised columns."""
    from statsmodels.stats import api

    e, x, nothing = base.resid, base.model.exog, (np.nan, np.nan)
    n, k = x.shape
    tests = dict.fromkeys(TEXTS["verdicts"], nothing)
    tests |= {"condition": (np.linalg.cond(x[:, 1:]), np.nan), "vif": (vif, np.nan)}
    if base.ssr > _EXACT:
        reset = api.linear_reset(base, use_f=True)
        tests |= {"breusch_pagan": api.het_breuschpagan(e, x), "jarque_bera": api.jarque_bera(e)}
        tests |= {"white": api.het_white(e, x) if n > k * (k + 1) / 2 else nothing}
        tests |= {"reset": (reset.fvalue, reset.pvalue)}
    rows = []
    for key, (name, good, poor) in TEXTS["verdicts"].items():
        value, p = map(float, tests[key][:2])
        failed = p < 1 - level or value > {"condition": 30, "vif": 10}.get(key, np.inf)
        verdict = TEXTS["untested"] if np.isnan(value) else poor if failed else good
        rows.append((name, value, p, verdict))
    return pd.DataFrame(rows, list(tests), ["name", "statistic", "p", "verdict"])


def _checked(
    frame: pd.DataFrame, columns: list[str], logs: Sequence[str], keys: list[str], least: float
) -> tuple[pd.DataFrame, Floats]:
    """The columns as numbers, and as the function has them, in logs or not."""
    k = len(columns) - 1
    table = numbers(frame, columns, k + 4, positive=logs)
    full = _design(table, logs)[:, 1:]
    flat = np.ptp(full, axis=0) <= 1e-12 * np.abs(full).max(axis=0)
    found = [sentence("sample.constant", name=name) for name in compress(columns, flat)]
    if "unit" in keys:
        found += problems(frame, frame.duplicated(keys, keep=False), "sample.twice")
    if len(frame) < least * k:
        found += [sentence("sample.regressors", n=len(frame), k=k, least=least)]
    refuse(found)
    z = (full - full.mean(axis=0)) / full.std(axis=0)
    _, singular, axes = np.linalg.svd(z[:, 1:], full_matrices=False)
    tied = (np.abs(axes[singular < 1e-8 * singular[0]]) > 1e-6).any(axis=0)
    demand(not tied.any(), "sample.collinear", names="、".join(compress(columns[1:], tied)))
    return table, full


def _estimate(v: Floats, x: Floats, method: str, q: float, **robust: Any) -> tuple[Any, Any]:
    """Least squares and the chosen method; no warning of statsmodels gets out."""
    import statsmodels.api as sm

    kinds = {"huber": sm.robust.norms.HuberT, "bisquare": sm.robust.norms.TukeyBiweight}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        base = result = sm.OLS(v, x).fit()
        if method == "quantile":
            result = sm.QuantReg(v * _FINE, x).fit(q, max_iter=_STEPS)
        elif method in kinds:
            result = sm.RLM(v, x, kinds[method]()).fit(maxiter=_STEPS)
        elif robust["cov_type"] != "nonrobust":
            result = base.get_robustcov_results(**robust, use_t=True)
        sound = np.isfinite(result.cov_params()).all()
    sound &= getattr(result, "fit_history", {}).get("iteration", 0) < _STEPS
    bad = {"ConvergenceWarning", "IterationLimitWarning"} & {w.category.__name__ for w in told}
    demand(bool(sound) and not bad, "sample.converged")
    return base, result


def fit(
    frame: pd.DataFrame, cost: str, outputs: Sequence[str], others: Sequence[str] = (), *,
    method: str = "ols", log: bool = True, logged: Sequence[str] = (), robust: str = "HC3",
    cluster: str = "unit", quantile: float = 0.5, least: float = 10, level: float = 0.95,
) -> CostFunction:  # fmt: skip
    """A cost function: ln C = a + Σ b ln Q + Σ c X, or in levels.

    Source: docs/cost_standards.md; estimated by statsmodels on standardised columns,
    so that units of measurement and large years cost no digits.

    Args:
        frame: one row a unit (and year); columns named in the other arguments, and unit, year,
            at if there are any.
        cost: the column explained.
        outputs: volumes; in logs like the cost, unless `log` is False.
        others: further regressors, as they are (except those in `logged`).
        method: ols, huber or bisquare (M-estimates as R's MASS::rlm; tuning 1.345 and 4.685),
            quantile (Koenker & Bassett 1978).
        log: cost and outputs in logs.
        logged: those of `others` that are taken in logs, such as input prices.
        robust: covariance for ols: HC0–HC3 (HC3: MacKinnon & White 1985), nonrobust, cluster.
            The M-estimates have Huber's H1, quantiles the kernel sandwich of Powell.
        cluster: column of the groups for robust="cluster".
        quantile: which one.
        least: observations for each regressor (10: docs/cost_standards.md).
        level: of the intervals; 1-level is that of the verdicts.

    Returns:
        A `CostFunction` with

        - method (in words), n, df (degrees of freedom of the t intervals), r2 and adjusted_r2
          (for quantile Koenker & Machado's R¹), sigma (residual standard error; the normalised
          MAD for M-estimates; NaN for quantile), smearing (Duan 1983: mean of exp(residual),
          weighted as the M-estimate is; 1 without logs and for quantile);
        - terms: term, coefficient, se, t, p, low, high, vif (NaN for the constant);
        - scale: one row, b (sum of the output elasticities, at the means if in levels), se, low,
          high, t and p of b = 1, verdict;
        - diagnostics of the least-squares fit, by key: name, statistic, p, verdict
          (breusch_pagan, white, jarque_bera, reset; condition: of the standardised regressors,
          limit 30; vif: the largest, limit 10); NaN where the sample is too small;
        - points: unit, year, at, observed, fitted, residual (in logs if `log`), weight (in the
          M-estimate), and of the least-squares fit standardised, studentised (externally),
          leverage, cooks, flagged (|studentised| > 3, leverage > 3k/n with k coefficients, or
          Cook's distance > 1);
        - formula, and for `predict` sample, logged, covariance.

    Raises:
        EvalkitError: a column is missing or constant, a value no number or without a logarithm,
            a unit-year there twice, too few rows, collinear regressors (named), a row that
            alone determines a coefficient, no convergence.

    >>> sites = pd.DataFrame({"km": [20, 35, 50, 80, 110, 150, 210, 260, 330, 400, 480, 600]})
    >>> sites["cost"] = [11, 17, 25, 36, 50, 63, 90, 106, 129, 160, 180, 227]
    >>> found = fit(sites, "cost", ["km"])
    >>> print(found.formula)
    ln(cost) = -0.305799+0.893842×ln(km)
    >>> print(found.scale["verdict"].iloc[0])
    规模经济：业务量增加时成本增加得慢（b显著小于1）
    """
    names, logs = [*outputs, *others], (cost, *outputs, *logged) if log else tuple(logged)
    valid = method in TEXTS["methods"] and robust in ROBUST and 0 < quantile < 1 and 0 < level < 1
    valid = valid and {*logged} <= {*others} and len({cost, *names}) > len(names) > len(others)
    valid = valid and (robust != "cluster" or cluster in frame)
    demand(valid, "sample.fit", known="、".join((*TEXTS["methods"], *ROBUST)))
    keys = [key for key in ("unit", "year") if key in frame]
    table, full = _checked(frame, [cost, *names], logs, keys, least)
    (middle, *centre), (unit, *width) = full.mean(axis=0), full.std(axis=0, ddof=1)
    n, k = full.shape  # as many coefficients as columns: the constant in place of the cost
    v, z = (full[:, 0] - middle) / unit, (full[:, 1:] - centre) / width
    x = np.column_stack([np.ones(n), z])
    leverage = (np.linalg.qr(x)[0] ** 2).sum(axis=1)
    refuse(problems(frame, leverage > 1 - 1e-9, "sample.leverage"))
    errors: dict[str, Any] = {"cov_type": robust}
    if robust == "cluster":
        errors["groups"] = pd.factorize(frame[cluster], use_na_sentinel=False)[0]
    base, result = _estimate(v, x, method, quantile, **errors)
    fine = _FINE if method == "quantile" else 1.0
    back = np.diag([unit, *unit / np.array(width)]) / fine  # from standardised to own units
    back[0, 1:] = -back.diagonal()[1:] * centre
    share = np.zeros(k)
    share[1 : len(outputs) + 1] = 1 if log else table[[*outputs]].mean() / table[cost].mean()
    tests = (back, [-middle, *np.zeros(k - 1)]), (share @ back, 1)
    tested = (result.t_test(test, use_t=True).summary_frame(alpha=1 - level) for test in tests)
    terms, scale = (pd.DataFrame(found.to_numpy(), columns=_COLUMNS) for found in tested)
    terms.iloc[0, [0, 4, 5]] += middle
    residual, weights, sigma = v - x @ result.params / fine, np.ones(n), np.sqrt(base.scale)
    r2 = result.prsquared if method == "quantile" else 1 - residual @ residual / (n - 1)
    if method != "ols":
        sigma, weights = result.scale, getattr(result, "weights", weights)
    smearing = np.average(np.exp(unit * residual), weights=weights) if log else 1.0
    if method == "quantile":  # a quantile passes through exp as it is, and has no spread
        sigma, smearing = np.nan, 1.0
    e = base.resid * (base.ssr > _EXACT)
    standard = e / np.sqrt((base.scale or 1) * (1 - leverage))
    studentised = standard * np.sqrt((n - k - 1) / np.maximum(n - k - standard**2, 1e-12))
    cooks = standard**2 * leverage / (1 - leverage) / k
    points = frame[[name for name in (*keys, "at") if name in frame]].assign(
        observed=full[:, 0], fitted=full[:, 0] - unit * residual, residual=unit * residual,
        weight=weights, standardised=standard, studentised=studentised, leverage=leverage,
        cooks=cooks, flagged=(np.abs(studentised) > 3) | (leverage > 3 * k / n) | (cooks > 1),
    )  # fmt: skip
    labels, vif = _labels(names, logs, names), np.linalg.inv(z.T @ z / (n - 1)).diagonal()
    with warnings.catch_warnings(action="ignore"):
        diagnostics = _diagnostics(base, vif.max(), level)
    way = int(scale["low"][0] > 1 + 1e-9) - int(scale["high"][0] < 1 - 1e-9)
    text = _sum(terms["coefficient"].to_numpy(), labels, 6)
    return CostFunction(
        method=TEXTS["methods"][method].format(robust=robust, quantile=quantile),
        terms=terms.assign(term=["常数", *labels], vif=[np.nan, *vif])[["term", *_COLUMNS, "vif"]],
        scale=scale.set_axis(["b", *_COLUMNS[1:]], axis=1).assign(verdict=TEXTS["scale"][1 + way]),
        n=n, df=getattr(result, "df_resid_inference", None) or n - k, r2=float(r2),
        adjusted_r2=float(1 - (1 - r2) * (n - 1) / (n - k)), sigma=float(unit * sigma),
        smearing=float(smearing), diagnostics=diagnostics, points=points,
        formula=f"{_labels([cost], logs, [cost])[0]} = {text}", sample=table, logged=logs,
        covariance=back @ result.cov_params() @ back.T,
    )  # fmt: skip
