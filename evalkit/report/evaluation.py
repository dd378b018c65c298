"""What the template of an evaluation report is filled with: fields, sentences, tables, pictures.

Fields carry the names they have in result.json (``score.total``, ``funds.arrived``), so that a
template reads like the result. Money is printed in 万元 without its unit, rates with their sign.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from evalkit.core.model import Result, Scorecard
from evalkit.core.numbers import fixed, plain, rounding_tail, wan
from evalkit.core.paths import asset
from evalkit.core.problem import EvalkitError
from evalkit.core.store import inside
from evalkit.core.yaml_file import load_yaml
from evalkit.ooxml.bind import bound
from evalkit.ooxml.oxml import GAP
from evalkit.report import prose
from evalkit.report.figures import TITLES, alt_text
from evalkit.report.sheets import opened
from evalkit.template.build import load_style
from evalkit.word.blocks import Block, Column, Figure, Photo, PhotoGrid, Table

Rows = Sequence[Mapping[str, str]]

REQUIRED = ("score.total", "score.grade")  # a report without them says nothing
_MONEY = ("initial", "budget", "arrived", "spent")
_PRINT: dict[str, Callable[[Decimal], str]] = {
    "wan": wan, "count": plain, "score": fixed, "fine": partial(fixed, digits=3),
    "percent": lambda rate: prose.figure(rate, "%"),
}  # fmt: skip


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
    kind: str = prose.WORDS["titles"][result.workflow]
    kind = kind.removeprefix("项目") if result.name.endswith("项目") else kind
    stage = "" if result.stage == "终稿" else f"（{result.stage}）"
    mark = prose.mark_of(result)
    number = result.subject.get("report_no", "")
    optional = prose.WORDS["optional"]
    subject, texts = ({k: v or ("" if k in optional else GAP) for k, v in form.items()}
                      for form in (result.subject, result.texts))  # fmt: skip
    if "conclusion" in texts:
        texts["conclusion"] = prose.sentence(texts["conclusion"])
    header = "　".join(filter(None, (result.name + kind + stage, mark)))
    context = {
        "document": {
            "title": result.name + kind,
            "date": prose.report_date(result),
            "headings": profile.get("outline", {}).get(result.workflow, []),
            "author": result.subject.get("agency", ""),
            "subject": f"{result.name}（{result.code}）",
            "stage": result.stage,
        },
        "bound": {**printed(result), "document.header": header},
        "header": bound("document.header", header),
        "cover": {**prose.WORDS["covers"][result.workflow], "project": result.name, "kind": kind,
                  "stage": stage, "mark": mark,
                  "number": number and f"报告编号：{number}"},
        "subject": subject,
        "texts": texts,
        **_spaces(result),
        "has": {name: block is not None for name, block in blocks.items()}
        | {path.replace(".", "_"): path in result.values for path in prose.WORDS["figures"]},
        **(_evaluation(result) if result.score else
           {n: result.tables.get(n, []) for n in prose.WORDS["loops"].get(result.workflow, ())}),
    }  # fmt: skip
    return context, blocks


def _evaluation(result: Result) -> dict[str, Any]:
    """What only the report of a scored project says."""
    card = prose.card_of(result)
    issues, visits = (result.tables.get(name, []) for name in ("issues", "visits"))
    differing = [prose.bare(r["place"]) for r in visits
                 if r["difference"].strip("。 ") not in ("", "无", "一致", "无差异")]  # fmt: skip
    return {
        "samples": result.tables.get("samples", []),
        "visits": {"count": len(visits), "differing": len(differing),
                   "places": "、".join(differing)},
        "issues": [_issue(row) for row in issues],
        "problems": prose.numbered(row["title"] for row in issues),
        "advice": prose.numbered(row["advice"] for row in issues),
        "bases": _bases(card),
        "mapping": prose.said("mapping", card.indicators, result.subject.get("survey_mapping")),
        **_scores(card, issues),
    }  # fmt: skip


def printed(result: Result) -> dict[str, str]:
    """Every figure a report may bind, as printed, by its path in result.json.

    List items are named by their code: ``score.indicators.c201.score``.
    """
    card = prose.card_of(result)
    items: list[Any] = [card, *card.level1(), *card.indicators]
    scores = {path: text for item in items for path, text in prose.figures(item).items()}
    return {path: text for path, text in {**_figures(result), **scores}.items() if text != GAP}


def _figures(result: Result) -> dict[str, str]:
    """Every figure that is no score, as printed, by its path in result.json."""
    values = result.values
    return {path: _PRINT[kind](values[path]) if path in values else GAP
            for path, kind in prose.WORDS["figures"].items()}  # fmt: skip


def _spaces(result: Result) -> dict[str, dict[str, str]]:
    """These figures as a template sees them: bound to their paths; and how the budget changed."""
    found = defaultdict[str, dict[str, str]](dict)
    for path, text in _figures(result).items():
        space, _, name = path.partition(".")
        found[space][name] = text if text == GAP else bound(path, text)
    first, last = map(result.values.get, ("funds.initial", "funds.budget"))
    change = Decimal(0) if first is None or last is None else last - first
    said = ("调增" if change > 0 else "调减") + wan(abs(change))
    found["funds"]["change"] = said if change else ""
    return found


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


def _bases(card: Scorecard) -> list[str]:
    """Documents that the scoring rules rest on, each with the number of indicators."""
    found = Counter[str]()
    for indicator in card.indicators:
        basis = indicator.trace.basis
        day = re.sub(r"(\d{4})-0?(\d{1,2})-0?(\d{1,2})", r"\1年\2月\3日", basis.dated)
        dated = f"（{day}）" if day else ""
        text = f"{basis.kind}《{basis.document.strip('《》')}》{dated}" if basis.document else GAP
        found[text] += 1
    return [f"{text}，{count}项指标的评分标准以此为依据。" for text, count in found.items()]


def _scores(card: Scorecard, issues: Rows) -> dict[str, Any]:
    """Fields under `score` and the analysis by level, as nested lists the template loops over."""
    gaps = [i.level3 for i in card.indicators if i.gap]
    score = {
        **prose.shown(card), "grade_note": prose.sentence(card.grade_note),
        "gaps": f"{len(gaps)}项指标（{prose.listed(gaps)}）" if card.total is None else "",
        "comparison": prose.said("comparison", card.level1()),
        "adjustments": prose.said("adjustments", card.indicators),
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
        summary = prose.said("group", group.level1, prose.shown(group), under)
        parts.append({"name": f"项目{group.level1}情况", "summary": summary, "groups": seconds})
    return {"score": score, "parts": parts}


# --- tables and pictures --------------------------------------------------------------------


def _blocks(
    result: Result, figures: Mapping[str, Path], photos_dir: Path
) -> dict[str, Block | None]:
    rows: dict[str, Rows] = {**result.tables, "subject": _subject_rows(result.subject)}
    rows["issues"] = [_issue(row) for row in result.tables.get("issues", [])]
    card = prose.card_of(result)
    rows |= {"groups": _group_rows(card), "scores": _score_rows(card)}
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
    blocks = tables(result.workflow, rows, notes)
    for name, title in TITLES[result.workflow].items():
        path = figures.get(name)
        blocks[f"fig_{name}"] = Figure(title, path, alt_text(name, result)) if path else None
    blocks["photos"] = _photos(result.tables.get("visits", []), photos_dir)
    return blocks


@lru_cache(maxsize=8)
def _specs(path: Path, _mtime: int) -> Any:
    return load_yaml(path)


def tables(
    name: str, rows: Mapping[str, Rows], notes: Mapping[str, str] | None = None
) -> dict[str, Block | None]:
    """The tables that `templates/NAME.yaml` describes, by name; None where there are no rows.

    `rows` and `notes` are by source.
    """
    path, blocks = asset("templates", f"{name}.yaml"), dict[str, Block | None]()
    for table, spec in _specs(path, path.stat().st_mtime_ns).items():
        source = spec["source"]
        mine = rows.get(source, [])
        fields = [*opened(spec["columns"], mine)]
        columns = [Column(c[0], float(c[2]), *c[3:]) for c in fields]
        body = [[row.get(c[1], "") for c in fields] for row in mine]
        keys = [row.get(spec["key"], "") for row in mine] if "key" in spec else []
        total, merge = bool(mine) and "合计" in mine[-1].values(), int(spec.get("merge", 0))
        block = Table(spec["caption"], columns, body, spec.get("unit", ""),
                      (notes or {}).get(source, ""), merge, total, keys)  # fmt: skip
        blocks[table] = block if mine else None
    return blocks


def _subject_rows(subject: Mapping[str, str]) -> Rows:
    term = "至".join(filter(None, (subject.get("start"), subject.get("end"))))
    known = {**subject, "term": term}
    fields = prose.WORDS["subject"].items()
    return [{"label": label, "value": known[f]} for label, f in fields if known.get(f)]


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
    rows = [
        {**dict(i), **prose.shown(i), "standard": prose.bare(i.standard) or GAP,
         "situation": prose.situation(i), "reason": prose.said("loss_reason", i)}
        for i in card.indicators
    ]  # fmt: skip
    known, whole = card.total is not None, prose.shown(card)
    return [*rows, {"level1": "合计", "points": whole["points"],
                    "situation": "" if known else f"总分暂计{_range(card)}分",
                    "score": whole["total"] if known else "暂计"}]  # fmt: skip


def _photos(rows: Rows, folder: Path) -> PhotoGrid | None:
    photos = []
    for row in (row for row in rows if row["photo"]):
        path = None
        with suppress(EvalkitError, OSError, ValueError):
            path = inside(folder, row["photo"])
        about = (row["caption"] or row["place"], row["date"])
        photos.append(Photo("\n".join(filter(None, about)), path))
    return PhotoGrid(photos) if photos else None
