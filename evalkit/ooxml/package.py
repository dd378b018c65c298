"""A docx as a package: written so that equal content gives equal bytes, and checked.

The check covers what schema validators leave out: pairing of bookmarks, field marks and comments,
ids across parts, names of properties, targets of relationships and fields, and whatever of the
template was left in the text.
"""

from __future__ import annotations

import io
import itertools
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

from docx import Document
from docx.document import Document as WordDocument
from docx.opc.constants import RELATIONSHIP_TYPE as RELATION
from docx.opc.packuri import PackURI
from docx.opc.pkgwriter import PackageWriter
from docx.oxml.ns import nsmap, qn
from docx.oxml.parser import parse_xml

from evalkit.core.problem import Problem, refusal
from evalkit.core.store import write_bytes
from evalkit.ooxml import bind
from evalkit.ooxml.oxml import Element, clean, plain_text

_MAX_BYTES = 300_000_000  # unpacked; a docx that says more is a bomb or an archive of scans
_CUSTOM = "docProps/custom.xml"
BUILT_IN = re.compile(  # properties that Word has of itself
    "author|bytes|category|characters(withspaces)?|comments|company|contentstatus|createtime|"
    "hyperlinkbase|keywords|last(printed|saved(by|time))|lines|manager|nameofapplication|pages|"
    "paragraphs|revisionnumber|security|subject|template|title|totaleditingtime|words"
)
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_LEFT_OVER = re.compile(r"\{\{|\}\}|\{%|%\}")
_MARKS = re.compile("[\ue000-\ue00f]")  # what carries blocks and numbers through the engine


