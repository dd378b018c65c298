"""The project list: one row a project, checked as a whole before the first kernel starts."""

from __future__ import annotations

import ast
import csv
import difflib
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from evalkit.core.model import STAGES
from evalkit.core.paths import asset
from evalkit.core.problem import EvalkitError, Problem
from evalkit.core.store import safe_name

HEADERS = {
    "项目编码": "code",
    "编码": "code",
    "项目名称": "name",
    "笔记本": "notebook",
    "数据底稿": "workbook",
    "报告状态": "stage",
    "政策方案": "profile",
}
REQUIRED = {"code": "项目编码", "name": "项目名称", "notebook": "笔记本", "workbook": "数据底稿"}
GIVEN = ("code", "name", "workbook", "out")  # set by the batch where a notebook declares them
_BOOLS = {"是": True, "否": False, "true": True, "false": False, "1": True, "0": False}
_KINDS = {"int": "整数", "float": "数字", "bool": "是或否"}
_LONGEST_INTEGER = 10**15  # Excel keeps 15 digits


@dataclass(frozen=True)
class Parameter:
    """One name of a notebook's `parameters` cell; `kind` is str, int, float, bool or other."""

    name: str
    default: Any
    kind: str


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

    def injected(self, out: Path) -> dict[str, Any]:
        """The parameters given to the notebook, for its output folder `out`."""
        given = {
            "code": self.code,
            "name": self.name,
            "workbook": str(self.workbook),
            "out": str(out),
        }
        return {key: given[key] for key in GIVEN if key in self.declared} | self.parameters


@dataclass(frozen=True)
class _Cell:
    text: str
    suspect: str = ""  # why a code in this cell cannot be trusted


_Row = tuple[int, list[_Cell]]


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
        raise EvalkitError(
            [Problem(file=path.name, what="清单中没有项目", remedy="请至少填写一行")]
        )
    problems: list[Problem] = []
    columns = _columns(path, rows[0], problems)
    notebooks: dict[Path, dict[str, Parameter]] = {}
    jobs = [job for row in rows[1:] if (job := _job(path, row, columns, notebooks, problems))]
    known = {name for parameters in notebooks.values() for name in parameters}
    problems[:0] = _unknown_columns(path, rows[0][0], columns, known) if notebooks else []
    _unique(path, jobs, problems)
    if problems:
        raise EvalkitError(problems)
    return jobs


def declared(source: str) -> dict[str, Parameter]:
    """The parameters a `parameters` cell assigns, read without running it.

    >>> [(p.name, p.kind, p.default) for p in declared("stage = '初稿'; top: int = 5").values()]
    [('stage', 'str', '初稿'), ('top', 'int', 5)]
    """
    found: dict[str, Parameter] = {}
    targets: Sequence[ast.expr]
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign):
            targets, annotation = [node.target], ast.unparse(node.annotation)
        elif isinstance(node, ast.Assign):
            targets, annotation = node.targets, ""
        else:
            continue
        try:
            default = ast.literal_eval(node.value) if node.value else None
        except ValueError:
            default = None
        kind = annotation.split("|")[0].strip()
        if not kind:
            kind = "str" if default is None else type(default).__name__
        kind = kind if kind in {"str", *_KINDS} else "other"
        for target in targets:
            if isinstance(target, ast.Name):
                found[target.id] = Parameter(target.id, default, kind)
    return found


def notebook_parameters(path: Path) -> dict[str, Parameter]:
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


def _read_csv(path: Path) -> list[_Row]:
    try:
        data = path.read_bytes()
    except OSError:
        raise _bad_list(path, "找不到或打不开项目清单", "请检查路径") from None
    if b"\0" in data:
        raise _bad_list(path, "不是 CSV 文本", "请另存为 CSV（UTF-8）或 XLSX")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        try:
            lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except csv.Error as error:
            raise _bad_list(path, f"CSV 格式有误（{error}）", "请检查引号是否成对") from None
        return [(n, [_csv_cell(value) for value in line]) for n, line in enumerate(lines, 1)]
    raise _bad_list(path, "文件编码既不是 UTF-8 也不是 GB18030", "请另存为 CSV（UTF-8）")


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
    if isinstance(value, int | float):
        whole = int(value) == value
        padded = str(cell.number_format).startswith("00")
        suspect = "是数值，前导零或后几位可能已丢失"
        fine = whole and abs(value) < _LONGEST_INTEGER and not padded
        return _Cell(str(int(value)) if whole else str(value), "" if fine else suspect)
    if isinstance(value, datetime) and value.time() == datetime.min.time():
        value = value.date()
    if isinstance(value, date):
        return _Cell(value.isoformat(), "被识别成了日期")
    text = str(value).strip()
    return _Cell(text, f"是错误值 {text}" if getattr(cell, "data_type", "") == "e" else "")


def _bad_list(path: Path, what: str, remedy: str) -> EvalkitError:
    return EvalkitError([Problem(file=path.name, what=what, remedy=remedy)])


def _columns(path: Path, header: _Row, problems: list[Problem]) -> list[str]:
    number, cells = header
    names = [_header(cell.text) for cell in cells]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        problems.append(_at(path, number, f"列“{name}”出现了不止一次", "请只保留一列"))
    for name, title in REQUIRED.items():
        if name not in names:
            problems.append(_at(path, number, f"缺少“{title}”（{name}）列", "请补上这一列"))
    if problems:
        raise EvalkitError(problems)
    return names


