"""Figures of a result, in one house style that survives a greyscale printer.

Each is a matplotlib ``Figure`` made without pyplot, so that it works in threads and shows in a
notebook: bars or points of a table's rows, as params/figures.yaml describes them. Values are
printed beside the bars; what is not known yet is said as 待补充. Figures carry no title: in Word
the caption stands below them, in a notebook above.
"""

import io
import re
import textwrap
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from PIL import Image

from evalkit.core.model import GroupScore, Result
from evalkit.core.numbers import fixed, plain, to_decimal, wan
from evalkit.core.paths import asset
from evalkit.core.store import write_bytes
from evalkit.core.yaml_file import load_yaml
from evalkit.ooxml.oxml import GAP
from evalkit.report import prose
from evalkit.report.fonts import use_chinese_font

_DATA = load_yaml(asset("params", "figures.yaml"))
TITLES: dict[str, dict[str, str]] = _DATA["titles"]
"""By business, the caption of each figure by its name; also its file name."""
FILLS: list[tuple[str, str, str]] = _DATA["fills"]
"""Fill, hatch and colour of the figure printed on it, for the parts of a bar in their order."""
INK, GREY, EDGE = (_DATA["colours"][name] for name in ("ink", "grey", "dark"))

Row = dict[str, str]  # `label` names the bar, `said` stands behind it

WIDTH, TALLEST, EMPTY = 6.14, 8.4, 1.4  # inches: type area of A4; what leaves room for a caption
DPI = 300
DASHES = ("-", "--", ":", "-.")  # of vertical lines, in their order
MARKERS = ("o", "s", "^", "v", "D")  # of dots, in their order
TOLD = 40  # rows that a sentence for those who cannot see a figure lists
_LOCK = threading.RLock()  # rcParams are global to the process


@contextmanager
def _house_style() -> Iterator[None]:
    """Matplotlib's defaults plus the house style, whatever the caller's rcParams are."""
    with _LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_DATA["style"])
        yield


def draw(name: str, result: Result, font: str = "") -> Figure:
    """The figure of this name, or its empty state.

    Raises:
        EvalkitError: no font has the characters needed.
    """
    spec, rows = _DATA["charts"][name], _rows(name, result)
    with _house_style():
        figure = Figure(figsize=(WIDTH, EMPTY), layout="constrained", dpi=DPI)
        FigureCanvasAgg(figure)  # which lays out and draws with one measure of each text
        axes = figure.add_subplot(xticks=[], yticks=[])
        if rows:
            lines = "layers" in spec
            for axis in () if lines else (axes.xaxis, axes.yaxis):
                axis.set_label_coords(0, 0)  # bars have no label to look for a place for
            height = _points(axes, spec, result) if lines else _bars(axes, spec, rows)
            figure.set_figheight(min(TALLEST, height))
        else:
            sentence = spec.get("empty") if result.score else f"数据{GAP}"
            axes.set_axis_off()
            axes.text(0.5, 0.5, sentence, ha="center", size=11, transform=axes.transAxes)
        use_chinese_font(figure, font)
        if engine := figure.get_layout_engine():
            engine.execute(figure)  # lays out while the style holds …
        figure.set_layout_engine("none")  # … once
    return figure


def _label(text: str, width: int, lines: int) -> str:
    """A label of at most so many lines of so many characters, without control characters."""
    clean = "".join(c if c.isprintable() else " " for c in text).strip()
    parts = textwrap.wrap(clean, width)
    if len(parts) > lines:
        parts = [*parts[: lines - 1], parts[lines - 1][: width - 1] + "…"]
    return "\n".join(parts)


def _number(text: str) -> float:
    return float(text.rstrip("%")) if re.fullmatch(r"\d+(\.\d+)?%?", text) else 0.0


