"""Drifts that happen to a report in Word, one operator each, and edits that must raise no alarm.

Each operator changes a docx in memory with a random source of its own (its name and the project),
so a failure comes back. `python tests/review/mutations.py` prints the table of docs/verify.md.
"""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random

from docx.document import Document as WordDocument
from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml

from evalkit.core.model import Result
from evalkit.ooxml.bind import document_fields, properties, set_properties, units
from evalkit.ooxml.oxml import Element, el, paragraph, plain_text, run

FIGURE = re.compile(r"\d+\.\d+|\d{3,}(?![号-])")


@dataclass(frozen=True)
class Operator:
    """One kind of drift: what it is called, the alarm it must raise, and how it is done."""

    title: str
    kind: str
    apply: Callable[[WordDocument, Result, Random], None]


OWN: set[str] = set()  # keys of the units that came from the evaluator's own 文字.docx
OPERATORS: dict[str, Operator] = {}
HARMLESS: dict[str, Operator] = {}


def drift(title: str, kind: str):
    return lambda f: OPERATORS.setdefault(f.__name__, Operator(title, kind, f)) and f


def harmless(title: str):
    return lambda f: HARMLESS.setdefault(f.__name__, Operator(title, "", f)) and f


# --- helpers --------------------------------------------------------------------------------


def other(figure: str, random: Random) -> str:
    """Another figure of the same shape, far enough to be no rounding."""
    digit = random.choice([n for n, c in enumerate(figure.split(".")[0]) if c.isdigit()])
    new = str((int(figure[digit]) + random.randint(1, 8)) % 10)
    changed = figure[:digit] + (new if digit or new != "0" else "9") + figure[digit + 1 :]
    return changed if changed != figure else other(figure, random)


def fields(document: WordDocument):
    return [f for f in document_fields(document) if f.path and FIGURE.fullmatch(f.text.rstrip("%"))]


def texts(
    document: WordDocument, pattern: str | re.Pattern[str], tables: bool = False, own: bool = False
) -> list[Element]:
    """Text nodes of generated paragraphs (or table rows), not of field results; or one's own."""
    body = document.element.body
    bound = {t for f in document_fields(document) for r in f.result for t in r.iter(qn("w:t"))}
    found = []
    for unit in units(body).values():
        if unit.row == tables and (unit.key in OWN) == own:
            nodes = (t for node in unit.nodes for t in node.iter(qn("w:t")))
            found += [t for t in nodes if t not in bound and re.search(pattern, t.text or "")]
    return found


def swap(node: Element, pattern: str | re.Pattern[str], new: Callable[[str], str]) -> None:
    node.text = re.sub(pattern, lambda m: new(m[0]), node.text, count=1)


def body_paragraphs(document: WordDocument) -> list[Element]:
    """Paragraphs of running text, from the first numbered heading on."""
    body = [p for p in document.element.body.iterchildren(qn("w:p")) if plain_text(p)]
    styles = {s.style_id: s.name for s in document.styles}
    start = next(n for n, p in enumerate(body) if styles.get(p.style or "") == "Heading 1")
    return [p for p in body[start:] if styles.get(p.style or "") == "Body Text"]


def say(document: WordDocument, random: Random, *content: str | Element) -> Element:
    """A new paragraph somewhere in the running text."""
    anchor = random.choice(body_paragraphs(document))
    new = paragraph(anchor.style, *content)
    anchor.addnext(new)
    return new


def tables(document: WordDocument, *heads: str) -> Iterator[Element]:
    for table in document.element.body.iter(qn("w:tbl")):
        first = [plain_text(c) for c in table.tr_lst[0].tc_lst]
        if all(any(head in cell for cell in first) for head in heads):
            yield table


def put(cell: Element, text: str) -> None:
    nodes = list(cell.iter(qn("w:t")))
    for node in nodes[1:]:
        node.text = ""
    nodes[0].text = text


def column(table: Element, head: str) -> int:
    return next(n for n, c in enumerate(table.tr_lst[0].tc_lst) if head in plain_text(c))


def money(result: Result, key: str) -> Decimal:
    return result.values[f"funds.{key}"] / 10_000


