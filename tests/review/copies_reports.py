"""Reports rendered once a session, and a master that carries everything a copy must not."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from docx import Document
from docx.document import Document as WordDocument
from docx.opc.constants import CONTENT_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml.parser import parse_xml
from docx.shared import Mm
from PIL import Image
from support import DemoProject, demo_projects, evaluation

from evalkit.core import result_file
from evalkit.core.model import Result
from evalkit.core.store import sha256
from evalkit.ooxml import bind
from evalkit.report.evaluation import report_context
from evalkit.review.delivery import deliver_report
from evalkit.review.opinions import MACHINE_AUTHOR
from evalkit.template.build import template_for

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
NAME, PHONE, MAIL = "欧阳静怡", "13912345678", "ouyang.jy@example.com"
IDENTITY, ACCOUNT = "629999198003075217", "6222021234567890123"
SECRETS = (NAME, PHONE, MAIL, IDENTITY, ACCOUNT, "0934-8612345")
EVIDENCE = ("03-过程/考核表.pdf", "现场核查记录.xlsx", "指标!D12", "佐证3-2")
CONSENTS = ("示例县财政局 示财函〔2025〕8号", "示例县财政局 2025年7月8日")


def project(name: str) -> DemoProject:
    return next(p for p in demo_projects() if p.workbook.parent.name == name)


@cache
def _rendered(name: str, stage: str, figures: bool) -> Path:
    demo, out = project(name), Path(mkdtemp(prefix="copies"))
    data = evaluation.load(
        evaluation.Params(
            workbook=str(demo.workbook), stage=stage or demo.stage, profile=demo.profile,
            out=str(out),
        )
    )  # fmt: skip
    result = evaluation.evaluate(data)
    style = str(data.policy.value("report_style"))
    drawn = evaluation.draw(data, result) if figures else {}
    filling = report_context(result, drawn, data.path.parent, style)
    narrative = data.path.with_name("文字.docx")
    made = deliver_report(out, result, template_for(evaluation.NAME, style), filling, narrative)
    outputs = {made.path.name: sha256(made.path)}
    result_file.save(out / "result.json", result, {"outputs": outputs, "report": made.record})
    return out


def rendered(name: str, folder: Path, stage: str = "", *, figures: bool = False) -> Path:
    """A demo's report in a folder of its own; beside it result.json."""
    shutil.copytree(_rendered(name, stage, figures), folder, dirs_exist_ok=True)
    return folder / "评价报告.docx"


def result_of(report: Path) -> Result:
    return result_file.load(report.with_name("result.json"))[0]


def parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def words(path: Path) -> str:
    """Everything in a package as one text: attributes, and text joined over runs; names too."""
    found = []
    for name, blob in parts(path).items():
        text = blob.decode("utf-8", "replace")
        found += [name, text, re.sub(r"<[^>]+>", "", text)]
    return "\n".join(found)


def put(document: WordDocument, *texts: str, properties: str = "") -> None:
    """A paragraph before the first annex, each text a run of its own."""
    runs = "".join(
        f'<w:r>{properties}<w:t xml:space="preserve">{text}</w:t></w:r>' for text in texts
    )
    _heading(document).addprevious(parse_xml(f"<w:p {W}>{runs}</w:p>"))


def _heading(document: WordDocument):
    return next(p._p for p in document.paragraphs if p.text == "其他需要说明的问题")


def photo() -> io.BytesIO:
    """A JPEG that knows where it was taken, with what and by whom."""
    exif = Image.Exif()
    exif[0x010F], exif[0x013B], exif[0x0112] = "CameraMaker", "Ouyang Photographer", 6
    exif.get_ifd(0x8825)[2] = (35.0, 41.0, 12.0)
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "#88aacc").save(out, "JPEG", exif=exif, comment=b"GPS 35.41 N")
    return io.BytesIO(out.getvalue())


