"""index.html and the notebooks' HTML: each one file that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evalkit.batch.consistency import review
from evalkit.batch.jobs import Job
from evalkit.batch.summary import PAPERS, REPORT, Entry, computed_total
from evalkit.core.numbers import fixed, wan
from evalkit.core.problem import SEVERITY_NAMES
from evalkit.core.store import write_bytes

if TYPE_CHECKING:
    from evalkit.batch.engine import Failure

_REMOTE = re.compile(r"""\s(?:src|href|data|poster|srcset)\s*=\s*(["'])\s*(?:\w+:)?//.*?\1""", re.I)


def write_index(path: Path, entries: Sequence[Entry]) -> Path:
    """Write the list's front page; returns the path really written."""
    failed = [e.outcome for e in entries if e.outcome.status in ("失败", "中断")]
    page = _environment().get_template("index.html.j2")
    script = _environment().get_template("sort.js").render()
    html = page.render(
        rows=[_row(number, entry, path.parent) for number, entry in enumerate(entries, 1)],
        failed=failed,
        findings=review(entries),
        entries=[e for e in entries if e.result],
        severity=SEVERITY_NAMES,
        script=Markup(script),  # noqa: S704 our own file, no data in it
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return write_bytes(path, html.encode("utf-8"))


def write_notebook(folder: Path, job: Job, node: Any, failure: Failure | None) -> None:
    """Write the executed notebook and its HTML (code folded away) into a project's folder."""
    import nbformat
    from nbconvert import HTMLExporter

    text = nbformat.writes(node)  # type: ignore[no-untyped-call]
    write_bytes(folder / job.notebook.name, (text + "\n").encode("utf-8"))
    exporter = HTMLExporter(template_name="basic", sanitize_html=True)
    body, _ = exporter.from_notebook_node(node)
    html = (
        _environment()
        .get_template("notebook.html.j2")
        .render(
            job=job,
            failure=failure,
            body=Markup(_REMOTE.sub("", body)),  # noqa: S704 sanitised
        )
    )
    write_bytes(folder / f"{job.notebook.stem}.html", html.encode("utf-8"))


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("evalkit.batch", "pages"), autoescape=True, undefined=StrictUndefined
    )


def _row(number: int, entry: Entry, root: Path) -> dict[str, Any]:
    outcome, result = entry.outcome, entry.result
    card = result.score if result else None
    subject = result.subject if result else {}
    computed = computed_total(result) if result else None
    score, sort = "", ""
    if card:
        score = (
            fixed(card.total) if card.total is not None else f"{fixed(card.low)}–{fixed(card.high)}"
        )
        sort = str(card.total if card.total is not None else card.low)
    budget = result.values.get("funds.budget") if result else None
    names = {"报告": REPORT, "底稿": PAPERS, "过程": f"{outcome.job.notebook.stem}.html"}
    return {
        "number": number,
        "job": outcome.job,
        "unit": subject.get("unit", ""),
        "budget": wan(budget) if budget is not None else "",
        "score": score,
        "sort": sort,
        "tentative": bool(card and card.total is None),
        "computed": fixed(computed) if computed is not None else "",
        "grade": card.grade if card else "",
        "grade_note": card.grade_note if card else "",
        "stage": result.stage if result else "",
        "issues": len(result.tables.get("issues", [])) if result else None,
        "warnings": len(entry.warnings),
        "missing": len(entry.missing),
        "status": outcome.status,
        "links": [
            (label, quote(file.relative_to(root).as_posix()))
            for label, name in names.items()
            if (file := entry.file(name))
        ],
    }