def _bars(axes: Axes, spec: Mapping[str, Any], rows: Sequence[Row]) -> float:
    """Draw a bar for each row, of one or more parts; gives the height of the figure in inches."""
    steps = [1.35 if row.get(spec.get("apart", "")) else 1.0 for row in rows]
    places = np.cumsum(steps) - steps[0]
    sizes = np.array([[_number(row.get(part, "")) for part in spec["parts"]] for row in rows])
    if spec.get("share"):
        sizes = 100 * sizes / np.maximum(sizes.sum(axis=1, keepdims=True), 1)
    start = np.array([_number(row.get(spec.get("start", ""), "")) for row in rows])
    ends = start[:, None] + (sizes if spec.get("dots") else sizes.cumsum(axis=1))
    marks = np.array([_number(row.get(spec.get("mark", ""), "")) for row in rows])
    reach = np.maximum(ends.max(axis=1), marks)
    full = float(spec.get("full", 0))
    longest = max(full, reach.max()) or 1.0
    least = max(start.min() - (longest - start.min()) / 2, 0) if start.all() else 0.0
    axes.barh(places, full, 0.64, color="white", edgecolor=GREY, linewidth=0.4)
    dots = spec.get("dots")
    if dots:
        _dots(axes, spec["parts"], sizes, places)
    for size, end, legend, (fill, hatch, ink) in zip(
        sizes.T, ends.T, () if dots else spec["parts"].values(), FILLS, strict=False
    ):
        look = {"color": fill, "hatch": hatch, "edgecolor": EDGE}
        bars = axes.barh(places, size, 0.64, end - size, label=legend, **look)
        if spec.get("share"):
            told = [fixed(to_decimal(part), 1) if part >= 6 else "" for part in size]
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.0} if hatch else None
            axes.bar_label(bars, told, label_type="center", color=ink, size=8.5, bbox=paper)
    seen = marks > 0
    axes.vlines(marks[seen], places[seen] - 0.5, places[seen] + 0.5, INK, (0, (4, 3)), lw=0.8)
    for x, place, row in zip(
        np.maximum(full, reach) + (longest - least) * 0.015, places, rows, strict=True
    ):
        axes.text(x, place, row["said"], va="center", size=8.5)
    labels = [_label(row["label"], 16, 2 if len(rows) <= 14 else 1) for row in rows]
    axes.set_yticks(places, labels)
    axes.set(xlim=(least, longest * 1.005), ylim=(places[-1] + 0.5, -0.6))
    axes.set_title(spec["unit"], loc="right", size=8.5, y=1)
    axes.spines["bottom"].set_visible(False)
    if len(spec["parts"]) > 1:
        axes.figure.legend(loc="outside upper center", ncols=len(spec["parts"]), handlelength=1.6)
    each = 0.44 if any("\n" in label for label in labels) else 0.21 if dots else 0.28
    return each * len(rows) + 0.9


def _dots(axes: Axes, parts: Mapping[str, str], sizes: Any, places: Any) -> None:
    """Each part that has values as marks of its own on the line of its row, not one after another.

    So many values stay apart without colours and take no more room than one bar.
    """
    axes.hlines(places, 0, sizes.max(axis=1), GREY, lw=0.4, zorder=0)
    for values, legend, marker in zip(sizes.T, parts.values(), MARKERS, strict=False):
        seen, last = values > 0, legend == [*parts.values()][-1]
        look = {"s": 26, "edgecolors": INK, "linewidths": 0.8}
        look |= {"facecolors": EDGE if last else "white", "label": legend, "marker": marker}
        look |= {"clip_on": False}
        if seen.any():
            axes.scatter(values[seen], places[seen], **look)


def _points(axes: Axes, spec: Mapping[str, Any], result: Result) -> float:
    """Draw the layers of a chart of points and lines; gives its height in inches."""
    scale = spec.get("scale", "linear")
    axes.set(xscale=scale, yscale=scale, xlabel=spec["x"], ylabel=spec["y"])
    for axis in (axes.xaxis, axes.yaxis) if scale == "log" else ():
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")  # no mathtext, no powers
        axis.set_minor_formatter(NullFormatter())
    for layer in spec["layers"]:
        only = layer.get("only", {}).items()
        rows = [row for row in result.tables.get(layer["table"], []) if only <= row.items()]
        column = {key: np.array([float(row[layer[key]]) for row in rows])
                  for key in ("x", "y", "low", "high") if key in layer}  # fmt: skip
        legend = layer.get("legend") if rows else None
        match layer["as"]:
            case "band":
                ends = column["low"], column["high"]
                axes.fill_between(column["x"], *ends, color=FILLS[2][0], lw=0, label=legend)
            case "line":
                axes.plot(column["x"], column["y"], color=INK, lw=1.2, label=legend)
            case "points":
                fill = _DATA["colours"].get(layer.get("fill"), "none")
                look: dict[str, Any] = {"edgecolors": INK, "facecolors": fill, "linewidths": 0.8}
                look |= {"marker": layer.get("marker", "o"), "label": legend}
                axes.scatter(column["x"], column["y"], 22, **look)
            case "marks":
                for place, row, dashes in zip(column["x"], rows, cycle(DASHES), strict=False):
                    axes.axvline(place, color=EDGE, lw=1, ls=dashes, label=row[layer["said"]])
    if axes.get_legend_handles_labels()[0]:
        axes.figure.legend(loc="outside upper center", ncols=4, handlelength=1.6)
    return 3.6


