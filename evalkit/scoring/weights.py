"""Weights and how they were derived: judgements, data, expert scores, combinations, points.

Every function takes tables with names on both sides and gives back tables that tell the steps.
Cells may be numbers or text, full width, with fractions (１／３).
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from evalkit.core.numbers import plain, round_to, to_decimal
from evalkit.core.problem import Problem, demand, noting, refuse, sentence
from evalkit.core.yaml_file import load_yaml

Frame = pd.DataFrame
DATA: dict[str, Any] = load_yaml(Path(__file__).with_name("science.yaml"))
NOISE, HUGE, TOLERANCE, TOP = (float(number) for number in DATA["floats"].values())
LEAST, DIGITS, WORDS, INDEX = int(DATA["least"]), int(DATA["digits"]), DATA["words"], DATA["index"]
SIGNS, TINY = str.maketrans(DATA["signs"]), np.finfo(float).tiny


def shown(number: float) -> str:
    """A number as it stands in a formula, to a ten-thousandth; a small one to four digits.

    >>> shown(0.5), shown(1 / 3), shown(0.00012345)
    ('0.5', '0.3333', '0.0001234')
    """
    if NOISE < abs(number) < 1 / 100:
        return np.format_float_positional(number, 2 + 2, unique=False, fractional=False, trim="-")
    return f"{number:.4f}".rstrip("0").rstrip(".")


def _text(cell: Any) -> str:
    """A name or a cell as it stands there; empty where there is none."""
    none = not isinstance(cell, str) and pd.api.types.is_scalar(cell) and pd.isna(cell)
    return "" if none else str(cell).strip()


def _number(cell: Any) -> float:
    """The number of a cell; NaN where there is none: 1½ is not 11/2, nor is 3² the number 32."""
    above, slash, below = _text(cell).translate(SIGNS).partition("/")
    try:
        return float(above) / float(below if slash else 1)
    except (ValueError, ZeroDivisionError):
        return np.nan


def _read(table: Frame) -> tuple[Frame, Frame]:
    """The table under its names as texts, and its numbers: those that are none yet are read."""
    rows, columns = ([_text(name) for name in axis.tolist()] for axis in table.axes)
    text = table.set_axis(rows).set_axis(columns, axis=1)
    plain = all(isinstance(kind, np.dtype) and kind.kind in "iuf" for kind in table.dtypes)
    return text, (text if plain else text.map(_number)).astype(float)


def _cells(text: Frame, masks: Mapping[str, Any], **facts: str) -> list[Problem]:
    """A problem for each cell that a mask picks."""
    picked = ((code, *at) for code, mask in masks.items() for at in np.argwhere(mask))
    places = ((c, text.index[i], text.columns[j], _text(text.iat[i, j])) for c, i, j in picked)
    return [sentence(f"weight.{c}" if c + v != "cell" else "weight.missing",
                     row=i, column=j, value=v, **facts) for c, i, j, v in places]  # fmt: skip


def grid(table: Frame, least: tuple[int, int] = (1, 1), sign: str = "") -> Frame:
    """The table as floats, every cell and name checked.

    Args:
        table: numbers or their texts; rows and columns have names.
        least: the fewest rows and columns.
        sign: `negative` refuses numbers below zero, `positive` all that are not above.

    Raises:
        EvalkitError: an empty cell, one that is no number or has the wrong sign (each by row and
            column), a name that is empty or there twice, too few rows or columns; all at once.

    >>> grid(Frame({"专家甲": ["１／２", 3]}, index=["数量", "质量"]))["专家甲"].tolist()
    [0.5, 3.0]
    """
    text, x = _read(table)
    bad = {name for axis in text.axes for name in axis[axis.duplicated() | (axis == "")]}
    found = [sentence("weight.twice", name=name) for name in sorted(bad)]
    found += [sentence("weight.few", n=text.shape, least=least)] * any(np.less(text.shape, least))
    a, floor = x.to_numpy(), {"": -HUGE, "negative": 0, "positive": TINY}[sign]
    odd = ~((a.min(0, initial=1) >= floor) & (a.max(0, initial=1) <= HUGE))
    none, low = ~(np.abs(a[:, odd]) <= HUGE), a[:, odd] < floor
    refuse([*found, *_cells(text.loc[:, odd], {"cell": none, sign: low & ~none})])
    return x


def _each(parts: Mapping[str, Any], make: Callable[[Any], Any]) -> dict[str, Any]:
    """What `make` gives for each part; the problems of all of them at once, under their names."""
    demand(parts, "weight.few", n=(0, 0), least=(1, 1))
    found, made = list[Problem](), {}
    for name, part in parts.items():
        with noting(found, name):
            made[name] = make(part)
    refuse(found)
    return made


def _derived(raw: pd.Series, /, **steps: pd.Series) -> Frame:
    """The steps with weights that sum to one, and how they are found from the raw ones."""
    demand((whole := raw.sum()) > 0, "weight.flat")
    texts = [f"{shown(value)}÷{shown(whole)}" for value in raw]
    return Frame({**steps, "weight": raw / whole, "formula": texts})


def _shares(shares: Mapping[str, Any] | None, names: list[str]) -> Any:
    """Shares that sum to one, in the order of the names; equal where none are given."""
    given = pd.Series(shares or dict.fromkeys(names, 1), dtype=object)
    x = _derived(grid(Frame({"比重": given}), sign="negative")["比重"])["weight"]
    demand(set(x.index) == set(names), "weight.shares", given="、".join(x.index), names=names)
    return x[names].to_numpy()


# --- pairwise judgements -------------------------------------------------------------------------


def complete(matrix: Frame, bound: float = TOP) -> Frame:
    """A judgement matrix with both halves, its columns in the order of its rows.

    Args:
        matrix: the item of the row against that of the column; of each pair one judgement or
            both. Of both the one above 1 is taken (0.33 beside 3 is a rounded 1/3).
        bound: the largest judgement; `inf` for measured ratios.

    Raises:
        EvalkitError: rows and columns name different items; a pair without judgement; one that is
            no number, zero, negative or off the scale; two that are not reciprocal; a diagonal
            other than 1. Each by row and column, all at once.

    >>> upper = Frame([["", "３"], ["", ""]], index=["产出", "效益"], columns=["产出", "效益"])
    >>> complete(upper).loc["效益"].tolist()
    [0.3333333333333333, 1.0]
    """
    text, x = _read(matrix)
    rows, columns = list(text.index), list(text.columns)
    same = sorted({*rows} - {""}) == sorted(rows) == sorted(columns) != []
    demand(same, "weight.items", rows="、".join(rows), columns="、".join(columns))
    text, a, wide = text[rows], x[rows].to_numpy(), min(bound, HUGE) * (1 + TOLERANCE)
    blank = (text.map(_text) == "").to_numpy()
    known = (a > 1 / wide) & (a < wide)
    a, off = np.where(known, a, np.nan), np.eye(len(a), dtype=bool) & known & (a != 1)
    clash, none = np.triu(np.abs(a * a.T - 1) > TOLERANCE, 1), np.triu(blank & blank.T, 1)
    masks = {"judgement": ~blank & ~known, "diagonal": off, "unjudged": none, "reciprocal": clash}
    refuse(_cells(text, masks, bound=shown(bound)))
    full = np.where(np.isnan(a) | (a < a.T), 1 / a.T, a)
    np.fill_diagonal(full, 1)
    return Frame(full, rows, rows)


def _solve(a: Any) -> tuple[Any, Any]:
    """Principal eigenvectors (summing to one) and (λmax-n)/(n-1) of a stack of matrices."""
    values, vectors = np.linalg.eig(a)
    which, n = values.real.argmax(-1)[..., None], a.shape[-1]
    w = np.abs(np.take_along_axis(vectors, which[..., None], -1)[..., 0])
    ci = (np.take_along_axis(values.real, which, -1)[..., 0] - n) / max(n - 1, 1)
    return w / w.sum(-1, keepdims=True), np.where(np.abs(ci) < n * NOISE, 0, ci)


class Ahp(NamedTuple):
    """Weights from one judgement matrix; see `ahp`."""

    weights: Frame  # by item: weight (w), weighted_sum (Aw), ratio (Aw)÷w
    consistency: pd.Series  # lambda_max, ci, ri, cr, formula
    judgements: Frame  # by pair, the one whose mending helps most first


def ahp(matrix: Frame, index: str = "saaty1980", bound: float = TOP) -> Ahp:
    """Analytic hierarchy process: weights of one level and the consistency of the judgements.

    A w = λmax w; CI = (λmax-n)/(n-1); CR = CI/RI, 0 for one or two items. Judgements are to be
    looked at again from CR = 0.10 (Saaty 1980). Not for more than 15 items (group them), nor where
    the judgements are not ratios of importance.

    Source: Saaty (1977), Journal of Mathematical Psychology 15(3); Saaty (1980). The list of
    judgements follows Saaty (2003), European Journal of Operational Research 145(1): a judgement's
    deviation is ε = a_ij w_j/w_i; what would mend it is w_i/w_j of the matrix with that judgement
    left out (Harker 1987, Mathematical Modelling 9(11): 0 in its place, 1 more on both diagonals).

    Args:
        matrix: as for `complete`.
        index: table of random indices, one of those in science.yaml (KeyError for others).
        bound: as for `complete`.

    Returns:
        `Ahp`. Its `judgements` have row, column, judgement, fitted (w_i/w_j), deviation (ε or its
        reciprocal, the larger), mend, suggested (the nearest on Saaty's scale) and cr (with the
        suggested one in place); the first row is the judgement that hurts consistency most. Empty
        below three items; where CR is 0 there is nothing to mend.

    Raises:
        EvalkitError: what `complete` raises; more than 15 items.

    >>> upper = Frame([["", 2, "1/3"], ["", "", 4], ["", "", ""]], list("甲乙丙"), list("甲乙丙"))
    >>> weights, consistency, judgements = ahp(upper)
    >>> round(float(consistency["cr"]), 2), *judgements.loc[0, ["row", "column", "suggested"]]
    (1.06, '甲', '丙', '8')
    """
    full, table = complete(matrix, bound), INDEX[index]
    a, n = full.to_numpy(), len(full)
    demand(n <= len(table["values"]), "weight.size", n=n, most=len(table["values"]))
    w, ci, ri = *_solve(a), float(table["values"][n - 1])
    steps = Frame({"weight": w, "weighted_sum": a @ w, "ratio": a @ w / w}, full.index)
    facts = {"lambda_max": ci * (n - 1) + n, "ci": ci[()], "ri": ri, "cr": ci / (ri or 1)}
    words, texts = WORDS["cr" if ri else "always"], map(shown, facts.values())
    told = pd.Series({**facts, "formula": words.format(table["source"], n, *texts)})
    return Ahp(steps, told, _mends(full, w, ri))


def _mends(full: Frame, w: Any, ri: float) -> Frame:
    a, steps = full.to_numpy(), DATA["steps"]
    i, j = np.triu_indices(len(a), 1) if ri else np.empty((2, 0), dtype=int)
    k, (without, mended) = np.arange(len(i)), np.tile(a, (2, len(i), 1, 1))
    without[k, i, j] = without[k, j, i] = 0
    without[k, i, i] = without[k, j, j] = 2
    v, scale = _solve(without)[0], np.array([_number(step) for step in steps])
    mend, off = v[k, i] / v[k, j], np.abs(np.log(a[i, j] * w[j] / w[i]))
    near = np.abs(np.log(scale) - np.log(mend)[:, None]).argmin(1)
    mended[k, i, j], mended[k, j, i] = scale[near], 1 / scale[near]
    pairs = Frame({
        "row": full.index[i], "column": full.index[j], "judgement": a[i, j], "fitted": w[i] / w[j],
        "deviation": np.exp(off), "mend": mend, "suggested": np.array(steps)[near],
        "cr": _solve(mended)[1] / (ri or 1),
    }).round(DIGITS)  # fmt: skip
    return pairs.sort_values(["cr", "deviation"], ascending=[True, False], ignore_index=True)


def aggregate(matrices: Mapping[str, Frame], shares: Mapping[str, Any] | None = None) -> Frame:
    """One judgement matrix of a group: geometric means a_ij = Π a_ij(k)^share(k) (AIJ).

    For experts who speak as one. Source: Aczél & Saaty (1983), Journal of Mathematical Psychology
    27(1), the only mean that keeps reciprocity. For experts who speak for themselves combine
    their priorities (AIP; Forman & Peniwati 1998): `combine` with `geometric` or `linear`.

    Args:
        matrices: by expert, at least one, each as for `complete`, all over the same items.
        shares: of the experts, equal unless given; they are made to sum to one.

    Raises:
        EvalkitError: what `complete` raises, under the expert's name; other items than the first
            expert's; shares of other experts.

    >>> pair = lambda text: Frame([["", text], ["", ""]], list("甲乙"), list("甲乙"))
    >>> float(aggregate({"一": pair("2"), "二": pair("8")}).loc["甲", "乙"].round(6))
    4.0
    """
    full = _each(matrices, complete)
    items = next(iter(full.values())).index
    refuse(sentence("weight.experts", name=n) for n, one in full.items() if {*one} != {*items})
    logs = np.log([one.loc[items, items] for one in full.values()])
    return Frame(np.exp(np.tensordot(_shares(shares, list(full)), logs, 1)), items, items)


# --- weights from data ---------------------------------------------------------------------------


def _objects(table: Frame, cost: Sequence[str], sign: str = "") -> Frame:
    x = grid(table, sign=sign)
    found = [sentence("weight.cost", name=name) for name in cost if name not in x]
    few, low, high = len(x) < LEAST, x.to_numpy().min(0), x.to_numpy().max(0)
    flat = x.columns[high - low <= NOISE * np.maximum(high, -low)]
    found += [sentence("weight.objects", n=len(x), least=LEAST)] if few else []
    refuse(found + [sentence("weight.constant", name=name) for name in flat if not few])
    return x


def _range(x: Frame, cost: Sequence[str]) -> Frame:
    """(x-min)/(max-min); for costs (max-x)/(max-min)."""
    a = x.to_numpy() * np.where(x.columns.isin(cost), -1, 1)
    return Frame((a - a.min(0)) / np.ptp(a, 0), x.index, x.columns)


def entropy(table: Frame, cost: Sequence[str] = (), how: str = "share") -> Frame:
    """Entropy weights: e_j = -Σ p_ij ln p_ij / ln m, w_j = (1-e_j)/Σ(1-e).

    Not for fewer than three comparable objects, least of all for a single project: without
    differences there is no information. Weights say how much an indicator tells the objects
    apart, not how much it matters; `combine` them with judgements.

    Source: Shannon (1948); Hwang & Yoon (1981), Multiple Attribute Decision Making, 3.

    Args:
        table: m objects (projects, years) × n indicators.
        cost: indicators of which less is better.
        how: `share`: p = x/Σx, of costs (1/x)/Σ(1/x), all numbers above zero; `range`: p from
            (x-min)/(max-min), of costs (max-x)/(max-min), any numbers, 0 ln 0 = 0.

    Returns:
        By indicator: entropy, divergence (1-e), weight, formula.

    Raises:
        EvalkitError: what `grid` raises; fewer than three objects; a constant indicator; `cost`
            names no column; zeros and negative numbers under `share`.

    >>> costs = Frame({"完成率": [90, 95, 100], "投诉": [4, 2, 1]}, index=["甲", "乙", "丙"])
    >>> entropy(costs, cost=["投诉"])["weight"].round(4).tolist()
    [0.0064, 0.9936]
    """
    from scipy.special import xlog1py

    x = _objects(table, cost, {"share": "positive", "range": ""}[how])
    y = _range(x, cost).clip(TINY).to_numpy() if how == "range" else x.to_numpy()  # 0 ln 0 is 0
    if how == "share" and len(cost):
        y = np.where(x.columns.isin(cost), y.min(0) / y, y)
    logs = [np.einsum("i,i", each, np.log(each)) for each in y.T]
    lost = logs / y.sum(0) - np.log(y.mean(0))
    near = lost < 1 / 100**2  # objects all but equal: most digits have cancelled
    apart = y[:, near] / y[:, near].mean(0) - 1
    lost[near] = (xlog1py(1 + apart, apart) - apart).mean(0)
    lost = pd.Series(lost / np.log(len(x)), x.columns)
    return _derived(lost, entropy=1 - lost, divergence=lost)


def critic(table: Frame, cost: Sequence[str] = ()) -> Frame:
    """CRITIC weights: C_j = σ_j Σ_k (1-r_jk), w_j = C_j/ΣC, on values brought to 0–1.

    Contrast within an indicator times its conflict with the others. Not for fewer than three
    objects; σ is the sample standard deviation, r is Pearson's.

    Source: Diakoulaki, Mavrotas & Papayannakis (1995), Computers & Operations Research 22(7).

    Args:
        table: as for `entropy`; any numbers.
        cost: as for `entropy`.

    Returns:
        By indicator: deviation (σ), conflict Σ(1-r), information C, weight, formula. A single
        indicator has weight 1.

    Raises:
        EvalkitError: as `entropy`, and indicators that all move together.

    >>> critic(Frame({"甲": [1, 2, 3], "乙": [1, 3, 2]}, index=list("abc")))["weight"].tolist()
    [0.5, 0.5]
    """
    z = _range(_objects(table, cost), cost)
    r = np.atleast_2d(np.corrcoef(z, rowvar=False))
    conflict = (1 - r).sum(0).round(DIGITS) + (len(r) == 1)
    raw = z.std() * conflict
    return _derived(raw, deviation=z.std(), conflict=conflict, information=raw)


# --- weights from expert scores ------------------------------------------------------------------


def expert_scores(scores: Frame, trim: int = 0) -> Frame:
    """Weights from importance scores: an item's mean over the experts ÷ the sum of the means.

    Args:
        scores: items × experts, not negative.
        trim: how many of the highest and as many of the lowest scores of each item are dropped
            for the mean that counts (1: 去掉一个最高分和一个最低分).

    Returns:
        By item: n, mean, trimmed_mean, sd, cv (sd/mean; sd with n-1, NaN for a single expert),
        low, high, weight, formula.

    Raises:
        EvalkitError: what `grid` raises; a negative score; an item whose mean is 0; trimming that
            leaves nothing.

    >>> said = Frame({"一": [8, 2], "二": [9, 4], "三": [7, 9]}, index=["产出", "效益"])
    >>> expert_scores(said, trim=1)[["trimmed_mean", "weight"]].round(4).values.tolist()
    [[8.0, 0.6667], [4.0, 0.3333]]
    """
    x = grid(scores, (1, 2 * trim + 1), "negative")
    kept = pd.Series(np.sort(x, axis=1)[:, range(trim, x.shape[1] - trim)].mean(1), x.index)
    refuse(sentence("weight.zero", name=name) for name in x.index[kept == 0])
    mean, sd = x.mean(axis=1), x.std(axis=1)
    return _derived(kept, n=x.count(axis=1), mean=mean, trimmed_mean=kept, sd=sd, cv=sd / mean,
                    low=x.min(axis=1), high=x.max(axis=1))  # fmt: skip


def delphi(rounds: Mapping[str, Frame], trim: int = 0) -> Frame:
    """Rounds of expert scoring side by side: opinions converge where cv falls.

    Source: Dalkey & Helmer (1963), Management Science 9(3). Items and experts may differ from
    round to round; agreement of a round is `evalkit.scoring.agreement.kendall`.

    Args:
        rounds: by round, in order, at least one, tables as for `expert_scores`.
        trim: as there.

    Returns:
        A row an item and round: round, item, the columns of `expert_scores`, and mean_change,
        cv_change, weight_change against the item's round before (NaN in its first).

    Raises:
        EvalkitError: what `expert_scores` raises, under the round's name.

    >>> first, second = (Frame({"一": [8], "二": [high]}, index=["产出"]) for high in (4, 8))
    >>> delphi({"第一轮": first, "第二轮": second})["mean_change"].tolist()
    [nan, 2.0]
    """
    found = _each(rounds, lambda table: expert_scores(table, trim))
    long: Frame = pd.concat(found, names=["round", "item"]).reset_index()
    return long.join(long.groupby("item")[["mean", "cv", "weight"]].diff().add_suffix("_change"))


# --- combining, and points -----------------------------------------------------------------------


def combine(weights: Frame, how: str = "linear", shares: Mapping[str, Any] | None = None) -> Frame:
    """One set of weights from several methods or experts.

    linear: w_i = Σ share_k w_ik; multiplicative: Π w_ik ÷ ΣΠ (shares do not count; it enlarges
    differences); geometric: Π w_ik^share_k ÷ ΣΠ. For group priorities (AIP) linear is the
    arithmetic, geometric the geometric mean (Forman & Peniwati 1998, European Journal of
    Operational Research 108(1)).

    Args:
        weights: items × methods, not negative; each column is first made to sum to one.
        how: `linear`, `multiplicative` or `geometric`.
        shares: by column, equal unless given; they are made to sum to one.

    Returns:
        By item: the columns, weight, formula.

    Raises:
        EvalkitError: what `grid` raises; a column of zeros; shares of other columns; products
            that are all 0.

    >>> both = Frame({"层次分析法": [0.6, 0.4], "熵权法": [0.2, 0.8]}, index=["产出", "效益"])
    >>> combine(both, "linear", {"层次分析法": "0.7", "熵权法": "0.3"}).loc["产出", "formula"]
    '(0.6×0.7+0.2×0.3)÷1'
    >>> combine(both, "multiplicative")["weight"].round(4).tolist()
    [0.2727, 0.7273]
    """
    x = grid(weights, sign="negative")
    refuse(sentence("weight.zero", name=name) for name in x.columns[x.sum() == 0])
    sign, join = {"linear": ("×", "+"), "geometric": ("^", "×"), "multiplicative": ("^", "×")}[how]
    x, part = x / x.sum(), _shares(shares, list(x.columns)) ** (how != "multiplicative")
    raw = pd.Series(x @ part if how == "linear" else (x**part).prod(axis=1))
    terms = (x.map(shown) + [f"{sign}{shown(p)}" for p in part]).agg(join.join, axis=1)
    texts = "(" + terms + f")÷{shown(raw.sum())}"
    return _derived(raw, **{str(name): x[name] for name in x}).assign(formula=texts)


def to_points(weights: Mapping[str, Any] | pd.Series, total: Any = 100, step: Any = 1) -> Frame:
    """Points that sum exactly to the total, by largest remainder (Hamilton).

    Every item gets the whole steps of its quota w/Σw × total; the steps left over go to the
    largest remainders, of equal ones to the larger weight, then to the one listed first.

    Args:
        weights: by item, not negative; they need not sum to one.
        total: what the points sum to, a multiple of the step.
        step: the smallest unit of points: 1, 0.5, 5.

    Returns:
        By item: weight (sums to one), quota, points (`Decimal`), formula. Points may be 0.

    Raises:
        EvalkitError: what `grid` raises; weights that are all 0; a step that does not divide the
            total.
        ValueError: total or step is no number.

    >>> table = to_points({"决策": 0.2, "过程": 0.235, "产出": 0.33, "效益": 0.235})
    >>> [str(points) for points in table["points"]], table.loc["过程", "formula"]
    (['20', '24', '33', '23'], '0.235×100=23.5，取24')
    """
    x = grid(Frame({"权重": pd.Series(weights, dtype=object)}), sign="negative")["权重"]
    whole, unit = to_decimal(total), to_decimal(step)
    w, units = _derived(x)["weight"], Fraction(whole) / Fraction(unit or 1)
    demand(min(whole, unit) > 0 == units % 1, "weight.step", total=total, step=step)
    exact = [Fraction(round_to(to_decimal(float(v)), DIGITS)) for v in w]
    quotas = [v / sum(exact) * units for v in exact]
    counts = [int(quota) for quota in quotas]
    order = sorted(range(len(w)), key=lambda i: (counts[i] - quotas[i], -exact[i]))
    more, quota = {*order[: int(units) - sum(counts)]}, w * float(whole)
    points = [(count + (i in more)) * unit for i, count in enumerate(counts)]
    texts = w.map("{:.6g}".format) + f"×{plain(whole)}=" + quota.map(shown) + "，取"
    texts += [*map(plain, points)]
    return Frame({"weight": w, "quota": quota, "points": points, "formula": texts})
