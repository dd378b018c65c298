"""一致性复核: what only shows when the reports of a list lie side by side.

Four questions: is one indicator scored by one yardstick, do like facts earn like marks, was text
carried from one report to another, and does a report name another project or unit (串名).
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate
from fractions import Fraction
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from docx.oxml.ns import qn

from evalkit.core.model import IndicatorScore, Result
from evalkit.core.numbers import fixed, plain
from evalkit.core.paths import asset
from evalkit.core.problem import EvalkitError, Problem, sentence
from evalkit.ooxml.oxml import plain_text
from evalkit.ooxml.package import open_body

SHORTEST = 30  # characters of a paragraph worth comparing
_LEAST = 4
_NAME = range(_LEAST, 101)  # characters of a name worth looking for
_NAMED = 20  # projects, or answers, of a finding that are named
_AROUND = 15  # characters on each side of a name that are quoted
_SHOWN = 80  # characters of a paragraph that are quoted
_FRAME = 10  # fixed characters that mark a paragraph as the template's
_ADJUSTED = "（经调分）"  # said with a rate, but no difference
_PARAMETER_SHEETS = ("指标", "分档")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_JINJA = re.compile(r"\{[{%#].*?[}%#]\}")
_SPLIT = re.compile(r"[、，,；;\n]")
_NAMING = {"issues": "responsible", "evidence": "provider", "funds": "document"}


class Finding(Problem):
    """One thing to look at, with the projects it concerns."""

    kind: str
    where: str
    projects: tuple[str, ...]


class _Report(NamedTuple):
    """What of one project is looked at when all are known: the names it may bear, its text."""

    title: str
    known: frozenset[str]
    text: str  # a line a paragraph


class Review:
    """The comparison of a list whose results are brought one by one, and need not be kept.

    It takes time and room in proportion to the list.
    """

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._reports: list[_Report] = []
        # by what is asked the answers, and by what is written where it stands, with their titles
        self._answers: dict[tuple[str, ...], defaultdict[str, list[str]]] = {}
        self._texts: dict[str, tuple[str, list[str]]] = {}
        self._owners: dict[str, str] = {}
        self._frames: dict[str, re.Pattern[str]] = {}

    def add(self, title: str, result: Result, report: Path | None) -> None:
        """Take what is to be compared of a project, called `title` in what is found."""
        try:
            paragraphs = _paragraphs(report) if report else []
        except EvalkitError:
            paragraphs = []
            self._found.append(_finding("文字比对", "", [title]))
        indicators = result.score.indicators if result.score else ()
        for *question, answer in chain(*map(_answers, indicators)):
            if answer:
                answers = self._answers.setdefault(tuple(question), defaultdict(list))
                answers[answer].append(title)
        if result.workflow not in self._frames:
            self._frames[result.workflow] = _frames(result.workflow)
        for key, text in _written(indicators, paragraphs, self._frames[result.workflow]):
            self._texts.setdefault(key, (text, []))[1].append(title)
        for name in (result.name, *_SPLIT.split(result.subject.get("unit", ""))):
            self._owners.setdefault(name.strip(), title)
        text = "\n".join(text for text, _ in paragraphs)
        self._reports.append(_Report(title, _own_names(result), text))

    def findings(self) -> list[Finding]:
        """What shows when all are side by side; errors first, then by kind."""
        found = [*self._found, *self._unlike_marks(), *self._shared_text()]
        for report in self._reports:
            found += self._foreign_names(report)
        return sorted(found, key=lambda finding: (finding.severity != "error", finding.kind))

    def _unlike_marks(self) -> Iterator[Finding]:
        """The same third-level indicator with another yardstick, or another mark for like facts."""
        for (code, name, facts, _), answers in self._answers.items():
            if len({answer.removesuffix(_ADJUSTED) for answer in answers}) > 1:
                listed = [f"{answer}（{_some(of)}）" for answer, of in answers.items()]
                projects = chain(*answers.values())
                yield _finding(code, name, projects, facts=facts, listed=_some(listed, "；", "种"))

    def _shared_text(self) -> Iterator[Finding]:
        """Paragraphs that some reports share although neither template nor traces wrote them."""
        for text, titles in self._texts.values():
            if len(titles) < 2 or len(titles) == len(self._reports) > 2:
                continue  # what every report of a list says is a standing phrase
            shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "……"
            yield _finding("雷同段落", f"正文段落，{len(text)} 字", titles, text=shown)

    def _foreign_names(self, report: _Report) -> Iterator[Finding]:
        """串名: the name of another project or its unit in a report.

        Names are matched longest first, so a unit whose name contains another's is itself only.
        A name that the project's own forms carry (client, department, provider of evidence, unit
        that is to mend a problem) is no foreign name.
        """
        known, text = set(report.known), report.text
        begun = {text[at : at + _LEAST] for at in range(len(text))}  # what could begin a name
        near = [n for b in begun & self._starts.keys() for n in self._starts[b] if n in text]
        if known.issuperset(near):
            return
        names = {*near, *(name for name in known if len(name) in _NAME)}
        pattern = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        for match in re.finditer(pattern, text):
            if (name := match[0]) not in known:
                known.add(name)  # one place of each is enough
                before = text[: match.start()].rpartition("\n")[2][-_AROUND:]
                after = text[match.end() :].partition("\n")[0][:_AROUND]
                where = f"……{before}{name}{after}……"
                yield _finding("串名", where, (report.title, self._owners[name]), name=name)

    @cached_property
    def _starts(self) -> dict[str, list[str]]:
        """The names worth looking for, by how they begin."""
        found = defaultdict[str, list[str]](list)
        for name in self._owners:
            if len(name) in _NAME:
                found[name[:_LEAST]].append(name)
        return found


def _own_names(result: Result) -> frozenset[str]:
    """The names that a project's forms carry."""
    forms = [result.name, *result.subject.values()]
    for table, column in _NAMING.items():
        forms += (row.get(column, "") for row in result.tables.get(table, []))
    return frozenset(part.strip() for text in forms for part in (text, *_SPLIT.split(text)))


