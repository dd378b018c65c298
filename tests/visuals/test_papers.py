import shutil
import subprocess
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from visual_results import ROWS, make_result

from evalkit.core.model import Input, Result
from evalkit.report import papers

RANGE = "待补充指标得零分、得满分"
FIXED = ["调分记录", "指标变更", "警告与提示", "基础数据", "政策取值汇总", "稳健性"]


def write(result: Result, folder: Path, name: str = "底稿.xlsx") -> Path:
    return papers.write_papers(result, folder / name)


def cells(sheet) -> dict[str, object]:
    return {c.coordinate: c.value for row in sheet.iter_rows() for c in row if c.value is not None}


def summary_rows(book) -> dict[str, tuple[object, ...]]:
    """汇总 by code (or by the label of a subtotal, in order): points, score, rate, note."""
    rows: dict[str, tuple[object, ...]] = {}
    for row in book["汇总"].iter_rows(min_row=1, values_only=True):
        name = next((v for v in (row[2], row[1], row[0]) if v), "")
        if isinstance(row[4], (int, float)) or row[7] == RANGE:
            while name in rows:
                name = f"{name}+"
            rows[str(name)] = row[4:8]
    return rows


def money(value: object) -> Decimal:
    assert isinstance(value, (int, float))
    return Decimal(str(round(value, 6)))


def assert_summary_equals(rows: dict[str, tuple[object, ...]], result: Result) -> None:
    card = result.score
    for score in card.indicators:
        points, awarded, rate, _ = rows[score.code]
        assert money(points) == score.points
        if score.score is None:
            assert (awarded, rate) == ("待补充", "待补充")
        else:
            assert money(awarded) == score.score
            assert money(rate) * 100 == score.rate
    for group in card.level1():
        points, awarded, rate, _ = rows[f"{group.level1}合计"]
        assert money(points) == group.points
        if group.score is None:
            assert rate == "待补充"
        else:
            assert (money(awarded), money(rate) * 100) == (group.score, group.rate)
    subtotals = [
        g
        for g in card.groups
        if g.level2 and sum(i.level2 == g.level2 for i in card.indicators) > 1
    ]
    written = [row for name, row in rows.items() if name.rstrip("+") == "小计"]
    for group, (points, awarded, _, _) in zip(subtotals, written, strict=True):
        assert money(points) == group.points
        assert group.score is None or money(awarded) == group.score
    points, awarded, rate, note = rows["总计"]
    assert (money(points), money(awarded)) == (card.points, card.low)
    assert (note or "") == card.grade_note
    if card.total is None:
        assert rate == "待补充"
        _, low, high, _ = rows["可能区间（最低、最高）"]
        assert (money(low), money(high)) == (card.low, card.high)
    else:
        assert money(rate) * 100 == card.rate


def test_there_is_a_sheet_for_the_summary_each_indicator_and_each_record(result, tmp_path):
    book = load_workbook(write(result, tmp_path))
    assert book.sheetnames == ["汇总", *(row[0] for row in ROWS), *FIXED, "_meta"]
    assert book["_meta"].sheet_state == "hidden"
    meta = dict(book["_meta"].iter_rows(values_only=True))
    assert (meta["schema"], meta["version"]) == (papers.SCHEMA, result.schema_version)


def test_cached_scores_equal_the_results(result, tmp_path):
    book = load_workbook(write(result, tmp_path), data_only=True)
    assert_summary_equals(summary_rows(book), result)
    cover = cells(book["汇总"])
    assert 89.04 in cover.values()
    assert "中" in cover.values()


def test_scores_totals_and_rates_are_live_formulas(result, tmp_path):
    book = load_workbook(write(result, tmp_path))
    table = {row[2].value: row for row in book["汇总"].iter_rows() if row[2].value}
    score = table["C101"]
    assert score[5].value.startswith("='C101'!")
    assert score[6].value.startswith("=ROUND(F")
    totals = [row for row in book["汇总"].iter_rows() if row[0].value == "总计"]
    assert [c.value.startswith("=SUM(") for c in totals[0][4:6]] == [True, True]
    assert "=ROUND(8*MIN(1,205.8/210),2)" in cells(book["C101"]).values()


def test_the_trace_formula_stands_as_text_beside_the_live_one(result, tmp_path):
    values = [c for row in load_workbook(write(result, tmp_path))["C101"].iter_rows() for c in row]
    texts = {c.value for c in values if c.data_type == "s"}
    live = {c.value for c in values if c.data_type == "f"}
    assert "ROUND(8*MIN(1,205.8/210),2)" in texts
    assert "=SUM(基础数据!D4:D9)" in texts  # the formula an input came from, as text
    assert len(live) == 3  # computed, score, points lost
    assert "=ROUND(8*MIN(1,205.8/210),2)" in live


def test_inputs_carry_their_source_cell(result, tmp_path):
    sheet = load_workbook(write(result, tmp_path))["C101"]
    row = next(r for r in sheet.iter_rows(values_only=True) if r[0] == "实际完成值")
    assert row[:5] == ("实际完成值", 205.8, "万平方米", "指标!K15", "205.8万平方米")


