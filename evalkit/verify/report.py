"""`evalkit verify`: a report as it now is against its result.json, and against itself.

What contradicts the result is an alarm (severity error); a figure in free prose that matches none
is a note, for evaluators quote many. What a document says of itself (sums, ratios, grades, amounts
in words) needs no result: any docx with labelled tables will do, so a filed 自评表. Codes are
``verify.<kind>``; kinds, words and patterns stand in params/verify.yaml.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from itertools import chain, product
from pathlib import Path
from typing import Any

from docx.oxml.ns import qn

from evalkit.core import result_file
from evalkit.core.model import STRICT_STAGES, Result
from evalkit.core.numbers import YUAN_PER, fixed, plain, round_to, rounding_tail
from evalkit.core.problem import SEVERITY_NAMES, Problem
from evalkit.core.store import write_json
from evalkit.ooxml.bind import document_fields, properties, units
from evalkit.ooxml.oxml import GAP
from evalkit.policy import load as load_policy
from evalkit.report.evaluation import printed
from evalkit.scoring.scorecard import grade_of
from evalkit.verify import reading
from evalkit.verify.reading import Grid, Line, Reading, figures, found, normal, pattern, read, spec

CHECKS = "checks.json"

# `report` of result.json's run: units and bindings as rendered, narrative: the units of 文字.docx
Record = Mapping[str, Any]
Bands = list[dict[str, Any]]
Pair = Sequence[Decimal]  # part and whole


def check_report(path: Path, result: Result | None, record: Record | None = None) -> list[Problem]:
    """Everything found in a docx, alarms first; without a result only what it says of itself.

    Raises:
        EvalkitError: not a Word file.
    """
    report, bands = read(path), load_policy(as_of=date.max).value("grade_bands")
    problems = [*check(report, bands), *_gaps(report, result)]
    if result:
        same: set[Line] = set()  # paragraphs that say what they said when they were rendered
        grade = (result.score.grade or "暂不评定") if result.score else ""
        problems += _bound(report, result, record or {})
        problems += _texts(report, result, record or {}, same)
        problems += _prose(report, result, same)
    else:
        text = "\n".join(line.text for line in report.lines)
        total = None if re.search(spec()["capped"], text) else re.search(spec()["scored"], text)
        grade = grade_of(Decimal(total[1]), bands) if total else ""
    problems += _said(report, result, grade)
    unique = dict.fromkeys(problem.model_copy(update={"file": path.name}) for problem in problems)
    return sorted(unique, key=lambda problem: problem.severity == "note")


# --- against the result ---------------------------------------------------------------------


def _bound(report: Reading, result: Result, record: Record) -> Iterator[Problem]:
    """Bound numbers and document properties changed, removed or unknown."""
    known, truth = properties(report.document), printed(result)
    fields = [field for field in document_fields(report.document) if field.path]
    right = {k: text for k, text in known.items() if k.startswith("document.")} | truth
    for field in fields:
        place, shown = report.line(field.marks[0]).place, normal(right.get(field.path, ""))
        said = normal(field.text)
        if field.path not in right:
            yield found("path", place, field.path)
        elif said != shown and (figures(said) != figures(shown) or not figures(said)):
            yield found("field", place, field.path, said=field.text, right=shown)
    counts = Counter(field.path for field in fields)
    for path in sorted({*known, *counts} & {*truth}):
        if known.get(path) != truth[path]:
            yield found("property", "", path, said=known.get(path, ""), right=truth[path])
    # neither: the copy handed over, whose fields are unlinked
    wanted = Counter(record.get("bindings", {}) if known or fields else {})
    for path in wanted - counts:
        yield found("unbound", "", path, said=counts[path], right=wanted[path])


def _texts(report: Reading, result: Result, record: Record, same: set[Line]) -> Iterator[Problem]:
    """Generated paragraphs and rows whose figures or names are not the recorded ones.

    What came from 文字.docx is an evaluator's own prose: who changes it is free to.
    """
    live, own = units(report.document.element.body), {*record.get("narrative", ())}
    names = [normal(result.subject.get(field, "")) for field in spec()["whole_names"]]
    owned = {report.line(unit.start).element for unit in live.values()}
    rows = ["｜".join(row).replace("\n", "") for row, _ in report.rows]
    said = {*rows, *(line.text for line in report.lines)}
    loose = [line for line in report.lines if line.element not in owned]
    loose += [] if live else [Line(row, "", 0, True, None) for row in rows]
    shapes = {_shape(line.text): line for line in loose}  # who lost their bookmarks
    for key, text in record.get("units", {}).items():
        old, unit = normal(text).replace("\n", ""), live.get(key)
        line = report.line(unit.start) if unit else shapes.get(_shape(old))
        if not unit and old in said:
            continue
        if line is None:
            kind = "row" if "｜" in old and key not in own else "gone"
            yield found(kind, "", old.split("｜")[0], said=old[:60])
            continue
        now = normal(unit.full_text if unit and unit.row else line.text).replace("\n", "")
        before, after = Counter(figures(old)), Counter(figures(now))
        lost, new = "、".join(before - after), "、".join(after - before)
        renamed = "、".join(name for name in names if name in old and name not in now)
        if not (lost or new or renamed):
            same.add(line)
        elif key not in own and (renamed or (lost and (new or "｜" in old))):
            yield found("text", line.place, said=new or "删去", right=lost or renamed)
        elif key not in own and lost:
            yield found("text.cut", line.place, said=lost)


def _shape(text: str) -> str:
    return re.sub(r"\d+(?:\.\d+)?", "#", text)


def _prose(report: Reading, result: Result, same: set[Line]) -> Iterator[Problem]:
    """What sentences say of the result's figures; figures that the result does not know."""
    # what is only simulated (robust_…) proves no figure of a report
    own = {k: rows for k, rows in result.tables.items() if not k.startswith("robust_")}
    dump = normal(result.model_copy(update={"tables": own}).model_dump_json())
    numbers = {Decimal(n) for n in re.findall(r"\d+(?:\.\d+)?", dump)}
    funds = {v for k, v in result.values.items() if k.startswith("funds.") and "rate" not in k}
    truth = {f"measured.{n}": n for n in map(Decimal, re.findall(r"(\d+(?:\.\d+)?)%", dump))}
    for path, text in printed(result).items():
        if re.fullmatch(r"[\d.]+%?", text):
            truth[path] = result.values.get(path, Decimal(text.rstrip("%")))
    meant = cache(lambda paths: [v for k, v in truth.items() if re.fullmatch(paths, k)])
    for line in (line for line in report.lines if not line.level):
        for entry, number, words in said_in(line.text, normal(result.name)):
            known = meant(entry.get("paths", ""))
            if known and number not in known and not re.search(spec()["partly"], words):
                right = plain(min(known, key=lambda v: abs(v - number)))
                yield found("claim", line.place, what=entry["role"], said=words[-30:], right=right)
        for shown, unit, amount in money(line.text):
            slips = {amount * Decimal(by) for by in ("1e4", "1e8", "1e-4", "1e-8")} & funds
            if slips and amount not in funds and len(shown.replace(".", "")) > 3:
                yield found("unit", line.place, said=shown + unit, right=plain(slips.pop()) + "元")
        odd = [m for m in pattern("free").finditer(line.text) if Decimal(m[1]) not in numbers]
        if odd and line not in same and not line.cell:
            near = [min(numbers, key=lambda n: abs(n - Decimal(m[1]))) for m in odd]
            said = "、".join(match[0] for match in odd)
            yield found("number", line.place, said=said, right="、".join(map(plain, near)))


