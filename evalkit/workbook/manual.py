"""The manual of a workbook, from the same schema as the blank and the reader."""

from __future__ import annotations

from evalkit.workbook.schema import REQUIRED, Field, Schema

TYPE_NAMES = {
    "text": "文字", "longtext": "长文字", "code": "编号（文本）", "integer": "整数",
    "number": "数字", "amount": "金额", "date": "日期", "choice": "单选", "yesno": "是/否",
    "value": "数值、百分比、日期、是/否或文字",
}  # fmt: skip


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
        lines += [f"| {first} | 类型 | 要求 | 说明 | 示例 |", "|---|---|---|---|---|"]
        for field in sheet.columns:
            cells = (field.label, TYPE_NAMES[field.type], REQUIRED[field.required],
                     _meaning(field, schema), field.example)  # fmt: skip
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
        if sheet.open_field:
            name = f"一列一个{sheet.open_field.label}，列名自拟"
            examples = _cell("、".join(sheet.example_open))
            kind = TYPE_NAMES[sheet.open_field.type]
            lines.append(f"| （其余各列） | {kind} | 选填 | {name} | {examples} |")
        lines.append("")
    if schema.guide:
        lines += ["## 计分规则", "", "| 规则 | 含义 | 要填的列或表 |", "|---|---|---|"]
        for line in schema.guide:
            cells3 = (line.rule, line.meaning, "、".join(line.needs))
            lines.append(f"| {' | '.join(map(_cell, cells3))} |")
        lines.append("")
    return "\n".join(lines)


def _meaning(field: Field, schema: Schema) -> str:
    parts = [field.note] if field.note else []
    if field.choices:
        parts.append(f"可选：{'、'.join(field.choices)}")
    if field.refers:
        parts.append(f"须是“{schema.sheet(field.refers).name}”表中的编号")
    if field.unique:
        parts.append("不得重复")
    if field.fill_down:
        parts.append("与上一行相同可留空或合并")
    return "；".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
