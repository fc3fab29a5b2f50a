"""The author block, whatever is written there: it is shown, and it does nothing."""

import html
import json
import re
import zipfile
from html.parser import HTMLParser

import markdown
import pypdf
import pytest
from publish.sample_report import PAGES, REPO, Report

from reportgen.config import Author
from reportgen.publish import handin, site

# What authors may be called, and what a format might take for its own; as the settings read it.
_AUTHORS = (
    {
        "name": """<script>alert(1)</script> "q" 's' &lt; &#60;""",
        "student_id": r'\input{x} #eval("1") $x$ @a <b> \\ \(y\) *_~ `c`',
        "course": "[a](javascript:alert(1)) ![b](https://b.example/c.png) <https://c.example>",
        "institution": "{{ 7 * 7 }} {% raw %} ${x}$ -- ... =1+1",
        "date": "a // b /* c */ https://d.example ^e^ ~f~ |g|",
        "statement": "I wrote <b>this</b>.\n\n    # {{ mine }} $x$",
    },
    {  # what begins a heading, a list or a quotation somewhere
        "name": "= a",
        "student_id": "+ b",
        "course": "- c",
        "institution": "/ d: e",
        "date": "1. f",
        "statement": "# g\n: h\n> i",
    },
    {
        "name": "שלום עולם 7",
        "student_id": "مرحبا 123",
        "course": "山田太郎 👩\u200d🎓 \u202eabc",
        "institution": "Ada " * 80 + "Łukasz" * 40,
        "date": "two\nlines\u2028more",
        "statement": "Zoë",
    },
)
AUTHORS = [Author(**fields).model_dump() for fields in _AUTHORS]


def name_author(report: Report, author: dict[str, str]) -> None:
    report.context = {**report.context, "config": {**report.context["config"], "author": author}}


class Shown(HTMLParser):
    """The text that a page of HTML shows, and the tags and addresses in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.addresses = "", set[str](), set[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses |= {value or "" for name, value in attrs if name in ("href", "src")}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("author", AUTHORS)
def test_an_author_stands_in_every_file_as_written_and_does_nothing_there(
    report: Report, author: dict[str, str]
) -> None:
    name_author(report, author)
    report.page("export/notebook.md", "# Part three\n")
    wanted, build = ("pdf", "docx", "html", "notebook"), report.root / "build"
    done = handin.export(report.root, wanted, evidence=report.evidence, context=report.context)
    assert done.failures == []

    pdf = pypdf.PdfReader(build / "report.pdf")
    assert pdf.metadata is not None
    assert pdf.metadata.author == author["name"]
    cover = pdf.pages[0].extract_text()
    # A page's text comes in the order in which it is drawn, right-to-left words backwards; the
    # characters that no font has are drawn as boxes, and are told.
    for value in author.values():
        if value.isascii():
            assert "".join(value.split()) in "".join(cover.split())
    assert all("no font that is installed has" in warning for warning in done.warnings)
    if all(value.isascii() for value in author.values()):
        assert done.warnings == []

    with zipfile.ZipFile(build / "report.docx") as packed:
        body, core = (packed.read(it).decode() for it in ("word/document.xml", "docProps/core.xml"))
    text = "".join(Shown(body).text.split())
    page = Shown((build / "report.html").read_text(encoding="utf-8"))
    cells = json.loads((build / "report.ipynb").read_text(encoding="utf-8"))["cells"]
    head = cells[0]["source"].split("## ")[0]
    noted = Shown(markdown.markdown(head))
    for key, value in author.items():
        assert "".join(value.split()) in "".join(noted.text.split())
        if key != "statement":  # which the cover of the PDF has, and the head of the notebook
            assert "".join(value.split()) in text
            assert value in page.text
    assert author["name"] in Shown(core).text
    assert "script" not in page.tags | noted.tags
    assert not any("example" in it or "javascript" in it for it in page.addresses | noted.addresses)
    assert noted.tags <= {"h1", "p", "strong", "bdi", "span"}
    assert not re.search(r"[$\\]", head)  # nothing for MathJax to find


def test_an_author_stands_on_the_home_page_as_written_and_does_nothing_there(
    report: Report,
) -> None:
    head = (REPO / "docs" / "index.md").read_text(encoding="utf-8").split("\n\n")[1]
    assert "author.name" in head
    report.page("index.md", f"# Title\n\n{head}\n" + PAGES["index.md"].split("\n", 1)[1])
    for author in AUTHORS:
        name_author(report, author)
        report.render()
        folder = site.build(report.root).parent
        block = (folder / "index.html").read_text(encoding="utf-8").split("</h1>")[1]
        block = block.split("<p>")[1].split("</p>")[0]
        told = [value for key, value in author.items() if value and key != "statement"]
        assert html.unescape(re.sub("<[^>]*>", "", block)) == " · ".join(told)
        assert set(re.findall(r"<(\w+)", block)) <= {"strong", "bdi", "span"}
        assert block.count("<bdi>") == len(told)  # a name from right to left turns nothing else
