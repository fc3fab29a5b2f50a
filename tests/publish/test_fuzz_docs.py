"""Whatever stands in docs/, it is rendered or refused in the report's own words."""

import json
from pathlib import Path

import pytest
from fuzzing import bounded, cases, headers, junk, mutated, values
from hypothesis import given
from hypothesis import strategies as st
from publish.sample_report import (
    ASSIGNMENT,
    BIB,
    CONTEXT,
    PAGES,
    Report,
    write_evidence,
    write_project,
)

from reportgen import config
from reportgen.publish import citations, exports, lint, notebook, pandoc, wording
from reportgen.publish.export_macros import ExportMacros


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a file that every example writes anew."""
    return tmp_path_factory.mktemp("fuzz")


# --- references.bib -----------------------------------------------------------------------------

BIB_PIECES = [
    "@article{", "@string{", "@comment{", "@preamble{", "a,", "title={", "author=", "year=",
    "url={", "}", "{", '"', "#", ",", "=", "and ",
    "\\", "$", "\\input{x}", "\\def\\x{\\x\\x}\\x", "\n", "%",
    "doi={", "crossref={a},", "1998", "javascript:0", "<b>", "](x)", "@a", "{" * 500, "é",
]  # fmt: skip
bib = st.lists(st.one_of(st.sampled_from(BIB_PIECES), junk), max_size=30).map("".join)


@cases(12)
@given(content=st.one_of(bib.map(str.encode), mutated(BIB.encode()), st.binary(max_size=99)))
def test_any_bibliography_is_read_or_refused(content: bytes, place: Path) -> None:
    (place / "references.bib").write_bytes(content)
    with bounded():
        known = citations.load(place / "references.bib", place / "citations.pickle")
        assert all(isinstance(part, str) for label in known.labels.values() for part in label)


# --- docs/*.md and docs/experiments/*.toml -------------------------------------------------------

PIECES = [
    "{{", "}}", "{%", "%}", "{#", "#}", "$", "$$", "\\$", "`", "```\n", "~~~", "\\", "\n", "\n\n",
    "{% raw %}", "{% endraw %}", "{% for i in (1, 2) %}", "{% endfor %}", "{% if x %}",
    "{% endif %}", '{{ figure("curves") }}', '{{ claim("he-glorot", assumes="inconclusive") }}',
    "{{ nothing }}", '{{ cite("he2015") }}', "{{ cite(1, []) }}", "{{ claim(0) }}",
    '{{ "{0}{a}".format() }}', "{{ [].pop() }}", "{{ values.x.y.z }}", "{{ values | fixed }}",
    "{{ 1 / 0 }}", "{{ none + 1 }}", '{% include "x" %}', '{% extends "x" %}',
    '{% import "x" as y %}', "{{ super() }}", "{{ self }}", '{% call note("$x$") %}',
    "{% endcall %}", '{{ source("../LICENSE", "x") }}', "{{ loop.index }}",
    '{{ source("cli.py", "main") }}', f'{{{{ source("{"a" * 999}", "x") }}}}',
    "{{ ref('angles') }}", "\\frac{1}{2}", "\\begin{aligned}", "\\end{x}", "\\newcommand\\x{\\x}",
    "\\left(", "^", "_", "&", "x", "# A\n", "## B\n", "> ", "| a | b |\n|--|--|\n", "- ", "1. ",
    "<div>", "</", "---\n", "^[", "{#a}", "![a](b.png)", "[a](part-1.md#x)", "[@he2015]",
    "https://a.example", "{{ (" + "(" * 300, "<!--",
    "{{ values.assignment.arms.he.loss | fixed(2) }}", "{{ x | nofilter }}",
    "{{ cite.__globals__ }}",
]  # fmt: skip
pieces = st.one_of(st.sampled_from(PIECES), st.sampled_from(PIECES), junk)
pages = st.lists(pieces, max_size=30).map("".join)
repeated = st.tuples(st.lists(pieces, max_size=3).map("".join), st.integers(1, 400)).map(
    lambda it: it[0] * it[1]
)
texts = st.one_of(pages, pages, repeated)


@pytest.fixture(scope="module")
def written(place: Path) -> Report:
    """A project whose part one every example writes anew."""
    write_evidence(place / "project")
    report = write_project(place / "project")
    author = dict.fromkeys(config.Author.model_fields, "")
    report.context = {**CONTEXT, "config": {**CONTEXT["config"], "author": author}}
    report.page("export/notebook.md", "# Part three\n")
    return report


@cases(30)
@given(
    content=st.one_of(
        texts.map(str.encode), mutated(PAGES["part-1.md"].encode()), st.binary(max_size=60)
    )
)
def test_any_page_is_rendered_or_refused(content: bytes, written: Report) -> None:
    (written.docs / "part-1.md").write_bytes(content)
    with bounded():
        lint.check(written.docs)
    with bounded():
        written.render()
    for macros, extra in (
        (ExportMacros, ()),
        (notebook.NotebookMacros, (notebook.WORK,)),
    ):
        with bounded():
            document = exports.compose(
                written.docs, written.docs.parent / "build", evidence=written.evidence,
                context=written.context, macros=macros, extra=extra,
            )  # fmt: skip
            assert "part-1.md" in document.pages
    (written.docs / "part-1.md").write_text(PAGES["part-1.md"])


@cases(4)
@given(text=texts)
def test_any_page_is_exported_or_refused(
    text: str, written: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = dict.fromkeys(config.Author.model_fields, "")
    build = written.docs.parent / "build"
    document = exports.Document(
        "Title", "Abstract", author, {"index.md": "# A\n", "part-1.md": text}, written.docs, build
    )
    monkeypatch.setattr(pandoc, "SECONDS", 10)  # it reads some of these for hours
    for name, write in (("a.pdf", exports.pdf), ("a.html", exports.page), ("a.docx", exports.docx)):
        with bounded():
            write(document, build / name)


WORDS = ["title", "question", "setup", "figures.curves.caption", "claims.he-glorot.supported", "x"]
said = st.tuples(st.sampled_from(WORDS), st.one_of(texts.map(json.dumps), values)).map(" = ".join)
wordings = st.lists(st.one_of(said, said, headers), max_size=8).map("\n".join)


@cases(100)
@given(content=st.one_of(wordings.map(str.encode), st.binary(max_size=60)))
def test_any_wording_is_filled_or_refused(content: bytes, written: Report) -> None:
    path = written.docs / "experiments" / "assignment.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with bounded():
        wording.fill({"assignment": ASSIGNMENT}, written.docs, CONTEXT)
    with bounded():
        lint.check(written.docs)
    path.unlink()
