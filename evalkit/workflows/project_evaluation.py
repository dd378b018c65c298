"""项目支出绩效评价: one 数据底稿 becomes a scored result, working papers and a Word report.

Rules: 财预〔2020〕10号; procedure and signatures: 财监〔2021〕4号.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from evalkit.core.measure import Measure
from evalkit.core.model import Result, Source
from evalkit.core.problem import Problem, sentence
from evalkit.indicators import freeze
from evalkit.policy import Policy
from evalkit.report import drawn, facts, papers, robust
from evalkit.report.evaluation import REQUIRED
from evalkit.scoring.checks import check_evaluation, check_scorecard
from evalkit.scoring.indicator import adjustments_of, gather
from evalkit.scoring.scorecard import scorecard
from evalkit.survey.satisfaction import Survey, summarise
from evalkit.workflows.task import Task, TaskParams, checks, deliver, draw, open_task, sampled

__all__ = ["Params", "checks", "deliver", "draw", "evaluate", "load", "sample"]

NAME, PAPERS = "project_evaluation", "底稿.xlsx"


class Params(TaskParams):
    """The notebook's parameters; the defaults run as they are."""

    workbook: str = "params/demo/sanitation/数据底稿.xlsx"


@dataclass(frozen=True, kw_only=True)
class Data(Task):
    """Everything that was read, checked at the door."""

    survey: Survey | None
    filled: drawn.Drawn  # what the source was filled from
    changes: list[dict[str, str]]

    def books(self, result: Result) -> dict[str, Callable[[Path], Path]]:
        """The working papers."""
        return {PAPERS: partial(papers.write_papers, result)}


def load(params: Params) -> Data:
    """Read the workbook, the results that it draws from and the policy of the evaluated year.

    Raises:
        EvalkitError: the workbook cannot be read at all, or is another project's; every problem
            found so far at once.
    """
    opened = open_task(NAME, params)
    filled = drawn.fill_from(opened.source, params.stage, opened.problems)
    opened.inputs.extend(filled.files)
    opened = replace(opened, source=filled.source, problems=filled.problems)
    survey = _survey(opened.source, opened.policy)
    if filled.survey:
        survey = drawn.survey_of(filled.survey, opened.form["survey_from"])
    frozen = freeze.frozen_file(opened.path)
    changes = freeze.changes(opened.source, frozen) if frozen.exists() else []
    if survey:
        opened.problems.extend(survey.problems)
    opened.problems.extend(freeze.problems(changes, params.stage))
    return Data(**vars(opened), survey=survey, filled=filled, changes=changes)


def evaluate(data: Data) -> Result:
    """Score, check and gather the result; 送审稿 and 终稿 refuse what drafts only show.

    Raises:
        EvalkitError: with every error of the workbook, the scores and the checks at once.
    """
    from evalkit.review.delivery import answers

    source, policy, stage = data.source, data.policy, data.params.stage
    measure = data.survey.measure if data.survey else Measure(gap="满意度问卷待补充")
    indicators = gather(source, measure)
    card, problems = scorecard(indicators, adjustments_of(source), policy)
    found = [*problems, *check_scorecard(card, policy)]
    found += check_evaluation(source, indicators, card, policy)
    found += [*_photos(data), *answers(data.out, stage)]
    tables = facts.tables(source, data.schema, card, data.survey, data.changes)
    weights, surveyed = data.filled.weights, data.filled.survey
    ends = {k: v for k, v in surveyed.values.items() if k in drawn.INTERVAL} if surveyed else {}
    values = facts.values(source, data.survey) | ends
    firm, wrong = robust.tables(indicators, card, policy, weights, surveyed)
    weighed = weights.subject if weights else {}
    subject = {f"weights_{name}": weighed.get(name, "") for name in ("method", "experts")}
    return data.result(tables | firm, values, [*found, *wrong], subject, score=card)


sample = partial(sampled, __name__, required=REQUIRED)


def _survey(source: Source, policy: Policy) -> Survey | None:
    rows = source.tables["survey"]
    if not rows:
        return None
    columns = source.open_columns.get("survey", [])
    weights = policy.value("survey_mappings").get(source.forms["project"]["survey_mapping"].text)
    boxes = int(policy.value("survey_top_boxes"))
    return summarise(rows, columns, weights=weights, top_boxes=boxes)


def _photos(data: Data) -> Iterator[Problem]:
    folder = data.path.parent.resolve()
    for photo in (row["photo"] for row in data.source.tables["visits"] if row["photo"].text):
        path = (folder / photo.text).resolve()
        if folder not in path.parents or not path.is_file():
            yield sentence("photo.missing", at=photo.cell, text=photo.text)
