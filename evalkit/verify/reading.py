"""A Word file as a checker reads it: lines with the heading they stand under, tables as grids.

Tracked insertions are read, deletions are not; text boxes, notes, headers and footers are read
too. Figures are brought to one spelling first, so that ９３．６分, 93.60分 and 百分之九十 compare.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import numeric

from docx.document import Document as WordDocument
from docx.oxml.ns import qn

from evalkit.core.numbers import YUAN_PER, plain
from evalkit.core.paths import asset
from evalkit.core.problem import Problem
from evalkit.core.yaml_file import load_yaml
from evalkit.ooxml.bind import stories
from evalkit.ooxml.oxml import Element, local_name, plain_text, style_of
from evalkit.ooxml.package import open_document
from evalkit.word.narrative import heading_levels
from evalkit.workbook.names import quote

_BLANKS = " \u3000\xa0\u200b\ufeff\xad"
_FULL = str.maketrans("０１２３４５６７８９％．－−", "0123456789%.--", _BLANKS)


class Line(NamedTuple):
    """One paragraph. `level` is its heading level, 0 for text; `cell` if a table holds it."""

    text: str
    place: str
    level: int
    cell: bool
    element: Element


class Grid(NamedTuple):
    """One table as rows of cell texts; `place` is its caption or the heading above."""

    place: str
    rows: list[list[str]]


class Reading(NamedTuple):
    """A document, its lines in order and by paragraph, and its tables."""

    document: WordDocument
    lines: list[Line]
    by_paragraph: dict[Element, Line]
    grids: list[Grid]

    @property
    def rows(self) -> list[tuple[list[str], str]]:
        """The rows of all tables, each with the place of its table."""
        return [(row, grid.place) for grid in self.grids for row in grid.rows]

    def line(self, element: Element) -> Line:
        """The line that an element is part of, a row's first; an empty one in the contents."""
        row = next(element.iterancestors(qn("w:tr")), element)
        own = next(element.iterancestors(qn("w:p")), next(row.iter(qn("w:p")), None))
        place = "" if own is None else spec()["stories"]["contents"]
        return self.by_paragraph.get(own, Line("", place, 0, False, own))

    def spot(self, element: Element) -> str:
        """The heading above an element, and in a table its caption and the row."""
        said = [self.line(element).place]
        for row in islice(element.iterancestors(qn("w:tr")), 1):
            label = next((text for cell in row if (text := plain_text(cell).strip())), "空行")
            number = len(list(row.itersiblings(qn("w:tr"), preceding=True))) + 1
            said += [caption_of(row.getparent()), f"第{number}行{quote(label)}"]
        return "／".join(filter(None, said))


@cache
def spec() -> dict[str, Any]:
    """Labels, patterns and sentences of params/verify.yaml."""
    return dict(load_yaml(asset("params", "verify.yaml")))


@cache
def pattern(name: str) -> re.Pattern[str]:
    """One of the patterns of params/verify.yaml."""
    return re.compile(spec()["patterns"][name])


def found(kind: str, place: str = "", cell: str = "", **facts: object) -> Problem:
    """A finding in the words of params/verify.yaml: an alarm, or a note (contradicts nothing)."""
    severity, what, remedy = spec()["sentences"][kind]
    return Problem(what=what.format(**facts), remedy=remedy, severity=severity, cell=cell,
                   sheet=place, code=f"verify.{kind.partition('.')[0]}")  # fmt: skip


def read(path: Path) -> Reading:
    """Read a docx.

    Raises:
        EvalkitError: not a Word file.
    """
    document = open_document(path)
    lines = list(_lines(document))
    known = {line.element: line for line in lines}
    tables = (t for story in stories(document) for t in story.iter(qn("w:tbl")))
    return Reading(document, lines, known, [_grid(table, known) for table in tables])


