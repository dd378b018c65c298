"""Weights, agreement, reliability and robustness beside the packages one would use alone.

Each line is one task on the same data: wall seconds of evalkit, of the peer, and their ratio (below
1 is ahead). AHP against pymcdm and AHPy, entropy and CRITIC against pymcdm; Kendall's W, the six
intraclass correlations and Cronbach's α against pingouin, where these are installed; robustness of
a grade against a plain numpy loop that draws the same; an export of 问卷星, read into a tidy table,
against pandas with openpyxl, which gives the bare cells. Where the peer gives less (no consistency
report, no exact probability, no α without each item), its column says so.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalkit.scoring.agreement import icc, kendall
from evalkit.scoring.sensitivity import robustness, within
from evalkit.scoring.weights import ahp, critic, entropy
from evalkit.survey.answers import read
from evalkit.survey.estimates import estimates
from evalkit.survey.reliability import reliability

Work = Callable[[], Any]
Task = tuple[str, Work, str, Work | None]
BANDS = [{"grade": g, "from": f} for g, f in zip("优良中差", (90, 80, 60, 0), strict=True)]


def peer(name: str) -> Any:
    """The package, or None where it is not installed."""
    return import_module(name) if find_spec(name.partition(".")[0]) else None


def table(rows: int, columns: int) -> pd.DataFrame:
    """Scores of objects that differ in level, by judges that differ in kindness."""
    dice = np.random.default_rng(20)
    x = 6 + dice.normal(0, 1, (rows, 1)) + dice.normal(0, 0.5, columns)
    x = np.clip(x + dice.normal(0, 0.7, (rows, columns)), 1, 10).round(1)
    return pd.DataFrame(x, [f"对象{k}" for k in range(rows)], [f"第{k}" for k in range(columns)])


def judgements(n: int) -> pd.DataFrame:
    """A judgement matrix that is not quite consistent."""
    dice = np.random.default_rng(n)
    x, names = np.ones((n, n)), [f"指标{k}" for k in range(n)]
    for i, j in zip(*np.triu_indices(n, 1), strict=True):
        x[i, j] = dice.integers(1, 10) ** dice.choice([-1.0, 1.0])
        x[j, i] = 1 / x[i, j]
    return pd.DataFrame(x, names, names)


def weights() -> Iterator[Task]:
    """AHP, entropy and CRITIC."""
    mcdm, subjective, ahpy = peer("pymcdm.weights"), peer("pymcdm.weights.subjective"), peer("ahpy")
    for n in (9, 15):
        matrix = judgements(n)
        values = matrix.to_numpy()
        pairs = {(a, b): matrix.loc[a, b] for i, a in enumerate(matrix) for b in [*matrix][i + 1 :]}

        def by_pymcdm(x: Any = values) -> Any:
            model = subjective.AHP(matrix=x)
            return model(), model.get_cr()

        def by_ahpy(pairs: Any = pairs) -> Any:
            return ahpy.Compare("x", pairs, precision=6, random_index="saaty")

        task = lambda m=matrix: ahp(m)  # noqa: E731
        yield f"AHP of {n} items", task, "pymcdm, no judgements", by_pymcdm if subjective else None
        yield f"AHP of {n} items", task, "AHPy, no judgements", by_ahpy if ahpy else None
    for rows, columns in ((30, 20), (1000, 60), (20_000, 60)):
        x = table(rows, columns)
        values = x.to_numpy()
        for name, ours in (("entropy", entropy), ("critic", critic)):
            theirs = getattr(mcdm, f"{name}_weights", None)
            run = (lambda f=theirs, v=values: f(v)) if theirs else None
            if run:
                assert np.allclose(ours(x)["weight"], run(), atol=1e-6)
            yield f"{name} of {rows}x{columns}", lambda o=ours, x=x: o(x), "pymcdm, no check", run


def agreement() -> Iterator[Task]:
    """Kendall's W, intraclass correlations and Cronbach's α."""
    pg = peer("pingouin")
    for rows, columns in ((20, 7), (300, 15), (2000, 30)):
        x = table(rows, columns)
        long = x.rename_axis("item").reset_index().melt("item", var_name="expert")
        task = lambda x=x: kendall(x)  # noqa: E731
        yield (
            f"Kendall's W of {rows}x{columns}, p by permutation", task, "pingouin, chi-square only",
            (lambda d=long: pg.friedman(d, "value", "item", "expert")) if pg else None,
        )  # fmt: skip
        yield (
            f"ICC of {rows}x{columns}", lambda x=x: icc(x), "pingouin",
            (lambda d=long: pg.intraclass_corr(d, "item", "expert", "value")) if pg else None,
        )  # fmt: skip
    for rows, columns in ((300, 12), (5000, 30)):
        x = table(rows, columns).round().clip(1, 5)

        def all_deleted(x: pd.DataFrame = x) -> Any:
            return [pg.cronbach_alpha(x), *(pg.cronbach_alpha(x.drop(columns=c)) for c in x)]

        if pg:
            assert np.isclose(reliability(x)[0]["alpha"], pg.cronbach_alpha(x)[0])
        yield (
            f"alpha of {rows}x{columns}, and without each item", lambda x=x: reliability(x),
            "pingouin, item by item", all_deleted if pg else None,
        )  # fmt: skip


def survey() -> Iterator[Task]:
    """5 000 answers to 40 questions, as a file and as a table."""
    dice, rows, columns = np.random.default_rng(5), 5000, 40
    levels = ["非常满意", "满意", "一般", "不满意", "非常不满意", "不了解", "(跳过)"]
    heads = [f"{k}、对第{k}项服务是否满意" for k in range(1, columns + 1)]
    x = pd.DataFrame(dice.choice(levels, (rows, columns)), columns=heads)
    for k in (10, 20, 30, 40):  # some ask for several options
        x[heads[k - 1]] = [
            "┋".join(dice.choice([*"甲乙丙丁戊"], n)) for n in dice.integers(1, 4, rows)
        ]
    x.insert(0, "所用时间", [f"{n}秒" for n in dice.integers(30, 600, rows)])
    x.insert(0, "序号", range(1, rows + 1))
    with tempfile.TemporaryDirectory() as folder:
        book, text = Path(folder, "a.xlsx"), Path(folder, "a.csv")
        x.to_excel(book, index=False, engine="xlsxwriter")
        x.to_csv(text, index=False)
        bare = lambda: pd.read_excel(book, dtype=str, engine="openpyxl")  # noqa: E731
        size = f"{rows}x{columns}"
        yield f"export of {size}, XLSX", lambda: read(book), "pandas, bare cells", bare
        yield f"export of {size}, CSV", lambda: read(text), "", None
        table, asked = read(text)[1], [h for k, h in enumerate(heads, 1) if k % 10]
    yield f"satisfaction of {size}, five mappings", lambda: estimates(table, asked), "", None


def robust() -> Iterator[Task]:
    """Robustness of a grade that hangs on sixty indicators."""
    n, dice = 60, np.random.default_rng(3)
    points = np.repeat([2, 1], [40, 20])
    rates = np.clip(dice.normal(0.9, 0.08, n), 0, 1).round(2)
    pools = {str(k + 1): within(points[k] * rates[k], 0.1, most=points[k]) for k in range(n)}
    pool, cuts = np.array([*pools.values()]) / points[:, None], np.array([0, 60, 80, 90])
    marks = {str(k + 1): dice.choice(pool[k] * points[k], 7).round(4) for k in range(n)}
    panel = np.array([*marks.values()]) / points[:, None]

    def loop(draws: int, given: str) -> Any:
        dice, totals, every = np.random.default_rng(0), np.empty(draws), np.arange(n)
        for k in range(draws):
            rate, shares = rates, points / 100
            if "outcomes" in given:
                rate = pool[every, dice.integers(200, size=n)]
            if "marks" in given:
                drawn = panel[:, dice.integers(7, size=7)]
                rate = (drawn.sum(1) - drawn.max(1) - drawn.min(1)) / 5
            if "weights" in given:
                shares = dice.dirichlet(points / 100 * 200)
            totals[k] = np.floor(shares * rate * 10_000 + 0.5).sum() / 100
        return np.bincount(np.searchsorted(cuts, totals, "right") - 1, minlength=4) / draws

    ways: dict[str, dict[str, Any]] = {
        "weights": {"concentration": 200},
        "outcomes": {"outcomes": pools},
        "weights and outcomes": {"concentration": 200, "outcomes": pools},
        "weights and marks of 7": {"concentration": 200, "marks": marks, "trim_from": 5},
    }
    for name, how in ways.items():
        for draws in (10_000, 100_000):

            def task(how: dict[str, Any] = how, draws: int = draws) -> Any:
                return robustness(rates, points, BANDS, digits=2, draws=draws, **how)

            found = task().grades["probability"].astype(float).to_numpy()[::-1]
            if draws == 10_000:
                assert np.abs(found - loop(draws, name)).max() < 0.03
            yield (
                f"robustness, {draws} draws of 60: {name}", task, "numpy loop, grades only",
                lambda draws=draws, name=name: loop(draws, name),
            )  # fmt: skip


def seconds(work: Work, rounds: int) -> float:
    """The least wall time of some rounds."""
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)


def measure(task: Work, theirs: Work | None) -> dict[str, Any]:
    """Both on the same data, one after the other; what takes long is run less often."""
    found = {}
    for name, work in (("seconds", task), ("peer_seconds", theirs)):
        if work is not None:
            first = seconds(work, 1)
            found[name] = min(first, seconds(work, 5 if first < 0.2 else 2)) if first < 2 else first
    if theirs is not None:
        found["to_peer"] = found["seconds"] / found["peer_seconds"]
    return {name: round(value, 4) for name, value in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    found = []
    for tasks in (weights, agreement, survey, robust):
        for name, task, against, theirs in tasks():
            row = {"task": name, "peer": against if theirs else ""}
            found.append(row | measure(task, theirs))
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
        return
    print(f"{'task':56}{'evalkit':>9}{'peer':>9}{'ratio':>9}  peer")
    for row in found:
        theirs, ratio = row.get("peer_seconds", ""), row.get("to_peer", "")
        print(f"{row['task']:56}{row['seconds']:>9}{theirs:>9}{ratio:>9}  {row['peer']}")


if __name__ == "__main__":
    main()
