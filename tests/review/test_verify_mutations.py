"""Every kind of drift, in every demo report, raises its alarm; what is no drift raises none."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from random import Random

import mutations
import pytest
import support
from docx import Document
from docx.oxml.ns import qn

from evalkit.core.paths import asset
from evalkit.ooxml import bind
from evalkit.report.evaluation import report_context
from evalkit.review.delivery import deliver_report
from evalkit.verify.report import check_report

DEMOS = {project.workbook.parent.name: project for project in support.demo_projects()}
ROOT = Path(__file__).parents[2]
SOFFICE = shutil.which("soffice")


def some(operators):
    """Each operator with one of the reports in turn; with all of them in the long run."""
    names = list(DEMOS)
    count = len(names) if support.SOAK else 1
    return [(key, names[(place + n) % len(names)]) for place, key in enumerate(operators)
            for n in range(count)]  # fmt: skip


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """A demo's rendered report with its result and the record of its rendering."""

    @cache
    def rendered(name):
        project = DEMOS[name]
        out = tmp_path_factory.mktemp(name)
        data = support.load(project.workbook, project.stage, project.profile)
        result = support.evaluation.evaluate(data)
        style = str(data.policy.value("report_style"))
        filling = report_context(result, {}, data.path.parent, style)
        template = asset("templates", f"{result.workflow}.docx")
        narrative = data.path.with_name("文字.docx")
        written = deliver_report(out, result, template, filling, narrative)
        slim = Document(str(written.path))
        for part in slim.part.package.iter_parts():
            if part.partname.startswith("/word/media"):
                part._blob = b""  # pictures say nothing that is checked here
        slim.save(str(written.path))
        return written.path, result, {"narrative": own_units(narrative, written), **written.record}

    return rendered


def own_units(narrative, written):
    """Keys of the units that say what paragraphs and rows of 文字.docx say."""
    body = Document(str(narrative)).element.body
    said = {bind.text_of([n]).strip() for n in body.iter(qn("w:p"), qn("w:tr"))}
    return [key for key, text in written.record["units"].items() if text.strip() in said]


def changed(report, name, operator, key, tmp_path):
    path, result, record = report(name)
    mutations.OWN = {*record["narrative"]}
    document = Document(str(path))
    operator.apply(document, result, Random(f"{key}{name}"))  # noqa: S311
    document.save(str(tmp_path / path.name))
    return check_report(tmp_path / path.name, result, record)


def alarms(problems):
    return [str(p) for p in problems if p.severity != "note"]


@pytest.mark.parametrize("name", DEMOS)
def test_an_untouched_report_raises_no_alarm(report, name):
    path, result, record = report(name)
    assert alarms(check_report(path, result, record)) == []
    assert alarms(check_report(path, result)) == []  # an older result.json has no record


@pytest.mark.parametrize(("key", "name"), some(mutations.OPERATORS))
def test_each_drift_raises_its_alarm(report, name, key, tmp_path):
    operator = mutations.OPERATORS[key]
    problems = changed(report, name, operator, key, tmp_path)
    kinds = {p.code for p in problems if p.severity != "note"}
    assert f"verify.{operator.kind}" in kinds, "\n".join(map(str, problems))


@pytest.mark.parametrize(("key", "name"), some(mutations.HARMLESS))
def test_what_is_no_drift_raises_no_alarm(report, name, key, tmp_path):
    assert alarms(changed(report, name, mutations.HARMLESS[key], key, tmp_path)) == []


def test_every_alarm_says_where_what_and_what_to_do(report, tmp_path):
    for key in ("field_result", "budget_contradicted", "total_row", "unit_misspelt"):
        found = changed(report, "sanitation", mutations.OPERATORS[key], key, tmp_path)
        for problem in (p for p in found if p.severity != "note"):
            assert problem.file and problem.what and problem.remedy
            assert problem.sheet or problem.cell


def test_a_figure_that_matches_nothing_is_a_note_with_the_nearest(report, tmp_path):
    operator = mutations.HARMLESS["quoted_figures"]
    found = changed(report, "sanitation", operator, "quoted_figures", tmp_path)
    notes = [p for p in found if p.code == "verify.number"]
    assert any("317.46万元" in p.what and "最接近" in p.what for p in notes)


def test_who_changes_his_own_text_gets_a_note_at_most(report, tmp_path):
    path, result, record = report("sanitation")
    mutations.OWN = {*record["narrative"]}
    document = Document(str(path))
    node = mutations.texts(document, r"1101\.72万元", own=True)[0]
    mutations.swap(node, r"1101\.72", lambda _: "1191.27")
    document.save(str(tmp_path / path.name))
    before = {str(problem) for problem in check_report(path, result, record)}
    found = check_report(tmp_path / path.name, result, record)
    new = [problem for problem in found if str(problem) not in before]
    assert [(p.code, p.severity) for p in new] == [("verify.number", "note")]
    assert "1191.27万元" in new[0].what
    found = check_report(tmp_path / path.name, result, {**record, "narrative": []})
    assert [p.code for p in found if p.severity == "error"] == ["verify.text"]


def test_rows_of_his_own_table_are_his(report, tmp_path):
    path, result, record = report("substitute_teacher")
    mutations.OWN = {*record["narrative"]}
    document = Document(str(path))
    cell = mutations.texts(document, r"\d", tables=True, own=True)[0]
    table = next(cell.iterancestors(qn("w:tbl")))
    table.remove(table.tr_lst[1])
    mutations.swap(cell, r"\d", lambda _: "7")
    document.save(str(tmp_path / path.name))
    found = check_report(tmp_path / path.name, result, record)
    assert {p.code for p in found if p.severity == "error"} <= {"verify.sum"}


@pytest.mark.skipif(not SOFFICE, reason="LibreOffice is not installed")
def test_a_report_saved_by_libreoffice_raises_no_alarm(report, tmp_path):
    path, result, record = report("wastewater")
    profile = f"-env:UserInstallation=file://{tmp_path / 'profile'}"
    command = [SOFFICE, profile, "--headless", "--convert-to", "docx", "--outdir", str(tmp_path)]
    environment = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run([*command, str(path)], check=True, capture_output=True, timeout=180,
                   env=environment)  # fmt: skip
    assert alarms(check_report(tmp_path / path.name, result, record)) == []


def test_the_manual_prints_the_table_of_drifts():
    manual = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")
    assert mutations.table() in manual
