"""Statistics of cost standards beside the packages one would use alone, on the same data.

Each line is one task: wall seconds of evalkit, of the peer, and their ratio (below 1 is ahead). DEA
of 1 000 units with three inputs and two outputs against scipy's linprog unit by unit, which gives
scores only; of 100 units with slacks against Pyfrontier (where it is installed), which needs a
process a program; a bootstrap by its replication of 100 units. Cost functions with all their
diagnostics against bare statsmodels fits; outliers, benchmarks and intervals against pandas and
scipy.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from scipy.optimize import linprog

from evalkit.standards.benchmarks import benchmarks, interval
from evalkit.standards.cost_function import fit
from evalkit.standards.frontier import bootstrap, dea
from evalkit.standards.outliers import robust_z, tukey
from evalkit.standards.stochastic import frontier_fit

INPUTS, OUTPUTS = ["x1", "x2", "x3"], ["y1", "y2"]
Work = Callable[[], object]


def units(n: int) -> pd.DataFrame:
    """Units of unequal size, mix and efficiency."""
    dice = np.random.default_rng(20)
    x = np.exp(dice.normal(0, 0.6, (n, 1)) + dice.normal(0, 0.4, (n, 3)))
    loss = np.abs(dice.normal(0, 0.4, (n, 1)))
    y = np.exp(dice.normal(0, 0.3, (n, 2)) - loss) * np.cbrt(x.prod(axis=1, keepdims=True))
    frame = pd.DataFrame(np.column_stack([x, y]), columns=INPUTS + OUTPUTS)
    return frame.assign(unit=[f"单位{k}" for k in range(n)])


def by_linprog(frame: pd.DataFrame, returns: str) -> list[float]:
    """Input scores, one linear program a unit."""
    x, y = frame[INPUTS].to_numpy(), frame[OUTPUTS].to_numpy()
    goal, found = np.r_[1.0, np.zeros(len(x))], []
    sums = {"A_eq": [np.r_[0.0, np.ones(len(x))]], "b_eq": [1.0]} if returns == "vrs" else {}
    for mine, made in zip(x, y, strict=True):
        left = np.vstack([np.column_stack([-mine, x.T]), np.column_stack([np.zeros(2), -y.T])])
        found.append(linprog(goal, left, np.r_[np.zeros(3), -made], **sums).fun)
    return found


def by_pyfrontier(frame: pd.DataFrame, returns: str) -> list[float]:
    """Input scores with slacks."""
    from Pyfrontier.frontier_model import EnvelopDEA

    model = EnvelopDEA(returns.upper(), "in")
    model.fit(frame[INPUTS].to_numpy(), frame[OUTPUTS].to_numpy())
    return [one.score for one in model.result]


def frontiers() -> Iterator[tuple[str, Work, str, Work | None]]:
    """DEA, bootstrap, stochastic frontier."""
    many, few = units(1000), units(100)
    for returns in ("crs", "vrs"):
        for slacks in (False, True):
            yield (
                f"DEA {returns} 1000x5" + " with slacks" * slacks,
                lambda r=returns, s=slacks: dea(many, INPUTS, OUTPUTS, returns=r, slacks=s),
                "scipy linprog, scores", None if slacks else lambda r=returns: by_linprog(many, r),
            )  # fmt: skip
        ours = dea(few, INPUTS, OUTPUTS, returns=returns).scores.score
        assert np.allclose(ours, by_linprog(few, returns), atol=1e-6)
        yield (
            f"DEA {returns} 100x5 with slacks",
            lambda r=returns: dea(few, INPUTS, OUTPUTS, returns=r),
            "Pyfrontier", lambda r=returns: by_pyfrontier(few, r),
        )  # fmt: skip
    yield (
        "DEA bootstrap, 10 replications of 100x5",
        lambda: bootstrap(few, INPUTS, OUTPUTS, seed=1, replications=10, tell=str),
        "scipy linprog", lambda: [by_linprog(few, "crs") for _ in range(11)],
    )  # fmt: skip
    yield (
        "stochastic frontier of 1000 units",
        lambda: frontier_fit(many, "x1", OUTPUTS), "none", None,
    )  # fmt: skip


def functions() -> Iterator[tuple[str, Work, str, Work | None]]:
    """Cost functions of 5 000 units with two outputs."""
    frame = units(5000)
    cost, design = np.log(frame["x1"]), sm.add_constant(np.log(frame[OUTPUTS]))
    peers: dict[str, Work] = {
        "ols": lambda: sm.OLS(cost, design).fit(cov_type="HC3").summary(),
        "huber": lambda: sm.RLM(cost, design).fit().summary(),
        "quantile": lambda: sm.QuantReg(cost, design).fit(q=0.5).summary(),
    }
    for method, peer in peers.items():
        yield (
            f"cost function {method} of 5000 units",
            lambda m=method: fit(frame, "x1", OUTPUTS, method=m), "statsmodels", peer,
        )  # fmt: skip


def samples() -> Iterator[tuple[str, Work, str, Work | None]]:
    """Outliers and benchmarks of 100 000 unit costs, an interval of 2 000."""
    costs = pd.Series(units(100_000)["x1"])
    some = costs[:2000]

    def quartiles() -> pd.Series:
        low, high = costs.quantile([0.25, 0.75])
        return (costs < low - 1.5 * (high - low)) | (costs > high + 1.5 * (high - low))

    yield "Tukey fences of 100000", lambda: tukey(costs), "pandas", quartiles
    yield (
        "robust z of 100000", lambda: robust_z(costs), "scipy",
        lambda: 0.6745 * (costs - costs.median()) / stats.median_abs_deviation(costs),
    )  # fmt: skip
    yield "benchmarks of 100000", lambda: benchmarks(costs), "pandas", costs.describe
    yield (
        "bootstrap interval of a median, 2000 units, 999 draws",
        lambda: interval(some, "median", draws=999), "scipy, BCa",
        lambda: stats.bootstrap((some,), np.median, n_resamples=999, vectorized=True, batch=100),
    )  # fmt: skip


def seconds(work: Work, rounds: int) -> float:
    """The least wall time of some rounds."""
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)


def measure(task: Work, peer: Work | None) -> dict[str, Any]:
    """Both on the same data, one after the other; what takes long is run once."""
    first = seconds(task, 1)
    ours = min(first, seconds(task, 2)) if first < 2 else first
    if peer is None:
        return {"seconds": round(ours, 4)}
    first = seconds(peer, 1)
    theirs = min(first, seconds(peer, 2)) if first < 2 else first
    return {
        "seconds": round(ours, 4), "peer_seconds": round(theirs, 4),
        "to_peer": round(ours / theirs, 3),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    found = {}
    for tasks in (frontiers, functions, samples):
        for name, task, peer, theirs in tasks():
            found[name] = {"peer": peer if theirs else ""} | measure(task, theirs)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'task':56}{'evalkit':>9}{'peer':>9}{'ratio':>8}  peer")
    for name, row in found.items():
        peer, ratio = row.get("peer_seconds", ""), row.get("to_peer", "")
        print(f"{name:56}{row['seconds']:>9}{peer:>9}{ratio:>8}  {row['peer']}")


if __name__ == "__main__":
    main()
