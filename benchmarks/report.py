"""A 30-indicator report, bound numbers and all, against the same report through docxtpl alone.

The plain template is the kit's own with its tables as docxtpl loops and its figures as inline
images. CPU time of this process, the best of several renderings taken in turn; then the cost of a
table by its rows, beyond what the same report costs without them.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from docx import Document
from docx.oxml.ns import qn
from docx.shared import Mm
from docxtpl import DocxTemplate, InlineImage
from PIL import Image

from evalkit.core.model import Result
from evalkit.core.paths import asset
from evalkit.ooxml.bind import document_fields, unbound
from evalkit.ooxml.oxml import plain_text
from evalkit.report import evaluation
from evalkit.report.figures import TITLES
from evalkit.word.blocks import Column, Figure, PhotoGrid, Table
from evalkit.word.render import render
from evalkit.workflows import project_evaluation as workflow

TEMPLATE = asset("templates", "project_evaluation.docx")
INDICATORS, ROWS = 30, (250, 500, 1000)


def thirty(result: Result) -> Result:
    """The result with so many indicators: what lacks is copied under codes of its own."""
    assert result.score is not None
    found = list(result.score.indicators)
    while len(found) < INDICATORS:
        place = len(found) * 7 % len(result.score.indicators)
        old = found[place]
        new = {"code": f"X{len(found)}", "level3": f"{old.level3}（补充{len(found)}）"}
        found.insert(place + 1, old.model_copy(update=new))
    card = result.score.model_copy(update={"indicators": tuple(found[:INDICATORS])})
    return result.model_copy(update={"score": card})


def plain_template(
    blocks: Mapping[str, Any], ours: Path, out: Path, template: Path = TEMPLATE
) -> Path:
    """The kit's template with a docxtpl loop for each table and an image for each figure.

    Captions and rows look as they do in the report the kit makes (`ours`): of each table it takes
    the heading and one row.
    """
    document, done = Document(str(template)), Document(str(ours))
    for paragraph in list(document.paragraphs):
        text = plain_text(paragraph._p).strip()
        if not text.startswith("{{ block("):
            continue
        name = text.split("'")[1]
        block = blocks[name]
        if isinstance(block, Table):
            paragraph._p.addprevious(_caption(done, name))
            paragraph._p.addprevious(_loop(done, name))
            paragraph.runs[0].text = ""
        elif isinstance(block, Figure):
            paragraph.runs[0].text = f"{{{{ {name} }}}}"
            paragraph._p.addnext(_caption(done, name))
        elif isinstance(block, PhotoGrid):
            paragraph.runs[0].text = f"{{%r for photo in {name} %}}{{{{ photo }}}}{{%r endfor %}}"
        else:
            paragraph.runs[0].text = ""
        for run in paragraph.runs[1:]:
            run._r.getparent().remove(run._r)
    document.save(str(out))
    return out


def _caption(done: Any, name: str) -> Any:
    marks = done.element.body.iter(qn("w:bookmarkStart"))
    start = next(mark for mark in marks if mark.get(qn("w:name")) == f"_Ref_{name}")
    return copy.deepcopy(next(start.iterancestors(qn("w:p"))))


def _loop(done: Any, name: str) -> Any:
    """A table of the report with its heading, and one row between the marks of a loop."""
    marks = done.element.body.iter(qn("w:bookmarkStart"))
    start = next(mark for mark in marks if mark.get(qn("w:name")) == f"_Ref_{name}")
    caption = next(start.iterancestors(qn("w:p")))
    table = copy.deepcopy(next(caption.itersiblings(qn("w:tbl"))))
    heading, row, *others = table.findall(qn("w:tr"))
    for other in others:
        table.remove(other)
    for number, paragraph in enumerate(cell.find(qn("w:p")) for cell in row.findall(qn("w:tc"))):
        for child in [c for c in paragraph if c.tag != qn("w:pPr")]:
            paragraph.remove(child)
        paragraph.add_r().text = f"{{{{ row[{number}] }}}}"
    opening, closing = copy.deepcopy(row), copy.deepcopy(row)
    for mark, said in ((opening, f"{{%tr for row in {name} %}}"), (closing, "{%tr endfor %}")):
        next(mark.iter(qn("w:t"))).text = said
    heading.addnext(opening)
    row.addnext(closing)
    return table


def bare(value: Any) -> Any:
    """Context values as a plain template takes them."""
    if isinstance(value, str):
        return unbound(value)
    if isinstance(value, Mapping):
        return {key: bare(item) for key, item in value.items()}
    return [bare(item) for item in value] if isinstance(value, list | tuple) else value


def plain(template: Path, context: Mapping[str, Any], blocks: Mapping[str, Any], out: Path) -> None:
    """The report through docxtpl alone."""
    engine = DocxTemplate(str(template))
    values = {**context, "ref": lambda name: "表1"}
    for name, block in blocks.items():
        if isinstance(block, Table):
            values[name] = bare(block.rows)
        elif isinstance(block, Figure):
            values[name] = InlineImage(engine, str(block.path), width=Mm(140))
        elif isinstance(block, PhotoGrid):
            values[name] = [InlineImage(engine, str(photo.path), width=Mm(70))
                            for photo in block.photos if photo.path]  # fmt: skip
    engine.render(values, autoescape=True)
    engine.save(str(out))


def best(times: int, *work: Callable[[], object]) -> list[float]:
    """CPU seconds of each piece of work, the best of several in turn."""
    found: list[list[float]] = [[] for _ in work]
    for _ in range(times):
        for each, seconds in zip(work, found, strict=True):
            begun = time.process_time()
            each()
            seconds.append(time.process_time() - begun)
    return [min(seconds) for seconds in found]


def filling(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Context and blocks of a demo project with thirty indicators."""
    data = workflow.load(workflow.Params(out=str(folder)))
    result = thirty(workflow.evaluate(data))
    drawn = {}
    for name in TITLES["project_evaluation"]:  # drawing is no part of rendering
        drawn[name] = folder / f"{name}.png"
        Image.new("RGB", (1800, 1000), "#1F4E79").save(drawn[name])
    style = str(data.policy.value("report_style"))
    return evaluation.report_context(result, drawn, data.path.parent, style)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--times", type=int, default=7, help="renderings of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context, blocks = filling(folder)
        render(TEMPLATE, context, folder / "ours.docx", blocks)
        template = plain_template(blocks, folder / "ours.docx", folder / "plain.docx")
        values = bare(context)
        ours, theirs = best(
            options.times,
            lambda: render(TEMPLATE, context, folder / "ours.docx", blocks),
            lambda: plain(template, values, blocks, folder / "theirs.docx"),
        )
        bound = [f for f in document_fields(Document(str(folder / "ours.docx"))) if f.path]
        rows = len(list(Document(str(folder / "theirs.docx")).element.body.iter(qn("w:tr"))))
        columns = [Column("编号", 1, "center"), Column("资料名称", 4), Column("页码", 1),
                   Column("金额", 2, "right"), Column("提供单位", 3)]  # fmt: skip

        def with_rows(count: int) -> Callable[[], object]:
            lines = [[f"9-{n}", f"第{n}号会计凭证及附件", str(n), f"{n}.00", "县环卫中心"]
                     for n in range(count)]  # fmt: skip
            table = replace(blocks["evidence_table"], columns=columns, rows=lines, keys=())
            mine = {**blocks, "evidence_table": table}
            return lambda: render(TEMPLATE, context, folder / "table.docx", mine)

        without, *tables = best(options.times, *map(with_rows, (1, *ROWS)))
    each = [(seconds - without) / count for seconds, count in zip(tables, ROWS, strict=True)]
    found: dict[str, float] = {
        "indicators": INDICATORS,
        "bound_fields": len(bound),
        "table_rows_in_plain_report": rows,
        "evalkit_cpu_seconds": round(ours, 3),
        "docxtpl_cpu_seconds": round(theirs, 3),
        "ratio": round(ours / theirs, 2),
    }
    for count, seconds in zip(ROWS, each, strict=True):
        found[f"ms_a_row_of_{count}"] = round(seconds * 1000, 3)
    found["ms_a_row_1000_to_250"] = round(each[-1] / each[0], 2)
    if options.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        print(f"{key:28}{value}")


if __name__ == "__main__":
    main()
