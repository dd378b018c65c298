"""Which Chinese font a figure uses, and whether it has every character the figure needs.

By default it is the open font (SIL OFL 1.1) that pip installs, so that equal inputs give equal
pixels on every machine. A profile may name an installed family instead. Nothing is registered and
no rcParams are changed: each text of a figure is given its font.
"""

from functools import lru_cache
from importlib.util import find_spec

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from evalkit.core.paths import asset
from evalkit.core.problem import refusal
from evalkit.core.yaml_file import load_yaml

INSTALLED: list[str] = load_yaml(asset("params", "figures.yaml"))["fonts"]
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
    lacking = {font: missing_characters(font, text) for font in named if font is not None}
    if not lacking:
        raise refusal("font.family" if family else "font.none", family=family)
    best = min(lacking, key=lambda font: len(lacking[font]))  # the first of equals
    if lacking[best]:
        raise refusal("font.characters", missing=lacking[best])
    return best


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
