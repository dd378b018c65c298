"""Figures of a result, in one house style that survives a greyscale printer.

Every function takes a `Result` and gives a matplotlib ``Figure`` without pyplot, so that it works
in threads and shows in a notebook. Values are printed on the bars; what is not known yet is drawn
as 待补充. Figures carry no title: in Word the caption stands below them, in a notebook above.
"""

from __future__ import annotations

import io
import re
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import wraps
from itertools import accumulate
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evalkit.core.model import IndicatorScore, Result
from evalkit.core.numbers import fixed, plain, wan
from evalkit.core.paths import asset
from evalkit.core.store import write_bytes
from evalkit.core.yaml_file import load_yaml
from evalkit.ooxml.oxml import GAP
from evalkit.report.fonts import use_chinese_font
from evalkit.report.prose import card_of
from evalkit.report.prose import figure as figure_text

_DATA = load_yaml(asset("params", "figures.yaml"))
TITLES: dict[str, str] = _DATA["titles"]
"""Caption of each figure, by the name of its function; also its file name."""
FUNDS: dict[str, str] = _DATA["funds"]
ANSWERS: dict[str, tuple[str, str, str]] = _DATA["answers"]
"""Answer → fill, hatch, colour of the figure printed on it."""
INK, GREY, DARK, MID, PALE, LIGHT = (
    _DATA["colours"][name] for name in ("ink", "grey", "dark", "mid", "pale", "light")
)

WIDTH, TALLEST, EMPTY = 6.14, 8.4, 1.4  # inches: type area of A4; what leaves room for a caption
DPI = 300
_LOCK = threading.RLock()  # rcParams are global to the process


@contextmanager
def _house_style() -> Iterator[None]:
    """Matplotlib's defaults plus the house style, whatever the caller's rcParams are."""
    with _LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_DATA["style"])
        yield


def _figure(draw: Callable[[Axes, Result], float]) -> Callable[..., Figure]:
    """A figure from what draws into its axes and gives its height, or its empty state."""

    @wraps(draw)
    def drawn(result: Result, font: str = "") -> Figure:
        name = draw.__name__
        with _house_style():
            figure = Figure(figsize=(WIDTH, EMPTY), layout="constrained")
            axes = figure.add_subplot(xticks=[], yticks=[])
            if _facts(name, result):
                figure.set_figheight(min(TALLEST, draw(axes, result)))
            else:
                sentence = _DATA["empty"][name] if result.score else f"数据{GAP}"
                axes.set_axis_off()
                axes.text(0.5, 0.5, sentence, ha="center", size=11, transform=axes.transAxes)
            use_chinese_font(figure, font)
            figure.draw_without_rendering()  # lays out while the style holds …
            figure.set_layout_engine("none")  # … once
        return figure

    return drawn


def _label(text: str, width: int, lines: int = 1) -> str:
    """A label of at most so many lines of so many characters, without control characters."""
    clean = "".join(c if c.isprintable() else " " for c in text).strip()
    parts = textwrap.wrap(clean, width)
    if len(parts) > lines:
        parts = [*parts[: lines - 1], parts[lines - 1][: width - 1] + "…"]
    return "\n".join(parts)


def _number(text: str) -> Decimal:
    return Decimal(text) if re.fullmatch(r"\d+(\.\d+)?", text) else Decimal(0)


