"""What every business does alike: open its workbook, and write what people will read.

A business is a module of `workflows`: `Params`; `Data`, a `Task` with all that was read; `load`,
which makes the one of the other; `evaluate`, which makes a `Result` of `Data`. The rest it takes
from here: `draw`, `deliver`, `checks`, and `sampled` as its own `sample`. Its forms, checks,
letters, tables and wording stand in files of its name in `params` and `templates`.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from typing import Any

from evalkit.core import result_file
from evalkit.core.model import STRICT_STAGES, Frozen, Result, Row, Source, Stage, Table
from evalkit.core.paths import asset, workspace
from evalkit.core.problem import Problem, refusal, refuse, sentence
from evalkit.core.store import sha256, write_json
from evalkit.core.yaml_file import load_yaml
from evalkit.policy import Policy
from evalkit.policy import load as load_policy
from evalkit.report import evaluation, sheets
from evalkit.report.letters import Letter, filling, write_letters
from evalkit.scoring.checks import for_stage
from evalkit.scoring.findings import load_checks, run_checks
from evalkit.scoring.rows import Line, groups, key_of, printed
from evalkit.workbook.printed import form_text
from evalkit.workbook.reader import read
from evalkit.workbook.schema import Schema, load_schema
from evalkit.workflows.inputs import NARRATIVE

CHECKS, LETTERS, HEADINGS = "checks.json", "函件", "列名对应.xlsx"
BOOK = "汇总表.xlsx"
Writer = Callable[[Path], Path]  # writes a file there and says where it really is


class TaskParams(Frozen):
    """The parameters that every notebook has; defaults run as they are."""

    workbook: str
    out: str = "outputs/试运行"
    stage: Stage = "初稿"
    profile: str = "national"
    code: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A business at work on one workbook: what was read, checked at the door."""

    params: TaskParams
    path: Path
    schema: Schema
    source: Source
    policy: Policy
    problems: list[Problem]
    inputs: list[Path]  # the files that were read

    @property
    def form(self) -> Row:
        """The form that says what the task is."""
        return self.source.forms["project"]

    @property
    def out(self) -> Path:
        """The output folder."""
        return workspace() / self.params.out

    def beside(self, field: str) -> Path | None:
        """The file or folder that a field of the form names, relative to the workbook."""
        named = self.form[field].text
        return (self.path.parent / named).resolve() if named else None

    def about(self, field: str = "form") -> dict[str, dict[str, Table]]:
        """What the sheets say of each filed form, by `key_of` what they call it and by sheet."""
        found = defaultdict[str, dict[str, Table]](lambda: defaultdict(list))
        for sheet, rows in self.source.tables.items():
            for row in rows:
                if field in row:
                    found[key_of(row[field].text)][sheet].append(row)
        return found

    def astray(self, known: Container[str], field: str = "form", but: str = "") -> Table:
        """The rows of the sheets, `but` for one, that are about none of the forms `known`."""
        strange = [sheets for key, sheets in self.about(field).items() if key not in known]
        return [row for sheets in strange for name in sheets if name != but for row in sheets[name]]

    def books(self, result: Result) -> dict[str, Writer]:
        """Writers of workbooks by file name: the tables as `params/books/WORKFLOW.yaml` says.

        A page without rows is left out unless it says what stands there then.
        """
        book, tables = sheets.read_book(result.workflow), result.tables
        pages = {page: tables for page, spec in book["pages"].items()
                 if "empty" in spec or tables.get(spec["rows"])}  # fmt: skip
        return {BOOK: partial(sheets.write_book, book=book, contents=pages, name=result.name)}

    def read_filed(self, field: str = "folder") -> list[Source]:
        """The filed forms in the folder that a field of the form names; what was wrong is noted.

        Those of another kind (params/checks/filed_kinds.yaml) are left out, which is noted, too.
        Only the `folder` of the task itself has to be named. Headings that nobody knows yet are
        asked for in 列名对应.xlsx, which the field `headings` names, else beside the workbook;
        what is answered there is used from then on.

        Raises:
            EvalkitError: no folder is named, there is none, or none of its files holds a form.
        """
        from evalkit.filed.folder import ask, load_headings, read_folder

        folder = self.beside(field)
        answers = self.beside("headings") or self.path.with_name(HEADINGS)
        if folder is None and field != "folder":
            return []
        if folder is None or not folder.is_dir() or folder in self.path.parents:
            raise refusal("task.folder", file=self.path.name, named=self.form[field].text)
        filing = read_folder(folder, load_headings(answers))
        if filing.unknown:
            ask(answers, filing.unknown)
        # a file that cannot be read is for a draft to show, not to stop at
        problems = (p.model_copy(update={"code": f"filed.{p.code}"}) for p in filing.problems)
        self.problems.extend(problems)
        self.inputs.extend(sorted({Path(source.path) for source in filing.sources}))
        kinds, mine = load_checks("filed_kinds"), list[Source]()
        for source in filing.sources:
            file = Path(source.path).name
            seen = {**source.forms["project"], **source.tables, "file": file}
            other = [*run_checks(kinds, {f"{self.schema.name}.{field}": [seen]})]
            self.problems.extend(finding.problem(file) for finding in other)
            mine += [] if other else [source]
        if not mine:
            refuse([*self.problems, sentence("filed.none", file=folder.name)])
        return mine

    def result(
        self, tables: Mapping[str, Iterable[Line]], values: Mapping[str, Decimal],
        problems: Iterable[Problem], subject: Mapping[str, str] | None = None,
        number: Callable[[Decimal], str] = str, **more: Any,
    ) -> Result:  # fmt: skip
        """The result of the task; `problems` are new ones, `subject` goes over the form's own.

        Rows are printed, numbers by `number`.

        Raises:
            EvalkitError: every error that the stage does not bear, at once.
        """
        staged = for_stage([*self.problems, *problems], self.params.stage, self.path.name)
        unique = tuple(dict.fromkeys(staged))
        refuse(unique)
        forms = {sheet: form_text(self.source, self.schema, sheet) for sheet in self.source.forms}
        form, texts = forms["project"], forms.get("texts", {})
        return Result(
            workflow=self.schema.name, code=form["code"], name=form["name"],
            stage=self.params.stage, subject={**form, **(subject or {})}, texts=texts,
            values=dict(values), problems=unique, **more,
            tables={name: [printed(row, number) for row in rows] for name, rows in tables.items()},
        )  # fmt: skip


