"""Satisfaction with its mapping and its error; frequencies; both by groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evalkit.core.problem import refuse, sentence
from evalkit.survey.answers import Frame, told
from evalkit.survey.satisfaction import OPTION_OF, OPTIONS, UNAWARE


def wilson(share: Any, n: Any, confidence: float = 0.95) -> tuple[Any, Any]:
    """Wilson's interval of a proportion: (p + z²/2n ± z√(p(1-p)/n + z²/4n²))/(1 + z²/n).

    Source: Wilson (1927), JASA 22. Within 0 and 1 also where nobody or everybody agrees.

    Args:
        share: p, a number or an array.
        n: answers, or the effective number of a stratified sample; NaN comes of 0.
        confidence: of the interval.

    Raises:
        EvalkitError: the confidence is not between 0 and 1.

    >>> low, high = wilson(216 / 280, 280)
    >>> print(f"{low:.4f} {high:.4f}")
    0.7188 0.8167
    """
    from scipy.stats import norm

    refuse([sentence("survey.size")] * (not 0 < confidence < 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        z2 = norm.isf((1 - confidence) / 2) ** 2 / n
        half = np.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)
        middle = np.where(n > 0, share + z2 / 2, np.nan) / (1 + z2)
    return np.clip(middle - half, 0, share), np.clip(middle + half, share, 1)


def levels(table: Frame, questions: Sequence[str]) -> Frame:
    """The tidy rows of questions of five levels, with `level`, the option in its usual wording.

    Raises:
        EvalkitError: every answer that is none of the five or 不了解, or one of several; codes
            among them, as only the questionnaire says which end 1 is
            (`evalkit.survey.answers.decoded`).
    """
    rows = table[table["question"].isin(questions)]
    rows = rows.assign(level=rows["option"].map(OPTION_OF).mask(rows["option"].str.isdigit()))
    lost = rows["level"].isna() | (rows["people"] < rows["count"])
    refuse(told("survey.option", rows[lost].drop_duplicates(["question", "option"])))
    return rows


def estimates(
    table: Frame, questions: Sequence[str], mappings: Mapping[str, Sequence[Any]],
    populations: Mapping[str, float] | None = None, confidence: float = 0.95,
) -> Frame:  # fmt: skip
    """Satisfaction of each question under each mapping, in percent, with its interval.

    The mean of the options' values over all who answered, those of 不了解 left out. For two
    values (前两级占比) it is a proportion, with Wilson's interval; else its interval is that of
    Student's t, held within the values; where all answers are alike or there is one, which says
    nothing about the spread, it is Wilson's of the mean's place between the least value and the
    greatest, which is wide enough for any spread.

    With populations each answer of stratum h stands for N_h/n_h people and
    v = Σ(N_h/N̂)²(1-n_h/N_h)s_h²/n_h, s_h² of (value - mean), 0 for 不了解; t with Satterthwaite's
    degrees of freedom, Wilson with n·p(1-p)/((n-1)v) answers.

    Source: Cochran (1977), 5.3–5.4, 5A.14; Korn & Graubard (1998), Survey Methodology 24(2).
    Not for the award of a score: `evalkit.survey.satisfaction` is exact.

    Args:
        table: tidy; its groups are the strata, if there are populations.
        questions: headings of questions of five levels.
        mappings: what the five options are worth in percent, from the best, by name.
        populations: N_h by stratum; of one stratum "" for the finite population correction alone.
        confidence: of the intervals.

    Returns:
        A row a question and mapping: question, mapping, values, n (answers that count), unaware
        (percent of 不了解), satisfaction, low, high (NaN without answers), interval (its name),
        confidence, weighted (whether by stratum).

    Raises:
        EvalkitError: a mapping without five values of 0–100, a confidence that is none; as
            `levels`; or all strata without a population, with more answers than
            people or fewer than two of them.

    >>> from evalkit.survey.answers import tallied
    >>> paper = tallied(pd.DataFrame([["服务", 96, 120, 48, 12, 4]], columns=["题目", *OPTIONS]))
    >>> worth = {"百分赋值": [100, 75, 50, 25, 0], "前两级占比": [100, 100, 0, 0, 0]}
    >>> estimates(paper, ["服务"], worth).round(2)[["mapping", "satisfaction", "low", "high"]]
      mapping  satisfaction    low   high
    0    百分赋值         76.07  73.42  78.73
    1   前两级占比         77.14  71.88  81.67
    """
    from scipy.stats import t

    flat = [name for name, v in mappings.items()
            if len(v) != 5 or len({*v}) == 1 or not all(0 <= x <= 100 for x in v)]  # fmt: skip
    refuse(sentence("survey.mapping", mapping=name) for name in flat)
    rows = levels(table, questions).assign(**({} if populations else {"group": ""}))
    names = list(dict.fromkeys([*(populations or [""]), *rows["group"]]))
    size = np.array([(populations or {"": np.inf}).get(name, np.nan) for name in names], float)
    axes = pd.MultiIndex.from_product([questions, names, [*OPTIONS, UNAWARE]])
    sums = rows.groupby(["question", "group", "level"])["count"].sum().reindex(axes, fill_value=0)
    # axes: question, mapping, stratum, option
    counts = sums.to_numpy(float).reshape(len(questions), 1, len(names), len(OPTIONS) + 1)
    value = np.array([[*map(float, values)] for values in mappings.values()])
    worst, span, inner = value.min(1), np.ptp(value, 1), [len({*values}) > 2 for values in value]
    known, asked = counts[..., :-1], counts.sum(3)
    few = ((asked < 2) & (asked.sum(2, keepdims=True) > 0) | np.isinf(size)) & bool(populations)
    refuse(sentence("survey.stratum", question=questions[q], stratum=names[h], n=asked[q, i, h])
           for q, i, h in np.argwhere(few | ~(asked <= size)))  # fmt: skip
    valid, left = known.sum(3), 1 - asked / np.fmax(size, 1)
    base, weight = (asked, size) if populations else (valid, np.ones(1))
    with np.errstate(divide="ignore", invalid="ignore"):
        each = weight / base / (weight / base * valid).sum(2, keepdims=True)  # an answer's share
        mean = np.clip((each * (known * value[:, None]).sum(3)).sum(2), worst, worst + span)
        apart = known * (value[:, None] - mean[..., None, None])
        squares = ((apart**2 / np.fmax(known, 1)).sum(3) - apart.sum(3) ** 2 / base).round(9)
        parts = each**2 * base * left * np.nan_to_num(squares / (base - 1))
        variance, n, share = parts.sum(2), valid.sum(2), (mean - worst) / span
        alike = 1 / np.nansum(each**2 * valid * left, axis=2)
        effective = span**2 * share * (1 - share) * n / (n - 1) / variance
        ends = np.array(wilson(share, np.where(variance > 0, effective, alike), confidence))
        free = variance**2 / (parts**2 / (base - 1)).sum(2)
        half = t.isf((1 - confidence) / 2, free) * np.sqrt(variance) / span
        kind = np.array(inner) * (1 + (variance > 0))
        ends = np.where(kind == 2, np.clip([share - half, share + half], 0, 1), ends)
        columns = {
            "values": ["、".join(map("{:g}".format, values)) for values in value],
            "n": n, "unaware": 100 - 100 * n / asked.sum(2), "satisfaction": mean,
            "low": np.minimum(worst + span * ends[0], mean),
            "high": np.maximum(worst + span * ends[1], mean),
            "interval": np.array(["Wilson 区间", "Wilson 区间（各答案相同）", "t 区间"])[kind],
            "confidence": confidence, "weighted": bool(populations),
        }  # fmt: skip
    axes = pd.MultiIndex.from_product([questions, mappings], names=["question", "mapping"])
    even = {name: np.broadcast_to(part, mean.shape).ravel() for name, part in columns.items()}
    return Frame(even, axes).reset_index()


def frequencies(table: Frame, confidence: float = 0.95) -> Frame:
    """How often each option was chosen, in each group and in all (合计).

    Args:
        table: tidy (`evalkit.survey.answers.grouped` gives it groups).
        confidence: of Wilson's interval of the share of respondents.

    Returns:
        A row a question, option and group: question, option, group, count, n (people who
        answered the question), share (percent of them, NaN of none), of_answers (percent of all
        options chosen: of a question of several options the shares of people make more than
        100, these do not), low, high (of share).

    >>> paper = pd.DataFrame({"question": "渠道", "option": ["微信", "村广播"], "group": "",
    ...                       "count": [30, 20], "people": [24.0, 16.0]})
    >>> frequencies(paper).round(1).drop(columns=["question", "group"])
      option  count     n  share  of_answers   low  high
    0     微信     30  40.0   75.0        60.0  59.8  85.8
    1    村广播     20  40.0   50.0        40.0  35.2  64.8
    """
    key = ["question", "group"]
    rows = pd.concat([table, table.assign(group="合计")][not table["group"].any() :])
    found = rows.pivot_table("count", ["question", "option"], "group", "sum", 0, sort=False)
    found = found.melt(ignore_index=False, value_name="count").reset_index()
    sums = rows.groupby(key)[["people", "count"]].sum().round(6).set_axis(["n", "all"], axis=1)
    found = found.join(sums.replace(0, np.nan), on=key)
    share = found["count"] / found["n"]
    found["share"] = 100 * share
    found["of_answers"] = 100 * found["count"] / found.pop("all")
    ends = 100 * np.array(wilson(share, found["n"], confidence))
    return found.assign(low=ends[0], high=ends[1]).fillna({"n": 0})
