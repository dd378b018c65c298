from __future__ import annotations

import os

import pytest

from evalkit.core.problem import EvalkitError
from evalkit.workbook.schema import load_schema

SOUND = """
name: own
title: 自定
version: 1
sheets:
  - id: items
    name: 指标
    kind: table
    fields:
      - {id: no, label: 编号, type: code, unique: true, example: 2024-01-01}
      - {id: kind, label: 类型, type: choice, choices: [是, no]}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    for folder in ("params/policy", "params/workbooks", "templates"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def go(text):
        path = tmp_path / "params" / "workbooks" / "own.yaml"
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(hash(text) % 10**18, hash(text) % 10**18))
        return load_schema("own")

    return go


def test_a_firms_own_schema_is_found_in_its_working_folder(load):
    (sheet,) = load(SOUND).sheets
    assert sheet.fields[0].id == "no"  # YAML's habit of reading no as false is switched off
    assert sheet.fields[0].example == "2024-01-01"
    assert sheet.fields[1].choices == ("是", "no")


def test_a_changed_schema_is_read_again(load):
    assert load(SOUND).title == "自定"
    assert load(SOUND.replace("自定", "改过")).title == "改过"


def test_the_kits_own_schema_is_found_from_anywhere(load):
    assert load_schema("project_evaluation").title == "数据底稿"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("id: kind, label: 类型", "id: no, label: 类型", "字段标识“no”重复"),
        ("label: 类型", "label: 编 号", "列名“编号”重复"),
        ("type: code", "type: codes", "sheets→0→fields→0→type：不在允许的取值之内"),
        ("unique: true", "uniq: true", "sheets→0→fields→0→uniq：不认识的键"),
        ("choices: [是, no]", "note: x", "choice 类型与 choices 须同时给出"),
        ("unique: true", "refers: nowhere", "refers 指向不存在的工作表“nowhere”"),
        ("unique: true", "unit_from: nowhere", "unit_from 指向不存在的字段“nowhere”"),
        ("kind: table", "kind: table\n    open: more", "open 指向不存在的字段“more”"),
        (
            "sheets:",
            "guide: [{rule: a, meaning: b, needs: [没有的列]}]\nsheets:",
            "“没有的列”不是任何列名",
        ),
        ("version: 1", "version: [1", "不是有效的 YAML"),
        ("version: 1", "version: 1\nversion: 2", "第 2 行：键“version”重复"),
        ("title: 自定", "", "title：缺少这一项"),
    ],
)
def test_a_faulty_schema_is_refused_in_a_sentence(load, old, new, sentence):
    with pytest.raises(EvalkitError) as caught:
        load(SOUND.replace(old, new))
    assert sentence in str(caught.value)
    assert all(problem.file == "own.yaml" for problem in caught.value.problems)


def test_all_faults_of_a_schema_come_at_once(load):
    with pytest.raises(EvalkitError) as caught:
        load(SOUND.replace("unique: true", "refers: a, unit_from: b"))
    assert len(caught.value.problems) == 2


def test_an_unknown_schema_is_refused(load):
    with pytest.raises(EvalkitError, match="没有名为“nothing”的工作簿定义"):
        load_schema("nothing")
