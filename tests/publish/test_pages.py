import os
from pathlib import Path

import pytest
from publish.sample_report import CONTEXT, FORWARD, Report

from reportgen.errors import InputError
from reportgen.publish import numbers
from reportgen.publish.pages import read_nav, render


def faults(report: Report, page: str, text: str) -> str:
    report.page(page, text)
    with pytest.raises(InputError) as caught:
        report.render()
    return caught.value.message


def test_placeholders_become_numbers(report: Report) -> None:
    report.render()
    assert "scores\n0.1135;" in report.text("index.md")
    assert "48,000 images, ten times." in report.text("methods.md")


def test_exhibits_are_numbered_through_the_report_and_referred_to_across_pages(
    report: Report,
) -> None:
    rendered = report.render()
    assert {id: str(exhibit) for id, exhibit in rendered.exhibits.items()} == {
        "curves": "Figure 1",
        "accuracy": "Table 1",
        "forward-variance": "Figure 2",
        "angles": "Figure 3",
    }
    forward = '<a class="ref" href="part-1.html#figure-forward-variance">Figure&nbsp;2</a>'
    assert forward in report.text("index.md")
    assert 'href="index.html#table-accuracy">Table&nbsp;1</a>' in report.text("part-2.md")


def test_the_nav_is_the_order_of_the_numbers(report: Report) -> None:
    nav = report.root / "mkdocs.yml"
    text = nav.read_text()
    first, second = "  - The answer: index.md\n", "  - Part one · Why it matters: part-1.md\n"
    assert first + second in text
    nav.write_text(text.replace(first + second, second + first))
    assert str(report.render().exhibits["forward-variance"]) == "Figure 1"


def test_figures_of_a_page_are_numbered_as_they_appear(report: Report) -> None:
    report.page("part-2.md", "# Two\n\n{{ figure('angles') }}\n\n{{ cite('lu2020b') }}\n")
    report.page("part-1.md", "# One\n\n{{ ref('angles') }}\n")
    exhibits = report.render().exhibits
    assert str(exhibits["angles"]) == "Figure 2"
    assert str(exhibits["forward-variance"]) == "Figure 3"
    assert exhibits["forward-variance"].page == "experiments.md"


def test_a_figure_has_both_drawings_one_name_and_its_size(report: Report) -> None:
    report.render()
    page = report.text("index.md")
    figure = page[page.index("<figure") : page.index("</figure>")]
    assert 'id="figure-curves"' in figure
    assert 'src="evidence/assignment/curves.light.svg#only-light" alt="Accuracy' in figure
    assert 'src="evidence/assignment/curves.dark.svg#only-dark" alt="" aria-hidden' in figure
    assert figure.count(' width="614" height="326"') == 2
    assert "<strong>Figure 1.</strong>" in figure
    assert 'href="evidence/assignment/curves.csv"' in figure


def test_a_caption_is_markdown_with_math_and_an_alt_text_is_escaped(report: Report) -> None:
    report.render()
    page = report.text("part-1.md")
    assert "signal&rsquo;s length; <em>Glorot</em> halves" in page
    assert "<math><msup><mn>2</mn>" in page
    assert "&#91;the other&#93; falling &#124; steeply" in page


def test_numeric_columns_are_aligned_on_the_point(report: Report) -> None:
    report.render()
    page = report.text("index.md")
    assert '<td class="num">0.1135\u2007</td>' in page
    assert '<td class="num">0.930\u2007\u2007</td>' in page
    assert '<td class="num">0.97661</td>' in page
    assert 'role="region" aria-label="Table 1" tabindex="0"' in page
    assert "<code>HeNormal</code>" in page


def test_a_claim_reads_as_its_sentence_and_leads_to_its_row(report: Report) -> None:
    report.render()
    page = report.text("index.md")
    assert "He and Glorot end within two tenths of a percentage point.&#8288;" in page
    assert 'class="claim__mark inconclusive" href="claims.html#claim-he-glorot"' in page
    claims = report.text("claims.md")
    assert '<tr id="claim-he-glorot">' in claims
    assert '<span class="verdict inconclusive">○ inconclusive</span>' in claims
    assert 'href="index.html#said-he-glorot"' in claims
    assert 'href="index.html#table-accuracy">Table&nbsp;1</a>' in claims