def open_task(name: str, params: TaskParams) -> Task:
    """Read the workbook of a business and the policy of its year.

    Raises:
        EvalkitError: the workbook cannot be read at all, or is another project's; every problem
            found so far at once.
    """
    path, schema = asset(*Path(params.workbook).parts), load_schema(name)
    source = read(path, schema)
    form, problems = source.forms["project"], list(source.problems)
    for field, label in (("code", "编码"), ("name", "名称")):
        listed, written = getattr(params, field), form[field].text
        if listed and written and listed != written:
            facts = {"label": label, "listed": listed, "written": written}
            problems.append(sentence("list.differs", at=form[field].cell, **facts))
    year = form["year"].number
    sound = year is not None and not year % 1 and date.min.year <= year <= date.max.year
    if not sound:
        label = next(f.label for f in schema.sheet("project").fields if f.id == "year")
        problems.append(sentence("project.year", at=form["year"].cell, label=label))
    problems = for_stage(problems, params.stage, path.name)
    if not sound or params.stage not in STRICT_STAGES:
        refuse(problems)  # a strict stage goes on, to refuse everything at once
    end = date.max.replace(year=int(year)) if sound and year else date.max
    policy = load_policy(params.profile, as_of=end)
    return Task(
        params=params, path=path, schema=schema, source=source, policy=policy, problems=problems,
        inputs=[path],
    )  # fmt: skip


def draw(task: Task, result: Result) -> dict[str, Path]:
    """Draw the figures that have data into the out folder; paths by name."""
    from evalkit.report import figures

    return figures.draw_all(result, task.out / "图", str(task.policy.value("figure_font") or ""))


