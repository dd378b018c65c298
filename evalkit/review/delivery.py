"""From a result to its report on disk: rendered fresh, or carried into the one people edited."""

from __future__ import annotations

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
from evalkit.review.opinions import TABLE, undecided
from evalkit.review.refresh import Conflict, refresh
from evalkit.word.blocks import Block
from evalkit.word.render import RenderReport, render

REPORT, CONFLICTS = "评价报告.docx", "conflicts.json"


@dataclass(frozen=True)
class Delivered:
    """A report as written; `record` is kept in result.json for the next refresh and for verify."""

    path: Path
    problems: tuple[Problem, ...]
    missing: tuple[str, ...]
    record: dict[str, Any]


def last_run(out: Path) -> dict[str, Any]:
    """The `run` part of the folder's result.json; empty where there is none."""
    return _last(out)[1]


def _last(out: Path) -> tuple[Result | None, dict[str, Any]]:
    try:
        return result_file.load(out / result_file.FILE_NAME)
    except EvalkitError:
        return None, {}


def answers(out: Path, stage: Stage) -> list[Problem]:
    """What keeps a 终稿 back: opinions without a decision (财监〔2021〕4号 art. 18)."""
    return undecided(out / TABLE) if stage == "终稿" and (out / TABLE).exists() else []


def _unasked(out: Path, stage: Stage) -> list[Problem]:
    done = stage != "终稿" or (out / TABLE).exists()
    return [] if done else [sentence("opinion.table", file=TABLE)]


def keep_edited(out: Path, name: str) -> None:
    """Copy aside what a person changed since the folder's last run."""
    path = out / name
    if path.is_file() and sha256(path) != last_run(out).get("outputs", {}).get(name):
        keep_aside(path)


def deliver_report(
    out: Path,
    result: Result,
    template: Path,
    filling: tuple[Mapping[str, Any], Mapping[str, Block | None]],
    narrative: Path | None = None,
) -> Delivered:
    """Write 评价报告.docx into a folder.

    A report that people edited is the base of the new one: the version before is kept aside,
    conflicts.json lists where their work and the new results meet, before the report is written.
    One whose bindings were destroyed is left as it is; the new one is written beside it.

    Raises:
        EvalkitError: the template, the narrative or the edited report cannot be read.
    """
    context, blocks = filling
    path, listed = out / REPORT, out / CONFLICTS
    last, run = _last(out)
    record = run.get("report", {})
    outputs = run.get("outputs", {})
    ours = path.is_file() and sha256(path) == outputs.get(REPORT)
    if not path.is_file() or (ours and record.get("pristine", True)):
        rendered = render(template, context, path, blocks, narrative)
        listed.unlink(missing_ok=True)
        new = {"units": rendered.units, "bindings": rendered.bindings,
               "pictures": rendered.pictures, "pristine": True}  # fmt: skip
        return _delivered(rendered, rendered.path, [], new, record, result.stage)
    with tempfile.TemporaryDirectory() as folder:
        rendered = render(template, context, Path(folder) / REPORT, blocks, narrative)
        # `base` is the record of what lies at the report's own place
        base = {"values": printed(last) if last else {}, **record.get("base", record)}
        merged = refresh(path, rendered.path, base)
    found = {"report": REPORT, "conflicts": [_listed(c, result) for c in merged.conflicts]}
    write_json(listed, found)
    if merged.destroyed:
        path = path.with_stem(f"{path.stem}_新")
    if path.is_file() and (not merged.destroyed or sha256(path) != outputs.get(path.name)):
        keep_aside(path)
    written = merged.save(path, context["document"])
    new = merged.record | {"pristine": False}
    return _delivered(rendered, written, merged.conflicts, new, base, result.stage)


def _delivered(
    rendered: RenderReport,
    path: Path,
    conflicts: list[Conflict],
    record: dict[str, Any],
    base: dict[str, Any],
    stage: Stage,
) -> Delivered:
    """`base` is the record of what stays at the report's own place when `path` is beside it."""
    record["narrative"] = rendered.narrative
    record |= {"base": base} if path.name != REPORT else {}
    problems = (*rendered.problems, *(c.problem(path.name) for c in conflicts))
    problems += tuple(_unasked(path.parent, stage))
    return Delivered(path, problems, rendered.missing, record)


def _listed(conflict: Conflict, result: Result) -> dict[str, Any]:
    """A conflict for conflicts.json; a changed score with the 调分记录 it would need."""
    problem = conflict.problem(REPORT)
    found: dict[str, Any] = {**asdict(conflict), "what": problem.what, "remedy": problem.remedy}
    scores = {f"score.indicators.{slug(i.code)}.score": i
              for i in (result.score.indicators if result.score else ())}  # fmt: skip
    if conflict.kind == "number" and conflict.path in scores:
        indicator = scores[conflict.path]
        found["调分记录"] = {"指标编号": indicator.code, "计算得分": conflict.new,
                         "调整后得分": conflict.now, "调整人": conflict.author}  # fmt: skip
    return found
