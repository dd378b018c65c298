"""Make params/demo/targets: target tables in every format, last year's forms, the task workbook.

    python tests/target_review/targets_demo.py [FOLDER]

All names and figures are invented; the task says 示例数据 and so does every report made of it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from filed.boards import Board, Form, self_evaluation, targets, to_docx, to_html, to_xlsx

from evalkit.core.yaml_file import load_yaml
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema

DEMO = Path(__file__).resolve().parents[2] / "params" / "demo" / "targets"
SOURCE: dict[str, Any] = load_yaml(Path(__file__).with_suffix(".yaml"), texts=True)
FORMS = SOURCE["forms"]
CHOICES = next(f for f in load_schema("target_review").sheet("reviews").fields if f.id == "item")
POINTS, ITEMS = CHOICES.choices[:8], CHOICES.choices[8:]
EXPORTED = ("training", "pests", "systems")
HEADS = ("一级指标", "二级指标", "三级指标", "指标方向", "指标值", "计量单位", "权重")


def form(key: str) -> Form:
    it = FORMS[key]
    names = (it[name] for name in ("name", "code", "department", "unit"))
    rows = [(*row[:6], "", row[7]) for row in it["rows"]]
    return Form(*names, "2026", "万元", it["goal"], "", [(each,) for each in it["funds"]], rows)


def whole(key: str) -> Board:
    """部门整体支出绩效目标表: the department's name, its money, goal and indicators."""
    it, board = FORMS[key], Board("部门整体目标")
    board.put(1, 1, "部门整体支出绩效目标申报表", 8)
    board.put(2, 1, "（2026年度）", 8)
    board.put(3, 1, "部门（单位）名称", 2)
    board.put(3, 3, it["name"], 8)
    board.put(4, 1, "部门预算（万元）", 2, bottom=6)
    items = ("年度资金总额", "财政拨款", "其他资金")
    for row, (item, amount) in enumerate(zip(items, it["funds"], strict=True), 4):
        board.put(row, 3, item, 4)
        board.put(row, 5, float(amount), 8)
    board.put(7, 1, "年度总体目标", 2)
    board.put(7, 3, it["goal"], 8)
    for column, text in enumerate(HEADS, 1):
        board.put(8, column, text)
    for row, line in enumerate(it["rows"], 9):
        for column, value in enumerate((*line[:6], line[7]), 1):
            board.put(row, column, value)
    return board


def last_form(key: str) -> Board:
    """The 自评表 of the year before, with what was done."""
    it = FORMS[key]
    done = [(*row[:6], f"{row[6]}{row[5]}", row[7], row[7]) for row in it["rows"] if row[6]]
    money = (it["funds"][0],) * 3 + (10, "100%", 10)
    names = (it[name].replace("2026", "2025") for name in ("name", "code"))
    goal = it["goal"].replace("2026", "2025")
    old = Form(
        *names,
        it["department"],
        it["unit"],
        "2025",
        "万元",
        goal,
        "已完成",
        (money, money[:3]),
        done,
    )
    return self_evaluation(old)


def export() -> Board:
    """绩效目标导出: one row an indicator, the project's cells merged over its rows."""
    board, row = Board("绩效目标导出"), 2
    heads = ("项目编码", "项目名称", "主管部门", "实施单位", "预算年度", "是否重点")
    heads += ("年度资金总额（万元）", "年度绩效目标", *HEADS)
    for column, text in enumerate(heads, 1):
        board.put(1, column, text)
    for it in (FORMS[key] for key in EXPORTED):
        own = [it[name] for name in ("code", "name", "department", "unit")]
        own += [2026, "否", float(it["funds"][0]), it["goal"]]
        for column, value in enumerate(own, 1):
            board.put(row, column, value, bottom=row + len(it["rows"]) - 1)
        for line in it["rows"]:
            for column, value in enumerate((*line[:6], float(line[7])), 9):
                board.put(row, column, value)
            row += 1
    return board


def grade(rate: str) -> str:
    cuts = {"优": 90, "良": 80, "中": 60, "差": 0}
    return next(name for name, cut in cuts.items() if float(rate) >= cut)


def reviews() -> list[dict[str, str]]:
    """审核记录: a rate for each item of key projects, a grade for each point of ordinary ones."""
    opinions = {(key, item): said for key, item, said in SOURCE["opinions"]}
    found = []
    for key, rates in SOURCE["rates"].items():
        own = {"form": FORMS[key]["code"] or FORMS[key]["name"], "reviewer": "王某某"}
        for item, rate in zip(ITEMS, rates, strict=True):
            told = {
                "grade": grade(rate),
                "rate": f"{rate}%",
                "opinion": opinions.get((key, item), ""),
            }
            found.append({**own, "item": item, **told})
    for key, grades in SOURCE["grades"].items():
        own = {"form": FORMS[key]["code"], "reviewer": "赵某某"}
        found += [
            {**own, "item": point, "grade": mine}
            for point, mine in zip(POINTS, grades, strict=True)
        ]
    return found


def task() -> dict[str, Any]:
    """What stands in 审核任务.xlsx, by sheet."""
    sheets = {name: SOURCE[name] for name in ("objects", "standards", "decisions")}
    return {"project": SOURCE["task"], "reviews": reviews(), **sheets}


def build(folder: Path) -> Path:
    filed, last = folder / "申报表", folder / "上年自评表"
    for each in (filed, last):
        each.mkdir(parents=True, exist_ok=True)
    to_xlsx(filed / "01 农村公路养护工程.xlsx", targets(form("roads")))
    to_docx(filed / "02 城区环卫一体化服务.docx", targets(form("cleaning")))
    to_html(filed / "03 第一小学校舍维修.xls", targets(form("school_1")), encoding="gb2312")
    to_xlsx(filed / "04 第二中学校舍维修.xlsx", targets(form("school_2")))
    to_xlsx(filed / "05 村级文化活动.xlsx", targets(form("culture")))
    to_html(filed / "06 应急物资购置.xls", targets(form("supplies")))
    to_xlsx(filed / "农业、数据部门绩效目标导出.xlsx", export())
    to_xlsx(filed / "部门整体 住建局.xlsx", whole("housing"))
    to_docx(filed / "部门整体 教育局.docx", whole("education"))
    for key in ("roads", "cleaning", *EXPORTED):
        to_xlsx(last / f"{FORMS[key]['name'].replace('2026', '2025')}.xlsx", last_form(key))
    return write_blank(folder / "审核任务.xlsx", load_schema("target_review"), task())


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO)
