"""index.html and the notebooks' HTML: each one file that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evalkit.batch.consistency import Finding
from evalkit.batch.jobs import Job
from evalkit.batch.outcome import ERROR_TAG, PAPERS, REPORT, Failure, Outcome
from evalkit.batch.summary import computed_total
from evalkit.core.numbers import fixed, wan
from evalkit.core.problem import SEVERITY_NAMES
from evalkit.core.store import write_bytes

_TAGS = "a abbr b blockquote br caption code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li"
_TAGS += " ol p pre s small span strong sub sup table tbody td tfoot th thead tr u ul"
_DROPPED = re.compile(r"<(style|script)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)

SILENT = logging.getLogger(__name__)
SILENT.disabled = True  # for nbconvert's warnings to developers, and nbclient's: `Failure` says all


def write_index(path: Path, outcomes: Sequence[Outcome], findings: Sequence[Finding]) -> Path:
    """Write the list's front page; returns the path really written."""
    pages = _environment()
    script = pages.get_template("sort.js").render()
    html = pages.get_template("index.html.j2").render(
        outcomes=outcomes,
        findings=findings,
        links={outcome.job.code: _links(outcome, path.parent) for outcome in outcomes},
        severity=SEVERITY_NAMES,
        computed_total=computed_total,
        script=Markup(script),  # noqa: S704 our own file, no data in it
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return write_bytes(path, html.encode("utf-8"))


def _links(outcome: Outcome, root: Path) -> list[tuple[str, str]]:
    """Relative, quoted links to report, working papers and the executed notebook."""
    names = {"报告": REPORT, "底稿": PAPERS, "过程": f"{outcome.job.notebook.stem}.html"}
    files = ((label, outcome.file(name)) for label, name in names.items())
    return [(label, quote(f.relative_to(root).as_posix())) for label, f in files if f]


def write_notebook(folder: Path, job: Job, node: Any, failure: Failure | None) -> None:
    """Write the executed notebook and its HTML (code folded away) into a project's folder."""
    import nbformat
    from nbconvert import HTMLExporter

    text = nbformat.writes(node)  # type: ignore[no-untyped-call]
    write_bytes(folder / job.notebook.name, (text + "\n").encode("utf-8"))
    exporter = HTMLExporter(template_name="basic", sanitize_html=True, log=SILENT)  # type: ignore[no-untyped-call]
    exporter.register_filter("clean_html", _clean)  # type: ignore[no-untyped-call]
    cells = [cell for cell in node.cells if ERROR_TAG not in cell.metadata.get("tags", [])]
    body, _ = exporter.from_notebook_node(nbformat.from_dict({**node, "cells": cells}))  # type: ignore[no-untyped-call]
    page = _environment().get_template("notebook.html.j2")
    html = page.render(job=job, failure=failure, body=Markup(body))  # noqa: S704 sanitised
    write_bytes(folder / f"{job.notebook.stem}.html", html.encode("utf-8"))


def _clean(html: str | bytes) -> str:
    """HTML from markdown and outputs with nothing that runs, styles, or leaves this file."""
    from bleach import clean  # type: ignore[import-untyped]

    text = _DROPPED.sub("", html.decode() if isinstance(html, bytes) else str(html))
    return str(clean(text, _TAGS.split(), _allowed, protocols=["data"], strip=True))


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img" and name == "src":
        return value.startswith("data:image/")
    if tag == "a" and name == "href":
        return value.startswith("#")
    return name in ("class", "id", "colspan", "rowspan", "alt")


def _environment() -> Environment:
    loader = PackageLoader("evalkit.batch", "pages")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"fixed": fixed, "wan": wan}
    return environment
