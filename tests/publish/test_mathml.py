import markdown
import pytest

from reportgen.publish.mathml import Formula, MathError, convert, mark, to_mathml

PAGE_EXTENSIONS = ["attr_list", "md_in_html", "tables", "smarty", "pymdownx.superfences"]


def html(text: str) -> str:
    return str(markdown.markdown(convert(text), extensions=PAGE_EXTENSIONS))


def test_formulas_become_mathml_and_code_stays() -> None:
    text = "so $q$ and `code $q$`\n\n```python\nprice = '$q$'\n```\n"
    assert convert(text).count("<math>") == 1
    assert "`code $q$`" in convert(text)
    assert "price = '$q$'" in convert(text)


def test_an_escaped_dollar_stays_a_dollar_and_prices_are_no_formula() -> None:
    assert html(r"costs \$5 or \$6") == "<p>costs &#36;5 or &#36;6</p>"
    assert mark("a lone $ sign")[1] == [7]


def test_display_math_is_a_block_on_one_line() -> None:
    shown = convert("by\n\n$$\nx =\n  1\n$$\n\nso")
    assert '<span class="math-block"><math display="block">' in shown
    assert len([line for line in shown.splitlines() if "<math" in line]) == 1


@pytest.mark.parametrize(
    "latex", ["a_1 b_2 * c_3 * d", r"|x| \text{ in } [a](b) `c` \backslash", r"f'(x)^{*} ~ 1--2"]
)
def test_text_inside_math_survives_markdown(latex: str) -> None:
    inside = to_mathml(Formula(latex))
    plain = html(f"${latex}$").removeprefix("<p>").removesuffix("</p>")
    assert plain == inside
    row = html(f"| a | b |\n|---|---|\n| ${latex}$ | 2 |")
    assert row.count("<td>") == 2
    assert inside in row


def test_a_line_that_begins_with_a_formula_stays_in_its_paragraph() -> None:
    assert html("$q$ is *halved*,\n$q$ again").count("<p>") == 1
    assert "<em>halved</em>" in html("$q$ is *halved*")


def test_punctuation_stays_on_the_line_of_its_formula() -> None:
    assert convert("($q$), $10^5$-fold.").startswith('<span class="math">(<math>')
    assert "</math>),</span>" in convert("($q$), then")
    assert "</math>-fold.</span>" in convert("$10^5$-fold.")
    assert "](part-2.md)" in convert("[see $q$](part-2.md)")


def test_commands_that_the_answer_needs_are_known() -> None:
    for latex in (
        r"\begin{aligned} a &= \sqrt{\frac{2}{n}} \\ &= \boxed{1} \end{aligned}",
        r"\operatorname{Var}[w] \ne \mathbb{E}\Big[x^2\Big], \text{so } \mathcal{N}(0, \sigma^2)",
        r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}",
    ):
        assert to_mathml(Formula(latex, display=True))


def test_a_formula_that_does_not_convert_is_told() -> None:
    with pytest.raises(MathError, match=r"\\nonsense"):
        to_mathml(Formula(r"\nonsense x"))
