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
from itertools import accumulate
from pathlib import Path
from typing import Any

import matplotlib as mpl
import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evalkit.core.model import IndicatorScore, Result
from evalkit.core.numbers import fixed, plain, wan
from evalkit.core.paths import asset
from evalkit.core.store import write_bytes
from evalkit.report.fonts import use_chinese_font

_DATA = yaml.safe_load(asset("params", "figures.yaml").read_text(encoding="utf-8"))
TITLES: dict[str, str] = _DATA["titles"]
"""Caption of each figure, by the name of its function; also its file name."""
FUNDS: dict[str, str] = _DATA["funds"]
ANSWERS: dict[str, tuple[str, str, str]] = _DATA["answers"]
"""Answer → fill, hatch, colour of the figure printed on it."""
INK, GREY, DARK, MID, PALE, LIGHT = (
    _DATA["colours"][name] for name in ("ink", "grey", "dark", "mid", "pale", "light")
)

GAP = "待补充"
WIDTH, TALLEST = 6.14, 8.4  # inches: the type area of A4, and what leaves room for a caption
DPI = 300
_LOCK = threading.RLock()  # rcParams are global to the process


@contextmanager
def _house_style() -> Iterator[None]:
    """Matplotlib's defaults plus the house style, whatever the caller's rcParams are."""
    with _LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_DATA["style"])
        yield


@contextmanager
def _drawing(height: float, font: str) -> Iterator[tuple[Figure, Axes]]:
    with _house_style():
        figure = Figure(figsize=(WIDTH, min(TALLEST, height)), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xticks([])
        axes.set_yticks([])
        yield figure, axes
        use_chinese_font(figure, font)
        figure.draw_without_rendering()  # lays out while the style holds …
        figure.set_layout_engine("none")  # … once


def _say(axes: Axes, sentence: str) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, sentence, ha="center", va="center", size=11, transform=axes.transAxes)


def _label(text: str, width: int, lines: int = 1) -> str:
    """A label of at most so many lines of so many characters, without control characters."""
    clean = "".join(c if c.isprintable() else " " for c in text).strip()
    parts = textwrap.wrap(clean, width)
    if len(parts) > lines:
        parts = [*parts[: lines - 1], parts[lines - 1][: width - 1] + "…"]
    return "\n".join(parts)


def _number(text: str) -> Decimal:
    return Decimal(text) if re.fullmatch(r"\d+(\.\d+)?", text) else Decimal(0)


