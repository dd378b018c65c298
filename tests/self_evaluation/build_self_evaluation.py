"""Writes params/demo/self_evaluation from the YAML file beside it."""

import re
import shutil
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from filed import boards as filed  # noqa: E402

from evalkit.workbook.blank import write_blank  # noqa: E402
from evalkit.workbook.schema import load_schema  # noqa: E402

SOURCE = Path(__file__).with_suffix(".yaml")
OUT = ROOT / "params" / "demo" / "self_evaluation"
NAME = "self_evaluation_review"
WRITERS = {".xlsx": filed.to_xlsx, ".docx": filed.to_docx, ".xls": filed.to_html}
FIELDS = ("name", "code", "department", "unit", "goal", "achieved", "funds", "indicators")
_CLOCK = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def form_of(given: dict) -> filed.Form:
    """A form as the builders take it; levels are padded for the merges."""
    texts = {key: given[key] for key in FIELDS if key in given}
    texts["indicators"] = [tuple(row) for row in given["indicators"]]
    texts["total"] = given.get("total")
    return filed.Form(money=given.get("money", "万元"), year=given.get("year", "2022"), **texts)


def board_of(given: dict) -> filed.Board:
    """The sheet of one form, with its code and a line of signatures below."""
    form = form_of(given)
    board = getattr(filed, given.get("layout", "self_evaluation"))(form)
    row, _ = board.size
    if given.get("layout") != "provincial":
        board.put(row + 1, 1, f"项目编码：{given['code']}", 5)
    if "filer" in given:
        board.put(row + 2, 1, f"填报人：{given['filer']}", 3)
        board.put(row + 2, 4, f"联系电话：{given['phone']}", 6)
        board.put(row + 2, 7, f"填报日期：{given['filed_on']}", 10)
    return board


HEADS = [
    *("项目编码", "项目名称", "主管部门", "预算单位"),
    *("年初预算数（万元）", "全年预算数（万元）", "全年执行数（万元）"),
    *("一级指标", "二级指标", "三级指标", "指标性质", "指标值", "度量单位"),
    *("实际完成值", "分值", "得分", "偏差原因分析"),
]


def export(forms: list[filed.Form]) -> filed.Board:
    """An export of the budget system: one row an indicator, the project's cells merged."""
    board, row = filed.Board("指标明细"), 2
    for column, text in enumerate(HEADS, 1):
        board.put(1, column, text)
    for form in forms:
        last = row + len(form.indicators) - 1
        own = (form.code, form.name, form.department, form.unit, *form.funds[0][:3])
        for column, value in enumerate(own, 1):
            board.put(row, column, value, bottom=last)
        for at, told in enumerate(form.indicators):
            for column, value in enumerate(told, len(own) + 1):
                board.put(row + at, column, value)
        row = last + 1
    return board


def still(path: Path) -> None:
    """Take the clock out of a package: equal contents, equal bytes."""
    if path.suffix == ".xls":
        return
    stream = BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = _CLOCK.sub(b"2023-04-01T00:00:00Z", old.read(name))
            new.writestr(zipfile.ZipInfo(name, (2023, 4, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    path.write_bytes(stream.getvalue())


def write_form(path: Path, *boards: filed.Board) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[path.suffix](path, *boards)
    still(path)


def build(out: Path = OUT) -> None:
    """Write all forms and the task."""
    given = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    for folder in ("自评表", "批复目标"):
        shutil.rmtree(out / folder, ignore_errors=True)
    exported = [form for form in given["forms"] if form.get("layout") == "export"]
    for form in given["forms"]:
        if form not in exported:
            write_form(out / "自评表" / form["file"], board_of(form))
    board = export([form_of(form) for form in exported])
    write_form(out / "自评表" / exported[0]["file"], board)
    for form in given["approved"]:
        write_form(out / "批复目标" / form["file"], filed.targets(form_of(form)))
    write_blank(out / "复核任务.xlsx", load_schema(NAME), given["task"])


if __name__ == "__main__":
    build()
