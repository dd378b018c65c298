"""Letters: many short documents from one template, each about one unit or one form."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.core.model import Result
from evalkit.core.store import keep_aside, safe_name, sha256
from evalkit.ooxml.oxml import GAP
from evalkit.report import evaluation, prose
from evalkit.template.build import template_for
from evalkit.word.blocks import Block
from evalkit.word.render import render

Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Letter:
    """One letter: its file name, the fields of the template and the rows of its tables."""

    name: str
    fields: Mapping[str, Any]
    rows: Mapping[str, Rows] = field(default_factory=dict)


def write_letters(
    result: Result, letters: Iterable[Letter], folder: Path, style: str, written: Mapping[str, str]
) -> list[Path]:
    """Write the letters of a result into a folder; returns the paths really written.

    The template is ``WORKFLOW_letter.docx``, its tables stand in ``WORKFLOW_letter.yaml``. It sees
    `subject` and `texts` of the result, `header` (what a demo is marked with), `has` and the
    letter's fields.
    `written` are hashes of the last run by file name: a letter that people changed since is kept
    aside.

    Raises:
        EvalkitError: the template asks for something that is not there.
    """
    template = template_for(f"{result.workflow}_letter", style)
    paths = []
    for letter in letters:
        path = folder / f"{safe_name(letter.name)}.docx"
        if path.is_file() and sha256(path) != written.get(path.name):
            keep_aside(path)
        context, blocks = filling(result, letter)
        paths.append(render(template, context, path, blocks).path)
    return paths


def filling(result: Result, letter: Letter) -> tuple[dict[str, Any], dict[str, Block | None]]:
    """Fields and blocks for the template of a letter."""
    blocks = evaluation.tables(f"{result.workflow}_letter", letter.rows)
    context = {
        "document": {"title": letter.name, "date": prose.report_date(result), "headings": []},
        "bound": {},
        "subject": {key: text or GAP for key, text in result.subject.items()},
        "texts": {key: text or GAP for key, text in result.texts.items()},
        "header": prose.mark_of(result),
        "has": {key: block is not None for key, block in blocks.items()},
        **letter.fields,
    }
    return context, blocks
