"""What a batch gives to be read: summary.xlsx, index.html, the notebooks' HTML, and its screen.

The summary is the whole list in one workbook, from result.json and checks.json alone; how its
sheets look stands in `params/books/summary.yaml`, here are their rows. Each HTML is one file that
asks the network for nothing.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from html import unescape
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from evalkit.batch.outcome import BOOKS, BatchOutcome, Job, Outcome
from evalkit.batch.status import RAN, spoken, time_left
from evalkit.core.model import Result
from evalkit.core.numbers import YUAN_PER, fixed, wan
from evalkit.core.problem import SEVERITY_NAMES
from evalkit.core.store import write_bytes
from evalkit.engine.notebook import ERROR_TAG, SILENT, Failure
from evalkit.report.sheets import read_book, write_book
from evalkit.verify.consistency import Finding, Review

PAGES = Environment(autoescape=select_autoescape(["html.j2"]), undefined=StrictUndefined)
PAGES.loader = PackageLoader("evalkit.batch", "pages")
PAGES.trim_blocks = PAGES.lstrip_blocks = True
PAGES.filters |= {"fixed": fixed, "wan": wan, "spoken": spoken}
_TAGS = "a abbr b blockquote br caption code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li"
_TAGS += " ol p pre s small span strong sub sup table tbody td tfoot th thead tr u ul"
_LINKS = {("img", "src"): "data:image/", ("a", "href"): "#"}  # how a link begins that stays here
_BARE_IMAGE = re.compile(r"<img(?![^>]*\salt=)")
_ENTITY = re.compile(r"&#(?:1[6-9]\d|[2-9]\d\d|[1-9]\d{3,4});")  # from 160: no markup
_DROPPED = re.compile(r"<(style|script)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)


_STYLES = {"完成": "green", "未变化": "dim", "失败": "bold red", "中断": "yellow"}
_LISTED = 500  # so many projects, problems or findings a front page bears
_Row = dict[str, Any]


def computed_total(result: Result) -> Decimal | None:
    """The total before people adjusted scores; None if nothing was adjusted or has gaps."""
    card = result.score
    if card is None or card.total is None:
        return None
    changes = [i.adjustment for i in card.indicators if i.adjustment]
    gained = sum((a.adjusted - a.computed for a in changes), Decimal(0))
    return card.total - gained if changes else None


PAGES.globals |= {"severity": SEVERITY_NAMES, "computed_total": computed_total, "ran": RAN}


def write_pages(folder: Path, outcomes: Iterable[Outcome]) -> None:
    """Read back what the projects of a list found; write summary.xlsx and index.html.

    Of one project after the other only what these show is kept.
    """
    review, kept = Review(), list[Outcome]()
    for outcome in outcomes:
        found = outcome.read_back()
        if found.result:
            review.add(found.job.title, found.result, found.file(found.job.report))
        kept.append(found.shown())
    findings = review.findings()
    write_summary(folder / "summary.xlsx", kept, findings)
    write_index(folder / "index.html", kept, findings)


def write_summary(path: Path, outcomes: Sequence[Outcome], findings: Iterable[Finding]) -> Path:
    """Write 汇总, 问题清单, 调分, 失败与警告, 一致性复核 and 运行用时.

    Returns the path really written.
    """
    book = read_book("summary")
    page = book["pages"]["汇总"]
    cards = [o.result.score for o in outcomes if o.result and o.result.score]
    levels = dict.fromkeys(f"{group.level1}得分" for card in cards for group in card.level1())
    page["columns"] += [[name, name, page["more"]] for name in levels]
    contents = {
        "汇总": [{**_found(o), **_who(o), "number": n} for n, o in enumerate(outcomes, 1)],
        "问题清单": [row | _who(o) for o in outcomes for row in _issues(o)],
        "调分": [row | _who(o) for o in outcomes for row in _adjusted(o)],
        "失败与警告": [row | _who(o) for o in outcomes for row in _trouble(o)],
        "一致性复核": [
            {**dict(f), "severity": SEVERITY_NAMES[f.severity], "projects": "\n".join(f.projects)}
            for f in findings
        ],
        "运行用时": [_times(o) | _who(o) for o in outcomes if o.stages],
    }
    return write_book(path, book, contents)


def _who(outcome: Outcome) -> _Row:
    return {"code": outcome.job.code, "name": outcome.job.name}


def _found(outcome: Outcome) -> _Row:
    result = outcome.result
    if result is None:
        return {"status": outcome.status}
    funds = {key: value / YUAN_PER["万元"] for key, value in result.values.items()}
    row = {
        **result.subject,
        "status": outcome.status,
        "budget": funds.get("funds.budget"),
        "spent": funds.get("funds.spent"),
        "execution": result.values.get("funds.budget_execution_rate"),
        "stage": result.stage,
        "issues": len(_issues(outcome)),
        "warnings": len(outcome.warnings),
        "missing": len(outcome.missing),
    }
    if (card := result.score) is None:
        return row
    tentative = f"暂计 {fixed(card.low)}–{fixed(card.high)}"
    return row | {
        "total": tentative if card.total is None else card.total,
        "computed": computed_total(result),
        "rate": card.rate,
        "grade": card.grade or "—",
        "adjusted": sum(bool(indicator.adjustment) for indicator in card.indicators),
        **{f"{group.level1}得分": group.score for group in card.level1()},
    }


def _issues(outcome: Outcome) -> list[_Row]:
    return outcome.result.tables.get("issues", []) if outcome.result else []


def _adjusted(outcome: Outcome) -> Iterator[_Row]:
    for i in outcome.indicators:
        if a := i.adjustment:
            yield {**dict(a), "level3": i.level3, "change": a.adjusted - a.computed}


def _trouble(outcome: Outcome) -> list[_Row]:
    failure, rows = outcome.failure, list[tuple[str, str, str, str]]()
    if failure:
        rows += ((outcome.status, failure.place, why, "改正后重新运行") for why in failure.lines)
    rows += (("提示", "", note, "") for note in outcome.notes)
    severities = list(SEVERITY_NAMES)
    for problem in sorted(outcome.problems, key=lambda p: severities.index(p.severity)):
        place = "｜".join(part for part in (problem.sheet, problem.cell) if part)
        rows.append((SEVERITY_NAMES[problem.severity], place, problem.what, problem.remedy))
    rows += (("待补充", "", name, "请补充后重新运行") for name in outcome.missing)
    return [dict(zip(("kind", "place", "what", "remedy"), row, strict=True)) for row in rows]


def _times(outcome: Outcome) -> _Row:
    """How long the run took that made what there is, and the longest of its stages."""
    total, longest = sum(s for _, s in outcome.stages), max(outcome.stages, key=itemgetter(1))
    each = "；".join(f"{name} {seconds:.1f}" for name, seconds in outcome.stages)
    facts = {"longest": longest[0], "seconds": round(longest[1], 1), "stages": each}
    return {"status": outcome.status, "total": round(total, 1), **facts}


def write_index(path: Path, outcomes: Sequence[Outcome], findings: Sequence[Finding]) -> Path:
    """Write the list's front page; returns the path really written."""
    script = PAGES.get_template("sort.js").render().encode()
    facts = {
        "outcomes": outcomes,
        "findings": findings,
        "links": {outcome.job.code: _links(outcome) for outcome in outcomes},
        "most": _LISTED,
        "script_hash": base64.b64encode(hashlib.sha256(script).digest()).decode(),
    }
    return write_bytes(path, PAGES.get_template("index.html.j2").render(facts).encode("utf-8"))


