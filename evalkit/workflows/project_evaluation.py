"""项目支出绩效评价: one 数据底稿 becomes a scored result, working papers and a Word report.

Rules: 财预〔2020〕10号; procedure and signatures: 财监〔2021〕4号.
"""

from __future__ import annotations

import json
import platform
import time
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from evalkit import __version__
from evalkit.core import result_file
from evalkit.core.measure import Measure
from evalkit.core.model import STRICT_STAGES, Datum, Result, Source, Stage, problem_at
from evalkit.core.paths import asset, workspace
from evalkit.core.problem import Problem, refuse
from evalkit.core.store import sha256, write_json
from evalkit.indicators import freeze
from evalkit.policy import Policy
from evalkit.policy import load as load_policy
from evalkit.report import facts
from evalkit.scoring.checks import check_evaluation, check_scorecard, for_stage
from evalkit.scoring.indicator import adjustments_of, gather
from evalkit.scoring.scorecard import scorecard
from evalkit.survey.satisfaction import Survey, summarise
from evalkit.workbook.printed import form_text
from evalkit.workbook.reader import read
from evalkit.workbook.schema import Schema, load_schema

NAME = "project_evaluation"
PAPERS, CHECKS, NARRATIVE = "底稿.xlsx", "checks.json", "文字.docx"


