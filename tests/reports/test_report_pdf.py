"""The report as PDF."""

from __future__ import annotations

import builtins
import json
import re
import sys
from html import unescape
from typing import Any

import pytest
import typst
from reportentries import treatment

from penstroke.errors import PenError
from penstroke.records.summary import summary_of
from penstroke.records.told import TreatmentSummary
from penstroke.reports import pdf
from penstroke.reports.content import report_of
from penstroke.reports.html import html_report
from penstroke.reports.parts import all_cells
from penstroke.reports.pdf import FONT, STANDARDS, pdf_report

TYPST_MARKUP = ' #panic("no") $x^2$ *b* _i_ @ref <lab> `raw` \\ #read("/etc/passwd") = h // c'


def made(summary: TreatmentSummary, lang: str = "en") -> bytes:
    return pdf_report(report_of(summary, lang=lang, font=FONT))


def metadata(document: bytes) -> str:
    """The XMP packet, which is never compressed."""
    return unescape(document[document.rindex(b"<x:xmpmeta") :].split(b"</x:xmpmeta>")[0].decode())


def pages(document: bytes) -> int:
    found = re.search(r"<xmpTPg:NPages>(\d+)<", metadata(document))
    assert found
    return int(found[1])


@pytest.mark.parametrize("lang", ["en", "de"])
def test_it_is_of_both_standards_and_a_few_pages(summary: TreatmentSummary, lang: str) -> None:
    document = made(summary, lang)
    assert document.startswith(b"%PDF-1.7")
    told = metadata(document)
    assert "<pdfaid:part>2</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance>" in told
    assert "<pdfuaid:part>1</pdfuaid:part>" in told
    assert f"<rdf:li>{lang}</rdf:li>" in told
    assert 1 <= pages(document) <= 3


def test_the_same_report_gives_the_same_bytes(summary: TreatmentSummary) -> None:
    assert made(summary) == made(summary)


@pytest.mark.parametrize("standard", ["a-4", "2.0"])
def test_the_newer_standards_do_not_go_with_that_for_readers(standard: Any) -> None:
    """Why it is PDF/A-2: what Typst refuses today. Were it to accept these, the choice is to be made anew."""
    page = b'#set document(title: "T", date: datetime(year: 2026, month: 1, day: 1))\nT'
    with pytest.raises(typst.TypstError):
        typst.compile(page, format="pdf", pdf_standards=[standard, "ua-1"])
    assert typst.compile(page, format="pdf", pdf_standards=[*STANDARDS])


def test_it_says_what_the_page_says(summary: TreatmentSummary) -> None:
    report = report_of(summary, font=FONT)
    handed = json.dumps(pdf._values(report), ensure_ascii=False)
    page = unescape(html_report(report))
    texts = [cell.text for section in report.sections for cell in all_cells(section.blocks)]
    texts += [section.title for section in report.sections] + list(report.foot)
    for text in texts:
        assert json.dumps(text, ensure_ascii=False) in handed
        assert text in page


def test_no_text_of_a_person_is_read_as_markup() -> None:
    told = metadata(made(summary_of(treatment(hostile=TYPST_MARKUP, seconds=2))))
    assert f"P-2041{TYPST_MARKUP}" in told


@pytest.mark.parametrize(
    "text",
    [" 😀 漢字 العربية", " \x00\x1b[31m\n\u202e\ud800", " 👩\u200d⚕️ 🇩🇪 ﷽", " " + "W" * 400, ' "\\u0000\\'],
    ids=["scripts", "controls", "joined", "long", "escapes"],
)
def test_any_text_can_be_set(text: str) -> None:
    assert made(summary_of(treatment(hostile=text, seconds=1))).startswith(b"%PDF")


def test_a_sign_without_a_glyph_is_named_by_its_number() -> None:
    assert pdf._spelled("Grüße, Ελλάδα, \U0001f600!") == "Grüße, Ελλάδα, [U+1F600]!"


def test_a_table_may_go_on_over_pages() -> None:
    """Typst 0.15 found fault with those under a page's foreground; see the template."""
    summary = summary_of(treatment(seconds=1))
    summary.steps *= 6
    assert pages(made(summary)) > 3


def test_without_typst_the_error_says_what_to_install(
    summary: TreatmentSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "typst":
            raise ImportError(name)
        return ordinary(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "typst")
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(PenError) as caught:
        made(summary)
    assert caught.value.code == "report-needs-typst"
    assert "pip install 'penstroke[report]'" in caught.value.hint
