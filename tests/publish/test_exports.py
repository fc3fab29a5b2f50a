"""The files to hand in: what a reader, a grader and a screen reader find in them."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pypdf
import pytest
from publish.sample_report import CONTEXT, Report

from reportgen.errors import InputError
from reportgen.publish import handin, notebook, site, submission

AUTHOR = {
    "name": "Zoë *Łukasz* #1 $x$ [y] _z_ @w",
    "student_id": "007",
    "course": "",
    "institution": "",
    "date": "",
    "statement": "My own work.",
}


@pytest.fixture
def handed(report: Report, monkeypatch: pytest.MonkeyPatch) -> Report:
    """A project with the export's files, an author, and a fixed time."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    report.context = {**report.context, "config": {**report.context["config"], "author": AUTHOR}}
    return report


def export(report: Report, *wanted: str) -> handin.Exported:
    return handin.export(report.root, wanted, evidence=report.evidence, context=report.context)


def read(report: Report, name: str) -> bytes:
    return (report.root / "build" / name).read_bytes()


@pytest.fixture
def pdf(handed: Report) -> pypdf.PdfReader:
    done = export(handed, "pdf")
    assert (done.failures, done.warnings) == ([], [])
    return pypdf.PdfReader(handed.root / "build" / "report.pdf")


def test_the_pdf_is_tagged_and_says_whose_it_is(pdf: pypdf.PdfReader) -> None:
    assert pdf.metadata is not None
    assert pdf.metadata.title == "How should the weights of a network start?"
    assert pdf.metadata.author == AUTHOR["name"]
    root: Any = pdf.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    cover = pdf.pages[0].extract_text()
    for said in (AUTHOR["name"], "007", "My own work.", "Abstract", "scores 0.1135"):
        assert said in cover.replace("\n", " ")


def test_the_pdf_has_its_sections_figures_tables_and_references(pdf: pypdf.PdfReader) -> None:
    text = " ".join(" ".join(page.extract_text() for page in pdf.pages).split())
    for said in ("Contents", "Figure 1.", "Table 1.", "He et al. (2015)", "1.1 Why must weights",
                 "A Errors in the wild", "Delving Deep"):  # fmt: skip
        assert said in text
    links: set[str] = set()
    for page in pdf.pages:
        for mark in page.get("/Annots") or ():
            entry: Any = mark.get_object()
            links |= {str(entry.get("/A", {}).get("/S", "")), "there" if "/Dest" in entry else ""}
    assert {"/URI", "there"} & links
    tree: Any = pdf.trailer["/Root"]
    assert "Accuracy over ten epochs for four initializers." in alternatives(
        tree["/StructTreeRoot"]
    )


def alternatives(tag: Any) -> list[str]:
    """The alternative texts in a PDF's tree of tags."""
    tag = tag.get_object()
    if isinstance(tag, list):
        return [text for kid in tag for text in alternatives(kid)]
    if not isinstance(tag, dict):
        return []
    own = [str(tag["/Alt"])] if "/Alt" in tag else []
    return own + (alternatives(tag["/K"]) if "/K" in tag else [])


def test_a_character_that_no_font_has_is_named_and_the_rest_is_written(handed: Report) -> None:
    odd = {**AUTHOR, "name": "Ada \u0378"}
    handed.context = {**handed.context, "config": {**handed.context["config"], "author": odd}}
    done = export(handed, "pdf", "html")
    assert [path.name for path in done.written] == ["report.pdf", "report.html"]
    (warning,) = done.warnings
    assert "\u0378" in warning or r"\u{378}" in warning


def test_stand_in_data_is_said_once_before_all_else(handed: Report) -> None:
    handed.context = {**handed.context, "dataset": {**CONTEXT["dataset"], "fallback": True}}
    handed.page("export/notebook.md", NOTEBOOK)
    assert export(handed, "pdf", "docx", "html", "notebook").failures == []
    sheets = pypdf.PdfReader(handed.root / "build" / "report.pdf").pages
    with zipfile.ZipFile(handed.root / "build" / "report.docx") as packed:
        word = packed.read("word/document.xml").decode()
    told = [
        "".join(sheet.extract_text() for sheet in sheets),
        re.sub(r"<[^>]+>", "", word),
        re.sub(r"<[^>]+>", "", read(handed, "report.html").decode()),
        "".join(cell["source"] for cell in json.loads(read(handed, "report.ipynb"))["cells"]),
    ]
    for text in told:
        assert text.count("Stand-in data.") == 1
        assert "banner" not in text
        assert text.index("Stand-in data.") < text.index("With zero in every weight")
    assert "Stand-in data." in sheets[0].extract_text()


