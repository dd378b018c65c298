from __future__ import annotations

import pytest

from evalkit.batch.jobs import Job
from evalkit.batch.run import inputs_of, made_since, marks, result_files, shared_inputs
from evalkit.core.store import keep_aside


def test_the_shared_inputs_cover_source_and_params(monkeypatch, tmp_path):
    for name in ("policy", "styles", "demo"):
        (tmp_path / "params" / name).mkdir(parents=True)
        (tmp_path / "params" / name / "x.yaml").write_text("a: 1", encoding="utf-8")
    (tmp_path / "templates").mkdir()
    monkeypatch.chdir(tmp_path)
    before = shared_inputs()
    (tmp_path / "params" / "demo" / "x.yaml").write_text("a: 2", encoding="utf-8")
    assert shared_inputs() == before
    (tmp_path / "params" / "policy" / "x.yaml").write_text("a: 2", encoding="utf-8")
    after = shared_inputs()
    assert after["params"] != before["params"]
    assert after["evalkit"] == before["evalkit"]


def test_files_that_lie_loose_in_params_count_too(monkeypatch, tmp_path):
    (tmp_path / "params" / "policy").mkdir(parents=True)
    (tmp_path / "templates").mkdir()
    monkeypatch.chdir(tmp_path)
    before = shared_inputs()
    (tmp_path / "params" / "verify.yaml").write_text("a: 1", encoding="utf-8")
    assert shared_inputs()["params"] != before["params"]


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ("project_evaluation.docx", True),
        ("project_evaluation.yaml", True),
        ("consulting/project_evaluation.docx", True),
        ("other.docx", False),
    ],
)
def test_all_of_a_notebooks_templates_count_and_no_others(monkeypatch, tmp_path, changed, counts):
    (tmp_path / "params" / "policy").mkdir(parents=True)
    (tmp_path / "templates" / "consulting").mkdir(parents=True)
    workbook, notebook = tmp_path / "数据底稿.xlsx", tmp_path / "project_evaluation.ipynb"
    for path in (workbook, notebook):
        path.write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    job = Job(2, "1", "甲", notebook, workbook, "1_甲")
    before = inputs_of(job, {})
    (tmp_path / "templates" / changed).write_bytes(b"2")
    assert (inputs_of(job, {}) != before) == counts


def test_hidden_lock_and_kept_files_are_no_results(tmp_path):
    for name in ("评价报告.docx", ".x", "~$评价报告.docx", "评价报告_人工修改_1.docx"):
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "图").mkdir()
    (tmp_path / "图" / "得分率.png").write_bytes(b"1")
    assert [p.name for p in result_files(tmp_path)] == ["得分率.png", "评价报告.docx"]


def test_only_rewritten_files_count_as_made(tmp_path):
    for name in ("旧.txt", "新.txt"):
        (tmp_path / name).write_bytes(b"1")
    before = marks(tmp_path)
    (tmp_path / "新.txt").unlink()
    (tmp_path / "新.txt").write_bytes(b"1 again")
    (tmp_path / "另.txt").write_bytes(b"2")
    assert set(made_since(tmp_path, before)) == {"新.txt", "另.txt"}


def test_kept_copies_never_replace_one_another_and_are_not_doubled(tmp_path):
    path = tmp_path / "评价报告.docx"
    names = []
    for edit in (b"edited", b"edited", b"edited again"):
        path.write_bytes(edit)
        names.append(keep_aside(path).name)
    first, second = "评价报告_人工修改_1.docx", "评价报告_人工修改_2.docx"
    assert names == [first, first, second]
    assert (tmp_path / first).read_bytes() == b"edited"
