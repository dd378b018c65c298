"""The demo list: its sources hang together, and params/demo is what the builder makes of them."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import build
import drawn
import pytest
from docx import Document
from openpyxl import load_workbook

from evalkit.core.model import STRICT_STAGES, Result
from evalkit.scoring.indicator import split_list
from evalkit.scoring.rules import BY_NAME
from evalkit.workbook.schema import load_schema
from evalkit.workflows import project_evaluation

SOURCES = {path.stem: build.load(path) for path in sorted(build.SOURCES.glob("*.yaml"))}
SCHEMA = load_schema("project_evaluation")


@pytest.fixture(scope="module", params=SOURCES)
def source(request: pytest.FixtureRequest) -> dict[str, Any]:
    return SOURCES[request.param]


@pytest.fixture(scope="module")
def built(source: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo")
    build.build(source, out)
    return out / source["slug"]


@cache
def evaluated(name: str) -> Result:
    """The result of a demo, by the name of its source."""
    source = SOURCES[name]
    params = project_evaluation.Params(
        workbook=str(build.DEMO / source["slug"] / "数据底稿.xlsx"),
        stage=source["stage"],
        profile=source.get("profile", "national"),
        code=source["project"]["code"],
        name=source["project"]["name"],
    )
    return project_evaluation.evaluate(project_evaluation.load(params))


@pytest.fixture
def result(source: dict[str, Any]) -> Result:
    return evaluated(next(name for name, known in SOURCES.items() if known is source))


def test_there_are_at_least_eight_projects_with_different_codes_and_names() -> None:
    projects = [source["project"] for source in SOURCES.values()]
    assert len(projects) >= 8
    assert len({p["code"] for p in projects}) == len({p["name"] for p in projects}) == len(projects)


def test_every_scoring_rule_is_used_somewhere() -> None:
    used = {row["rule"] for source in SOURCES.values() for row in source["indicators"]}
    assert used == set(BY_NAME)


def test_every_project_is_marked_as_sample_data(source: dict[str, Any]) -> None:
    assert source["project"]["demo"] == "是"


def test_points_sum_to_a_hundred_and_codes_are_unique(source: dict[str, Any]) -> None:
    assert sum(Decimal(row["points"]) for row in source["indicators"]) == 100
    codes = [row["code"] for row in source["indicators"]]
    assert len(set(codes)) == len(codes)


def test_tables_speak_only_of_indicators_that_exist(source: dict[str, Any]) -> None:
    codes = {row["code"] for row in source["indicators"]}
    for table in ("data", "bands", "elements", "experts", "adjustments"):
        assert {row["indicator"] for row in source[table]} <= codes, table
    for row in source["issues"]:
        named = set(split_list(row["indicators"]))
        assert named, row["no"]
        assert named <= codes, row["no"]


def test_every_evidence_number_used_is_listed(source: dict[str, Any]) -> None:
    listed = {row["no"] for row in source["evidence"]}
    for table in ("indicators", "data", "elements", "issues"):
        for row in source[table]:
            assert set(split_list(row.get("evidence", ""))) <= listed, (table, row)


def test_photos_are_drawn_and_each_is_used(source: dict[str, Any], built: Path) -> None:
    drawn = {photo["file"] for photo in source["photos"]}
    shown = {row["photo"] for row in source["visits"] if row.get("photo")}
    blocks = [block for section in source["narrative"] for block in section["blocks"]]
    told = {block["picture"] for block in blocks if "picture" in block and isinstance(block, dict)}
    assert len(drawn) >= 4
    assert shown | told == drawn
    assert all((built / file).stat().st_size < 60_000 for file in drawn)


def test_money_adds_up_or_its_departure_is_explained(result: Result) -> None:
    assert result.values["funds.budget"] >= result.values["funds.arrived"] > 0
    assert not [p for p in result.problems if p.code == "oddity.funds"]


def test_no_more_questionnaires_count_than_came_back(source: dict[str, Any]) -> None:
    project, valid = source["project"], len(source["survey"])
    if valid:
        assert valid <= int(project["survey_returned"]) <= int(project["survey_sent"])


def test_rectification_ends_after_the_report(source: dict[str, Any], result: Result) -> None:
    reported = _day(result.subject["report_date"])
    for row in result.tables["issues"]:
        if row["deadline"]:
            assert _day(row["deadline"]) > reported, row["no"]
    for row in result.tables["visits"]:
        assert _day(row["date"]) < reported


def test_the_evaluation_finds_no_error_and_every_lost_mark_has_a_reason_and_a_problem(
    source: dict[str, Any], result: Result
) -> None:
    assert result.score
    assert not [p for p in result.problems if p.severity == "error"]
    strange = [str(p) for p in result.problems if p.code not in {"gap", "required.final"}]
    assert source["stage"] not in STRICT_STAGES or not strange
    listed = {c for row in source["issues"] for c in split_list(row["indicators"])}
    for indicator in result.score.indicators:
        if indicator.lost and source["stage"] in STRICT_STAGES:
            assert indicator.reason, indicator.code
            assert indicator.code in listed, indicator.code


def test_grades_differ_and_one_is_capped_by_a_veto_one_adjusted_one_has_gaps() -> None:
    cards = []
    for name, source in SOURCES.items():
        found = evaluated(name)
        assert found.score
        cards.append((source["stage"], found.score))
    assert {"优", "良", "中"} <= {card.grade for _, card in cards}
    assert any(card.grade == "中" and card.grade_note for _, card in cards)
    assert any(i.adjustment for _, card in cards for i in card.indicators)
    assert any(stage == "初稿" and card.total is None for stage, card in cards)


def test_the_committed_workbook_is_what_the_builder_makes(
    source: dict[str, Any], built: Path
) -> None:
    mine, theirs = (
        load_workbook(folder / "数据底稿.xlsx") for folder in (built, build.DEMO / source["slug"])
    )
    assert mine.sheetnames == theirs.sheetnames
    for sheet in mine:
        committed = theirs[sheet.title]
        assert list(sheet.values) == list(committed.values), sheet.title


def test_the_committed_narrative_and_photos_are_what_the_builder_makes(
    source: dict[str, Any], built: Path
) -> None:
    committed = build.DEMO / source["slug"]
    assert _text(built / "文字.docx") == _text(committed / "文字.docx")
    files = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
    assert files <= {path.relative_to(committed) for path in committed.rglob("*")}


def test_building_twice_gives_equal_bytes(
    source: dict[str, Any], built: Path, tmp_path: Path
) -> None:
    build.build(source, tmp_path)
    for path in built.rglob("*.*"):
        again = tmp_path / source["slug"] / path.relative_to(built)
        assert path.read_bytes() == again.read_bytes(), path.name


def test_the_committed_list_is_what_the_builder_makes() -> None:
    committed = (build.DEMO / "projects.csv").read_bytes()
    assert committed == build.project_list(list(SOURCES.values())).encode("utf-8-sig")
    rows = list(csv.DictReader(committed.decode("utf-8-sig").splitlines()))
    assert all((build.DEMO / row["workbook"]).is_file() for row in rows)


def test_a_row_longer_than_its_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="多于列"):
        list(build._rows({"columns": ["a"], "rows": [["1", "2"]]}, "funds"))


def test_survey_counts_that_do_not_add_up_are_refused() -> None:
    survey = {
        "questions": ["问题"],
        "groups": [{"name": "居民", "count": "3", "answers": [["1", "1", "0", "0", "0", "0"]]}],
    }
    with pytest.raises(ValueError, match="答数 2 ≠ 3"):
        build._survey(survey, "sample")


def test_survey_counts_are_kept_when_spread_over_respondents() -> None:
    counts = ["3", "4", "2", "1", "0", "2"]
    survey = {
        "questions": ["问题"],
        "groups": [{"name": "居民", "count": "12", "answers": [counts]}],
    }
    answers = [row["问题"] for row in build._survey(survey, "sample")]
    assert [str(answers.count(option)) for option in build.OPTIONS] == counts


def _day(text: str) -> date:
    digits = "".join(c if c.isdigit() else " " for c in text).split()
    return date(*map(int, digits))


def _text(path: Path) -> list[str]:
    document = Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return [paragraph.text for paragraph in document.paragraphs] + cells


def test_the_results_that_the_library_draws_from_are_those_of_their_demos(tmp_path):
    drawn.build(tmp_path)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*.*")}
    assert len(made) == 4
    assert made == {path: (drawn.LIBRARY / path).read_bytes() for path in made}
