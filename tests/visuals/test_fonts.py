from importlib.metadata import distribution

import pytest

from evalkit.core.problem import EvalkitError
from evalkit.report import fonts

NEEDED = "绩效评价得分率待补充㎡〔〕①≥≤÷×—…“”％￥→·1234567890"


def test_the_default_font_is_the_one_pip_installs_and_it_is_open():
    package = distribution("pylopdf-fonts-zh-cn")
    licence = package.read_text("licenses/LICENSE") or package.metadata["License"]
    assert "SIL OPEN FONT LICENSE Version 1.1" in licence
    font = fonts.chinese_font(NEEDED)
    assert str(font.get_file()).endswith("NotoSansSC-Regular.otf")


def test_without_the_pip_font_an_installed_chinese_font_is_used(monkeypatch):
    if not any(map(fonts.installed, fonts.INSTALLED)):
        pytest.skip("no Chinese font is installed here")
    monkeypatch.setattr(fonts, "pip_font", lambda: None)
    font = fonts.chinese_font(NEEDED)
    assert font.get_file() is None
    assert font.get_family()[0] in fonts.INSTALLED


def test_without_any_chinese_font_the_refusal_says_what_to_install(monkeypatch):
    monkeypatch.setattr(fonts, "pip_font", lambda: None)
    monkeypatch.setattr(fonts, "installed", lambda family: None)
    with pytest.raises(EvalkitError, match=r"找不到中文字体.*请安装"):
        fonts.chinese_font(NEEDED)


def test_a_named_family_that_is_not_installed_is_refused():
    with pytest.raises(EvalkitError, match=r"图表字体“无此字体”未安装"):
        fonts.chinese_font("得分", "无此字体")


def test_a_named_family_is_used_where_it_has_the_characters():
    assert fonts.chinese_font("abc", "DejaVu Sans").get_family() == ["DejaVu Sans"]
    with pytest.raises(EvalkitError, match="缺少字符“得分”"):
        fonts.chinese_font("得分", "DejaVu Sans")


def test_a_character_no_font_has_is_named():
    with pytest.raises(EvalkitError, match="缺少字符“\U000f1234”"):
        fonts.chinese_font("得分\U000f1234")