def test_rendered_tells_what_the_prose_assumes_and_what_it_leaves_out(report: Report) -> None:
    rendered = report.render()
    assert [(p.claim, p.assumes, p.verdict, p.page, p.line) for p in rendered.mismatches] == [
        ("zero-learns", "supported", "contradicted", "docs/part-3.md", 5)
    ]
    assert rendered.unplaced == ()
    report.page("part-3.md", "# Part three\n")
    assert report.render().unplaced == ("zero-learns",)


def test_the_experiments_page_draws_only_what_stands_nowhere_else(report: Report) -> None:
    report.render()
    page = report.text("experiments.md")
    assert 'id="figure-angles"' in page
    assert 'id="figure-forward-variance"' not in page
    assert 'href="part-1.html#figure-forward-variance"' in page
    assert "Runs: 10, seeds 0–9, 3 s of training." in page
    assert "Runs: 40, seeds 0–9.\n" in page


def test_notes_and_questions_hold_markdown(report: Report) -> None:
    report.render()
    page = report.text("part-1.md")
    assert '<div class="note" role="note" markdown="1">' in page
    assert '<details class="predict" markdown="1">' in page
    assert "<summary><span>Predict first</span> How small is <span" in page


def test_code_is_drawn_from_the_package(report: Report) -> None:
    report.render()
    page = report.text("part-3.md")
    assert '```python title="reportgen/publish/numbers.py"\ndef percent(' in page
    assert page.count("def ") == 1


def test_scientific_notation_works_inside_a_formula_and_outside(report: Report) -> None:
    report.page(
        "part-2.md", "# Two\n\n$x = {{ values.forward.tiny | sci }}$\n{{ 0.002 | sci(0) }}\n"
    )
    report.render()
    assert report.text("part-2.md").count("<math>") == 2


def test_every_fault_of_every_page_is_listed_with_line_and_nearest_name(report: Report) -> None:
    report.page("part-2.md", "# Two\n\n{{ ref('acuracy') }}\n\n{{ cite('he2016') }}\n")
    message = faults(
        report,
        "part-3.md",
        "# Three\n\n{{ values.assignment.arms.hee.accuracy | fixed(2) }}\n\n"
        '{{ figure("curvs") }}\n\n{{ claim("he-gloro", assumes="suported") }}\n\n'
        "$\\nonsense$ and a lone $ sign\n\n{{ vlues.x }}\n"
        '\n{{ source("publish/numbers.py", "precent") }}\n',
    )
    for line in (
        "docs/part-2.md:3: there is no figure or table 'acuracy'; nearest: accuracy",
        "docs/part-2.md:5: references.bib has no entry 'he2016'; nearest: he2015",
        "docs/part-3.md:3: values.assignment.arms.hee does not exist; nearest: he",
        "docs/part-3.md:5: there is no figure 'curvs'; nearest: curves",
        "docs/part-3.md:7: a claim cannot be 'suported'; nearest: supported",
        "docs/part-3.md:7: there is no claim 'he-gloro'; nearest: he-glorot",
        "docs/part-3.md:9: the formula $\\nonsense$ does not convert",
        "docs/part-3.md:9: a dollar that opens no formula; write \\$",
        "docs/part-3.md:11: vlues does not exist; nearest: values",
        "docs/part-3.md:13: publish/numbers.py defines no 'precent'; nearest: percent",
    ):
        assert line in message
    assert message.startswith("faults in the pages (10):")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("# A\n\n{% if x %}", "docs/part-3.md:3: "),
        ('# A\n\n{{ figur("curves") }}', "docs/part-3.md:3: figur does not exist; nearest: figure"),
        ("# A\n\n\n{{ values.forward | fixed(1) }}", "docs/part-3.md:4: a number is needed"),
        ('# A\n\n{{ claim("he-glorot") }}', "assumes"),
        ('# A\n\n{{ figure("curves") }}', "'curves' stands in docs/index.md already; refer to it"),
        ("# A\n\n{{ values.forward.slope['hi'] }}", "values.forward.slope.hi does not exist"),
        ("# A\n\n{{ dataset.title.x }}", "docs/part-3.md:3: 'str object' has no attribute 'x'"),
        ("# A\n\n{{ [].pop() }}", "docs/part-3.md:3: pop from empty list"),
        ("# A\n\n{{ '{a}'.format() }}", "docs/part-3.md:3: 'a'"),
        ("# A\n\n{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "docs/part-3.md:"),
        ('# A\n\n{{ source("../mkdocs.yml", "x") }}', "docs/part-3.md:3: the package has no file"),
    ],
)
def test_a_broken_placeholder_is_told_with_its_line(report: Report, text: str, fault: str) -> None:
    assert fault in faults(report, "part-3.md", text)


