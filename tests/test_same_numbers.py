"""Report, 底稿, result.json, summary and front page of every demo project carry the same numbers.

The demo list is run once, as a person runs it; everything is then read back with other means than
those that wrote it.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import zipfile
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pytest
import support
import yaml
from docx.table import Table
from docx.text.paragraph import Paragraph
from filelock import FileLock
from lxml import etree, html
from openpyxl.utils import range_boundaries
from tools import excel

from evalkit.batch.run import run_batch
from evalkit.scoring import rules

GAP = "待补充"
PROJECTS = support.demo_projects()
of_each_project = pytest.mark.parametrize(
    "code", [p.code for p in PROJECTS], ids=[p.workbook.parent.name for p in PROJECTS]
)
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SCORES = ["一级指标", "二级指标", "三级指标", "分值", "评分标准", "评价情况", "得分", "扣分原因"]


@pytest.fixture(scope="session")
def outputs(tmp_path_factory) -> Path:
    """One batch over the demo list, shared by all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    out, done = root / "demo-outputs", root / "demo-outputs.done"
    with FileLock(root / "demo-outputs.lock"):
        if not done.exists():
            outcome = run_batch(support.DEMO / "projects.csv", out, jobs=2)
            done.write_text("\n".join(str(o.failure) for o in outcome.failed), encoding="utf-8")
    assert done.read_text(encoding="utf-8") == "", "a demo project failed"
    return out


@dataclass(frozen=True)
class Delivered:
    """One project's files, as a stranger reads them."""

    folder: Path

    @cached_property
    def result(self) -> dict[str, Any]:
        return json.loads((self.folder / "result.json").read_text(encoding="utf-8"))["result"]

    @property
    def card(self) -> dict[str, Any]:
        return self.result["score"]

    @cached_property
    def content(self) -> list[Paragraph | Table]:
        return list(docx.Document(str(self.folder / "评价报告.docx")).iter_inner_content())

    @cached_property
    def paragraphs(self) -> list[Paragraph]:
        return [item for item in self.content if isinstance(item, Paragraph)]

    @cached_property
    def text(self) -> str:
        return "\n".join(p.text for p in self.paragraphs)

    @cached_property
    def grids(self) -> list[list[list[str]]]:
        tables = [item for item in self.content if isinstance(item, Table)]
        return [[[c.text for c in row.cells] for row in t.rows] for t in tables]

    def table(self, *header: str) -> list[list[str]]:
        """The rows below the header of the one table whose header begins so."""
        plain = [[[c.replace("\n", "") for c in row] for row in grid] for grid in self.grids]
        (found,) = (grid for grid in plain if grid[0][: len(header)] == list(header))
        return found[1:]

    def under(self, title: str, style: str) -> str:
        """Text below a heading, up to the next heading."""
        place = next(
            n for n, p in enumerate(self.paragraphs) if p.style.name == style and p.text == title
        )
        rest = self.paragraphs[place + 1 :]
        return "\n".join(
            p.text
            for p in itertools.takewhile(lambda p: not p.style.name.startswith("Heading"), rest)
        )

    @cached_property
    def cached(self) -> Any:
        return openpyxl.load_workbook(self.folder / "底稿.xlsx", data_only=True)

    @cached_property
    def formulas(self) -> Any:
        return openpyxl.load_workbook(self.folder / "底稿.xlsx")


@cache
def _delivered(out: Path, code: str) -> Delivered:
    (folder,) = out.glob(f"{code}_*")
    return Delivered(folder)


@pytest.fixture
def project(outputs: Path, code: str) -> Delivered:
    return _delivered(outputs, code)


@cache
def _summary(out: Path) -> Any:
    return openpyxl.load_workbook(out / "summary.xlsx", data_only=True)


def _rows(out: Path, sheet: str) -> list[dict[str, Any]]:
    rows = list(_summary(out)[sheet].iter_rows(min_row=2, values_only=True))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def _line(out: Path, code: str) -> dict[str, Any]:
    (row,) = (row for row in _rows(out, "汇总") if row["项目编码"] == code)
    return row


def _number(value: float | int) -> Decimal:
    """A cell's float as the decimal it stands for."""
    return Decimal(repr(value))


