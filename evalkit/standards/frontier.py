"""Data envelopment analysis: how far each unit is from the best practice among its peers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Literal

import numpy as np
import pandas as pd

from evalkit.core.problem import demand, noting, refuse, sentence
from evalkit.standards.outliers import Floats, numbers, shown
from evalkit.standards.rows import problems

Orientation = Literal["input", "output"]
Returns = Literal["crs", "vrs", "nirs", "ndrs"]

_SUMS = {"crs": (-np.inf, np.inf), "vrs": (1.0, 1.0), "nirs": (-np.inf, 1.0), "ndrs": (1.0, np.inf)}
_TINY, _NEAR = 1e-9, 1e-8  # tolerances relative to a unit's own data: of the programs, of answers
_OPTIONS: dict[str, Any] = {f"{it}_feasibility_tolerance": _TINY for it in ("primal", "dual")}
_OPTIONS |= {"output_flag": False, "presolve": "off", "simplex_strategy": 4}
_OPTIONS |= {"simplex_scale_strategy": 0, "small_matrix_value": 1e-12}  # scaled here
_SCORES, _PEERS = "unit score factor efficient peers note", "unit peer weight"
_TARGETS = "unit variable kind actual slack target formula"


@dataclass(frozen=True)
class Envelopment:
    """What `dea` found, as three tables.

    Attributes:
        scores: one row a unit, in the order given: ``unit``; ``score`` in (0, 1] (above 1 only in
            super-efficiency; NaN where it has no solution); ``factor``, by which the inputs
            (outputs) are multiplied to reach the frontier: θ = score, or φ = 1/score; ``efficient``
            (no other can do better in anything); ``peers`` as text; ``note``.
        peers: one row a peer of a unit: ``unit``, ``peer``, ``weight`` λ.
        targets: one row a unit and input or output: ``unit``, ``variable``, ``kind`` 投入 or 产出,
            ``actual``, ``slack``, ``target``, ``formula`` (factor*actual-slack, or +slack).
    """

    scores: pd.DataFrame
    peers: pd.DataFrame
    targets: pd.DataFrame


def ordered(
    frame: pd.DataFrame, inputs: Sequence[str], outputs: Sequence[str], enough: int | None,
    unit: str, positive: bool = True,
) -> tuple[Floats, Any, Any]:  # fmt: skip
    """Figures and names of the units, sorted so that the order of rows is forgotten; the way back.

    Raises:
        EvalkitError: a column is missing; rows are fewer than `enough`, by default max(m·s, 3(m+s))
            for m inputs and s outputs; a unit is unnamed or named twice; a cell is no finite number
            or, if they must be `positive`, not above zero.
    """
    demand(unit in frame, "sample.column", name=unit)
    (m, s), columns, names = (len(inputs), len(outputs)), [*inputs, *outputs], frame[unit]
    found = problems(frame.assign(unit=names), names.isna() | names.duplicated(), "frontier.twice")
    with noting(found):
        least = max(2, enough or max(m * s, 3 * (m + s)))
        values = numbers(frame, columns, least, columns if positive else ()).to_numpy()
    refuse(found)
    order = np.lexsort([labels := names.astype(str).to_numpy(), *values.T[::-1]])
    return values[order], labels[order], np.argsort(order)


def _project(
    own: Floats, reference: Floats, inputs: int, orientation: Orientation, returns: Returns, *,
    scale: Floats | None = None, apart: bool = False,
) -> Iterator[tuple[float, Any, Floats, Floats]]:  # fmt: skip
    """For each row of `own`: its factor, its peers' rows in `reference`, their weights, its slacks.

    Row o of `own` is row o of `reference` or stands for it; `apart` keeps an efficient one from
    being its own peer. Only units on the frontier can be peers: programs hold those met so far, and
    whichever unit the duals price below zero joins them, so the answer is that over all units. Rows
    are divided by the unit's own data, columns by their size: tolerances are relative. With
    `scale`, the slacks in its units are maximised in a second stage, unless no solution has slack
    (all duals are positive) or there is only one (as few prices are zero as the basis has).
    """
    import highspy

    api: Any = highspy
    solver, known = api.Highs.__base__(), api.HighsModelStatus  # Highs() says hello on the console
    for name, value in _OPTIONS.items():
        solver.setOptionValue(name, value)
    (count, width), working = reference.shape, list[int]()
    sign = np.repeat([-1.0, 1.0], [inputs, width - inputs])
    radial, sums = {"input": sign < 0, "output": sign > 0}[orientation], _SUMS[returns]
    factor, goal = np.array([[*np.where(radial, -sign, 0.0), 0.0]]), -sign[radial][:1]
    floor = np.array([*np.where(radial, 0.0, sign), sums[0]])
    ceiling = np.array([*[np.inf] * width, sums[1]])

    def least(o: int, chosen: list[int], columns: Floats, costs: Floats, best: Any = None) -> Any:
        """The program over the units chosen and those that join, perhaps at a given factor."""
        head, low = (factor, floor) if best is None else (factor[:0], floor - best * factor[0])
        while True:
            held = np.vstack([head, columns[chosen]])
            size, height = held.shape
            solver.passModel(
                size, height, held.size, 1, 1, 0.0, np.append(goal[: len(head)], costs[chosen]),
                np.zeros(size), np.full(size, np.inf), low, ceiling, np.arange(size) * height,
                np.tile(np.arange(height), size), held.ravel(), np.zeros(size, dtype=np.int32),
            )  # fmt: skip
            solver.run()
            status, found = solver.getModelStatus(), solver.getSolution()
            demand(status in (known.kOptimal, known.kInfeasible), "frontier.solver", status=status)
            if status == known.kInfeasible:
                return None
            price = costs - columns @ (duals := np.array(found.row_dual))
            if price[j := int(price.argmin())] >= -_TINY or j in [*chosen, o]:
                values, slack = np.array(found.col_value), np.array(found.row_value) - low
                return values[0], chosen, values[len(head) :], duals, price, slack[:width]
            working.append(j)
            chosen.append(j)

    for o, mine in enumerate(own):
        (digits, power), costs = np.frexp(reference / mine), np.zeros(count)
        # without the last digits, in which units of measurement differ
        ratios = np.ldexp(digits.round(12), power) * sign
        size = np.maximum(np.abs(ratios).max(axis=1), np.isfinite(sums[1]))
        columns = np.column_stack([ratios, np.ones(count)]) / size[:, None]
        found = least(o, [*dict.fromkeys([o, *working])], columns, costs)
        if apart and abs(found[0] - 1) < _NEAR:
            others, void = [j for j in range(count) if j != o], np.full(width, np.nan)
            found = least(o, others, columns, costs) or (np.nan, [], void[:0], void, void, void)
        best, chosen, values, duals, price, slack = found
        idle = np.abs(duals) < _NEAR
        if scale is not None and idle[:width].any() and (price < _NEAR).sum() + idle.sum() > width:
            shares = (mine / scale / (mine / scale).max()).round(12)
            costs = -(columns[:, :width] @ shares)
            _, chosen, values, _, _, slack = least(o, chosen, columns, costs, best) or found
        best, kept = 1.0 if abs(best - 1) < _NEAR else best, values > _TINY
        slack = slack * mine * (slack > _NEAR) * (scale is not None)
        yield best, np.array(chosen, dtype=int)[kept], (values / size[chosen])[kept], slack


def dea(
    frame: pd.DataFrame, inputs: Sequence[str], outputs: Sequence[str], *,
    orientation: Orientation = "input", returns: Returns = "crs", super_efficiency: bool = False,
    slacks: bool = True, enough: int | None = None, unit: str = "unit",
) -> Envelopment:  # fmt: skip
    """Radial efficiency, peers, slacks and targets of every unit.

    Args:
        frame: one row a unit, named in the column `unit`; all inputs and outputs above zero, in
            any units of measurement. A column ``at`` says which cells problems are at.
        inputs, outputs: the columns.
        orientation: by how much inputs can shrink (θ) or outputs grow (φ).
        returns: to scale: constant (CCR, Charnes, Cooper & Rhodes 1978), variable (BCC, Banker,
            Charnes & Cooper 1984), non-increasing, non-decreasing.
        super_efficiency: efficient units are measured against the others (Andersen & Petersen
            1993); with `returns` other than constant this may have no solution, which is noted.
        slacks: the second stage (Ali & Seiford 1993). Slacks are added up in shares of their
            column's mean, so that units of measurement do not choose the target.
        enough: the least number of units; default max(m·s, 3(m+s)) (Cooper, Seiford & Tone).

    Raises:
        EvalkitError: a unit is unnamed or named twice; a cell is no finite number or not above
            zero; fewer units than `enough`.

    The five firms of Coelli, Rao, O'Donnell & Battese (2005), table 6.1:

    >>> firms = pd.DataFrame({"unit": list("甲乙丙丁戊"), "output": [1, 2, 3, 1, 2],
    ...                       "labour": [2, 2, 6, 3, 6], "capital": [5, 4, 6, 2, 2]})
    >>> found = dea(firms, ["labour", "capital"], ["output"], enough=5)
    >>> [*found.scores.score.round(3)]
    [0.5, 1.0, 0.833, 0.714, 1.0]
    >>> [*found.scores.peers]
    ['乙 0.500', '乙 1.000', '乙 1.000；戊 0.500', '戊 0.286；乙 0.214', '戊 1.000']
    >>> found.targets[["variable", "formula", "target"]].values.tolist()[:3]
    [['labour', '0.5*2-0', 1.0], ['capital', '0.5*5-0.5', 2.0], ['output', '1*1+0', 1.0]]
    """
    data, labels, back = ordered(frame, inputs, outputs, enough, unit)
    inward, m = orientation == "input", len(inputs)
    scale = np.sort(data, axis=0).mean(axis=0) if slacks else None
    every = [*_project(data, data, m, orientation, returns, scale=scale, apart=super_efficiency)]
    scores, peers, targets = list[Any](), list[Any](), list[Any]()
    variables = [*((name, "投入", -1) for name in inputs), *((name, "产出", 1) for name in outputs)]
    for k in back:
        factor, rows, weights, slack = every[k]
        near = sorted(zip(weights, labels[rows], strict=True), key=lambda pair: -pair[0])
        peers += [(labels[k], peer, weight) for weight, peer in near]
        text = "；".join(f"{peer} {weight:.3f}" for weight, peer in near)
        score, weak = factor if inward else 1 / factor, bool(factor == 1 and slack.any())
        note = "弱有效：仍有松弛" * weak or "超效率无解：其余单位不可比" * bool(np.isnan(factor))
        scores.append((labels[k], score, factor, not (score < 1 or weak), text, note))
        for (name, kind, sign), x, over in zip(variables, data[k], slack, strict=True):
            by, to = factor if (kind == "投入") == inward else 1.0, "+-"[sign < 0]
            formula = "" if np.isnan(over) else f"{shown(by)}*{shown(x)}{to}{shown(over)}"
            targets.append((labels[k], name, kind, x, over, by * x + sign * over, formula))
    parts = zip((scores, peers, targets), (_SCORES, _PEERS, _TARGETS), strict=True)
    return Envelopment(*(pd.DataFrame(part, columns=heads.split()) for part, heads in parts))


def scale_efficiency(
    frame: pd.DataFrame, inputs: Sequence[str], outputs: Sequence[str], **options: Any
) -> pd.DataFrame:
    """How much of a unit's inefficiency is its size (Färe, Grosskopf & Lovell 1985).

    Args: as for `dea`; `options` are its orientation, enough and unit.

    Returns:
        One row a unit: ``unit``, ``crs``, ``vrs`` and ``nirs`` scores, ``scale`` = crs/vrs, its
        ``formula``, ``returns``: 不变 (scale is 1), 递增 (too small: nirs equals crs) or 递减.

    >>> firms = pd.DataFrame({"unit": list("甲乙丙丁戊"), "x": [2, 3, 6, 9, 5],
    ...                       "y": [1, 4, 6, 7, 3]})
    >>> found = scale_efficiency(firms, ["x"], ["y"], enough=5)
    >>> found[["crs", "vrs", "returns"]].round(3).values.tolist()[:3]
    [[0.375, 1.0, '递增'], [1.0, 1.0, '不变'], [0.75, 1.0, '递减']]
    """
    found, kinds = pd.DataFrame(), list[Returns](["crs", "vrs", "nirs"])
    for kind in kinds:
        scores = dea(frame, inputs, outputs, returns=kind, slacks=False, **options).scores
        found["unit"], found[kind] = scores.unit, scores.score
    found["scale"] = found.crs / found.vrs
    found["formula"] = [f"{shown(c)}/{shown(v)}" for c, v in zip(found.crs, found.vrs, strict=True)]
    same = [np.isclose(found[kind], found.crs, 1e-7, 0) for kind in ("vrs", "nirs")]
    return found.assign(returns=np.select(same, ["不变", "递增"], "递减"))


def bootstrap(
    frame: pd.DataFrame, inputs: Sequence[str], outputs: Sequence[str], *, seed: int,
    orientation: Orientation = "input", returns: Returns = "crs", replications: int = 2000,
    level: float = 0.95, bandwidth: float | None = None, enough: int | None = None,
    unit: str = "unit", tell: Callable[[str], object] = print,
) -> pd.DataFrame:  # fmt: skip
    """Scores corrected for the bias of a frontier drawn through the best of a sample.

    The smoothed homogeneous bootstrap of Simar & Wilson (1998) on distances δ = 1/score ≥ 1 (so
    that a corrected score stays above zero): distances are redrawn, smoothed by a normal kernel,
    reflected at 1 and shrunk to their variance; units so displaced make the frontier that the real
    units are measured against. It takes inefficiency to be independent of size and mix. Variance
    is taken about 1, the centre of the reflected sample: shrunk towards the sample's mean instead,
    the best units would be drawn off the frontier and bias would come out too large.

    Args:
        seed: of the random numbers; equal seeds give equal tables, whatever the order of rows.
        replications: how often; 2 000 is usual.
        level: of the interval: δ less the quantiles of δ* - δ (Simar & Wilson 2000).
        bandwidth: of the kernel, in distances; default Silverman's rule 0.9·min(s, IQR/1.34)·N^-0.2
            on the N reflected distances δ and 2 - δ of the units with δ above 1.
        tell: is told the number of programs and the seconds they will take, before they start.
        others: as for `dea`.

    Returns:
        One row a unit: ``unit``, ``score``, ``bias``, ``corrected`` = score - bias, ``low``,
        ``high``, ``advised``: whether the bias is large enough to correct for: in distances, above
        its standard error over √3 (Simar & Wilson 2000).

    Raises:
        EvalkitError: as for `dea`; all units are efficient.
    """
    data, labels, back = ordered(frame, inputs, outputs, enough, unit)
    inward, m, begun = orientation == "input", len(inputs), perf_counter()

    def distances(reference: Floats) -> Floats:
        factors = [row[0] for row in _project(data, reference, m, orientation, returns)]
        return np.array(factors) ** (-1 if inward else 1)

    real, n = distances(data), len(data)
    demand((above := real[real > 1]).size > 0, "frontier.alike")
    tell(sentence("frontier.cost", programs=n * replications, times=replications, units=n,
                  seconds=(perf_counter() - begun) * replications).what)  # fmt: skip
    if bandwidth is None:
        mirrored = np.concatenate([above, 2 - above])
        spread = min(mirrored.std(ddof=1), np.ptp(np.quantile(mirrored, [0.25, 0.75])) / 1.34)
        bandwidth = 0.9 * spread * len(mirrored) ** -0.2
    drawn = (generator := np.random.default_rng(seed)).choice(real, (replications, n)) - 1
    shrunk = np.sqrt(1 + bandwidth**2 / ((real - 1) ** 2).mean())
    moved = (1 + np.abs(generator.normal(drawn, bandwidth)) / shrunk) / real
    powers = [inward] * m + [inward - 1] * len(outputs)
    again = np.array([distances(data * by[:, None] ** powers) for by in moved])
    shift, error = again.mean(axis=0) - real, again.std(axis=0, ddof=1)
    ends = np.quantile(again, [(1 - level) / 2, (1 + level) / 2], axis=0) - real
    found = pd.DataFrame({"unit": labels, "score": 1 / real, "corrected": 1 / (real - shift)})
    found["bias"], (found["low"], found["high"]) = found.score - found.corrected, 1 / (real - ends)
    found["advised"] = np.abs(shift) > error / np.sqrt(3)
    return found.reindex(back).reset_index(drop=True)
