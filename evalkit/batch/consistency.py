"""一致性复核: what only shows when the reports of a list lie side by side.

Four questions: is one indicator scored by one yardstick, do like facts earn like marks, was text
carried from one report to another, and does a report name another project or unit (串名).
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.core.model import IndicatorScore
from evalkit.core.numbers import fixed, plain
from evalkit.core.paths import asset
from evalkit.core.problem import Severity

if TYPE_CHECKING:
    from evalkit.batch.summary import Entry

SHORTEST = 30  # characters of a paragraph worth comparing
SHORTEST_NAME = 4  # characters of a name worth looking for
_FRAME = 10  # fixed characters that mark a paragraph as the template's
_ANY = ".*"
_PARAMETER_SHEETS = ("指标", "分档")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_JINJA = re.compile(r"\{[{%#].*?[}%#]\}")
_SPLIT = re.compile(r"[、，,；;\n]")
_NAMING = {"issues": "responsible", "evidence": "provider", "funds": "document"}
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@dataclass(frozen=True)
class Finding:
    """One thing to look at, with the projects it concerns."""

    kind: str
    severity: Severity
    where: str
    projects: tuple[str, ...]
    what: str
    remedy: str


def review(entries: Sequence[Entry]) -> list[Finding]:
    """Compare the results and reports of a list; errors first."""
    scored = [entry for entry in entries if entry.result]
    reports = {entry.title: _paragraphs(path) for entry in scored if (path := _report(entry))}
    found = [
        *_foreign_names(scored, reports),
        *_yardsticks(scored),
        *_like_facts(scored),
        *_shared_text(scored, reports),
    ]
    return sorted(found, key=lambda finding: finding.severity != "error")


def _report(entry: Entry) -> Path | None:
    return entry.file("评价报告.docx")


def _indicators(entries: Iterable[Entry]) -> Iterator[tuple[str, IndicatorScore]]:
    for entry in entries:
        card = entry.result.score if entry.result else None
        for indicator in card.indicators if card else ():
            yield entry.title, indicator


def _name(indicator: IndicatorScore) -> str:
    return f"{indicator.level1}／{indicator.level2}／{indicator.level3}"


def _yardsticks(entries: Sequence[Entry]) -> Iterator[Finding]:
    """The same third-level indicator with different rule, points or thresholds."""
    same: dict[str, list[tuple[str, IndicatorScore]]] = defaultdict(list)
    for title, indicator in _indicators(entries):
        same[_name(indicator)].append((title, indicator))
    for name, group in same.items():
        for aspect, value_of in (
            ("计分规则", lambda i: i.trace.rule_name),
            ("分值", lambda i: plain(i.points)),
            ("评分参数", _parameters),
        ):
            by_value: dict[str, list[str]] = defaultdict(list)
            for title, indicator in group:
                if value := value_of(indicator):
                    by_value[value].append(title)
            if len(by_value) < 2 or (
                aspect == "评分参数" and len({i.trace.rule for _, i in group}) > 1
            ):
                continue
            yield Finding(
                "口径不一",
                "note" if aspect == "分值" else "warning",
                name,
                tuple(title for titles in by_value.values() for title in titles),
                f"同名三级指标的{aspect}不同：{_listed(by_value)}",
                "请核对各项目实施方案；确有理由的在报告中说明",
            )


def _parameters(indicator: IndicatorScore) -> str:
    """Targets and thresholds of a score, without dates, which differ by nature."""
    named = [
        f"{entry.name} {entry.raw or entry.value}"
        for entry in indicator.trace.inputs
        if entry.cell.split("!")[0] in _PARAMETER_SHEETS
        and not entry.name.startswith(("实际", "分值"))
        and not _DATE.fullmatch(entry.value)
    ]
    return "，".join(named)


def _like_facts(entries: Sequence[Entry]) -> Iterator[Finding]:
    """The same indicator, rule, target and actual value with different shares of the points."""
    alike: dict[tuple[str, ...], list[tuple[str, IndicatorScore]]] = defaultdict(list)
    for title, i in _indicators(entries):
        if i.actual and i.score is not None and i.points:
            alike[_name(i), i.trace.rule, i.target, i.actual].append((title, i))
    for (name, _, target, actual), group in alike.items():
        by_rate: dict[str, list[str]] = defaultdict(list)
        for title, i in group:
            rate = fixed(Fraction(i.score or Decimal(0)) / Fraction(i.points) * 100)
            by_rate[f"得分率 {rate}%" + ("（经调分）" if i.adjustment else "")].append(title)
        if len({shown.split("（")[0] for shown in by_rate}) > 1:
            yield Finding(
                "同况异分",
                "warning",
                name,
                tuple(title for title, _ in group),
                f"目标值“{target}”、完成情况“{actual}”相同而得分率不同：{_listed(by_rate)}",
                "请核对扣分理由，统一尺度或说明差别",
            )


def _listed(by_value: dict[str, list[str]]) -> str:
    return "；".join(f"{value}（{'、'.join(titles)}）" for value, titles in by_value.items())


def _paragraphs(path: Path) -> list[tuple[str, bool]]:
    """Text of each paragraph of a report, and whether it stands in a table."""
    import docx

    body = docx.Document(str(path)).element.body
    return [
        ("".join(t.text or "" for t in p.iter(f"{_W}t")), p.getparent().tag == f"{_W}tc")
        for p in body.iter(f"{_W}p")
    ]


def _normal(text: str) -> str:
    """Text without blanks and punctuation, so that light retouching still compares equal."""
    return re.sub(r"\W", "", unicodedata.normalize("NFKC", text))


def _shared_text(
    entries: Sequence[Entry], reports: dict[str, list[tuple[str, bool]]]
) -> Iterator[Finding]:
    """Paragraphs that some reports share although neither template nor traces wrote them."""
    holders: dict[str, list[str]] = defaultdict(list)
    originals: dict[str, str] = {}
    for entry in entries:
        own = _generated(entry)
        for text in {t for t, in_table in reports.get(entry.title, []) if not in_table}:
            key = _normal(text)
            if len(key) >= SHORTEST and not any(pattern.search(key) for pattern in own):
                originals.setdefault(key, text)
                if entry.title not in holders[key]:
                    holders[key].append(entry.title)
    for key, titles in holders.items():
        if len(titles) < 2 or (len(titles) == len(reports) and len(reports) > 2):
            continue  # what every report of a list says is a standing phrase
        yield Finding(
            "雷同段落",
            "warning",
            f"{len(originals[key])} 字",
            tuple(titles),
            _short(originals[key], 80),
            "请核实是否照搬，按各项目实际改写",
        )


def _generated(entry: Entry) -> list[re.Pattern[str]]:
    """What marks a paragraph as written by the template or from a score's trace."""
    assert entry.result is not None
    frames = _frames(asset("templates", f"{entry.outcome.job.notebook.stem}.docx"))
    card = entry.result.score
    traced = {
        _normal(text)
        for i in (card.indicators if card else ())
        for text in (i.trace.measured, i.standard, i.finding, i.reason)
    }
    return [*frames, *(re.compile(re.escape(text)) for text in traced if len(text) >= _FRAME)]


