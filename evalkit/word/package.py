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
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from docx.document import Document as WordDocument
from docx.opc.oxml import serialize_part_xml
from docx.oxml.ns import nsmap, qn
from docx.oxml.parser import parse_xml

from evalkit.core.problem import Problem
from evalkit.core.store import write_bytes
from evalkit.word.oxml import MARK_BLOCK, MARK_REFERENCE, Element, clean, plain_text

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_LEFT_OVER = re.compile(r"\{\{|\}\}|\{%|%\}")
_MARKS = re.compile(f"[{MARK_BLOCK}{MARK_REFERENCE}]")


def xml_bytes(element: Element) -> bytes:
    """A part's bytes."""
    return serialize_part_xml(element)


def save(document: WordDocument, path: Path, *, title: str = "", dated: date | None = None) -> Path:
    """Write a docx with neutral properties and no clock; returns the path really written."""
    core = document.core_properties
    for child in list(core._element):
        core._element.remove(child)
    core.title = clean(title)[:255]
    if dated is not None:
        core.created = core.modified = datetime(dated.year, dated.month, dated.day)
    _number_ids(document.element.body)
    buffer, packed = io.BytesIO(), io.BytesIO()
    document.save(buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(packed, "w") as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 0
            target.writestr(entry, source.read(name))
    return write_bytes(path, packed.getvalue())


def _number_ids(body: Element) -> None:
    """Give drawings and bookmarks ids in document order."""
    for number, element in enumerate(body.iter(qn("wp:docPr")), start=1):
        element.set("id", str(number))
    opened: dict[str, list[str]] = {}
    fresh = 0
    for element in body.iter(qn("w:bookmarkStart"), qn("w:bookmarkEnd")):
        key = element.get(qn("w:id"), "")
        if element.tag == qn("w:bookmarkStart"):
            fresh += 1
            opened.setdefault(key, []).append(str(fresh))
            element.set(qn("w:id"), str(fresh))
        elif opened.get(key):
            element.set(qn("w:id"), opened[key].pop())


def check(path: Path) -> list[Problem]:
    """Everything about a docx that Word would repair or a reader should not see."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return [Problem(file=path.name, what="不是 Word 文档", code="docx.package")]
    problems = [
        # Data may hold braces and print them literally: for a person to look at, no defect.
        Problem(file=path.name, sheet=name, what=what, code="docx.package",
                severity="warning" if what.startswith("疑似") else "error")
        for name, what in _findings(parts)
    ]  # fmt: skip
    return list(dict.fromkeys(problems))


def _findings(parts: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    drawings: Counter[str] = Counter()
    for name in (n for n in parts if n.endswith((".xml", ".rels"))):
        try:
            root = parse_xml(parts[name])
        except SyntaxError:
            yield name, "不是合法的 XML"
            continue
        found = _relationships(name, root, parts) if name.endswith(".rels") else _marks(root)
        yield from ((name, what) for what in found)
        yield from ((name, what) for what in _undefined(name, root, parts))
        drawings.update(node.get("id", "") for node in root.iter(qn("wp:docPr")))
    yield from (("", f"图形编号 {key} 重复") for key, count in drawings.items() if count > 1)


def _relationships(name: str, root: Element, parts: dict[str, bytes]) -> Iterator[str]:
    folder = "/" + posixpath.dirname(posixpath.dirname(name))
    for rel in root:
        target = rel.get("Target", "")
        if rel.get("TargetMode") == "External":
            yield f"含有指向外部的链接“{target}”"
        elif posixpath.normpath(posixpath.join(folder, target)).lstrip("/") not in parts:
            yield f"关系 {rel.get('Id')} 指向的“{target}”不存在"


def _undefined(name: str, root: Element, parts: dict[str, bytes]) -> Iterator[str]:
    """Relationship ids used in a part but not defined for it."""
    folder, file = posixpath.split(name)
    rels = parts.get(f"{folder}/_rels/{file}.rels")
    defined = {rel.get("Id") for rel in parse_xml(rels)} if rels else set()
    space = f"{{{nsmap['r']}}}"
    used = {v for node in root.iter() for k, v in node.attrib.items() if k.startswith(space)}
    yield from (f"用到的关系 {key} 没有定义" for key in sorted(used - defined))


def _marks(root: Element) -> Iterator[str]:
    starts = list(root.iter(qn("w:bookmarkStart")))
    ids = Counter(node.get(qn("w:id")) for node in starts)
    names = Counter(node.get(qn("w:name")) for node in starts)
    ends = Counter(node.get(qn("w:id")) for node in root.iter(qn("w:bookmarkEnd")))
    if ids != ends or len(ids) < len(starts):
        yield "书签的起止不成对"
    yield from (f"书签“{name}”重复" for name, count in names.items() if count > 1)
    letters = {"begin": "b", "separate": "s", "end": "e"}
    kinds = (mark.get(qn("w:fldCharType")) for mark in root.iter(qn("w:fldChar")))
    marks = "".join(letters.get(kind, "?") for kind in kinds)
    while (shorter := re.sub("bs?e", "", marks)) != marks:  # innermost fields first
        marks = shorter
    if marks:
        yield "域的起止不成对"
    for node in root.iter(qn("w:instrText")):
        known = re.match(r"\s*(?:PAGE)?REF\s+(\w+)", node.text or "")
        if known and known[1] not in names:
            yield f"交叉引用的书签“{known[1]}”不存在"
    for text in map(plain_text, root.iter(qn("w:p"))):
        if _MARKS.search(text):
            yield f"留有未替换的占位“{clean(text)[:40]}”"
        elif _LEFT_OVER.search(text):
            yield f"疑似留有模板标记“{text[:40]}”"
