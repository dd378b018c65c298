"""Make params/demo/monitoring: an export of the budget system, three single forms, the task.

    python tests/monitoring/monitoring_demo.py [FOLDER]

All names and figures are invented; the task says 示例数据 and so does every report made of it.
"""

# ruff: noqa: E501 (a case a line)

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from filed.boards import Board, Form, monitoring, to_docx, to_html, to_xlsx

from evalkit.workbook.blank import write_blank
from evalkit.workbook.schema import load_schema

DEMO = Path(__file__).resolve().parents[2] / "params" / "demo" / "monitoring"
SPEC = yaml.safe_load(Path(__file__).with_name("monitoring_demo.yaml").read_text(encoding="utf-8"))
MONTHS, YEAR = "1—10月", "2025"
HEADS = ("单位编码", "预算单位", "主管部门", "行业类别", "项目编码", "项目名称", "年初预算数", "全年预算数", f"{MONTHS}执行数",
         f"{MONTHS}执行率", "全年预计执行数", "一级指标", "二级指标", "三级指标", "年度指标值", "计量单位", f"{MONTHS}执行情况",
         "全年预计完成情况", "完成目标可能性", "经费保障", "制度保障", "人员保障", "硬件条件保障", "其他", "原因说明")  # fmt: skip
CAUSES = HEADS[-6:-1]


@dataclass
class Filed:
    """A row of the export: the ten cells of a line, and its indicators."""

    cells: list[Any]
    indicators: list[list[Any]] = field(default_factory=list)


def _wan(number: float) -> float:
    return float(round(Decimal(number), 2))


def projects() -> Iterator[Filed]:
    """120 project lines."""
    chance, place = random.Random(2025), 0  # noqa: S311
    for at, (name, department) in enumerate(SPEC["departments"].items(), 1):
        for project in department["projects"]:
            unit = place % len(department["units"])
            kind = SPEC["kinds"][SPEC["order"][place % len(SPEC["order"])]]
            initial = _wan(chance.uniform(8, 900))
            budget = _wan(initial * chance.choice([1, 1, 1, 1.1, 0.92]))
            spent = _wan(initial * chance.uniform(*kind["spent"]) / 100)
            forecast = _wan(max(spent, initial * kind["forecast"] / 100))
            cells = [f"62{at:02d}{unit + 1:02d}", department["units"][unit], name, department["category"],
                     f"6299{at:02d}-{YEAR}-{place + 1:03d}", f"{project}项目", initial, budget, spent,
                     (round(spent / initial, 4), "0.00%"), forecast]  # fmt: skip
            first = place % 3
            yield Filed(
                cells,
                [
                    _indicator(row, kind, chance)
                    for row in SPEC["indicators"][first : first + 2 + place % 2]
                ],
            )
            place += 1


def _indicator(row: Sequence[Any], kind: dict[str, Any], chance: random.Random) -> list[Any]:
    level1, level2, name, unit, ends = row
    target = chance.randint(*ends)
    if unit == "%":
        done = ending = target if kind["chance"] != "完全不可能" else round(target * 0.7)
    else:
        done, ending = (round(target * chance.uniform(*kind[k]) / 100) for k in ("done", "ending"))
        done = min(done, ending)
    ticks = ["√" if cause == kind.get("cause") else "" for cause in CAUSES]
    likely = kind["chance"] if ending < target else "确定能"
    return [
        level1,
        level2,
        name,
        f"≥{target}",
        unit,
        done,
        ending,
        likely,
        *ticks,
        kind.get("why", ""),
    ]


def wholes(lines: Sequence[Filed]) -> Iterator[Filed]:
    """A line for each department, with what its projects and its basic spending cost."""
    chance = random.Random(12)  # noqa: S311
    for at, (name, department) in enumerate(SPEC["departments"].items(), 1):
        mine = [line.cells for line in lines if line.cells[2] == name]
        basic = _wan(chance.uniform(600, 4200))
        initial, budget = (_wan(basic + sum(cells[k] for cells in mine)) for k in (6, 7))
        spent = _wan(basic * 0.83 + sum(cells[8] for cells in mine))
        forecast = _wan(basic + sum(cells[10] for cells in mine))
        cells = [f"62{at:02d}", name, name, department["category"], f"6299{at:02d}-{YEAR}-ZT", f"{name}整体支出",
                 initial, budget, spent, (round(spent / initial, 4), "0.00%"), forecast]  # fmt: skip
        lag = at in (3, 8)
        yield Filed(cells, [
            ["产出指标", "重点工作任务完成", "重点工作任务完成率", "≥100", "%", 78 if lag else 86, 92 if lag else 100,
             "有可能" if lag else "确定能", "", "√" if lag else "", "", "", "", "审批环节多，两项任务推迟" if lag else ""],
            ["满意度指标", "服务对象满意度", "社会公众满意度", "≥90", "%", 91, 91, "确定能", "", "", "", "", "", ""],
        ])  # fmt: skip


