"""Policy files that are broken, and questions that have no answer."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from evalkit import policy
from evalkit.core.problem import EvalkitError
from evalkit.policy.load import NATIONAL, PolicyFile, read_yaml

DAY = date(2024, 12, 31)
NATIONAL_FILE = """\
id: national
title: 国家
values:
  cut:
    title: 界限
    values:
      - {effective: 2020-01-01, value: 0.1, source: 甲文第一条, status: 规定}
      - {effective: 2022-01-01, value: 0.2, source: 乙文第二条, status: 规定}
      - {effective: 2024-01-01, value: null, source: 丙文废止, status: 规定}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A firm's own working folder with one national key that ended in 2024."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "params" / "policy" / "profiles").mkdir(parents=True)
    write(tmp_path, NATIONAL, NATIONAL_FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    place = folder / "params" / "policy"
    place = place if name == NATIONAL else place / "profiles"
    (place / f"{name}.yaml").write_text(text, encoding="utf-8")


def refusal(name: str = NATIONAL) -> str:
    with pytest.raises(EvalkitError) as caught:
        policy.load(name, as_of=DAY)
    return str(caught.value)


@pytest.mark.parametrize(
    ("day", "value"),
    [
        (date(2020, 1, 1), "0.1"),
        (date(2021, 12, 31), "0.1"),
        (date(2022, 1, 1), "0.2"),
        (date(2023, 12, 31), "0.2"),
    ],
)
def test_the_value_in_force_on_a_day_is_the_latest_before_it(folder: Path, day: date, value: str):
    assert str(policy.load(as_of=day).value("cut")) == value


@pytest.mark.parametrize(
    ("day", "dates"), [(date(2019, 6, 30), "2020-01-01"), (date(2024, 1, 1), "2024-01-01")]
)
def test_before_the_first_and_after_the_end_there_is_no_value(folder: Path, day: date, dates: str):
    values = policy.load(as_of=day)
    with pytest.raises(EvalkitError, match=f"界限.*{day} 没有有效的值.*是 {dates}$") as caught:
        values.use("cut")
    assert caught.value.problems[0].code == "policy.date"


def test_an_unknown_key_names_the_nearest(folder: Path):
    values = policy.load(as_of=DAY)
    with pytest.raises(EvalkitError, match="没有“cuts”——是不是“cut”？"):
        values.use("cuts")
    with pytest.raises(EvalkitError, match="可用的有：cut"):
        values.parameter("满意度")


def test_an_unknown_profile_names_the_nearest():
    with pytest.raises(EvalkitError, match="没有“宁先”政策方案——是不是“宁县”？"):
        policy.load("宁先", as_of=DAY)
    with pytest.raises(EvalkitError, match="可用的有：国家、national"):
        policy.load("../../secret", as_of=DAY)


def test_a_firm_adds_a_profile_in_its_own_folder_and_sees_the_kits_too(folder: Path):
    text = NATIONAL_FILE.replace("id: national", "id: ours\nextends: national")
    write(folder, "ours", text.replace("国家", "本机构").replace("0.2", "0.3"))
    assert policy.load("宁县", as_of=DAY).profile == "ningxian"
    use = policy.load("本机构", as_of=date(2023, 1, 1)).use("cut")
    assert (str(use.value), use.overrode) == ("0.3", "国家：0.2（乙文第二条）")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("title: 界限", "title: 界限\n    title: 又一次", "national.yaml：第 5 行：键“title”重复"),
        ("values:\n  cut", "cut: {}\nvalues:\n  cut", "cut：不认识的键"),
        ("source: 甲文第一条", 'source: ""', "values→cut→values→0→source：不能为空"),
        (", source: 甲文第一条", "", "values→cut→values→0→source：缺少这一项"),
        ("status: 规定", "status: 听说", "values→cut→values→0→status：不在允许的取值之内"),
        ("2020-01-01", "去年", "values→cut→values→0→effective：不是日期"),
        ("2022-01-01", "2020-01-01", "values→cut：同一生效日期出现两次"),
        ("value: 0.1", "value: .inf", "不是数字"),
        ("value: 0.1", "value: 1:30", "不是数字"),
        (NATIONAL_FILE[NATIONAL_FILE.index("\n      - {") :], " []", "values→cut：没有任何取值"),
        ("title: 界限", "title: [界限", "national.yaml：第 "),
    ],
)
def test_a_broken_file_is_refused_with_its_place(folder: Path, old: str, new: str, sentence: str):
    assert old in NATIONAL_FILE
    write(folder, NATIONAL, NATIONAL_FILE.replace(old, new))
    assert sentence in refusal()


def test_a_key_given_twice_is_refused_even_with_equal_values(folder: Path):
    entry = NATIONAL_FILE[NATIONAL_FILE.index("  cut:") :]
    write(folder, NATIONAL, NATIONAL_FILE + entry)
    assert "键“cut”重复" in refusal()


def test_all_faults_are_reported_at_once(folder: Path):
    text = NATIONAL_FILE.replace("source: 甲文第一条", 'source: ""').replace(
        "status: 规定}", "status: 听说}"
    )
    write(folder, NATIONAL, text)
    assert len(refusal().splitlines()) == 4


def test_a_profile_whose_id_is_not_its_file_name_is_refused(folder: Path):
    write(folder, "ours", NATIONAL_FILE)
    assert "ours.yaml：id 应与文件名相同（ours），extends 应为 national" in refusal("ours")


def test_an_empty_file_and_a_missing_one_are_refused(folder: Path):
    write(folder, NATIONAL, "")
    assert "national.yaml：文件：" in refusal()
    with pytest.raises(EvalkitError, match=r"nowhere.yaml：读不到这个文件"):
        read_yaml(folder / "nowhere.yaml", PolicyFile)


def test_a_file_cannot_run_code(folder: Path):
    write(folder, NATIONAL, "id: !!python/object/apply:os.system ['true']\n")
    assert "national.yaml：第 1 行" in refusal()


def test_bytes_that_are_not_utf8_are_refused(folder: Path):
    path = folder / "params" / "policy" / "national.yaml"
    path.write_bytes("id: 国家".encode("gbk"))
    assert "national.yaml：" in refusal()


def test_the_reader_is_as_lenient_as_yaml_elsewhere(folder: Path):
    data = yaml.safe_load(NATIONAL_FILE)
    write(folder, NATIONAL, yaml.safe_dump(data, allow_unicode=True))
    assert str(policy.load(as_of=date(2023, 1, 1)).value("cut")) == "0.2"