def letters(result: Result) -> Iterator[Letter]:
    """The letters that `params/letters.yaml` asks for, with the rows that are about each."""
    spec = _letter_spec(result)
    if not spec:
        return
    if "by" not in spec:
        every = {name: result.tables.get(name, []) for name in spec["tables"]}
        yield Letter(spec["name"], every, every)
        return
    by, first = itemgetter(spec["by"]), spec["tables"][0]
    tables = {name: groups(map(dict, result.tables[name]), by) for name in spec["tables"]}
    for value in filter(None, tables[first]):
        rows = {name: found.get(value, []) for name, found in tables.items()}
        head = rows[first][0]
        yield Letter(spec["name"].format(**head), head | rows, rows)


def _letter_spec(result: Result) -> dict[str, Any]:
    found = load_yaml(asset("params", "letters.yaml"), texts=True)
    return dict(found.get(result.workflow, {}))


def deliver(task: Task, result: Result, drawn: Mapping[str, Path]) -> dict[str, Path]:
    """Write report, letters, workbooks, checks.json and result.json into the out folder.

    Returns:
        What was written, by kind; a file held open elsewhere was written beside it.
    """
    from evalkit.ooxml import package
    from evalkit.review import delivery
    from evalkit.template.build import template_for

    out, style = task.out, str(task.policy.value("report_style"))
    last = delivery.last_run(out).get("outputs", {})
    filled = evaluation.report_context(result, drawn, task.path.parent, style)
    narrative = task.path.with_name(NARRATIVE)
    template = template_for(result.workflow, style)
    report = delivery.deliver_report(
        out, result, template, filled, narrative if narrative.exists() else None
    )
    found = [*result.problems, *for_stage(report.problems, result.stage)]
    found += package.check(report.path)
    said = [problem.model_dump(mode="json") for problem in found]
    files = {delivery.report_name(result.workflow).removesuffix(".docx"): report.path}
    for name, write in task.books(result).items():
        delivery.keep_edited(out, name)
        files[name.removesuffix(".xlsx")] = write(out / name)
    folder = out / _letter_spec(result).get("folder", LETTERS)
    sent = write_letters(result, letters(result), folder, style, last)
    made = {path.name: sha256(path) for path in (*files.values(), *sent)}
    files["核对"] = write_json(out / CHECKS, {"problems": said, "missing": report.missing})
    run = _run(task, template) | {"outputs": made, "report": report.record}
    return files | {"结果": result_file.save(out / result_file.FILE_NAME, result, run)}


def checks(files: Mapping[str, Path]) -> list[Problem]:
    """The report as it stands against its result; all that is still to be looked at."""
    from evalkit.verify import report as verify

    verify.update(next(iter(files.values())), files["结果"])
    found = json.loads(files["核对"].read_text(encoding="utf-8"))
    gaps = [Problem(severity="note", what=f"“{name}”一节待补充") for name in found["missing"]]
    return [*map(Problem.model_validate, found["problems"]), *gaps]


def sampled(
    module: str, style: str, required: tuple[str, ...] = (), letter: bool = False
) -> tuple[Any, ...]:
    """What a template may say, from the demo: context, blocks, bound paths, outline, musts.

    Of the letter that is asked for, or of the report.
    """
    business = import_module(module)
    task = business.load(business.Params())
    result = business.evaluate(task)
    context, blocks = evaluation.report_context(result, {}, task.path.parent, style)
    if letter:
        context, blocks = filling(result, next(letters(result)))
    return context, blocks, context["bound"], context["document"]["headings"], required


def _run(task: Task, template: Path) -> dict[str, Any]:
    """What a result was made with and of; a batch adds which of its runs it was."""
    own = asset("params", "policy", "profiles", f"{task.policy.profile}.yaml")
    inputs = [*task.inputs, task.path.with_name(NARRATIVE)]
    return result_file.versions() | {
        "parameters": task.params.model_dump(exclude={"out"}),
        "inputs": _hashes(inputs, task.path.parent),
        "template": _hashes([template]),
        "policy": _hashes([asset("params", "policy", "national.yaml"), own]),
        "profile": task.policy.profile,
        "written": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime()),
    }


def _hashes(paths: Iterable[Path], beside: Path | None = None) -> dict[str, str]:
    """Hash by name; of files of other folders than `beside` the name tells the folder, too."""
    far = {p for p in paths if beside and p.parent != beside}
    return {"/".join(p.parts[-2 if p in far else -1 :]): sha256(p) for p in paths if p.exists()}
