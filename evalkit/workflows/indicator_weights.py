"""指标权重: a task and the experts' questionnaires become weights, points and a memo.

Methods that a rule names (财金〔2020〕13号, for PPP): 专家调查法、层次分析法、主成分分析法、熵值法.
What is done with them stands in `rounds.weighting`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from evalkit.core.model import Result, Source
from evalkit.core.numbers import finer, plain
from evalkit.core.problem import EvalkitError, Problem, noting, refusal, sentence
from evalkit.indicators import frameworks
from evalkit.rounds import weighting
from evalkit.rounds.weighting import GOAL, LEVELS, NAME, Weighing
from evalkit.scoring.rows import Line, add_up, figures, summed
from evalkit.scoring.weights import INDEX
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema
from evalkit.workflows.task import Task, TaskParams, checks, deliver, draw, open_task, sampled

__all__ = ["Params", "begin", "checks", "deliver", "draw", "evaluate", "load", "sample"]

SHEETS = ("pairs", "marks")  # what is read of a questionnaire


class Params(TaskParams):
    """The notebook's parameters; the defaults run as they are."""

    workbook: str = "params/demo/weights/权重任务.xlsx"


@dataclass(frozen=True, kw_only=True)
class Data(Task):
    """Everything that was read: the task, then the questionnaires that experts returned."""

    answers: list[Source]


def load(params: Params) -> Data:
    """Read the task and the questionnaires in its folder, if it names one.

    Raises:
        EvalkitError: the task cannot be read, is another's, or there is no such folder.
    """
    opened = open_task(NAME, params)
    return Data(**vars(opened), answers=[opened.source, *_questionnaires(opened)])


def _questionnaires(task: Task) -> Iterator[Source]:
    """The copies of the task in the folder of questionnaires; what is wrong with them is noted."""
    folder, names = task.beside("folder"), {task.schema.sheet(sheet).name for sheet in SHEETS}
    if folder is not None and (not folder.is_dir() or folder in task.path.parents):
        raise refusal("weighting.folder", file=task.path.name, named=task.form["folder"].text)
    for path in sorted(folder.rglob("*")) if folder else ():
        if path.is_dir() or path.name.startswith((".", "~$")):
            continue
        task.inputs.append(path)
        found = list[Problem]()
        with noting(found):
            source = read(path, task.schema)
            found += [problem for problem in source.problems if problem.sheet in names]
            empty = not any(source.open_columns[sheet] for sheet in SHEETS)
            found += [sentence("weighting.empty", file=path.name)] if empty else []
            yield source
        # a file that cannot be read is for a draft to show, not to stop at
        task.problems.extend(p.model_copy(update={"code": f"filed.{p.code}"}) for p in found)


def evaluate(data: Data) -> Result:
    """Weights by every method that has data, combined and made into points.

    Raises:
        EvalkitError: no method has data, or what they give cannot be combined; in a strict stage
            every error at once.
    """
    work = Weighing(data.form, data.source.tables, data.answers, data.policy)
    for part in (weighting.judgements, weighting.marks, weighting.objects, weighting.agreements):
        part(work)
    try:
        found = weighting.combined(work)
    except EvalkitError as error:
        raise EvalkitError([*data.problems, *work.problems, *error.problems]) from None
    _results(work, found)
    return data.result(work.tables, figures(weights=work.facts), work.problems, work.subject)


sample = partial(sampled, __name__)


def _results(work: Weighing, found: Any) -> None:
    """The tables and figures of the weights and points, and what is to be said of them."""
    policy, sheet = work.policy, work.sheets["indicators"]
    totals = partial(_totals, found["weight"])
    rows = [
        row | weighting.line(found.loc[row["code"]], label=f"{row['code']} {row['level3']}")
        | {"approved": cells["points"].number} for row, cells in zip(work.rows, sheet, strict=True)
    ]  # fmt: skip
    *levels, whole = add_up(rows, totals, "level1", whole="合计")
    seconds = add_up(rows, totals, *LEVELS[:2])
    sums = {(row["level1"], row.get("level2")): plain(row["points"]) for row in levels + seconds}
    for row in rows:
        first, second = row["level1"], row["level2"]
        row["sum1"] = f"{first}（{sums[first, None]}）"
        row["sum2"] = f"{second}（{sums[first, second]}）"
    shown = [*rows, whole | {"sum1": "合计"}]
    work.tables |= {"points": rows, "levels": levels, "seconds": seconds, "shown": shown}
    work.tables |= {name: [*work.sheets[name]] for name in ("experts", "shares")}
    counted, least = tuple(policy.value("outcome_levels")), policy.use("outcome_share_min")
    outcome = sum(each["points"] for each in levels if each["level1"].startswith(counted))
    rules, few = {"rules": policy.value("weight_rules")}, policy.value("weight_experts_min")
    work.find("points", [
        cells | rules | {"given": row["points"], "times": work.paths.count(path)}
        for cells, row, path in zip(sheet, rows, work.paths, strict=True)
    ])  # fmt: skip
    work.find("levels", [each | rules for each in levels])
    silent = "、".join(who for who in work.experts if work.heard and who not in work.heard)
    facts = {"outcome": outcome, "total": whole["points"], "few": few, "experts": len(work.used)}
    work.find("task", [work.form | facts | {"least": least, "silent": silent}])
    work.facts |= facts | {
        "leaves": len(rows), "firsts": len(levels), "seconds": len(seconds), "least": least.value,
        "share": outcome * 100 / whole["points"],
    }  # fmt: skip


def _totals(exact: Any, rows: Sequence[Line]) -> Line:
    sums = {key: summed(row[key] for row in rows) for key in ("points", "approved")}
    weight = finer(float(exact[[row["code"] for row in rows]].sum()))
    return {"leaves": len(rows), "weight": weight, **sums}


def begin(filed: Path | None, framework: str) -> tuple[dict[str, Any], list[Problem]]:
    """A task with the indicators of a 数据底稿, else of a framework, and every pair to be judged.

    Returns:
        Content for `write_blank`, and a problem for each group that is too large for pairs.

    Raises:
        EvalkitError: no such file or framework.
    """
    kept, project = ("code", *LEVELS, "points"), dict[str, str]()
    if filed:
        source = read(filed, load_schema("project_evaluation"))
        rows = [{key: row[key].text for key in kept} for row in source.tables["indicators"]]
        same = load_schema(NAME).sheet("project").blank.keys() & source.forms["project"].keys()
        same -= {"code", "report_no", "report_date", "weight_reason"}  # a task has its own
        project = {key: source.forms["project"][key].text for key in same}
    else:
        listed, _ = frameworks.rows(frameworks.load(framework))
        rows = [{key: row.get(key, "") for key in kept} for row in listed]
    parts, most = weighting.below(map(weighting.way, rows)), len(INDEX["saaty1980"]["values"])
    levels = sorted(parts, key=lambda path: (path != GOAL, path.count("/")))
    pairs = [{"parent": above, "a": a, "b": b}
             for above in levels for a, b in combinations(parts[above], 2)]  # fmt: skip
    scored = [{"round": "第一轮", "indicator": r["code"], "name": r["level3"]} for r in rows]
    large = [sentence("weighting.large", parent=above, n=len(parts[above]), most=most)
             for above in levels if len(parts[above]) > most]  # fmt: skip
    return {"project": project, "indicators": rows, "pairs": pairs, "marks": scored}, large
