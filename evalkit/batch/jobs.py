"""The project list: one row a project, checked as a whole before the first kernel starts."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from evalkit.batch.outcome import GIVEN, Job
from evalkit.core.model import STAGES
from evalkit.core.paths import asset
from evalkit.core.problem import EvalkitError, Problem, errors, refusal, refuse, sentence
from evalkit.core.store import safe_name
from evalkit.engine.notebook import notebook_parameters
from evalkit.workbook.cells import read_cell
from evalkit.workbook.names import match_key, nearest

REQUIRED = {"code": "项目编码", "name": "项目名称", "notebook": "笔记本", "workbook": "数据底稿"}
HEADERS = {"编码": "code", "报告状态": "stage", "政策方案": "profile"}
HEADERS |= {shown: name for name, title in REQUIRED.items() for shown in (title, name)}
_BOOLS = {"是": True, "否": False, "true": True, "false": False, "1": True, "0": False}
_READ: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": _BOOLS.__getitem__}
_CHINESE = re.compile(r"[^A-Za-z_]*[\u4e00-\u9fff][^A-Za-z_]*")
_RANGE = re.compile(r"\.\.|[~～]")
_MISTYPED, _SHOWN = 0.7, 80  # likeness to a known column; characters of values that are named
_FAULT = re.compile(r"#(N/A|[A-Z/0]+[!?])")  # what Excel shows where a formula has failed


class _Cell(NamedTuple):
    """A cell of the list: a text, or what Excel made of it."""

    text: str = ""
    content: Any = ""
    number_format: str = "General"

    @property
    def faults(self) -> list[Problem]:
        """Why a code in it cannot be trusted; of a whole number only zeros may be lost."""
        if _FAULT.fullmatch(self.text):
            return [sentence(f"formula.{self.text}", shown=self.text)]
        faults = read_cell(self.content, "code", number_format=self.number_format)[1]
        sound = not isinstance(self.content, float) and self.number_format[:2] != "00"
        return errors(faults) if sound else faults


def _cell(content: Any, number_format: str = "General") -> _Cell:
    text = content.strip() if isinstance(content, str) else read_cell(content, "text")[0].raw
    return _Cell(text, content, number_format)


_Row = tuple[int, list[_Cell]]
_Note = Callable[..., None]  # notes a problem by the code of its sentence and the facts in it
_Kinds = dict[str, str]  # kinds of a notebook's parameters by name
_Books = dict[str, tuple[Path, _Kinds | None]]  # notebooks as the list names them


def read_list(path: Path) -> list[Job]:
    """Read a project list: CSV (UTF-8 with or without BOM, GB18030) or XLSX (first sheet).

    Columns are ``code, name, notebook, workbook`` or their Chinese names, and any parameter the
    notebook declares; others with a Chinese name serve to `choose` by. Workbook paths are relative
    to the list; a notebook is a name (``project_evaluation``) or a path. Codes are text and unique
    ignoring case.

    Raises:
        EvalkitError: every problem of the list at once, with row numbers.
    """
    path = path.resolve()
    table = _read_xlsx(path) if path.suffix.lower() in {".xlsx", ".xlsm"} else _read_csv(path)
    rows = [(n, cells) for n, cells in enumerate(table, 1) if any(cell.text for cell in cells)]
    if len(rows) < 2:
        raise refusal("list.empty", file=path.name)
    problems: list[Problem] = []

    def bad(number: int, code: str, **facts: Any) -> None:
        problems.append(sentence(code, file=path.name, cell=f"第 {number} 行", **facts))

    (number, header), *body = rows
    titles = [unicodedata.normalize("NFKC", cell.text).strip(" *") for cell in header]
    columns = [_column(title) for title in titles]
    for name in sorted({name for name in columns if name and columns.count(name) > 1}):
        bad(number, "list.columns", name=name)
    for name in (name for name in REQUIRED if name not in columns):
        bad(number, "list.column", name=name, title=REQUIRED[name])
    refuse(problems)
    books: _Books = {}
    jobs = [_job(path.parent, row, titles, books, partial(bad, row[0])) for row in body]
    notebooks = [kinds for _, kinds in books.values() if kinds]
    known = sorted({name for kinds in notebooks for name in kinds}.difference(GIVEN))
    for name in columns if notebooks else ():
        if name and name not in (*REQUIRED, *known) and not _label(name):
            hint = nearest(name, [*known, *HEADERS])
            bad(number, "list.parameter", name=name, known="、".join(known), hint=hint)
    first: dict[tuple[str, str], Job] = {}  # with a code or an output folder
    for job in (job for job in jobs if job.code and job.name):
        for fault, text in {"list.twice": job.code, "list.folder": job.folder}.items():
            other = first.setdefault((fault, text.casefold()), job)
            if other is not job:
                bad(job.row, fault, text=text, row=other.row)
                break
    refuse(problems)
    return jobs


def _column(title: str) -> str:
    """What a column is called in code."""
    return HEADERS.get(title.lower(), title)


def _label(name: str) -> bool:
    """True if a column is only for people, and no parameter that was mistyped."""
    return bool(_CHINESE.fullmatch(name)) and not get_close_matches(name, HEADERS, 1, _MISTYPED)


def choose(
    jobs: Sequence[Job], only: Sequence[str] | None = None, where: Sequence[str] = ()
) -> list[Job]:
    """The projects of a list that are wanted.

    `only` names codes: one, ``A..B`` (from the row of the one to that of the other), or a pattern
    with ``*`` and ``?``. `where` says ``column=value``, the value maybe a pattern, and a project
    must be as all of them say. Width, case and blanks do not count.

    Raises:
        EvalkitError: every code and column that the list does not have, or no project is so.
    """
    rows = {job.code.casefold(): n for n, job in enumerate(jobs)}
    problems, wanted = list[Problem](), set(range(len(jobs)) if only is None else ())
    for text in only or ():
        key = text.casefold()
        ends = [rows[end] for end in map(str.strip, _RANGE.split(key)) if end in rows]
        found = [rows[key]] if key in rows else [n for code, n in rows.items() if _like(key, code)]
        if len(ends) == 2:
            found = list(range(min(ends), max(ends) + 1))
        wanted.update(found)
        if not found:
            hint = nearest(text, [job.code for job in jobs]).strip("，") or "请核对编码"
            problems.append(sentence("list.only", code=text, hint=hint))
    titles = {_column(title): title for title in jobs[0].columns}
    for text in where:
        name, equals, value = text.partition("=")
        title = titles.get(_column(unicodedata.normalize("NFKC", name).strip()))
        if not equals or title is None:
            known, hint = "、".join(titles.values()), nearest(name, [*titles, *titles.values()])
            problems.append(sentence("list.where", text=text, known=known, hint=hint))
            continue
        held = [match_key(job.columns[title]) for job in jobs]
        found = [n for n, text in enumerate(held) if _like(match_key(value), text)]
        wanted.intersection_update(found)
        if not found:
            some = "、".join(dict.fromkeys(job.columns[title] or "（空）" for job in jobs))
            problems.append(sentence("list.value", name=title, value=value, some=some[:_SHOWN]))
    refuse(problems)
    if not wanted:
        raise refusal("list.nothing", asked="，".join([*(only or ()), *where]))
    return [job for n, job in enumerate(jobs) if n in wanted]


def _like(pattern: str, text: str) -> bool:
    """True if a text is a pattern, in which * is any text and ? any character."""
    return bool(re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text))


def _read_csv(path: Path) -> list[list[_Cell]]:
    try:
        data = path.read_bytes()
        if b"\0" in data:
            raise refusal("list.binary", file=path.name)
        for encoding in ("utf-8-sig", "gb18030"):
            with suppress(UnicodeDecodeError):
                text = io.StringIO(data.decode(encoding), newline="")
                return [[_cell(value) for value in line] for line in csv.reader(text, strict=True)]
    except OSError:
        raise refusal("list.missing", file=path.name) from None
    except csv.Error as error:
        raise refusal("list.csv", file=path.name, why=error) from None
    raise refusal("list.encoding", file=path.name)


def _read_xlsx(path: Path) -> list[list[_Cell]]:
    from evalkit.workbook.opener import open_twice

    rows = open_twice(path)[0].worksheets[0].iter_rows()
    return [[_cell(cell.value, cell.number_format) for cell in row] for row in rows]


def _job(folder: Path, row: _Row, titles: list[str], books: _Books, bad: _Note) -> Job:
    number, cells = row
    if any(cell.text for cell in cells[len(titles) :]):
        bad("list.wide")
    written = {title: cell.text for title, cell in zip(titles, cells, strict=False) if title}
    values = {_column(title): cell for title, cell in zip(titles, cells, strict=False) if cell.text}
    if stray := values.pop("", None):
        bad("list.stray", text=stray.text)
    for key in [key for key in REQUIRED if key not in values]:
        bad("list.blank", title=REQUIRED[key])
    for problem in values["code"].faults if "code" in values else ():
        bad("list.code", what=problem.what, remedy=problem.remedy)
    code, name, book, work = (values.get(key, _Cell()).text for key in REQUIRED)
    workbook = (folder / work).resolve()
    if work and not workbook.is_file():
        bad("list.workbook", text=work)
    if book not in books:
        books[book] = _notebook(folder, book)
    notebook, kinds = books[book]
    if book and kinds is None:
        bad("list.notebook", text=book)
    kinds = kinds or {}
    chosen = {key: values[key].text for key in kinds if key in values.keys() - {*REQUIRED, *GIVEN}}
    parameters = {key: _value(key, text, kinds[key], bad) for key, text in chosen.items()}
    own = safe_name(f"{code}_{name}")
    columns = dict.fromkeys(filter(None, titles), "") | written
    declared = tuple(kinds)
    return Job(number, code, name, notebook, workbook, own, parameters, declared, columns)


def _notebook(folder: Path, named: str) -> tuple[Path, _Kinds | None]:
    """Where a notebook is, and its parameters; None if it is none."""
    by_path = "/" in named or "\\" in named or named.lower().endswith(".ipynb")
    path = (folder / named if by_path else asset("notebooks", f"{named}.ipynb")).resolve()
    try:
        return path, notebook_parameters(path)
    except EvalkitError:
        return path, None


def _value(name: str, text: str, kind: str, bad: _Note) -> Any:
    if name == "stage" and text not in STAGES:
        bad("list.stage", text=text, known="、".join(STAGES))
    if kind == "str":
        return text
    with suppress(ValueError, KeyError):
        return _READ[kind](unicodedata.normalize("NFKC", text).replace(",", "").lower())
    return bad(f"value.{kind}", name=name, text=text)
