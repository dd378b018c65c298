"""绩效自评复核: each score of a filed 自评表 worked out again, its faults, an opinion on each.

Basis: 财预〔2020〕10号 art. 13, 16 and 19; 财预〔2021〕101号 三（六）、（七）.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

from evalkit.core.model import Datum, Result, Row, Source
from evalkit.core.numbers import fixed, plain, round_to
from evalkit.rounds import self_evaluation as claim
from evalkit.rounds.monitoring import rate
from evalkit.scoring.findings import load_checks, run_checks
from evalkit.scoring.rows import Line, add_up, called, figures, key_of, ranked, summed
from evalkit.scoring.scorecard import grade_of
from evalkit.workbook.cells import convert
from evalkit.workflows.task import Task, TaskParams, checks, deliver, draw, open_task, sampled

__all__ = ["Params", "checks", "deliver", "draw", "evaluate", "load", "sample"]

NAME, EXECUTED, NONE = "self_evaluation_review", "预算执行率", Decimal(0)
MEANS = ("filed", "low", "high", "excess", "quality")
SUMS = ("forms", "full", "findings", "unverified")
LINE = ("level1", "level2", "level3", "points", "score", "own", "other", "excess", "formula", "why")
RULES = ("self_evaluation_review", "self_evaluation_conventions", "self_evaluation_sampling")


class Params(TaskParams):
    """The notebook's parameters; the defaults run as they are."""

    workbook: str = "params/demo/self_evaluation/复核任务.xlsx"


@dataclass(frozen=True, kw_only=True)
class Data(Task):
    """Everything that was read, checked at the door."""

    filed: list[Source]
    approved: dict[str, Source]


def load(params: Params) -> Data:
    """Read the task, the forms of its folder and the approved targets, if it names any.

    Raises:
        EvalkitError: the task or a folder cannot be read.
    """
    opened = open_task(NAME, params)
    approved = {key_of(called(source)): source for source in opened.read_filed("approved")}
    return Data(**vars(opened), filed=opened.read_filed(), approved=approved)


def evaluate(data: Data) -> Result:
    """Work out every score under both policies, run the checks, mark the forms, draw the sample.

    Raises:
        EvalkitError: in a strict stage, with every error at once.
    """
    policy, about, sheets = data.policy, data.form, data.about()
    chosen = about["policy"].text.removesuffix("号文") or policy.value("self_evaluation_policy")
    names = sorted(("10", "101"), key=lambda name: bool(name != chosen))
    habits = {"digits": policy.value("score_digits"), "rounding": policy.value("rounding")}
    habits |= policy.value("self_evaluation_conventions")
    ways = [policy.value(f"self_evaluation_policy_{name}") | habits for name in names]
    tables, keys = defaultdict[str, list[Line]](list), set[str]()
    for number, source in enumerate(data.filed, 1):
        keys.add(key := key_of(called(source)))
        form = _form(data, source, sheets[key], ways)
        form["findings"] = [*_findings(data, form)]
        form["marks"] = [*_marks(data, form["findings"])]
        form["forms"] = [_summary(data, form, source)]
        form["lines"] = [_line(row) for row in form["rows"]]
        known = {"no": f"{number:03}", "name": form["name"].text}
        for name in ("forms", "lines", "findings", "marks"):
            tables[name] += [known | row for row in form[name]]
    rule, seed = policy.value("self_evaluation_sampling"), about["seed"].text or about["code"].text
    forms = claim.sample(tables["forms"], rule["bands"], rule["rate"], seed)
    upheld = [row for row in tables["findings"] if row["verdict"] != "不成立"]
    tables |= {
        "forms": forms, "full": [form for form in forms if form["full"]],
        "sample": [form for form in forms if form["how"]],
        "scheme": policy.value("self_evaluation_quality"),
        "departments": add_up(forms, _totals, "department", whole="合计"),
        "strata": add_up(forms, _totals, "department", "band"),
        "faults": ranked(upheld, "no", "title"),
    }  # fmt: skip
    limits = {name: n for rule in RULES for name, n in policy.value(rule).items()}
    limits["warn_at"] = policy.value("over_achievement")["warn_at"]
    county = {name: round_to(n, 2) for name, n in _totals(forms).items()}
    strays = run_checks(load_checks("self_evaluation"), {"astray": data.astray(keys)})
    problems = (finding.problem(data.path.name) for finding in strays)
    values = figures(review=county, rule=limits)
    more = {"chosen": names[0], "other": names[1], "seed": seed}
    return data.result(tables, values, problems, more, number=fixed)


sample = partial(sampled, __name__)


