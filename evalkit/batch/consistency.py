"""一致性复核: what only shows when the reports of a list lie side by side.

Four questions: is one indicator scored by one yardstick, do like facts earn like marks, was text
carried from one report to another, and does a report name another project or unit (串名).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from evalkit.batch.outcome import REPORT, Outcome
from evalkit.core.model import IndicatorScore, Result
from evalkit.core.numbers import fixed, plain
from evalkit.core.paths import asset
from evalkit.core.problem import EvalkitError, Severity, sentence

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

_K = TypeVar("_K")
_V = TypeVar("_V")


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
    indicators: Sequence[IndicatorScore]
    paragraphs: list[tuple[str, bool]]


def review(outcomes: Iterable[Outcome]) -> list[Finding]:
    """Compare the results and reports of a list; errors first."""
    reports, unreadable = [], []
    for outcome in outcomes:
        if outcome.result is None:
            continue
        title, path = outcome.job.title, outcome.file(REPORT)
        try:
            paragraphs = _paragraphs(path) if path else []
        except EvalkitError:
            paragraphs = []
            unreadable.append(_finding("文字比对", "", [title]))
        reports.append(_Report(title, outcome.result, outcome.indicators, paragraphs))
    questions = (_foreign_names, _yardsticks, _like_facts, _shared_text)
    found = [finding for question in questions for finding in question(reports)]
    return sorted([*found, *unreadable], key=lambda finding: finding.severity != "error")


def _finding(code: str, where: str, projects: Iterable[str], **facts: Any) -> Finding:
    """What sentences.yaml says under `code`, whose first part is the kind."""
    said = sentence(code, **facts)
    kind = code.partition(".")[0]
    return Finding(kind, said.severity, where, tuple(projects), said.what, said.remedy)


def _grouped(pairs: Iterable[tuple[_K, _V]]) -> dict[_K, list[_V]]:
    groups: dict[_K, list[_V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def _name(indicator: IndicatorScore) -> str:
    return f"{indicator.level1}／{indicator.level2}／{indicator.level3}"


def _yardsticks(reports: Sequence[_Report]) -> Iterator[Finding]:
    """The same third-level indicator with different rule, points or thresholds."""
    same = _grouped((_name(i), (report.title, i)) for report in reports for i in report.indicators)
    for name, group in same.items():
        for aspect, value_of in _ASPECTS.items():
            by_value = _grouped((value_of(i), title) for title, i in group if value_of(i))
            if len(by_value) > 1:
                titles = (title for titles in by_value.values() for title in titles)
                yield _finding(f"口径不一.{aspect}", name, titles, listed=_listed(by_value))
                if aspect == "计分规则":
                    break  # another rule has other parameters


def _parameters(indicator: IndicatorScore) -> str:
    """Targets and thresholds of a score, without dates, which differ by nature."""
    return "，".join(
        f"{entry.name} {entry.raw or entry.value}"
        for entry in indicator.trace.inputs
        if entry.cell.split("!")[0] in _PARAMETER_SHEETS
        and not entry.name.startswith(("实际", "分值", "计分规则"))
        and not _DATE.fullmatch(entry.value)
    )


_ASPECTS: dict[str, Callable[[IndicatorScore], str]] = {
    "分值": lambda i: plain(i.points),
    "计分规则": lambda i: i.trace.rule_name,
    "评分参数": _parameters,
}


def _like_facts(reports: Sequence[_Report]) -> Iterator[Finding]:
    """The same indicator, rule, target and actual value with different shares of the points.

    Where evaluation points were judged, the facts are which points are met and how far.
    """
    alike = _grouped(
        ((_name(i), i.trace.rule, i.target, i.actual, _judged(i)), (report.title, i))
        for report in reports
        for i in report.indicators
        if i.actual and i.score is not None and i.points
    )
    for (name, _, target, actual, _), group in alike.items():
        by_rate = _grouped((_rate(i), title) for title, i in group)
        if len({shown.split("（")[0] for shown in by_rate}) > 1:
            facts = f"目标值“{target}”、" if target else ""
            facts += f"完成情况“{actual}”"
            titles = (title for title, _ in group)
            yield _finding("同况异分", name, titles, facts=facts, listed=_listed(by_rate))


def _judged(indicator: IndicatorScore) -> str:
    return "；".join(f"{element.text}{element.met}" for element in indicator.elements)


def _rate(indicator: IndicatorScore) -> str:
    rate = Fraction(indicator.score or 0) / Fraction(indicator.points)
    return f"得分率 {fixed(rate * 100)}%" + ("（经调分）" if indicator.adjustment else "")


def _listed(by_value: dict[str, list[str]]) -> str:
    return "；".join(f"{value}（{'、'.join(titles)}）" for value, titles in by_value.items())


def _paragraphs(path: Path) -> list[tuple[str, bool]]:
    """Text of each paragraph of a report, and whether it stands in a table."""
    from docx.oxml.ns import qn

    from evalkit.ooxml.oxml import local_name, plain_text
    from evalkit.ooxml.package import open_document

    body = open_document(path).element.body
    return [(plain_text(p), local_name(p.getparent()) == "tc") for p in body.iter(qn("w:p"))]


def _normal(text: str) -> str:
    """Text without blanks and punctuation, so that light retouching still compares equal."""
    return re.sub(r"\W", "", unicodedata.normalize("NFKC", text))


def _shared_text(reports: Sequence[_Report]) -> Iterator[Finding]:
    """Paragraphs that some reports share although neither template nor traces wrote them."""
    found: list[tuple[str, tuple[str, str]]] = []
    for report in reports:
        generated = _generated(report)
        for text, in_table in report.paragraphs:
            key = _normal(text)
            if not (in_table or len(key) < SHORTEST or any(_carries(key, f) for f in generated)):
                found.append((key, (report.title, text)))
    for group in _grouped(found).values():
        titles, text = dict.fromkeys(title for title, _ in group), group[0][1]
        if len(titles) < 2 or (len(titles) == len(reports) and len(reports) > 2):
            continue  # what every report of a list says is a standing phrase
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "……"
        yield _finding("雷同段落", f"正文段落，{len(text)} 字", titles, text=shown)


def _carries(text: str, frame: tuple[str, ...]) -> bool:
    """True if the parts of a frame stand in the text, in order."""
    for part in frame:
        _, found, text = text.partition(part)
        if not found:
            return False
    return True


def _generated(report: _Report) -> list[tuple[str, ...]]:
    """What marks a paragraph as written by the template or from a score's trace.

    The template's are the fixed words of each of its paragraphs, between the places where values
    go.
    """
    frames: set[tuple[str, ...]] = {
        (_normal(text),)
        for i in report.indicators
        for text in (i.trace.measured, i.standard, i.finding, i.reason, str(i.trace.basis))
    }
    template = asset("templates", f"{report.result.workflow}.docx")
    for text, _ in _paragraphs(template) if template.is_file() else ():
        frames.add(tuple(filter(None, map(_normal, _JINJA.split(text)))))
    return [frame for frame in frames if sum(map(len, frame)) >= _FRAME]


def _foreign_names(reports: Sequence[_Report]) -> Iterator[Finding]:
    """串名: the name of another project or its unit in a report.

    Names are matched longest first, so a unit whose name contains another's is itself only. A
    name that the project's own forms carry (client, department, provider of evidence, unit that
    is to mend a problem) is no foreign name.
    """
    backwards = reversed(reports)  # so that the first report with a name owns it
    owners = {name: report.title for report in backwards for name in _titles(report.result)}
    for report in reports:
        known = _own(report.result)
        names = sorted({*owners, *known}, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, names)) or "(?!)")
        for text, _ in report.paragraphs:
            for match in pattern.finditer(text):
                if (name := match[0]) not in known:
                    known.add(name)  # one place of each is enough
                    where = f"……{text[max(match.start() - 15, 0) : match.end() + 15]}……"
                    yield _finding("串名", where, (report.title, owners[name]), name=name)


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
