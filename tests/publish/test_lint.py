import pytest
from publish.sample_report import Report

from reportgen.errors import InputError
from reportgen.publish import lint


def told(report: Report, text: str) -> list[str]:
    report.page("part-2.md", text)
    return [str(fault) for fault in lint.check(report.docs) if "part-2" in fault.page]


@pytest.mark.parametrize(
    "text",
    [
        "It reached 97.66 in the end.",
        "Part 2 of the text.",
        "He2015 is no citation.",
        "A ten-fold gain, 3x in all.",
        "## Heading 3",
    ],
)
def test_a_typed_number_is_found(report: Report, text: str) -> None:
    (fault,) = told(report, f"# Two\n\n{text}\n")
    assert fault.startswith("docs/part-2.md:3: a typed number: '")


@pytest.mark.parametrize(
    "text",
    [
        "It reached {{ values.x | fixed(4) }} at {# 3 #} the end.",
        "Since $n = 784$ and\n\n$$\nx^2 = 4\n$$\n",
        "Run `Dense(128)`:\n\n```python\nepochs = 10\n```\n",
        "See [Part one](part-1.md#h2) or <https://example.org/v2>.",
        '<a id="n1">x</a> { #anchor-2 }',
        "1. first\n2. second",
        "[x]: https://example.org/2020",
        '{% call note("Two of 3") %}\ntext\n{% endcall %}',
    ],
)
def test_digits_that_are_no_measured_number_pass(report: Report, text: str) -> None:
    assert told(report, f"---\ndate: 2026\n---\n# Two\n\n{text}\n") == []


def test_admonitions_are_found_since_pandoc_reads_none(report: Report) -> None:
    faults = told(report, '# Two\n\n!!! note "Title"\n    text\n\n??? tip\n    x\n')
    assert [fault.split(":")[1] for fault in faults] == ["3", "6"]
    assert "call note" in faults[0]


@pytest.mark.parametrize(
    "text",
    [
        "He is better than Glorot here.",
        "Trained\nwith Xavier, the net learns faster.",
        "Orthogonal weights outperform the others.",
        "- zero is the worst start",
    ],
)
def test_comparing_initializers_outside_a_claim_is_found(report: Report, text: str) -> None:
    (fault,) = told(report, f"# Two\n\n{text}\n")
    assert "of an initializer outside a claim" in fault


@pytest.mark.parametrize(
    "text",
    [
        "Is He only faster, or better in the end?",
        "A faster computer helps. He's formula has a two.",
        "A better bound exists.",
        "By theory He is better in depth. {# lint: a theorem, not a measurement #}",
        '{{ claim("he-better", assumes="supported") }} This holds for Glorot too.',
        "- the best loss\n- a zero start",
    ],
)
def test_comparisons_that_assert_nothing_of_an_initializer_pass(report: Report, text: str) -> None:
    assert told(report, f"# Two\n\n{text}\n") == []


def test_an_excuse_needs_a_reason(report: Report) -> None:
    assert told(report, "# Two\n\nHe is better. {# lint: #}\n")


def told_of_words(report: Report, text: str) -> list[str]:
    folder = report.docs / "experiments"
    folder.mkdir()
    (folder / "trial.toml").write_text(text, encoding="utf-8")
    return [str(fault) for fault in lint.check(report.docs)]


@pytest.mark.parametrize("key", ["title", "alt", "supported"])
def test_a_typed_number_is_found_in_an_experiments_words(report: Report, key: str) -> None:
    head = "# of 2026\nsetup = '''\nIt is so.'''\n[claims.x1]\n"
    faults = told_of_words(report, f"{head}{key} = '''\nUp to\n97.66 and 3.'''\n")
    assert [fault.split("; ")[0] for fault in faults] == [
        "docs/experiments/trial.toml:7: a typed number: '97.66'",
        "docs/experiments/trial.toml:7: a typed number: '3.'",
    ]


def test_an_experiments_words_may_hold_placeholders_formulas_code_and_95_percent(
    report: Report,
) -> None:
    text = r"""
[figures.trial-2]
caption = '''
**At {{ arms.he2 | fixed(4) }}** (95 % interval, 95%, and 95
%) of $\mathcal N(0, 1)$ and `Dense(128)`,
$\frac{1}{ {2} }$.'''
alt = "From {{ low | short }} {% if n > 3 %}on{% endif %}."
"""
    assert told_of_words(report, text) == []


def test_another_percentage_is_a_typed_number(report: Report) -> None:
    (fault,) = told_of_words(report, 'title = "A"\nsetup = "The 90 % interval."\n')
    assert fault.startswith("docs/experiments/trial.toml:2: a typed number: '90'")


def test_captions_compare_no_initializers_and_claims_may(report: Report) -> None:
    words = "'''\nHe is\nfaster than Glorot.'''"
    text = f"[claims.a]\nsupported = {words}\n[figures.b]\ncaption = '''\nHe is worse.'''\n"
    (fault,) = told_of_words(report, text + 'alt = "He is better. {# lint: a theorem #}"\n')
    assert fault.startswith("docs/experiments/trial.toml:7: 'worse' said of an initializer")


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 5000, "x = " + "9" * 5000, ".".join("x" * 5000) + " = 0"]
)
def test_words_beyond_python_are_a_fault(report: Report, text: str) -> None:
    (report.docs / "experiments").mkdir()
    (report.docs / "experiments" / "forward.toml").write_text(text)
    assert any("forward.toml:1" in str(fault) for fault in lint.check(report.docs))


def test_words_that_are_no_toml_are_a_fault(report: Report) -> None:
    (fault,) = told_of_words(report, "title = \n")
    assert fault.startswith("docs/experiments/trial.toml:1: Invalid value (at line 1")


def test_entries_that_nobody_cites_are_told(report: Report) -> None:
    report.page("part-2.md", "# Two\n")
    faults = lint.check(report.docs, rendered=report.render())
    assert [str(fault) for fault in faults] == [
        "docs/references.bib:1: no page cites 'lu2020b'; cite or drop it"
    ]


def test_the_sample_pages_pass(report: Report) -> None:
    assert lint.check(report.docs, rendered=report.render()) == []


def test_a_page_that_is_not_utf_8_is_told_by_its_path(report: Report) -> None:
    (report.docs / "part-2.md").write_bytes(b"# Zo\xeb\n")
    with pytest.raises(InputError, match=r"part-2\.md is not UTF-8"):
        lint.check(report.docs)
    with pytest.raises(InputError, match=r"part-2\.md is not UTF-8"):
        report.render()