def spoil(report: Path) -> Path:
    """Put into a master what people and programs leave there, personal data wherever it can be."""
    document = Document(str(report))
    put(document, "评价组电话", PHONE[:5], PHONE[5:], "，邮箱" + MAIL[:9], MAIL[9:], "，联系人",
        "欧阳", "静怡", "（身份证号", IDENTITY[:6], IDENTITY[6:],
        "，账号", ACCOUNT, "）。")  # fmt: skip
    put(document, "隐藏的话：" + NAME, properties="<w:rPr><w:vanish/></w:rPr>")
    put(
        document,
        "办公室电话0934-8612345；考核情况见03-过程/考核表.pdf（指标!D12），现场核查记录.xlsx。",
    )
    put(document, "三季度考核底稿未归档（", "佐证3", "-2）、整改未完成，详见佐证3-2。")
    document.sections[1].header.paragraphs[0].add_run(f"　联系人{NAME}")
    picture = document.add_picture(photo(), width=Mm(30))
    picture._inline.docPr.set("name", r"C:\Users\ouyang\Pictures\IMG_2031.jpg")
    picture._inline.docPr.set("descr", f"{NAME}在现场，电话{PHONE}")
    mark = parse_xml(f'<w:bookmarkStart {W} w:id="9001" w:name="{NAME}"/>')
    _heading(document).append(mark)
    _heading(document).append(parse_xml(f'<w:bookmarkEnd {W} w:id="9001"/>'))
    _heading(document).append(parse_xml(f'<w:proofErr {W} w:type="spellStart"/>'))
    link = document.part.relate_to(
        r"file:///D:\项目\底稿.xlsx", _type("hyperlink"), is_external=True
    )
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    _heading(document).addprevious(
        parse_xml(f'<w:p {W} w:rsidR="00AB12CD"><w:hyperlink xmlns:r="{relation}" r:id="{link}">'
                  f"<w:r><w:t>底稿链接</w:t></w:r></w:hyperlink></w:p>"))  # fmt: skip
    _heading(document).addprevious(
        parse_xml(f'<w:p {W}><w:sdt><w:sdtPr><w:alias w:val="{NAME}"/></w:sdtPr><w:sdtContent>'
                  f"<w:r><w:t>控件里的话。</w:t></w:r></w:sdtContent></w:sdt></w:p>"))  # fmt: skip
    settings = document.settings.element
    template = document.part._settings_part.relate_to(
        r"file:///C:\Users\ouyang\evalkit.dotx", _type("attachedTemplate"), is_external=True
    )
    settings.insert(
        1, parse_xml(f'<w:attachedTemplate {W} xmlns:r="{relation}" r:id="{template}"/>')
    )
    settings.append(parse_xml(f'<w:rsids {W}><w:rsidRoot w:val="00AB12CD"/></w:rsids>'))
    app = f"<a><Application>Microsoft Office Word</Application><Company>{NAME}</Company></a>"
    xml = "application/xml"
    _part(document, "/docProps/app.xml", "extended-properties", xml, app.encode())
    _part(document, "/docProps/thumbnail.jpeg", "metadata/thumbnail", "image/jpeg", photo().read())
    _part(document, "/customXml/item1.xml", "customXml", xml, f"<a>{NAME}</a>".encode())
    said = f"<w:r><w:t>问{NAME[:2]}</w:t></w:r><w:r><w:t>{NAME[2:]}，{PHONE}</w:t></w:r>"
    note = f'<w:footnote w:id="2"><w:p>{said}</w:p></w:footnote>'
    note = f"<w:footnotes {W}>{note}</w:footnotes>"
    name, kind = "/word/footnotes.xml", CONTENT_TYPE.WML_FOOTNOTES
    part = Part(PackURI(name), kind, note.encode(), document.part.package)
    document.part.relate_to(part, _type("footnotes"))
    bind.set_properties(document, {"contact": NAME}, keep=True)
    document.add_comment(_runs(document), NAME, MACHINE_AUTHOR)
    document.core_properties.last_modified_by = NAME
    document.core_properties.comments = "made with python-docx"
    document.save(str(report))
    return report


def _runs(document: WordDocument):
    return next(p.runs for p in document.paragraphs if p.runs)


def _type(kind: str) -> str:
    return f"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}"


def _part(document: WordDocument, name: str, kind: str, content: str, blob: bytes) -> None:
    package = document.part.package
    package.relate_to(Part(PackURI(name), content, blob, package), _type(kind))