def export(title: str, sheet: str, lines: Sequence[Filed]) -> Board:
    """One row an indicator; the cells of a line are merged over its indicators."""
    board = Board(sheet)
    board.put(1, 1, title, len(HEADS))
    board.put(2, 1, "单位：万元", len(HEADS))
    for column, text in enumerate(HEADS, 1):
        board.put(3, column, text)
    row = 4
    for line in lines:
        last = row + len(line.indicators) - 1
        for column, value in enumerate(line.cells, 1):
            board.put(row, column, value, bottom=last)
        for at, indicator in enumerate(line.indicators):
            for column, value in enumerate(indicator, len(line.cells) + 1):
                board.put(row + at, column, value)
        row = last + 1
    return board


def faults(lines: list[Filed]) -> list[Filed]:
    """What units get wrong: each provokes a check."""
    by_name = {line.cells[5].removesuffix("项目"): line for line in lines}
    by_name["公路应急抢险"].cells[8] = _wan(
        by_name["公路应急抢险"].cells[6] * 1.08
    )  # more than the budget
    by_name["水质检测经费"].cells[10] = _wan(
        by_name["水质检测经费"].cells[8] * 0.9
    )  # forecast below spent
    by_name["送戏下乡"].cells[9] = (0.98, "0.00%")  # a rate that does not follow
    by_name["反诈宣传"].cells[6] = by_name["反诈宣传"].cells[7] = ""  # no budget
    by_name["企业培训"].cells[8] = ""  # no spending
    by_name["应急演练"].indicators[0][6] = "预计完成"  # a number cannot be compared with words
    by_name["森林防火"].indicators[0][7] = "完全不可能"  # although it is going to be met
    by_name["土地复垦验收"].cells[1] = ""  # no unit
    return lines


SINGLES = (
    ("docx", Form(name="县城集中供热管网改造项目", code="629913-2025-121", department="示例县城市管理综合执法局",
                  unit="示例县供热服务中心", year=YEAR, goal="改造供热管网18公里，供热前投入使用",
                  funds=((2600, 1180, "45.38%", 2100), (2600, 1180, "45.38%", 2100), ("", "", "", ""))),
     [("产出指标", "数量指标", "改造管网长度", "≥18公里", "9公里", "14公里", "制度保障", "征迁进度滞后", "完全不可能", "剩余4公里列入2026年"),
      ("产出指标", "质量指标", "分项工程验收合格率", "≥100%", "100%", "100%", "", "", "确定能", ""),
      ("效益指标", "社会效益指标", "受益户数", "≥3200户", "1500户", "2400户", "制度保障", "征迁进度滞后", "完全不可能", "")]),
    ("xlsx", Form(name="县城公共停车场建设项目", code="629913-2025-122", department="示例县城市管理综合执法局",
                  unit="示例县城市管理服务中心", year=YEAR, goal="新建停车泊位420个",
                  funds=((860, 742.5, "86.34%", 860), (860, 742.5, "86.34%", 860), ("", "", "", ""))),
     [("产出指标", "数量指标", "新建停车泊位", "≥420个", "380个", "420个", "", "", "确定能", ""),
      ("产出指标", "时效指标", "完工时间", "2025年12月", "在建", "2025年12月", "", "", "确定能", ""),
      ("满意度指标", "服务对象满意度", "群众满意度", "≥90%", "92%", "92%", "", "", "确定能", "")]),
    ("xls", Form(name="流动商贩规范管理项目", code="629913-2025-123", department="示例县城市管理综合执法局",
                 unit="示例县城市管理服务中心", year=YEAR, goal="规范经营点12处",
                 funds=((96.4, 64.9, "67.32%", 96.4), (96.4, 64.9, "67.32%", 96.4), ("", "", "", ""))),
     [("产出指标", "数量指标", "规范经营点", "≥12处", "8处", "11处", "硬件条件保障", "两处场地未腾退", "有可能", ""),
      ("效益指标", "社会效益指标", "占道经营投诉下降率", "≥30%", "24%", "30%", "", "", "确定能", "")]),
)  # fmt: skip


