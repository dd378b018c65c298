"""A docx as a package: written so that equal content gives equal bytes, and checked.

The check covers what schema validators leave out: pairing of bookmarks and field marks, ids of
drawings, targets of relationships, and whatever of the template was left in the text.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections import Counter
from datetime import date, datetime
from pathlib import Path

from docx.document import Document as WordDocument
from docx.oxml.ns import qn
from lxml import etree

from evalkit.core.problem import Problem
from evalkit.core.store import write_bytes
from evalkit.report.oxml import MARK_BLOCK, MARK_REFERENCE, Element, clean, plain_text

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_LEFT_OVER = re.compile(r"\{\{|\}\}|\{%|%\}")
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


def xml_bytes(element: Element) -> bytes:
    """A part's bytes."""
    return bytes(etree.tostring(element, xml_declaration=True, encoding="UTF-8", standalone=True))


def save(document: WordDocument, path: Path, *, title: str = "", dated: date | None = None) -> Path:
    """Write a docx with neutral properties and no clock; returns the path really written."""
    _neutral_properties(document, title, dated)
    _number_ids(document)
    buffer, packed = io.BytesIO(), io.BytesIO()
    document.save(buffer)
    with (
        zipfile.ZipFile(buffer) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 0  # the same on Windows and elsewhere
            entry.external_attr = 0o600 << 16
            target.writestr(entry, source.read(name))
    return write_bytes(path, packed.getvalue())


def _neutral_properties(document: WordDocument, title: str, dated: date | None) -> None:
    core = document.core_properties
    for child in list(core._element):
        core._element.remove(child)
    core.title = clean(title)[:255]
    if dated is not None:
        core.created = core.modified = datetime(dated.year, dated.month, dated.day)  # noqa: DTZ001


def _number_ids(document: WordDocument) -> None:
    """Give drawings and bookmarks ids in document order."""
    body = document.element.body
    for number, element in enumerate(body.iter(qn("wp:docPr")), start=1):
        element.set("id", str(number))
    opened: dict[str, list[str]] = {}
    count = 0
    for element in body.iter(qn("w:bookmarkStart"), qn("w:bookmarkEnd")):
        key = element.get(qn("w:id"), "")
        if element.tag == qn("w:bookmarkStart"):
            count += 1
            opened.setdefault(key, []).append(str(count))
            element.set(qn("w:id"), str(count))
        elif opened.get(key):
            element.set(qn("w:id"), opened[key].pop())


def check(path: Path) -> list[Problem]:
    """Everything about a docx that Word would repair or a reader should not see."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return [Problem(file=path.name, what="不是 Word 文档")]
    said: list[tuple[str, str]] = []
    drawings: Counter[str] = Counter()
    for name, blob in parts.items():
        if not name.endswith((".xml", ".rels")):
            continue
        try:
            root = etree.fromstring(blob, _PARSER)
        except etree.XMLSyntaxError:
            said.append((name, "不是合法的 XML"))
            continue
        if name.endswith(".rels"):
            said += [(name, what) for what in _relationships(name, root, parts)]
        elif name.startswith("word/"):
            said += [(name, what) for what in _marks(root)]
            said += [(name, what) for what in _undefined(name, root, parts)]
            drawings.update(node.get("id", "") for node in root.iter(qn("wp:docPr")))
    said += [("", f"图形编号 {key} 重复") for key, count in drawings.items() if count > 1]
    return [
        # Data may hold braces and print them literally: for a person to look at, no defect.
        Problem(file=path.name, sheet=name, what=what, code="docx.package",
                severity="warning" if what.startswith("留有模板标记") else "error")
        for name, what in said
    ]  # fmt: skip


def _relationships(name: str, root: Element, parts: dict[str, bytes]) -> list[str]:
    folder = posixpath.dirname(posixpath.dirname(name))
    found = []
    for rel in root:
        target = rel.get("Target", "")
        if rel.get("TargetMode") == "External":
            found.append(f"含有指向外部的链接“{target}”")
        elif posixpath.normpath(posixpath.join("/" + folder, target))[1:] not in parts:
            found.append(f"关系 {rel.get('Id')} 指向的“{target}”不存在")
    return found


def _undefined(name: str, root: Element, parts: dict[str, bytes]) -> list[str]:
    """Relationship ids used in a part but not defined for it."""
    folder, file = posixpath.split(name)
    rels = parts.get(f"{folder}/_rels/{file}.rels")
    defined = {rel.get("Id") for rel in etree.fromstring(rels, _PARSER)} if rels else set()
    space = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
    used = {
        value for node in root.iter() for key, value in node.attrib.items() if key.startswith(space)
    }
    return [f"用到的关系 {key} 没有定义" for key in sorted(used - defined)]


def _marks(root: Element) -> list[str]:
    found = []
    starts = [node.get(qn("w:id")) for node in root.iter(qn("w:bookmarkStart"))]
    ends = [node.get(qn("w:id")) for node in root.iter(qn("w:bookmarkEnd"))]
    names = Counter(node.get(qn("w:name")) for node in root.iter(qn("w:bookmarkStart")))
    if Counter(starts) != Counter(ends) or len(set(starts)) != len(starts):
        found.append("书签的起止不成对")
    found += [f"书签“{name}”重复" for name, count in names.items() if count > 1]
    stack: list[str] = []
    for mark in root.iter(qn("w:fldChar")):
        kind = mark.get(qn("w:fldCharType"))
        if kind == "begin":
            stack.append(kind)
        elif not stack or (kind == "separate" and stack[-1] != "begin"):
            stack = ["unpaired"]
            break
        elif kind == "separate":
            stack[-1] = kind
        else:
            stack.pop()
    if stack:
        found.append("域的起止不成对")
    for node in root.iter(qn("w:instrText")):
        known = re.match(r"\s*(?:PAGE)?REF\s+(\w+)", node.text or "")
        if known and known[1] not in names:
            found.append(f"交叉引用的书签“{known[1]}”不存在")
    for node in root.iter(qn("w:p")):
        text = plain_text(node)
        if MARK_BLOCK in text or MARK_REFERENCE in text:
            found.append(f"留有未替换的占位“{clean(text)[:40]}”")
        elif _LEFT_OVER.search(text):
            found.append(f"留有模板标记“{text[:40]}”")
    return found
