"""PDF through the word processor at hand: LibreOffice anywhere, Word on Windows."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from evalkit.core.problem import EvalkitError, Problem
from evalkit.core.store import write_bytes

_OFFICE = ("soffice", "libreoffice", "/Applications/LibreOffice.app/Contents/MacOS/soffice",
           r"C:\Program Files\LibreOffice\program\soffice.exe",
           r"C:\Program Files (x86)\LibreOffice\program\soffice.exe")  # fmt: skip
_WORD = ("$w = New-Object -ComObject Word.Application; try { $d = $w.Documents.Open("
         "$env:REPORT_DOCX, $false, $true); $d.ExportAsFixedFormat($env:REPORT_PDF, 17); "
         "$d.Close(0) } finally { $w.Quit(0) }")  # fmt: skip
_SECONDS = 300


def to_pdf(docx: Path) -> Path:
    """Write a docx as PDF beside it; returns the path really written.

    Raises:
        EvalkitError: neither program is there, or it failed.
    """
    what, remedy = (
        "没有找到 LibreOffice 或 Word，不能生成 PDF",
        "请安装其一，或在 Word 中另存为 PDF",
    )
    office = next(filter(None, map(shutil.which, _OFFICE)), None)
    program = office or shutil.which("powershell.exe")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made, source = Path(folder) / f"{docx.stem}.pdf", str(docx.resolve())
        profile = f"-env:UserInstallation={(Path(folder) / 'profile').as_uri()}"
        asked = [profile, "--headless", "--convert-to", "pdf", "--outdir", folder, source]
        asked = asked if office else ["-NoProfile", "-Command", _WORD]
        paths = os.environ | {"REPORT_DOCX": source, "REPORT_PDF": str(made)}
        if program:
            what, remedy = "没有能转换成 PDF", "请关闭已打开的 Word 或 LibreOffice 后重试"
            with suppress(OSError, subprocess.SubprocessError):
                subprocess.run([program, *asked], env=paths, timeout=_SECONDS,  # noqa: S603
                               capture_output=True, check=False)  # fmt: skip
                return write_bytes(docx.with_suffix(".pdf"), made.read_bytes())
    raise EvalkitError([Problem(file=docx.name, what=what, remedy=remedy)])
