"""The project list: one row a project, checked as a whole before the first kernel starts."""

from __future__ import annotations

import ast
import csv
import difflib
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.core.model import STAGES
from evalkit.core.paths import asset
from evalkit.core.problem import EvalkitError, Problem, refuse
from evalkit.core.store import safe_name

REQUIRED = {"code": "项目编码", "name": "项目名称", "notebook": "笔记本", "workbook": "数据底稿"}
HEADERS = {title: name for name, title in REQUIRED.items()} | {name: name for name in REQUIRED}
HEADERS |= {"编码": "code", "报告状态": "stage", "政策方案": "profile"}
GIVEN = ("code", "name", "workbook", "out")  # set by the batch where a notebook declares them
_BOOLS = {"是": True, "否": False, "true": True, "false": False, "1": True, "0": False}
_WANTED = {"int": "整数", "float": "数字", "bool": "是或否", "other": "可在清单中填写的值"}
_READ: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": _BOOLS.__getitem__}
_LONGEST_INTEGER = 10**15  # Excel keeps 15 digits


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
    text: str
    suspect: str = ""  # why a code in this cell cannot be trusted


_Row = tuple[int, list[_Cell]]
_Refuse = Callable[[str, str], None]  # notes what is wrong with a row, and the remedy
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
    rows = _read_xlsx(path) if path.suffix.lower() in {".xlsx", ".xlsm"} else _read_csv(path)
    rows = [(number, cells) for number, cells in rows if any(cell.text for cell in cells)]
    if len(rows) < 2:
        raise _not_a_list(path, "清单中没有项目", "请至少填写一行")
    problems: list[Problem] = []

    def bad(number: int, what: str, remedy: str) -> None:
        place = f"第 {number} 行"
        problems.append(Problem(file=path.name, cell=place, what=what, remedy=remedy))

    (number, header), *body = rows
    columns = [_header(cell.text) for cell in header]
    _check_columns(columns, partial(bad, number))
    refuse(problems)
    notebooks: dict[Path, _Kinds] = {}
    jobs = [_job(path.parent, row, columns, notebooks, partial(bad, row[0])) for row in body]
    known = {name for kinds in notebooks.values() for name in kinds}
    _check_parameters(columns, known, partial(bad, number))
    for job, what, remedy in _clashes(jobs):
        bad(job.row, what, remedy)
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
        raise EvalkitError([Problem(what=f"“{path.name}”不是可用的笔记本")]) from None
    return {}


def _not_a_list(path: Path, what: str, remedy: str) -> EvalkitError:
    return EvalkitError([Problem(file=path.name, what=what, remedy=remedy)])


def _read_csv(path: Path) -> list[_Row]:
    try:
        data = path.read_bytes()
    except OSError:
        raise _not_a_list(path, "找不到或打不开项目清单", "请检查路径") from None
    if b"\0" in data:
        raise _not_a_list(path, "不是 CSV 文本", "请另存为 CSV（UTF-8）或 XLSX")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = io.StringIO(data.decode(encoding), newline="")
            lines = list(csv.reader(text, strict=True))
        except UnicodeDecodeError:
            continue
        except csv.Error as error:
            raise _not_a_list(path, f"CSV 格式有误（{error}）", "请检查引号是否成对") from None
        return [(n, [_csv_cell(value) for value in line]) for n, line in enumerate(lines, 1)]
    raise _not_a_list(path, "文件编码既不是 UTF-8 也不是 GB18030", "请另存为 CSV（UTF-8）")


def _csv_cell(value: str) -> _Cell:
    text = value.strip()
    lost = re.fullmatch(r"\d(\.\d+)?E\+\d+", text, re.IGNORECASE)
    return _Cell(text, "已变成科学计数，后几位已丢失" if lost else "")


def _read_xlsx(path: Path) -> list[_Row]:
    from evalkit.workbook.opener import open_twice

    sheet = open_twice(path)[0].worksheets[0]
    return [(n, [_xlsx_cell(c) for c in cells]) for n, cells in enumerate(sheet.iter_rows(), 1)]


def _xlsx_cell(cell: Any) -> _Cell:
    value = cell.value
    if value is None:
        return _Cell("")
    if isinstance(value, bool):
        return _Cell("是" if value else "否", "不是文本")
    if isinstance(value, datetime):
        return _Cell(value.date().isoformat(), "被识别成了日期")
    if isinstance(value, int | float):
        whole = int(value) == value
        fine = whole and abs(value) < _LONGEST_INTEGER and cell.number_format[:2] != "00"
        text = str(int(value)) if whole else str(value)
        return _Cell(text, "" if fine else "是数值，前导零或后几位可能已丢失")
    return _Cell(str(value).strip(), "是错误值" if cell.data_type == "e" else "")