def png(figure: Figure) -> bytes:
    """A figure of `draw` as PNG at 300 dpi; equal figures give equal bytes.

    `savefig` would draw everything once more to lay it out, and write an alpha that says nothing.
    """
    stream, canvas = io.BytesIO(), cast(Any, figure.canvas)
    with _house_style():
        canvas.draw()
    drawn = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba())
    drawn.convert("RGB").save(stream, "png", dpi=(DPI, DPI), compress_level=3)
    return stream.getvalue()


def draw_all(result: Result, folder: Path, font: str = "") -> dict[str, Path]:
    """Write each figure that has data to `folder`; gives name → path really written.

    Raises:
        EvalkitError: no font has the characters needed.
    """
    return {
        name: write_bytes(folder / f"{title}.png", png(draw(name, result, font)))
        for name, title in TITLES.get(result.workflow, {}).items()
        if _rows(name, result)
    }


def alt_text(name: str, result: Result) -> str:
    """What a figure shows, in one sentence, for a reader who cannot see it."""
    title = next(own[name] for own in TITLES.values() if name in own)
    told = [f"{row['label']} {row['said']}" for row in _rows(name, result)]
    more = [f"等{len(told)}条"] if len(told) > TOLD else []
    said = "；".join([*told[:TOLD], *more]) or "暂无数据"
    return f"{title}，{_DATA['charts'][name]['unit']}：{said}"


def _rows(name: str, result: Result) -> list[Row]:
    """The rows of a figure; none where it has no data."""
    spec = _DATA["charts"][name]
    tables = {**result.tables, "rates": _rates(result), "losses": _losses(result),
              "flow": _flow(result)}  # fmt: skip
    return [
        {**row, "label": row.get(spec["label"], ""),
         "said": "、".join(row.get(field) or GAP for field in spec["said"])}
        for row in tables.get(spec["table"], [])
    ]  # fmt: skip


def _rates(result: Result) -> list[Row]:
    """得分率 of the whole, of each level-1 indicator and, below it, of its level-2 indicators."""
    card = prose.card_of(result)
    whole = GroupScore(level1="总得分率", points=card.points, score=card.total, rate=card.rate)
    rows = []
    for group in [whole, *card.groups] if card.total is not None else card.groups:
        part = "whole" if group is whole else "level2" if group.level2 else "level1"
        score = "—" if group.score is None else fixed(group.score)
        rate = prose.figure(group.rate, "%")
        rows.append({"label": group.level2 or group.level1, "total": prose.figure(card.rate),
                     part: rate, "rate": f"{rate}（{score}/{plain(group.points)}）"})  # fmt: skip
    return rows


def _losses(result: Result) -> list[Row]:
    """扣分 of each third-level indicator that lost points, most first; then the gaps."""
    scores = sorted(prose.card_of(result).indicators, key=lambda i: -(i.lost or 0))
    return [
        {"label": f"{i.code} {i.level3}", "lost": prose.figure(i.lost),
         "of": f"{prose.figure(i.lost)}（分值 {plain(i.points)}）"}
        for i in scores if i.lost != 0
    ]  # fmt: skip


def _flow(result: Result) -> list[Row]:
    """年初预算, 全年预算, 到位 and 支出 in 万元, with the rates between them."""
    rows, values = [], result.values
    for label, path, *rates in _DATA["funds"]:
        amount = wan(values[path]) if path in values else GAP
        told = [f"（{name} {fixed(values[rate])}%）" for name, rate in rates if rate in values]
        rows.append({"label": label, "amount": amount, "of": "".join([amount, *told])})
    return rows if any(row["amount"] != GAP for row in rows) else []
