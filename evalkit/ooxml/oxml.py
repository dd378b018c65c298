"""WordprocessingML by hand: elements, fields, bookmarks, clean text. No document is known here."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from docx.oxml.ns import nsmap
from docx.oxml.ns import qn as _qn
from docx.oxml.parser import OxmlElement

qn = cache(_qn)
"""The name lxml knows for one with a prefix; remembered, for it is asked for all the time."""

Element = Any  # lxml has no useful types for python-docx's element classes

GAP = "待补充"
_NAMES = {"w": nsmap["w"]}
_W = f"{{{nsmap['w']}}}"
_MAKER = OxmlElement("w:p")  # its parser knows python-docx's element classes
DXA_PER_MM = 1440 / 25.4
EMU_PER_DXA = 635

# Private-use characters carry marks through the template engine; `clean` keeps them out of data.
MARK_BLOCK, MARK_REFERENCE, MARK_PATH, MARK_TEXT, MARK_END, MARK_UNIT = (
    "\ue000\ue001\ue002\ue003\ue004\ue005"
)
_REFUSED = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff\ue000\ue001\ue005-\ue00f"
_UNPRINTABLE, _BINDING = re.compile(f"[{_REFUSED}]"), re.compile("[\ue002-\ue004]")


def clean(text: str, *, bound: bool = False) -> str:
    r"""Text without what XML refuses and without our own marks; line ends become ``\n``.

    Marks of bound numbers stay if `bound`: only text that was cleaned at the door may say so.

    >>> clean("a\x00b\r\n\ue000c")
    'ab\nc'
    """
    if text.isprintable():  # most are: nothing to look for
        return text
    kept = _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return kept if bound else _BINDING.sub("", kept)


def el(tag: str, *children: Element | str | None, **attributes: str | int) -> Element:
    """A ``w:`` element with ``w:`` attributes; strings become its text, None is left out.

    >>> from lxml import etree
    >>> el("jc", val="center").get(qn("w:val"))
    'center'
    """
    element = _MAKER.makeelement(f"{_W}{tag}", nsmap=_NAMES)
    for name, value in attributes.items():
        element.set(f"{_W}{name.rstrip('_')}", str(value))
    for child in children:
        if isinstance(child, str):
            element.text = child
        elif child is not None:
            element.append(child)
    return element


def run(text: str, *, bold: bool = False, properties: Element | None = None) -> Element:
    """A run; line ends become breaks and tabs become tabs."""
    element = el("r", properties)
    if bold:
        element.append(el("rPr", el("b")))
    for number, line in enumerate(clean(text).split("\n")):
        if number:
            element.append(el("br"))
        for position, piece in enumerate(line.split("\t")):
            if position:
                element.append(el("tab"))
            if piece:
                element.append(spaced("t", piece))
    return element


def spaced(tag: str, text: str) -> Element:
    """An element of text whose spaces count."""
    node = copy.deepcopy(_spaced(tag))
    node.text = text
    return node


@cache
def _spaced(tag: str) -> Element:
    node = el(tag)
    node.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return node


def paragraph(
    style: str, *content: Element | str, keep_next: bool = False, align: str = ""
) -> Element:
    """A paragraph of a style id, from runs and strings."""
    element = copy.deepcopy(_paragraph(style, keep_next, align))
    element.extend(run(item) if isinstance(item, str) else item for item in content)
    return element


@cache
def _paragraph(style: str, keep_next: bool, align: str) -> Element:
    keep, centred = el("keepNext") if keep_next else None, el("jc", val=align) if align else None
    return el("p", el("pPr", el("pStyle", val=style), keep, centred))


def field(instruction: str, cached: Iterable[Element], *, dirty: bool = False) -> list[Element]:
    """A complex field: its runs, with the result people see until Word updates it."""
    begin, code, separate, end = copy.deepcopy(_field(dirty))
    code[0].text = f" {instruction} "
    return [begin, code, separate, *cached, end]


@cache
def _field(dirty: bool) -> Element:
    kinds = ("begin", "separate", "end")
    begin, separate, end = (el("r", el("fldChar", fldCharType=kind)) for kind in kinds)
    if dirty:
        begin[0].set(qn("w:dirty"), "true")
    return el("p", begin, el("r", spaced("instrText", "")), separate, end)


def bookmark(name: str, *content: Element, number: int = 0) -> list[Element]:
    """Content between bookmark marks; final ids are given when the document is finished."""
    return [el("bookmarkStart", id=number, name=name), *content, el("bookmarkEnd", id=number)]


def plain_text(element: Element) -> str:
    """Text of an element, without field instructions."""
    return "".join(node.text or "" for node in element.iter(qn("w:t")))


def local_name(element: Element) -> str:
    """Tag without namespace; empty for comments."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def style_of(element: Element) -> str:
    """Style id of a paragraph, empty for the default."""
    found = element.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
    return "" if found is None else str(found.get(qn("w:val"), ""))
