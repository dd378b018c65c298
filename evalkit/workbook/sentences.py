"""Every sentence that a workbook can draw, in one place: code → severity, what, remedy."""

from __future__ import annotations

from evalkit.core.problem import Problem, Severity

_E: Severity = "error"
_W: Severity = "warning"
_N: Severity = "note"

SENTENCES: dict[str, tuple[Severity, str, str]] = {
    # the file
    "file.missing": (_E, "文件不存在", "请检查路径和文件名"),
    "file.unreadable": (_E, "无法读取（{why}）", "请关闭占用它的程序后重试"),
    "file.encrypted": (_E, "文件已加密", "请取消打开密码并另存后再提交"),
    "file.old": (_E, "是旧版 .xls 或 .et 格式", "请用 Excel 或 WPS 另存为 .xlsx"),
    "file.kind": (_E, "不是 .xlsx 工作簿", "请用 Excel 或 WPS 另存为 .xlsx"),
    "file.damaged": (_E, "文件已损坏，无法打开（{why}）", "请用 Excel 或 WPS 修复并另存"),
    "file.size": (_E, "解压后有 {mb} MB、{parts} 个部件，超出正常工作簿", "请删去多余内容后另存"),
    "file.doctype": (_E, "含有不应有的文档类型声明", "请用 Excel 或 WPS 另存为 .xlsx"),
    "file.span": (_E, "合并单元格或超链接的范围过大", "请取消整行整列的合并后另存"),
    # the workbook
    "meta.other": (_E, "不是“{title}”工作簿", "请用空白工作簿填写"),
    "meta.newer": (_E, "工作簿版本 {has} 高于本程序支持的 {mine}", "请升级 evalkit 后再读取"),
    "meta.older": (_N, "由旧版本 {has} 的空白工作簿填写，已按旧版读取", "新增的列视为未填"),
    "meta.missing": (_N, "没有版本信息，按当前版本读取", "建议使用空白工作簿填写"),
    "sheet.missing": (_E, "缺少工作表：{names}", "请从空白工作簿复制这些表，无内容的留空即可"),
    "sheet.unknown": (_N, "工作表{name}不在定义之内，未读取", "不影响评价，可保留{hint}"),
    # rows and columns
    "header.missing": (_E, "前 {rows} 行里没有找到表头", "表头应有：{names}"),
    "column.missing": (_E, "缺少必填的{kind}：{names}", "请从空白工作簿复制{kind}名"),
    "column.absent": (_W, "缺少{kind}：{names}", "用不到的{kind}可以忽略"),
    "column.unknown": (_W, "不认识的{kind}{name}，未读取", "请使用空白工作簿中的名称{hint}"),
    "column.similar": (_W, "列名{name}作为“{kind}”读取", "请核对列名{hint}"),
    "column.duplicate": (_E, "{kind}名{name}重复", "请只保留一{kind}或改名"),
    "column.untitled": (_W, "有内容但没有列名，未读取", "请补上列名或删去"),
    "row.total": (_N, "{name}行不读取", "合计由程序计算"),
    "example.edited": (
        _W,
        "标为“例”的示例行已被改动，仍按示例处理，未读取",
        "如为真实数据，请把序号列的“例”改成数字",
    ),
    "required.always": (_E, "{label}为空{why}", "请填写"),
    "required.final": (_W, "{label}为空{why}", "送审稿、终稿前须填写"),
    "unique.duplicate": (_E, "{label}{text}与 {cell_of} 重复", "请改成不同的编号，或只保留一行"),
    "refers.unknown": (_E, "{label}{text}在“{sheet}”表里没有", "请核对编号{hint}"),
    # formulas; these and all below follow the field's label
    "formula.error": (_E, "显示 {shown}：{what}", "{remedy}"),
    "formula.external": (_W, "的公式引用了其他文件，取用的是上次保存的结果", "请核对后粘贴为数值"),
    "formula.uncached": (_E, "是公式，但没有保存计算结果", "请用 Excel 或 WPS 打开并保存一次"),
    # cells
    "text.control": (_N, "含有看不见的控制字符，已去除", "请核对文字是否完整"),
    "text.long": (_W, "有 {size} 个字，过长", "长的叙述请写在“文字.docx”里"),
    "text.date": (_W, "在 Excel 里是日期 {text}", "如原意是编号（如 3-1），请设为文本格式后重填"),
    "code.zeros": (_N, "{text}存成了数字，开头的 0 可能已经丢失", "请核对；编码宜设为文本格式"),
    "code.scientific": (
        _E,
        "{text}是被 Excel 改写过的长编码，后面的数字已经丢失",
        "请把单元格设为文本格式后重新录入",
    ),
    "code.date": (_E, "被 Excel 改成了日期 {text}", "请把单元格设为文本格式后重新录入"),
    "choice.unknown": (_E, "{text}不在可选项中", "请从下拉框选择：{choices}{hint}"),
    "date.impossible": (_E, "{text}这一天不存在", "请核对日期"),
    "type.date": (_E, "{text}不是日期", "请写成 2025-06-30 的样子"),
    "type.yesno": (_E, "{text}不是“是”或“否”", "请填写“是”或“否”"),
    "type.number": (_E, "{text}不是数字", "请只填一个数字，说明写在文字列里"),
    "type.integer": (_E, "{text}不是整数", "请只填一个整数，说明写在文字列里"),
    "type.amount": (_E, "{text}不是金额", "请只填一个金额，说明写在文字列里"),
    "unit.unknown": (_E, "{text}的单位“{unit}”不是金额单位", "请用元、千元、万元或亿元"),
    "unit.missing": (_W, "的表头没有写明金额单位，按{unit}读取", "请在表头写明，如（万元）"),
    "unit.conflict": (_W, "{text}的单位与计量单位“{unit}”不同", "请统一为同一单位"),
    "percent.ambiguous": (
        _W,
        "{text}可能是 {low}%，也可能是 {high}%，现按 {low}% 读取",
        "请写明百分号，如 98%",
    ),
}

EXCEL_ERRORS = {
    "#DIV/0!": ("公式除以了零", "请检查分母是否为空或为 0"),
    "#REF!": ("公式引用的单元格已被删除", "请重新指向数据所在的单元格"),
    "#N/A": ("公式没有查到对应的值", "请检查查找值，或直接填写数值"),
    "#VALUE!": ("公式拿文字做了计算", "请检查公式引用的单元格是否都是数值"),
    "#NAME?": ("公式里有不认识的函数或名称", "请检查拼写，或粘贴为数值"),
    "#NUM!": ("公式算出了无效的数", "请检查公式的参数"),
    "#NULL!": ("公式里的区域没有交集", "请检查区域之间的空格和逗号"),
}


def sentence(code: str, **facts: object) -> Problem:
    """The problem with this code, its sentence completed with the facts.

    >>> print(sentence("type.number", text="“很多”"))
    “很多”不是数字——请只填一个数字，说明写在文字列里
    """
    severity, what, remedy = SENTENCES[code]
    return Problem(
        code=code, severity=severity, what=what.format(**facts), remedy=remedy.format(**facts)
    )