def _links(outcome: Outcome) -> list[tuple[str, str]]:
    """Relative, quoted links to report, working papers and the executed notebook."""
    names = [("报告", outcome.job.report), *((book[:2], book) for book in BOOKS)]
    names.append(("过程", f"{outcome.job.notebook.stem}.html"))
    files = ((label, outcome.file(name)) for label, name in names)
    root = outcome.folder.parent
    return [(label, quote(f.relative_to(root).as_posix())) for label, f in files if f]


def write_notebook(
    folder: Path, job: Job, node: Any, failure: Failure | None, shown: Path | None = None
) -> None:
    """Write the executed notebook and its HTML (code folded away) into a project's folder.

    If it will lie elsewhere in the end, in `shown`, both call the folder so.
    """
    import nbformat

    text = nbformat.writes(node)  # type: ignore[no-untyped-call]
    if shown:
        paths = [str(folder), str(shown)]
        for _ in range(3):  # in a text, in code, in code within a notebook
            text = text.replace(*paths)
            paths = [path.replace("\\", "\\\\") for path in paths]
        node = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    write_bytes(folder / job.notebook.name, (text + "\n").encode("utf-8"))
    cells = [cell for cell in node.cells if ERROR_TAG not in cell.metadata.get("tags", [])]
    body = _render()(nbformat.from_dict({**node, "cells": cells}))  # type: ignore[no-untyped-call]
    facts = {"job": job, "failure": failure, "body": Markup(body)}  # noqa: S704 sanitised
    html = PAGES.get_template("notebook.html.j2").render(facts)
    write_bytes(folder / f"{job.notebook.stem}.html", html.encode("utf-8"))


