"""A docx as a package: written so that equal content gives equal bytes, and checked.

The check covers what schema validators leave out: pairing of bookmarks, field marks and comments,
ids across parts, names of properties, targets of relationships and fields, and whatever of the
template was left in the text.
"""

import io
import itertools
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from docx import Document
from docx.document import Document as WordDocument
from docx.opc.constants import RELATIONSHIP_TYPE as RELATION
from docx.opc.packuri import PackURI
from docx.opc.pkgwriter import PackageWriter
from docx.oxml.ns import nsmap
from docx.oxml.parser import parse_xml
from lxml import etree  # type: ignore[import-untyped]

from evalkit.core.problem import Problem, refusal
from evalkit.core.store import write_bytes
from evalkit.ooxml import bind
from evalkit.ooxml.oxml import Element, clean, plain_text, qn

_MAX_BYTES = 300_000_000  # unpacked; a docx that says more is a bomb or an archive of scans
_CUSTOM, _MAIN = "docProps/custom.xml", "word/document.xml"
BUILT_IN = re.compile(  # properties that Word has of itself
    "author|bytes|category|characters(withspaces)?|comments|company|contentstatus|createtime|"
    "hyperlinkbase|keywords|last(printed|saved(by|time))|lines|manager|nameofapplication|pages|"
    "paragraphs|revisionnumber|security|subject|template|title|totaleditingtime|words"
)
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


def open_body(path: Path) -> Element:
    """Only the main part of a docx, to be read: much quicker.

    Raises:
        EvalkitError: as `open_document`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(_MAIN).file_size > _MAX_BYTES:
                raise ValueError
            return parse_xml(archive.read(_MAIN))
    except Exception:
        raise refusal("docx.file", file=path.name) from None


def save(
    document: WordDocument, path: Path, about: Mapping[str, Any] | None = None, edited: bool = False
) -> Path:
    """Write a docx with core properties that say what it is; returns the path really written.

    `about` may hold title, author (the firm), subject (the project), stage and date, and nothing
    else is said: no clock is asked. Of a document that people `edited` only title and stage are
    set, whatever else it says is theirs.
    """
    about, kinds = about or {}, {rel.reltype for rel in document.part.package.rels.values()}
    edited &= RELATION.CORE_PROPERTIES in kinds  # python-docx would make some, with a clock
    core = document.core_properties
    if not edited:
        del core._element[:]
        core.language = "zh-CN"
        if day := about.get("date"):
            core.created = core.modified = datetime(day.year, day.month, day.day)
    for key in ("title",) if edited else ("title", "author", "subject"):
        if about.get(key):
            setattr(core, key, clean(about[key])[:255])
    if stage := about.get("stage"):
        # Not by python-docx: docxcompose, which docxtpl loads, gives its prefix another meaning.
        tag = core._element.tag.replace("coreProperties", "contentStatus")
        etree.strip_elements(core._element, tag)
        etree.SubElement(core._element, tag).text = clean(stage)
    _number_ids(list(bind.stories(document)))
    package, packed = document.part.package, io.BytesIO()
    writer: Any = PackageWriter
    with zipfile.ZipFile(packed, "w") as archive:

        def write(name: PackURI, blob: bytes) -> None:
            entry = zipfile.ZipInfo(name.membername)  # of 1980, unless told otherwise
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 0
            archive.writestr(entry, blob)

        target = SimpleNamespace(write=write)
        writer._write_content_types_stream(target, package.parts)
        writer._write_pkg_rels(target, package.rels)
        writer._write_parts(target, package.parts)
    return write_bytes(path, packed.getvalue())


def _number_ids(stories: list[Element]) -> None:
    """Give drawings and bookmarks ids in document order, no two alike in any part."""
    drawings = (drawing for story in stories for drawing in story.iter(qn("wp:docPr")))
    for number, drawing in enumerate(drawings, start=1):
        drawing.set("id", str(number))
    numbers = map(str, itertools.count(1))
    for story in stories:
        opened: dict[str, list[str]] = {}
        for mark in story.iter(qn("w:bookmarkStart"), qn("w:bookmarkEnd")):
            same = opened.setdefault(mark.get(qn("w:id"), ""), [])
            if mark.tag == qn("w:bookmarkStart"):
                same.append(next(numbers))
                mark.set(qn("w:id"), same[-1])
            elif same:
                mark.set(qn("w:id"), same.pop())


def check(path: Path) -> list[Problem]:
    """Everything about a docx that Word would repair or a reader should not see."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return [Problem(file=path.name, what="不是 Word 文档", code="docx.package")]
    return [
        # Data may hold braces and print them literally: for a person to look at, no defect.
        Problem(file=path.name, sheet=name, what=what, code="docx.package",
                severity="warning" if what.startswith("疑似") else "error")
        for name, what in dict.fromkeys(_findings(parts))
    ]  # fmt: skip