def signatures(document: WordDocument) -> Element:
    return next(t for t in document.element.body.iter(qn("w:tbl")) if "签名" in plain_text(t))


# --- bound numbers --------------------------------------------------------------------------


@drift("改动绑定的数（域结果）", "field")
def field_result(document, result, random):
    field = random.choice(fields(document))
    put(field.result[0], other(field.text, random))


@drift("改动绑定的数，改后分在两个文字段里", "field")
def field_in_two_runs(document, result, random):
    field = random.choice(fields(document))
    new = other(field.text, random)
    put(field.result[0], new[:1])
    field.result[0].addnext(run(new[1:]))


@drift("以修订方式改动绑定的数", "field")
def field_tracked(document, result, random):
    field = random.choice(fields(document))
    old, new = field.result[0], run(other(field.text, random))
    inserted = el("ins", new, id=9001, author="审阅人", date="2025-07-01T00:00:00Z")
    deleted = el("del", id=9002, author="审阅人", date="2025-07-01T00:00:00Z")
    old.addprevious(inserted)
    old.addprevious(deleted)
    deleted.append(old)
    for node in old.iter(qn("w:t")):
        node.tag = qn("w:delText")


@drift("改动文档属性", "property")
def property_value(document, result, random):
    known = {k: v for k, v in properties(document).items() if FIGURE.fullmatch(v.rstrip("%"))}
    path = random.choice(sorted(known))
    set_properties(document, {path: other(known[path], random)}, keep=True)


@drift("域改成了普通文字", "unbound")
def field_unlinked(document, result, random):
    field = random.choice(fields(document))
    field.result[0].addprevious(run(field.text))
    for node in field.marks:
        node.getparent().remove(node)


@drift("域引用了结果中没有的名称", "path")
def field_unknown(document, result, random):
    field = random.choice(fields(document))
    for node in (n for mark in field.marks for n in mark.iter(qn("w:instrText"))):
        node.text = node.text.replace(field.path, "score.totals")


# --- generated text and tables --------------------------------------------------------------


@drift("生成的段落：数字改动", "text")
def generated_figure(document, result, random):
    swap(random.choice(texts(document, FIGURE)), FIGURE, lambda f: other(f, random))


@drift("生成的段落：年份改动", "text")
def generated_year(document, result, random):
    swap(random.choice(texts(document, "2024年")), "2024年", lambda _: "2023年")


@drift("生成的段落：文号改动", "text")
def generated_document_number(document, result, random):
    swap(random.choice(texts(document, "〔2020〕10号")), "〔2020〕10号", lambda _: "〔2021〕10号")


@drift("生成的段落：万元写成元", "text")
def generated_unit(document, result, random):
    swap(random.choice(texts(document, r"\d万元")), "(?<=\\d)万元", lambda _: "元")


@drift("生成的段落：改用全角数字并改动", "text")
def generated_full_width(document, result, random):
    wide = str.maketrans("0123456789.", "０１２３４５６７８９．")
    node = random.choice(texts(document, FIGURE))
    swap(node, FIGURE, lambda f: other(f, random).translate(wide))


@drift("生成的段落：单位名称换成别的单位", "text")
def generated_name(document, result, random):
    unit = result.subject["client"]
    swap(random.choice(texts(document, unit)), unit, lambda _: "乙市审计局")


@drift("整段重打：书签和域都没了，数字也改了", "text")
def paragraph_retyped(document, result, random):
    bound = {t for f in document_fields(document) for r in f.result for t in r.iter(qn("w:t"))}
    own = {next(u.start.iterancestors(qn("w:p"))) for key, u in
           units(document.element.body).items() if key in OWN}  # fmt: skip
    plain = [p for p in document.paragraphs if p._p in body_paragraphs(document)
             and p._p not in own and re.search(r"\d\.\d", p.text)
             and not bound & {*p._p.iter(qn("w:t"))}]  # fmt: skip
    found = random.choice(plain)
    found.text = re.sub(r"\d+\.\d+", lambda m: other(m[0], random), found.text, count=1)


