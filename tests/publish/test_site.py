import os
import re
from pathlib import Path
from typing import Any

import pytest
from material.plugins.search.plugin import SearchIndex
from mkdocs.structure.pages import Page
from publish.sample_report import CONTEXT, Report

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


def test_stand_in_data_is_said_on_every_page(report: Report) -> None:
    report.context = {**CONTEXT, "dataset": {**CONTEXT["dataset"], "fallback": True}}
    folder = built(report)
    said = '<p class="banner" role="note"><strong>Stand-in data.</strong> The data set asked for'
    for page in report.pages.glob("*.md"):
        assert said in folder.joinpath(f"{page.stem}.html").read_text(encoding="utf-8")


def test_a_missing_page_is_told_in_words(report: Report) -> None:
    assert "There is no such page" in (built(report) / "404.html").read_text()


def test_a_warning_of_mkdocs_is_an_error_and_the_last_site_stays(report: Report) -> None:
    folder = built(report)
    report.page("part-2.md", "# Two\n\n[a](nowhere.md) {{ cite('lu2020b') }}\n")
    report.render()
    for _ in range(2):  # what is kept of a build that failed hides nothing from the next
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
    first = content(folder)
    for path in report.pages.rglob("*"):
        os.utime(path, (1, 1))
    forget(report)
    site.build(report.root)
    assert content(folder) == first
    for name, data in first.items():
        assert str(report.root).encode() not in data, name


def forget(report: Report) -> None:
    """What is kept for the next build."""
    for name in ("site.stamp", "converted.pickle", "math.pickle"):
        (report.root / "build" / name).unlink()


def content(folder: Path) -> dict[Path, bytes]:
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_site_is_left_alone_until_something_it_depends_on_changes(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = built(report)

    def is_new() -> bool:
        (folder / "left").touch()
        site.build(report.root)
        return not (folder / "left").exists()

    assert not is_new()
    for name in ("mkdocs.yml", "build/pages/part-1.md", "docs/assets/report.css"):
        with (report.root / name).open("a") as file:
            file.write("\n")
        assert is_new(), name
    for name, value in (
        ("SITE_URL", "https://example.org/"),
        ("SOURCE_DATE_EPOCH", "1700000000"),
    ):
        monkeypatch.setenv(name, value)
        assert is_new(), name
    assert "https://example.org/part-1.html" in (folder / "part-1.html").read_text()
    (folder / "index.html").unlink()
    site.build(report.root)
    assert (folder / "index.html").is_file()


def test_a_file_whose_name_is_not_utf_8_is_shown_like_any_other(report: Report) -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    (report.docs / "assets" / name).write_text("as from an old zip")
    assert (built(report) / "assets" / name).is_file()


def test_only_the_page_that_changed_is_converted_and_the_site_is_the_same(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    converted, convert = [], Page.render
    indexed, index = [], SearchIndex.add_entry_from_context

    def converting(page: Page, config: Any, files: Any) -> None:
        converted.append(page.file.src_uri)
        convert(page, config, files)

    def indexing(search: SearchIndex, page: Page) -> None:
        indexed.append(page.file.src_uri)
        index(search, page)

    folder = built(report)
    monkeypatch.setattr(Page, "render", converting)
    monkeypatch.setattr(SearchIndex, "add_entry_from_context", indexing)
    text = "# Another\n\n[a](part-1.md) {{ cite('lu2020b') }}\n"
    report.page("part-2.md", text)
    built(report)
    assert converted == indexed == ["part-2.md"]
    report.page("part-2.md", f"---\nsearch:\n  exclude: true\n---\n{text}")
    built(report)
    assert converted == ["part-2.md"]  # the same words,
    assert indexed == ["part-2.md"] * 2  # which are no longer to be found
    once = content(folder)
    forget(report)
    site.build(report.root)
    assert content(folder) == once
    assert len(converted) > 5
    assert len(indexed) > 5


def test_a_link_into_a_page_that_lost_the_heading_is_told_though_only_that_page_changed(
    report: Report,
) -> None:
    report.page("part-2.md", "# Two\n\n## Here {: #here }\n\n{{ cite('lu2020b') }}\n")
    index = (report.docs / "index.md").read_text()
    report.page("index.md", f"{index}\n\n[there](part-2.md#here)\n")
    built(report)
    report.page("part-2.md", "# Two\n\n{{ cite('lu2020b') }}\n")
    report.render()
    with pytest.raises(ReportgenError, match=r"index\.md.*#here"):
        site.build(report.root)


def test_what_is_kept_from_the_last_build_may_be_damaged(report: Report) -> None:
    folder = built(report)
    names = ("part-1.html", "assets/math.css")
    first = [(folder / name).read_bytes() for name in names]
    (report.root / "build" / "site.stamp").unlink()
    for name in ("converted.pickle", "math.pickle"):
        (report.root / "build" / name).write_bytes(b"cut")
    site.build(report.root)
    assert [(folder / name).read_bytes() for name in names] == first


def test_headings_formulas_and_notes_are_what_they_should_be(report: Report) -> None:
    text = (built(report) / "part-1.html").read_text()
    assert re.search(r"<li>one</li>\s*<li>two</li>", text)
    assert "<em>not</em> zero" in text
    assert text.count("<figure") == 1
    assert "&ldquo;variance&rdquo;" in text
    assert "{{" not in text
    assert "$q$" not in text
