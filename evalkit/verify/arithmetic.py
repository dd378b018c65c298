"""Whether a document agrees with itself: sums, ratios, grades, amounts in words. No result needed.

Works on any docx with labelled tables, so on a filed 自评表 as on a report. What a column or a
figure in a sentence is called stands in params/verify.yaml.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from evalkit.core.numbers import YUAN_PER, fixed, plain, round_to, rounding_tail
from evalkit.core.problem import Problem
from evalkit.scoring.scorecard import grade_of
from evalkit.verify.reading import Grid, Reading, chinese_number, found, pattern, spec, value

Bands = list[dict[str, Any]]
Pair = tuple[Decimal, Decimal]  # part and whole


def check(report: Reading, bands: Bands) -> Iterator[Problem]:
    """Everything in a document that its own figures contradict."""
    for grid in report.grids:
        yield from _at(grid.place, _table(grid, bands))
    cells = " ".join(cell for row, _ in report.rows for cell in row)
    is_form = cells and any(spec()["form_title"] in line.text for line in report.lines[:8])
    if is_form and not re.search(spec()["form_row"], cells):  # 财预〔2020〕10号附1 gives it points
        yield found("form", report.grids[-1].place)
    units: dict[str, str] = {}
    for line in report.lines:
        yield from _at(line.place, _sentence_sums(line.text))
        yield from _at(line.place, _sentence_ratios(line.text))
        yield from _at(line.place, _units(line.text, units))
    texts = [(line.text, line.place) for line in report.lines if not line.cell]
    for text, place in [*texts, *(("\n".join(row), place) for row, place in report.rows)]:
        yield from _at(place, _words(text))


def _at(place: str, problems: Iterable[Problem]) -> Iterator[Problem]:
    return (problem.model_copy(update={"sheet": place}) for problem in problems)


def money(text: str) -> list[tuple[str, str, Decimal]]:
    """Amounts of money in a text: number and unit as printed, and in 元.

    >>> money("预算20万元，单价3元/人")
    [('20', '万元', Decimal('200000'))]
    """
    said = pattern("money").findall(text)
    return [(number, unit, Decimal(number) * YUAN_PER[unit]) for number, unit in said]


# --- tables ---------------------------------------------------------------------------------


def role_of(head: str) -> str:
    """What a column heading stands for; itself if nothing is known of it.

    >>> role_of("全年预算数（万元）"), role_of("得分率"), role_of("备忘")
    ('全年预算', '得分率', '备忘')
    """
    return next((role for role, said in spec()["columns"] if re.fullmatch(said, head)), head)


def rank(row: Sequence[str]) -> int:
    """2 for a total row, 1 for a subtotal, else 0."""
    heads = [cell.strip("：:") for cell in row[:3]]
    return next((n for n, words in ((2, spec()["totals"]), (1, spec()["subtotals"]))
                 if any(re.fullmatch(words, cell) for cell in heads)), 0)  # fmt: skip


def blocks(grid: Grid) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The parts of a table that have a header of their own: a filed form holds several."""
    head: list[str] = []
    rows: list[list[str]] = []
    for row in [*grid.rows, []]:
        labels = {cell for cell in row if cell}
        known = sum(role_of(cell) != cell for cell in labels) + ("得分" in labels)
        opens = known > 1 or (not head and len(labels) > 1)
        if row and (not opens or rank(row) or any(map(value, labels))):
            rows.append(row)
            continue
        if head and rows:
            yield head, rows
        head, rows = row, []


def _table(grid: Grid, bands: Bands) -> Iterator[Problem]:
    earlier: dict[str, list[str]] = {}  # points and scores of the parts above
    for head, rows in blocks(grid):
        yield from _sums(head, rows, earlier)
        for row in rows:
            yield from _row(head, row, bands)
        for n, role in enumerate(map(role_of, head)):
            if role in ("分值", "得分"):
                earlier.setdefault(role, []).extend(row[n] for row in rows if n < len(row))