@cache
def _render() -> Callable[[Any], str]:
    """Makes a notebook HTML; once for all, as its templates take longer than a notebook.

    nbconvert's own last step, which parses all of it to find pictures without a description, would
    take as long again.
    """
    from nbconvert.exporters.html import HTMLExporter
    from nbconvert.exporters.templateexporter import TemplateExporter
    from nbconvert.filters import Highlight2HTML

    exporter = HTMLExporter(template_name="basic", sanitize_html=True, log=SILENT)  # type: ignore[no-untyped-call]
    exporter.register_filter("clean_html", _clean)  # type: ignore[no-untyped-call]
    exporter.register_filter("highlight_code", Highlight2HTML(pygments_lexer="ipython3"))  # type: ignore[no-untyped-call]

    def render(node: Any) -> str:
        body, _ = TemplateExporter.from_notebook_node(exporter, node)
        body = _ENTITY.sub(lambda match: unescape(match[0]), body)  # headings are full of them
        return _BARE_IMAGE.sub('<img alt="图"', body)

    return render


def _clean(html: str | bytes) -> str:
    """HTML from markdown and outputs with nothing that runs, styles, or leaves this file."""
    from bleach import clean  # type: ignore[import-untyped]

    text = _DROPPED.sub("", html.decode() if isinstance(html, bytes) else str(html))
    return str(clean(text, _TAGS.split(), _allowed, protocols=["data"], strip=True))


def _allowed(tag: str, name: str, value: str) -> bool:
    if begins := _LINKS.get((tag, name)):
        return value.startswith(begins)
    return name in ("class", "id", "colspan", "rowspan", "alt")


class Screen:
    """A line a finished project; on a terminal also the running ones with stage and time."""

    def __init__(self, console: Console | None = None) -> None:
        plain = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
        self.console = console or plain
        self.view = Progress(
            SpinnerColumn("line"), TextColumn("{task.description}", markup=False), BarColumn(24),
            TextColumn("{task.fields[stage]}", style="cyan", markup=False), TimeElapsedColumn(),
            console=self.console, transient=True, disable=not self.console.is_terminal,
        )  # fmt: skip
        self.tasks: dict[str, TaskID] = {}
        self.ran: list[float] = []  # the seconds of each project that has run

    def begin(self, total: int, at_once: int = 1, told: str = "") -> None:
        """Called once: projects to run, how many of them at once, and words on where."""
        self.at_once = at_once
        self.console.print("，".join(filter(None, (f"共 {total} 个项目", told))))
        self.view.add_task("全部项目", total=total, stage="")
        self.view.start()

    def stage(self, job: Job, stage: str) -> None:
        """Called, from worker threads, when a project reaches another heading of its notebook."""
        if job.code not in self.tasks:
            self.tasks[job.code] = self.view.add_task(job.name, total=None, stage="")
        self.view.update(self.tasks[job.code], stage=stage)

    def done(self, outcome: Outcome) -> None:
        """Called when a project has ended."""
        if outcome.job.code in self.tasks:
            self.view.remove_task(self.tasks.pop(outcome.job.code))
        whole = self.view.tasks[0]
        self.ran += [outcome.seconds] if outcome.status in RAN else []
        left = int((whole.total or 0) - whole.completed - 1)
        count = f"{whole.completed + 1:.0f}/{whole.total:.0f}"
        eta = f"预计还需 {spoken(time_left(self.ran, left, self.at_once))}" if left else ""
        self.view.update(whole.id, advance=1, stage=f"{count} {eta}")
        # the live view has it, too
        facts = {"outcome": outcome, "count": count}
        facts |= {"eta": eta} if self.ran and not self.console.is_terminal else {}
        line = PAGES.get_template("line.txt.j2").render(facts)
        self.console.print(line, style=_STYLES[outcome.status])
        for note in outcome.notes:
            self.console.print(f"      {note}", style="yellow")
        if whole.finished:
            self.view.stop()

    def end(self, batch: BatchOutcome) -> None:
        """Called once, at last: counts, each failure with cell and reason, where results are."""
        self.console.print(PAGES.get_template("end.txt.j2").render(batch=batch), end="")
