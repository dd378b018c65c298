"""An export of 问卷星 in each of its forms, and tidy tables made to order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd
import pytest

from evalkit.core.problem import EvalkitError
from evalkit.policy import load as load_policy
from evalkit.survey.satisfaction import OPTIONS, UNAWARE

LEVELS = [*OPTIONS, UNAWARE]
MAPPINGS = load_policy("national", as_of=date(2024, 12, 31)).value("survey_mappings")


def codes(error: pytest.ExceptionInfo[EvalkitError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def tidy(
    counts: Mapping[str, Sequence[int]] | Sequence[int], question: str = "1、总体满意吗"
) -> pd.DataFrame:
    """A tally of one question from counts of the five options and 不了解, by group."""
    groups = counts if isinstance(counts, Mapping) else {"": counts}
    rows = [
        ("", question, "", option, "", group, n, float(n))
        for group, row in groups.items()
        for option, n in zip(LEVELS, [*row, 0][:6], strict=True)
    ]
    columns = ["respondent", "question", "number", "option", "text", "group", "count", "people"]
    return pd.DataFrame(rows, columns=columns)


def asked(answers: pd.DataFrame, number: int = 1) -> pd.DataFrame:
    """A tidy table from respondents × questions of option texts (None: no answer)."""
    named = answers.set_axis([str(i + 1) for i in range(len(answers))])
    long = named.rename_axis("respondent").reset_index().melt("respondent", var_name="question")
    long = long.dropna().rename(columns={"value": "option"})
    return long.assign(number=str(number), text="", group="", count=1, people=1.0)