# --- the document as a whole ----------------------------------------------------------------


def _said(report: Reading, result: Result | None, grade: str) -> Iterator[Problem]:
    """Names, years and grades that differ from the result's, or from those said first."""
    filled = ([cell.strip("：:") for cell in row if cell.strip("：:")] for row, _ in report.rows)
    rows = [row for row in filled if row]
    texts = [(line.text, line.place) for line in report.lines]
    texts += [("：".join(row[:2]), row[0]) for row in rows]
    right = {k: normal(text) for k, text in result.subject.items() if text} if result else {}
    right["grade"] = grade
    name = right.get("name", "　")
    fill = {"name": re.escape(name), "short": re.escape(name[:4])}
    quiet = spec()["unasked"].get(result.workflow, ()) if result else ()
    asked = [statement for statement in spec()["statements"] if statement[0] not in quiet]
    for (text, place), (kind, field, saying) in product(texts, asked):
        for match in re.finditer(saying.format(**fill), text):
            said = next(filter(None, match.groups()))
            wanted = right.get(field, "") if result else right.setdefault(field, said)
            if wanted and not said.startswith(wanted) and said != GAP:
                yield found(kind, place, said=said[:30], right=wanted)
    names = filter(None, (right.get(field) for field in spec()["whole_names"]))
    slips = {name: _slips(name) for name in names}
    listed = (row.values() for rows in result.tables.values() for row in rows) if result else ()
    known = {*slips, *chain.from_iterable(listed)}  # 民政局 of a list is no slip for 财政局
    for (text, place), name in product(texts, slips):
        for match in slips[name].finditer(text):
            # 第一小学 is no slip for 第二小学
            odd = {c for a, b in zip(match[0], name, strict=False) if a != b for c in a + b}
            if odd and match[0] not in known and not odd <= {*spec()["ordinals"]}:
                yield found("name", place, said=match[0], right=name)
    front = "".join(line.text for line in report.lines[:10])
    headers = [text for text, place in texts if place == spec()["stories"]["hdr"] and text]
    for text in (text for text in (front, *headers) if right.get("name", "") not in text):
        yield found("name", "封面和页眉", said=text[:40], right=right["name"])
    for label, field in spec()["signatures"].items() if spec()["report_title"] in front else ():
        mine = [row[1:] for row in rows if re.search(label, row[0])]
        wanted = right.get(field, "")
        signed = [c for row in mine for c in row if not re.search(spec()["signing"], c)]
        if not mine or (field and not (wanted in signed if wanted else signed)):
            yield found("signature", "签署块", label, right=wanted)