@drift("大表：单元格重打，数字也改了", "row")
def cell_retyped(document, result, random):
    rows = next(tables(document, "编号", "资料名称")).tr_lst[1:]
    row = random.choice(rows)
    number = plain_text(row.tc_lst[0])
    first = row.tc_lst[0].p_lst[0]
    for child in [c for c in first if c.tag != qn("w:pPr")]:
        first.remove(child)
    first.append(run(number.translate(str.maketrans("123456789", "912345678"))))


@drift("大表：单元格中的数字改动", "text")
def row_figure(document, result, random):
    swap(random.choice(texts(document, FIGURE, tables=True)), FIGURE, lambda f: other(f, random))


@drift("评分表少一行", "row")
def row_deleted(document, result, random):
    table = next(tables(document, "三级指标", "评分标准"))
    table.remove(random.choice(table.tr_lst[2:-1]))


@drift("问题清单少一行", "row")
def issue_deleted(document, result, random):
    table = next(tables(document, "编号", "分类"))
    table.remove(random.choice(table.tr_lst[1:]))


# --- free prose -----------------------------------------------------------------------------


@drift("自由文字：总分与结果不符", "claim")
def total_contradicted(document, result, random):
    say(document, random, f"经核定，本项目总分为{random.randint(20, 55)}.50分。")


@drift("自由文字：总分用汉字分段书写且不符", "claim")
def total_split(document, result, random):
    say(document, random, "该项目综合得分", "３", "７", ".5", "分，需要改进。")


@drift("自由文字：执行率与结果不符", "claim")
def execution_contradicted(document, result, random):
    known = "funds.execution_rate" in result.values  # a draft may not know it yet
    words = "预算执行率" if known else "资金到位率"
    say(document, random, f"截至年末，{words}达到{random.randint(11, 55)}.37%，总体规范。")


@drift("自由文字：到位率用“百分之…”且不符", "claim")
def arrival_in_words(document, result, random):
    say(document, random, "资金到位率为百分之四十三，保障了项目实施。")


@drift("自由文字：得分率与结果不符", "claim")
def score_rate_contradicted(document, result, random):
    say(document, random, "综合来看，总体得分率为31.17%，仍有提升空间。")


@drift("自由文字：满意度与结果不符", "claim")
def satisfaction_contradicted(document, result, random):
    say(document, random, "调查显示，服务对象满意度为41.07%。")


@drift("自由文字：预算金额与结果不符（带千分位）", "claim")
def budget_contradicted(document, result, random):
    say(document, random, f"项目全年预算{money(result, 'budget') + 1234:,.2f}万元，由县财政安排。")


@drift("自由文字：预算金额单位有误（万元写成元）", "unit")
def free_unit(document, result, random):
    say(document, random, f"评价涉及资金{money(result, 'budget'):.2f}元，全部纳入评价范围。")


@drift("自由文字：预算金额单位有误（万元写成亿元）", "unit")
def free_unit_large(document, result, random):
    say(document, random, f"评价涉及资金{money(result, 'initial'):.2f}亿元。")


@drift("文本框：总分与结果不符", "claim")
def text_box(document, result, random):
    inner = "<w:p><w:r><w:t>评价总分为33.30分</w:t></w:r></w:p>"
    box = parse_xml(
        '<w:r xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
        'xmlns:v="urn:schemas-microsoft-com:vml"><w:pict><v:rect style="width:99pt;height:30pt">'
        f"<v:textbox><w:txbxContent>{inner}</w:txbxContent></v:textbox></v:rect></w:pict></w:r>"
    )
    say(document, random, "评价结果如框所示。", box)


@drift("脚注：总分与结果不符", "claim")
def footnote(document, result, random):
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    notes = (
        f'<w:footnotes xmlns:w="{space}"><w:footnote w:id="2"><w:p><w:r><w:t>评价总分为33.30分'
        "</w:t></w:r></w:p></w:footnote></w:footnotes>"
    )
    part = Part(
        PackURI("/word/footnotes.xml"),
        CONTENT_TYPE.WML_FOOTNOTES,
        notes.encode(),
        document.part.package,
    )
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    say(document, random, "详见脚注。", el("r", el("footnoteReference", id=2)))


@drift("页眉：总分与结果不符", "claim")
def header_text(document, result, random):
    header = document.sections[1].header
    header.paragraphs[0].insert_paragraph_before(f"{result.name}　总分为33.30分")


