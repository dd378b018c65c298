"""成本定额与支出标准: from the books of a service to its five standards.

Rules: 中发〔2018〕34号（十三）, 国发〔2021〕5号; cost accounting: 财会〔2019〕25号.
A service is described in a file of params/services; its parts are studied in the room `costing`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.core.model import Result
from evalkit.core.problem import noting
from evalkit.costing import books, samples, tiers
from evalkit.costing.study import Study
from evalkit.scoring.rows import figures
from evalkit.standards.service import Service, load_service
from evalkit.workflows.task import Task, TaskParams, checks, deliver, draw, open_task, sampled

__all__ = ["Params", "checks", "deliver", "draw", "evaluate", "load", "sample"]

NAME, TAKEN_OVER = "cost_standard", "绩效评价数据底稿.xlsx"
PARTS: tuple[Callable[[Study], None], ...] = (
    books.services, tiers.tiers, tiers.counted, books.audited, books.unit_costs, samples.samples,
    tiers.quotas, tiers.regulated, tiers.compared, tiers.spending, tiers.chained,
)  # fmt: skip


class Params(TaskParams):
    """The notebook's parameters; the defaults run as they are."""

    workbook: str = "params/demo/standards/bus_subsidy/成本测算表.xlsx"


@dataclass(frozen=True, kw_only=True)
class Data(Task):
    """Everything that was read, and the service it is about."""

    service: Service

    def books(self, result: Result) -> dict[str, Callable[[Path], Path]]:
        """All tables of the study, and the 数据底稿 that the next evaluation begins with."""
        from evalkit.workbook.blank import write_blank
        from evalkit.workbook.schema import load_schema

        schema = load_schema("project_evaluation")
        begun = partial(write_blank, schema=schema, content=_evaluation(result))
        return super().books(result) | {TAKEN_OVER: begun}


def load(params: Params) -> Data:
    """Read the workbook, the policy of its year and its service.

    Raises:
        EvalkitError: the workbook cannot be read at all, is another's, or names no known service.
    """
    opened = open_task(NAME, params)
    return Data(**vars(opened), service=load_service(opened.form["service"].text))


def evaluate(data: Data) -> Result:
    """Study part by part; what a part cannot do is told, and the other parts go on.

    Raises:
        EvalkitError: in a strict stage, with every error at once.
    """
    study = Study(data, data.service)
    for part in PARTS:
        with noting(study.problems):
            part(study)
    values = figures(**study.values)
    return data.result(study.tables, values, study.problems, study.subject)


sample = partial(sampled, __name__)


def _evaluation(result: Result) -> dict[str, Any]:
    """The indicators as the sheet 指标 of an evaluation: its output and outcome part, 100 points.

    决策 and 过程 are the evaluator's own; with them the points are set anew.
    """
    rules = {row["target"]: row for row in result.tables["evaluations"]}
    basis = {"basis_kind": "委托方规定", "basis_document": f"{result.name}支出标准"}
    kept = ("code", "level1", "level2", "level3", "unit")
    rows = [
        {key: row[key] for key in kept} | basis | {
            "target": row["value"], "kind": "定量", "points": rule["points"], "rule": rule["rule"],
            "explanation": rule["focus"], "standard": rule["standard"],
            "per_unit": rule["per_unit"].strip("—"),
            "zero_at": rule["zero_at"], "full_at": rule["zero_at"] and row["value"],
            "measure": "问卷满意度" if rule["rule"] == "满意度得分" else "直接填报",
        }
        for row in result.tables["targets"] if (rule := rules.get(row["code"]))
    ]  # fmt: skip
    same = ("name", "department", "unit", "client", "demo")
    return {"project": {key: result.subject.get(key, "") for key in same}, "indicators": rows}