def test_an_adjusted_score_says_so_and_keeps_the_computed_one(result, tmp_path):
    book = load_workbook(write(result, tmp_path), data_only=True)
    rows = list(book["B103"].iter_rows(values_only=True))
    assert next(r for r in rows if r[0] == "计算得分" and r[1] != "调整后得分")[1] == 5
    assert next(r for r in rows if r[0] == "得分")[1] == 4.5
    assert next(r for r in rows if r[0] == "得分说明")[1] == "经调分：5.00→4.50"
    assert summary_rows(book)["B103"][3] == "经调分：5.00→4.50"
    record = list(book["调分记录"].iter_rows(values_only=True))[2]
    assert record[:4] == ("B103", "资金使用合规性", 5, 4.5)


def test_a_veto_is_named(result, tmp_path):
    rows = summary_rows(load_workbook(write(result, tmp_path), data_only=True))
    assert rows["D102"][1:] == (0, 0, "一票否决")


def test_a_draft_shows_gaps_and_a_provisional_total_with_its_range(draft, tmp_path):
    book = load_workbook(write(draft, tmp_path), data_only=True)
    assert_summary_equals(summary_rows(book), draft)
    texts = " ".join(str(v) for v in cells(book["汇总"]).values())
    assert "待补充（可能区间 71.66～89.66 分）" in texts
    total = next(r for r in book["汇总"].iter_rows() if r[0].value == "总计")
    assert total[5].number_format == '"暂计 "0.00'


def test_every_problem_is_listed_with_its_place_and_remedy(result, tmp_path):
    rows = list(load_workbook(write(result, tmp_path))["警告与提示"].iter_rows(values_only=True))
    assert rows[2] == ("警告", "数据底稿.xlsx｜资金｜F4｜B102", "支出小于到位", "请说明结余原因")


def test_policy_values_say_source_profile_and_what_they_overrode(result, tmp_path):
    book = load_workbook(write(result, tmp_path))
    rows = {r[0]: r for r in book["政策取值汇总"].iter_rows(values_only=True)}
    assert rows["评价等级"][1] == "优 90、良 80、中 60、差 0"
    assert rows["指标得分小数位数"][6] == "全部指标"
    assert rows["起算完成率"][4:] == ("某县", "60%（财预〔2021〕101号）", "C201")
    assert "60%（财预〔2021〕101号）" in cells(book["C201"]).values()


def test_pages_are_a4_one_page_wide_with_repeated_titles_and_page_numbers(result, tmp_path):
    for sheet in load_workbook(write(result, tmp_path)).worksheets[:-1]:
        assert sheet.page_setup.paperSize == 9
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.page_setup.fitToWidth in (None, 1)  # one page wide is what Excel assumes
        assert sheet.print_title_rows
        assert "&P" in sheet.oddFooter.center.text.replace("&[Page]", "&P")


def test_an_indicator_takes_one_page_unless_it_has_too_many_rows(result, tmp_path):
    score = result.score.indicators[11]
    many = tuple(score.trace.inputs[0].model_copy(update={"name": f"第{n}项"}) for n in range(60))
    long = score.model_copy(update={"trace": score.trace.model_copy(update={"inputs": many})})
    card = result.score.model_copy(update={"indicators": (result.score.indicators[0], long)})
    book = load_workbook(write(result.model_copy(update={"score": card}), tmp_path))
    assert book["A101"].page_setup.fitToHeight in (None, 1)  # one is what Excel assumes
    assert book["C101"].page_setup.fitToHeight == 0


def test_choices_stand_after_the_values_each_once_with_all_its_cells(result, tmp_path):
    score = result.score.indicators[0]
    year = [
        Input(name="年度", value="2024", cell=f"资金!B{row}", of="setting", raw="2024")
        for row in (3, 4)
    ]
    trace = score.trace.model_copy(update={"inputs": (year[0], *score.trace.inputs, year[1])})
    card = result.score.model_copy(
        update={"indicators": (score.model_copy(update={"trace": trace}),)}
    )
    book = load_workbook(write(result.model_copy(update={"score": card}), tmp_path))
    rows = [[v for v in row if v] for row in book["A101"].iter_rows(values_only=True)]
    place = rows.index(["计分设定（规则、口径、期间等）"])
    assert rows[place - 1][0] == "目标值"
    assert rows[place + 1] == ["年度", "2024", "资金!B3、资金!B4"]


def test_evaluation_points_show_their_shares_in_percent(result, tmp_path):
    rows = list(load_workbook(write(result, tmp_path))["A102"].iter_rows(values_only=True))
    first = next(n for n, row in enumerate(rows) if row[0] == "要点") + 1
    assert [row[2] for row in rows[first : first + 2]] == ["50.00%", "50.00%"]


def test_quantities_with_separators_stay_numbers(result, tmp_path):
    row = {"indicator": "C101", "plan": "19,110", "actual": "1,2", "item": "清扫面积"}
    changed = result.model_copy(update={"tables": {"data": [row]}})
    cells_of = load_workbook(write(changed, tmp_path))["基础数据"]
    assert (cells_of["C3"].value, cells_of["C3"].number_format) == (19110, "#,##0")
    assert cells_of["D3"].value == "1,2"


