"""The manual of a workbook, from the same schema as the blank and the reader."""

from __future__ import annotations

from evalkit.workbook.schema import Field, Schema
from evalkit.workbook.texts import NEEDS, TYPES


def manual(schema: Schema) -> str:
    """A Chinese Markdown manual: every sheet, every field, the scoring rules.

    >>> from evalkit.workbook.schema import load_schema
    >>> manual(load_schema("project_evaluation")).splitlines()[0]
    '# 数据底稿填写手册'
    """
    lines = [f"# {schema.title}填写手册", "", f"适用于第 {schema.version} 版工作簿。", ""]
    for sheet in schema.sheets:
        first = "项目" if sheet.kind == "form" else "列"
        lines += [f"## {sheet.name}", "", sheet.help, ""]
        lines += [_row(first, "类型", "要求", "说明", "示例"), "|---|---|---|---|---|"]
        for field in sheet.columns:
            kind, need = TYPES[field.type].name, NEEDS[field.required].meaning
            lines.append(_row(field.label, kind, need, _meaning(field, schema), field.example))
        if free := sheet.open_field:
            name, examples = f"一列一个{free.label}，列名自拟", "、".join(sheet.example_open)
            lines.append(_row("（其余各列）", TYPES[free.type].name, "选填", name, examples))
        lines.append("")
    if schema.guide:
        lines += ["## 计分规则", "", _row("规则", "含义", "要填的列或表"), "|---|---|---|"]
        lines += [_row(line.rule, line.meaning, "、".join(line.needs)) for line in schema.guide]
        lines.append("")
    return "\n".join(lines)


def _row(*cells: str) -> str:
    escaped = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _meaning(field: Field, schema: Schema) -> str:
    target = schema.sheet(field.refers).name if field.refers else ""
    parts = (
        field.note,
        f"可选：{'、'.join(field.choices)}" if field.choices else "",
        f"须是“{target}”表中的编号" if target else "",
        "不得重复" if field.unique else "",
        "与上一行相同可留空或合并" if field.fill_down else "",
    )
    return "；".join(part for part in parts if part)