def open_document(path: Path) -> WordDocument:
    """A docx that somebody made.

    Raises:
        EvalkitError: not a Word file, damaged, or so large when unpacked that it must be a bomb.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > _MAX_BYTES:
                raise ValueError
        document = Document(str(path))
        list(bind.stories(document))  # they are there, in the dialect we know, and can be parsed
    except Exception:  # whatever python-docx or lxml make of a damaged or hostile file
        raise refusal("docx.file", file=path.name) from None
    return document


def save(
    document: WordDocument,
    path: Path,
    about: Mapping[str, Any] = MappingProxyType({}),
    *,
    edited: bool = False,
    title: str = "",
    dated: date | None = None,
) -> Path:
    """Write a docx with core properties that say what it is; returns the path really written.

    `about` may hold title, author (the firm), subject (the project), stage and date, and nothing
    else is said: no clock is asked. Of a document that people `edited` only title and stage are
    set, whatever else it says is theirs. `title` and `dated` stand in where `about` has none.
    """
    about = {"title": title, "date": dated, **about}
    kinds = {rel.reltype for rel in document.part.package.rels.values()}
    edited &= RELATION.CORE_PROPERTIES in kinds  # python-docx would make some, with a clock
    core = document.core_properties
    if not edited:
        for child in list(core._element):
            core._element.remove(child)
        core.language = "zh-CN"
        if day := about["date"]:
            core.created = core.modified = datetime(day.year, day.month, day.day)
    for key in ("title",) if edited else ("title", "author", "subject"):
        if about.get(key):
            setattr(core, key, clean(about[key])[:255])
    if stage := about.get("stage"):
        # Not by python-docx: docxcompose, which docxtpl loads, gives its prefix another meaning.
        tag = core._element.tag.replace("coreProperties", "contentStatus")
        for old in core._element.findall(tag):
            core._element.remove(old)
        core._element.append(core._element.makeelement(tag))
        core._element[-1].text = clean(stage)
    _number_ids(list(bind.stories(document)))
    package, packed = document.part.package, io.BytesIO()
    writer: Any = PackageWriter
    with zipfile.ZipFile(packed, "w") as archive:
        target = SimpleNamespace(write=partial(_put, archive))
        for part in package.parts:
            part.before_marshal()
        writer._write_content_types_stream(target, package.parts)
        writer._write_pkg_rels(target, package.rels)
        writer._write_parts(target, package.parts)
    return write_bytes(path, packed.getvalue())


def _put(archive: zipfile.ZipFile, name: PackURI, blob: bytes) -> None:
    entry = zipfile.ZipInfo(name.membername, _ZIP_TIME)
    entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 0
    archive.writestr(entry, blob)


def _number_ids(stories: list[Element]) -> None:
    """Give drawings and bookmarks ids in document order, no two alike in any part."""
    drawings, marks = itertools.count(1), itertools.count(1)
    for story in stories:
        opened: dict[str, list[str]] = {}
        for element in story.iter(qn("wp:docPr"), qn("w:bookmarkStart"), qn("w:bookmarkEnd")):
            if element.tag == qn("wp:docPr"):
                element.set("id", str(next(drawings)))
                continue
            key = element.get(qn("w:id"), "")
            if element.tag == qn("w:bookmarkStart"):
                opened.setdefault(key, []).append(str(next(marks)))
                element.set(qn("w:id"), opened[key][-1])
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
    roots: dict[str, Element] = {}
    for name in (n for n in parts if n.endswith((".xml", ".rels"))):
        try:
            roots[name] = parse_xml(parts[name])
        except SyntaxError:
            yield name, "不是合法的 XML"
    properties = list(roots.get(_CUSTOM, ()))
    names = {node.get("name", "").lower() for node in properties}
    marks = [m for root in roots.values() for m in root.iter(qn("w:bookmarkStart"))]
    targets = {mark.get(qn("w:name")) for mark in marks}
    for name, root in roots.items():
        rels = name.endswith(".rels")
        found = _relationships(name, root, parts) if rels else _marks(root, targets, names)
        yield from ((name, what) for what in found)
        yield from ((name, what) for what in _undefined(name, root, parts))
    drawings = (node.get("id") for root in roots.values() for node in root.iter(qn("wp:docPr")))
    unique = {
        "图形编号 {} 重复": drawings,
        "书签编号 {} 重复": (mark.get(qn("w:id")) for mark in marks),
        "书签“{}”重复": (mark.get(qn("w:name")) for mark in marks),
        "文档属性“{}”重复": (node.get("name", "").lower() for node in properties),
        "文档属性编号 {} 重复": (node.get("pid") for node in properties),
    }
    for said, values in unique.items():
        yield from (("", said.format(v)) for v, count in Counter(values).items() if count > 1)
    for node in properties:
        if not node.get("pid", "").isdigit() or int(node.get("pid")) < 2:
            yield _CUSTOM, f"文档属性“{node.get('name')}”的编号不是 2 以上的整数"
    yield from (("", what) for what in _comments(list(roots.values())))


def _comments(roots: list[Element]) -> Iterator[str]:
    kinds = ("comment", "commentReference", "commentRangeStart", "commentRangeEnd")
    counts = [
        Counter(n.get(qn("w:id"), "") for root in roots for n in root.iter(qn(f"w:{kind}")))
        for kind in kinds
    ]
    for key in sorted(set().union(*counts)):
        said, placed, starts, ends = (count[key] for count in counts)
        if not said == placed == 1:
            yield f"批注 {key} 的内容与标记不是一一对应"
        if starts != ends or starts > 1:
            yield f"批注 {key} 的起止不成对"


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


def _marks(root: Element, targets: set[str], properties: set[str]) -> Iterator[str]:
    starts, ends = (
        Counter(node.get(qn("w:id")) for node in root.iter(qn(f"w:bookmark{kind}")))
        for kind in ("Start", "End")
    )
    if starts != ends:
        yield "书签的起止不成对"
    letters = {"begin": "b", "separate": "s", "end": "e"}
    kinds = (mark.get(qn("w:fldCharType")) for mark in root.iter(qn("w:fldChar")))
    marks = "".join(letters.get(kind, "?") for kind in kinds)
    while (shorter := re.sub("bs?e", "", marks)) != marks:  # innermost fields first
        marks = shorter
    if marks:
        yield "域的起止不成对"
    for item in bind.fields(root):
        known = re.match(r"(?:PAGE)?REF\s+(\w+)", item.code)
        if known and known[1] not in targets:
            yield f"交叉引用的书签“{known[1]}”不存在"
        if item.path and item.path not in properties and not BUILT_IN.fullmatch(item.path):
            yield f"域引用的文档属性“{item.path}”不存在"
    for link in root.iter(qn("w:hyperlink")):
        if (anchor := link.get(qn("w:anchor"), "_top")) not in targets | {"_top"}:
            yield f"链接指向的书签“{anchor}”不存在"
    for text in map(plain_text, root.iter(qn("w:p"))):
        if _MARKS.search(text):
            yield f"留有未替换的占位“{clean(text)[:40]}”"
        elif _LEFT_OVER.search(text):
            yield f"疑似留有模板标记“{text[:40]}”"
