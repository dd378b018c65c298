"""Filed forms by the hundred: from a folder to county report, letters and summary.

5 000 monitoring lines in one export, and 500 自评表 in one folder, each through its whole workflow
(load, evaluate, draw, deliver) in this process. Beside it, in the same run: merely reading the same
files with pandas (calamine), and rendering the same letters with docxtpl alone from a plain
template. Wall seconds.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
from report import bare, plain, plain_template
from xlsxwriter import Workbook

from evalkit.report import letters
from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema

LINES, FORMS, UNITS, DEPARTMENTS = 5000, 500, 120, 24
TASK = {
    "code": "基准", "name": "基准县2025年度", "year": "2025", "county": "基准县",
    "client": "基准县财政局", "agency": "基准评价公司", "lead_evaluator": "张某某",
    "reviewer": "李某某", "report_date": "2025-11-20", "demo": "是", "folder": "填报表",
}  # fmt: skip
EXPORT = (
    "项目编码", "项目名称", "主管部门", "预算单位", "年初预算数（万元）", "调整后预算数（万元）",
    "1-10月执行数（万元）", "全年预计执行数（万元）", "三级指标", "年度指标值", "1-10月执行情况",
    "全年预计完成情况", "完成目标可能性", "原因说明",
)  # fmt: skip
INDICATORS = [
    ("产出指标", "数量指标", "完成工程数量", 15), ("产出指标", "质量指标", "验收合格率", 15),
    ("产出指标", "时效指标", "按期完成率", 10), ("产出指标", "成本指标", "成本控制率", 10),
    ("效益指标", "社会效益指标", "受益人数", 15), ("效益指标", "生态效益指标", "环境改善率", 15),
    ("满意度指标", "服务对象满意度指标", "群众满意度", 10),
]  # fmt: skip


def write_export(folder: Path, dice: Random) -> None:
    """One export of the budget system: a row a project."""
    with Workbook(str(folder / "监控导出.xlsx")) as book:
        page = book.add_worksheet("监控")
        page.write_row(0, 0, EXPORT)
        for n in range(1, LINES + 1):
            unit, budget = n % UNITS, dice.randint(5, 900)
            spent, likely = budget * dice.choice((0, 0.35, 0.6, 0.8, 0.9)), dice.random()
            page.write_row(n, 0, (
                f"62{n:07}", f"第{n}号项目", f"第{unit % DEPARTMENTS}部门", f"第{unit}单位", budget,
                budget, spent, budget * 0.9, "完成工程数量", "≥100项", f"{dice.randint(20, 110)}项",
                f"{dice.randint(70, 110)}项", "确定能" if likely < 0.8 else "有可能", "手续较慢",
            ))  # fmt: skip


def write_form(path: Path, n: int, dice: Random) -> None:
    """One 自评表 as 财预〔2020〕10号 附1 has it."""
    budget, rate = dice.randint(10, 900), dice.choice((1, 1, 0.92, 0.6))
    with Workbook(str(path)) as book:
        page = book.add_worksheet("自评表")
        page.merge_range("A1:H1", "项目支出绩效自评表（2025年度）")
        page.write_row("A2", ["项目名称", f"第{n}号项目", "", "", "项目编码", f"B{n:05}"])
        page.write_row(
            "A3", ["主管部门", f"第{n % DEPARTMENTS}部门", "", "", "实施单位", f"第{n}单位"]
        )
        heads = ["年初预算数", "全年预算数", "全年执行数", "分值", "执行率", "得分"]
        page.write_row("A4", ["项目资金（万元）", "", *heads])
        page.write_row("A5", ["", "年度资金总额", budget, budget, budget * rate, 10,
                              f"{rate:.2%}", round(10 * rate, 2)])  # fmt: skip
        page.write_row(
            "A6", ["", "其中：当年财政拨款", budget, budget, budget * rate, "—", "", "—"]
        )
        page.write_row("A7", ["年度总体目标", "完成年度任务", "", "", "已完成"])
        page.write_row("A8", ["一级指标", "二级指标", "三级指标", "年度指标值", "实际完成值"])
        page.write_row("F8", ["分值", "得分", "偏差原因分析及改进措施"])
        total = 10 * rate
        for at, (one, two, three, points) in enumerate(INDICATORS, 8):
            got = dice.choice((100, 100, 100, 95, 80))
            mark = points if dice.random() < 0.3 else points * got / 100
            total += mark
            page.write_row(at, 0, [one, two, three, "≥100%", f"{got}%", points, round(mark, 2), ""])
        page.write_row(8 + len(INDICATORS), 0, ["总分", "", "", "", "", 100, round(total, 2)])


def read_with_pandas(folder: Path) -> None:
    """Every sheet of every file, as calamine gives it."""
    for path in sorted(folder.glob("*.xlsx")):
        pd.read_excel(path, sheet_name=None, header=None, engine="calamine")


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measure(name: str, folder: Path, content: Mapping[str, Any]) -> dict[str, float]:
    """One business on a folder of forms, and the two baselines."""
    workflow, sent = import_module(f"evalkit.workflows.{name}"), list[tuple[Any, ...]]()
    workbook = write_blank(folder / "任务.xlsx", load_schema(name), content)
    render = letters.render

    def noted(*given: Any) -> Any:
        sent.append(given)
        return render(*given)

    letters.render = noted
    params, found = workflow.Params(workbook=str(workbook), out=str(folder / "out")), {}
    data = result = drawn = None

    def load() -> None:
        nonlocal data
        data = workflow.load(params)

    def evaluate() -> None:
        nonlocal result
        result = workflow.evaluate(data)

    def draw() -> None:
        nonlocal drawn
        drawn = workflow.draw(data, result)

    for step in (load, evaluate, draw, lambda: workflow.deliver(data, result, drawn)):
        found[step.__name__.replace("<lambda>", "deliver")] = seconds(step)
    letters.render = render
    whole = sum(found.values())
    reading = seconds(lambda: read_with_pandas(folder / "填报表"))
    template, _, ours, blocks = sent[0]
    made = plain_template(blocks, ours, folder / "plain.docx", template)
    values = [(bare(context), mine) for _, context, _, mine in sent]
    alone = seconds(lambda: [plain(made, v, b, folder / "theirs.docx") for v, b in values])
    again = seconds(lambda: [render(*given) for given in sent])
    found |= {"seconds": whole, "letters": len(sent), "pandas_seconds": reading,
              "to_pandas": whole / reading, "letters_seconds": again, "docxtpl_seconds": alone,
              "letters_to_docxtpl": again / alone, "to_docxtpl": whole / alone}  # fmt: skip
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    found, dice = {}, Random(20)  # noqa: S311 data to measure on
    with tempfile.TemporaryDirectory() as name:
        for business, more in (("monitoring", {"months": "10"}), ("self_evaluation_review", {})):
            folder = Path(name) / business
            (folder / "填报表").mkdir(parents=True)
            if business == "monitoring":
                write_export(folder / "填报表", dice)
            else:
                for n in range(1, FORMS + 1):
                    write_form(folder / "填报表" / f"{n:03}.xlsx", n, dice)
            found[business] = {
                key: round(value, 2)
                for key, value in measure(business, folder, {"project": TASK | more}).items()
            }
    if options.json:
        print(json.dumps(found))
        return
    for business, figures in found.items():
        print(business)
        for key, value in figures.items():
            print(f"  {key:22}{value}")


if __name__ == "__main__":
    main()