def _lines(document: WordDocument) -> Iterator[Line]:
    levels = heading_levels(document)
    contents = {s.style_id for s in document.styles if (s.name or "").lower().startswith("toc ")}
    for story in stories(document):
        place = spec()["stories"][local_name(story)]
        for p in story.iter(qn("w:p")):
            text, cell = normal(text_of(p)), next(p.iterancestors(qn("w:tc")), None) is not None
            level = 0 if cell else levels.get(style_of(p), 0)
            place = text if level and text else place
            if style_of(p) not in contents:
                yield Line(text, place, level, cell, p)


def caption_of(table: Element) -> str:
    """The caption above a table, empty if there is none."""
    above = map(plain_text, islice(table.itersiblings(preceding=True), 2))
    return next((text for text in above if re.match(r"表\s*\d", text)), "")


def text_of(paragraph: Element) -> str:
    """Text of a paragraph as it is seen, without that of text boxes anchored in it."""
    holders = qn("w:p"), qn("w:del"), qn("w:moveFrom")
    nodes = paragraph.iter(qn("w:t"), qn("w:tab"), qn("w:br"))
    said = (node for node in nodes if next(node.iterancestors(*holders)) is paragraph)
    return "".join((node.text or "") if node.tag == qn("w:t") else "\n" for node in said)


def _grid(table: Element, known: Mapping[Element, Line]) -> Grid:
    rows = [[text for cell in row.tc_lst for text in _cell(cell)] for row in table.tr_lst
            if row.find(f"{qn('w:trPr')}/{qn('w:del')}") is None]  # fmt: skip
    first = known.get(next(table.iter(qn("w:p")), None))
    return Grid(normal(caption_of(table)) or (first.place if first else ""), rows)


def _cell(cell: Element) -> list[str]:
    """The cell's text, repeated over the columns it spans unless it is a figure."""
    text = "\n".join(filter(None, (normal(text_of(p)) for p in cell.iter(qn("w:p")))))
    return [text, *["" if value(text) else text] * (cell.grid_span - 1)]


def normal(text: str) -> str:
    """One spelling: half-width figures, no thousands separators or blanks, 90% for 百分之九十.

    >>> normal("得 ９３．６０ 分，占百分之九十，1,174.58 万元")
    '得93.60分，占90%，1174.58万元'
    """
    text = pattern("thousands").sub(lambda m: m[0].replace(",", ""), text.translate(_FULL))
    return pattern("share").sub(lambda m: plain(chinese_number(m[1])) + "%", text.strip())


def chinese_number(text: str) -> Decimal:
    """A number in Chinese, also 大写金额 in 元.

    >>> chinese_number("九十二点五"), chinese_number("壹佰玖拾贰万柒仟零贰拾壹元玖角伍分")
    (Decimal('92.5'), Decimal('1927021.95'))
    """
    for sign, scale in spec()["scales"].items():
        before, there, after = text.partition(sign)
        if there:
            least = Decimal(10 <= scale <= 1000)  # 十五 is 15
            return Decimal(scale) * (chinese_number(before) or least) + chinese_number(after)
    digits = ("." if c == "点" else f"{numeric(c):.0f}" for c in text.replace("两", "二"))
    return Decimal("".join(digits) or 0)


def value(cell: str) -> tuple[Decimal, str] | None:
    """Number and unit of a cell that holds one figure; money in 元 where the unit is written.

    >>> value("32.1公里"), value("0.4亿元"), value("880/880")
    ((Decimal('32.1'), '公里'), (Decimal('40000000.0'), '元'), None)
    """
    match = pattern("value").fullmatch(cell)
    if not match:
        return None
    number, unit = Decimal(match[1]), match[2]
    return (number * YUAN_PER[unit], "元") if unit in YUAN_PER else (number, unit)


def figures(text: str) -> list[str]:
    """Numbers with units, dates, 文号 and quoted grades in a text, numbers without end zeros.

    >>> figures("总分93.60分，评价等级为“优”，依据财预〔2020〕10号")
    ['93.6分', '“优”', '依据财预〔2020〕10号']
    """
    said = pattern("figure").findall(text)
    return [re.sub(r"\d+\.\d+", lambda m: plain(Decimal(m[0])), figure) for figure in said]
