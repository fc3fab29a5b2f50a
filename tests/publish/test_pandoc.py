import pytest

from reportgen.errors import ReportgenError
from reportgen.publish import pandoc


def test_what_pandoc_made_and_what_it_warned_of_come_apart() -> None:
    made, told = pandoc.convert("--from=markdown", "--to=html", "--mathml", text="*Zoë* $\\x$")
    assert "<em>Zoë</em>" in made
    assert "Could not convert TeX math" in told


def test_a_text_that_pandoc_reads_for_hours_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pandoc, "SECONDS", 1)
    with pytest.raises(ReportgenError, match="not done after 1 s"):
        pandoc.convert("--from=markdown", "--to=html", text="^[" * 40)


def test_an_option_that_pandoc_does_not_know_is_told() -> None:
    with pytest.raises(ReportgenError, match="nonsense"):
        pandoc.convert("--to=nonsense")
