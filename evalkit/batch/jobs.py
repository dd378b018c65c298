"""The project list: one row a project, checked as a whole before the first kernel starts."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.core.model import STAGES
from evalkit.core.paths import asset
from evalkit.core.problem import EvalkitError, Problem, errors, refusal, refuse, sentence
from evalkit.core.store import safe_name
from evalkit.workbook.cells import read_cell
from evalkit.workbook.names import nearest

REQUIRED = {"code": "项目编码", "name": "项目名称", "notebook": "笔记本", "workbook": "数据底稿"}
HEADERS = {title: name for name, title in REQUIRED.items()} | {name: name for name in REQUIRED}
HEADERS |= {"编码": "code", "报告状态": "stage", "政策方案": "profile"}
GIVEN = ("code", "name", "workbook", "out")  # set by the batch where a notebook declares them
_BOOLS = {"是": True, "否": False, "true": True, "false": False, "1": True, "0": False}
_READ: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": _BOOLS.__getitem__}
_FAULT = re.compile(r"#(N/A|[A-Z/0]+[!?])")  # what Excel shows where a formula has failed


@dataclass(frozen=True)
class Job:
    """One project to run. Paths are absolute; `folder` is its folder name under the output."""

    row: int
    code: str
    name: str
    notebook: Path
    workbook: Path
    folder: str
    parameters: dict[str, Any] = field(default_factory=dict)
    declared: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Code and name, as lists show a project."""
        return f"{self.code} {self.name}"

    def injected(self, out: Path) -> dict[str, Any]:
        """The parameters given to the notebook, for its output folder `out`."""
        given = (self.code, self.name, str(self.workbook), str(out))
        named = zip(GIVEN, given, strict=True)
        return {key: value for key, value in named if key in self.declared} | self.parameters


@dataclass(frozen=True)
class _Cell:
    """A cell of the list: a text or what Excel made of it."""

    content: Any = ""  # as openpyxl or csv gives it
    number_format: str = "General"

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content.strip()
        return read_cell(self.content, "text")[0].raw

    def spoilt(self) -> list[Problem]:
        """Why a code in this cell cannot be trusted; of a whole number only zeros may be lost."""
        if _FAULT.fullmatch(self.text):
            return [sentence(f"formula.{self.text}", shown=self.text)]
        found = read_cell(self.content, "code", number_format=self.number_format)[1]
        sound = not isinstance(self.content, float) and self.number_format[:2] != "00"
        return errors(found) if sound else found


_Row = tuple[int, list[_Cell]]
_Note = Callable[..., None]  # notes a problem by the code of its sentence and the facts in it
_Kinds = dict[str, str]  # kinds of a notebook's parameters by name


def read_list(path: Path) -> list[Job]:
    """Read a project list: CSV (UTF-8 with or without BOM, GB18030) or XLSX (first sheet).

    Columns are ``code, name, notebook, workbook`` or their Chinese names, and any parameter the
    notebook declares. Workbook paths are relative to the list; a notebook is a name
    (``project_evaluation``) or a path. Codes are text and unique ignoring case.

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
    columns = [_header(cell.text) for cell in header]
    for name in sorted({name for name in columns if name and columns.count(name) > 1}):
        bad(number, "list.columns", name=name)
    for name in (name for name in REQUIRED if name not in columns):
        bad(number, "list.column", name=name, title=REQUIRED[name])
    refuse(problems)
    notebooks: dict[Path, _Kinds] = {}
    jobs = [_job(path.parent, row, columns, notebooks, partial(bad, row[0])) for row in body]
    known = sorted({name for kinds in notebooks.values() for name in kinds}.difference(GIVEN))
    for name in columns if any(notebooks.values()) else ():
        if name and name not in (*REQUIRED, *known):
            hint = nearest(name, [*known, *HEADERS])
            bad(number, "list.parameter", name=name, known="、".join(known), hint=hint)
    _check_clashes(jobs, bad)
    refuse(problems)
    return jobs


def declared(source: str) -> dict[str, str]:
    """The parameters a `parameters` cell assigns, read without running it.

    Each has a kind: str, int, float, bool or other.

    >>> declared("stage = '初稿'; top: int = 5")
    {'stage': 'str', 'top': 'int'}
    """
    found = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        try:
            default = ast.literal_eval(node.value) if node.value else None
        except ValueError:
            default = None
        kind = "str" if default is None else type(default).__name__
        if isinstance(node, ast.AnnAssign):
            kind = ast.unparse(node.annotation).split("|")[0].strip()
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                found[target.id] = kind if kind in ("str", *_READ) else "other"
    return found


def notebook_parameters(path: Path) -> dict[str, str]:
    """What the cell tagged `parameters` of a notebook declares.

    Raises:
        EvalkitError: not a notebook, or its `parameters` cell is not Python.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            if "parameters" in cell["metadata"].get("tags", []):
                return declared("".join(cell["source"]))
    except (OSError, ValueError, KeyError, TypeError, SyntaxError):
        raise refusal("notebook", file=path.name) from None
    return {}