def _findings(parts: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    roots: dict[str, Element] = {}
    for name in (n for n in parts if n.endswith((".xml", ".rels"))):
        try:
            roots[name] = parse_xml(parts[name])
        except SyntaxError:
            yield name, "不是合法的 XML"

    def every(path: str) -> list[str]:
        return [value for root in roots.values() for value in _values(root, path)]

    properties = list(roots.get(_CUSTOM, ()))
    names = [node.get("name", "").lower() for node in properties]
    targets = every("//w:bookmarkStart/@w:name")
    unique = {
        "图形编号 {} 重复": every("//wp:docPr/@id"),
        "书签编号 {} 重复": every("//w:bookmarkStart/@w:id"),
        "书签“{}”重复": targets,
        "文档属性“{}”重复": names,
        "文档属性编号 {} 重复": (numbers := [node.get("pid", "") for node in properties]),
    }
    for said, values in unique.items():
        yield from (("", said.format(v)) for v, count in Counter(values).items() if count > 1)
    for number, node in zip(numbers, properties, strict=True):
        if not number.isdigit() or int(number) < 2:
            yield _CUSTOM, f"文档属性“{node.get('name')}”的编号不是 2 以上的整数"
    for name, root in roots.items():
        rels = name.endswith(".rels")
        found = _relationships(name, root, parts) if rels else _marks(root, {*targets}, {*names})
        yield from ((name, what) for what in (*found, *_undefined(name, roots)))
    kinds = ("comment", "commentReference", "commentRangeStart", "commentRangeEnd")
    counts = [Counter(every(f"//w:{kind}/@w:id")) for kind in kinds]
    for key in sorted(set().union(*counts)):
        defined, placed, starts, ends = (count[key] for count in counts)
        if not defined == placed == 1:
            yield "", f"批注 {key} 的内容与标记不是一一对应"
        if starts != ends or starts > 1:
            yield "", f"批注 {key} 的起止不成对"


def _values(root: Element, path: str) -> list[str]:
    """The attributes that an XPath finds in a part."""
    return list(map(str, etree.XPath(path, namespaces=nsmap)(root)))


def _relationships(name: str, root: Element, parts: dict[str, bytes]) -> Iterator[str]:
    folder = "/" + posixpath.dirname(posixpath.dirname(name))
    for rel in root:
        target = rel.get("Target", "")
        if rel.get("TargetMode") == "External":
            yield f"含有指向外部的链接“{target}”"
        elif posixpath.normpath(posixpath.join(folder, target)).lstrip("/") not in parts:
            yield f"关系 {rel.get('Id')} 指向的“{target}”不存在"


def _undefined(name: str, roots: dict[str, Element]) -> Iterator[str]:
    """Relationship ids used in a part but not defined for it."""
    folder, file = posixpath.split(name)
    defined = {rel.get("Id") for rel in roots.get(f"{folder}/_rels/{file}.rels", ())}
    used = {*_values(roots[name], "//@r:*")}
    yield from (f"用到的关系 {key} 没有定义" for key in sorted(used - defined))


def _marks(root: Element, targets: set[str], properties: set[str]) -> Iterator[str]:
    starts, ends = (sorted(_values(root, f"//w:bookmark{k}/@w:id")) for k in ("Start", "End"))
    if starts != ends:
        yield "书签的起止不成对"
    marks = "".join(f"<{kind}>" for kind in _values(root, "//w:fldChar/@w:fldCharType"))
    while (shorter := re.sub("<begin>(<separate>)?<end>", "", marks)) != marks:  # innermost first
        marks = shorter
    if marks:
        yield "域的起止不成对"
    for item in bind.fields(root):
        known = re.match(r"(?:PAGE)?REF\s+(\w+)", item.code)
        if known and known[1] not in targets:
            yield f"交叉引用的书签“{known[1]}”不存在"
        if item.path and item.path not in properties and not BUILT_IN.fullmatch(item.path):
            yield f"域引用的文档属性“{item.path}”不存在"
    anchors = {*_values(root, "//w:hyperlink/@w:anchor")} - targets - {"_top"}
    yield from (f"链接指向的书签“{anchor}”不存在" for anchor in sorted(anchors))
    for text in map(plain_text, root.iter(qn("w:p"))):
        if _MARKS.search(text):
            yield f"留有未替换的占位“{clean(text)[:40]}”"
        elif _LEFT_OVER.search(text):
            yield f"疑似留有模板标记“{text[:40]}”"