def score_rates(result: Result, font: str = "") -> Figure:
    """得分率 of each level-1 indicator and, below it, of its level-2 indicators, in percent."""
    card = result.score
    groups = card.groups if card else ()
    with _drawing(0.27 * len(groups) + 0.9, font) as (figure, axes):
        if card is None or not groups:
            _say(axes, f"得分{GAP}")
            return figure
        steps = (1 if group.level2 else 1.35 for group in groups)
        positions = [at - 1 for at in accumulate(steps)]
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
        if card.rate is not None:
            x, ends = float(card.rate), (positions[0] - 0.5, positions[-1] + 0.6)
            axes.plot([x, x], ends, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
            whole = f"总得分率 {fixed(card.rate)}%"
            axes.text(x, positions[0] - 0.75, whole, ha="center", va="bottom", size=8.5)
        names = [_label(g.level2 or g.level1, 12) for g in groups]
        axes.set_yticks(positions, names)
        for label, group in zip(axes.get_yticklabels(), groups, strict=True):
            label.set_fontsize(9 if group.level2 else 10.5)
        axes.set(xlim=(0, 134), ylim=(positions[-1] + 0.6, positions[0] - 1.3))
        axes.spines["bottom"].set_visible(False)
    return figure


def _lost(result: Result) -> tuple[list[IndicatorScore], list[IndicatorScore]]:
    """Indicators that lost points, most first, and those with a gap."""
    scores = result.score.indicators if result.score else ()
    lost = [i for i in scores if i.lost is not None and i.lost > 0]
    return sorted(lost, key=lambda i: -(i.lost or 0)), [i for i in scores if i.score is None]


def points_lost(result: Result, font: str = "") -> Figure:
    """扣分 of each third-level indicator that lost points, in points, most first; then the gaps."""
    lost, gaps = _lost(result)
    shown = [*lost, *gaps]
    with _drawing(0.27 * len(shown) + 0.6 if shown else 1.4, font) as (figure, axes):
        if not shown:
            _say(axes, "各项指标均未扣分" if result.score else f"得分{GAP}")
            return figure
        longest = float(lost[0].lost or 1) if lost else 1.0
        for y, score in enumerate(shown):
            if score.lost is None:
                axes.text(longest * 0.015, y, GAP, va="center")
                continue
            size = float(score.lost)
            axes.barh(y, size, 0.64, color=DARK if y == 0 else MID)
            text = f"{fixed(score.lost)}（分值 {plain(score.points)}）"
            axes.text(size + longest * 0.015, y, text, va="center")
        axes.set_yticks(range(len(shown)), [_label(f"{i.code} {i.level3}", 20) for i in shown])
        axes.set(xlim=(0, longest * 1.3), ylim=(len(shown) - 0.4, -0.9))
        axes.text(1, 1, "单位：分", ha="right", va="top", size=8.5, transform=axes.transAxes)
        axes.spines["bottom"].set_visible(False)
    return figure


def funds_flow(result: Result, font: str = "") -> Figure:
    """年初预算 → 全年预算 → 到位 → 支出, in 万元, with the rates between them."""
    values = result.values
    amounts = [values.get(key) for key in FUNDS]
    highest = max((float(amount) for amount in amounts if amount), default=1.0)
    with _drawing(2.9, font) as (figure, axes):
        for x, amount in enumerate(amounts):
            if amount is None:
                axes.text(x, highest * 0.03, GAP, ha="center", va="bottom")
                continue
            fill = (LIGHT, PALE, MID, DARK)[x]
            axes.bar(x, float(amount), 0.5, color=fill, edgecolor=DARK)
            axes.text(x, float(amount) + highest * 0.02, wan(amount), ha="center", va="bottom")
        arrow = {"arrowstyle": "->", "color": INK, "lw": 0.8}
        for middle, name, key in _DATA["steps"]:
            if key in values:
                ends = (middle + 0.22, highest * 1.2), (middle - 0.22, highest * 1.2)
                axes.annotate("", *ends, arrowprops=arrow)
                text = f"{name} {fixed(values[key])}%"
                axes.text(middle, highest * 1.23, text, ha="center", va="bottom")
        axes.set_xticks(range(len(FUNDS)), [*FUNDS.values()])
        axes.set(xlim=(-0.5, 3.5), ylim=(0, highest * 1.42))
        axes.text(0, 1, "单位：万元", va="top", size=8.5, transform=axes.transAxes)
        axes.spines["left"].set_visible(False)
    return figure


def satisfaction(result: Result, font: str = "") -> Figure:
    """Share of each answer to each question, in percent of all answers given to it."""
    questions = result.tables.get("survey_questions", [])
    lines = 2 if len(questions) <= 14 else 1
    height = (0.5 if lines == 2 else 0.36) * len(questions) + 0.9
    with _drawing(height if questions else 1.4, font) as (figure, axes):
        if not questions:
            _say(axes, f"满意度调查数据{GAP}")
            return figure
        counts = [[_number(row.get(a, "")) for a in ANSWERS] for row in questions]
        unaware = len(ANSWERS) - 1
        for column, (answer, (fill, hatch, ink)) in enumerate(ANSWERS.items()):
            look: dict[str, Any] = {"color": fill, "hatch": hatch, "edgecolor": DARK}
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.0} if hatch else None
            text: dict[str, Any] = {"color": ink, "size": 8.5, "bbox": paper}
            if column < unaware or any(row[unaware] for row in counts):
                axes.barh(-2, 0, label=answer, **look)
            for y, row in enumerate(counts):
                if not row[column]:
                    continue
                before, whole = sum(row[:column], Decimal(0)), sum(row, Decimal(0))
                left, share = before / whole * 100, row[column] / whole * 100
                axes.barh(y, float(share), 0.56, float(left), **look)
                if share >= 6:
                    x = float(left + share / 2)
                    axes.text(x, y, fixed(share, 1), ha="center", va="center", **text)
        for y, (question, row) in enumerate(zip(questions, counts, strict=True)):
            score = question.get("satisfaction", "") if sum(row) else GAP
            axes.text(108, y, plain(sum(row, Decimal(0))), va="center", ha="right")
            axes.text(124, y, score or "—", va="center", ha="right")
        for x, heading in ((0, "占比（%）"), (108, "份数"), (124, "满意度")):
            axes.text(x, -0.62, heading, va="center", ha="right" if x else "left", size=8.5)
        labels = [_label(q.get("question", ""), 14, lines) for q in questions]
        axes.set_yticks(range(len(questions)), labels, linespacing=1.4)
        axes.set(xlim=(0, 125), ylim=(len(questions) - 0.5, -0.9))
        axes.spines[["bottom", "left"]].set_visible(False)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center",
                      ncols=len(ANSWERS), columnspacing=1.2, handlelength=1.6)  # fmt: skip
    return figure


FIGURES: dict[str, Callable[..., Figure]] = {
    draw.__name__: draw for draw in (score_rates, points_lost, funds_flow, satisfaction)
}


def has_data(name: str, result: Result) -> bool:
    """Whether the figure would show anything but an empty state."""
    return bool(_facts(name, result))


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
        if has_data(name, result)
    }


def alt_text(name: str, result: Result) -> str:
    """What a figure shows, in one sentence, for a reader who cannot see it."""
    return f"{TITLES[name]}：{'；'.join(_facts(name, result)) or '暂无数据'}"


def _facts(name: str, result: Result) -> list[str]:
    """What a figure shows, one clause each; nothing where it has no data."""
    values = result.values
    if name == "score_rates":
        groups = result.score.level1() if result.score else []
        rates = [(g.level1, GAP if g.rate is None else f"{fixed(g.rate)}%") for g in groups]
        return [f"{level1} {rate}" for level1, rate in rates]
    if name == "points_lost":
        lost, gaps = _lost(result)
        worst = [f"{i.level3}扣 {fixed(i.lost)} 分" for i in lost[:5] if i.lost]
        return worst + [f"{i.level3}{GAP}" for i in gaps]
    if name == "funds_flow":
        said = {key: f" {wan(values[key])} 万元" for key in FUNDS if key in values}
        return [label + said.get(key, GAP) for key, label in FUNDS.items()] if said else []
    rows = result.tables.get("survey_questions", [])
    return [f"{r.get('question', '')}满意度 {r.get('satisfaction') or GAP}" for r in rows]
