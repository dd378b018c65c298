"""Satisfaction from raw answers, under a named mapping.

No national rule fixes the mapping, and it moves the result by several points on the same answers;
whoever prints a satisfaction prints its mapping.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from evalkit.core.expr import Term, total
from evalkit.core.measure import Measure
from evalkit.core.model import Input, Table
from evalkit.core.numbers import fixed
from evalkit.core.problem import Problem, sentence
from evalkit.core.yaml_file import load_yaml

Weights = Sequence[Decimal] | None

_ANSWERS: dict[str, list[str]] = load_yaml(Path(__file__).with_name("answers.yaml"))
*OPTIONS, UNAWARE = _ANSWERS
OPTION_OF = {written: option for option, ways in _ANSWERS.items() for written in ways}


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
    problems: tuple[Problem, ...] = ()


def satisfaction(counts: dict[str, int], weights: Weights, top_boxes: int) -> Term | None:
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
    if not (valid := sum(numbers)):
        return None
    if weights is None:
        return total([Term.of(n) for n in numbers[:top_boxes]]) / valid * 100
    return total([Term.of(w) * n for w, n in zip(weights, numbers, strict=True)]) / valid


def summarise(rows: Table, questions: Sequence[str], *, weights: Weights, top_boxes: int) -> Survey:
    """Count raw answers and derive the satisfaction.

    Args:
        rows: one questionnaire each; a question's answer stands under ``answers:QUESTION``, the
            kind of respondent under ``group``.
        questions: the questions, in order.
        weights, top_boxes: the mapping, see `satisfaction`.
    """
    problems: list[Problem] = []
    read: list[tuple[str, dict[str, str]]] = []
    for row in rows:
        answers = {}
        for question in questions:
            datum = row[f"answers:{question}"]
            text = "" if datum.value is None else str(datum.value).strip()
            if option := OPTION_OF.get(text):
                answers[question] = option
            elif text:
                facts = {"text": text[:20], "options": "、".join(_ANSWERS)}
                problems.append(sentence("survey.answer", at=datum.cell, **facts))
        if any(answer != UNAWARE for answer in answers.values()):
            read.append((row["group"].text if "group" in row else "", answers))

    everybody, mapping = [answers for _, answers in read], (weights, top_boxes)
    found = tuple(_question(question, everybody, rows, mapping) for question in questions)
    measure = Measure(gap="满意度问卷待补充")
    if (mean := _mean(found)) is not None:
        inputs = tuple(i for q in found for i in q.inputs)
        measure = Measure(mean, inputs, f"{fixed(mean.value)}%", "%")
    groups: dict[str, tuple[int, Decimal]] = {}
    for name in dict.fromkeys(g for g, _ in read if g):
        members = [answers for g, answers in read if g == name]
        if (mean := _mean([_question(q, members, rows, mapping) for q in questions])) is not None:
            groups[name] = (len(members), mean.decimal())
    return Survey(found, len(read), groups, measure, tuple(problems))


def _mean(questions: Sequence[Question]) -> Term | None:
    known = [q.satisfaction for q in questions if q.satisfaction is not None]
    return total(known) / len(known) if len(known) > 1 else next(iter(known), None)


def _question(
    text: str, answers: Sequence[dict[str, str]], rows: Table, mapping: tuple[Weights, int]
) -> Question:
    tally = Counter(a[text] for a in answers if text in a)
    first, last = rows[0][f"answers:{text}"].cell, rows[-1][f"answers:{text}"].cell
    span = first if first == last else f"{first}:{last.partition('!')[2]}"
    inputs = tuple(
        Input(name=f"{text}·{option}", value=str(tally[option]), unit="份", cell=span, of="count",
              criterion="|".join(_ANSWERS[option])) for option in OPTIONS
    )  # fmt: skip
    counts = {option: tally[option] for option in _ANSWERS}
    return Question(text, counts, satisfaction(counts, *mapping), inputs)
