"""A small schema with every type, and a way to lay a workbook out as a person left it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from evalkit.core.model import Source
from evalkit.workbook.reader import read
from evalkit.workbook.schema import Schema

MINI = """
name: mini
title: 小底稿
version: "2"
guide:
  - {rule: 比例得分, meaning: 按比例, needs: [目标值, 数据]}
sheets:
  - id: project
    name: 项目
    kind: form
    help: 基本情况
    fields:
      - {id: code, label: 项目编码, type: code, required: always, example: "001"}
      - {id: name, label: 项目名称, type: text, note: 全称}
      - {id: day, label: 报告日期, type: date}
      - {id: goal, label: 总体目标, type: longtext, required: final}
  - id: items
    name: 指标
    kind: table
    help: 一行一个指标
    fields:
      - {id: code, label: 编号, type: code, required: always, unique: "true", example: A1}
      - {id: level1, label: 一级, type: text, required: always, fill_down: "true", example: 产出}
      - {id: level2, label: 二级, type: text, fill_down: "true"}
      - {id: name, label: 名称, type: text, required: always, example: 面积}
      - {id: points, label: 分值, type: number, required: always, example: "8"}
      - {id: kind, label: 类型, type: choice, choices: [定量, 定性（分级）], required: final}
      - {id: target, label: 目标值, type: value, unit_from: unit}
      - {id: unit, label: 计量单位, type: text}
      - {id: money, label: 金额（万元）, type: amount, unit: 万元}
      - {id: rate, label: 占比, type: value, unit: "%"}
      - {id: day, label: 日期, type: date}
      - {id: ok, label: 达标, type: yesno}
      - {id: count, label: 份数, type: integer}
      - {id: remark, label: 情况说明, type: longtext, since: "2"}
  - id: data
    name: 数据
    kind: table
    fields:
      - {id: indicator, label: 指标编号, type: code, required: always, refers: items}
      - {id: actual, label: 实际, type: number, required: final, unit_from: unit}
      - {id: unit, label: 单位, type: text}
  - id: scores
    name: 打分
    kind: table
    open: scores
    fields:
      - {id: indicator, label: 指标编号, type: code, required: always, refers: items}
      - {id: group, label: 对象类别, type: text}
      - {id: scores, label: 专家, type: number}
    example_open: {专家一: "9", 专家二: "8"}
"""

HEAD = {
    "项目": [
        ["项目编码", "001"],
        ["项目名称", "保洁"],
        ["报告日期", "2025-06-30"],
        ["总体目标", "洁净"],
    ],
    "指标": [
        [
            "编号",
            "一级",
            "二级",
            "名称",
            "分值",
            "类型",
            "目标值",
            "计量单位",
            "金额（万元）",
            "占比",
            "日期",
            "达标",
            "份数",
            "情况说明",
        ]
    ],
    "数据": [["指标编号", "实际", "单位"]],
    "打分": [["指标编号", "对象类别"]],
}
ITEM = ["A1", "产出", "数量", "面积", 8, "定量"]

Rows = Sequence[Sequence[Any]]
Laid = Callable[..., Path]


@pytest.fixture(scope="session")
def mini() -> Schema:
    return Schema.model_validate(yaml.load(MINI, Loader=yaml.BaseLoader))  # noqa: S506


@pytest.fixture
def lay(tmp_path: Path) -> Laid:
    """Write a workbook; named sheets replace the ordinary ones, `touch` may edit a sheet."""

    def write(
        sheets: dict[str, Rows | None] | None = None,
        touch: dict[str, Callable[[Worksheet], object]] | None = None,
        meta: Rows | None = (("schema", "mini"), ("version", 2)),
    ) -> Path:
        book = Workbook()
        book.remove(book.active)
        content: dict[str, Rows | None] = {**HEAD, "指标": [*HEAD["指标"], ITEM], **(sheets or {})}
        if meta:
            content["_meta"] = meta
        for title, rows in content.items():
            if rows is None:
                continue
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(list(row))
            if touch and title in touch:
                touch[title](sheet)
        path = tmp_path / "数据底稿.xlsx"
        book.save(path)
        return path

    return write


@pytest.fixture
def items(lay: Laid, mini: Schema) -> Callable[..., Source]:
    """Read a workbook whose sheet 指标 has the ordinary header and these rows."""

    def go(*rows: Sequence[Any], touch: Callable[[Worksheet], object] | None = None) -> Source:
        sheets = {"指标": [*HEAD["指标"], *rows]}
        return read(lay(sheets, {"指标": touch} if touch else None), mini)

    return go


@pytest.fixture
def item(items: Callable[..., Source]) -> Callable[..., Source]:
    """Read one ordinary row of 指标 with one column set to a content and a number format."""

    def go(label: str, content: Any, number_format: str = "General", **others: Any) -> Source:
        row = [*ITEM, *[None] * 8]
        for name, value in {label: content, **others}.items():
            row[HEAD["指标"][0].index(name)] = value
        column = HEAD["指标"][0].index(label) + 1

        def touch(sheet: Worksheet) -> None:
            cell = sheet.cell(2, column)
            if isinstance(content, str):
                cell.data_type = "s"
            if number_format != "General":
                cell.number_format = number_format

        return items(row, touch=touch)

    return go