class Params(BaseModel):
    """The notebook's parameters; the defaults run as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workbook: str = "params/demo/sanitation/数据底稿.xlsx"
    out: str = "outputs/试运行"
    stage: Stage = "初稿"
    profile: str = "national"
    code: str = ""
    name: str = ""


@dataclass(frozen=True)
class Data:
    """Everything that was read, checked at the door."""

    params: Params
    path: Path
    schema: Schema
    source: Source
    policy: Policy
    survey: Survey | None
    changes: list[dict[str, str]]
    problems: list[Problem]


def load(params: Params) -> Data:
    """Read the workbook and the policy of the evaluated year.

    Raises:
        EvalkitError: the workbook cannot be read at all, or is another project's; every problem
            found so far at once.
    """
    path = Path(params.workbook)
    path = path if path.is_absolute() else asset(*path.parts)
    schema = load_schema(NAME)
    source = read(path, schema)
    project = source.forms["project"]
    problems = list(source.problems)
    for field, label in (("code", "编码"), ("name", "名称")):
        listed, written = getattr(params, field), project[field].text
        if listed and written and listed != written:
            what = f"项目清单中的{label}“{listed}”与底稿中的“{written}”不一致"
            remedy = "请核对清单是否指向了别的项目的底稿"
            problems.append(problem_at(project[field], f"list.{field}", what, remedy))
    year = _year(project["year"])
    if year is None:
        what = "评价年度为空或不是年份"
        problems.append(problem_at(project["year"], "project.year", what, "请填写四位年份"))
    named = [p.model_copy(update={"file": p.file or path.name}) for p in problems]
    problems = for_stage(named, params.stage)
    if year is None or params.stage not in STRICT_STAGES:
        refuse(problems)  # a strict stage goes on, to refuse everything at once
    policy = load_policy(params.profile, as_of=year or date.max)
    survey = _survey(source, policy)
    frozen = freeze.frozen_file(path)
    changes = freeze.changes(source, frozen) if frozen.exists() else []
    if survey:
        problems += survey.problems
    problems += freeze.problems(changes, params.stage)
    return Data(params, path, schema, source, policy, survey, changes, problems)


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
    problems = [
        *data.problems,
        *problems,
        *check_scorecard(card, policy),
        *check_evaluation(source, indicators, card, policy),
        *_photos(data),
        *answers(_out(data), stage),
    ]
    named = [p.model_copy(update={"file": p.file or data.path.name}) for p in problems]
    unique = list(dict.fromkeys(for_stage(named, stage)))
    refuse(unique)
    project = form_text(source, data.schema, "project")
    return Result(
        workflow=NAME,
        code=project["code"],
        name=project["name"],
        stage=stage,
        subject=project,
        texts=form_text(source, data.schema, "texts"),
        values=facts.values(source, data.survey),
        score=card,
        tables=facts.tables(source, data.schema, card, data.survey, data.changes),
        problems=tuple(unique),
    )


def draw(data: Data, result: Result) -> dict[str, Path]:
    """Draw the figures that have data into the out folder; paths by name."""
    from evalkit.report import figures

    return figures.draw_all(result, _out(data) / "图", str(data.policy.value("figure_font") or ""))


def deliver(data: Data, result: Result, drawn: dict[str, Path]) -> dict[str, Path]:
    """Write report, working papers, checks.json and result.json into the out folder.

    Returns:
        What was written, by kind; a file held open elsewhere was written beside it.
    """
    from evalkit.ooxml import package
    from evalkit.report import evaluation, papers
    from evalkit.review import delivery
    from evalkit.template.build import template_for

    out = _out(data)
    style = str(data.policy.value("report_style"))
    filling = evaluation.report_context(result, drawn, data.path.parent, style)
    narrative = data.path.with_name(NARRATIVE)
    report = delivery.deliver_report(
        out, result, template_for(NAME, style), filling, narrative if narrative.exists() else None
    )
    delivery.keep_edited(out, PAPERS)
    found = [*result.problems, *for_stage(report.problems, result.stage)]
    found += package.check(report.path)
    said = [problem.model_dump(mode="json") for problem in found]
    checks = {"problems": said, "missing": report.missing}
    files = {
        "评价报告": report.path,
        "底稿": papers.write_papers(result, out / PAPERS),
        "核对": write_json(out / CHECKS, checks),
    }
    made = {path.name: sha256(path) for kind, path in files.items() if kind != "核对"}
    run = _run(data) | {"outputs": made, "report": report.record}
    return files | {"结果": result_file.save(out / result_file.FILE_NAME, result, run)}


def sample(style: str) -> tuple[Any, ...]:
    """What a template may say, from the demo: context, blocks, bound paths, outline, musts."""
    from evalkit.report import evaluation

    data = load(Params())
    context, blocks = evaluation.report_context(evaluate(data), {}, data.path.parent, style)
    return context, blocks, context["bound"], context["document"]["headings"], evaluation.REQUIRED


def checks(files: dict[str, Path]) -> list[Problem]:
    """The report as it stands against its result; all that is still to be looked at."""
    from evalkit.verify import report as verify

    verify.update(files["评价报告"], files["结果"])
    found = json.loads(files["核对"].read_text(encoding="utf-8"))
    gaps = [Problem(severity="note", what=f"“{name}”一节待补充") for name in found["missing"]]
    return [*map(Problem.model_validate, found["problems"]), *gaps]


def _out(data: Data) -> Path:
    out = Path(data.params.out)
    return out if out.is_absolute() else workspace() / out


def _year(datum: Datum) -> date | None:
    """The last day of the evaluated year, or None where that is no year."""
    number = datum.number
    if number is None or number % 1 or not date.min.year <= number <= date.max.year:
        return None
    return date.max.replace(year=int(number))


def _survey(source: Source, policy: Policy) -> Survey | None:
    rows = source.tables["survey"]
    if not rows:
        return None
    weights = policy.value("survey_mappings").get(source.forms["project"]["survey_mapping"].text)
    return summarise(
        rows,
        source.open_columns.get("survey", []),
        weights=weights,
        top_boxes=int(policy.value("survey_top_boxes")),
    )


def _photos(data: Data) -> list[Problem]:
    found = []
    folder = data.path.parent.resolve()
    for row in data.source.tables["visits"]:
        if not row["photo"].text:
            continue
        path = (folder / row["photo"].text).resolve()
        if folder not in path.parents or not path.is_file():
            what = f"找不到照片“{row['photo'].text}”"
            remedy = "请把照片放在底稿旁的文件夹里并填相对路径"
            found.append(problem_at(row["photo"], "photo.missing", what, remedy, "warning"))
    return found


def _run(data: Data) -> dict[str, Any]:
    packages = ("pandas", "matplotlib", "openpyxl", "docxtpl", "python-docx", "papermill")
    narrative = data.path.with_name(NARRATIVE)
    return {
        "evalkit": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "parameters": data.params.model_dump(),
        "inputs": {p.name: sha256(p) for p in (data.path, narrative) if p.exists()},
        "profile": data.policy.profile,
        "written": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime()),
    }
