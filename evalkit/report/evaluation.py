"""What the template of an evaluation report is filled with: fields, sentences, tables, pictures.

Fields carry the names they have in result.json (``score.total``, ``funds.arrived``), so that a
template reads like the result. Money is printed in 万元 without its unit, rates with their sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from evalkit.core.model import Result, Scorecard
from evalkit.core.numbers import fixed, plain, rounding_tail, wan
from evalkit.core.paths import asset
from evalkit.core.problem import EvalkitError
from evalkit.core.store import inside
from evalkit.report import prose
from evalkit.report.figures import TITLES, alt_text
from evalkit.template.build import load_style
from evalkit.word.bind import bound
from evalkit.word.blocks import Block, Column, Figure, Photo, PhotoGrid, Table
from evalkit.word.oxml import GAP

Rows = Sequence[Mapping[str, str]]

_MONEY = ("initial", "budget", "arrived", "spent")
_FIGURES = {  # namespace → counts, rates; 待补充 where the result has none
    "funds": ((), ("arrival_rate", "execution_rate", "budget_execution_rate")),
    "survey": (("population", "sent", "returned", "valid"),
               ("return_rate", "valid_rate", "satisfaction")),
    "sample": ((), ("coverage", "coverage_amount")),
}  # fmt: skip
_OPTIONAL = ("sample.coverage", "sample.coverage_amount", "survey.population")
_SUBJECT = {
    "项目名称": "name", "项目编码": "code", "主管部门": "department", "实施单位": "unit",
    "项目属性": "nature", "行业类别": "industry", "实施期限": "term", "评价方式": "mode",
    "评价期限": "phase", "评价基准日": "base_date",
}  # fmt: skip
REQUIRED = ("score.total", "score.grade")  # a report without them says nothing
_UNFILLED = ("report_no", "survey_period", "survey_method", "demo")  # a report does without them
_TEXTS = ("object", "general_target", "stage_target", "methods", "process", "organisation",
          "experience", "other")  # fmt: skip


def report_context(
    result: Result, figures: Mapping[str, Path], photos_dir: Path, style: str
) -> tuple[dict[str, Any], dict[str, Block | None]]:
    """Fields and blocks for the template.

    `figures` maps names of `evalkit.report.figures` to pictures; `photos_dir` is the folder that
    photo paths are relative to; `style` names the profile that lists the required headings.

    Raises:
        EvalkitError: the style profile cannot be read.
    """
    profile = load_style(asset("params", "styles", f"{style}.yaml"))
    blocks = _blocks(result, figures, photos_dir)
    kind = "支出绩效评价报告" if result.name.endswith("项目") else "项目支出绩效评价报告"
    stage = "" if result.stage == "终稿" else f"（{result.stage}）"
    mark = "示例数据" if result.subject.get("demo") == "是" else ""
    number = result.subject.get("report_no", "")
    texts = {**result.texts, **{key: result.texts.get(key) or GAP for key in _TEXTS}}
    texts["conclusion"] = prose.sentence(result.texts.get("conclusion", ""))
    texts["purpose"] = result.texts.get("purpose", "")
    issues = result.tables.get("issues", [])
    differing = [prose.bare(r["place"]) for r in result.tables.get("visits", [])
                 if r["difference"].strip("。 ") not in ("", "无", "一致", "无差异")]  # fmt: skip
    header = "　".join(filter(None, (result.name + kind + stage, mark)))
    context = {
        "document": {
            "title": result.name + kind,
            "date": _date(result.subject.get("report_date", "")),
            "headings": profile.get("outline", {}).get(result.workflow, []),
            "author": result.subject.get("agency", ""),
            "subject": f"{result.name}（{result.code}）",
            "stage": result.stage,
        },
        "bound": {**printed(result), "document.header": header},
        "header": bound("document.header", header),
        "cover": {"project": result.name, "kind": kind, "stage": stage, "mark": mark,
                  "number": number and f"报告编号：{number}"},
        "subject": {k: v if k in _UNFILLED else v or GAP for k, v in result.subject.items()},
        "texts": texts,
        **_spaces(result),
        "samples": result.tables.get("samples", []),
        "visits": {"count": len(result.tables.get("visits", [])),
                   "differing": len(differing), "places": "、".join(differing)},
        "issues": [_issue(row) for row in issues],
        "problems": prose.numbered(row["title"] for row in issues),
        "advice": prose.numbered(row["advice"] for row in issues),
        "bases": _bases(result.score), "mapping": _mapping(result),
        "has": {name: block is not None for name, block in blocks.items()}
        | {key.replace(".", "_"): key in result.values for key in _OPTIONAL},
        **_scores(result.score, issues),
    }  # fmt: skip
    return context, blocks


def printed(result: Result) -> dict[str, str]:
    """Every figure a report may bind, as printed, by its path in result.json.

    List items are named by their code: ``score.indicators.c201.score``.
    """
    found = {f"{space}.{k}": text for space, mine in _figures(result).items()
             for k, text in mine.items() if k != "change"}  # fmt: skip
    if result.score:
        card = result.score
        items: list[Any] = [card, *card.level1(), *card.indicators]
        found |= {path: text for item in items for path, text in prose.figures(item).items()}
    return {path: text for path, text in found.items() if text != GAP}


def _spaces(result: Result) -> dict[str, dict[str, str]]:
    """The figures of `_figures` as a template sees them: bound to their paths."""
    known = printed(result)
    return {
        space: {k: bound(f"{space}.{k}", t) if f"{space}.{k}" in known else t for k, t in m.items()}
        for space, m in _figures(result).items()
    }


def _date(text: str) -> date | None:
    match = re.fullmatch(r"(\d{4})年(\d{1,2})月(\d{1,2})日", text)
    return date(int(match[1]), int(match[2]), int(match[3])) if match else None


def _figures(result: Result) -> dict[str, dict[str, str]]:
    values = result.values
    found = {
        space: {
            k: plain(values[f"{space}.{k}"]) if f"{space}.{k}" in values else GAP for k in counts
        }
        | {k: prose.figure(values.get(f"{space}.{k}"), "%") for k in rates}
        for space, (counts, rates) in _FIGURES.items()
    }
    money = {k: values.get(f"funds.{k}") for k in _MONEY}
    found["funds"] |= {k: GAP if yuan is None else wan(yuan) for k, yuan in money.items()}
    first, last = money["initial"], money["budget"]
    change = "" if first is None or last is None or first == last else wan(abs(last - first))
    found["funds"]["change"] = (
        change and ("调增" if (last or 0) > (first or 0) else "调减") + change
    )
    return found


def _mapping(result: Result) -> str:
    """How answers became satisfaction: the mapping's name, with the weights that were used."""
    name = result.subject.get("survey_mapping") or GAP
    traces = [i.trace for i in result.score.indicators] if result.score else []
    uses = [p.value for t in traces for p in t.policies if p.key == "survey_mappings"]
    weights = uses[0].get(name) if uses and isinstance(uses[0], dict) else None
    said = "、".join(plain(Decimal(str(weight))) for weight in weights or ())
    said = said and f"（从“非常满意”到“非常不满意”依次赋{said}分）"
    return f"“{name}”口径{said}"


