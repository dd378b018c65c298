"""Contact sheets of report pages, so that looking at every page is one command.

    python tests/tools/pages.py outputs/ --out build/pages

Needs soffice and pdftoppm. All documents are converted in one call with a profile of its own.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

# Where the fonts of GB/T 9704 are not installed, show each by a free one of its kind.
ALIASES = {
    "仿宋_GB2312": "Noto Serif CJK SC", "仿宋": "Noto Serif CJK SC", "宋体": "Noto Serif CJK SC",
    "楷体_GB2312": "Noto Serif CJK SC", "楷体": "Noto Serif CJK SC",
    "方正小标宋简体": "Noto Serif CJK SC", "黑体": "Noto Sans CJK SC",
}  # fmt: skip
WIDTH, COLUMNS, ROWS, GAP = 620, 4, 2, 12


def font_config(folder: Path) -> Path:
    alias = "".join(
        f'<match target="pattern"><test name="family"><string>{name}</string></test>'
        '<edit name="family" mode="prepend" binding="strong">'
        f"<string>{shown}</string></edit></match>"
        for name, shown in ALIASES.items()
    )
    path = folder / "fonts.conf"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<include ignore_missing='yes'>/etc/fonts/fonts.conf</include>{alias}</fontconfig>",
        encoding="utf-8",
    )
    return path


def to_pdf(documents: list[Path], folder: Path) -> list[Path]:
    """PDF of each document, in one soffice call; names are numbers, so none can collide."""
    numbered = []
    for number, document in enumerate(documents):
        copy = folder / f"{number:03d}{document.suffix}"
        copy.write_bytes(document.read_bytes())
        numbered.append(copy)
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(folder)]
    environment = {**os.environ, "FONTCONFIG_FILE": str(font_config(folder))}
    subprocess.run(
        [*command, *map(str, numbered)], check=True, capture_output=True, env=environment
    )
    return [copy.with_suffix(".pdf") for copy in numbered]


def sheets(pdf: Path, name: str, out: Path, resolution: int = 75) -> list[Path]:
    """Write `name_1.png` … with eight pages each; returns them."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["pdftoppm", "-r", str(resolution), "-png", str(pdf), f"{folder}/p"], check=True
        )
        pages = [Image.open(path).convert("RGB") for path in sorted(Path(folder).glob("p*.png"))]
        made = []
        for start in range(0, len(pages), COLUMNS * ROWS):
            batch = pages[start : start + COLUMNS * ROWS]
            tallest = round(WIDTH * 1.415)
            sheet = Image.new("RGB", ((WIDTH + GAP) * COLUMNS, (tallest + GAP) * ROWS), "#777777")
            for place, page in enumerate(batch):
                page = page.resize((WIDTH, round(page.height * WIDTH / page.width)))
                corner = (place % COLUMNS * (WIDTH + GAP), place // COLUMNS * (tallest + GAP))
                sheet.paste(page, corner)
                ImageDraw.Draw(sheet).text(
                    (corner[0] + 8, corner[1] + 8), str(start + place + 1), fill="red"
                )
            path = out / f"{name}_{start // (COLUMNS * ROWS) + 1}.png"
            sheet.save(path)
            made.append(path)
        return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resolution", type=int, default=75)
    options = parser.parse_args()
    documents = sorted(
        p for p in options.folder.rglob("*.docx") if not p.name.startswith(("~$", "."))
    )
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pdfs = to_pdf(documents, Path(folder))
        for document, pdf in zip(documents, pdfs, strict=True):
            name = "_".join(document.relative_to(options.folder).with_suffix("").parts)
            for path in sheets(pdf, name, options.out, options.resolution):
                print(path)  # noqa: T201


if __name__ == "__main__":
    main()
