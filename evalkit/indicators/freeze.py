"""The approved indicator system: stored beside the workbook, and what was changed since.

What is stored is the design of each indicator (levels, points, rule, target, parameters, basis,
评分标准, 评分要点, 分档), not its results. The 实施方案 with its indicators is settled before the
evaluation (财监〔2021〕4号 art. 15–16); points once set stay as they are, in principle
(财预〔2021〕101号 三（六）, there for self-evaluation).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from evalkit.core.model import STRICT_STAGES, Datum, Source, Stage
from evalkit.core.numbers import plain, to_decimal
from evalkit.core.problem import Problem, refusal, refuse, sentence
from evalkit.core.store import digest, read_versioned, write_json
from evalkit.workbook.schema import load_schema

FILE_NAME = "指标体系_审定.json"
SCHEMA_VERSION = "1.0"
PARTS = {"elements": ("text", "share"), "bands": ("limit", "rate")}


def frozen_file(workbook: Path) -> Path:
    """Where the approved system of a workbook lies."""
    return workbook.with_name(FILE_NAME)


def freeze(source: Source, path: Path, approver: str, day: date, *, replace: bool = False) -> Path:
    """Store the indicator system of `source` beside its workbook at `path`.

    Returns the file written: {schema_version, code, name, approver, date, indicators, hash}.

    Raises:
        EvalkitError: already frozen (unless `replace`), no approver, no indicators, or errors that
            the reader found in the sheets 指标, 评分要点 and 分档.
    """
    target, schema = frozen_file(path), load_schema(source.schema_name)
    sheets = {schema.sheet(sheet).name for sheet in ("indicators", *PARTS)}
    found = [problem for problem in source.problems if problem.sheet in sheets]
    if target.exists() and not replace:
        found.append(sentence("freeze.exists", file=target.name))
    if not approver.strip():
        found.append(sentence("freeze.approver"))
    if not source.tables["indicators"]:
        found.append(sentence("freeze.empty", sheet="指标"))
    refuse(found)
    project = {key: _text(source.forms["project"][key]) for key in ("code", "name")}
    approved = {"approver": approver.strip(), "date": day.isoformat()}
    content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **project, **approved}
    content["indicators"] = [*_design(source)]
    return write_json(target, {**content, "hash": digest(content)})


def read(frozen_path: Path) -> dict[str, Any]:
    """An approved system.

    Raises:
        EvalkitError: unreadable, written by a newer major version, or edited by hand.
    """
    data = read_versioned(frozen_path, "freeze", SCHEMA_VERSION)
    if "hash" not in data:
        raise refusal("freeze.file", file=frozen_path.name)
    if digest({key: value for key, value in data.items() if key != "hash"}) != data["hash"]:
        raise refusal("freeze.hash", file=frozen_path.name)
    return data


def changes(source: Source, frozen_path: Path) -> list[dict[str, str]]:
    """What differs from the approved system, one row a field, in the order of the sheets.

    Keys: indicator, level3, field (as the sheet heads it), approved, now, reason, approver, date;
    the last three from the sheet 指标变更. Empty where nothing was frozen.

    Raises:
        EvalkitError: as `read`, or the file belongs to another project.
    """
    if not frozen_path.exists():
        return []
    approved = read(frozen_path)
    code = _text(source.forms["project"]["code"])
    if approved["code"] != code:
        facts = {"name": approved["name"], "other": approved["code"], "own": code}
        raise refusal("freeze.project", file=frozen_path.name, **facts)
    labels, designs = _labels(source), (approved["indicators"], _design(source))
    before, after = ({one["code"]: _flat(one, labels) for one in design} for design in designs)
    rows = []
    for indicator in dict.fromkeys([*after, *before]):
        old, new = before.get(indicator), after.get(indicator)
        if old and new:
            changed = [field for field in labels if _key(old[field]) != _key(new[field])]
            found = [(field, old[field], new[field]) for field in changed]
        else:
            found = [("level3", "已审定指标", "删除") if old else ("level3", "（无）", "新增指标")]
        named = {"indicator": indicator, "level3": (new or old or {})["level3"]}
        why = _explained(source, indicator)
        rows += [{**named, "field": labels[f], "approved": a, "now": n, **why} for f, a, n in found]
    return rows


def problems(rows: Sequence[Mapping[str, str]], stage: Stage) -> list[Problem]:
    """A change without a reason: a warning in drafts, an error from 送审稿 on."""
    severity = "error" if stage in STRICT_STAGES else "warning"
    shown = [{key: text or "空" for key, text in row.items()} for row in rows if not row["reason"]]
    found = [sentence("freeze.reason", sheet="指标变更", **row) for row in shown]
    return [problem.model_copy(update={"severity": severity}) for problem in found]


def _labels(source: Source) -> dict[str, str]:
    """The parts of an indicator's design but its code, and what the workbook calls them."""
    schema = load_schema(source.schema_name)
    fields = schema.sheet("indicators").fields
    labels = {f.id: f.label for f in fields if not f.result and f.id != "code"}
    return labels | {part: schema.sheet(part).name for part in PARTS}


def _design(source: Source) -> Iterator[dict[str, Any]]:
    """The indicators without their results; empty fields but the code are left out."""
    fields = [field for field in _labels(source) if field not in PARTS]
    for row in source.tables["indicators"]:
        design: dict[str, Any] = {"code": _text(row["code"])}
        design |= {field: text for field in fields if (text := _text(row[field]))}
        for part, columns in PARTS.items():
            rows = source.tables.get(part, [])
            mine = (one for one in rows if _text(one["indicator"]) == design["code"])
            design[part] = [{column: _text(one[column]) for column in columns} for one in mine]
        yield design


def _explained(source: Source, indicator: str) -> dict[str, str]:
    """Reason, approver and date that the sheet 指标变更 gives for an indicator."""
    rows = source.tables.get("changes", [])
    mine = [row for row in rows if _text(row["indicator"]) == indicator]
    return {
        field: "；".join(dict.fromkeys(_text(row[field]) for row in mine if _text(row[field])))
        for field in ("reason", "approver", "date")
    }


def _flat(design: dict[str, Any], fields: Iterable[str]) -> dict[str, str]:
    """The fields of a design in one line each; 评分要点 as 立项合规（40%）；程序完备（60%）."""
    flat = {field: design.get(field, "") for field in fields}
    for part, (first, second) in PARTS.items():
        lines = [(one[first], one[second]) for one in flat[part]]
        flat[part] = "；".join(f"{name}（{share}）" if share else name for name, share in lines)
    return flat


def _text(datum: Datum) -> str:
    """A cell's text without chance differences: spaces, separators, trailing zeros, date forms."""
    if isinstance(datum.value, date) and not datum.precision:
        return datum.value.isoformat()
    text = " ".join(datum.text.split())
    if datum.number is None:
        return text
    return re.sub(r"\d[\d,]*(\.\d+)?", lambda m: plain(to_decimal(m[0].replace(",", ""))), text)


def _key(text: str) -> str:
    """Text for comparison: full-width and half-width forms and spaces do not matter."""
    return "".join(unicodedata.normalize("NFKC", text).split())
