"""Where a firm's notebooks, templates and params are: the working folder first, else the wheel."""

from pathlib import Path

KINDS = ("notebooks", "templates", "params")


def packaged() -> Path:
    """The folder that holds the kit's own notebooks, templates and params."""
    package = Path(__file__).resolve().parents[1]
    carried = package / "assets"  # filled when the wheel is built
    return carried if carried.is_dir() else package.parent


def workspace(start: Path | None = None) -> Path:
    """The nearest folder upwards that holds params/ and templates/, else the kit's own files."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "params" / "policy").is_dir() and (folder / "templates").is_dir():
            return folder
    return packaged()


def asset(*parts: str, start: Path | None = None) -> Path:
    """A file of the working folder, or the kit's own where the folder does not have it."""
    mine = workspace(start).joinpath(*parts)
    return mine if mine.exists() else packaged().joinpath(*parts)


def assets(*folder: str, start: Path | None = None) -> dict[str, Path]:
    """The YAML files of a folder by name, in order; those of the working folder win."""
    roots = (packaged(), workspace(start))
    found = {path.stem: path for root in roots for path in root.joinpath(*folder).glob("*.yaml")}
    return dict(sorted(found.items()))