def _read_csv(path: Path) -> list[list[_Cell]]:
    try:
        data = path.read_bytes()
    except OSError:
        raise refusal("list.missing", file=path.name) from None
    if b"\0" in data:
        raise refusal("list.binary", file=path.name)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = io.StringIO(data.decode(encoding), newline="")
            lines = list(csv.reader(text, strict=True))
        except UnicodeDecodeError:
            continue
        except csv.Error as error:
            raise refusal("list.csv", file=path.name, why=error) from None
        return [[_Cell(value) for value in line] for line in lines]
    raise refusal("list.encoding", file=path.name)


def _read_xlsx(path: Path) -> list[list[_Cell]]:
    from evalkit.workbook.opener import open_twice

    rows = open_twice(path)[0].worksheets[0].iter_rows()
    return [[_Cell(cell.value, cell.number_format) for cell in row] for row in rows]


def _header(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).strip(" *")
    return HEADERS.get(plain.lower(), plain)


def _job(
    folder: Path, row: _Row, columns: list[str], notebooks: dict[Path, _Kinds], bad: _Note
) -> Job:
    number, cells = row
    if any(cell.text for cell in cells[len(columns) :]):
        bad("list.wide")
    values = {name: cell for name, cell in zip(columns, cells, strict=False) if cell.text}
    if stray := values.pop("", None):
        bad("list.stray", text=stray.text)
    for key in [key for key in REQUIRED if key not in values]:
        bad("list.blank", title=REQUIRED[key])
    for problem in values.get("code", _Cell()).spoilt():
        bad("list.code", what=problem.what, remedy=problem.remedy)
    code, name, book, work = (values.get(key, _Cell()).text for key in REQUIRED)
    workbook = (folder / work).resolve()
    if work and not workbook.is_file():
        bad("list.workbook", text=work)
    notebook = _notebook(folder, book)
    if book and notebook not in notebooks:
        try:
            notebooks[notebook] = notebook_parameters(notebook)
        except EvalkitError:
            bad("list.notebook", text=book)
    kinds = notebooks.get(notebook, {})
    chosen = {key: values[key].text for key in kinds if key in values.keys() - {*REQUIRED, *GIVEN}}
    parameters = {key: _value(key, text, kinds[key], bad) for key, text in chosen.items()}
    own = safe_name(f"{code}_{name}")
    return Job(number, code, name, notebook, workbook, own, parameters, tuple(kinds))


def _notebook(folder: Path, text: str) -> Path:
    if "/" in text or "\\" in text or text.lower().endswith(".ipynb"):
        return (folder / text).resolve()
    return asset("notebooks", f"{text}.ipynb").resolve()


def _value(name: str, text: str, kind: str, bad: _Note) -> Any:
    if name == "stage" and text not in STAGES:
        bad("list.stage", text=text, known="、".join(STAGES))
    if kind == "str":
        return text
    try:
        return _READ[kind](unicodedata.normalize("NFKC", text).replace(",", "").lower())
    except (ValueError, KeyError):
        bad(f"value.{kind}", name=name, text=text)


def _check_clashes(jobs: list[Job], bad: _Note) -> None:
    """Refuse jobs that share a code or an output folder with one above them."""
    first: dict[tuple[str, str], Job] = {}
    for job in (job for job in jobs if job.code and job.name):
        for fault, text in {"list.twice": job.code, "list.folder": job.folder}.items():
            other = first.setdefault((fault, text.casefold()), job)
            if other is not job:
                bad(job.row, fault, text=text, row=other.row)
                break
