"""What one Word document lends another: its styles, lists and pictures, under ids valid there."""

import copy
import io
from typing import Any

from docx.document import Document as WordDocument

from evalkit.ooxml.oxml import Element, qn

Lists = dict[str, str]


def adopt(element: Element, source: WordDocument, target: WordDocument, lists: Lists) -> Element:
    """A copy of an element that means the same in another document.

    `lists` keeps the ids that lists got there, so that each is copied once.
    """
    new = copy.deepcopy(element)
    for node in new.iter(qn("w:pStyle"), qn("w:rStyle"), qn("w:tblStyle")):
        node.set(qn("w:val"), style_there(node.get(qn("w:val")), source, target))
    for blip in new.iter(qn("a:blip")):
        key, _ = target.part.get_or_add_image(io.BytesIO(picture_of(blip, source)))
        blip.set(qn("r:embed"), key)
    for node in new.iter(qn("w:numId")):
        key = node.get(qn("w:val"))
        if key not in lists and (found := list_of(source, key)):
            lists[key] = add_list(target, *copy.deepcopy(found))
        node.set(qn("w:val"), lists.get(key, key))
    return new


def style_there(key: str, source: WordDocument, target: WordDocument) -> str:
    """The id, in another document, of the style with this id; copied if it has none so named."""
    style = next((s for s in source.styles if s.style_id == key), None)
    if style is None:
        return key
    there = {s.name: str(s.style_id) for s in target.styles}  # LibreOffice writes names otherwise
    if style.name not in there:
        new = copy.deepcopy(style.element)
        while new.styleId in there.values():
            new.styleId += "_"
        target.styles.element.append(new)
        there[style.name] = str(new.styleId)
    return there[style.name]


def picture_of(drawing: Element, document: WordDocument) -> bytes:
    """The picture that a drawing, or its ``a:blip``, shows.

    Raises:
        AttributeError, KeyError: it shows none that lies in the document.
    """
    blip: Any = next(drawing.iter(qn("a:blip")), None)
    return bytes(document.part.related_parts[blip.get(qn("r:embed"))].blob)


def list_of(document: WordDocument, key: str) -> list[Element]:
    """The definition (``w:abstractNum``) of the list with this ``w:numId``, then its overrides.

    Empty where there is no such list.
    """
    try:
        numbering = document.part.numbering_part.element
    except NotImplementedError:  # how python-docx says that there are no lists at all
        return []
    number = f"w:num[@w:numId='{key}']"
    shape = numbering.xpath(f"w:abstractNum[@w:abstractNumId=../{number}/w:abstractNumId/@w:val]")
    return [shape[0], *numbering.xpath(f"{number}/w:lvlOverride")] if shape else []


def add_list(document: WordDocument, shape: Element, *overrides: Element) -> str:
    """Put a list's definition into a document, under new ids; returns its ``w:numId``."""
    numbering = document.part.numbering_part.element
    shapes = numbering.findall(qn("w:abstractNum"))
    own = 1 + max((int(n.get(qn("w:abstractNumId"))) for n in shapes), default=0)
    shape.set(qn("w:abstractNumId"), str(own))
    numbering.insert(numbering.index(shapes[-1]) + 1 if shapes else 0, shape)
    number = numbering.add_num(own)
    number.extend(overrides)
    return str(number.numId)