@_figure
def score_rates(axes: Axes, result: Result) -> float:
    """得分率 of each level-1 indicator and, below it, of its level-2 indicators, in percent."""
    groups, rate = card_of(result).groups, card_of(result).rate
    positions = [at - 1 for at in accumulate(1 if g.level2 else 1.35 for g in groups)]
    for y, group in zip(positions, groups, strict=True):
        height, colour, size = (0.62, MID, 9) if group.level2 else (0.78, DARK, 9.5)
        axes.barh(y, 100, height, color="white", edgecolor=GREY, linewidth=0.4)
        if group.score is None or group.rate is None:
            axes.text(1.5, y, GAP, va="center")
            value = f"—/{plain(group.points)}"
        else:
            axes.barh(y, float(group.rate), height, color=colour)
            value = f"{fixed(group.rate)}%（{fixed(group.score)}/{plain(group.points)}）"
        axes.text(101.5, y, value, va="center", size=size)
    if rate is not None:
        x, ends = float(rate), (positions[0] - 0.5, positions[-1] + 0.6)
        axes.plot([x, x], ends, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        whole = f"总得分率 {fixed(rate)}%"
        axes.text(x, positions[0] - 0.75, whole, ha="center", va="bottom", size=8.5)
    axes.set_yticks(positions, [_label(g.level2 or g.level1, 12) for g in groups])
    for label, group in zip(axes.get_yticklabels(), groups, strict=True):
        label.set_fontsize(9 if group.level2 else 10.5)
    axes.set(xlim=(0, 134), ylim=(positions[-1] + 0.6, positions[0] - 1.3))
    axes.spines["bottom"].set_visible(False)
    return 0.27 * len(groups) + 0.9


def _lost(result: Result) -> tuple[list[IndicatorScore], list[IndicatorScore]]:
    """Indicators that lost points, most first, and those with a gap."""
    scores = card_of(result).indicators
    lost = [i for i in scores if i.lost is not None and i.lost > 0]
    return sorted(lost, key=lambda i: -(i.lost or 0)), [i for i in scores if i.score is None]


@_figure
def points_lost(axes: Axes, result: Result) -> float:
    """扣分 of each third-level indicator that lost points, in points, most first; then the gaps."""
    lost, gaps = _lost(result)
    shown = [*lost, *gaps]
    longest = float(lost[0].lost or 1) if lost else 1.0
    for y, score in enumerate(shown):
        size, text = float(score.lost or 0), GAP
        if score.lost is not None:
            axes.barh(y, size, 0.64, color=DARK if y == 0 else MID)
            text = f"{fixed(score.lost)}（分值 {plain(score.points)}）"
        axes.text(size + longest * 0.015, y, text, va="center")
    axes.set_yticks(range(len(shown)), [_label(f"{i.code} {i.level3}", 20) for i in shown])
    axes.set(xlim=(0, longest * 1.3), ylim=(len(shown) - 0.4, -0.9))
    axes.text(1, 1, "单位：分", ha="right", va="top", size=8.5, transform=axes.transAxes)
    axes.spines["bottom"].set_visible(False)
    return 0.27 * len(shown) + 0.6


@_figure
def funds_flow(axes: Axes, result: Result) -> float:
    """年初预算 → 全年预算 → 到位 → 支出, in 万元, with the rates between them."""
    values = result.values
    amounts = [values.get(key) for key in FUNDS]
    highest = max(float(amount or 0) for amount in amounts) or 1.0
    for x, (amount, fill) in enumerate(zip(amounts, (LIGHT, PALE, MID, DARK), strict=True)):
        if amount is None:
            axes.text(x, highest * 0.03, GAP, ha="center", va="bottom")
            continue
        axes.bar(x, float(amount), 0.5, color=fill, edgecolor=DARK)
        axes.text(x, float(amount) + highest * 0.02, wan(amount), ha="center", va="bottom")
    arrow = {"arrowstyle": "->", "color": INK, "lw": 0.8}
    for place, name, key in _DATA["steps"]:
        if key in values:
            middle = float(place)
            ends = (middle + 0.22, highest * 1.2), (middle - 0.22, highest * 1.2)
            axes.annotate("", *ends, arrowprops=arrow)
            text = f"{name} {fixed(values[key])}%"
            axes.text(middle, highest * 1.23, text, ha="center", va="bottom")
    axes.set_xticks(range(len(FUNDS)), [*FUNDS.values()])
    axes.set(xlim=(-0.5, 3.5), ylim=(0, highest * 1.42))
    axes.text(0, 1, "单位：万元", va="top", size=8.5, transform=axes.transAxes)
    axes.spines["left"].set_visible(False)
    return 2.9


@_figure
def satisfaction(axes: Axes, result: Result) -> float:
    """Share of each answer to each question, in percent of all answers given to it."""
    questions = result.tables["survey_questions"]
    counts = [[_number(row.get(answer, "")) for answer in ANSWERS] for row in questions]
    wholes = [sum(row, Decimal(0)) for row in counts]
    for column, (answer, (fill, hatch, ink)) in enumerate(ANSWERS.items()):
        look: dict[str, Any] = {"color": fill, "hatch": hatch, "edgecolor": DARK}
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.0} if hatch else None
        text: dict[str, Any] = {"color": ink, "size": 8.5, "bbox": paper}
        if column < len(ANSWERS) - 1 or any(row[column] for row in counts):  # 不了解 only if said
            axes.barh(-2, 0, label=answer, **look)
        for y, (row, whole) in enumerate(zip(counts, wholes, strict=True)):
            if not row[column]:
                continue
            left, share = sum(row[:column], Decimal(0)) / whole * 100, row[column] / whole * 100
            axes.barh(y, float(share), 0.56, float(left), **look)
            if share >= 6:
                x = float(left + share / 2)
                axes.text(x, y, fixed(share, 1), ha="center", va="center", **text)
    for y, (question, whole) in enumerate(zip(questions, wholes, strict=True)):
        score = question.get("satisfaction", "") if whole else GAP
        axes.text(108, y, plain(whole), va="center", ha="right")
        axes.text(124, y, score or "—", va="center", ha="right")
    for x, heading in ((0, "占比（%）"), (108, "份数"), (124, "满意度")):
        axes.text(x, -0.62, heading, va="center", ha="right" if x else "left", size=8.5)
    lines, height = (2, 0.5) if len(questions) <= 14 else (1, 0.36)
    labels = [_label(q.get("question", ""), 14, lines) for q in questions]
    axes.set_yticks(range(len(questions)), labels, linespacing=1.4)
    axes.set(xlim=(0, 125), ylim=(len(questions) - 0.5, -0.9))
    axes.spines[["bottom", "left"]].set_visible(False)
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center",
                       ncols=len(ANSWERS), columnspacing=1.2, handlelength=1.6)  # fmt: skip
    return height * len(questions) + 0.9