def _header(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).strip(" *")
    return HEADERS.get(plain.lower(), plain)


def _check_columns(columns: list[str], refuse: _Refuse) -> None:
    for name in sorted({name for name in columns if name and columns.count(name) > 1}):
        refuse(f"列“{name}”出现了不止一次", "请只保留一列")
    for name, title in REQUIRED.items():
        if name not in columns:
            refuse(f"缺少“{title}”（{name}）列", "请补上这一列")


def _check_parameters(columns: list[str], known: set[str], refuse: _Refuse) -> None:
    """Refuse columns that no notebook of the list declares."""
    allowed = sorted(known - set(GIVEN))
    for name in columns if known else ():
        if name and name not in (*REQUIRED, *allowed):
            close = difflib.get_close_matches(name, [*allowed, *HEADERS], n=1, cutoff=0.5)
            hint = f"是否应为“{close[0]}”？" if close else f"可用的参数：{'、'.join(allowed)}"
            refuse(f"不认识的列“{name}”，笔记本没有这个参数", hint)


def _job(
    folder: Path, row: _Row, columns: list[str], notebooks: dict[Path, _Kinds], refuse: _Refuse
) -> Job:
    number, cells = row
    if any(cell.text for cell in cells[len(columns) :]):
        refuse("这一行的列数多于表头", "含逗号的内容请用双引号括起来")
    values = {name: cell for name, cell in zip(columns, cells, strict=False) if cell.text}
    if stray := values.pop("", None):
        refuse(f"“{stray.text}”所在的列没有表头", "请补上表头或清空该列")
    code, name, book, work = (values.get(key, _Cell("")) for key in REQUIRED)
    for key, title in REQUIRED.items():
        if key not in values:
            refuse(f"{title}为空", f"请填写{title}")
    if code.suspect:
        refuse(f"项目编码“{code.text}”{code.suspect}", "请将该列设为文本格式后重新填写")
    workbook = (folder / work.text).resolve()
    if work.text and not workbook.is_file():
        refuse(f"找不到数据底稿“{work.text}”", "路径以清单所在文件夹为起点")
    notebook = _notebook(folder, book.text)
    if book.text and notebook not in notebooks:
        try:
            notebooks[notebook] = notebook_parameters(notebook)
        except EvalkitError:
            remedy = "请填写笔记本名称或 .ipynb 路径"
            refuse(f"找不到笔记本“{book.text}”或它不是笔记本", remedy)
    kinds = notebooks.get(notebook, {})
    chosen = {key: values[key].text for key in kinds if key in values.keys() - {*REQUIRED, *GIVEN}}
    parameters = {key: _value(key, text, kinds[key], refuse) for key, text in chosen.items()}
    own = safe_name(f"{code.text}_{name.text}")
    return Job(number, code.text, name.text, notebook, workbook, own, parameters, tuple(kinds))


def _notebook(folder: Path, text: str) -> Path:
    if "/" in text or "\\" in text or text.lower().endswith(".ipynb"):
        return (folder / text).resolve()
    return asset("notebooks", f"{text}.ipynb").resolve()


def _value(name: str, text: str, kind: str, refuse: _Refuse) -> Any:
    if name == "stage" and text not in STAGES:
        refuse(f"报告状态“{text}”不存在", f"请填写{'、'.join(STAGES)}之一")
    if kind == "str":
        return text
    try:
        return _READ[kind](unicodedata.normalize("NFKC", text).replace(",", "").lower())
    except (ValueError, KeyError):
        refuse(f"参数“{name}”的值“{text}”不是{_WANTED[kind]}", "请改正或清空以使用默认值")


def _clashes(jobs: list[Job]) -> Iterator[tuple[Job, str, str]]:
    """Jobs that share a code or an output folder with one above them."""
    codes: dict[str, Job] = {}
    folders: dict[str, Job] = {}
    for job in (job for job in jobs if job.code and job.name):
        first = codes.setdefault(job.code.casefold(), job)
        other = folders.setdefault(job.folder.casefold(), job)
        if first is not job:
            what = f"项目编码“{job.code}”与第 {first.row} 行重复"
            yield job, what, "编码须唯一（不分大小写）"
        elif other is not job:
            what = f"与第 {other.row} 行会写入同一个输出文件夹“{job.folder}”"
            yield job, what, "请区分项目编码或名称"
