import os
import re
from pathlib import Path

import pytest
from publish.sample_report import Report

from reportgen.errors import ReportgenError
from reportgen.publish import site


def built(report: Report) -> Path:
    report.render()
    return site.build(report.root).parent


def test_figures_their_data_and_the_math_font_are_in_the_site(report: Report) -> None:
    folder = built(report)
    assert (folder / "evidence/forward/forward-variance.dark.svg").is_file()
    assert (folder / "evidence/assignment/accuracy.csv").is_file()
    style = (folder / "assets/math.css").read_bytes()
    assert b'"STIX Two Math"' in style
    assert 50_000 < len(style) < 300_000  # the whole font would be two million
    assert not list(folder.rglob("evidence.json"))


def test_pages_name_no_generator_and_no_other_host(report: Report) -> None:
    folder = built(report)
    for path in folder.glob("*.html"):
        text = path.read_text()
        assert "unpkg" not in text
        assert "fonts.g" not in text
        assert "Made with" not in text


def test_a_missing_page_is_told_in_words(report: Report) -> None:
    assert "There is no such page" in (built(report) / "404.html").read_text()


def test_a_warning_of_mkdocs_is_an_error_and_the_last_site_stays(report: Report) -> None:
    folder = built(report)
    report.page("part-2.md", "# Two\n\n[a](nowhere.md) {{ cite('lu2020b') }}\n")
    report.render()
    with pytest.raises(ReportgenError, match=r"nowhere\.md"):
        site.build(report.root)
    assert "Part two" in (folder / "part-2.html").read_text()
    assert not folder.with_name("site.new").exists()


def test_figures_of_experiments_that_are_gone_leave_the_site(report: Report) -> None:
    folder = built(report)
    stale = report.root / "build/evidence/gone"
    stale.mkdir()
    (stale / "x.light.svg").write_text("<svg/>")
    site.build(report.root)
    assert (folder / "evidence/gone/x.light.svg").exists()
    (stale / "x.light.svg").unlink()
    site.build(report.root)
    assert not (folder / "evidence/gone/x.light.svg").exists()


def test_the_same_inputs_give_the_same_site(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    folder = built(report)
    first = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for path in report.pages.rglob("*"):
        os.utime(path, (1, 1))
    site.build(report.root)
    again = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert again == first
    for name, data in first.items():
        assert str(report.root).encode() not in data, name


def test_headings_formulas_and_notes_are_what_they_should_be(report: Report) -> None:
    text = (built(report) / "part-1.html").read_text()
    assert re.search(r"<li>one</li>\s*<li>two</li>", text)
    assert "<em>not</em> zero" in text
    assert text.count("<figure") == 1
    assert "&ldquo;variance&rdquo;" in text
    assert "{{" not in text
    assert "$q$" not in text