@drift("附件：等级与结果不符", "grade")
def grade_in_annex(document, result, random):
    last = body_paragraphs(document)[-1]
    last.addnext(paragraph(last.style, "综上，项目评价等级为“差”。"))


# --- arithmetic -----------------------------------------------------------------------------


@drift("资金表：合计行改动", "sum")
def total_row(document, result, random):
    table = next(tables(document, "资金来源", "年初预算"))
    n = column(table, "年初预算")
    cell = table.tr_lst[-1].tc_lst[n]
    put(cell, other(plain_text(cell), random))


@drift("资金表：分项改动", "sum")
def part_row(document, result, random):
    table = next(tables(document, "资金来源", "年初预算"))
    cell = random.choice(table.tr_lst[1:-1]).tc_lst[column(table, "年初预算")]
    put(cell, other(plain_text(cell), random))


@drift("新表：合计与分项不符", "sum")
def new_table(document, result, random):
    add_table(
        document, [["项目", "金额（万元）"], ["甲", "12.50"], ["乙", "30.20"], ["合计", "52.70"]]
    )


@drift("新表：得分高于分值", "score")
def score_above_points(document, result, random):
    add_table(document, [["指标", "分值", "得分"], ["甲", "5", "6"], ["乙", "5", "4"]])


@drift("新表：等级与得分不符", "grade")
def table_grade(document, result, random):
    add_table(document, [["项目", "得分", "等级"], ["甲", "92", "优"], ["乙", "89.99", "优"]])


@drift("抽样表：覆盖率与分子分母不符", "ratio")
def coverage(document, result, random):
    table = next(tables(document, "样本数量", "数量覆盖率"))
    n = column(table, "数量覆盖率")
    cell = random.choice([r.tc_lst[n] for r in table.tr_lst[1:] if plain_text(r.tc_lst[n])])
    put(cell, other(plain_text(cell), random))


@drift("得分表：得分率与得分、分值不符", "ratio")
def score_rate_cell(document, result, random):
    table = next(tables(document, "一级指标", "得分率"))
    cell = table.tr_lst[1].tc_lst[column(table, "得分率")]
    put(cell, other("73.19", random) + "%")
    for mark in list(cell.iter(qn("w:fldChar"), qn("w:instrText"))):
        mark.getparent().getparent().remove(mark.getparent())


@drift("文字：合计与前列各项不符", "sum")
def text_sum(document, result, random):
    say(document, random, "其他支出中，印刷费12.30万元、差旅费4.50万元，合计18.60万元。")


@drift("文字：其中各项之和超过总数", "sum")
def text_parts(document, result, random):
    say(document, random, "另安排工作经费共计20.00万元，其中培训费12.00万元、会议费9.00万元。")


@drift("文字：比率与分子分母不符", "ratio")
def text_ratio(document, result, random):
    say(document, random, "另一项调查情况：发放问卷200份，回收问卷180份，问卷回收率93.50%。")


@drift("文字：增减额、增幅与两数不符", "ratio")
def text_change(document, result, random):
    say(document, random, "收入792.22万元，比上年增加189.25万元，增长13.39%。")


@drift("大写金额与小写不符", "words")
def money_in_words(document, result, random):
    say(document, random, "合同价款（大写）：壹佰贰拾万元整（￥1,020,000.00）。")


# --- names, years, gaps ---------------------------------------------------------------------


@drift("实施单位名称错一字", "name")
def unit_misspelt(document, result, random):
    unit = result.subject["unit"].split("、")[0]
    n = random.randrange(1, len(unit) - 1)
    say(document, random, f"评价组走访了{unit[:n]}卍{unit[n + 1 :]}，查阅了台账。")


@drift("封面的评价机构与别处不同", "name")
def cover_agency(document, result, random):
    cover = next(t for t in document.element.body.iter(qn("w:tbl")) if "委托方" in plain_text(t))
    row = next(r for r in cover.tr_lst if "评价机构" in plain_text(r))
    put(row.tc_lst[-1], "乙省某某咨询公司")