def _slips(name: str) -> re.Pattern[str]:
    """The name, or it with one character changed, or with one left out inside."""
    inner = range(1, len(name) - 1) if len(name) > 4 else ()
    cut = [f"{re.escape(name[:n])}.?{re.escape(name[n + 1 :])}" for n in inner]
    ends = [f".{re.escape(name[1:])}", f"{re.escape(name[:-1])}."] if cut else ["(?!)"]
    return re.compile("|".join([*cut, *ends]))


def _gaps(report: Reading, result: Result | None) -> Iterator[Problem]:
    """Placeholders and headings with nothing below; 待补充 is the kit's own word in a draft."""
    draft = result is not None and result.stage not in STRICT_STAGES
    heading: Line | None = None
    for line in [*report.lines, Line("", "", 1, False, None)]:
        for match in dict.fromkeys(re.findall(spec()["placeholders"], line.text)):
            if "_" not in match or not re.search(spec()["signing"], line.text):
                kind = "gap" if draft and match == GAP else "placeholder"
                yield found(kind, line.place, said=match)
        if line.level:
            if heading and line.level <= heading.level:
                yield found("empty", heading.text)
            heading = line
        elif line.text or next(line.element.iter(qn("w:drawing")), None) is not None:
            heading = None


# --- its figures against each other ---------------------------------------------------------


def check(report: Reading, bands: Bands) -> Iterator[Problem]:
    """Everything in a document that its own figures contradict."""
    checks = [(grid.place, _table(grid, bands)) for grid in report.grids]
    cells = " ".join(cell for row, _ in report.rows for cell in row)
    is_form = cells and any(spec()["form_title"] in line.text for line in report.lines[:8])
    if is_form and not re.search(spec()["form_row"], cells):  # 财预〔2020〕10号附1 gives it points
        checks.append((report.grids[-1].place, iter([found("form")])))
    units: dict[str, str] = {}
    checks += [(line.place, _sentences(line.text, units)) for line in report.lines]
    checks += [(line.place, _words(line.text)) for line in report.lines if not line.cell]
    checks += [(place, _words("\n".join(row))) for row, place in report.rows]
    for place, problems in checks:
        yield from (problem.model_copy(update={"sheet": place}) for problem in problems)


def money(text: str) -> list[tuple[str, str, Decimal]]:
    """Amounts of money in a text: number and unit as printed, and in 元.

    >>> money("预算20万元，单价3元/人")
    [('20', '万元', Decimal('200000'))]
    """
    said = pattern("money").findall(text)
    return [(number, unit, Decimal(number) * YUAN_PER[unit]) for number, unit in said]


# --- tables ---------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def role_of(head: str) -> str:
    """What a column heading stands for; itself if nothing is known of it.

    >>> role_of("全年预算数（万元）"), role_of("得分率"), role_of("备忘")
    ('全年预算', '得分率', '备忘')
    """
    return next((role for role, said in spec()["columns"] if re.fullmatch(said, head)), head)


def rank(row: Sequence[str]) -> int:
    """2 for a total row, 1 for a subtotal, else 0."""
    heads = [cell.strip("：:") for cell in row[:3]]
    ranks = enumerate((spec()["subtotals"], spec()["totals"]), 1)
    return max((n for n, said in ranks for head in heads if re.fullmatch(said, head)), default=0)


