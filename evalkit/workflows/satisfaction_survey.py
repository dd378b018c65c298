"""满意度调查: answers given on line and on paper become counts, satisfactions and a report.

No national rule fixes sample, mapping or weights (survey_… in params/policy/national.yaml): what is
adopted is named wherever a satisfaction stands. Secrecy: 财监〔2021〕4号第二十一条; what an export
tells of persons stays in it.
"""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from evalkit.core.model import Result
from evalkit.core.problem import Problem, errors, noting, refuse
from evalkit.rounds import satisfaction_survey as surveying
from evalkit.scoring.findings import load_checks, run_checks
from evalkit.scoring.rows import figures
from evalkit.survey.answers import read
from evalkit.survey.satisfaction import OPTION_OF
from evalkit.workflows.task import Task, TaskParams, checks, deliver, draw, open_task, sampled

__all__ = ["Params", "begin", "checks", "deliver", "draw", "evaluate", "load", "sample"]

NAME = "satisfaction_survey"


class Params(TaskParams):
    """The notebook's parameters; the defaults run as they are."""

    workbook: str = "params/demo/survey/调查任务.xlsx"


@dataclass(frozen=True, kw_only=True)
class Data(Task):
    """Everything that was read: the task and all answers."""

    answers: surveying.Answers


def load(params: Params) -> Data:
    """Read the task, the export of answers that it names and its tally of paper forms.

    Raises:
        EvalkitError: the task cannot be read or is another's; in every stage, all answers that
            cannot be read or decoded, and what would tell of persons.
    """
    opened = open_task(NAME, params)
    file = opened.beside("answers")
    answers, found = surveying.read_answers(opened.source, file)
    door = run_checks(load_checks(NAME), answers.scopes(opened.source, opened.policy))
    found += [finding.problem(opened.path.name) for finding in door]
    refuse([*opened.problems, *found] if errors(found) else [])
    opened.problems.extend(found)
    opened.inputs.extend([file] if file else [])
    return Data(**vars(opened), answers=answers)


def evaluate(data: Data) -> Result:
    """Leave out what people struck, count, weigh, and hold the survey against its checks.

    Raises:
        EvalkitError: in a strict stage, with every error at once; in every stage, strata that
            cannot be weighed and a sample that cannot be planned.
    """
    study, faults = surveying.Study(data.source, data.policy, data.answers), list[Problem]()
    with noting(faults):
        for part in surveying.PARTS:
            part(study)
    found = [finding.problem("") for finding in run_checks(load_checks(NAME), study.scopes)]
    refuse([*data.problems, *found, *faults] if faults else [])
    tables, values = study.printed()
    return data.result(tables, figures(survey=values), found, study.subject)


sample = partial(sampled, __name__)


def begin(file: Path) -> dict[str, list[dict[str, str]]]:
    """What a blank 调查任务 begins with: an export's questions, their kinds guessed, and its codes.

    Raises:
        EvalkitError: the export cannot be read.
    """
    questions, options = list[dict[str, str]](), list[dict[str, str]]()
    for name, rows in read(file)[1].groupby("question", sort=False):
        seen = [*dict.fromkeys(rows["option"])]
        coded, kind = all(map(str.isdigit, seen)), surveying.GROUND
        if (rows["people"] < rows["count"]).any():
            kind = surveying.MANY
        elif not coded and {*seen} <= {*OPTION_OF}:
            kind = surveying.OVERALL if re.search("总体|总的", str(name)) else surveying.SCALE
        elif not coded and len(seen) * 2 > len(rows) > 2:
            kind = surveying.OPEN
        questions.append({"question": str(name), "kind": kind})
        options += [{"question": str(name), "code": code} for code in sorted(seen) if coded]
    return {"questions": questions, "options": options}
