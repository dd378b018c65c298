# ruff: noqa: E501
"""Faults planted in the shipped template: each found with its place, all of them at once."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from docx.document import Document as WordDocument
from word_results import ROOT, STYLE, make_result

from evalkit.ooxml.oxml import field, run
from evalkit.report import evaluation
from evalkit.template import check as checking

OUTLINE = STYLE["outline"]["project_evaluation"]
REQUIRED = ("score.total", "score.grade")
Edit = Callable[[WordDocument], object]


@pytest.fixture(scope="module")
def sample(photos: Path) -> tuple[dict[str, Any], Mapping[str, Any]]:
    return evaluation.report_context(make_result(), {}, photos, "gbt9704")


def under(title: str, *texts: str) -> Edit:
    """Paragraphs put under a heading."""

    def edit(document: WordDocument) -> None:
        heading = next(p for p in document.paragraphs if p.text == title)
        for text in reversed(texts):
            heading._p.addnext(Document().add_paragraph(text)._p)

    return edit


def without(*texts: str) -> Edit:
    """Every paragraph that holds one of these goes, or the words themselves in one."""

    def edit(document: WordDocument) -> None:
        for p in document.paragraphs:
            if any(text in p.text for text in texts):
                p._p.getparent().remove(p._p)

    return edit


def cell(text: str) -> Edit:
    return lambda document: setattr(document.tables[0].cell(0, 2).paragraphs[0], "text", text)


def header(text: str) -> Edit:
    return lambda document: setattr(
        document.sections[1].even_page_header.paragraphs[0], "text", text
    )


def property_field(path: str, title: str = "有关建议") -> Edit:
    def edit(document: WordDocument) -> None:
        under(title, "数值：")(document)
        target = next(p for p in document.paragraphs if p.text == "数值：")
        target._p.extend(field(f'DOCPROPERTY "{path}"', [run("0")]))

    return edit


def rename_style(old: str, new: str) -> Edit:
    return lambda document: setattr(document.styles[old], "name", new)


FAULTS: list[tuple[Edit, str, str]] = [
    (under("有关建议", "总分{{ score.totl }}分"), "“有关建议”下的段落“总分{{ score.totl }}分”", "没有字段“score.totl”——是不是“score.total”？"),
    (under("有关建议", "{{ nothing }}"), "“有关建议”下", "没有字段“nothing”"),
    (under("有关建议", "{% if has.no_such %}{{ x_y }}{% endif %}"), "有关建议", "没有字段“x_y”"),
    (under("有关建议", "{%p for row in issues %}", "{{ row.titel }}", "{%p endfor %}"), "段落“{{ row.titel }}”", "没有字段“row.titel”——是不是“row.title”？"),
    (under("有关建议", "{% for row in issues if row.blah %}{{ loop.index }}{% endfor %}"), "有关建议", "没有字段“row.blah”"),
    (under("有关建议", "{{ score.total|rounded }}"), "有关建议", "没有字段“rounded”"),
    (under("有关建议", "{{ ''.__class__ }}"), "有关建议", "__class__"),
    (under("有关建议", "{{ block('no_table') }}"), "有关建议", "没有名为“no_table”的表或图"),
    (under("有关建议", "见{{ ref(“no_figure”) }}。"), "有关建议", "没有名为“no_figure”的表或图"),
    (under("有关建议", "{%p if issues %}"), "段落“{%p if issues %}”", "“{%p if issues %}”没有对应的结束"),
    (under("评价抽样", "{%p endfor %}"), "“评价抽样”下", "“{%p endfor %}”没有对应的开始"),
    (under("有关建议", "总分{{ score.total"), "有关建议", "花括号不成对"),
    (under("有关建议", "总分 score.total }}"), "有关建议", "花括号不成对"),
    (under("有关建议", "{{ score total }}"), "有关建议", "“{{ score total }}”写法有误"),
    (under("有关建议", "前文{%p if issues %}", "{%p endif %}"), "段落“前文{%p if issues %}”", "须单独成段"),
    (header("{{ headr }}"), "页眉的段落“{{ headr }}”", "没有字段“headr”——是不是“header”？"),
    (cell("{{ subject.clint }}"), "文首的单元格“{{ subject.clint }}”", "没有字段“subject.clint”——是不是“subject.client”？"),
    (property_field("score.totl"), "“有关建议”下的段落“数值：0”", "没有字段“score.totl”——是不是“score.total”？"),
    (property_field("{{ score.total }}"), "有关建议", "域代码中不能写模板字段"),
    (without("其他需要说明的问题"), "模板.docx：", "缺少必需的标题“其他需要说明的问题”"),
    (without("{{ score.grade }}"), "模板.docx：", "缺少必需的字段“score.grade”"),
    (rename_style("表格附注", "附注"), "模板.docx：", "没有样式“表格附注”"),
]  # fmt: skip


def check(template: Path, out: Path, sample: tuple[Any, Any], *edits: Edit) -> list[str]:
    document = Document(str(template))
    for edit in edits:
        edit(document)
    path = out / "模板.docx"
    document.save(str(path))
    context, blocks = sample
    paths = ["score.total", "score.grade", "document.header"]
    return [
        str(p) for p in checking.check_template(path, context, blocks, paths, OUTLINE, REQUIRED)
    ]


def test_the_shipped_template_is_sound(
    report_template: Path, tmp_path: Path, sample: tuple[Any, Any]
) -> None:
    assert check(report_template, tmp_path, sample) == []


@pytest.mark.parametrize(
    ("edit", "place", "said"), FAULTS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_planted_fault_is_found_with_its_place_and_nothing_else(
    report_template: Path, tmp_path: Path, sample: tuple[Any, Any], edit: Edit, place: str, said: str
) -> None:  # fmt: skip
    found = check(report_template, tmp_path, sample, edit)
    assert len(found) == 1 + ("no_such" in str(found) or "score.grade" in said)
    assert any(place in line and said in line for line in found), found


def test_all_faults_are_said_at_once(
    report_template: Path, tmp_path: Path, sample: tuple[Any, Any]
) -> None:
    edits = [edit for edit, _, said in FAULTS if "score.grade" not in said and "标题" not in said]
    found = check(report_template, tmp_path, sample, *edits)
    for _, _, said in [fault for fault in FAULTS if fault[0] in edits]:
        assert any(said in line for line in found), said


VALID = [
    "{{ score.total }}和“{{ score.grade|default('待定') }}”，{{ missing|default('无') }}",
    "{% if missing is defined %}有{% elif issues|length > 1 and not problems %}多{% else %}少{% endif %}",
    "{% for row in issues|sort(attribute='no') if row.title != '合计' %}{{ loop.index }}{{ row.title }}{{ '；' if not loop.last }}{% endfor %}",
    "{% for key, value in subject.items() %}{{ key }}{{ value|upper }}{% endfor %}",
    "{% set first = issues[0] %}{{ first.title }}、{{ issues[:1][0]['fact'] }}、{{ subject['name'] }}",
    "{{ range(3)|join('、') }}{# 说明 #}{{ ref('score_table') }}{{ subject.name.replace('项目', '') }}",
    "{%p for part in parts %}",
    "{%p if part.groups %}",
    "{%p for group in part.groups %}",
    "{{ group.name }}{% if group.indicators %}{% if part.name %}{{ group.indicators[0].title }}{% endif %}{% endif %}",
    "{%p endfor %}",
    "{%p endif %}",
    "{%p endfor %}",
]


def test_valid_templates_are_not_accused(
    report_template: Path, tmp_path: Path, sample: tuple[Any, Any]
) -> None:
    edits = (under("有关建议", *VALID), property_field("score.total"), property_field("Title"))
    assert check(report_template, tmp_path, sample, *edits) == []


def test_a_tag_that_word_split_into_runs_is_read_whole(
    report_template: Path, tmp_path: Path, sample: tuple[Any, Any]
) -> None:
    def split(document: WordDocument) -> None:
        under("有关建议", "{{ score.")(document)
        p = next(p for p in document.paragraphs if p.text == "{{ score.")
        p.add_run("to").bold = True
        p.add_run("tl }}")

    (found,) = check(report_template, tmp_path, sample, split)
    assert "没有字段“score.totl”" in found


def test_what_is_no_template_is_said(tmp_path: Path) -> None:
    path = tmp_path / "坏.docx"
    path.write_bytes(b"PK")
    (problem,) = checking.check_template(path, {}, (), (), (), ())
    assert str(problem).startswith("坏.docx：不是可用的 Word 模板")


def test_every_style_that_the_kit_sets_text_in_is_looked_for() -> None:
    sources = (ROOT / "evalkit" / "word").glob("*.py")
    asked = {name for path in sources
             for name in re.findall(r'\.style\("([^"]+)"\)', path.read_text(encoding="utf-8"))}  # fmt: skip
    assert asked - set(checking.STYLES) == set()
    assert len(asked) > 5
