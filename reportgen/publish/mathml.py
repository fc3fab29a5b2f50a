"""LaTeX to MathML Core, at build time, in a form that Python-Markdown leaves alone."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from math_core import LatexError, LatexToMathML

from reportgen.publish.scan import spans

_converter = LatexToMathML(fancy_error=False)
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()!|~^'\"-]")

# A browser may break a line between a formula and the comma after it.
_AFTER = re.compile(r"(?:['’-]\w+)?[.,;:?)]*")


class MathError(Exception):
    """A formula that does not convert; the message quotes it."""


def shield(text: str) -> str:
    """Escape what Markdown would read in text that is HTML already, as numeric entities."""
    return _MARKDOWN.sub(lambda match: f"&#{ord(match[0])};", text)


def verbatim(text: str) -> str:
    """Text of the user's, as HTML that no Markdown, MathJax or neighbour's direction alters."""

    def hide(match: re.Match[str]) -> str:
        entity = f"&#{ord(match[0])};"
        # A notebook looks for formulas in what it shows, but not across elements.
        return f"<span>{entity}</span>" if match[0] in "$\\" else entity

    hidden = re.sub(r"[^\w ]|_", hide, text)
    return f"<bdi>{hidden}</bdi>"


@dataclass(frozen=True)
class Formula:
    """A formula in a text, with the punctuation around it that must stay on its line."""

    latex: str
    display: bool = False
    before: str = ""
    after: str = ""


@lru_cache(maxsize=4096)
def to_mathml(formula: Formula) -> str:
    """A formula as MathML, on one line, with its punctuation.

    It stands in a span since Python-Markdown takes a line that begins with `<math>` for a block.

    Raises:
        MathError: The formula is not LaTeX that math-core knows.
    """
    latex = " ".join(formula.latex.split())
    try:
        mathml = _converter.convert_with_local_state(latex, displaystyle=formula.display)
    except LatexError as error:
        reason = re.sub(r"^\d+: ", "", str(error)).rstrip(".")
        raise MathError(f"the formula ${latex}$ does not convert: {reason}") from None
    mathml = re.sub(r">([^<]+)<", lambda match: f">{shield(match[1])}<", mathml)
    kind = "math-block" if formula.display else "math"
    return f'<span class="{kind}">{formula.before}{mathml}{formula.after}</span>'


def replace(text: str, draw: Callable[[Formula], str]) -> tuple[str, list[int]]:
    r"""Put what `draw` makes of each formula in its place, and a plain `$` for each `\$`.

    Code and Jinja are left alone. Returns also the positions of dollars that open no formula.
    """
    out: list[str] = []
    lone: list[int] = []
    end = 0
    for kind, match in spans(text):
        start, before, after = match.start(), "", ""
        if kind == "inline":
            after = _AFTER.match(text, match.end())[0]  # type: ignore[index]  # it matches nothing too
            if end < start and text[start - 1] == "(" and text[start - 2 : start - 1] != "]":
                start, before = start - 1, "("
        if kind in ("display", "inline"):
            body = draw(Formula(match[kind], kind == "display", before, after))
        elif match[0] == r"\$":
            body = "&#36;"
        else:
            lone += [start] if kind == "dollar" else []
            continue
        out += [text[end:start], body]
        end = match.end() + len(after)
    return "".join([*out, text[end:]]), lone


def mark(page: str) -> tuple[str, list[int]]:
    """Wrap each formula of a page in a Jinja call block, on the same lines.

    Formulas may hold placeholders, so Jinja renders them first and hands over the result. Returns
    the page and the positions of dollars that open no formula.
    """
    return replace(
        page,
        lambda it: (
            f"{{% call math_({it.display}, {it.before!r}, {it.after!r}) %}}"
            f"{it.latex}{{% endcall %}}"
        ),
    )


def convert(text: str) -> str:
    """Convert the formulas of Markdown without Jinja (captions, sentences of claims).

    Raises:
        MathError: As `to_mathml`.
    """
    return replace(text, to_mathml)[0]
