from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import pairwise

import matplotlib as mpl
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image
from visual_results import make_result

from evalkit.core.model import Result
from evalkit.report import figures, fonts

NAMES = [name for titles in figures.TITLES.values() for name in titles]
MINE = list(figures.TITLES["project_evaluation"])


def words(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize("name", MINE)
def test_every_character_of_a_figure_has_a_glyph(name, result, draft):
    for one in (result, draft):  # matplotlib's missing-glyph warning is an error in these tests
        figure = figures.draw(name, one)
        used = {text.get_fontproperties().get_file() for text in figure.findobj(Text)}
        assert used == {fonts.pip_font().get_file()}
        assert fonts.missing_characters(fonts.pip_font(), words(figure)) == ""
        figures.png(figure)


@pytest.mark.parametrize("name", MINE)
def test_two_draws_give_equal_bytes_whatever_the_users_style(name, result):
    first = figures.png(figures.draw(name, result))
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.facecolor": "red"}):
        second = figures.png(figures.draw(name, make_result()))
    assert first == second


def test_drawing_leaves_the_users_style_alone(result):
    before = dict(mpl.rcParams)
    figures.png(figures.draw("satisfaction", result))
    assert dict(mpl.rcParams) == before


def test_figures_drawn_in_threads_equal_those_drawn_alone(result):
    alone = [figures.png(figures.draw(name, result)) for name in MINE]
    with ThreadPoolExecutor(4) as pool:
        drawn = pool.map(lambda name: figures.png(figures.draw(name, result)), MINE * 2)
        assert list(drawn) == alone * 2


def test_a_png_has_300_dpi_and_tells_nothing_of_its_maker(result):
    image = Image.open(BytesIO(figures.png(figures.draw("funds_flow", result))))
    assert image.info.keys() == {"dpi"}
    assert [round(d) for d in image.info["dpi"]] == [300, 300]
    assert image.width == round(figures.WIDTH * 300)


def test_the_fills_of_a_bar_stay_apart_in_grey():
    greys = [
        0.299 * r + 0.587 * g + 0.114 * b
        for r, g, b in (to_rgb(fill) for fill, hatch, _ in figures.FILLS if not hatch)
    ]
    steps = [after - before for before, after in pairwise(greys)]
    assert min(steps) > 0.15
    hatches = [hatch for _, hatch, _ in figures.FILLS if hatch]
    assert len(set(hatches)) == len(hatches) == 2


def test_rates_and_points_are_printed_on_the_bars(result):
    text = words(figures.draw("score_rates", result))
    assert "93.25%（18.65/20）" in text
    assert "89.04%（89.04/100）" in text and "总得分率" in text


def test_points_lost_are_sorted_and_leave_out_full_marks(result):
    labels = [t.get_text() for t in figures.draw("points_lost", result).axes[0].get_yticklabels()]
    assert labels[:2] == ["D102 重大环境污染事故", "B202 制度执行有效性"]
    assert not any("立项依据充分性" in label for label in labels)


def test_funds_are_printed_in_wan_yuan_with_their_rates(result):
    text = words(figures.draw("funds_flow", result))
    for part in ("800.00", "747.30", "731.26", "单位：万元", "到位率 100.00%", "执行率 97.85%"):
        assert part in text


def test_satisfaction_prints_shares_that_add_up_and_the_score(result):
    figure = figures.draw("satisfaction", result)
    assert "45.7" in words(figure)
    assert "84.52%" in words(figure)
    ends = [p.get_x() + p.get_width() for p in figure.axes[0].patches if p.get_width()]
    assert sum(abs(end - 100) < 1e-9 for end in ends) == 4


def test_the_drawn_totals_are_shown_with_the_score_and_the_cuts_among_them(result, draft):
    figure = figures.draw("robust_totals", result)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["模拟总分", "本次得分89.04分", "“优”的下限90分"]
    assert [line.get_xdata()[0] for line in figure.axes[0].lines] == [89.04, 90]
    assert "优 21.19%；良 78.81%" in figures.alt_text("robust_totals", result)
    assert "还没有总分和等级" in words(figures.draw("robust_totals", draft))


def test_a_gap_is_drawn_as_such(draft):
    assert words(figures.draw("score_rates", draft)).count("待补充") == 4
    assert words(figures.draw("points_lost", draft)).count("待补充") == 2
    assert words(figures.draw("funds_flow", draft)).count("待补充") == 1
    assert "总得分率" not in words(figures.draw("score_rates", draft))


def test_nothing_lost_is_said_in_words(result):
    full = [row for row in make_result().score.indicators if row.lost == 0]
    card = result.score.model_copy(update={"indicators": tuple(full)})
    perfect = result.model_copy(update={"score": card})
    assert "各项指标均未扣分" in words(figures.draw("points_lost", perfect))


def test_only_figures_with_data_are_written(tmp_path):
    bare = Result(workflow="w", code="1", name="项目", stage="初稿", subject={})
    assert figures.draw_all(bare, tmp_path) == {}
    for name in NAMES:
        assert "待补充" in words(figures.draw(name, bare))
        assert "暂无数据" in figures.alt_text(name, bare)


def test_all_figures_are_written_under_their_captions(result, tmp_path):
    drawn = figures.draw_all(result, tmp_path / "图")
    assert list(drawn) == MINE
    titles = figures.TITLES["project_evaluation"]
    assert [path.stem for path in drawn.values()] == list(titles.values())
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn.values())


def test_text_from_a_workbook_is_never_a_formula_or_a_control(result):
    row = result.tables["survey_questions"][0] | {"question": "$x^2$ {{ a }} \x07\tb" + "长" * 500}
    hostile = result.model_copy(update={"tables": {"survey_questions": [row]}})
    figure = figures.draw("satisfaction", hostile)
    assert "$x^2$ {{ a }}" in words(figure).replace("\n", "")
    assert "…" in words(figure)
    figures.png(figure)


def test_answers_that_are_not_numbers_draw_as_a_gap(result):
    row = {"question": "您是否满意", "非常满意": "不详", "valid": "", "satisfaction": ""}
    blank = result.model_copy(update={"tables": {"survey_questions": [row]}})
    assert "待补充" in words(figures.draw("satisfaction", blank))


def test_alternative_text_carries_the_figures(result, draft):
    assert "决策 93.25%" in figures.alt_text("score_rates", result)
    assert "重大环境污染事故 6.00（分值 6）" in figures.alt_text("points_lost", result)
    assert "实际支出 731.26（执行率 97.85%）" in figures.alt_text("funds_flow", result)
    assert "86.35%" in figures.alt_text("satisfaction", result)
    assert "产出 待补充" in figures.alt_text("score_rates", draft)
