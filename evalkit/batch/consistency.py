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
from zipfile import BadZipFile

from evalkit.core.model import IndicatorScore, Result
from evalkit.core.numbers import fixed, plain
from evalkit.core.paths import asset
from evalkit.core.problem import Severity

if TYPE_CHECKING:
    from evalkit.batch.summary import Entry

SHORTEST = 30  # characters of a paragraph worth comparing
SHORTEST_NAME = 4  # characters of a name worth looking for
_LONGEST_NAME = 60
_SHOWN = 80  # characters of a paragraph that are quoted
_FRAME = 10  # fixed characters that mark a paragraph as the template's
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


@dataclass(frozen=True)
class _Report:
    """One project's result and its report's paragraphs, each with whether a table holds it."""

    title: str
    result: Result
    workflow: str
    paragraphs: list[tuple[str, bool]]


def review(entries: Sequence[Entry]) -> list[Finding]:
    """Compare the results and reports of a list; errors first."""
    reports, unreadable = [], []
    for entry in entries:
        if entry.result is None:
            continue
        job, path = entry.outcome.job, entry.file("评价报告.docx")
        try:
            paragraphs = _paragraphs(path) if path else []
        except (OSError, ValueError, KeyError, BadZipFile):
            paragraphs = []
            what, remedy = "报告打不开，未作文字比对", "请检查文件，或删除后重新运行"
            unreadable.append(Finding("文字比对", "warning", "", (job.title,), what, remedy))
        reports.append(_Report(job.title, entry.result, job.notebook.stem, paragraphs))
    found = [
        *_foreign_names(reports),
        *_yardsticks(reports),
        *_like_facts(reports),
        *_shared_text(reports),
        *unreadable,
    ]
    return sorted(found, key=lambda finding: finding.severity != "error")


def _indicators(reports: Iterable[_Report]) -> Iterator[tuple[str, IndicatorScore]]:
    for report in reports:
        card = report.result.score
        for indicator in card.indicators if card else ():
            yield report.title, indicator


def _name(indicator: IndicatorScore) -> str:
    return f"{indicator.level1}／{indicator.level2}／{indicator.level3}"


def _yardsticks(reports: Sequence[_Report]) -> Iterator[Finding]:
    """The same third-level indicator with different rule, points or thresholds."""
    same: dict[str, list[tuple[str, IndicatorScore]]] = defaultdict(list)
    for title, indicator in _indicators(reports):
        same[_name(indicator)].append((title, indicator))
    for name, group in same.items():
        for aspect, value_of in (
            ("分值", lambda i: plain(i.points)),
            ("计分规则", lambda i: i.trace.rule_name),
            ("评分参数", _parameters),
        ):
            by_value: dict[str, list[str]] = defaultdict(list)
            for title, indicator in group:
                if value := value_of(indicator):
                    by_value[value].append(title)
            if len(by_value) < 2:
                continue
            severity: Severity = "note" if aspect == "分值" else "warning"
            titles = tuple(title for titles in by_value.values() for title in titles)
            what = f"同名三级指标的{aspect}不同：{_listed(by_value)}"
            remedy = "请核对各项目实施方案；确有理由的在报告中说明"
            yield Finding("口径不一", severity, name, titles, what, remedy)
            if aspect == "计分规则":
                break  # another rule has other parameters


def _parameters(indicator: IndicatorScore) -> str:
    """Targets and thresholds of a score, without dates, which differ by nature."""
    named = [
        f"{entry.name} {entry.raw or entry.value}"
        for entry in indicator.trace.inputs
        if entry.cell.split("!")[0] in _PARAMETER_SHEETS
        and not entry.name.startswith(("实际", "分值", "计分规则"))
        and not _DATE.fullmatch(entry.value)
    ]
    return "，".join(named)


def _like_facts(reports: Sequence[_Report]) -> Iterator[Finding]:
    """The same indicator, rule, target and actual value with different shares of the points.

    Where evaluation points were judged, the facts are which points are met and how far.
    """
    alike: dict[tuple[str, ...], list[tuple[str, IndicatorScore]]] = defaultdict(list)
    for title, i in _indicators(reports):
        if i.actual and i.score is not None and i.points:
            judged = "；".join(f"{e.text}{e.met}" for e in i.elements)
            alike[_name(i), i.trace.rule, i.target, i.actual, judged].append((title, i))
    for (name, _, target, actual, _), group in alike.items():
        by_rate: dict[str, list[str]] = defaultdict(list)
        for title, i in group:
            rate = fixed(Fraction(i.score or Decimal(0)) / Fraction(i.points) * 100)
            by_rate[f"得分率 {rate}%" + ("（经调分）" if i.adjustment else "")].append(title)
        if len({shown.split("（")[0] for shown in by_rate}) > 1:
            facts = f"目标值“{target}”、" if target else ""
            what = f"{facts}完成情况“{actual}”相同而得分率不同：{_listed(by_rate)}"
            titles = tuple(title for title, _ in group)
            remedy = "请核对扣分理由，统一尺度或说明差别"
            yield Finding("同况异分", "warning", name, titles, what, remedy)


