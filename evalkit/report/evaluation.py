"""What the template of an evaluation report is filled with: fields, sentences, tables, pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from evalkit.core.model import IndicatorScore, Result, Scorecard
from evalkit.core.numbers import fixed, plain, rounding_tail
from evalkit.core.paths import asset
from evalkit.core.problem import EvalkitError
from evalkit.core.store import inside
from evalkit.report import prose
from evalkit.report.blocks import Block, Column, Figure, Photo, PhotoGrid, Table
from evalkit.report.figures import TITLES, alt_text
from evalkit.report.oxml import GAP
from evalkit.report.template import load_style

Rows = Sequence[Mapping[str, str]]

_STAGES = {"终稿": "", "初稿": "（初稿）", "征求意见稿": "（征求意见稿）", "送审稿": "（送审稿）"}
_MONEY = ("initial", "budget", "arrived", "spent")
_FUND_RATES = ("arrival_rate", "execution_rate", "budget_execution_rate")
_TEXTS = (
    "object",
    "general_target",
    "stage_target",
    "process",
    "organisation",
    "experience",
    "other",
)
_SUBJECT = (
    ("项目名称", "name"), ("项目编码", "code"), ("主管部门", "department"), ("实施单位", "unit"),
    ("项目属性", "nature"), ("行业类别", "industry"), ("实施期限", "term"), ("评价方式", "mode"),
    ("评价期限", "phase"), ("评价基准日", "base_date"),
)  # fmt: skip
_COPIED = {  # block → source table, caption, unit, columns (title, field, width, align)
    "samples_table": ("samples", "评价抽样情况", "", (
        ("总体", "population", 5, "left"), ("单位", "unit", 2, "center"),
        ("总体数量", "total", 3, "right"), ("总体金额\n（万元）", "total_amount", 3.6, "right"),
        ("样本数量", "sample", 3, "right"), ("样本金额\n（万元）", "sample_amount", 3.6, "right"),
        ("数量覆盖率", "coverage", 3.4, "right"), ("金额覆盖率", "coverage_amount", 3.4, "right"),
    )),
    "visits_table": ("visits", "现场核查情况", "", (
        ("点位", "place", 4, "left"), ("日期", "date", 5.4, "center"),
        ("核查事实", "fact", 10, "left"), ("与上报差异", "difference", 6, "left"),
    )),
    "adjustments_table": ("adjustments", "调分情况", "分", (
        ("三级指标", "level3", 4.5, "left"), ("计算得分", "computed", 2.6, "right"),
        ("调整后得分", "adjusted", 2.8, "right"), ("调整理由", "reason", 8, "left"),
        ("依据", "basis", 5, "left"), ("批准人", "approver", 2.6, "center"),
        ("日期", "date", 5.2, "center"),
    )),
    "survey_table": ("survey_questions", "满意度调查结果", "份", (
        ("问题", "question", 8, "left"), *((a, a, 2.2, "right") for a in
        ("非常满意", "满意", "一般", "不满意", "非常不满意", "不了解")),
        ("有效", "valid", 2, "right"), ("满意度", "satisfaction", 2.9, "right"),
    )),
    "survey_groups_table": ("survey_groups", "分对象满意度", "", (
        ("调查对象", "group", 8, "left"), ("有效问卷（份）", "valid", 5, "right"),
        ("满意度", "satisfaction", 5, "right"),
    )),
    "evidence_table": ("evidence", "佐证资料目录", "", (
        ("编号", "no", 2, "center"), ("资料名称", "title", 9, "left"),
        ("页码", "page", 2.4, "center"), ("提供单位", "provider", 5, "left"),
    )),
}  # fmt: skip


def report_context(
    result: Result, figures: Mapping[str, Path], photos_dir: Path, style: str
) -> tuple[dict[str, Any], dict[str, Block | None]]:
    """Fields and blocks for the template.

    `figures` maps names of `evalkit.report.figures` to pictures; `photos_dir` is the folder that
    photo paths are relative to; `style` names the profile that lists the required headings.

    Raises:
        EvalkitError: the style profile cannot be read.
    """
    subject = {key: value or GAP for key, value in result.subject.items()}
    subject["report_no"] = result.subject.get("report_no", "")
    texts = {key: result.texts.get(key) or GAP for key in _TEXTS}
    issues = result.tables.get("issues", [])
    profile = load_style(asset("params", "styles", f"{style}.yaml"))
    blocks = _blocks(result, figures, photos_dir)
    title = _title(result.name)
    mark = "示例数据" if result.subject.get("demo") == "是" else ""
    stage = _STAGES[result.stage]
    context: dict[str, Any] = {
        "document": {
            "title": "".join(title),
            "date": _date(result.subject.get("report_date", "")),
            "headings": profile.get("outline", {}).get(result.workflow, []),
        },
        "cover": {
            "project": title[0],
            "kind": title[1],
            "stage": stage,
            "mark": mark,
            "number": subject["report_no"] and f"报告编号：{subject['report_no']}",
        },
        "header": "　".join(filter(None, ("".join(title) + stage, mark))),
        "subject": subject,
        "texts": texts | {"purpose": _purpose(result), "methods": result.texts.get("methods") or GAP},
        "summary": prose.summary(result),
        "conclusion": prose.conclusion(result),
        "bases": _bases(result.score),
        "visits": {"sentence": prose.visits(_rows(result, "visits"))},
        "issues": [{"title": f"{row['title'].rstrip('。')}（{row['no']}）",
                    "paragraphs": prose.issue_paragraphs(row)} for row in issues],
        "advice": [prose.advice_paragraph(row) for row in issues],
        "has": {name: block is not None for name, block in blocks.items()},
        **_figures(result),
        **_scores(result.score, issues),
    }  # fmt: skip
    return context, blocks


def _title(name: str) -> tuple[str, str]:
    """《…项目支出绩效评价报告》 in the two lines of a cover.

    >>> _title("公交运营补贴项目"), _title("公交运营补贴")
    (('公交运营补贴项目', '支出绩效评价报告'), ('公交运营补贴', '项目支出绩效评价报告'))
    """
    return name, "支出绩效评价报告" if name.endswith("项目") else "项目支出绩效评价报告"


def _date(text: str) -> date | None:
    match = re.fullmatch(r"(\d{4})年(\d{1,2})月(\d{1,2})日", text)
    return date(int(match[1]), int(match[2]), int(match[3])) if match else None


def _purpose(result: Result) -> str:
    general = ("通过评价，全面了解项目资金安排使用、组织实施和绩效目标实现情况，总结经验，"
               "查找问题并分析原因，为改进项目管理和安排以后年度预算提供参考。")  # fmt: skip
    return result.texts.get("purpose") or general


def _rows(result: Result, name: str) -> Rows:
    return result.tables.get(name, [])


def _figures(result: Result) -> dict[str, dict[str, Any]]:
    """Named figures as printed, by their path in the result: ``funds.arrived``, ``survey.valid``."""
    money, rate, survey = prose.money, prose.rate, result.values.get
    funds = {key: money(result.values, f"funds.{key}") for key in _MONEY}
    funds |= {key: rate(result.values, f"funds.{key}") for key in _FUND_RATES}
    counts = {key: survey(f"survey.{key}") for key in ("population", "sent", "returned", "valid")}
    rates = ("return_rate", "valid_rate", "satisfaction")
    return {
        "funds": funds | {"sentence": prose.funds(result.values)},
        "survey": {key: GAP if n is None else plain(n) for key, n in counts.items()}
        | {key: rate(result.values, f"survey.{key}") for key in rates}
        | {"sentences": prose.survey(result.subject, result.values)},
        "sample": {
            key: rate(result.values, f"sample.{key}") for key in ("coverage", "coverage_amount")
        }
        | {"sentence": prose.samples(_rows(result, "samples"), result.values)},
    }


def _scores(card: Scorecard | None, issues: Rows) -> dict[str, Any]:
    """Fields under `score` and the analysis by level, as nested lists the template loops over."""
    if card is None:
        names = ("total", "rate", "grade", "points", "comparison", "adjustments")
        return {"score": dict.fromkeys(names, GAP), "parts": []}
    score = {
        "total": prose.score_text(card.total),
        "rate": prose.score_text(card.rate),
        "grade": card.grade or GAP,
        "points": plain(card.points),
        "comparison": prose.comparison(card),
        "adjustments": prose.adjustments(card),
    }
    place = {indicator.code: n for n, indicator in enumerate(card.indicators)}
    parts = []
    for group in card.level1():
        mine = [i for i in card.indicators if i.level1 == group.level1]
        seconds = [
            {
                "name": second,
                "indicators": [
                    {
                        "title": f"{i.level3}（{plain(i.points)}分）",
                        "paragraphs": prose.indicator_paragraphs(i, place[i.code], issues),
                    }
                    for i in mine
                    if i.level2 == second
                ],
            }
            for second in dict.fromkeys(i.level2 for i in mine)
        ]
        summary = prose.group_paragraph(group, mine)
        parts.append({"name": f"项目{group.level1}情况", "summary": summary, "groups": seconds})
    return {"score": score, "parts": parts}


def _bases(card: Scorecard | None) -> list[str]:
    """Documents that the scoring rules rest on, each with the number of indicators."""
    found: dict[str, int] = {}
    for indicator in card.indicators if card else ():
        basis = indicator.trace.basis
        dated = f"（{basis.dated}）" if basis.dated else ""
        text = f"{basis.kind}《{basis.document.strip('《》')}》{dated}" if basis.document else GAP
        found[text] = found.get(text, 0) + 1
    return [f"{text}，{count}项指标的评分标准以此为依据。" for text, count in found.items()]


# --- tables and pictures --------------------------------------------------------------------


def _blocks(
    result: Result, figures: Mapping[str, Path], photos_dir: Path
) -> dict[str, Block | None]:
    card = result.score
    blocks: dict[str, Block | None] = {
        "subject_table": _subject_table(result.subject),
        "funds_table": _funds_table(_rows(result, "funds")),
        "groups_table": _groups_table(card) if card else None,
        "score_table": _score_table(card) if card else None,
        "issues_table": _issues_table(_rows(result, "issues")),
        "photos": _photos(_rows(result, "visits"), photos_dir),
    }
    for name, (source, title, unit, columns) in _COPIED.items():
        rows = [[row.get(field, "") for _, field, _, _ in columns] for row in _rows(result, source)]
        heads = [Column(head, width, align) for head, _, width, align in columns]  # type: ignore[arg-type]
        blocks[name] = Table(title, heads, rows, unit) if rows else None
    for name, title in TITLES.items():
        path = figures.get(name)
        blocks[f"fig_{name}"] = Figure(title, path, alt_text(name, result)) if path else None
    return blocks


def _subject_table(subject: Mapping[str, str]) -> Table:
    term = "至".join(filter(None, (subject.get("start"), subject.get("end"))))
    known = {**subject, "term": term}
    pairs = [(label, known[key]) for label, key in _SUBJECT if known.get(key)]
    columns = (Column("项目", 1, "center"), Column("内容", 3))
    return Table("项目基本信息", columns, pairs)


def _tail_note(columns: Iterable[Sequence[str]]) -> str:
    """因四舍五入存在尾差, if a printed column does not add up to its last figure."""
    for column in columns:
        figures = [Decimal(text) for text in column if text]
        if len(figures) > 1 and rounding_tail(figures[:-1], figures[-1]):
            return "因四舍五入存在尾差。"
    return ""


def _funds_table(rows: Rows) -> Table | None:
    if not rows:
        return None
    fields = ("initial", "budget", "arrived", "spent")
    columns = [Column("年度", 2, "center"), Column("资金来源", 3),
               *(Column(head, 3, "right") for head in ("年初预算", "全年预算", "到位", "支出")),
               Column("文号或凭证", 5)]  # fmt: skip
    body = [[r["year"], r["source"], *(r[f] for f in fields), r["document"]] for r in rows]
    notes = [f"{r['source']}：{prose.sentence(r['explanation'])}" for r in rows if r["explanation"]]
    notes.append(_tail_note([[r[f] for r in rows] for f in fields]))
    return Table("项目资金安排和使用情况", columns, body, "万元", "".join(notes),
                 total=rows[-1]["source"] == "合计")  # fmt: skip


def _groups_table(card: Scorecard) -> Table:
    columns = (Column("一级指标", 4, "center"), Column("分值", 3, "right"), Column("得分", 3, "right"),
               Column("得分率", 3, "right"))  # fmt: skip
    rows = [
        [g.level1, plain(g.points), prose.score_text(g.score), _rate(g.rate)] for g in card.level1()
    ]
    rows.append(["合计", plain(card.points), _total(card), _rate(card.rate)])
    return Table("综合评价得分情况", columns, rows, "分", total=True)


def _rate(rate: Decimal | None) -> str:
    return GAP if rate is None else f"{fixed(rate)}%"


def _total(card: Scorecard) -> str:
    if card.total is not None:
        return fixed(card.total)
    return f"暂计{fixed(card.low)}～{fixed(card.high)}"


def _score_table(card: Scorecard) -> Table:
    columns = (
        Column("一级指标", 2.8, "center"), Column("二级指标", 2.8, "center"),
        Column("三级指标", 3.2, "left"), Column("分值", 1.8, "center"), Column("评分标准", 7.6),
        Column("评价情况", 7.6), Column("得分", 2.4, "center"), Column("扣分原因", 5.8),
    )  # fmt: skip
    rows = [_score_row(i) for i in card.indicators]
    if card.total is None:
        rows.append(["合计", "", "", plain(card.points), "", f"总分{_total(card)}分", "暂计", ""])
    else:
        rows.append(["合计", "", "", plain(card.points), "", "", fixed(card.total), ""])
    return Table("绩效评价评分表", columns, rows, merge=2, total=True)


def _score_row(i: IndicatorScore) -> list[str]:
    return [i.level1, i.level2, i.level3, plain(i.points), i.standard or GAP, prose.situation(i),
            prose.score_text(i.score), prose.loss_reason(i)]  # fmt: skip


def _issues_table(rows: Rows) -> Table | None:
    columns = (
        Column("编号", 2, "center"), Column("分类", 2.4, "center"), Column("问题", 7.6),
        Column("金额\n（万元）", 2.6, "right"), Column("违反的规定及佐证", 4.2),
        Column("关联指标及扣分", 3.4), Column("原因", 5), Column("建议", 5.4),
        Column("责任单位及期限", 3.6),
    )  # fmt: skip
    body = []
    for r in rows:
        lost = f"扣{r['lost']}分" if r["lost"] not in ("", "0") else ""
        body.append([
            r["no"], r["category"] + ("\n（严重）" if r["severe"] == "是" else ""),
            "\n".join((prose.sentence(r["title"]), prose.sentence(r["fact"]))), r["amount"],
            "\n".join(filter(None, (r["rule"], prose.evidence_mark(r["evidence"])))),
            "\n".join(filter(None, (r["indicator_names"], lost))), r["cause"] or GAP,
            r["advice"] or GAP, "\n".join((r["responsible"] or GAP, r["deadline"] or GAP)),
        ])  # fmt: skip
    return Table("绩效评价问题清单", columns, body) if body else None


def _photos(rows: Rows, folder: Path) -> PhotoGrid | None:
    photos = []
    for row in rows:
        if not row["photo"]:
            continue
        try:
            path: Path | None = inside(folder, row["photo"])
        except (EvalkitError, OSError, ValueError):
            path = None
        about = (row["caption"] or row["place"], row["date"])
        photos.append(Photo("\n".join(filter(None, about)), path))
    return PhotoGrid(photos) if photos else None