def _frames(template: Path) -> list[re.Pattern[str]]:
    """The fixed words of each template paragraph, with anything where a value goes."""
    if not template.is_file():
        return []
    patterns = []
    for text, _ in _paragraphs(template):
        fixed_parts = [re.escape(_normal(part)) for part in _JINJA.split(text)]
        if sum(map(len, fixed_parts)) >= _FRAME:
            patterns.append(re.compile(_ANY.join(fixed_parts)))
    return patterns


def _foreign_names(
    entries: Sequence[Entry], reports: dict[str, list[tuple[str, bool]]]
) -> Iterator[Finding]:
    """串名: the name of another project or its unit in a report.

    Names are matched longest first, so a unit whose name contains another's is itself only. A
    name that the project's own forms carry (client, department, provider of evidence, unit that
    is to mend a problem) is no foreign name.
    """
    theirs: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        for name in _titles(entry):
            theirs[name].append(entry.title)
    for entry in entries:
        own = _own(entry)
        names = sorted({*theirs, *own}, key=len, reverse=True)
        if not names or entry.title not in reports:
            continue
        pattern = re.compile("|".join(map(re.escape, names)))
        hits: dict[str, str] = {}
        for text, _ in reports[entry.title]:
            for match in pattern.finditer(text):
                if match[0] not in own:
                    start = max(match.start() - 15, 0)
                    hits.setdefault(match[0], text[start : match.end() + 15])
        for name, context in hits.items():
            owner = next(title for title in theirs[name] if title != entry.title)
            yield Finding(
                "串名",
                "error",
                f"……{context}……",
                (entry.title, owner),
                f"报告中出现了别的项目的名称或单位“{name}”",
                "请改正；确需提及的，请写入该项目底稿的单位或佐证栏",
            )


def _titles(entry: Entry) -> set[str]:
    """Names that belong to a project: its name and its implementing units."""
    assert entry.result is not None
    units = _SPLIT.split(entry.result.subject.get("unit", ""))
    names = {entry.result.name, *(unit.strip() for unit in units)}
    return {name for name in names if len(name) >= SHORTEST_NAME}


def _own(entry: Entry) -> set[str]:
    """Names that may stand in a project's report: all that its forms carry as names."""
    assert entry.result is not None
    values = [*entry.result.subject.values(), entry.result.name]
    for table, column in _NAMING.items():
        values += [row.get(column, "") for row in entry.result.tables.get(table, [])]
    names = {part.strip() for value in values for part in (value, *_SPLIT.split(value))}
    return {name for name in names if SHORTEST_NAME <= len(name) <= SHORTEST * 2}


def _short(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "……"