FIGURES: dict[str, Callable[..., Figure]] = {
    draw.__name__: draw for draw in (score_rates, points_lost, funds_flow, satisfaction)
}


def png(figure: Figure) -> bytes:
    """A figure as PNG at 300 dpi; equal figures give equal bytes."""
    stream = io.BytesIO()
    with _house_style():
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def draw_all(result: Result, folder: Path, font: str = "") -> dict[str, Path]:
    """Write each figure that has data to `folder`; gives name → path really written.

    Raises:
        EvalkitError: no font has the characters needed.
    """
    return {
        name: write_bytes(folder / f"{TITLES[name]}.png", png(draw(result, font)))
        for name, draw in FIGURES.items()
        if _facts(name, result)
    }


def alt_text(name: str, result: Result) -> str:
    """What a figure shows, in one sentence, for a reader who cannot see it."""
    return f"{TITLES[name]}：{'；'.join(_facts(name, result)) or '暂无数据'}"


def _facts(name: str, result: Result) -> list[str]:
    """What a figure shows, one clause each; nothing where it has no data."""
    values = result.values
    if name == "score_rates":
        return [f"{g.level1} {figure_text(g.rate, '%')}" for g in card_of(result).level1()]
    if name == "points_lost":
        lost, gaps = _lost(result)
        worst = [f"{i.level3}扣 {fixed(i.lost)} 分" for i in lost[:5] if i.lost]
        return worst + [f"{i.level3}{GAP}" for i in gaps]
    if name == "funds_flow":
        said = {key: f" {wan(values[key])} 万元" for key in FUNDS if key in values}
        return [label + said.get(key, GAP) for key, label in FUNDS.items()] if said else []
    rows = result.tables.get("survey_questions", [])
    return [f"{r.get('question', '')}满意度 {r.get('satisfaction') or GAP}" for r in rows]
