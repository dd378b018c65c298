"""What holds the house together: numbers come from policy, imports stay cheap, notebooks thin."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
KIT = ROOT / "evalkit"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=path.name)


# --- numbers that a regulation may set ---------------------------------------------------------

RULED = [
    p for room in ("scoring", "rounds", "costing", "workflows") for p in (KIT / room).rglob("*.py")
]
PLAIN = {0, 1, 2, 100}
CALENDAR = {  # (file, function, number): what nature, not a regulation, has set
    ("rules.py", "on_time", "12"): "months of a year",
    ("books.py", "audited", "12"): "months of a year",
    ("books.py", "unit_costs", "12"): "months of a year",
}
_MAKERS = {"Decimal", "Fraction", "to_decimal", "of", "float", "int"}


def _numbers(node: ast.AST, function: str = "") -> Iterator[tuple[str, str, int]]:
    """Numeric literals, and texts made into numbers, with the outermost function and the line."""
    if isinstance(node, ast.FunctionDef) and not function:
        function = node.name
    value = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
    number = isinstance(value, int | float | complex) and not isinstance(value, bool)
    if number and value not in PLAIN:
        yield function, str(value), node.lineno
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        texts = [a for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        for text in texts if name in _MAKERS else ():
            if text.value not in {str(n) for n in PLAIN}:
                yield function, text.value, node.lineno
    for child in ast.iter_child_nodes(node):
        yield from _numbers(child, function)


def test_scoring_and_workflows_hold_no_number_that_policy_should():
    found = {
        (path.name, function, number): line
        for path in RULED
        for function, number, line in _numbers(_tree(path))
    }
    unknown = [f"{f}:{line} {fn}: {n}" for (f, fn, n), line in found.items() - CALENDAR.items()
               if (f, fn, n) not in CALENDAR]  # fmt: skip
    assert not unknown, "policy data instead: " + "; ".join(unknown)
    assert not CALENDAR.keys() - found.keys(), "an exception that nothing needs any more"
    assert {"rules.py", "measures.py", "scorecard.py", "checks.py"} <= {p.name for p in RULED}


def _asked(tree: ast.AST) -> Iterator[str]:
    """Keys asked from policy: policy.value("…"), data.policy.use("…"), used("…")."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        first, call = node.args[0], node.func
        if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
            continue
        name, owner = getattr(call, "attr", getattr(call, "id", "")), getattr(call, "value", None)
        of_policy = owner is not None and ast.unparse(owner).split(".")[-1].strip("_") == "policy"
        if name == "used" or (of_policy and name in {"value", "use", "get", "parameter"}):
            yield first.value


def test_every_key_asked_from_policy_is_in_the_national_file():
    asked = {key: p.name for p in sorted(KIT.rglob("*.py")) for key in _asked(_tree(p))}
    national = yaml.safe_load((ROOT / "params/policy/national.yaml").read_text(encoding="utf-8"))
    assert {"grade_bands", "full_total", "ratio_floor"} <= asked.keys()
    assert not {k: f for k, f in asked.items() if k not in national["values"]}


# --- imports -----------------------------------------------------------------------------------

HEAVY = "pandas numpy matplotlib docx docxtpl papermill nbclient openpyxl xlsxwriter pydantic scipy"


@pytest.mark.parametrize("program", ["import evalkit.cli", "import runpy; runpy.run_module("
                                     "'evalkit.cli', run_name='__main__')"])  # fmt: skip