def _issue(row: Mapping[str, str]) -> dict[str, str]:
    """A problem with its sentences closed, its gaps marked, and the cells of the ledger."""
    lost = f"扣{fixed(Decimal(row['lost']))}分" if row["lost"] not in ("", "0") else ""
    mark = prose.evidence_mark(row["evidence"])
    filled = {key: row[key] or GAP for key in ("responsible", "deadline")}
    closed = {key: prose.sentence(row[key] or GAP) for key in ("fact", "cause", "advice")}
    cells = {
        "kind": (row["category"], "（严重）" if row["severe"] == "是" else ""),
        "problem": (prose.sentence(row["title"]), closed["fact"]),
        "ground": (row["rule"], mark),
        "effect": (row["indicator_names"], lost),
        "who": tuple(filled.values()),
    }
    joined = {key: "\n".join(filter(None, parts)) for key, parts in cells.items()}
    bare = {key: prose.bare(row[key]) for key in ("title", "rule")}
    return {**row, **filled, **closed, **bare, **joined, "mark": mark}


def _bases(card: Scorecard | None) -> list[str]:
    """Documents that the scoring rules rest on, each with the number of indicators."""
    found: dict[str, int] = {}
    for indicator in card.indicators if card else ():
        basis = indicator.trace.basis
        day = re.sub(r"(\d{4})-0?(\d{1,2})-0?(\d{1,2})", r"\1年\2月\3日", basis.dated)
        dated = f"（{day}）" if day else ""
        text = f"{basis.kind}《{basis.document.strip('《》')}》{dated}" if basis.document else GAP
        found[text] = found.get(text, 0) + 1
    return [f"{text}，{count}项指标的评分标准以此为依据。" for text, count in found.items()]


def _scores(card: Scorecard | None, issues: Rows) -> dict[str, Any]:
    """Fields under `score` and the analysis by level, as nested lists the template loops over."""
    if card is None:
        names = ("total", "rate", "grade", "grade_note", "points", "low", "high", "gaps",
                 "comparison", "adjustments")  # fmt: skip
        return {"score": dict.fromkeys(names, GAP), "parts": []}
    gaps = [i.level3 for i in card.indicators if i.gap]
    score = {
        **prose.shown(card), "grade_note": prose.sentence(card.grade_note),
        "gaps": f"{len(gaps)}项指标（{prose.listed(gaps)}）" if card.total is None else "",
        "comparison": prose.comparison(card), "adjustments": prose.adjustments(card),
    }  # fmt: skip
    tree: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for place, i in enumerate(card.indicators):
        text = prose.indicator_paragraphs(i, place, issues)
        title = f"{i.level3}（{prose.shown(i)['points']}分）"
        item = {"key": i.code, "title": title, "paragraphs": text}
        tree.setdefault(i.level1, {}).setdefault(i.level2, []).append(item)
    parts = []
    for group in card.level1():
        seconds = [{"name": name, "indicators": mine} for name, mine in tree[group.level1].items()]
        under = [i for i in card.indicators if i.level1 == group.level1]
        summary = prose.group_paragraph(group, under)
        parts.append({"name": f"项目{group.level1}情况", "summary": summary, "groups": seconds})
    return {"score": score, "parts": parts}


