"""From a result to its report on disk: rendered fresh, or carried into the one people edited."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evalkit.core import result_file
from evalkit.core.model import Result, Stage
from evalkit.core.problem import EvalkitError, Problem, sentence
from evalkit.core.store import keep_aside, sha256, write_json
from evalkit.ooxml.bind import slug
from evalkit.report.evaluation import printed
from evalkit.report.prose import WORDS
from evalkit.review.opinions import TABLE, undecided
from evalkit.review.refresh import Conflict, refresh
from evalkit.word.blocks import Block
from evalkit.word.render import render

CONFLICTS = "conflicts.json"

Filling = tuple[Mapping[str, Any], Mapping[str, Block | None]]  # a template's context and blocks


@dataclass(frozen=True)
class Delivered:
    """A report as written; `record` is kept in result.json for the next refresh and for verify."""

    path: Path
    problems: tuple[Problem, ...]
    missing: tuple[str, ...]
    record: dict[str, Any]


def report_name(workflow: str) -> str:
    """The file name of the report of a business."""
    return str(WORDS["reports"][workflow])


def last_run(out: Path) -> dict[str, Any]:
    """The `run` part of the folder's result.json; empty where there is none."""
    return _last(out)[1]


def _last(out: Path) -> tuple[Result | None, dict[str, Any]]:
    try:
        return result_file.load(out / result_file.FILE_NAME)
    except EvalkitError:
        return None, {}


def stand_beside(made: Path, last: Path, moved: Mapping[str, str]) -> None:
    """Tell a new result.json, which is to replace the `last` one, of files that lie beside.

    `moved` says where, by the names of files that another program held open.
    """
    data = json.loads(made.read_text(encoding="utf-8"))
    result, before = _last(last.parent)
    run, names = data["run"], {Path(old).name: Path(new).name for old, new in moved.items()}
    outputs, were = run.get("outputs", {}), before.get("outputs", {})
    run["outputs"] = {names.get(name, name): digest for name, digest in outputs.items()}
    run["outputs"] |= {name: were[name] for name in names if name in were}
    if "report" in run and report_name(data["result"]["workflow"]) in names:
        base = before.get("report", {})
        base = {"values": printed(result) if result else {}, **base.get("base", base)}
        run["report"]["base"] = base
    write_json(made, data)


def answers(out: Path, stage: Stage) -> list[Problem]:
    """What keeps a 终稿 back: opinions without a decision (财监〔2021〕4号 art. 18)."""
    return undecided(out / TABLE) if stage == "终稿" and (out / TABLE).exists() else []


def keep_edited(out: Path, name: str) -> None:
    """Copy aside what a person changed since the folder's last run."""
    path = out / name
    if path.is_file() and sha256(path) != last_run(out).get("outputs", {}).get(name):
        keep_aside(path)


def deliver_report(
    out: Path, result: Result, template: Path, filling: Filling, narrative: Path | None = None
) -> Delivered:
    """Write the report of a business into a folder.

    A report that people edited is the base of the new one: the version before is kept aside,
    conflicts.json lists where their work and the new results meet, before the report is written.
    One whose bindings were destroyed is left as it is; the new one is written beside it.

    Raises:
        EvalkitError: the template, the narrative or the edited report cannot be read.
    """
    context, blocks = filling
    name = report_name(result.workflow)
    path, listed = out / name, out / CONFLICTS
    last, run = _last(out)
    base, outputs = run.get("report", {}), run.get("outputs", {})
    ours = path.is_file() and sha256(path) == outputs.get(name)
    conflicts: list[Conflict] = []
    if not path.is_file() or (ours and base.get("pristine", True)):
        rendered = render(template, context, path, blocks, narrative)
        written = rendered.path
        listed.unlink(missing_ok=True)
        record = {"units": rendered.units, "bindings": rendered.bindings,
                  "pictures": rendered.pictures, "pristine": True}  # fmt: skip
    else:
        with tempfile.TemporaryDirectory() as folder:
            rendered = render(template, context, Path(folder) / name, blocks, narrative)
            # `base` is the record of what lies at the report's own place
            base = {"values": printed(last) if last else {}, **base.get("base", base)}
            merged = refresh(path, rendered.path, base)
        conflicts = merged.conflicts
        write_json(listed, {"report": name, "conflicts": [_listed(c, result) for c in conflicts]})
        if merged.destroyed:
            path = path.with_stem(f"{path.stem}_新")
        if path.is_file() and (not merged.destroyed or sha256(path) != outputs.get(path.name)):
            keep_aside(path)
        written = merged.save(path, context["document"])
        record = merged.record | {"pristine": False}
    record["narrative"] = rendered.narrative
    record |= {"base": base} if written.name != name else {}
    problems = (*rendered.problems, *(c.problem(written.name) for c in conflicts))
    if result.stage == "终稿" and not (out / TABLE).exists():
        problems += (sentence("opinion.table", file=TABLE),)
    return Delivered(written, problems, rendered.missing, record)


def _listed(conflict: Conflict, result: Result) -> dict[str, Any]:
    """A conflict for conflicts.json; a changed score with the 调分记录 it would need."""
    problem = conflict.problem(report_name(result.workflow))
    found: dict[str, Any] = {**asdict(conflict), "what": problem.what, "remedy": problem.remedy}
    codes = {f"score.indicators.{slug(i.code)}.score": i.code
             for i in (result.score.indicators if result.score else ())}  # fmt: skip
    if conflict.kind == "number" and conflict.path in codes:
        found["调分记录"] = {"指标编号": codes[conflict.path], "计算得分": conflict.new,
                         "调整后得分": conflict.now, "调整人": conflict.author}  # fmt: skip
    return found