def test_a_value_wins_over_a_method_of_its_name(report: Report) -> None:
    report.page("part-2.md", "# {{ experiments.forward.values.layers }} {{ cite('lu2020b') }}\n")
    report.render()
    assert report.text("part-2.md").startswith("# 10 ")


def test_nothing_is_written_when_a_page_fails(report: Report) -> None:
    report.render()
    before = {path: path.read_bytes() for path in report.pages.glob("*.md")}
    report.page("index.md", "# New\n")
    faults(report, "part-3.md", "{{ nothing }}")
    assert {path: path.read_bytes() for path in report.pages.glob("*.md")} == before


def test_only_pages_that_changed_are_written_and_stale_ones_removed(report: Report) -> None:
    assert set(report.render().changed) == set(read_nav(report.docs))
    (report.pages / "old.md").write_text("old")
    for path in report.pages.glob("*.md"):
        os.utime(path, (1, 1))
    report.page("part-2.md", "# Two\n\nNew prose {{ cite('lu2020b') }}\n")
    assert set(report.render().changed) == {"part-2.md", "old.md"}
    assert (report.pages / "part-1.md").stat().st_mtime == 1
    assert not (report.pages / "old.md").exists()


def test_what_is_kept_compiled_of_a_page_holds_no_value(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    report.page("part-2.md", "# Two\n\n{{ 0.05 | fixed }} {{ cite('lu2020b') }}\n")
    report.render()
    assert "\n0 (" in report.text("part-2.md")
    monkeypatch.setitem(numbers.FILTERS, "fixed", lambda *_: "by another filter")
    report.render()
    assert "by another filter" in report.text("part-2.md")


def test_pages_and_nav_must_agree(report: Report) -> None:
    message = faults(report, "extra.md", "# Extra\n")
    assert "docs/extra.md:1: the nav of mkdocs.yml does not name this page" in message
    (report.docs / "extra.md").rename(report.docs / "part-2.md")
    (report.docs / "methods.md").unlink()
    with pytest.raises(InputError, match=r"names methods.md, which docs/ has not"):
        report.render()


@pytest.mark.parametrize("more", [b"on: 2026-13-45", b"at: \xff", b"x: " + b"[" * 5000, b"nav: 1"])
def test_a_nav_that_yaml_cannot_read_is_told(report: Report, more: bytes) -> None:
    with (report.root / "mkdocs.yml").open("ab") as file:
        file.write(b"\n" + more + b"\n")
    with pytest.raises(InputError, match=r"mkdocs\.yml cannot be read"):
        report.render()


def test_that_data_stand_in_is_said_below_the_front_matter(report: Report) -> None:
    report.context = {**CONTEXT, "dataset": {**CONTEXT["dataset"], "fallback": True}}
    report.render()
    page = report.text("claims.md")
    assert page.startswith('---\nhide: [toc]\n---\n<p class="banner"')
    assert "computed from MNIST (48,000 images to train on, 10,000 to test on)" in page


def test_the_same_inputs_give_the_same_bytes(report: Report, tmp_path: Path) -> None:
    report.render()
    again = tmp_path / "elsewhere" / "pages"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "evidence").symlink_to(report.root / "build" / "evidence")
    render(report.docs, again, evidence=report.evidence, context=report.context)
    for path in report.pages.glob("*.md"):
        assert path.read_bytes() == (again / path.name).read_bytes()
        assert str(report.root) not in path.read_text()


def test_an_id_used_by_two_experiments_is_refused(report: Report) -> None:
    report.evidence["again"] = {**FORWARD, "name": "again"}
    with pytest.raises(InputError, match=r"build/evidence/again:1: the id 'angles' is used"):
        report.render()