def test_help_imports_nothing_heavy(program):
    code = (
        f"import sys\nsys.argv = ['evalkit', '--help']\ntry:\n    {program}\n"
        "except SystemExit:\n    pass\n"
        f"print('loaded', sorted(set('{HEAVY}'.split()) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded []"
    assert "runpy" not in program or "batch" in done.stdout


@pytest.mark.parametrize("room", sorted(p.parent.name for p in KIT.glob("*/__init__.py")))
def test_importing_a_rooms_package_loads_no_heavy_library(room):
    heavy = set(HEAVY.split()) - {"pydantic"}  # the models of core are made of it
    code = f"import sys, evalkit.{room}\nprint(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# --- notebooks ---------------------------------------------------------------------------------


def _cells(path: Path, kind: str) -> list[dict]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_there_is_a_notebook_for_each_workflow():
    workflows = {p.stem for p in (KIT / "workflows").glob("*.py")} - {"__init__", "inputs", "task"}
    assert {p.stem for p in NOTEBOOKS} == workflows != set()


@each_notebook
def test_the_parameters_cell_is_the_workflows_params(path):
    (cell,) = (c for c in _cells(path, "code") if "parameters" in c["metadata"].get("tags", []))
    assigned = {
        target.id: ast.literal_eval(node.value)
        for node in ast.parse("".join(cell["source"])).body
        for target in node.targets
    }
    params = import_module(f"evalkit.workflows.{path.stem}").Params
    fields = params.model_fields
    assert list(assigned) == list(fields)
    assert assigned == {name: field.default for name, field in fields.items()}
    for name, value in assigned.items():
        assert type(value) is type(fields[name].default), name
    assert params(**assigned) == params()


@each_notebook
def test_a_notebook_is_a_short_story_without_logic_or_outputs(path):
    cells = _cells(path, "code")
    assert 0 < len(cells) <= 12
    logic = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.While, ast.Try
    for cell in cells:
        source = "".join(cell["source"])
        assert len(source.splitlines()) <= 12, source
        assert not [n for n in ast.walk(ast.parse(source)) if isinstance(n, logic)], source
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
    markdown = "".join("".join(cell["source"]) for cell in _cells(path, "markdown"))
    assert len(re.findall(r"[\u4e00-\u9fff]", markdown)) > 50


# --- Word --------------------------------------------------------------------------------------


def _quadratic(tree: ast.AST) -> list[int]:
    """Lines that call a python-docx table's cell(), row_cells() or column_cells()."""
    names = {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    word = any(name.split(".")[0] == "docx" for name in names)
    return [
        n.lineno
        for n in ast.walk(tree)
        if isinstance(n, ast.Call)
        and isinstance(n.func, ast.Attribute)
        and n.func.attr in {"cell", "row_cells", "column_cells"}
        and (word or re.search("table|tbl", ast.unparse(n.func.value).lower()))
    ]


def test_no_table_of_word_is_filled_cell_by_cell():
    files = sorted(KIT.rglob("*.py"))
    assert any("docx" in p.read_text(encoding="utf-8") for p in files)
    assert not {p.name: lines for p in files if (lines := _quadratic(_tree(p)))}


# --- what leaves the machine -------------------------------------------------------------------

# in pieces, so that this file is not a find of its own
PLACES = re.compile(
    r"(?<![\w.:/<])/(?:" + "|".join(["wo" + "rk", "ro" + "ot", "ho" + "me/\\w", "Us" + "ers/\\w",
                                    "tm" + "p"]) + r")(?:/|\b(?=[\"'\s]))"
    + r"|(?i:py" + r"pi\.org|python" + r"hosted|index-" + r"url|artifac" + r"tory|nex" + r"us\."
    + r"|tsin" + r"ghua|ali" + r"yun|dev" + r"pi|local" + r"host:\d)"
)  # fmt: skip


def test_no_file_names_a_machine_or_a_registry():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found, seen = [], 0
    for name in filter(None, listed.stdout.split("\0")):
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        seen += 1
        found += [
            f"{name}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(text.splitlines(), 1)
            if PLACES.search(line)
        ]
    assert seen > 100
    assert not found, "\n".join(found)


def test_the_wheel_carries_what_a_firm_needs_and_nothing_else(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", "-w", str(tmp_path), "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("evalkit-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for kind in ("notebooks", "templates", "params"):
        mine = {
            f"evalkit/assets/{p.relative_to(ROOT).as_posix()}"
            for p in (ROOT / kind).rglob("*")
            if p.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(p.parts)
        }
        assert mine and not mine - names, sorted(mine - names)[:5]
    code = {p.relative_to(ROOT).as_posix() for p in KIT.rglob("*.py") if "assets" not in p.parts}
    assert not code - names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"evalkit", next(t for t in tops if t.endswith(".dist-info"))}
    wrong = re.compile(r"(^|/)(tests|outputs|__pycache__|\.ci|docs|benchmarks)/|\.pyc$|/test_")
    assert not [name for name in names if wrong.search(name)]
    assert any(name.endswith("entry_points.txt") for name in names)


def test_the_units_of_the_test_schedule_are_there():
    import schedule

    units = [*schedule.LONG, *schedule.TOGETHER]
    assert [unit for unit in units if not (ROOT / unit).exists()] == []
    assert [unit for unit in units if schedule.unit_of(unit) != unit] == []
    assert schedule.unit_of("tests/test_house.py::test_x[a::b]") == "tests/test_house.py"
