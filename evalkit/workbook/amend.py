"""Changing a table that people fill: cell by cell and in place, so that all else stays theirs."""

import copy
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from zipfile import ZipFile

from openpyxl.cell import MergedCell
from openpyxl.utils.cell import coordinate_from_string

from evalkit.core.model import Row
from evalkit.core.problem import refusal
from evalkit.core.store import keep_aside, write_atomic
from evalkit.workbook.cells import read_cell
from evalkit.workbook.opener import open_twice
from evalkit.workbook.reader import HEADER_WITHIN, INDEX
from evalkit.workbook.schema import Sheet

Cells = Mapping[str, str]  # by field id

_LINE = 30  # half characters in a line of a cell
_LOST = re.compile(r"xl/(?:drawings/drawing|threadedComments/|ctrlProps/|embeddings/)")


def amend(
    path: Path, sheet: Sheet, rows: Sequence[Row], changes: Sequence[Cells], new: Sequence[Cells]
) -> Path:
    """Change cells of a table's rows, put new rows under them, count them anew.

    `rows` are those that were read (at least one), `changes` the cells to write for each of them.
    Formulas become their values; where those or shapes go, the file is kept aside. Returns the
    path really written.

    Raises:
        EvalkitError: a column is missing.
    """
    title = rows[0][sheet.fields[0].id].cell.rpartition("!")[0]
    places = [{name: datum.cell.rpartition("!")[2] for name, datum in row.items()} for row in rows]
    if absent := "、".join(spec.label for spec in sheet.columns if not places[0][spec.id]):
        raise refusal("column.gone", file=path.name, sheet=title, names=absent)
    columns = {name: coordinate_from_string(place)[0] for name, place in places[0].items()}
    formulas = [{name: d.raw for name, d in row.items() if d.formula} for row in rows]
    with ZipFile(path) as archive:
        shapes = any(map(_LOST.match, archive.namelist()))
    if shapes or any(formulas):
        keep_aside(path)  # openpyxl drops shapes, and what formulas gave
    book = open_twice(path)[1]
    page = book[title]
    head = chain.from_iterable(page.iter_rows(max_row=HEADER_WITHIN))
    index = next((cell.column_letter for cell in head if cell.value == INDEX), None)
    used = (cell.row for cell in chain.from_iterable(page.iter_rows()) if cell.value is not None)
    bottom = max(*used, *(area.max_row for area in page.merged_cells.ranges))
    numbers = [max(coordinate_from_string(place)[1] for place in row.values()) for row in places]
    for at, cells in enumerate(new, bottom + 1):
        widths = ((len(text.encode("gbk", "replace")), text) for text in cells.values())
        lines = (width // _LINE + text.count("\n") + 1 for width, text in widths)
        page.row_dimensions[at].height = min(17 * max(lines) + 3, 400)
        for letter in columns.values():
            page[f"{letter}{at}"]._style = copy.copy(page[f"{letter}{numbers[-1]}"]._style)
        numbers.append(at)
    written = [*(f | dict(c) for f, c in zip(formulas, changes, strict=True)), *new]
    for count, (at, cells) in enumerate(zip(numbers, written, strict=True), 1):
        for spec in (spec for spec in sheet.columns if spec.id in cells):
            value = read_cell(cells[spec.id], spec.type)[0].value or cells[spec.id] or None
            if not isinstance(cell := page[f"{columns[spec.id]}{at}"], MergedCell):
                cell.value = value
                cell.data_type = "s" if isinstance(value, str) else cell.data_type  # no formula
        if index:
            page[f"{index}{at}"].value = count
    return write_atomic(path, book.save)
