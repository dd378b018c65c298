"""Satisfaction from raw answers, under a named mapping.

No national rule fixes the mapping, and it moves the result by several points on the same answers;
whoever prints a satisfaction prints its mapping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from evalkit.core.expr import Term, total
from evalkit.core.measure import Measure
from evalkit.core.model import Input, Table
from evalkit.core.numbers import fixed
from evalkit.core.problem import Problem

OPTIONS = ("非常满意", "满意", "一般", "不满意", "非常不满意")
UNAWARE = "不了解"
_SPELLINGS = {
    **{option: option for option in (*OPTIONS, UNAWARE)},
    **{str(5 - i): option for i, option in enumerate(OPTIONS)},
    "很满意": "非常满意",
    "比较满意": "满意",
    "基本满意": "一般",
    "很不满意": "非常不满意",
    "未接触": UNAWARE,
    "不清楚": UNAWARE,
}


@dataclass(frozen=True)
class Question:
    """One question: counts by option, and its satisfaction in percent (None without answers)."""

    text: str
    counts: dict[str, int]
    satisfaction: Term | None
    inputs: tuple[Input, ...] = ()

    @property
    def valid(self) -> int:
        """Answers that count: all but 不了解."""
        return sum(self.counts[option] for option in OPTIONS)


@dataclass(frozen=True)
class Survey:
    """A whole questionnaire. `measure` is the mean of its questions' satisfactions."""

    questions: tuple[Question, ...]
    valid: int  # questionnaires with at least one answer
    groups: dict[str, tuple[int, Decimal]]  # group → (questionnaires, satisfaction in percent)
    measure: Measure
    problems: tuple[Problem, ...] = field(default=())


def satisfaction(
    counts: dict[str, int], weights: Sequence[Decimal] | None, top_boxes: int
) -> Term | None:
    """Satisfaction in percent from counts by option.

    Args:
        counts: answers by option (`OPTIONS`); 不了解 does not count.
        weights: the value of each of the five options in percent, or None for the share of the
            best `top_boxes` options.
        top_boxes: how many options count as satisfied when there are no weights.

    Returns:
        The exact percentage, or None without valid answers.

    >>> counts = dict(zip(OPTIONS, (96, 120, 48, 12, 4)))
    >>> [fixed(satisfaction(counts, w, 2).value) for w in
    ...  ([100, 80, 60, 40, 20], [100, 75, 50, 25, 0], None)]
    ['80.86', '76.07', '77.14']
    """
    numbers = [counts.get(option, 0) for option in OPTIONS]
    valid = sum(numbers)
    if not valid:
        return None
    if weights is None:
        return total([Term.of(n) for n in numbers[:top_boxes]]) / valid * 100
    return total([Term.of(w) * n for w, n in zip(weights, numbers, strict=True)]) / valid


def summarise(
    rows: Table,
    questions: Sequence[str],
    *,
    weights: Sequence[Decimal] | None,
    top_boxes: int,
    group: str = "group",
) -> Survey:
    """Count raw answers and derive the satisfaction.

    Args:
        rows: one questionnaire each; a question's answer stands under ``answers:QUESTION``.
        questions: the questions, in order.
        weights, top_boxes: the mapping, see `satisfaction`.
        group: field that names the kind of respondent.
    """
    problems: list[Problem] = []
    read: list[tuple[str, dict[str, str]]] = []
    for row in rows:
        answers = {}
        for question in questions:
            datum = row[f"answers:{question}"]
            text = str(datum.value if datum.value is not None else "").strip()
            option = _SPELLINGS.get(text)
            if option:
                answers[question] = option
            elif text:
                sheet, _, cell = datum.cell.partition("!")
                problems.append(
                    Problem(
                        code="survey.answer",
                        sheet=sheet,
                        cell=cell,
                        what=f"答案“{text[:20]}”不是五级选项",
                        remedy="请填 非常满意、满意、一般、不满意、非常不满意、不了解 或 5–1",
                    )
                )
        if any(answer != UNAWARE for answer in answers.values()):
            read.append((row[group].text if group in row else "", answers))
    found = tuple(
        _question(q, [a[q] for _, a in read if q in a], rows, weights, top_boxes) for q in questions
    )
    scored = [q.satisfaction for q in found if q.satisfaction is not None]
    if not scored:
        measure = Measure(gap="满意度问卷待补充")
    else:
        mean = total(scored) / len(scored) if len(scored) > 1 else scored[0]
        inputs = tuple(i for q in found for i in q.inputs)
        measure = Measure(mean, inputs, f"{fixed(mean.value)}%", "%")
    groups: dict[str, tuple[int, Decimal]] = {}
    for name in dict.fromkeys(g for g, _ in read if g):
        members = [a for g, a in read if g == name]
        parts = [
            satisfaction(Counter(a[q] for a in members if q in a), weights, top_boxes)
            for q in questions
        ]
        known = [p for p in parts if p is not None]
        if known:
            groups[name] = (len(members), (total(known) / len(known)).decimal())
    return Survey(found, len(read), groups, measure, tuple(problems))


def _question(
    text: str,
    answers: list[str],
    rows: Table,
    weights: Sequence[Decimal] | None,
    top_boxes: int,
) -> Question:
    tally = Counter(answers)
    counts = {option: tally[option] for option in (*OPTIONS, UNAWARE)}
    first, last = rows[0][f"answers:{text}"].cell, rows[-1][f"answers:{text}"].cell
    span = first if first == last else f"{first}:{last.partition('!')[2]}"
    inputs = tuple(
        Input(
            name=f"{text}·{option}",
            value=str(counts[option]),
            unit="份",
            cell=span,
            of="count",
            criterion="|".join(s for s, o in _SPELLINGS.items() if o == option),
        )
        for option in OPTIONS
    )
    return Question(text, counts, satisfaction(counts, weights, top_boxes), inputs)
