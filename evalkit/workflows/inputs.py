"""What a project's results depend on, as hashes: equal ones need no second run."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from evalkit.core.paths import asset, workspace
from evalkit.core.problem import EvalkitError
from evalkit.core.result_file import FILE_NAME
from evalkit.core.store import digest, sha256
from evalkit.indicators.freeze import frozen_file
from evalkit.workbook.opener import look, read_bytes
from evalkit.workbook.reader import read
from evalkit.workbook.schema import load_schema

MANIFEST = "manifest.jsonl"  # lies in a folder of results
NARRATIVE = "文字.docx"
NAMES = {
    "workbook": "数据底稿", "photos": "照片", "filed": "填报表", "narrative": "文字.docx",
    "notebook": "笔记本", "template": "报告模板", "wording": "行文", "frozen": "审定记录",
}  # fmt: skip
_PLACE = re.compile("文件夹|列名对应表|答卷文件")  # the labels of fields that name one
_IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff"}


def shared_inputs(start: Path | None = None) -> dict[str, str]:
    """Digests of what every project uses: evalkit's source and the params of the workspace.

    The workspace is that of the folder `start`, or of this process.
    """
    package = Path(__file__).resolve().parents[1]
    params = workspace(start) / "params"
    used = (path for path in params.rglob("*.*") if not path.is_relative_to(params / "demo"))
    source = (path for path in package.rglob("*.*") if path.suffix != ".pyc")  # code and texts
    return {"evalkit": _tree(package, source), "params": _tree(params, used)}


def files_used(
    notebook: Path, workbook: Path, places: Iterable[str], known: dict[tuple[Path, str], str]
) -> dict[str, str]:
    """Hash by name of what is peculiar to a project's results, but for its parameters.

    `places` are the `places_of` its workbook. Of `known` hashes of notebooks, templates and
    photos some are taken, and it is filled.
    """
    folder, templates, stem = workbook.parent, asset("templates"), notebook.stem

    def once(root: Path, name: str, made: Callable[[], str]) -> str:
        if (root, name) not in known:
            known[root, name] = made()
        return known[root, name]

    return {
        "workbook": sha256(workbook),
        "notebook": once(notebook, "", lambda: sha256(notebook)),
        "photos": once(folder, "", lambda: _tree(folder, _photos(folder))),
        "filed": _tree(folder, _within(workbook, places)),
        "narrative": _tree(folder, [folder / NARRATIVE]),
        # any style's, and what stands in tables and letters
        "template": once(templates, stem, lambda: _tree(templates, templates.rglob(f"{stem}*.*"))),
        "wording": once(templates, "", lambda: _tree(templates, templates.rglob("prose.j2"))),
        "frozen": _tree(folder, [frozen_file(workbook)]),
    }


def places_of(business: str, workbook: Path) -> list[str]:
    """The files and folders that a task names, as they stand in its workbook."""
    with suppress(EvalkitError):
        schema = load_schema(business)
        fields = [f for f in schema.sheet("project").fields if _PLACE.search(f.label)]
        if fields and not _plainly_blank(workbook, {f.label for f in fields}):
            form = read(workbook, schema).forms["project"]
            return [form[f.id].text for f in fields if form[f.id].text]
    return []


def _plainly_blank(workbook: Path, labels: set[str]) -> bool:
    """True if all cells beside these labels are blank, told in a hundredth of the time of a read.

    False if that is not plain: a label is not there, or a formula may hide a value.
    """
    if look(workbook, read_bytes(workbook)):
        return False
    try:
        book = CalamineWorkbook.from_path(str(workbook))
        pages = [book.get_sheet_by_index(n).to_python() for n in range(len(book.sheet_names))]
    except (CalamineError, OSError):
        return False
    pairs = (pair for page in pages for row in page for pair in pairwise(map(str, row)))
    beside = [(left.strip(), right.strip()) for left, right in pairs if left.strip() in labels]
    return {left for left, _ in beside} == labels and not any(right for _, right in beside)


def _photos(folder: Path) -> Iterator[Path]:
    """The pictures beside a workbook and below, but for those that runs have drawn."""
    for place, folders, files in os.walk(folder):
        if MANIFEST in files:
            folders.clear()
        else:
            yield from (Path(place, f) for f in files if Path(f).suffix.lower() in _IMAGES)


def _within(workbook: Path, places: Iterable[str]) -> Iterator[Path]:
    """The files of those names, and those in the folders."""
    for place in places:
        path = (workbook.parent / place).resolve()
        if path not in workbook.parents:
            drawn = [path / FILE_NAME, path / "汇总表.xlsx"]  # of another run
            yield from drawn if drawn[0].is_file() else [path, *path.rglob("*")]


def _tree(root: Path, paths: Iterable[Path]) -> str:
    return digest({name_in(root, path): sha256(path) for path in sorted(paths) if path.is_file()})


def name_in(root: Path, path: Path) -> str:
    """The path from `root`, where it lies there, with slashes."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
