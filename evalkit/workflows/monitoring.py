"""双监控: what units file during the year becomes lights, letters and the report of a county.

Rules: 中发〔2018〕34号（八）; the form 财预〔2019〕136号. Lights, disposal and findings are checks.
"""

from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from evalkit.core.model import Datum, Result
from evalkit.core.numbers import wan
from evalkit.core.problem import refusal
from evalkit.rounds.monitoring import WORDS, Round, monitor, totals
from evalkit.scoring.findings import load_checks, run_checks
from evalkit.scoring.rows import Line, add_up, figures, key_of, printed
from evalkit.workbook.printed import table_text
from evalkit.workflows.task import Task, TaskParams, checks, deliver, draw, open_task, sampled

__all__ = ["Params", "checks", "deliver", "draw", "evaluate", "load", "sample"]

NAME = "monitoring"
_CODED = {"violations": "fact", "previous": "light", "decisions": "decision"}
_WAN = {"budget", "spent", "forecast", "trend", "outlook", "carryover"}


class Params(TaskParams):
    """The notebook's parameters; 0 and "" leave it to the workbook of the task."""

    workbook: str = "params/demo/monitoring/监控任务.xlsx"
    months: int = 0
    base: str = ""


@dataclass(frozen=True, kw_only=True)
class Data(Task):
    """What was filed, as judged lines; those filed again; and what they were measured with."""

    lines: list[Line]
    again: list[Line]
    given: Round


def load(params: Params) -> Data:
    """Read the workbook of the task and the filed forms, and judge every line.

    Raises:
        EvalkitError: the workbook or the folder cannot be read, or no month is named.
    """
    opened = open_task(NAME, params)
    form, policy, coded = opened.form, opened.policy, opened.about("code")
    months = params.months or int(form["months"].text or 0)
    if not months:
        raise refusal("monitor.months", file=opened.path.name)
    asked = params.base or form["base"].text or policy.value("monitoring_base")
    given = {
        "months": months, "asked": asked, "task_year": form["year"].number,
        "checks": load_checks(NAME), "lights": policy.value("monitoring_lights"),
        "actions": policy.value("monitoring_disposal"), "shown": policy.value("monitoring_shown"),
        "letter": policy.value("monitoring_letter"),
        "plans": {key: row["planned"].number for key, mine in coded.items()
                  for row in mine["plans"] if row["month"].text == str(months)},
        **{sheet: {key: row[name].text for key, mine in coded.items() for row in mine[sheet]}
           for sheet, name in _CODED.items()},
    }  # fmt: skip
    lines, again = monitor(opened.read_filed(), given)
    return Data(**vars(opened), lines=lines, again=again, given=given)


def evaluate(data: Data) -> Result:
    """Add up, check, and say what is missing.

    Raises:
        EvalkitError: in a strict stage, with every error at once.
    """
    lines, sheets, given, tables = data.lines, data.source.tables, data.given, _tables(data)
    indicators = [indicator["expected"] for line in lines for indicator in line["indicators"]]
    told = [expected for expected in indicators if expected is not None]
    explained = sum(row["count"].number or 0 for row in sheets["residual"])
    tasks = data.form["tasks"].number
    left = None if tasks is None else tasks - len(lines)
    counts = {
        "lines": len(lines), "tasks": tasks, "residual": left, "explained": explained,
        "unexplained": None if left is None else left - explained, "indicators": len(indicators),
        "told": len(told), "met": sum(rate >= 100 for rate in told),
        **{name: len(tables[name]) for name in ("again", "gone", "findings")},
    }  # fmt: skip
    known = {line[name] for line in lines for name in ("key", "category")}
    strange = data.astray(known, "code", but="previous")
    found = run_checks(given["checks"], {"task": [counts], "strange": strange})
    problems = (finding.problem(data.path.name) for finding in found)
    rows = {space: totals(_of(scope, lines)) for scope, space in WORDS["scopes"].items()}
    values = figures(**rows, **given["lights"], monitor=counts)
    more = {"unit": data.form["county"].text, "months": str(given["months"])}
    return data.result(tables, values, problems, more | {"base": given["asked"]})


sample = partial(sampled, __name__)


def _of(scope: str, lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["scope"] == scope]


def _tables(data: Data) -> dict[str, list[dict[str, str]]]:
    """The printed tables of report and summary workbook; what is not known is —."""
    lines, given = data.lines, data.given
    found: dict[str, list[Any]] = {"lines": lines, "again": data.again, "findings": [], "short": []}
    for line in lines:
        about = {name: line[name] for name in ("file", "department", "unit", "code", "name")}
        read = [{"problem": p, "at": Datum(cell=f"{p.sheet}!{p.cell}")} for p in line["problems"]]
        own = {"lines": [{**given, **line}], "indicators": line["indicators"], "reading": read}
        found["findings"] += [about | f.row for f in run_checks(given["checks"], own)]
        found["short"] += [about | i for i in line["indicators"] if (i["expected"] or 0) < 100]
    for scope, space in WORDS["scopes"].items():
        for by in ("department", "unit"):
            found[f"{space}_{by}s"] = add_up(_of(scope, lines), totals, by, whole="合计")
    whys = [line | {"cause": cause} for line in lines for cause in line["causes"]]
    advised = [line for line in lines if line["to_do"]]
    found |= {"causes": add_up(whys, totals, "cause"), "changes": add_up(lines, totals, "change")}
    found["actions"] = add_up(advised, totals, "to_do")
    found["chart"] = sorted(found["project_departments"][:-1], key=itemgetter("red"), reverse=True)
    found["red"] = [line for line in lines if line["light"] == "红"]
    found |= {name: found[name][: int(most)] for name, most in given["shown"].items()}
    known = {line["key"] for line in lines}
    tables = {name: table_text(data.source, data.schema, name) for name in ("previous", "residual")}
    tables["gone"] = [row for row in tables["previous"] if key_of(row["code"]) not in known]
    return tables | {name: [_printed(row) for row in rows] for name, rows in found.items()}


def _printed(row: Line) -> dict[str, str]:
    money = {name: wan(row[name]) for name in _WAN & row.keys() if row[name] is not None}
    return printed(row | money, blank="—")