def test_equal_results_give_equal_bytes(result, tmp_path):
    first = write(result, tmp_path, "a.xlsx").read_bytes()
    assert first == write(make_result(), tmp_path, "b.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.xlsx") as package:
        core = package.read("docProps/core.xml").decode()
    assert core.count("2025-06-30T00:00:00Z") == 2


def test_text_from_a_project_never_becomes_a_formula_or_a_link(result, tmp_path):
    evil = "=cmd()|' /C calc'!A0"
    rows = [(code, *rest[:2], evil, *rest[3:]) for code, *rest in ROWS[:3]]
    hostile = make_result(rows=rows).model_copy(
        update={
            "name": "@SUM(1)&[Date]",
            "subject": result.subject | {"unit": "+1+1", "agency": "https://example.org/x"},
            "tables": {"data": [{"indicator": "-1", "item": evil, "plan": "1e3", "actual": "=1"}]},
        }
    )
    book = load_workbook(write(hostile, tmp_path))
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.hyperlink is None or cell.hyperlink.target is None
                if cell.data_type == "f":
                    assert "cmd" not in cell.value
    assert cells(book["基础数据"])["B3"] == evil
    assert [cells(book["基础数据"])[at] for at in ("A3", "C3", "D3")] == ["-1", "1e3", "=1"]


def test_a_formula_excel_cannot_evaluate_is_kept_as_text_with_its_value(result, tmp_path):
    score = result.score.indicators[0]
    for formula in ("GBT8170(3*MIN(1,1/1),2)", 'HYPERLINK("x")', "基础数据!A1"):
        trace = score.trace.model_copy(update={"formula": formula})
        changed = score.model_copy(update={"trace": trace})
        card = result.score.model_copy(
            update={"indicators": (changed, *result.score.indicators[1:])}
        )
        book = load_workbook(write(result.model_copy(update={"score": card}), tmp_path))
        row = next(r for r in book["A101"].iter_rows() if r[0].value == "计算得分")
        assert (row[1].data_type, row[1].value) == ("n", 3)
        assert formula in cells(book["A101"]).values()


def test_a_very_long_text_and_a_result_without_scores_are_written(tmp_path):
    bare = Result(
        workflow="w", code="1", name="长" * 40_000, stage="初稿", subject={"report_date": "不详"}
    )
    book = load_workbook(write(bare, tmp_path))
    assert book.sheetnames == ["汇总", *FIXED, "_meta"]
    assert "待补充" in cells(book["汇总"]).values()
    assert "无" in cells(book["基础数据"]).values()


@given(st.lists(st.text(max_size=40), max_size=12))
def test_sheet_names_are_valid_and_unique(codes):
    names = papers.sheet_names(codes, ["汇总"])
    assert len({name.casefold() for name in [*names, "汇总"]}) == len(codes) + 1
    for name in names:
        assert 1 <= len(name) <= 31
        assert not set(name) & set("[]:*?/\\'")


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from(ROWS), min_size=1, max_size=6, unique=True),
    st.sets(st.sampled_from([row[0] for row in ROWS])),
)
def test_totals_are_the_sums_of_the_scores_shown(tmp_path_factory, rows, gaps):
    result = make_result(tuple(gaps), sorted(rows))
    book = load_workbook(write(result, tmp_path_factory.mktemp("papers")), data_only=True)
    shown = summary_rows(book)
    assert_summary_equals(shown, result)
    awarded = [shown[row[0]][1] for row in rows]
    known = sum((money(a) for a in awarded if a != "待补充"), Decimal(0))
    assert money(shown["总计"][1]) == known


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_recalculation_gives_the_cached_values(result, draft, tmp_path):
    originals = {
        "终稿": write(result, tmp_path, "终稿.xlsx"),
        "初稿": write(draft, tmp_path, "初稿.xlsx"),
    }
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in originals.values():
        load_workbook(path).save(bare / path.name)  # openpyxl drops every cached value
    assert "C101" not in summary_rows(load_workbook(bare / "终稿.xlsx", data_only=True))
    out = tmp_path / "out"
    subprocess.run(
        ["soffice", f"-env:UserInstallation={(tmp_path / 'lo').as_uri()}", "--headless",
         "--convert-to", "xlsx", "--outdir", str(out), *map(str, sorted(bare.iterdir()))],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    for one in (result, draft):
        path = originals[one.stage]
        cached = load_workbook(path, data_only=True)
        formulas = load_workbook(path)
        again = load_workbook(out / path.name, data_only=True)
        checked = 0
        for sheet in formulas.worksheets:
            for row in sheet.iter_rows():
                for cell in row:
                    if cell.data_type != "f":
                        continue
                    checked += 1
                    new = again[sheet.title][cell.coordinate].value
                    old = cached[sheet.title][cell.coordinate].value
                    where = f"{sheet.title}!{cell.coordinate} {cell.value}"
                    assert (money(new) if isinstance(new, (int, float)) else new) == (
                        money(old) if isinstance(old, (int, float)) else old
                    ), where
        assert checked > 100
        assert_summary_equals(summary_rows(again), one)