# --- tables and pictures --------------------------------------------------------------------


def _blocks(
    result: Result, figures: Mapping[str, Path], photos_dir: Path
) -> dict[str, Block | None]:
    rows: dict[str, Rows] = {**result.tables, "subject": _subject_rows(result.subject)}
    rows["issues"] = [_issue(row) for row in result.tables.get("issues", [])]
    if result.score:
        rows |= {"groups": _group_rows(result.score), "scores": _score_rows(result.score)}
    rows["adjustments"] = [
        {**row, **{k: fixed(Decimal(row[k])) for k in ("computed", "adjusted")}}
        for row in result.tables.get("adjustments", [])
    ]
    notes = {"funds": _funds_note(rows.get("funds", []))}
    funds = [{**row, **{k: row[k] or GAP for k in _MONEY[1:]}} for row in rows.get("funds", [])]
    whole = _spaces(result)["funds"]
    for row in funds[-1:]:  # the total is what the text says
        row.update({k: whole[k] for k in _MONEY if row.get(k)})
    rows["funds"] = funds
    specs = yaml.safe_load(
        asset("templates", f"{result.workflow}.yaml").read_text(encoding="utf-8")
    )
    blocks: dict[str, Block | None] = {}
    for name, spec in specs.items():
        mine = rows.get(spec["source"], [])
        columns = [Column(c[0], c[2], *c[3:]) for c in spec["columns"]]
        body = [[row.get(c[1], "") for c in spec["columns"]] for row in mine]
        keys = [row.get(spec["key"], "") for row in mine] if "key" in spec else []
        total = bool(mine) and "合计" in mine[-1].values()
        table = Table(spec["caption"], columns, body, spec.get("unit", ""),
                      notes.get(spec["source"], ""), spec.get("merge", 0), total, keys)  # fmt: skip
        blocks[name] = table if mine else None
    for name, title in TITLES.items():
        path = figures.get(name)
        blocks[f"fig_{name}"] = Figure(title, path, alt_text(name, result)) if path else None
    blocks["photos"] = _photos(result.tables.get("visits", []), photos_dir)
    return blocks


def _subject_rows(subject: Mapping[str, str]) -> Rows:
    term = "至".join(filter(None, (subject.get("start"), subject.get("end"))))
    known = {**subject, "term": term}
    return [{"label": k, "value": known[f]} for k, f in _SUBJECT.items() if known.get(f)]


def _funds_note(rows: Rows) -> str:
    notes = [f"{r['source']}：{prose.sentence(r['explanation'])}" for r in rows if r["explanation"]]
    for field in _MONEY:
        figures = [Decimal(row[field]) for row in rows if row[field]]
        if len(figures) > 1 and rounding_tail(figures[:-1], figures[-1]):
            return "".join([*notes, "因四舍五入存在尾差。"])
    return "".join(notes)


def _group_rows(card: Scorecard) -> Rows:
    whole = prose.shown(card)
    whole["score"] = whole["total"] if card.total is not None else f"暂计{_range(card)}"
    return [*({"level1": g.level1, **prose.shown(g)} for g in card.level1()),
            {"level1": "合计", **whole}]  # fmt: skip


def _range(card: Scorecard) -> str:
    return "{low}～{high}".format(**prose.shown(card))


def _score_rows(card: Scorecard) -> Rows:
    rows = [{"code": i.code, "level1": i.level1, "level2": i.level2, "level3": i.level3,
             "standard": prose.bare(i.standard) or GAP, "situation": prose.situation(i),
             "reason": prose.loss_reason(i), **prose.shown(i)}
            for i in card.indicators]  # fmt: skip
    known, whole = card.total is not None, prose.shown(card)
    return [*rows, {"level1": "合计", "points": whole["points"],
                    "situation": "" if known else f"总分暂计{_range(card)}分",
                    "score": whole["total"] if known else "暂计"}]  # fmt: skip


def _photos(rows: Rows, folder: Path) -> PhotoGrid | None:
    photos = []
    for row in rows:
        if not row["photo"]:
            continue
        try:
            path: Path | None = inside(folder, row["photo"])
        except (EvalkitError, OSError, ValueError):
            path = None
        about = (row["caption"] or row["place"], row["date"])
        photos.append(Photo("\n".join(filter(None, about)), path))
    return PhotoGrid(photos) if photos else None
