"""The approved indicator system: stored beside the workbook, and what was changed since.

What is stored is the design of each indicator (levels, points, rule, target, parameters, basis,
评分标准, 评分要点, 分档), not its results. The 实施方案 with its indicators is settled before the
evaluation (财监〔2021〕4号 art. 15–16); points once set stay as they are, in principle
(财预〔2021〕101号 三（六）, there for self-evaluation).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from evalkit.core.model import STRICT_STAGES, Datum, Row, Source, Stage
from evalkit.core.numbers import plain, to_decimal
from evalkit.core.problem import EvalkitError, Problem, refuse
from evalkit.core.store import digest, write_json
from evalkit.workbook.schema import load_schema

FILE_NAME = "指标体系_审定.json"
SCHEMA_VERSION = "1.0"
RESULTS = {  # columns of 指标 filled in during the evaluation, never part of the design
    *("actual", "tier", "tier_rate", "target_low"),
    *("evidence", "finding", "reason", "explanation_high"),
}
PARTS = {"elements": ("text", "share"), "bands": ("limit", "rate")}
SHEETS = ("indicators", *PARTS)


def frozen_file(workbook: Path) -> Path:
    """Where the approved system of a workbook lies."""
    return workbook.with_name(FILE_NAME)


def freeze(
    source: Source, path: Path, approver: str, dated: date, *, replace: bool = False
) -> Path:
    """Store the indicator system of `source` beside its workbook at `path`.

    Returns the file written: {schema_version, code, name, approver, date, indicators, hash}.

    Raises:
        EvalkitError: already frozen (unless `replace`), no approver, no indicators, or errors that
            the reader found in the sheets 指标, 评分要点 and 分档.
    """
    target = frozen_file(path)
    found = [] if replace or not target.exists() else [_exists(target)]
    refuse([*found, *_unfit(source, approver)])
    project = source.forms["project"]
    content = {
        "schema_version": SCHEMA_VERSION,
        "code": _text(project["code"]),
        "name": _text(project["name"]),
        "approver": approver.strip(),
        "date": dated.isoformat(),
        "indicators": _design(source),
    }
    return write_json(target, {**content, "hash": digest(content)})


def read(frozen_path: Path) -> dict[str, Any]:
    """An approved system.

    Raises:
        EvalkitError: unreadable, written by a newer major version, or edited by hand.
    """
    try:
        data = json.loads(frozen_path.read_text(encoding="utf-8"))
        version, mark = str(data["schema_version"]), data["hash"]
        newer = int(version.split(".")[0]) > int(SCHEMA_VERSION.split(".")[0])
    except (OSError, ValueError, KeyError, TypeError):
        raise _refusal(frozen_path, "freeze.file", "不是指标体系审定文件", "请重新审定") from None
    if newer:
        what = f"审定文件版本 {version} 高于本程序支持的 {SCHEMA_VERSION}"
        raise _refusal(frozen_path, "freeze.version", what, "请升级 evalkit 后再读取")
    if digest({key: value for key, value in data.items() if key != "hash"}) != mark:
        what = "内容与审定时的校验值不符，审定后被改动过"
        raise _refusal(frozen_path, "freeze.hash", what, "请恢复原文件，或经批准后重新审定")
    return dict(data)


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
        what = f"审定的是“{approved['name']}”（{approved['code']}），不是本项目（{code}）"
        raise _refusal(frozen_path, "freeze.project", what, "请把各项目的工作簿放在各自的文件夹里")
    labels = _labels(source)
    before = {one["code"]: one for one in approved["indicators"]}
    after = {one["code"]: one for one in _design(source)}
    rows = []
    for indicator in dict.fromkeys([*after, *before]):
        old, new = before.get(indicator), after.get(indicator)
        for field, was, now in _differences(old, new, labels):
            name = (new or old or {}).get("level3", "")
            row = {"indicator": indicator, "level3": name, "field": field}
            row |= {"approved": was, "now": now}
            rows.append(row | _explained(source, indicator))
    return rows


def problems(rows: Sequence[Mapping[str, str]], stage: Stage) -> list[Problem]:
    """A change without a reason: a warning in drafts, an error from 送审稿 on."""
    return [
        Problem(
            severity="error" if stage in STRICT_STAGES else "warning",
            code="freeze.reason",
            sheet="指标变更",
            indicator=row["indicator"],
            what=f"指标 {row['indicator']}“{row['level3']}”的{row['field']}在审定后"
            f"由“{row['approved'] or '空'}”改为“{row['now'] or '空'}”，没有写明理由",
            remedy="请在“指标变更”表写明理由、批准人和日期，或改回审定的内容",
        )
        for row in rows
        if not row["reason"]
    ]


def _unfit(source: Source, approver: str) -> list[Problem]:
    """Why this indicator system cannot be approved."""
    schema = load_schema(source.schema_name)
    sheets = {schema.sheet(sheet).name for sheet in SHEETS}
    found = [problem for problem in source.problems if problem.sheet in sheets]
    if not approver.strip():
        found.append(Problem(code="freeze.approver", what="没有写明审定人", remedy="请填写审定人"))
    if not source.tables["indicators"]:
        what, remedy = "指标表是空的，没有可审定的指标", "请先填写指标表"
        found.append(Problem(code="freeze.empty", sheet="指标", what=what, remedy=remedy))
    return found


def _design(source: Source) -> list[dict[str, Any]]:
    """The indicators without their results; empty fields are left out."""
    designs = []
    for row in source.tables["indicators"]:
        texts = {field: _text(datum) for field, datum in row.items() if field not in RESULTS}
        design: dict[str, Any] = {field: text for field, text in texts.items() if text}
        code = texts["code"]
        for part, fields in PARTS.items():
            mine = [r for r in source.tables.get(part, []) if _text(r["indicator"]) == code]
            design[part] = [{f: _text(r[f]) for f in fields} for r in mine]
        designs.append(design)
    return designs


def _differences(
    old: dict[str, Any] | None, new: dict[str, Any] | None, labels: dict[str, str]
) -> list[tuple[str, str, str]]:
    """(label, approved, now) of every field that differs."""
    if old is None or new is None:
        there, gone = ("（无）", "新增指标") if old is None else ("已审定指标", "删除")
        return [(labels["level3"], there, gone)]
    found = []
    for field, label in labels.items():
        was, now = _flat(old, field), _flat(new, field)
        if _key(was) != _key(now):
            found.append((label, was, now))
    return found


def _labels(source: Source) -> dict[str, str]:
    """What the workbook calls each part of the design."""
    schema = load_schema(source.schema_name)
    fields = schema.sheet("indicators").fields
    labels = {field.id: field.label for field in fields if field.id not in {"code", *RESULTS}}
    return labels | {part: schema.sheet(part).name for part in PARTS}


def _explained(source: Source, indicator: str) -> dict[str, str]:
    """Reason, approver and date that the sheet 指标变更 gives for an indicator."""
    rows: list[Row] = source.tables.get("changes", [])
    mine = [row for row in rows if _text(row["indicator"]) == indicator]
    return {
        field: "；".join(dict.fromkeys(_text(row[field]) for row in mine if _text(row[field])))
        for field in ("reason", "approver", "date")
    }


def _flat(design: dict[str, Any], field: str) -> str:
    """A part of a design in one line; 评分要点 as 立项合规（40%）；程序完备（60%）."""
    if field not in PARTS:
        return str(design.get(field, ""))
    first, second = PARTS[field]
    return "；".join(
        f"{one[first]}（{one[second]}）" if one[second] else one[first]
        for one in design.get(field, [])
    )


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


def _exists(target: Path) -> Problem:
    what = "指标体系已经审定过"
    remedy = "如确需重新审定，请加 --replace，原记录将被覆盖"
    return Problem(file=target.name, code="freeze.exists", what=what, remedy=remedy)


def _refusal(path: Path, code: str, what: str, remedy: str) -> EvalkitError:
    return EvalkitError([Problem(file=path.name, code=code, what=what, remedy=remedy)])