def _sums(
    head: list[str], rows: list[list[str]], earlier: Mapping[str, list[str]]
) -> Iterator[Problem]:
    """Total rows; and columns that are headed 合计, where most rows add up across."""
    columns = [n for n, title in enumerate(head) if not re.search(spec()["not_added"], title)]
    rows = [[*row, *[""] * len(head)] for row in rows]
    for number, row in enumerate(rows):
        start = max((n + 1 for n, r in enumerate(rows[:number]) if rank(r) >= rank(row)), default=0)
        parts = rows[start:number] if number else rows[1:]  # a total may stand first
        for n in columns if rank(row) else ():
            cells, more = [r[n] for r in parts if not rank(r)], earlier.get(role_of(head[n]), [])
            yield from _sum_of(cells, f"{row[0]}·{head[n]}", row[n], more)
    for n in (n for n in columns if re.fullmatch(spec()["total_words"], head[n])):
        others = [k for k in columns if k != n]
        wrong = [p for row in rows for p in _sum_of([row[k] for k in others], row[0], row[n])]
        yield from wrong if len(wrong) * 2 < len(rows) else ()


def _sum_of(
    cells: list[str], name: str, printed: str, more: Sequence[str] = ()
) -> Iterator[Problem]:
    """What is printed as the sum of cells, which may count `more` of them too."""
    total, known = value(printed), [v for cell in cells if (v := value(cell))]
    if total and known and len({unit for _, unit in known}) == 1:
        parts = [number for number, _ in known]
        whole = parts + [v[0] for cell in more if (v := value(cell))]
        digits = max(-int(n.as_tuple().exponent) for n in (*parts, total[0]))
        yield from _sum([whole, parts], total[0], digits, cell=name.replace("\n", ""))


def _sum(
    tries: list[list[Decimal]], total: Decimal, digits: int = 2, unit: str = "", cell: str = ""
) -> Iterator[Problem]:
    """A total that none of the tries gives, but for a tail that rounding leaves."""
    sums = [sum(parts, Decimal(0)) for parts in tries]
    tail = any(rounding_tail(parts, total, digits) for parts in tries)
    if sums and not tail and total not in sums:
        right = plain(min(sums, key=lambda one: abs(one - total)))
        yield found("sum", cell=cell, said=plain(total) + unit, right=right + unit)


def _row(head: list[str], row: list[str], bands: Bands) -> Iterator[Problem]:
    """Ratios against their parts, a score against its points, grade and target."""
    cells = {role_of(title): cell for title, cell in reversed([*zip(head, row, strict=False)])}
    numbers = {role: v[0] for role, cell in cells.items() if (v := value(cell))}
    name = "·".join(dict.fromkeys(c for c in row[:3] if c and not value(c) and len(c) < 30))
    yield from _ratios({role: [number] for role, number in numbers.items()}, name)
    points, score, grade = numbers.get("分值"), numbers.get("得分"), cells.get("等级", "")[:1]
    if score is not None and grade and grade != (right := grade_of(max(score, Decimal(0)), bands)):
        yield found("grade", cell=name, said=grade, right=right)
    if points is None or score is None:
        return
    if not 0 <= score <= points:
        yield found("score", cell=name, score=plain(score), points=plain(points))
    wanted, target, done = cells.get("目标", ""), numbers.get("目标", 0), numbers.get("完成值")
    free = re.match("[≤≦<＜]", wanted) or re.search(spec()["cheaper"], name.split("·")[-1])
    if not free and done is not None and target > 0:
        due = round_to(min(Decimal(1), done / target) * points, 2)
        kind = "rule" if cells.get("原因") in (None, "", "无") else "rule.explained"
        facts = {"target": wanted, "done": cells["完成值"], "said": str(score), "right": plain(due)}
        yield from [found(kind, cell=name, **facts)] if due != score else ()


def _ratios(said: Mapping[str, Sequence[Decimal]], name: str = "") -> Iterator[Problem]:
    """The ratios that are said, against the parts and wholes that are said."""
    pairs = defaultdict[str, list[Pair]](list)
    for ratio, part, whole in spec()["ratios"]:
        pairs[ratio] += [(a, b) for a in said.get(part, ()) for b in said.get(whole, ())]
    for ratio, known in pairs.items():
        for rate in said.get(ratio, ()):
            yield from _ratio(rate, known, ratio, name)


def _ratio(rate: Decimal, pairs: Sequence[Pair], what: str, name: str = "") -> Iterator[Problem]:
    """A percentage that none of the pairs gives."""
    pairs = [(part, whole) for part, whole in pairs if whole > 0]
    if pairs and not any(close(rate, a, b) for a, b in pairs):
        rights = "或".join(dict.fromkeys(fixed(a / b * 100) + "%" for a, b in pairs[:3]))
        yield found("ratio", cell=name, what=what, said=plain(rate), right=rights)