def _header(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).strip().strip("*").strip()
    return HEADERS.get(plain, plain.lower() if plain.lower() in REQUIRED else plain)


def _unknown_columns(
    path: Path, number: int, columns: list[str], known: Iterable[str]
) -> list[Problem]:
    """Columns that no notebook of the list declares."""
    allowed = set(known) - set(GIVEN)
    problems = []
    for name in columns:
        if not name or name in REQUIRED or name in allowed:
            continue
        if name == "out":
            problems.append(
                _at(path, number, "输出文件夹不在清单中填写", "请删去 out 列，用 --out 指定")
            )
            continue
        choices = [*allowed, *REQUIRED, *HEADERS]
        close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
        hint = f"是否应为“{close[0]}”？" if close else f"可用的参数：{'、'.join(sorted(allowed))}"
        problems.append(_at(path, number, f"不认识的列“{name}”，笔记本没有这个参数", hint))
    return problems


def _job(
    path: Path,
    row: _Row,
    columns: list[str],
    notebooks: dict[Path, dict[str, Parameter]],
    problems: list[Problem],
) -> Job | None:
    number, cells = row
    before = len(problems)

    def bad(what: str, remedy: str) -> None:
        problems.append(_at(path, number, what, remedy))

    if any(cell.text for cell in cells[len(columns) :]):
        bad("这一行的列数多于表头", "含逗号的内容请用双引号括起来")
    values = {name: cell for name, cell in zip(columns, cells, strict=False) if cell.text}
    if "" in values:
        bad(f"“{values.pop('').text}”所在的列没有表头", "请补上表头或清空该列")
    for name, title in REQUIRED.items():
        if name not in values:
            bad(f"{title}为空", f"请填写{title}")
    code = values.get("code", _Cell(""))
    if code.suspect:
        bad(f"项目编码“{code.text}”{code.suspect}", "请将该列设为文本格式后重新填写")
    workbook = path.parent / values["workbook"].text if "workbook" in values else None
    if workbook and not workbook.is_file():
        bad(f"找不到数据底稿“{values['workbook'].text}”", "路径以清单所在文件夹为起点")
    notebook = _notebook(path, values["notebook"].text) if "notebook" in values else None
    parameters: dict[str, Parameter] = {}
    if notebook and notebook not in notebooks:
        try:
            notebooks[notebook] = notebook_parameters(notebook)
        except EvalkitError:
            bad(
                f"找不到笔记本“{values['notebook'].text}”或它不是笔记本",
                "请填写笔记本名称或 .ipynb 路径",
            )
            notebooks[notebook] = {}
    if notebook:
        parameters = notebooks[notebook]
    chosen = _chosen(values, parameters, bad)
    if len(problems) > before or workbook is None or notebook is None:
        return None
    name = values["name"].text
    folder = safe_name(f"{code.text}_{name}")
    resolved = workbook.resolve()
    return Job(number, code.text, name, notebook, resolved, folder, chosen, tuple(parameters))


def _notebook(path: Path, text: str) -> Path:
    if "/" in text or "\\" in text or text.lower().endswith(".ipynb"):
        return (path.parent / text).resolve()
    return asset("notebooks", f"{text}.ipynb").resolve()


def _chosen(
    values: dict[str, _Cell], parameters: dict[str, Parameter], bad: Callable[[str, str], None]
) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name, cell in values.items():
        if name in REQUIRED or name == "out":
            continue
        parameter = parameters.get(name)
        if parameter is None:
            continue
        try:
            chosen[name] = _value(cell.text, parameter)
        except ValueError:
            wanted = _KINDS.get(parameter.kind, "可在清单中填写的值")
            bad(f"参数“{name}”的值“{cell.text}”不是{wanted}", "请改正或清空以使用默认值")
        if name == "stage" and cell.text not in STAGES:
            bad(f"报告状态“{cell.text}”不存在", f"请填写{'、'.join(STAGES)}之一")
    return chosen


def _value(text: str, parameter: Parameter) -> Any:
    if parameter.kind == "str":
        return text
    plain = unicodedata.normalize("NFKC", text).replace(",", "")
    if parameter.kind == "int":
        return int(plain)
    if parameter.kind == "float":
        return float(plain)
    if parameter.kind == "bool" and plain.lower() in _BOOLS:
        return _BOOLS[plain.lower()]
    raise ValueError(text)


def _unique(path: Path, jobs: list[Job], problems: list[Problem]) -> None:
    codes: dict[str, Job] = {}
    folders: dict[str, Job] = {}
    for job in jobs:
        first = codes.setdefault(job.code.casefold(), job)
        if first is not job:
            what = f"项目编码“{job.code}”与第 {first.row} 行重复"
            problems.append(_at(path, job.row, what, "编码须唯一（不分大小写）"))
            continue
        first = folders.setdefault(job.folder.casefold(), job)
        if first is not job:
            what = f"与第 {first.row} 行会写入同一个输出文件夹“{job.folder}”"
            problems.append(_at(path, job.row, what, "请区分项目编码或名称"))


def _at(path: Path, number: int, what: str, remedy: str) -> Problem:
    return Problem(file=path.name, cell=f"第 {number} 行", what=what, remedy=remedy)
