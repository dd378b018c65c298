"""PDF through the word processor at hand: LibreOffice anywhere, Word on Windows."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from evalkit.core.problem import refusal
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
    office = next(filter(None, map(shutil.which, _OFFICE)), None)
    program = office or shutil.which("powershell.exe")
    if not program:
        raise refusal("pdf.program", file=docx.name)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made, source = Path(folder) / f"{docx.stem}.pdf", str(docx.resolve())
        profile = f"-env:UserInstallation={(Path(folder) / 'profile').as_uri()}"
        asked = [profile, "--headless", "--convert-to", "pdf", "--outdir", folder, source]
        asked = asked if office else ["-NoProfile", "-Command", _WORD]
        paths = os.environ | {"REPORT_DOCX": source, "REPORT_PDF": str(made)}
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run([program, *asked], env=paths, timeout=_SECONDS,  # noqa: S603
                           capture_output=True, check=False)  # fmt: skip
            return write_bytes(docx.with_suffix(".pdf"), made.read_bytes())
    raise refusal("pdf.failed", file=docx.name)