def close(rate: Decimal, part: Decimal, whole: Decimal) -> bool:
    """True if a printed percentage is part ÷ whole, as far as the printed digits allow.

    >>> close(Decimal("92.4"), Decimal(850), Decimal(920))
    True
    """
    half, a, b = (Decimal(1).scaleb(int(n.as_tuple().exponent)) / 2 for n in (rate, part, whole))
    loose = 100 * (a / whole + part * b / whole**2) if max(a, b) < half else Decimal(0)
    return abs(rate - part / whole * 100) <= half + loose


# --- sentences ------------------------------------------------------------------------------


def said_in(text: str, name: str = "") -> Iterator[tuple[dict[str, str], Decimal, str]]:
    """What a text says of the figures in params/verify.yaml: entry, number (money in 元), words.

    The words are the sentence up to there.

    >>> [(e["role"], n) for e, n, _ in said_in("本年到位率92.39%；县级预算20万元；支出850万元")]
    [('到位率', Decimal('92.39')), ('支出', Decimal('8500000'))]
    """
    text = re.sub(r"（[^（）\d]*）", "", text.replace(name, "项目") if name else text)
    for part in re.finditer(r"[^，。；、：:（）\n\d]+\d[^，。；、：:（）\n]*", text):
        for entry in () if re.search(spec()["aside"], part[0]) else spec()["said"]:
            words = f"{spec()['prefix']}(?:{entry['words']}){spec()['link']}"
            if match := re.match(rf"{words}(?P<n>\d+(?:\.\d+)?)(?P<unit>{entry['unit']})", part[0]):
                number = Decimal(match["n"]) * YUAN_PER.get(match["unit"], 1)
                yield entry, number, re.split("[。；\n]", text[: part.end()])[-1]
                break


def _sentence_sums(text: str) -> Iterator[Problem]:
    """Parts before 合计, or behind 其中."""
    for sentence in re.split("[。；\n]", text):
        head, inner, tail = sentence.partition(spec()["parts_word"])
        said = [(m.start(), Decimal(m[1]), m[2]) for m in pattern("amount").finditer(head)]
        for at, total, unit in said:
            firm = re.search(f"(?:{spec()['total_words']})为?$", head[:at])
            before = [n for place, n, u in said if place < at and u == unit]
            tries = [before[-k:] for k in range(2, len(before) + 1)] if firm and not inner else []
            if inner and at == said[-1][0] and (firm or unit in YUAN_PER):
                behind = [Decimal(n) for n, u in pattern("amount").findall(tail) if u == unit]
                tries = [behind] if len(behind) > 1 and (firm or sum(behind) > total) else []
            yield from _sum(tries, total, unit=unit)


def _sentence_ratios(text: str) -> Iterator[Problem]:
    """Ratios of what a sentence says, “×%（甲÷乙）”, and what 比…增加… makes of two amounts."""
    said = defaultdict[str, list[Decimal]](list)
    for entry, number, _ in said_in(text):
        said[entry["role"]].append(number)
    yield from _ratios(said)
    for texts in pattern("quotient").findall(text):
        rate, part, whole = map(Decimal, texts)
        yield from _ratio(rate, [(part, whole)], "比率")
    for match in pattern("change").finditer(text):
        now, step = Decimal(match["now"]), Decimal(match["step"])
        base = now + step if match["way"] in spec()["less"] else now - step
        gap = now - Decimal(match["before"] or base)
        if abs(gap - (now - base)) > Decimal("0.01"):  # both are rounded
            unit = match["unit"]
            yield found("change", said=match["step"] + unit, right=plain(gap) + unit)
        elif match["rate"]:
            yield from _ratio(Decimal(match["rate"]), [(step, now - gap)], "增减幅度")


def _units(text: str, known: dict[str, str]) -> Iterator[Problem]:
    """A long figure now in 元, now in 万元; `known` are the units so far."""
    for number, unit, _ in money(text):
        first, digits = known.setdefault(number, unit), number.replace(".", "")
        if first != unit and (len(digits.strip("0")) > 3 or len(digits) > 5):
            yield found("unit", said=number + unit, right=number + first)


def _words(text: str) -> Iterator[Problem]:
    """大写金额 against the figures in the same paragraph or table row."""
    for match in dict.fromkeys(pattern("words").findall(text)):
        amount, figures = chinese_number(match), map(Decimal, pattern("number").findall(text))
        bare = [number * by for number in figures for by in YUAN_PER.values()]
        beside = [yuan for _, _, yuan in money(text)] or bare
        if beside and amount not in beside:
            near = plain(min(beside, key=lambda n: abs(n - amount)))
            yield found("words", words=match, said=plain(amount), right=near)