def _listed(by_value: dict[str, list[str]]) -> str:
    return "；".join(f"{value}（{'、'.join(titles)}）" for value, titles in by_value.items())


def _paragraphs(path: Path) -> list[tuple[str, bool]]:
    """Text of each paragraph of a report, and whether it stands in a table."""
    import docx
    from docx.opc.exceptions import OpcError

    try:
        body = docx.Document(str(path)).element.body
    except OpcError as error:
        raise OSError(str(error)) from None
    return [
        ("".join(t.text or "" for t in p.iter(f"{_W}t")), p.getparent().tag == f"{_W}tc")
        for p in body.iter(f"{_W}p")
    ]


def _normal(text: str) -> str:
    """Text without blanks and punctuation, so that light retouching still compares equal."""
    return re.sub(r"\W", "", unicodedata.normalize("NFKC", text))


def _shared_text(reports: Sequence[_Report]) -> Iterator[Finding]:
    """Paragraphs that some reports share although neither template nor traces wrote them."""
    holders: dict[str, list[str]] = defaultdict(list)
    originals: dict[str, str] = {}
    for report in reports:
        own = _generated(report)
        for text in {text for text, in_table in report.paragraphs if not in_table}:
            key = _normal(text)
            if len(key) >= SHORTEST and not any(_carries(key, frame) for frame in own):
                originals.setdefault(key, text)
                if report.title not in holders[key]:
                    holders[key].append(report.title)
    for key, titles in holders.items():
        if len(titles) < 2 or (len(titles) == len(reports) and len(reports) > 2):
            continue  # what every report of a list says is a standing phrase
        text = originals[key]
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "……"
        remedy = "请核实是否照搬，按各项目实际改写"
        where = f"正文段落，{len(text)} 字"
        yield Finding("雷同段落", "warning", where, tuple(titles), shown, remedy)


def _carries(text: str, frame: tuple[str, ...]) -> bool:
    """True if the parts of a frame stand in the text, in order."""
    start = 0
    for part in frame:
        found = text.find(part, start)
        if found < 0:
            return False
        start = found + len(part)
    return True


def _generated(report: _Report) -> set[tuple[str, ...]]:
    """What marks a paragraph as written by the template or from a score's trace."""
    card = report.result.score
    traced = {
        (_normal(text),)
        for i in (card.indicators if card else ())
        for text in (i.trace.measured, i.standard, i.finding, i.reason, str(i.trace.basis))
    }
    frames = traced | _frames(asset("templates", f"{report.workflow}.docx"))
    return {frame for frame in frames if sum(map(len, frame)) >= _FRAME}


def _frames(template: Path) -> set[tuple[str, ...]]:
    """The fixed words of each template paragraph, between the places where values go."""
    if not template.is_file():
        return set()
    texts = [text for text, _ in _paragraphs(template)]
    return {tuple(filter(None, map(_normal, _JINJA.split(text)))) for text in texts}


def _foreign_names(reports: Sequence[_Report]) -> Iterator[Finding]:
    """串名: the name of another project or its unit in a report.

    Names are matched longest first, so a unit whose name contains another's is itself only. A
    name that the project's own forms carry (client, department, provider of evidence, unit that
    is to mend a problem) is no foreign name.
    """
    owners: dict[str, str] = {}
    for report in reports:
        for name in _titles(report.result):
            owners.setdefault(name, report.title)
    for report in reports:
        own = _own(report.result)
        names = sorted({*owners, *own}, key=len, reverse=True)
        if not names:
            continue
        pattern = re.compile("|".join(map(re.escape, names)))
        hits: dict[str, str] = {}
        for text, _ in report.paragraphs:
            for match in pattern.finditer(text):
                if match[0] not in own:
                    start = max(match.start() - 15, 0)
                    hits.setdefault(match[0], text[start : match.end() + 15])
        for name, context in hits.items():
            what = f"报告中出现了别的项目的名称或单位“{name}”"
            remedy = "请改正；确需提及的，请写入该项目底稿的单位或佐证栏"
            titles = (report.title, owners[name])
            yield Finding("串名", "error", f"……{context}……", titles, what, remedy)


def _titles(result: Result) -> set[str]:
    """Names that belong to a project: its name and its implementing units."""
    units = _SPLIT.split(result.subject.get("unit", ""))
    names = {result.name, *(unit.strip() for unit in units)}
    return {name for name in names if len(name) >= SHORTEST_NAME}


def _own(result: Result) -> set[str]:
    """Names that may stand in a project's report: all that its forms carry as names."""
    values = [*result.subject.values(), result.name]
    for table, column in _NAMING.items():
        values += [row.get(column, "") for row in result.tables.get(table, [])]
    names = {part.strip() for value in values for part in (value, *_SPLIT.split(value))}
    return {name for name in names if SHORTEST_NAME <= len(name) <= _LONGEST_NAME}
