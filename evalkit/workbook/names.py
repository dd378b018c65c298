"""Texts of a workbook as they are compared and quoted: labels, choices, codes."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from evalkit.workbook.texts import SIGNS

_HALF = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_HALF |= {ord(other): ord(signs[0]) for signs in SIGNS for other in signs[1:]}
_ESCAPED = re.compile(r"_x(00[01][0-9A-Fa-f]|007[Ff])_")  # how a control character sits in a sheet
# with control characters go those of the private use area that mark places in a report
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ue000-\ue00f]")
_SPACE = re.compile(r"\s+")
_LABEL_END = re.compile(r"(?:[*△:]|\((?P<inner>[^()]*)\))$")


def half(text: str) -> str:
    """Full-width letters, digits and signs as half-width ones; ≧ ═ ≦ as ≥ = ≤.

    >>> half("≧７３５，０００")
    '≥735,000'
    """
    return text.translate(_HALF)


def clean(text: str) -> tuple[str, bool]:
    """Text without control characters and outer blanks, and whether there were control characters.

    >>> clean("保洁_x0007_合格 ")
    ('保洁合格', True)
    """
    found = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    found = found.replace("\r\n", "\n").replace("\r", "\n")
    found = found.replace("\ufeff", "").replace("\u200b", "")
    kept = _CONTROL.sub("", found)
    return kept.strip(), kept != found


def match_key(text: str) -> str:
    """How choices, codes and names are compared: width, case and blanks do not count."""
    return _SPACE.sub("", half(text)).casefold()


def split_label(text: str) -> tuple[str, str]:
    """A header as (name to compare, what stands in its last brackets).

    >>> split_label("全年预算 （万元）*"), split_label("全年预算(A)（万元）")
    (('全年预算', '万元'), ('全年预算', '万元'))
    """
    name, inner = match_key(clean(text)[0]), ""
    while (found := _LABEL_END.search(name)) and found.start() > 0:
        inner = inner or found["inner"] or ""
        name = name[: found.start()]
    return name, inner.removeprefix("单位:")


def label_key(text: str) -> str:
    """Only the name of `split_label`."""
    return split_label(text)[0]


def quote(text: str) -> str:
    """Text in quotation marks, shortened, for use inside a sentence."""
    flat = _SPACE.sub(" ", text)
    return f"“{flat[:20]}…”" if len(flat) > 21 else f"“{flat}”"


def nearest(text: str, known: Iterable[str]) -> str:
    """A did-you-mean for the end of a remedy, empty where nothing is near."""
    by_key = {match_key(name): name for name in known}
    close = get_close_matches(match_key(text), list(by_key), n=1, cutoff=0.5)
    return f"，是否应为“{by_key[close[0]]}”" if close else ""