def _two(value: Decimal | str) -> str:
    return str(Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _wan(yuan: str) -> str:
    return _two(Decimal(yuan) / 10_000)


# --- scores -----------------------------------------------------------------------------------


@of_each_project
def test_the_score_table_of_the_report_holds_the_scores_of_the_result(project):
    rows = project.table(*_SCORES)[:-1]
    indicators = project.card["indicators"]
    assert [r[:3] for r in rows] == [[i["level1"], i["level2"], i["level3"]] for i in indicators]
    assert [Decimal(r[3]) for r in rows] == [Decimal(i["points"]) for i in indicators]
    assert [r[6] for r in rows] == [
        GAP if i["score"] is None else _two(i["score"]) for i in indicators
    ]
    for row, i in zip(rows, indicators, strict=True):
        assert bool(row[7]) == (Decimal(i["lost"] or 0) > 0 or i["adjustment"] is not None)


@of_each_project
def test_each_indicators_paragraph_says_its_score_rate_and_loss(project):
    start, end = (
        next(n for n, p in enumerate(project.paragraphs) if p.text == title)
        for title in ("绩效评价指标分析", "主要经验及做法、存在的问题及原因分析")
    )
    titles = [p.text for p in project.paragraphs[start:end] if p.style.name == "Heading 4"]
    indicators = project.card["indicators"]
    assert titles == [
        f"{i['level3']}（{Decimal(i['points']).normalize():f}分）" for i in indicators
    ]
    for title, i in zip(titles, indicators, strict=True):
        text = project.under(title, "Heading 4")
        awarded = re.findall(r"得(\d+\.\d\d)分，得分率(\d+\.\d\d)%", text)
        lost = re.findall(r"扣减?([\d.]+)分(?:，原因是|。扣分原因|，主要因为)", text)
        if i["score"] is None:
            assert not awarded and not lost and f"得分{GAP}" in text
            continue
        assert awarded == [(_two(i["score"]), _two(i["rate"]))]
        assert Decimal(i["points"]) - Decimal(i["score"]) == sum(map(Decimal, lost))
        rate = Fraction(i["score"]) / Fraction(i["points"]) * 100
        assert abs(Fraction(i["rate"]) - rate) <= Fraction(1, 200)


@of_each_project
def test_each_sheet_of_the_working_papers_holds_its_indicators_score(project):
    for i in project.card["indicators"]:
        cells: dict[str, Any] = {}
        for row in project.cached[i["code"]].iter_rows():
            cells.setdefault(row[0].value, row)  # 计算得分 stands again in an adjustment's table
        assert cells["指标名称"][1].value == f"{i['code']}　{i['level3']}"
        assert _number(cells["分值"][1].value) == Decimal(i["points"])
        if i["score"] is None:
            assert cells["得分"][1].value == GAP
            continue
        assert _number(cells["得分"][1].value) == Decimal(i["score"])
        assert _number(cells["计算得分"][1].value) == Decimal(i["trace"]["computed"])
        assert _number(cells["得分"][3].value) == Decimal(i["lost"])


@of_each_project
def test_the_shares_of_evaluation_points_in_the_working_papers_add_up_to_a_whole(project):
    seen = 0
    for i in project.card["indicators"]:
        if not i["elements"]:
            continue
        rows = [[c.value for c in row] for row in project.cached[i["code"]].iter_rows()]
        start = next(n for n, row in enumerate(rows) if row[0] == "要点") + 1
        shares = [row[2] for row in rows[start : start + len(i["elements"])]]
        whole = sum(Decimal(share.removesuffix("%")) for share in shares)
        assert abs(whole - 100) <= Decimal("0.05") * len(shares), f"{i['code']}: {shares}"
        seen += 1
    assert seen >= 5


@of_each_project
def test_the_printed_column_adds_up_to_the_printed_total(project):
    *rows, last = project.table(*_SCORES)
    assert last[0] == "合计"
    assert sum(Decimal(row[3]) for row in rows) == Decimal(last[3]) == 100
    if project.card["total"] is None:
        assert last[6] == "暂计"
        known = sum(Decimal(row[6]) for row in rows if row[6] != GAP)
        open_points = sum(Decimal(row[3]) for row in rows if row[6] == GAP)
        low, high = _two(known), _two(known + open_points)
        assert (low, high) == (_two(project.card["low"]), _two(project.card["high"]))
        assert f"{low}～{high}" in last[5]
    else:
        assert sum(Decimal(row[6]) for row in rows) == Decimal(last[6])
        assert last[6] == _two(project.card["total"])


@of_each_project
def test_the_level_1_subtotals_are_the_same_in_table_prose_papers_and_summary(
    project, outputs, code
):
    *rows, last = project.table("一级指标", "分值", "得分", "得分率")
    score_rows = project.table(*_SCORES)[:-1]
    groups = [g for g in project.card["groups"] if not g["level2"]]
    assert [row[0] for row in rows] == [g["level1"] for g in groups]
    line = _line(outputs, code)
    book = project.cached["汇总"]
    totals = {row[1].value: row for row in book.iter_rows() if row[1].value}
    for row, group in zip(rows, groups, strict=True):
        name = group["level1"]
        printed = [r[6] for r in score_rows if r[0] == name]
        text = project.under(f"项目{name}情况", "Heading 2")
        assert Decimal(row[1]) == Decimal(group["points"])
        if group["score"] is None:
            assert GAP in printed and row[2] == row[3] == GAP and f"小计{GAP}" in text
            assert line[f"{name}得分"] is None
            continue
        assert row[2] == _two(sum(map(Decimal, printed))) == _two(group["score"])
        assert row[3] == f"{_two(group['rate'])}%"
        assert f"得{row[2]}分，得分率{row[3]}。" in text
        assert _number(line[f"{name}得分"]) == Decimal(group["score"])
        assert _number(totals[f"{name}合计"][5].value) == Decimal(group["score"])
        assert _number(totals[f"{name}合计"][6].value) * 100 == Decimal(group["rate"])
        if project.card["total"] is not None:
            said = [p.text for p in project.paragraphs if p.text.startswith("从一级指标看")]
            assert len(said) == 2 and all(f"{name}{row[3]}" in text for text in said)
    if project.card["total"] is not None:
        assert sum(Decimal(row[2]) for row in rows) == Decimal(last[2])


@of_each_project
def test_total_and_grade_are_the_same_in_summary_conclusion_papers_list_and_front_page(
    project, outputs, code
):
    card, line = project.card, _line(outputs, code)
    table = project.table("一级指标", "分值", "得分", "得分率")[-1]
    said = re.findall(r"得([\d.]+)分（满分100分），得分率([\d.]+)%，评价等级为“(.)”", project.text)
    cover = {row[0].value: row for row in project.cached["汇总"].iter_rows() if row[0].value}
    page = html.parse(str(outputs / "index.html")).getroot()
    (listed,) = (
        " ".join(row.itertext())
        for row in page.iterfind(".//tbody/tr")
        if code in " ".join(row.itertext()) and row.find(".//a") is not None
    )
    if card["total"] is None:
        span = [_two(card["low"]), _two(card["high"])]
        assert said == [] and card["grade"] == ""
        found = re.findall(r"总分暂计：最低([\d.]+)分、最高([\d.]+)分，暂不评定等级", project.text)
        assert found == [tuple(span)] * 2
        assert re.findall(r"[\d.]+", table[2]) == re.findall(r"[\d.]+", str(line["总分"])) == span
        assert line["等级"] == "—"
        assert all(bound in cover["评价得分"][6].value for bound in span)
        assert _two(_number(cover["评价得分"][1].value)) == span[0]
        assert all(bound in listed for bound in span)
        return
    total, rate, grade = _two(card["total"]), _two(card["rate"]), card["grade"]
    assert said == [(total, rate, grade)] * 2
    assert table[2:] == [total, f"{rate}%"]
    assert (_number(line["总分"]), _number(line["得分率（%）"])) == (Decimal(total), Decimal(rate))
    assert line["等级"] == grade
    assert (_number(cover["评价得分"][1].value), cover["评价得分"][6].value) == (
        Decimal(total),
        grade,
    )
    assert total in listed and grade in listed
    if card["grade_note"]:
        assert project.text.count(card["grade_note"]) == 2
        assert card["grade_note"] in [c.value for c in cover["总计"]]


@of_each_project
def test_an_adjusted_score_is_shown_beside_the_computed_one(project, outputs, code):
    changed = [i for i in project.card["indicators"] if i["adjustment"]]
    line = _line(outputs, code)
    assert line["调分项数"] == len(changed)
    rows = [row for row in _rows(outputs, "调分") if row["项目编码"] == code]
    assert [row["指标编号"] for row in rows] == [i["code"] for i in changed]
    ledger = list(project.cached["调分记录"].iter_rows(min_row=3, values_only=True))
    for i, row in zip(changed, rows, strict=True):
        old, new = Decimal(i["adjustment"]["computed"]), Decimal(i["adjustment"]["adjusted"])
        assert (_number(row["计算得分"]), _number(row["调整后得分"])) == (old, new)
        assert (Decimal(i["trace"]["computed"]), Decimal(i["score"])) == (old, new)
        (mine,) = (r for r in ledger if r[0] == i["code"])
        assert (_number(mine[2]), _number(mine[3])) == (old, new)
        sheet = [[c.value for c in r] for r in project.cached[i["code"]].iter_rows()]
        head = next(n for n, r in enumerate(sheet) if "调分记录" in str(r[0]))
        numbers = [v for row in sheet[head : head + 3] for v in row if isinstance(v, int | float)]
        assert [_number(v) for v in numbers] == [old, new]
        (printed,) = project.table("三级指标", "计算得分", "调整后得分")
        assert [Decimal(v) for v in printed[1:3]] == [old, new]
        said = re.findall(rf"{i['level3']}由([\d.]+)分调整为([\d.]+)分", project.text)
        assert [tuple(map(Decimal, pair)) for pair in said] == [(old, new)] * 2
    if changed and project.card["total"] is not None:
        gain = sum(
            Decimal(i["adjustment"]["adjusted"]) - Decimal(i["adjustment"]["computed"])
            for i in changed
        )
        assert _number(line["调分前总分"]) == Decimal(project.card["total"]) - gain
    if not changed:
        assert line["调分前总分"] is None
        assert "调整为" not in "".join(p.text for p in project.paragraphs if "经批准" in p.text)


def test_the_demo_list_shows_what_these_tests_are_about(outputs):
    lines = _rows(outputs, "汇总")
    assert [line["项目编码"] for line in lines] == [p.code for p in PROJECTS]
    assert any(line["调分项数"] for line in lines)
    assert any("暂计" in str(line["总分"]) for line in lines)
    assert len({line["等级"] for line in lines}) >= 4  # 优, 良, 中 and none
    results = [_delivered(outputs, p.code) for p in PROJECTS]
    assert any(r.card["grade_note"] for r in results)


# --- money and satisfaction -------------------------------------------------------------------

_MONEY = {"initial": "年初预算", "budget": "全年预算", "arrived": "实际到位", "spent": "实际支出"}


@of_each_project
def test_funds_are_the_same_in_prose_table_result_and_summary(project, outputs, code):
    values, line = project.result["values"], _line(outputs, code)
    *rows, total = project.table("年度", "资金来源", "年初预算", "全年预算", "到位", "支出")
    for column, (key, label) in enumerate(_MONEY.items(), 2):
        said = re.findall(rf"{label}({GAP}|[\d.]+)万元", project.text)
        assert len(said) >= 2
        yuan = values.get(f"funds.{key}")
        if yuan is None:
            assert set(said) == {total[column]} == {GAP}
            assert any(row[column] == GAP for row in rows)
            continue
        assert set(said) == {total[column]} == {_wan(yuan)}
        assert sum(Decimal(row[column]) for row in rows) == Decimal(total[column])
    for key, column in (("budget", "全年预算（万元）"), ("spent", "支出（万元）")):
        yuan = values.get(f"funds.{key}")
        assert line[column] is None if yuan is None else _two(_number(line[column])) == _wan(yuan)
    rates = re.findall(
        rf"到位率({GAP}|[\d.]+%)；实际支出\S+?万元，预算执行率（支出÷到位）({GAP}|[\d.]+%)，"
        rf"支出占全年预算的({GAP}|[\d.]+%)。",
        project.text,
    )
    pairs = (("arrived", "budget"), ("spent", "arrived"), ("spent", "budget"))
    expected = []
    for part, whole in pairs:
        top, base = (values.get(f"funds.{key}") for key in (part, whole))
        expected.append(
            GAP if None in (top, base) else f"{_two(Decimal(top) / Decimal(base) * 100)}%"
        )
    assert rates == [tuple(expected)] * 2
    shown = line["预算执行率（%）"]
    assert (GAP if shown is None else f"{_two(_number(shown))}%") == expected[2]


@of_each_project
def test_satisfaction_is_the_same_in_annex_analysis_papers_and_result(project):
    values = project.result["values"]
    if "survey.satisfaction" not in values:
        assert "总体满意度" not in project.text
        return
    shown = f"{_two(values['survey.satisfaction'])}%"
    assert re.findall(r"总体满意度为([\d.]+%)", project.text) == [shown]
    for key, label in (("return_rate", "回收率"), ("valid_rate", "有效率")):
        assert f"{label}{_two(values[f'survey.{key}'])}%" in project.text
    inputs = {i["code"]: i["trace"]["inputs"] for i in project.card["indicators"]}
    drawn = [code for code, mine in inputs.items() if "采用结果!B3" in str(mine)]
    counted = [code for code, mine in inputs.items() if any(e["of"] == "count" for e in mine)]
    assert bool(drawn) != bool(counted)
    measured = [i for i in project.card["indicators"] if i["code"] in (*drawn, *counted)]
    for i in measured:
        points = Decimal(i["points"]).normalize()
        assert i["actual"] == shown
        assert f"实际为{shown}" in project.under(f"{i['level3']}（{points:f}分）", "Heading 4")
        sheet = [c.value for row in project.cached[i["code"]].iter_rows() for c in row]
        assert shown in sheet
    table = project.table("问题", "非常满意")
    for row in table:
        counts = [int(n) for n in row[1:7]]
        assert sum(counts[:5]) == int(row[7])
        assert int(row[7]) <= Decimal(values["survey.valid"])
        mean = sum(w * n for w, n in zip((100, 80, 60, 40, 20), counts, strict=False))
        if counted and project.result["subject"]["survey_mapping"] == "五级均值":
            assert row[8] == f"{_two(Decimal(mean) / int(row[7]))}%"


@of_each_project
def test_marks_lost_in_the_problem_list_are_those_of_the_indicators_named(project, outputs, code):
    lost = {i["code"]: Decimal(i["lost"] or 0) for i in project.card["indicators"]}
    rows = [row for row in _rows(outputs, "问题清单") if row["项目编码"] == code]
    issues = project.result["tables"]["issues"]
    assert [row["编号"] for row in rows] == [issue["no"] for issue in issues]
    for row, issue in zip(rows, issues, strict=True):
        named = re.findall(r"\w+", issue["indicators"])
        assert Decimal(issue["lost"] or 0) == sum(lost[n] for n in named)
        assert Decimal(str(row["扣分"] or 0)) == Decimal(issue["lost"] or 0)
        (printed,) = (r for r in project.table("编号", "分类") if r[0] == issue["no"])
        said = re.findall(r"扣([\d.]+)分", printed[5])
        assert sum(map(Decimal, said)) == Decimal(issue["lost"] or 0)
        if issue["amount"]:
            assert printed[3] == issue["amount"]
            assert _number(row["涉及金额（万元）"]) == Decimal(issue["amount"])


# --- live formulas ----------------------------------------------------------------------------

_CELL = r"(?:'?([^'!=]+)'?!)?([A-Z]{1,2}\d+)"


def _worth(book: Any, sheet: str, formula: str) -> Fraction:
    """A 底稿 formula evaluated over cached values, without the kit and without Excel."""

    def cell(name: str | None, address: str) -> str:
        value = book[name or sheet][address].value
        return str(_number(value)) if isinstance(value, int | float) else "0"

    def area(match: re.Match[str]) -> str:
        left, top, right, bottom = range_boundaries(match[1])
        rows = book[sheet].iter_rows(top, bottom, left, right)
        return ",".join(cell(None, c.coordinate) for row in rows for c in row)

    def gaps(match: re.Match[str]) -> str:
        tests, points = (
            [c for row in book[sheet][part] for c in row] for part in (match[1], match[3])
        )
        hit = [p for t, p in zip(tests, points, strict=True) if t.value == match[2]]
        return "+".join(["0", *(cell(None, p.coordinate) for p in hit)])

    text = re.sub(r'SUMIF\(([A-Z\d:]+),"([^"]*)",([A-Z\d:]+)\)', gaps, formula.removeprefix("="))
    text = re.sub(r"([A-Z]+\d+:[A-Z]+\d+)", area, text)
    text = re.sub(_CELL, lambda m: cell(m[1], m[2]), text)
    text = re.sub(r"SUM\(([^()]*)\)", lambda m: "(" + m[1].replace(",", "+") + ")", text)
    return excel.evaluate(text)


@of_each_project
def test_every_formula_of_the_working_papers_gives_its_cached_value(project):
    checked = 0
    for sheet in project.formulas:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type != "f":
                    continue
                cached = project.cached[sheet.title][cell.coordinate].value
                place = f"{sheet.title}!{cell.coordinate} {cell.value}"
                if cached == GAP:
                    name, address = re.fullmatch("=" + _CELL, cell.value).groups()
                    assert project.cached[name or sheet.title][address].value == GAP, place
                    continue
                worth = _worth(project.cached, sheet.title, cell.value)
                assert abs(float(worth) - cached) < 1e-9, place
                checked += 1
    assert checked > 5 * len(project.card["indicators"])


# --- no machinery in the formal report --------------------------------------------------------

_NEVER = {
    "a cell address": r"[\u4e00-\u9fff]+!\$?[A-Z]{1,3}\$?\d+",
    "a hash": r"\b[0-9a-f]{32,64}\b",
    "a tool": r"(?i)evalkit|docxtpl|python-docx|jinja|papermill|openpyxl|matplotlib|xlsxwriter",
    "a template mark": r"\{\{|\}\}|\{%|%\}",
    "a formula": r"\b(?:ROUND|ROUNDUP|ROUNDDOWN|MIN|MAX)\(",
    "a file of ours": r"(?i)result\.json|checks\.json|底稿\.xlsx|\.ipynb|\.yaml",
    "a Python value": r"\bNone\b|Decimal\(|\bTrue\b|\bFalse\b",
}


def _texts(path: Path) -> dict[str, str]:
    """Everything a person can be shown of a docx: texts, and names and descriptions of objects."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.endswith((".xml", ".rels")):
                continue
            root = etree.fromstring(archive.read(name))
            parts = []
            for paragraph in root.iter(f"{_W}p"):
                parts.append("".join(paragraph.itertext(f"{_W}t", f"{_W}instrText")))
            if not name.startswith("word/") or name.endswith(".rels"):
                parts += [*root.itertext(), *(v for n in root.iter() for v in n.attrib.values())]
            named = ("descr", "title", "name", f"{_W}name", f"{_W}author", f"{_W}tag")
            parts += [n.get(key) for n in root.iter() for key in named if n.get(key)]
            found[name] = "\n".join(parts)
    return found


@of_each_project
def test_the_formal_report_shows_no_machinery(project):
    texts = _texts(project.folder / "评价报告.docx")
    assert {"word/document.xml", "docProps/core.xml"} <= set(texts)
    national = yaml.safe_load(
        (support.ROOT / "params" / "policy" / "national.yaml").read_text(encoding="utf-8")
    )
    keys = "|".join([*(k for k in national["values"]), *rules.NAMES])
    patterns = _NEVER | {"a rule id or policy key": rf"\b(?:{keys})\b"}
    for (name, text), (what, pattern) in itertools.product(texts.items(), patterns.items()):
        if name == "word/settings.xml" or name.endswith(("styles.xml", "theme1.xml")):
            text = re.sub(r"\b(?:within|linear|exact)\b", "", text)
        # paths of bound numbers are properties and fields of the master; the 终稿 has neither
        text = re.sub(r"\b(?:score|funds|survey|sample|document)\.[a-z0-9_.-]+", "", text)
        found = re.search(pattern, text)
        around = text[max(0, found.start() - 30) : found.end() + 30] if found else ""
        assert found is None, f"{what} in {name}: …{around}…"


@of_each_project
def test_no_part_of_the_report_names_a_tool_a_machine_or_another_place(project):
    with zipfile.ZipFile(project.folder / "评价报告.docx") as archive:
        for name in archive.namelist():
            data = archive.read(name)
            for word in (b"evalkit", b"docxtpl", b"python-docx", b"atplotlib", b"TargetMode"):
                assert word not in data, f"{word!r} in {name}"
            assert not name.endswith((".bin", ".exe", ".vml")), name


@of_each_project
def test_warnings_are_for_the_working_papers_and_not_for_the_report(project):
    texts = "\n".join(_texts(project.folder / "评价报告.docx").values())
    checks = json.loads((project.folder / "checks.json").read_text(encoding="utf-8"))
    shown = project.cached["警告与提示"]
    papers = {c.value for row in shown.iter_rows() for c in row}
    for problem in [*project.result["problems"], *checks["problems"]]:
        assert problem["what"] not in texts
        if problem["remedy"]:
            assert problem["remedy"] not in texts
    for problem in project.result["problems"]:
        assert problem["what"] in papers