def blocks(grid: Grid) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The parts of a table that have a header of their own: a filed form holds several."""
    head: list[str] = []
    rows: list[list[str]] = []
    for row in [*grid.rows, []]:
        labels = {cell for cell in row if cell}
        known = sum(role_of(cell) != cell for cell in labels) + ("得分" in labels)
        opens = known > 1 or (not head and len(labels) > 1)
        if row and (not opens or rank(row) or any(map(reading.value, labels))):
            rows.append([*row, *[""] * len(head)])  # may be short
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
                earlier.setdefault(role, []).extend(row[n] for row in rows)


def _sums(
    head: list[str], rows: list[list[str]], earlier: Mapping[str, list[str]]
) -> Iterator[Problem]:
    """Total rows; and columns that are headed 合计, where most rows add up across."""
    columns = [n for n, title in enumerate(head) if not re.search(spec()["not_added"], title)]
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


def _sum_of(cells: list[str], name: str, said: str, more: Sequence[str] = ()) -> Iterator[Problem]:
    """What is said to be the sum of cells, which may count `more` of them too."""
    total, known = reading.value(said), [v for cell in cells if (v := reading.value(cell))]
    if total and known and len({unit for _, unit in known}) == 1:
        parts = [number for number, _ in known]
        whole = parts + [v[0] for cell in more if (v := reading.value(cell))]
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
    numbers = {role: v[0] for role, cell in cells.items() if (v := reading.value(cell))}
    name = "·".join(dict.fromkeys(c for c in row[:3] if c and not reading.value(c) and len(c) < 30))
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
    for ratio, ways in spec()["ratios"].items():
        pairs = [pair for way in ways for pair in product(*(said.get(role, ()) for role in way))]
        for rate in said.get(ratio, ()):
            yield from _ratio(rate, pairs, ratio, name)


def _ratio(rate: Decimal, pairs: Iterable[Pair], what: str, name: str = "") -> Iterator[Problem]:
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


def _sentences(text: str, units: dict[str, str]) -> Iterator[Problem]:
    """Sums, ratios and units; `units` are those of the figures so far."""
    yield from _sentence_sums(text)
    yield from _sentence_ratios(text)
    for number, unit, _ in money(text):  # a long figure now in 元, now in 万元
        first, digits = units.setdefault(number, unit), number.replace(".", "")
        if first != unit and (len(digits.strip("0")) > 3 or len(digits) > 5):
            yield found("unit", said=number + unit, right=number + first)


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
    for rate, *pair in (map(Decimal, texts) for texts in pattern("quotient").findall(text)):
        yield from _ratio(rate, [pair], "比率")
    for match in pattern("change").finditer(text):
        now, step = Decimal(match["now"]), Decimal(match["step"])
        base = now + step if match["way"] in spec()["less"] else now - step
        gap = now - Decimal(match["before"] or base)
        if abs(gap - (now - base)) > Decimal("0.01"):  # both are rounded
            unit = match["unit"]
            yield found("change", said=match["step"] + unit, right=plain(gap) + unit)
        elif match["rate"]:
            yield from _ratio(Decimal(match["rate"]), [(step, now - gap)], "增减幅度")


def _words(text: str) -> Iterator[Problem]:
    """大写金额 against the figures in the same paragraph or table row."""
    for match in dict.fromkeys(pattern("words").findall(text)):
        amount, said = reading.chinese_number(match), map(Decimal, pattern("number").findall(text))
        bare = [number * by for number in said for by in YUAN_PER.values()]
        beside = [yuan for _, _, yuan in money(text)] or bare
        if beside and amount not in beside:
            near = plain(min(beside, key=lambda n: abs(n - amount)))
            yield found("words", words=match, said=plain(amount), right=near)


# --- the command ----------------------------------------------------------------------------


def update(report: Path, result: Path | None = None) -> list[Problem]:
    """Check a report against the result beside it (or the one given).

    With a result, checks.json beside the report gets the findings in place of earlier ones.

    Raises:
        EvalkitError: the report or the given result cannot be read.
    """
    source = result or report.with_name(result_file.FILE_NAME)
    if not result and not source.exists():
        return check_report(report, None)
    known, run = result_file.load(source)
    problems, path = check_report(report, known, run.get("report")), report.with_name(CHECKS)
    text = path.read_text(encoding="utf-8") if path.exists() else '{"problems": [], "missing": []}'
    checks = json.loads(text)
    kept = [p for p in checks["problems"] if not p.get("code", "").startswith("verify.")]
    checks["problems"] = kept + [problem.model_dump(mode="json") for problem in problems]
    write_json(path, checks)
    return problems


def cli(report: Path, result: Path | None = None) -> int:
    """Print what `update` finds; 1 if there is an alarm, else 0.

    Raises:
        EvalkitError: the report or the given result cannot be read.
    """
    from rich.console import Console
    from rich.table import Column, Table

    problems = update(report, result)
    heads = (Column(head, overflow="fold") for head in ("程度", "位置", "内容", "处理"))
    table = Table(*heads, title=report.name)
    for p in problems:
        table.add_row(SEVERITY_NAMES[p.severity], f"{p.sheet}\n{p.cell}".strip(), p.what, p.remedy)
    Console().print(table if problems else f"{report.name}：没有发现问题")
    return int(any(problem.severity != "note" for problem in problems))
