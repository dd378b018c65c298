"""The command line: `evalkit …`. Thin; every command imports what it needs when it runs."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from evalkit.core.problem import Problem
    from evalkit.workbook.schema import Schema

app = typer.Typer(
    help="预算绩效评价工具包：一份项目清单，批量得出评分、底稿和评价报告。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_STYLE = "gbt9704"  # its templates stand in templates/ itself
template_app = typer.Typer(help="报告模板。", no_args_is_help=True)
app.add_typer(template_app, name="template")

ListFile = Annotated[Path, typer.Argument(help="项目清单（CSV 或 XLSX）", show_default=False)]
Out = Annotated[Path, typer.Option("--out", "-o", help="成果文件夹")]
ReportFile = Annotated[Path, typer.Argument(help="评价报告.docx", show_default=False)]
WorkbookFile = Annotated[Path, typer.Argument(help="数据底稿.xlsx", show_default=False)]
Kind = Annotated[str, typer.Argument(help="业务种类，如 project-evaluation")]
Stage = Literal["初稿", "征求意见稿", "送审稿", "终稿"]


@app.command("batch")
def batch(
    projects: ListFile,
    out: Out = Path("outputs"),
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="同时运行几个项目")] = None,
    force: Annotated[bool, typer.Option("--force", help="未变化的项目也重新运行")] = False,
    only: Annotated[str | None, typer.Option("--only", help="只运行这些编码，逗号隔开")] = None,
    timeout: Annotated[int, typer.Option("--timeout", min=1, help="每个项目最多运行几秒")] = 600,
) -> None:
    """运行清单中的全部项目，生成报告、底稿、汇总表和首页。

    退出码：0 全部完成，1 有项目失败，2 清单或命令有误。
    """
    from evalkit.batch.run import run_batch

    codes = [c.strip() for c in only.replace("，", ",").split(",")] if only else None
    outcome = run_batch(projects, out, jobs=jobs, force=force, only=codes, timeout=timeout)
    raise typer.Exit(outcome.exit_code)


@app.command("run")
def run(
    workbook: WorkbookFile,
    out: Out = Path("outputs"),
    stage: Annotated[Stage, typer.Option(help="报告状态")] = "初稿",
    profile: Annotated[str, typer.Option(help="政策方案")] = "national",
    notebook: Annotated[str, typer.Option(help="笔记本")] = "project_evaluation",
) -> None:
    """运行一个项目。"""
    from evalkit.batch.run import run_one

    raise typer.Exit(run_one(notebook, workbook, out, stage=stage, profile=profile).exit_code)


@app.command("check")
def check(projects: ListFile) -> None:
    """核对清单和全部底稿，不运行笔记本。

    退出码：0 无错误，1 有错误，2 清单或命令有误。
    """
    from importlib import import_module

    from evalkit.batch.jobs import read_list
    from evalkit.core.problem import EvalkitError, errors

    failed = 0
    jobs = read_list(projects)
    for job in jobs:
        workflow = import_module(f"evalkit.workflows.{job.notebook.stem}")
        try:
            params = workflow.Params(**job.injected(Path("outputs")))
            found = list(workflow.evaluate(workflow.load(params)).problems)
        except EvalkitError as refusal:
            found = refusal.problems
        failed += bool(errors(found))
        _tell(job.title, found)
    typer.echo(f"共 {len(jobs)} 个项目，{failed} 个有错误。")
    raise typer.Exit(1 if failed else 0)


@app.command("verify")
def verify(
    report: ReportFile,
    result: Annotated[Path | None, typer.Option(help="评价结果；不写则用报告旁的")] = None,
) -> None:
    """核对报告：数字、合计、比率、等级、大写金额、单位、名称年度、空缺、签署，与评价结果逐项比对。

    退出码：0 没有警示，1 有警示，2 文件无法读取。
    """
    from evalkit.verify import report as verifying

    raise typer.Exit(verifying.cli(report, result))


@app.command("comments")
def comments(
    report: ReportFile,
    table: Annotated[Path | None, typer.Option(help="意见采纳情况表.xlsx；不写则在报告旁")] = None,
) -> None:
    """汇集批注和修订，连同来函、专家会意见，列成意见采纳情况表（XLSX 和 DOCX）。"""
    from evalkit.review import opinions

    done = opinions.collect(report, table)
    _tell("，".join(f"{name} {n} 条" for name, n in done.counts.items()), list(done.problems))
    typer.echo(f"已写出 {done.table}\n已写出 {done.document}")


@app.command("copy")
def copy(
    report: ReportFile,
    review: Annotated[bool, typer.Option("--review", help="复核版：每个得分旁批注出处")] = False,
    final: Annotated[bool, typer.Option("--final", help="终稿：断开域，去掉批注和属性")] = False,
    public: Annotated[bool, typer.Option("--public", help="公开版：去掉个人信息和佐证")] = False,
    client_consent: Annotated[str, typer.Option(help="公开版：委托方同意的文号或日期")] = "",
    finance_consent: Annotated[str, typer.Option(help="公开版：财政部门同意的文号或日期")] = "",
    pdf: Annotated[bool, typer.Option("--pdf", help="另存 PDF，用 LibreOffice 或 Word")] = False,
) -> None:
    """由评价报告制作复核版、终稿、公开版和 PDF，写在报告旁；原报告不动。"""
    from evalkit.review.copies import copy_report

    written = copy_report(
        report, review=review, final=final, public=public, pdf=pdf,
        client_consent=client_consent, finance_consent=finance_consent,
    )  # fmt: skip
    typer.echo("\n".join(f"已写出 {path}" for path in written))


@app.command("new")
def new(
    kind: Kind,
    out: Annotated[Path, typer.Option("--out", "-o", help="写到哪里")] = Path("数据底稿.xlsx"),
    framework: Annotated[str, typer.Option(help="预填的指标体系；none 不预填")] = "mof_2020_10",
) -> None:
    """写一份空白的数据底稿。"""
    from evalkit.core.problem import refusal
    from evalkit.indicators import frameworks
    from evalkit.workbook.blank import write_blank

    if out.exists():
        raise refusal("file.exists", file=out.name)
    content = None
    if framework != "none":
        indicators, elements = frameworks.rows(frameworks.load(framework))
        content = {"indicators": indicators, "elements": elements}
    typer.echo(f"已写出 {write_blank(out, _schema(kind), content)}")


@app.command("manual")
def manual(kind: Kind) -> None:
    """打印数据底稿的填写手册（Markdown）。"""
    from evalkit.workbook.manual import manual as text

    typer.echo(text(_schema(kind)))


@app.command("freeze")
def freeze(
    workbook: WorkbookFile,
    approver: Annotated[str, typer.Option(help="批准人或单位", show_default=False)],
    dated: Annotated[str, typer.Option("--date", help="审定日期，如 2025-04-10")],
    replace: Annotated[bool, typer.Option("--replace", help="替换已有的审定记录")] = False,
) -> None:
    """审定指标体系：此后改动的指标、分值、规则和目标都会列出，并须写明理由。"""
    from datetime import date

    from evalkit.core.problem import refusal
    from evalkit.indicators import freeze as frozen
    from evalkit.workbook.reader import read

    try:
        day = date.fromisoformat(dated)
    except ValueError:
        raise refusal("freeze.date", text=dated) from None
    source = read(workbook, _schema("project-evaluation"))
    path = frozen.freeze(source, workbook, approver, day, replace=replace)
    typer.echo(f"指标体系已审定：{path}")


@app.command("init")
def init(folder: Annotated[Path, typer.Argument(help="工作文件夹", show_default=False)]) -> None:
    """把笔记本、模板和参数铺成本机构自己的工作文件夹；已有的文件不动。"""
    from shutil import copyfile

    from evalkit.core.paths import KINDS, packaged

    found = (path for kind in KINDS for path in (packaged() / kind).rglob("*") if path.is_file())
    sources = [path for path in found if "__pycache__" not in path.parts]
    targets = {folder / path.relative_to(packaged()): path for path in sources}
    new = {target: path for target, path in targets.items() if not target.exists()}
    for target, path in new.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(path, target)
    (folder / "outputs").mkdir(parents=True, exist_ok=True)
    typer.echo(f"{folder}：写入 {len(new)} 个文件，保留原有 {len(targets) - len(new)} 个。")


@app.command("lab")
def lab(notebook: Annotated[str, typer.Argument(help="笔记本")] = "project_evaluation") -> None:
    """在 JupyterLab 中打开一个笔记本。"""
    import subprocess

    from evalkit.core.paths import workspace

    command = [sys.executable, "-m", "jupyterlab", f"notebooks/{notebook}.ipynb"]
    raise typer.Exit(subprocess.call(command, cwd=workspace()))  # noqa: S603


@template_app.command("build")
def template_build(
    name: Annotated[str, typer.Argument(help="模板名")] = "project_evaluation",
    style: Annotated[str, typer.Option(help="版式方案；其他方案写到 templates/方案名/")] = _STYLE,
    base: Annotated[bool, typer.Option("--base", help="重新生成 base.docx")] = False,
) -> None:
    """由 base.docx（样式、封面、声明、页眉页脚）和正文提纲生成模板。"""
    from evalkit.core.paths import asset
    from evalkit.template import build

    profile = build.load_style(asset("params", "styles", f"{style}.yaml"))
    templates = asset("templates")
    out = templates / ("" if style == _STYLE else style) / f"{name}.docx"
    if base or not out.with_name("base.docx").exists():
        build.build_base(profile, out.with_name("base.docx"), templates / "base.xml")
    typer.echo(f"已写出 {build.build(profile, templates / f'{name}.md', out)}")


@template_app.command("check")
def template_check(
    name: Annotated[str, typer.Argument(help="模板名或模板文件")] = "project_evaluation",
    style: Annotated[str, typer.Option(help="版式方案")] = _STYLE,
    business: Annotated[str, typer.Option(help="模板文件所属业务")] = "project_evaluation",
) -> None:
    """列出模板中不认识的字段、图表、样式和缺少的必需字段、标题，注明位置。

    退出码：0 没有问题，1 有问题。
    """
    from importlib import import_module

    from evalkit.template import build, check

    own = name.endswith(".docx")
    path = Path(name) if own else build.template_for(name, style)
    workflow = import_module(f"evalkit.workflows.{business if own else name}")
    found = check.check_template(path, *workflow.sample(style))
    _tell(path.name, found)
    raise typer.Exit(1 if found else 0)


def _schema(kind: str) -> Schema:
    from evalkit.workbook.schema import load_schema

    return load_schema(kind.replace("-", "_"))


def _tell(title: str, found: list[Problem]) -> None:
    """How many problems of each severity there are, and each of them."""
    from collections import Counter

    from evalkit.core.problem import SEVERITY_NAMES

    number = Counter(SEVERITY_NAMES[problem.severity] for problem in found)
    counts = (f"{number[name]} 个{name}" for name in SEVERITY_NAMES.values() if number[name])
    typer.echo(f"{title}：{'、'.join(counts) or '没有问题'}")
    for problem in found:
        typer.echo(f"  [{SEVERITY_NAMES[problem.severity]}] {problem}")


def main() -> None:
    """Entry point: Chinese sentences instead of tracebacks, UTF-8 where the console is not."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except Exception as error:
        from evalkit.core.problem import EvalkitError

        if not isinstance(error, EvalkitError):
            raise
        typer.echo(f"有 {len(error.problems)} 个问题：", err=True)
        for problem in error.problems:
            typer.echo(f"  {problem}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