def _form(data: Data, source: Source, sheets: Line, ways: list[claim.Way]) -> Line:
    """A form as its checks see it; the names stand in params/checks/self_evaluation.yaml."""
    policy, project = data.policy, source.forms["project"]
    funds, parts, counted = claim.funds_of(source)
    about = [*sheets["objects"], data.schema.sheet("objects").blank][0]
    finished = {"是": True, "否": False}.get(about["finished"].text)
    batch = data.approved.get(key_of(called(source)))
    known = {key_of(row["level3"].text): row for row in claim.scored_rows(batch)} if batch else {}
    rows, levels = list[Line](), defaultdict[str, Decimal](Decimal)
    base = summed(row["points"].number for row in known.values())
    for row in map(_scaled, claim.scored_rows(source)):
        own, other = (claim.rescore(row, way, finished) for way in ways)
        level = claim.named("levels", row) or row["level1"].text
        levels[level] += row["points"].number or 0
        match = known.pop(key_of(row["level3"].text), None)
        rows.append({**row, "own": own, "other": other, "excess": own.excess(row["score"].number),
                     "executed": level == EXECUTED, "formula": own.formula, "why": own.why,
                     "approved": match if batch else False})  # fmt: skip
    points, score = (summed(row[name].number for row in rows) for name in ("points", "score"))
    total = project["total"].number
    return {
        **counted, **project, "sheets": sheets, "rows": rows, "funds": funds, "parts": parts,
        "levels": dict(levels), "about": about, "task": data.form, "search": re.search,
        "problems": source.problems, "told": claim.narrated(project["achieved"].text),
        "sums": {"points": points or NONE, "score": score or NONE,
                 "filed": score if total is None else total},
        "full": bool(rows) and all(row["score"].number == row["points"].number for row in rows),
        "absent": [row["level3"].text for row in known.values()],
        "variants": [{name: n for name, n in case.items() if name in claim.WORDS["levels"]}
                     for case in policy.value("self_evaluation_weights")],
        "tables": source.tables, "rate": funds["rate"],
        "done": rate(counted["spent"].number, counted["budget"].number),
        "base": base, "half": claim.half_of(rows), "stated": Datum(),
        "p": policy.value("self_evaluation_review"), "over": policy.value("over_achievement"),
    }  # fmt: skip


def _scaled(row: Row) -> Row:
    """A row whose actual value is in the unit of the target, where only 万 and the like differ."""
    target, actual = row["target"], row["actual"]
    value = actual.number and convert(actual.number, actual.unit, target.unit)
    if not value or actual.unit == target.unit:
        return row
    own = {"value": value, "unit": target.unit, "raw": claim.written(actual)}
    return row | {"actual": actual.model_copy(update=own)}


def _line(row: Line) -> Line:
    """A scored row as it is shown."""
    values = {name: claim.written(row[name]) for name in ("target", "actual")}
    return {name: row[name] for name in LINE} | values


def _findings(data: Data, form: Line) -> Iterator[Line]:
    """What the checks find in a form, each with what people decided on it."""
    seen = {"rows": form["rows"], **form["sheets"]}
    scopes = {name: [{**form, **row} for row in rows] for name, rows in seen.items()}
    decided = {(row["check"].text, row["level3"].text): row for row in form["sheets"]["decisions"]}
    nothing, costs = data.schema.sheet("decisions").blank, defaultdict[str, Decimal](Decimal)
    for finding in run_checks(load_checks("self_evaluation"), {"form": [form], **scopes}):
        row, check = finding.row, finding.check
        by = decided.get((check.id, row["indicator"])) or decided.get((check.id, ""), nothing)
        usual = plain(max(NONE, min(check.deduct, check.most - costs[check.id])))
        lost = "0" if by["verdict"].text == "不成立" else by["deduct"].text or usual
        costs[check.id] += Decimal(lost)
        said = "：".join(by[name].text for name in ("verdict", "reason") if by[name].text)
        yield row | {"deduct": lost, "verdict": by["verdict"].text, "decided": said}


def _marks(data: Data, findings: Iterable[Line]) -> Iterator[Line]:
    """自评质量得分 by dimension: what the findings cost, at most its points."""
    for row in data.policy.value("self_evaluation_quality"):
        costs = [Decimal(f["deduct"]) for f in findings if f["dimension"] == row["dimension"]]
        lost = min(row["points"], sum(costs, NONE))
        yield {**row, "count": len(costs), "lost": lost, "score": row["points"] - lost}


def _summary(data: Data, form: Line, source: Source) -> Line:
    """One line about a form; scores are sums over its rows, low and high what they can be."""
    rows, quality = form["rows"], sum((mark["score"] for mark in form["marks"]), NONE)
    gaps = [row["excess"] for row in rows if row["excess"] is not None]
    own, other = (sum((row[way] for row in rows), claim.Rescored()) for way in ("own", "other"))
    if not form["sums"]["points"]:
        own = other = claim.Rescored(why="没有分值")
    done = [form["done"], *(row["own"].rate for row in rows if row["executed"])]
    found = {
        "code": form["code"].text or form["name"].text, "unit": form["unit"].text, "forms": 1,
        "file": Path(source.path).name, "department": form["department"].text or "未填主管部门",
        "rate": next((rate for rate in done if rate is not None), None),
        "amount": form["budget"].number or form["initial"].number or NONE,
        "filed": form["sums"]["filed"], "own": own, "other": other,
        "low": None if own.why else own.low, "high": None if own.why else own.high,
        "excess": sum(gaps, NONE), "off": sum(map(abs, gaps), NONE), "full": int(form["full"]),
        "unverified": sum((row["own"].high for row in rows if row["own"].why), NONE),
        "findings": sum(row["verdict"] != "不成立" for row in form["findings"]),
        "quality": quality, "grade": grade_of(quality, data.policy.value("grade_bands")),
        "opinion": form["about"]["opinion"].text,
    }  # fmt: skip
    seen = {**form, **found, "p": data.policy.value("self_evaluation_sampling")}
    musts = run_checks(load_checks("self_evaluation_sample"), {"form": [seen]})
    return found | {"must": "；".join(must.what for must in musts)}


def _totals(forms: Sequence[Line]) -> Line:
    """Sums, and means of the scores that forms have, for `rows.add_up`."""
    drawn = Counter(form["how"] for form in forms)
    sums = {name: sum(form[name] for form in forms) for name in SUMS}
    known = {name: [form[name] for form in forms if form[name] is not None] for name in MEANS}
    means = {name: sum(numbers, NONE) / (len(numbers) or 1) for name, numbers in known.items()}
    return sums | means | {"listed": drawn["必查"], "drawn": drawn["随机"]}
