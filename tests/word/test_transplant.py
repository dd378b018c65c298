"""What moves from one document into another means there what it meant before."""

from __future__ import annotations

from pathlib import Path

from docx import Document
from docx.oxml.ns import qn

from evalkit.ooxml import transplant
from evalkit.ooxml.oxml import el


def test_a_style_is_found_by_its_name_however_a_program_spells_it() -> None:
    source, target = Document(), Document()
    style = target.styles["Heading 1"].element
    style.name_val, style.styleId = "Heading 1", "titre1"  # Word writes "heading 1"
    count = len(target.styles)
    assert transplant.style_there("Heading1", source, target) == "titre1"
    assert len(target.styles) == count


def test_a_style_that_is_missing_comes_along_under_an_id_of_its_own() -> None:
    source, target = Document(), Document()
    source.styles["Heading 1"].element.name_val = "本机构标题"
    key = transplant.style_there("Heading1", source, target)
    assert target.styles["本机构标题"].style_id == key
    ids = [style.style_id for style in target.styles]
    assert len(ids) == len(set(ids))


def test_a_list_comes_along_once_with_its_definition_and_overrides() -> None:
    source, target, lists = Document(), Document(), {}
    numbering = source.part.numbering_part.element
    number = numbering.num_having_numId(1)
    number.add_lvlOverride(ilvl=0).add_startOverride(5)
    end = target.part.numbering_part.element
    end.append(el("numIdMacAtCleanup", val=1))
    item = source.add_paragraph("甲")._p
    item.get_or_add_pPr().append(el("numPr", el("ilvl", val=0), el("numId", val=1)))
    first, second = (transplant.adopt(item, source, target, lists) for _ in range(2))
    assert first.pPr.numPr.numId.val == second.pPr.numPr.numId.val
    shape, override = transplant.list_of(target, str(first.pPr.numPr.numId.val))
    assert len(shape) == len(transplant.list_of(source, "1")[0])
    assert override.find(qn("w:startOverride")).val == 5
    kinds = [node.tag.rpartition("}")[2] for node in end]
    order = ["abstractNum", "num", "numIdMacAtCleanup"]
    assert kinds == sorted(kinds, key=order.index)


def test_a_list_that_is_nowhere_defined_stays_as_it_is() -> None:
    source, target = Document(), Document()
    item = el("p", el("pPr", el("numPr", el("numId", val=0))))
    assert transplant.adopt(item, source, target, {}).pPr.numPr.numId.val == 0


def test_a_picture_comes_along(photos: Path) -> None:
    source, target = Document(), Document()
    source.add_picture(str(photos / "照片" / "01.png"))
    item = source.paragraphs[0]._p
    new = transplant.adopt(item, source, target, {})
    assert transplant.picture_of(new, target) == transplant.picture_of(item, source)
