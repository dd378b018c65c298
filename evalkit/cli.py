"""The command line: `evalkit …`. Thin; every command imports what it needs when it runs."""

import sys
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from evalkit.core.problem import Problem

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
Only = Annotated[
    str | None,
    typer.Option(help="只要这些编码，逗号隔开；可写 A..B 表示从 A 行到 B 行，* 代表任意字"),
]
Where = Annotated[
    list[str] | None, typer.Option(help="只要这一列是这个值的，如 主管部门=某局；可写几次")
]
Stage = Literal["初稿", "征求意见稿", "送审稿", "终稿"]


def batch(
    projects: ListFile,
    out: Out = Path("outputs"),
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="同时运行几个项目")] = None,
    force: Annotated[bool, typer.Option("--force", help="未变化的项目也重新运行")] = False,
    only: Only = None,
    where: Where = None,
    timeout: Annotated[int, typer.Option("--timeout", min=1, help="每个项目最多运行几秒")] = 600,
    memory: Annotated[
        int, typer.Option("--memory", min=100, help="每个项目最多占用多少 MB")
    ] = 4096,
    scheduler: Annotated[
        str | None, typer.Option(help="交给 Dask 集群运行，写调度程序的地址，如 tcp://主机:8786")
    ] = None,
) -> None:
    """运行清单中的项目，生成报告、底稿、汇总表和首页；中断后重新运行，只补做没有完成或有变化的。

    退出码：0 全部完成，1 有项目失败，2 清单或命令有误，或成果文件夹不能写。
    """
    from evalkit.batch.run import run_batch

    outcome = run_batch(
        projects, out, jobs=jobs, force=force, only=_codes(only), where=where or (),
        timeout=timeout, memory=memory, scheduler=scheduler,
    )  # fmt: skip
    raise typer.Exit(outcome.exit_code)


def status(out: Annotated[Path, typer.Argument(help="批次的成果文件夹")] = Path("outputs")) -> None:
    """查看一个批次：完成、失败、运行中、未运行各多少，预计还需多久，失败的原因。

    批次正在另一个窗口运行时、结束后、意外中断后都可以看。退出码：0 没有失败，1 有失败，2 没有记录。
    """
    from evalkit.batch.results import PAGES
    from evalkit.batch.status import read_status

    found = read_status(out)
    typer.echo(PAGES.get_template("status.txt.j2").render(status=found), nl=False)
    raise typer.Exit(1 if found["failed"] else 0)


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


def check(projects: ListFile, only: Only = None, where: Where = None) -> None:
    """核对清单和底稿，不运行笔记本。

    退出码：0 无错误，1 有错误，2 清单或命令有误。
    """
    from evalkit.batch.jobs import choose, read_list
    from evalkit.core.problem import EvalkitError, errors

    failed = 0
    jobs = choose(read_list(projects), _codes(only), where or ())
    for job in jobs:
        try:
            workflow = _workflow(job.notebook.stem)
            params = workflow.Params(**job.injected(Path("outputs")))
            found = list(workflow.evaluate(workflow.load(params)).problems)
        except EvalkitError as refusal:
            found = refusal.problems
        failed += bool(errors(found))
        _tell(job.title, found)
    typer.echo(f"共 {len(jobs)} 个项目，{failed} 个有错误。")
    raise typer.Exit(1 if failed else 0)


def verify(
    report: ReportFile,
    result: Annotated[Path | None, typer.Option(help="评价结果；不写则用报告旁的")] = None,
) -> None:
    """核对报告：数字、合计、比率、等级、大写金额、单位、名称年度、空缺、签署，与评价结果逐项比对。

    退出码：0 没有警示，1 有警示，2 文件无法读取。
    """
    from evalkit.verify import report as verifying

    raise typer.Exit(verifying.cli(report, result))


def comments(
    report: ReportFile,
    table: Annotated[Path | None, typer.Option(help="意见采纳情况表.xlsx；不写则在报告旁")] = None,
) -> None:
    """汇集批注和修订，连同来函、专家会意见，列成意见采纳情况表（XLSX 和 DOCX）。"""
    from evalkit.review import opinions

    done = opinions.collect(report, table)
    _tell("，".join(f"{name} {n} 条" for name, n in done.counts.items()), list(done.problems))
    typer.echo(f"已写出 {done.table}\n已写出 {done.document}")


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


