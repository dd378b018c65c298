"""Which Chinese font a figure uses, and whether it has every character the figure needs.

By default it is the open font (SIL OFL 1.1) that pip installs, so that equal inputs give equal
pixels on every machine. A profile may name an installed family instead. Nothing is registered and
no rcParams are changed: each text of a figure is given its font.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from evalkit.core.problem import EvalkitError, Problem

INSTALLED = (
    "Microsoft YaHei", "SimSun", "SimHei", "FangSong", "KaiTi", "DengXian",
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
    "PingFang SC", "Hiragino Sans GB", "Songti SC", "STHeiti", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Noto Sans CJK JP",
)  # fmt: skip
"""Chinese families as matplotlib names them, on Windows, Linux and macOS, best first."""


def pip_font() -> FontProperties | None:
    """The sans serif font of the pip package, None where it is not installed."""
    if find_spec("pylopdf_fonts_zh_cn") is None:
        return None
    from pylopdf_fonts_zh_cn import sans_path

    path = sans_path()
    return FontProperties(fname=str(path)) if path.is_file() else None


def installed(family: str) -> FontProperties | None:
    """A font family of this machine, None where it has none of that name."""
    known = family in fontManager.get_font_names()
    return FontProperties(family=[family]) if known else None


@lru_cache(maxsize=32)
def _characters(font: FontProperties) -> frozenset[int]:
    return frozenset(get_font(findfont(font, fallback_to_default=False)).get_charmap())


def missing_characters(font: FontProperties, text: str) -> str:
    """The characters of `text` that `font` cannot draw, each once, in order.

    >>> missing_characters(chinese_font("得分率"), "得分率")
    ''
    """
    known = _characters(font)
    return "".join(dict.fromkeys(c for c in text if c != "\n" and ord(c) not in known))


def chinese_font(text: str, family: str = "") -> FontProperties:
    """The font to draw `text` with: `family` if named, else the pip font, else an installed one.

    Raises:
        EvalkitError: the named family is not installed, or no font has all characters.
    """
    named = [installed(family)] if family else [pip_font(), *map(installed, INSTALLED)]
    fonts = [font for font in named if font is not None]
    lacking = [missing_characters(font, text) for font in fonts]
    for font, missing in zip(fonts, lacking, strict=True):
        if not missing:
            return font
    if lacking:
        what = f"图表字体缺少字符“{min(lacking, key=len)}”"
        remedy = "请改用常用字，或安装含有这些字符的中文字体"
    elif family:
        what = f"图表字体“{family}”未安装"
        remedy = "请安装该字体，或在配置中去掉字体名以使用自带字体"
    else:
        what = "找不到中文字体，图表无法绘制"
        remedy = "请安装 pylopdf-fonts-zh-cn，或安装微软雅黑、宋体、思源黑体之一"
    raise EvalkitError([Problem(code="font", what=what, remedy=remedy)])


def use_chinese_font(figure: Figure, family: str = "") -> None:
    """Give every text of a figure one font that has all its characters.

    Texts are data: a dollar sign starts no formula.

    Raises:
        EvalkitError: as `chinese_font`.
    """
    texts = figure.findobj(Text)
    font = chinese_font("".join(text.get_text() for text in texts), family)
    for text in texts:
        size = text.get_fontsize()
        text.set_fontproperties(font)
        text.set_fontsize(size)
        text.set_parse_math(False)