@drift("基本信息表的主管部门与别处不同", "name")
def department_in_table(document, result, random):
    table = next(t for t in document.element.body.iter(qn("w:tbl")) if "主管部门" in plain_text(t))
    row = next(r for r in table.tr_lst if "主管部门" in plain_text(r))
    put(row.tc_lst[-1], "乙县水务局")


@drift("页眉的项目名称与封面不同", "name")
def header_name(document, result, random):
    node = next(document.sections[1].header._element.iter(qn("w:t")))
    put(node.getparent(), "上年度某某项目支出绩效评价报告")


@drift("某处的评价年度不同", "year")
def year_elsewhere(document, result, random):
    year = int(result.subject["year"]) - 1
    say(document, random, f"{year}年度{result.name}的评价工作按计划完成。")


@drift("标题下没有内容", "empty")
def section_emptied(document, result, random):
    styles = {s.style_id: s.name for s in document.styles}
    headings = [p for p in document.element.body.iterchildren(qn("w:p"))
                if styles.get(p.style or "") == "Heading 4"]  # fmt: skip
    heading = random.choice(headings)
    while (after := heading.getnext()) is not None and after not in headings:
        if styles.get(getattr(after, "style", "") or "", "").startswith("Heading"):
            break
        after.getparent().remove(after)


@drift("留有占位符", "placeholder")
def placeholder(document, result, random):
    mark = random.choice(["XX", "××", "【请填写】", "____", "待定", "TODO", "？？？"])
    say(document, random, f"本项目由{mark}负责实施。")


@drift("签署块少一行", "signature")
def signature_row(document, result, random):
    table = signatures(document)
    table.remove(next(r for r in table.tr_lst if "主评人" in plain_text(r)))


@drift("签署块没有主评人姓名", "signature")
def signature_name(document, result, random):
    row = next(r for r in signatures(document).tr_lst if "主评人" in plain_text(r))
    put(row.tc_lst[1], "")


# --- what must raise no alarm ---------------------------------------------------------------


@harmless("同一个数换一种写法")
def same_figure(document, result, random):
    node = random.choice(texts(document, r"\d\.\d0(?!\d)"))
    swap(node, r"(\d\.\d)0(?!\d)", lambda f: f[:-1])


@harmless("两行对调")
def rows_swapped(document, result, random):
    for table in tables(document, "编号", "资料名称"):
        table.tr_lst[2].addprevious(table.tr_lst[3])


@harmless("自由文字中引用别处的数")
def quoted_figures(document, result, random):
    say(document, random, "据统计年鉴，全省同类项目平均支出强度为317.46万元，完成度71.93%。")


@harmless("“文字.docx”写入的段落：数字改动")
def own_figure(document, result, random):
    for node in texts(document, FIGURE, own=True)[:1]:
        swap(node, FIGURE, lambda f: other(f, random))


@harmless("改写词句而不动数字")
def reworded(document, result, random):
    node = random.choice([t for t in texts(document, "。") if not FIGURE.search(t.text)])
    node.text = node.text.replace("。", "，情况属实。", 1)


@harmless("段落移动")
def moved(document, result, random):
    anchor = random.choice(body_paragraphs(document))
    anchor.addnext(say(document, random, "本段由复核人调整了位置。"))


@harmless("加粗、加批注")
def commented(document, result, random):
    found = random.choice([p for p in document.paragraphs if p.runs and p.text])
    found.runs[0].bold = True
    document.add_comment(found.runs[0], text="总分应为12分？", author="复核人")


def add_table(document: WordDocument, rows: list[list[str]]) -> None:
    made = document.add_table(len(rows), len(rows[0]))
    for row, cells in zip(made.rows, rows, strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    body_paragraphs(document)[3].addnext(copy.deepcopy(made._tbl))
    made._tbl.getparent().remove(made._tbl)


def table() -> str:
    """The table of docs/verify.md."""
    lines = ["| 改动 | 报出 |", "|---|---|"]
    lines += [f"| {o.title} | `verify.{o.kind}` |" for o in OPERATORS.values()]
    return "\n".join([*lines, *(f"| {o.title} | 不报警 |" for o in HARMLESS.values())]) + "\n"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.stdout.write(table())
