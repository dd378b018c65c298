"""绩效目标审核: each filed target table gets its review form; a county its summary and report.

The form and its grades: 郑州 附2-5, 附2-6 (地方做法); what a table must have: 财预〔2021〕101号.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

from evalkit.core.model import Result, Source
from evalkit.core.numbers import wan
from evalkit.rounds.target_review import contexts, review, twins
from evalkit.scoring.findings import load_checks, run_checks
from evalkit.scoring.rows import Line, add_up, called, figures, key_of, ranked
from evalkit.workflows.task import Task, TaskParams, checks, deliver, draw, open_task, sampled

__all__ = ["Params", "checks", "deliver", "draw", "evaluate", "load", "sample"]

NAME = "target_review"
OPEN, SCORED = "暂不评定", "定量"
GRADES = {"优": "excellent", "良": "good", "中": "fair", "差": "poor", OPEN: "open"}
TOTALS = {"forms": "forms", "yuan": "amount", **GRADES}  # figures by the field of a total
COUNTED = ("findings", "alike", "costs")
_YEAR = re.compile(r"20\d\d年?度?")  # in names of projects, which are compared over years


class Params(TaskParams):
    """The notebook's parameters; the defaults run as they are."""

    workbook: str = "params/demo/targets/审核任务.xlsx"


@dataclass(frozen=True, kw_only=True)
class Data(Task):
    """Everything that was read: the target tables, and what was filed for the last year."""

    filed: list[Source]
    last: list[Source]


def load(params: Params) -> Data:
    """Read the task, the target tables in its folder and last year's forms, if it names any.

    Raises:
        EvalkitError: the task cannot be read, is another's, or has no table that can be read.
    """
    opened = open_task(NAME, params)
    return Data(**vars(opened), last=opened.read_filed("last_year"), filed=opened.read_filed())


def evaluate(data: Data) -> Result:
    """Run the checks on every table, grade it by what reviewers entered, and add up.

    Raises:
        EvalkitError: in a strict stage, with every error at once, and who still has to review what.
    """
    policy, every, reviews = data.policy, load_checks("targets"), data.source.tables["reviews"]
    forms, items, findings = list[Line](), list[Line](), list[Line]()
    for source, known in zip(data.filed, _known(data), strict=True):
        form, seen = known["about"], contexts(source, known, policy)
        found = [each for each in run_checks(every, seen) if each.check.id not in known["refuted"]]
        done = review(known["entries"], found, form["method"] == SCORED, policy)
        yuan, grade = seen["form"][0]["budget"].number or Decimal(0), done["grade"] or OPEN
        forms.append(form | {
            "yuan": yuan, "amount": wan(yuan), "findings": len(found), "grade": grade,
            "score": _score(done, form["method"]),
            "open": "、".join(item["item"] for item in done["items"] if item["open"]),
            "action": policy.value("target_review_consequences").get(grade, "待审核"),
        })  # fmt: skip
        findings += [forms[-1] | each.row for each in found]
        for item in done["items"]:
            items.append(forms[-1] | item | {"score": _score(item, form["method"])})
    times = Counter((row["form"].text, row["item"].text) for row in reviews)
    facts = {"times": times, "bands": policy.value("target_review_rates")}
    strays = data.astray({key_of(form["form"]) for form in forms})
    own = {"astray": strays, "reviews": [row | facts for row in reviews], "pending": forms}
    problems = [finding.problem(data.path.name) for finding in run_checks(every, own)]
    departments, total = add_up(forms, _totals, "department", whole="合计"), _totals(forms)
    tables = {
        "forms": forms, "items": items, "findings": findings,
        "kinds": ranked(findings, "form", "id", "title", "severity", "basis"),
        "departments": departments, "grades": departments[:-1],
        "reviews": add_up(forms, _totals, "review", whole="合计"),
        "alike": [row for row in findings if row["id"].startswith("G")],
        "costs": [row for row in findings if row["id"].startswith("S")],
    }  # fmt: skip
    county = {field: total[name] for name, field in TOTALS.items()}
    county |= {name: len(tables[name]) for name in COUNTED}
    values = figures(targets=county, limits=policy.value("target_limits"))
    return data.result(tables, values, problems, {"unit": data.form["county"].text})


sample = partial(sampled, __name__)


def _known(data: Data) -> Iterator[Line]:
    """What each target table is held against; `about` is the table's own line of results."""
    policy, sheets, filed = data.policy, data.about(), data.filed
    limits, methods = policy.value("target_limits"), policy.value("target_review_methods")
    shared = {
        "standards": data.source.tables["standards"], "task_year": data.form["year"].number,
        "names": [source.forms["project"]["name"].text for source in filed],
        "last": {(_stem(source), key_of(row["level3"].text)): row
                 for source in data.last for row in source.tables["indicators"]},
    }  # fmt: skip
    texts, how = [_texts(source) for source in filed], (limits["alike"], limits["short"])
    goals, rows = (twins([text[part] for text in texts], *how) for part in (0, 1))
    for place, source in enumerate(filed):
        mine = sheets[key_of(called(source))]
        facts = [*mine["objects"], data.schema.sheet("objects").blank][0]
        about = {key: datum.text for key, datum in source.forms["project"].items()}
        usual = "重点项目" if about["key"] == "是" else "一般项目"
        kind = facts["kind"].text or (about["scope"] if about["scope"] in methods else usual)
        which = "department_tree" if kind == "部门整体" else "tree"
        own = {"review": kind, "tree": data.form[which].text or policy.value(f"target_{which}")}
        about |= own | {"method": methods[kind], "opinion": facts["opinion"].text}
        about["file"] = Path(source.path).name
        about["form"] = about["key"] = called(source)  # its key in a report is not 是否重点
        yield shared | own | {
            "about": about, "facts": facts, "stem": _stem(source),
            "like_goals": goals.get(place, []), "like_rows": rows.get(place, []),
            "entries": {row["item"].text: row for row in mine["reviews"]},
            "refuted": {row["check"].text for row in mine["decisions"]},
        }  # fmt: skip


def _texts(source: Source) -> tuple[str, str]:
    """What is compared with other tables: the goal, and all indicators with their targets."""
    rows = "".join(r["level3"].text + r["target"].text for r in source.tables["indicators"])
    return key_of(source.forms["project"]["goal"].text), key_of(rows)


def _stem(source: Source) -> str:
    """The name of a project without its year."""
    return _YEAR.sub("", key_of(source.forms["project"]["name"].text))


def _score(item: Line, method: str) -> str:
    ends = dict.fromkeys((f"{item['low']}", f"{item['high']}"))
    return "～".join(ends) if method == SCORED else ""


def _totals(forms: Sequence[Line]) -> Line:
    """How many tables, how much money and which grades, for `rows.add_up`."""
    grades = Counter(form["grade"] for form in forms)
    yuan = sum((form["yuan"] for form in forms), Decimal(0))
    found = {"forms": len(forms), "yuan": yuan, "amount": wan(yuan)}
    return found | {grade: grades[grade] for grade in GRADES}
