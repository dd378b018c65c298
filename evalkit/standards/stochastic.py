"""Stochastic frontier: inefficiency told apart from chance, by maximum likelihood."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from evalkit.core.problem import Problem, demand, sentence
from evalkit.standards.frontier import ordered
from evalkit.standards.outliers import Floats


@dataclass(frozen=True)
class StochasticFrontier:
    """What `frontier_fit` found.

    Attributes:
        coefficients: one row a parameter, by ``name`` (常数项, the regressors, sigma2 = σu² + σv²,
            gamma = σu²/sigma2): ``estimate``, ``error`` (standard error, from the observed
            information; NaN where there is none), ``z``.
        efficiencies: one row a unit, in the order given: ``unit``; ``residual`` ε = v + u of a cost
            or v - u of a production; ``efficiency`` E[exp(-u)|ε] in (0, 1] (Battese & Coelli 1988);
            ``jlms`` exp(-E[u|ε]) (Jondrow, Lovell, Materov & Schmidt 1982).
        statistics: ``sigma_u`` and ``sigma_v``, ``lambda`` = σu/σv, ``log_likelihood``,
            ``least_squares`` (the same without inefficiency) and their likelihood ``ratio``.
        problems: what a reader must be told: residuals skewed the wrong way (no efficiencies then),
            a ratio below the critical value, a maximum at the edge (σv = 0, no standard
            errors).
    """

    coefficients: pd.DataFrame
    efficiencies: pd.DataFrame
    statistics: pd.Series
    problems: tuple[Problem, ...]


def frontier_fit(
    frame: pd.DataFrame, y: str, regressors: Sequence[str], *, unit: str = "unit", log: bool = True,
    kind: Literal["cost", "production"] = "cost", each: int = 10, critical: float = 2.706,
) -> StochasticFrontier:  # fmt: skip
    """Half-normal stochastic frontier (Aigner, Lovell & Schmidt 1977).

    ln y = β'x + v + u for a cost, + v - u for a production, v normal, u half-normal. Searched
    from corrected least squares at a grid of gamma (Coelli 1996); the greatest maximum inside is
    taken, as other programs do, and the edge σv = 0 only where there is none. If the least-squares
    residuals are skewed the wrong way, likelihood is greatest at σu = 0 (Waldman 1982): the answer
    is least squares. `problems` says so.

    Args:
        frame: one row a unit, named in the column `unit`; a column ``at`` says where its cells are.
        y, regressors: columns; the constant is added.
        log: take logarithms of all of them; False if they are logarithms already.
        kind: whether inefficiency adds to a cost or takes from a production.
        each: the least number of units for each regressor.
        critical: the 5 % value of the likelihood ratio with one restriction (Kodde & Palm 1986,
            table 1: a mixture of chi-squares).

    Raises:
        EvalkitError: see `evalkit.standards.frontier.ordered` (above zero where logarithms are
            taken); regressors that are constant or collinear; residuals that are all zero.

    >>> dice = np.random.default_rng(1)
    >>> km, more = dice.uniform(1, 9, 999), np.abs(dice.normal(0, 0.4, 999))
    >>> cost = 3 * km**0.9 * np.exp(more + dice.normal(0, 0.1, 999))
    >>> buses = pd.DataFrame({"unit": range(999), "cost": cost, "km": km})
    >>> frontier_fit(buses, "cost", ["km"]).coefficients.estimate.round(2).to_dict()
    {'常数项': 1.11, 'km': 0.89, 'sigma2': 0.18, 'gamma': 0.95}
    """
    from scipy.optimize import approx_fprime, minimize
    from scipy.stats import norm

    k, side = len(regressors), {"cost": -1, "production": 1}[kind]
    values, labels, back = ordered(frame, [y], regressors, max(each * k, k + 4), unit, log)
    values, n = np.log(values) if log else values, len(values)
    target, design = side * values[:, 0], side * np.column_stack([np.ones(n), values[:, 1:]])  # v-u
    design, width = design / (norms := np.linalg.norm(design, axis=0)), design.shape[1]
    demand(np.linalg.matrix_rank(design, 1e-8) == width, "frontier.rank", x="、".join(regressors))
    rest = target - design @ (fitted := np.linalg.lstsq(design, target)[0])
    demand((scale := (rest**2).mean()) > 1e-20 * (target**2).mean(), "frontier.exact")
    covariance = np.linalg.inv(design.T @ design) * scale * n / (n - width)
    likelihood = ols = -n / 2 * (np.log(2 * np.pi * scale) + 1)

    def loss(point: Floats) -> tuple[float, Floats]:
        """Minus log-likelihood and gradient in the coefficients of `design`, ln σ², ln σu²/σv²."""
        sigma, slope = np.exp(point[-2:] / 2)
        e = (target - design @ point[:-2]) / sigma
        tail = norm.logcdf(z := -e * slope)
        mills = np.exp(norm.logpdf(z) - tail)
        slopes = design.T @ (e + mills * slope) / sigma
        ends = (e**2 - 1 - mills * z).sum() / 2, (mills * z).sum() / 2
        return -(np.log(2 / sigma) + norm.logpdf(e) + tail).sum(), -np.array([*slopes, *ends])

    def curvature(point: Floats) -> Any:
        return approx_fprime(point, lambda near: loss(near)[1], 1e-6)

    odds, edge, wrong = 0.0, False, (rest**3).sum() >= 0
    if not wrong:
        whole = scale / (1 - 2 * (grid := np.array([[0.1], [0.5], [0.9], [0.99], [0.999]])) / np.pi)
        starts = np.hstack([grid * 0 + fitted, np.log(whole), np.log(grid / (1 - grid))])
        starts[:, :1] += side * norms[0] * np.sqrt(2 * grid * whole / np.pi)
        runs = [minimize(loss, at, jac=True, hess=curvature, method="trust-exact") for at in starts]
        inside = [run for run in runs if run.success and run.x[-1] < np.log(1e4)]
        best, edge = min(inside or runs, key=lambda run: run.fun), not inside
        covariance = np.linalg.pinv(curvature(best.x)) * (np.nan if edge else 1.0)
        point = best.x - np.nan_to_num(covariance) @ loss(best.x)[1]  # one step of Newton's more
        fitted, (scale, odds), likelihood = point[:-2], np.exp(point[-2:]), -loss(point)[0]
    gamma, ratio = odds / (1 + odds), 2 * (likelihood - ols)
    told = {"skew": wrong, "edge": edge, "weak": not wrong and ratio < critical}
    facts = {"ratio": f"{ratio:.3f}", "critical": critical}
    names = pd.Index(["常数项", *regressors, "sigma2", "gamma"], name="name")
    errors = np.sqrt([*np.diag(covariance), np.nan, np.nan][: width + 2])
    errors *= [*1 / norms, scale, gamma * (1 - gamma)]
    table = pd.DataFrame({"estimate": [*fitted / norms, scale, gamma], "error": errors}, names)
    middle = -gamma * (e := target - design @ fitted)
    spread = np.sqrt(gamma * (1 - gamma) * scale) or np.nan
    tail = norm.logcdf(a := middle / spread)
    rows = pd.DataFrame({"unit": labels, "residual": side * e})
    rows["efficiency"] = np.exp(norm.logcdf(a - spread) - tail - middle + spread**2 / 2)
    rows["jlms"] = np.exp(-middle - spread * np.exp(norm.logpdf(a) - tail))
    statistics = pd.Series({
        "sigma_u": (gamma * scale) ** 0.5, "sigma_v": (scale - gamma * scale) ** 0.5,
        "lambda": odds**0.5, "log_likelihood": likelihood, "least_squares": ols, "ratio": ratio,
    })  # fmt: skip
    return StochasticFrontier(
        table.assign(z=table.estimate / errors), rows.reindex(back).reset_index(drop=True),
        statistics, tuple(sentence(f"frontier.{code}", **facts) for code in told if told[code]),
    )  # fmt: skip
