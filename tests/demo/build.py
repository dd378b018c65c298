"""Make the demo list: tests/demo/sources/*.yaml → params/demo (format: FORMAT.md beside this file).

    python tests/demo/build.py [--only SLUG] [--out DIR]

Building twice gives equal content, so a rebuilt list shows no change.
"""

from __future__ import annotations

import argparse
import csv
import random
import zipfile
from collections.abc import Iterator
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pictures
import yaml
from docx import Document
from docx.document import Document as DocumentObject
from docx.oxml.ns import qn
from docx.shared import Cm, Pt

from evalkit.core.store import write_bytes
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema

ROOT = Path(__file__).resolve().parents[2]
SOURCES = Path(__file__).resolve().parent / "sources"
DEMO = ROOT / "params" / "demo"
FORMS = ("project", "texts")
TABLES = (
    "funds", "indicators", "data", "bands", "elements", "experts", "samples", "visits",
    "evidence", "issues", "adjustments", "changes", "self",
)  # fmt: skip
OTHER = ("slug", "order", "stage", "profile", "defaults", "survey", "narrative", "photos")
SECTIONS = (
    "项目背景", "主要内容及实施情况", "组织管理情况", "评价工作过程", "主要经验及做法", "有关建议",
    "其他需要说明的问题",
)  # fmt: skip
OPTIONS = ("非常满意", "满意", "一般", "不满意", "非常不满意", "不了解")
LIST_COLUMNS = ("code", "name", "notebook", "workbook", "stage", "profile")
_EPOCH = (2025, 1, 1, 0, 0, 0)


def load(path: Path) -> dict[str, Any]:
    """A source with its tables as lists of mappings; every scalar is text.

    Raises:
        ValueError: an unknown key, or a row longer than its columns.
    """
    with path.open(encoding="utf-8") as stream:
        source: dict[str, Any] = yaml.load(stream, Loader=yaml.BaseLoader)  # noqa: S506
    unknown = set(source) - {*FORMS, *TABLES, *OTHER}
    if unknown or source["slug"] != path.stem:
        raise ValueError(f"{path.name}：slug 须与文件名相同，未知的键 {sorted(unknown)}")
    defaults = source.get("defaults", {})
    for name in TABLES:
        rows = list(_rows(source.get(name, []), f"{path.name} {name}"))
        source[name] = [{**defaults.get(name, {}), **row} for row in rows]
    source["survey"] = _survey(source.get("survey", []), source["slug"])
    return source


def _rows(table: Any, where: str) -> Iterator[dict[str, str]]:
    blocks = table if isinstance(table, list) else [table]
    for block in blocks:
        if "columns" not in block:
            yield block
            continue
        for row in block["rows"]:
            if len(row) > len(block["columns"]):
                raise ValueError(f"{where}：{row[:2]} 的值多于列")
            yield dict(zip(block["columns"], row, strict=False))


def _survey(survey: Any, slug: str) -> list[dict[str, str]]:
    """One row a respondent. Answers are dealt from best to worst along a hidden inclination."""
    if not isinstance(survey, dict) or "groups" not in survey:
        return list(_rows(survey, f"{slug} survey"))
    rows: list[dict[str, str]] = []
    for group in survey["groups"]:
        count = int(group["count"])
        chance = random.Random(f"{slug}/{group['name']}")  # noqa: S311
        inclined = [chance.random() for _ in range(count)]
        answers: list[dict[str, str]] = [{} for _ in range(count)]
        for question, counts in zip(survey["questions"], group["answers"], strict=True):
            deck = [o for o, n in zip(OPTIONS, counts, strict=True) for _ in range(int(n))]
            if len(deck) != count:
                raise ValueError(f"{slug}：{group['name']}“{question}”的答数 {len(deck)} ≠ {count}")
            order = sorted(range(count), key=lambda i: inclined[i] + 0.5 * chance.random())
            for person, answer in zip(order, deck, strict=True):
                answers[person][question] = answer
        rows += [{"group": group["name"], **answer} for answer in answers]
    return [{"no": f"{i:03d}", **row} for i, row in enumerate(rows, 1)]