def new(
    kind: Kind,
    out: Annotated[Path, typer.Option("--out", "-o", help="写到哪里")] = Path("数据底稿.xlsx"),
    framework: Annotated[str, typer.Option(help="预填的指标体系；none 不预填")] = "mof_2020_10",
    filed: Annotated[Path | None, typer.Option("--from", help="用单位的自评表或目标表预填")] = None,
    project: Annotated[str, typer.Option(help="填报表有多个项目时，写名称或编码")] = "",
    service: Annotated[str, typer.Option(help="成本标准的服务，如 bus；空着列出全部")] = "",
) -> None:
    """写一份空白的数据底稿；绩效评价的可以用单位已填的表预填，成本标准的按服务预填。"""
    from evalkit.core.problem import refusal
    from evalkit.filed.prefill import prefill_from
    from evalkit.indicators import frameworks
    from evalkit.standards.service import load_service
    from evalkit.workbook.blank import write_blank
    from evalkit.workbook.schema import load_schema

    if out.exists():
        raise refusal("file.exists", file=out.name)
    content: Any = None
    schema = load_schema(kind.replace("-", "_"))
    if service or any(sheet.optional for sheet in schema.sheets):
        chosen = load_service(service)
        schema = schema.using(chosen.sheets)
        content = {**chosen.content, "project": {"service": chosen.name}}
    elif schema.name == "indicator_weights" and (filed or framework != "none"):
        content, large = _workflow(schema.name).begin(filed, framework)
        typer.echo("\n".join(map(str, large)), nl=bool(large))
    elif filed and schema.name == "satisfaction_survey":
        content = _workflow(schema.name).begin(filed)
    elif filed:
        content = prefill_from(filed, project)
    elif framework != "none" and "elements" in {sheet.id for sheet in schema.sheets}:
        indicators, elements = frameworks.rows(frameworks.load(framework))
        content = {"indicators": indicators, "elements": elements}
    typer.echo(f"已写出 {write_blank(out, schema, content)}")


def manual(kind: Kind) -> None:
    """打印数据底稿的填写手册（Markdown）。"""
    from evalkit.workbook.manual import manual as text
    from evalkit.workbook.schema import load_schema

    typer.echo(text(load_schema(kind.replace("-", "_"))))


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
    from evalkit.report.drawn import fill_from
    from evalkit.workbook.reader import read
    from evalkit.workbook.schema import load_schema

    try:
        day = date.fromisoformat(dated)
    except ValueError:
        raise refusal("freeze.date", text=dated) from None
    source = read(workbook, load_schema("project_evaluation"))
    filled = fill_from(source, "初稿", source.problems)
    source = filled.source.model_copy(update={"problems": filled.problems})
    path = frozen.freeze(source, workbook, approver, day, replace=replace)
    typer.echo(f"指标体系已审定：{path}")


def init(folder: Annotated[Path, typer.Argument(help="工作文件夹", show_default=False)]) -> None:
    """把笔记本、模板和参数铺成本机构自己的工作文件夹；已有的文件不动。"""
    from evalkit.core.paths import KINDS, packaged
    from evalkit.core.store import write_bytes

    found = (path for kind in KINDS for path in (packaged() / kind).rglob("*") if path.is_file())
    sources = [path for path in found if "__pycache__" not in path.parts]
    targets = {folder / path.relative_to(packaged()): path for path in sources}
    new = {target: path for target, path in targets.items() if not target.exists()}
    for target, path in new.items():
        write_bytes(target, path.read_bytes())
    (folder / "outputs").mkdir(parents=True, exist_ok=True)
    typer.echo(f"{folder}：写入 {len(new)} 个文件，保留原有 {len(targets) - len(new)} 个。")


def lab(notebook: Annotated[str, typer.Argument(help="笔记本")] = "project_evaluation") -> None:
    """在 JupyterLab 中打开一个笔记本。"""
    import subprocess

    from evalkit.core.paths import workspace

    command = [sys.executable, "-m", "jupyterlab", f"notebooks/{notebook}.ipynb"]
    raise typer.Exit(subprocess.call(command, cwd=workspace()))  # noqa: S603


for command in (batch, status, run, check, verify, comments, copy, new, manual, freeze, init, lab):
    app.command()(command)


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
    from evalkit.core.problem import refusal
    from evalkit.template import build, check

    own = name.endswith(".docx")
    path = Path(name) if own else build.template_for(name, style)
    if not own and not path.is_file():
        raise refusal("workflow.unknown", name=name)
    business = business if own else name
    letter = {"letter": True} if business.endswith("_letter") else {}
    sample = _workflow(business.removesuffix("_letter")).sample(style, **letter)
    found = check.check_template(path, *sample)
    _tell(path.name, found)
    raise typer.Exit(1 if found else 0)


def _codes(only: str | None) -> list[str] | None:
    """The codes of an option."""
    return [code.strip() for code in only.replace("，", ",").split(",")] if only else None


def _workflow(name: str) -> Any:
    """The module of a business."""
    from evalkit.core.problem import refusal

    try:
        return import_module(f"evalkit.workflows.{name}")
    except ModuleNotFoundError:
        raise refusal("workflow.unknown", name=name) from None


def _tell(title: str, found: "list[Problem]") -> None:
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
        said = [f"有 {len(error.problems)} 个问题：", *map(str, error.problems)]
        typer.echo("\n  ".join(said), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
