"""LaTeX to MathML Core, at build time, in a form that Python-Markdown leaves alone."""

import re
from functools import lru_cache

from math_core import LatexError, LatexToMathML

from reportgen.publish.scan import spans

_converter = LatexToMathML(fancy_error=False)
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()!|~^'\"-]")


class MathError(Exception):
    """A formula that does not convert; the message quotes it."""


def shield(text: str) -> str:
    """Escape what Markdown would read in text that is HTML already, as numeric entities."""
    return _MARKDOWN.sub(lambda match: f"&#{ord(match[0])};", text)


@lru_cache(maxsize=4096)
def to_mathml(latex: str, *, display: bool = False) -> str:
    """One formula as MathML, on one line.

    It stands in a span since Python-Markdown takes a line that begins with `<math>` for a block.

    Raises:
        MathError: The formula is not LaTeX that math-core knows.
    """
    latex = " ".join(latex.split())
    try:
        mathml = _converter.convert_with_local_state(latex, displaystyle=display)
    except LatexError as error:
        reason = re.sub(r"^\d+: ", "", str(error)).rstrip(".")
        raise MathError(f"the formula ${latex}$ does not convert: {reason}") from None
    mathml = re.sub(r">([^<]+)<", lambda match: f">{shield(match[1])}<", mathml)
    return f'<span class="{"math-block" if display else "math"}">{mathml}</span>'


def mark(source: str) -> tuple[str, list[int]]:
    """Wrap each formula of a page in a Jinja call block, on the same lines.

    Formulas may hold placeholders, so Jinja renders them first and hands over the result. Returns
    the page and the positions of dollars that open no formula.
    """
    out: list[str] = []
    lone: list[int] = []
    end = 0
    for kind, match in spans(source):
        if kind in ("display", "inline"):
            body = f"{{% call math_({kind == 'display'}) %}}{match[kind]}{{% endcall %}}"
        elif match[0] == r"\$":
            body = "&#36;"
        else:
            lone += [match.start()] if kind == "dollar" else []
            continue
        out += [source[end : match.start()], body]
        end = match.end()
    return "".join([*out, source[end:]]), lone


def convert(text: str) -> str:
    """Convert the formulas of Markdown without Jinja (captions, sentences of claims).

    Raises:
        MathError: As `to_mathml`.
    """
    out: list[str] = []
    end = 0
    for kind, match in spans(text):
        if kind in ("display", "inline"):
            body = to_mathml(match[kind], display=kind == "display")
        elif match[0] == r"\$":
            body = "&#36;"
        else:
            continue
        out += [text[end : match.start()], body]
        end = match.end()
    return "".join([*out, text[end:]])