def photos(source: dict[str, Any]) -> dict[str, bytes]:
    """The drawings of a project, by relative path."""
    return {
        photo["file"]: pictures.draw(
            photo["scene"], int(photo.get("variant", "1")), f"{source['slug']}/{photo['file']}"
        )
        for photo in source["photos"]
    }


def narrative(source: dict[str, Any], drawn: dict[str, bytes]) -> bytes:
    """文字.docx: one 标题 1 a section, with paragraphs, lists, tables and pictures."""
    document = Document()
    for style, size in (("Normal", 12), ("Heading 1", 16), ("Heading 2", 14), ("Caption", 10.5)):
        font = document.styles[style].font
        font.name, font.size = "Times New Roman", Pt(size)
        fonts = document.styles[style].element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)
        fonts.set(qn("w:eastAsia"), "宋体" if style == "Normal" else "黑体")
    for section in source["narrative"]:
        if section["heading"] not in SECTIONS:
            raise ValueError(f"{source['slug']}：“{section['heading']}”不是报告的节名")
        document.add_heading(section["heading"], 1)
        for block in section["blocks"]:
            _block(document, block, drawn)
    stream = BytesIO()
    document.save(stream)
    return _still(stream.getvalue())


def _block(document: DocumentObject, block: Any, drawn: dict[str, bytes]) -> None:
    match block:
        case str():
            document.add_paragraph(block)
        case {"subheading": title}:
            document.add_heading(title, 2)
        case {"list": items}:
            for item in items:
                document.add_paragraph(item, style="List Bullet")
        case {"numbered": items}:
            for item in items:
                document.add_paragraph(item, style="List Number")
        case {"table": cells, "caption": caption}:
            document.add_paragraph(caption, style="Caption")
            table = document.add_table(len(cells), len(cells[0]), style="Table Grid")
            for row, texts in zip(table.rows, cells, strict=True):
                for cell, text in zip(row.cells, texts, strict=True):
                    cell.text = text
            document.add_paragraph()
        case {"picture": file, "caption": caption}:
            document.add_picture(BytesIO(drawn[file]), width=Cm(12))
            document.add_paragraph(caption, style="Caption")
        case _:
            raise ValueError(f"不认识的段落：{block}")


def _still(data: bytes) -> bytes:
    """The same package with the clock taken out of its members."""
    stream = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(data)) as old,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name, _EPOCH), old.read(name), zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def build(source: dict[str, Any], out: Path) -> None:
    """Write the folder of one project."""
    folder = out / source["slug"]
    drawn = photos(source)
    for file, data in drawn.items():
        write_bytes(folder / file, data)
    write_bytes(folder / "文字.docx", narrative(source, drawn))
    content = {name: source.get(name, {}) for name in FORMS}
    content |= {name: source[name] for name in (*TABLES, "survey")}
    write_blank(folder / "数据底稿.xlsx", load_schema("project_evaluation"), content)


def project_list(sources: list[dict[str, Any]]) -> str:
    """The text of projects.csv."""
    stream = StringIO()
    writer = csv.DictWriter(stream, LIST_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for source in sorted(sources, key=lambda s: (int(s["order"]), s["slug"])):
        writer.writerow(
            {
                "code": source["project"]["code"],
                "name": source["project"]["name"],
                "notebook": "project_evaluation",
                "workbook": f"{source['slug']}/数据底稿.xlsx",
                "stage": source["stage"],
                "profile": source.get("profile", "national"),
            }
        )
    return stream.getvalue()


def main() -> None:
    """Build all projects, or one, and the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="slug of the one project to build")
    parser.add_argument("--out", type=Path, default=DEMO)
    options = parser.parse_args()
    sources = [load(path) for path in sorted(SOURCES.glob("*.yaml"))]
    for source in sources:
        if options.only in (None, source["slug"]):
            build(source, options.out)
    listed = project_list(sources).encode("utf-8-sig")
    write_bytes(options.out / "projects.csv", listed)


if __name__ == "__main__":
    main()