def _some(texts: Sequence[str], comma: str = "、", of: str = "个项目") -> str:
    """The first of many, and how many they are."""
    more = f"等 {len(texts)} {of}" if len(texts) > _NAMED else ""
    return comma.join(texts[:_NAMED]) + more


def _finding(code: str, where: str, projects: Iterable[str], **facts: Any) -> Finding:
    """What sentences.yaml says under `code`, whose first part is the kind."""
    said, titles = dict(sentence(code, **facts)), list(projects)
    named = titles if len(titles) <= _NAMED else [_some(titles)]
    return Finding(kind=code.partition(".")[0], where=where, projects=tuple(named), **said)


def _answers(i: IndicatorScore) -> Iterator[tuple[str, str, str, str, str]]:
    """What is asked (code, indicator, facts to be told, what else is alike) and the answer.

    Parameters are compared where the rule is the same. Where evaluation points were judged, the
    facts are which points are met and how far.
    """
    name, rule = f"{i.level1}／{i.level2}／{i.level3}", i.trace.rule_name
    yield "口径不一.分值", name, "", "", plain(i.points)
    yield "口径不一.计分规则", name, "", "", rule
    yield "口径不一.评分参数", name, "", rule, _parameters(i)
    if i.actual and i.score is not None and i.points:
        facts = (f"目标值“{i.target}”、" if i.target else "") + f"完成情况“{i.actual}”"
        judged = "；".join(f"{element.text}{element.met}" for element in i.elements)
        rate = f"得分率 {fixed(Fraction(i.score) / Fraction(i.points) * 100)}%"
        yield "同况异分", name, facts, rule + judged, rate + _ADJUSTED * bool(i.adjustment)


def _parameters(indicator: IndicatorScore) -> str:
    """Targets and thresholds of a score, without dates, which differ by nature."""
    return "，".join(
        f"{entry.name} {entry.raw or entry.value}"
        for entry in indicator.trace.inputs
        if entry.cell.split("!")[0] in _PARAMETER_SHEETS
        and not entry.name.startswith(("实际", "分值", "计分规则"))
        and not _DATE.fullmatch(entry.value)
    )


def _paragraphs(path: Path) -> list[tuple[str, bool]]:
    """Text of each paragraph of a report, and whether it stands in a table."""
    body = open_body(path)
    return [(plain_text(p), p.getparent().tag == qn("w:tc")) for p in body.iter(qn("w:p"))]


def _normal(text: str) -> str:
    """Text without blanks and punctuation, so that light retouching still compares equal."""
    return re.sub(r"[^\w*]", "", unicodedata.normalize("NFKC", text))


def _written(
    indicators: Iterable[IndicatorScore],
    paragraphs: Iterable[tuple[str, bool]],
    frames: re.Pattern[str],
) -> Iterator[tuple[str, str]]:
    """Each long paragraph that a person wrote: how it compares, and its text.

    Neither a frame of the template nor a score's trace is in it.
    """
    texts, seen = list[str](), set[str]()
    for i in indicators:
        texts += i.trace.measured, i.standard, i.finding, i.reason, str(i.trace.basis)
    traced = [text for text in {_normal(text) for text in texts} if len(text) >= _FRAME]
    for text, in_table in paragraphs:
        key = "" if in_table or len(text) < SHORTEST else _normal(text)
        if len(key) < SHORTEST or key in seen or any(said in key for said in traced):
            continue
        seen.add(key)
        if not frames.match(key):
            yield key, text


def _frames(workflow: str) -> re.Pattern[str]:
    """What marks a paragraph as written by the template: the fixed words of one of its own.

    Where values go may be anything.
    """
    template = asset("templates", f"{workflow}.docx")
    texts = [_JINJA.sub("*", t) for t, _ in _paragraphs(template)] if template.is_file() else []
    frames = {f"*{_normal(text)}*" for text in texts}
    long = (translate(frame) for frame in frames if len(frame.replace("*", "")) >= _FRAME)
    return re.compile("|".join(long) or "(?!)")