def task(lines: Sequence[Filed], whole: Sequence[Filed]) -> dict[str, Any]:
    """What the workbook of the task says."""
    chance = random.Random(7)  # noqa: S311
    code = {line.cells[5].removesuffix("项目"): line.cells[4] for line in lines}
    before = [*lines[:112], *whole[:11]]
    lights = [chance.choices(["绿", "黄", "红"], [6, 3, 2])[0] for _ in before]
    previous = [{"code": line.cells[4], "name": line.cells[5], "light": light}
                for line, light in zip(before, lights, strict=True)]  # fmt: skip
    previous.append({"code": f"629905-{YEAR}-900", "name": "秸秆综合利用项目", "light": "黄"})
    return {
        "project": {
            "code": "JK-2025-10", "name": "示例县2025年1—10月", "year": YEAR, "months": "10", "base": "年初预算数",
            "county": "示例县", "client": "示例县财政局", "agency": "示例绩效评价咨询有限公司", "lead_evaluator": "陈示例",
            "reviewer": "王示例", "folder": "填报表", "tasks": "136", "reply_by": "2025-12-05", "contact": "示例县财政局绩效管理股",
            "report_no": "示绩监〔2025〕第010号", "report_date": "2025-11-20", "demo": "是",
        },
        "texts": {
            "organisation": "10月21日，示例县财政局布置1—10月绩效运行监控。各单位对照批复的绩效目标填报，主管部门审核汇总后于11月5日前报送。"
            "监控组11月6日至14日对填报表逐条核对，对红灯项目电话核实，对12个项目到现场查看。",
            "problems": "部分项目前期准备不足，开工晚，全年任务不能完成。\n部分资金下达较晚或支付手续慢，年底前集中支出的压力大。\n"
            "少数单位填报不认真，执行率、预计完成情况前后矛盾，没有说明偏差原因。",
            "analysis": "项目入库时前期手续没有办结，年度目标没有考虑征迁和审批的时间；汛期暴雨洪灾影响了水利、交通工程的施工；个别项目因政策调整暂缓实施。",
            "advice": "对红灯项目逐个落实责任人和完成时间，11月底前再次核实。\n年底前不能形成支出的资金，按程序调减并统筹用于急需项目。\n"
            "把监控结果作为安排2026年预算的参考，前期不成熟的项目不安排当年预算。",
            "other": "部门整体支出含项目支出，两者金额分别汇总。监控数据由填报单位提供，监控组核对了数据之间的关系，没有逐笔核对会计凭证。",
        },
        "plans": [
            {"code": "教育类", "month": "10", "planned": "75", "reason": "按学期发放，11月、12月各支付一次"},
            {"code": code["污水处理厂运行"], "month": "10", "planned": "75", "reason": "按月结算，滞后一个月支付"},
            {"code": "教育类", "month": "6", "planned": "45", "reason": "按学期发放"},
        ],
        "previous": previous,
        "residual": [{"scope": "项目", "name": "上级专款待分配项目", "count": "1", "reason": "财政代列，尚未落实到单位，未监控"}],
        "violations": [{"code": code["招商引资经费"], "kind": "挤占挪用预算资金", "fact": "用招商引资经费支付办公楼维修费3.20万元",
                        "amount": "3.20", "evidence": "2025年8月记账凭证第46号"}],
        "decisions": [{"code": code["职业教育实训设备购置"], "decision": "年内不能完成采购，调减预算，结转下年统筹安排",
                       "approver": "示例县财政局局长办公会"}],
    }  # fmt: skip


def build(folder: Path = DEMO) -> Path:
    """Write the demo; returns the workbook of the task."""
    filed = folder / "填报表"
    filed.mkdir(parents=True, exist_ok=True)
    lines = [*projects()]
    whole = [*wholes(lines)]
    title = f"示例县{YEAR}年{MONTHS}"
    told = export(f"{title}项目支出绩效运行监控情况表", "项目支出", faults(lines))
    to_xlsx(filed / "系统导出-绩效运行监控.xlsx", told,
            export(f"{title}部门整体支出绩效运行监控情况表", "部门整体支出", whole))  # fmt: skip
    for (kind, form, rows), write in zip(SINGLES, (to_docx, to_xlsx, to_html), strict=True):
        write(filed / f"{form.name}监控情况表.{kind}", monitoring(form, MONTHS, rows))
    content = task(lines, whole)
    return write_blank(folder / "监控任务.xlsx", load_schema("monitoring"), content)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else DEMO)
