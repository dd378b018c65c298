import time
from pathlib import Path

import pytest
from docx import Document

from evalkit.core.problem import EvalkitError
from evalkit.ooxml.oxml import plain_text
from evalkit.word.blocks import Column, Figure, Photo, PhotoGrid, Table, build, page_of


def page(report_template: Path):  # type: ignore[no-untyped-def]
    return page_of(Document(str(report_template)))


def table(rows: list[list[str]], **more: object) -> Table:
    return Table("表题", [Column("甲", 1), Column("乙", 2, "right")], rows, **more)  # type: ignore[arg-type]


def test_columns_fill_the_text_width(report_template: Path) -> None:
    here = page(report_template)
    element = build("t", table([["1", "2"]]), here)[1]
    widths = [int(c.get(next(iter(c.attrib)))) for c in element.tblGrid.gridCol_lst]
    assert abs(sum(widths) - here.width) <= 1
    assert abs(widths[1] - 2 * widths[0]) <= 2


def test_header_repeats_and_only_short_rows_stay_whole(report_template: Path) -> None:
    element = build("t", table([["短", "1"], ["很长的文字" * 60, "2"]]), page(report_template))[1]
    header, short, long = element.tr_lst
    assert header.xpath("w:trPr/w:tblHeader")
    assert short.xpath("w:trPr/w:cantSplit")
    assert not long.xpath("w:trPr/w:cantSplit")


def test_a_long_group_of_equal_cells_is_opened_again(report_template: Path) -> None:
    rows = [["同一级", "文字" * 40] for _ in range(30)]
    element = build("t", table(rows, merge=1), page(report_template))[1]
    merges = [tr.tc_lst[0].vMerge for tr in element.tr_lst[1:]]
    assert merges[0] == "restart"
    assert 1 < merges.count("restart") < 30
    assert merges.count("restart") + merges.count("continue") == 30


def test_a_total_is_bold_and_stays_with_the_row_above(report_template: Path) -> None:
    rows = [[str(n), "1"] for n in range(40)] + [["合计", "40"]]
    trs = build("t", table(rows, total=True), page(report_template))[1].tr_lst
    assert trs[-1].xpath(".//w:b")
    assert trs[-2].xpath(".//w:keepNext")
    assert not trs[-3].xpath(".//w:keepNext")


def test_cost_grows_linearly_with_rows(report_template: Path) -> None:
    here = page(report_template)

    def cost(count: int) -> float:
        rows = [[f"组{n // 5}", "评价情况" * 5] for n in range(count)]
        start = time.process_time()
        build("t", table(rows, merge=1), here)
        return time.process_time() - start

    cost(100)
    assert cost(4000) < 12 * max(cost(1000), 0.01)


def test_a_figure_has_a_caption_below_and_alt_text(report_template: Path, photos: Path) -> None:
    picture, caption = build(
        "f", Figure("图题", photos / "照片" / "01.png", "说明文字"), page(report_template)
    )
    assert picture.xpath(".//wp:docPr/@descr") == ["说明文字"]
    assert caption.xpath(".//w:instrText")[0].text.strip() == r"SEQ 图 \* ARABIC"


def test_photos_stand_two_a_row_and_a_missing_one_is_seen(
    report_template: Path, photos: Path
) -> None:
    good, text = photos / "照片" / "01.png", photos / "假.png"
    text.write_text("不是图片", encoding="utf-8")
    grid = PhotoGrid([Photo("一", good), Photo("二", None), Photo("三", text)])
    element = build("p", grid, page(report_template))[0]
    assert [len(tr.tc_lst) for tr in element.tr_lst] == [2, 2]
    assert len(element.xpath(".//w:drawing")) == 1
    assert plain_text(element).count("（照片待补充）") == 2


def test_a_template_without_a_needed_style_is_refused(report_template: Path) -> None:
    document = Document(str(report_template))
    document.styles["表格文字"].delete()
    with pytest.raises(EvalkitError, match="没有样式“表格文字”"):
        build("t", table([["1", "2"]]), page_of(document))