def test_the_word_file_has_real_headings_equations_and_sharp_figures(handed: Report) -> None:
    assert export(handed, "docx").failures == []
    with zipfile.ZipFile(handed.root / "build" / "report.docx") as packed:
        body = packed.read("word/document.xml").decode()
        core = packed.read("docProps/core.xml").decode()
        assert 'w:instr="PAGE"' in packed.read("word/footer.xml").decode()
        media = [name for name in packed.namelist() if name.startswith("word/media/")]
    assert re.search(r'w:pStyle w:val="Heading1"', body)
    assert "<m:oMath>" in body
    assert "How should the weights" in core
    assert "My own work." in body
    assert 'w:footerReference w:type="default"' in body
    assert media
    assert all(name.endswith(".png") for name in media)
    shown = re.findall(r"Figure.1", body)
    assert shown


def test_an_export_gives_no_reason_to_build_the_site_again(handed: Report) -> None:
    handed.render()
    left = site.build(handed.root).with_name("left")
    left.touch()
    assert export(handed, "docx").failures == []
    assert list((handed.root / "build" / "evidence").rglob("*.png"))
    site.build(handed.root)
    assert left.exists()


def test_the_one_file_html_needs_no_other_file(handed: Report) -> None:
    assert export(handed, "html").failures == []
    html = read(handed, "report.html").decode()
    assert "<math" in html
    fetched = re.findall(r"""(?:src|href)=["']([^"'#]+)""", html)
    linked = [it for it in fetched if not it.startswith(("data:", "https://"))]
    assert linked == []
    assert not re.findall(r"""src=["']https?:""", html)
    anchors = set(re.findall(r'id="([^"]+)"', html))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= anchors


def test_files_are_the_same_bytes_each_time(handed: Report) -> None:
    names = ("report.pdf", "report.docx", "report.html")
    assert export(handed, "pdf", "docx", "html").failures == []
    first = [read(handed, name) for name in names]
    for name in names:
        (handed.root / "build" / name).unlink()
    export(handed, "pdf", "docx", "html")
    assert [read(handed, name) for name in names] == first


def test_a_formula_that_pandoc_cannot_read_is_told_with_its_page_and_line(handed: Report) -> None:
    text = (handed.docs / "part-2.md").read_text()
    handed.page("part-2.md", text + "\nHere $\\rlap{x}$ stands.\n")
    failures = export(handed, "pdf").failures
    assert len(failures) == 1
    assert "docs/part-2.md:5" in failures[0]
    assert "rlap" in failures[0]


def test_a_home_page_without_an_opening_is_told(handed: Report) -> None:
    handed.page("index.md", '{{ figure("curves") }}\n\n{{ table("accuracy") }}\n')
    with pytest.raises(InputError, match=r"docs/index\.md"):
        export(handed, "pdf")


def written(report: Report) -> Any:
    report.page("export/notebook.md", NOTEBOOK)
    assert export(report, "notebook").failures == []
    return nbformat.reads(read(report, "report.ipynb").decode(), as_version=4)  # type: ignore[no-untyped-call]


NOTEBOOK = """\
# Part three

## Read

```python train
raise SystemExit("not run without --execute")
```

```python
import matplotlib.pyplot as plt

print(open("evidence/assignment/accuracy.csv").readline())
plt.plot([1, 2])
plt.show()
```

{{ claim("he-glorot", assumes="inconclusive") }}
"""


def test_the_notebook_is_valid_and_carries_what_its_cells_said(handed: Report) -> None:
    cells = written(handed)["cells"]
    nbformat.validate(json.loads(read(handed, "report.ipynb")))
    training, reading = [cell for cell in cells if cell["cell_type"] == "code"]
    assert training["outputs"] == []
    assert reading["outputs"][0]["text"].startswith("layer,q")
    assert "image/png" in reading["outputs"][1]["data"]
    prose = "\n".join(cell["source"] for cell in cells if cell["cell_type"] == "markdown")
    assert "$$" in prose
    assert "He et al. (2015)" in prose
    assert "](#" not in prose
    assert "{#" not in prose
    attached = [cell for cell in cells if cell.get("attachments")]
    assert attached
    for cell in attached:
        assert all(f"attachment:{name}" in cell["source"] for name in cell["attachments"])


def test_the_notebook_is_the_same_bytes_each_time(handed: Report) -> None:
    written(handed)
    first = read(handed, "report.ipynb")
    written(handed)
    assert read(handed, "report.ipynb") == first


