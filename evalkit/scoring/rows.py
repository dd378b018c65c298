"""What every business does with its rows: match, group, add up, rank and print them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any
from unicodedata import normalize

from evalkit.core.model import Source

Line = dict[str, Any]  # a row of results, before it is printed


def key_of(text: str) -> str:
    """Text as it is compared: width, case and blanks do not count.

    >>> key_of("ＡＢ－1 ２"), key_of("控制 成本（≦９０万）")
    ('ab-12', '控制成本(≤90万)')
    """
    signs = normalize("NFKC", text).replace("≧", "≥").replace("≦", "≤")
    return "".join(signs.split()).casefold()


def called(source: Source) -> str:
    """What the sheets of a task call a filed form: its code, else its name, else its file."""
    form = source.forms["project"]
    return form["code"].text or form["name"].text or Path(source.path).name


def groups(rows: Iterable[Line], by: Callable[[Line], Any]) -> dict[Any, list[Line]]:
    """Rows by what `by` says of them, in the order of the rows."""
    found: dict[Any, list[Line]] = {}
    for row in rows:
        found.setdefault(by(row), []).append(row)
    return found


def summed(numbers: Iterable[Decimal | None]) -> Decimal | None:
    """The sum of what is known; None where nothing is.

    >>> summed([Decimal(1), None, Decimal(2)]), summed([None])
    (Decimal('3'), None)
    """
    known = [number for number in numbers if number is not None]
    return sum(known, Decimal(0)) if known else None


def add_up(
    rows: Sequence[Line], totals: Callable[[Sequence[Line]], Line], *by: str, whole: str = ""
) -> list[Line]:
    """What `totals` makes of the rows of each group by some fields, then of the `whole`.

    >>> add_up([{"of": "甲"}, {"of": "乙"}], lambda rows: {"rows": len(rows)}, "of", whole="合计")
    [{'of': '甲', 'rows': 1}, {'of': '乙', 'rows': 1}, {'of': '合计', 'rows': 2}]
    """
    found = list(groups(rows, itemgetter(*by)).values())
    parts = [{field: group[0][field] for field in by} | totals(group) for group in found]
    return [*parts, {by[0]: whole} | totals(rows)] if whole and rows else parts


def ranked(findings: Sequence[Line], form: str, *by: str) -> list[Line]:
    """Kinds of findings by some fields, with how many `forms` and `times` each; most forms first.

    >>> ranked([{"id": "1", "of": "甲"}, {"id": "2", "of": "甲"}, {"id": "2", "of": "乙"}],
    ...        "of", "id")
    [{'id': '2', 'forms': 2, 'times': 2}, {'id': '1', 'forms': 1, 'times': 1}]
    """

    def counted(kind: Sequence[Line]) -> Line:
        return {"forms": len({finding[form] for finding in kind}), "times": len(kind)}

    kinds = add_up(findings, counted, *by)
    return sorted(kinds, key=itemgetter("forms", "times"), reverse=True)


def printed(row: Line, number: Callable[[Decimal], str] = str, blank: str = "") -> dict[str, str]:
    """The fields of a row as text, cells as they were filed; lists are left out."""

    def text(value: Any) -> str:
        if isinstance(value, Decimal):
            return number(value)
        return blank if value is None else str(getattr(value, "raw", value))

    return {name: text(value) for name, value in row.items() if not isinstance(value, list)}


def figures(**spaces: Mapping[str, Any]) -> dict[str, Decimal]:
    """What is a number in some rows, as the named figures of a result.

    >>> figures(review={"forms": 2, "name": "某县"})
    {'review.forms': Decimal('2')}
    """
    return {f"{space}.{name}": Decimal(number) for space, row in spaces.items()
            for name, number in row.items() if isinstance(number, int | Decimal)}  # fmt: skip
