import io
import json
import re
from datetime import date
from pathlib import Path

import pytest
from copies_reports import (
    CONSENTS,
    EVIDENCE,
    NAME,
    SECRETS,
    parts,
    put,
    rendered,
    result_of,
    spoil,
    words,
)
from docx import Document
from docx.oxml.ns import qn
from openxml_audit import OpenXmlValidator
from PIL import Image
from support import SOAK, demo_projects

from evalkit.core.model import Result
from evalkit.core.problem import EvalkitError
from evalkit.core.store import sha256
from evalkit.ooxml import package
from evalkit.ooxml.oxml import plain_text
from evalkit.review import copies
from evalkit.review.copies import public_copy

PUBLISHED = [p.workbook.parent.name for p in demo_projects() if p.stage != "初稿"]
FEW = PUBLISHED if SOAK else PUBLISHED[-3:]
DANGLING = re.compile(
    r"（\s*）|〔\s*〕|（[、，；]|[、，；：](?=[。；）])|[，；][，；]|。。|[、，；：]$"
)


def publish(report: Path, result: Result | None = None) -> Path:
    result, day = result or result_of(report), date(2025, 7, 10)
    return public_copy(report, result, report.with_name("公开.docx"), *CONSENTS, day)


def lines(path: Path) -> list[str]:
    return [plain_text(p) for p in Document(str(path)).element.body.iter(qn("w:p"))]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return rendered("sanitation", tmp_path)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A public copy with figures, beside its master."""
    return publish(rendered("sanitation", tmp_path_factory.mktemp("public"), figures=True))


@pytest.mark.parametrize("name", FEW)
def test_no_person_and_no_evidence_of_any_demo_is_left(name: str, tmp_path: Path) -> None:
    report = rendered(name, tmp_path)
    result = result_of(report).model_copy(update={"stage": "终稿"})
    path = publish(report, result)
    assert package.check(path) == []
    assert list(OpenXmlValidator().validate(str(path)).errors) == []
    people = [result.subject["lead_evaluator"], result.subject["reviewer"]]
    people += [row["approver"] for row in result.tables["adjustments"]]
    files = [row["file"] for row in result.tables["evidence"]]
    files += [row["photo"] for row in result.tables["visits"] if row["photo"]]
    text = words(path)
    for secret in [*people, *files, "〔佐证", "佐证资料目录", "现场照片"]:
        assert secret not in text, secret
    said = lines(path)
    before = lines(report)
    worse = [line for line in said if DANGLING.search(line) and line not in before]
    assert worse == []


def test_a_spoilt_master_gives_nothing_away(report: Path) -> None:
    path = publish(spoil(report))
    assert package.check(path) == []
    text = words(path)
    for secret in (*SECRETS, *EVIDENCE, "ouyang", "Ouyang", "CameraMaker", "score_table"):
        assert secret not in text, secret
    for name, blob in parts(path).items():
        if "/media/" in name:
            exif = Image.open(io.BytesIO(blob)).getexif()
            assert set(exif) <= {0x0112}
            assert re.fullmatch(r"word/media/image\d+\.(png|jpeg)", name)
    said = "\n".join(lines(path))
    assert "评价组电话×××，邮箱×××，联系人×××（身份证号×××，账号×××）。" in said
    assert "三季度考核底稿未归档、整改未完成。" in said


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person of the spoilt master stands on the firm's own list."""
    rules = copies._rules()
    rules["persons"]["names"] = [NAME]
    monkeypatch.setattr(copies, "_rules", lambda: rules)


def test_annexes_go_with_all_that_points_at_them(report: Path) -> None:
    document = Document(str(report))
    put(document, "评价依据充分，详见附件5。")
    put(document, "现场情况见现场照片，评分表见附件1。")
    put(document, "资料清单（见附件5）已经核对；问题清单见附件2。")
    document.save(str(report))
    said = lines(publish(report))
    assert "评价依据充分。" in said
    assert "评分表见附件1。" in said
    assert "资料清单已经核对；问题清单见附件2。" in said
    assert not [line for line in said if "附件4" in line or "附件5" in line or "照片1" in line]
    assert [line for line in said if line.startswith("附件3")]  # its entry in the contents


def test_words_that_are_no_longer_true_are_replaced(published: Path) -> None:
    said = "\n".join(lines(published))
    assert "任何单位和个人不得以任何形式对外提供" not in said
    assert "本公开版经委托方及其同级财政部门同意公开" in said
    assert "违反的规定及佐证" not in said


@pytest.mark.parametrize("consents", [("", CONSENTS[1]), (CONSENTS[0], " "), ("同意", "同意")])
def test_nothing_is_published_without_both_consents(
    report: Path, consents: tuple[str, str]
) -> None:
    with pytest.raises(EvalkitError, match=r"公开同意意见.*第二十一条"):
        public_copy(report, result_of(report), report.with_name("公开.docx"), *consents)
    assert not report.with_name("公开.docx").exists()
    assert not report.with_name("公开登记.json").exists()


def test_a_report_that_is_not_final_is_not_published(tmp_path: Path) -> None:
    report = rendered("library", tmp_path)
    with pytest.raises(EvalkitError, match="不是终稿"):
        publish(report)


def test_consents_and_what_was_taken_out_are_recorded(published: Path) -> None:
    record = json.loads(published.with_name("公开登记.json").read_text(encoding="utf-8"))
    assert record["同意公开"] == {"委托方": CONSENTS[0], "同级财政部门": CONSENTS[1]}
    assert record["登记日期"] == "2025-07-10"
    assert record["sha256"] == sha256(published)
    assert record["隐去"]["佐证标记"] > 20
    assert record["隐去"]["人名"] >= 2


def test_equal_masters_give_equal_public_copies(published: Path) -> None:
    one = published.read_bytes()
    assert publish(published.with_name("评价报告.docx")).read_bytes() == one


def test_figures_and_scores_are_not_taken_for_personal_data(published: Path) -> None:
    result = result_of(published)
    said = "\n".join(lines(published))
    for indicator in result.score.indicators:
        assert f"{indicator.score:.2f}" in said
    assert result.subject["report_no"] in said
