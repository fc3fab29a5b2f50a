import subprocess
from pathlib import Path

import pytest
from publish.sample_report import BIB, Report

from reportgen.errors import InputError
from reportgen.publish.citations import load


def test_labels_are_author_and_year_and_tell_equal_ones_apart(report: Report) -> None:
    known = load(report.docs / "references.bib", report.root / "build" / "citations.pickle")
    assert known.labels["he2015"] == ("He et al.", "2015")
    assert known.labels["glorot2010"] == ("Glorot and Bengio", "2010")
    assert {known.labels["lu2020"][1], known.labels["lu2020b"][1]} == {"2020a", "2020b"}


def test_citations_link_to_the_list(report: Report) -> None:
    report.render()
    page = report.text("part-1.md")
    assert '<a class="cite" href="references.html#ref-he2015">He et al. (2015)</a>' in page
    assert (
        '(<a class="cite" href="references.html#ref-glorot2010">Glorot and Bengio, 2010</a>; '
        in page
    )
    references = report.text("references.md")
    assert references.count("<li id=") == 4
    for address in ("doi.org/10.1109/ICCV.2015.123", "arxiv.org/abs/1502.01852", "proceedings.mlr"):
        assert f'href="https://{address}' in references


def test_entries_that_nobody_cites_are_told(report: Report) -> None:
    assert report.render().uncited == ()
    report.page("part-2.md", "# Two\n")
    assert report.render().uncited == ("lu2020b",)


def test_pandoc_is_asked_again_only_when_the_file_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bib, cache = tmp_path / "references.bib", tmp_path / "citations.pickle"
    bib.write_text(BIB)
    first = load(bib, cache)
    calls: list[object] = []
    popen = subprocess.Popen

    def counted(*args: object, **options: object) -> object:
        calls.append(args)
        return popen(*args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", counted)
    assert load(bib, cache) == first
    assert not calls
    bib.write_text(BIB.replace("year={2015}", "year={2016}"))
    assert load(bib, cache).labels["he2015"][1] == "2016"
    assert calls


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    bib, cache = tmp_path / "references.bib", tmp_path / "citations.pickle"
    bib.write_text(BIB)
    cache.write_text("{torn")
    assert "he2015" in load(bib, cache).labels


def test_a_bibliography_that_unfolds_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "references.bib"
    doubled = "".join(f"@string{{a{i + 1} = a{i} # a{i}}}\n" for i in range(40))
    path.write_text(f'@string{{a0 = "x"}}\n{doubled}@misc{{he, title = a40}}')
    with pytest.raises(InputError, match="Heap exhausted"):
        load(path, tmp_path / "cache.json")


def test_a_broken_bibliography_is_told(tmp_path: Path) -> None:
    bib = tmp_path / "references.bib"
    bib.write_text("@article{he2015, title={open")
    with pytest.raises(InputError, match=r"references\.bib cannot be read"):
        load(bib, tmp_path / "citations.pickle")