def test_a_cell_that_fails_is_told_and_the_other_files_come(handed: Report) -> None:
    handed.page("export/notebook.md", "# Part three\n\n```python\nopen('nothing there')\n```\n")
    done = export(handed, "notebook", "html")
    assert [path.name for path in done.written] == ["report.html"]
    assert "nothing there" in done.failures[0]


@pytest.mark.slow
def test_the_work_of_the_real_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    from nbclient import NotebookClient

    text = Path(__file__).parents[2].joinpath("docs", "export", "notebook.md").read_text()
    cells = [it for kind, it in notebook.cells(text) if kind == "train"]
    small = (
        "rng = np.random.default_rng(0)\n(images, digits), (x_test, digits_test) = [\n"
        "    (rng.integers(0, 256, (n, 28, 28)), np.arange(n) % 10) for n in (200, 50)]"
    )
    loads = "(images, digits), (x_test, digits_test) = keras.datasets.mnist.load_data()"
    assert any(loads in cell for cell in cells)
    assert any("EPOCHS, BATCH_SIZE, SEED = 10, 64, 0" in cell for cell in cells)
    work = [cell.replace(loads, small).replace("SEED = 10,", "SEED = 1,") for cell in cells]
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(it) for it in work])  # type: ignore[no-untyped-call]
    done = NotebookClient(
        content, timeout=120, resources={"metadata": {"path": tmp_path}}
    ).execute()
    said = "".join(out.get("text", "") for cell in done["cells"] for out in cell["outputs"])
    for name in ("Zero", "Normal(0, 1)", "Glorot", "He"):
        assert re.search(rf"^{re.escape(name)} +test accuracy 0\.\d+", said, re.M)


def fill_results(report: Report) -> None:
    results = report.root / "results"
    results.mkdir()
    (results / "assignment.jsonl").write_text("b\na\n")
    (results / "datasets.json").write_text("{}")
    report.page("export/notebook.md", "# Part three\n")
    report.context = {**report.context, "versions": {"keras": "3"}}
    report.context["dataset"] = {**report.context["dataset"], "digest": "d1"}


def test_a_submission_holds_all_and_its_digests_are_checked(handed: Report, tmp_path: Path) -> None:
    fill_results(handed)
    assert export(handed, "submission").failures == []
    path = handed.root / "build" / "submission.zip"
    with zipfile.ZipFile(path) as packed:
        names = set(packed.namelist())
        assert packed.read("results/assignment.jsonl") == b"a\nb\n"
    assert {"report.pdf", "report.ipynb", "README.md", "SHA256SUMS", "code/mkdocs.yml"} <= names
    assert "evidence/assignment/accuracy.csv" in names
    assert submission.unpack(path, tmp_path / "out") == len(names) - 1
    first = path.read_bytes()
    path.unlink()
    export(handed, "submission")
    assert path.read_bytes() == first


@pytest.mark.parametrize("change", ["altered", "missing", "added"])
def test_a_changed_submission_is_refused_by_the_name_of_the_file(
    change: str, handed: Report, tmp_path: Path
) -> None:
    fill_results(handed)
    export(handed, "submission")
    path, changed = handed.root / "build" / "submission.zip", tmp_path / "changed.zip"
    with zipfile.ZipFile(path) as packed, zipfile.ZipFile(changed, "w") as other:
        for name in packed.namelist():
            data = packed.read(name)
            if name == "results/assignment.jsonl":
                if change == "missing":
                    continue
                data += b"c\n" * (change == "altered")
            other.writestr(name, data)
        if change == "added":
            other.writestr("results/more.jsonl", b"")
    wrong = {"altered": "assignment.jsonl differs", "missing": "assignment.jsonl is missing",
             "added": "more.jsonl is not listed"}[change]  # fmt: skip
    with pytest.raises(InputError, match=wrong):
        submission.unpack(changed, tmp_path / "out")


def test_what_is_no_submission_is_told(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_text("no")
    with pytest.raises(InputError, match="no submission"):
        submission.unpack(tmp_path / "no.zip", tmp_path)


def test_a_cell_that_ends_the_process_ends_no_export(handed: Report) -> None:
    handed.page("export/notebook.md", "# Part three\n\n```python\nexit()\n```\n")
    assert "SystemExit" in export(handed, "notebook").failures[0]


def test_a_fault_in_the_submissions_own_page_is_told(handed: Report) -> None:
    fill_results(handed)
    handed.page("export/submission.md", "{{ versions.x.y }}\n")
    assert "docs/export/submission.md" in export(handed, "submission").failures[0]
