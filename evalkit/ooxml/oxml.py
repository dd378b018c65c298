"""WordprocessingML by hand: elements, fields, bookmarks, clean text. No document is known here."""

import copy
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from docx.oxml import ns
from docx.oxml.parser import OxmlElement, parse_xml

qn = cache(ns.qn)
"""The name lxml knows for one with a prefix; remembered, for it is asked for all the time."""

Element = Any  # lxml has no useful types for python-docx's element classes

GAP = "待补充"
_NAMES = {"w": ns.nsmap["w"]}
_W = f"{{{ns.nsmap['w']}}}"
_MAKER = OxmlElement("w:p")  # its parser knows python-docx's element classes
_TEXT = parse_xml(f'<w:t {ns.nsdecls("w")} xml:space="preserve"/>')  # copies cost less than making
_FIELD = parse_xml(
    f'<w:p {ns.nsdecls("w")}><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r>'
    '<w:instrText xml:space="preserve"/></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>'
    '<w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
)
DXA_PER_MM = 1440 / 25.4
EMU_PER_DXA = 635

# Private-use characters carry marks through the template engine; `clean` keeps them out of data.
_MARKS = "\ue000\ue001\ue002\ue003\ue004\ue005"
MARK_BLOCK, MARK_REFERENCE, MARK_PATH, MARK_TEXT, MARK_END, MARK_UNIT = tuple(_MARKS)
_REFUSED = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff\ue000\ue001\ue005-\ue00f"
_BREAK, _BREAKS = re.compile("([\n\t])"), {"\n": "br", "\t": "tab"}
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


def el(tag: str, *children: Element, **attributes: str | int) -> Element:
    """A ``w:`` element with ``w:`` attributes; None among the children is left out.

    >>> from lxml import etree
    >>> el("jc", val="center").get(qn("w:val"))
    'center'
    """
    values = {f"{_W}{name}": str(value) for name, value in attributes.items()}
    element = _MAKER.makeelement(f"{_W}{tag}", values, _NAMES)
    element.extend(child for child in children if child is not None)
    return element


def run(text: str, *, bold: bool = False, properties: Element | None = None) -> Element:
    """A run; line ends become breaks and tabs become tabs."""
    element = el("r", el("rPr", el("b")) if bold else properties)
    for piece in filter(None, _BREAK.split(clean(text))):
        element.append(el(_BREAKS[piece]) if piece in _BREAKS else spaced(piece))
    return element


def spaced(text: str) -> Element:
    """A ``w:t`` whose spaces count."""
    node = copy.deepcopy(_TEXT)
    node.text = text
    return node


def paragraph(style: str, *content: Element, keep_next: bool = False, align: str = "") -> Element:
    """A paragraph of a style id, from runs and strings."""
    keep, aligned = el("keepNext") if keep_next else None, el("jc", val=align) if align else None
    runs = (run(item) if isinstance(item, str) else item for item in content)
    return el("p", el("pPr", el("pStyle", val=style), keep, aligned), *runs)


def field(instruction: str, cached: Iterable[Element], *, dirty: bool = False) -> list[Element]:
    """A complex field: its runs, with the result people see until Word updates it."""
    begin, code, separate, end = copy.deepcopy(_FIELD)
    code[0].text = f" {instruction} "
    if dirty:
        begin[0].set(qn("w:dirty"), "true")
    return [begin, code, separate, *cached, end]


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
