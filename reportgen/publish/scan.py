"""Where in a page is code, Jinja, or math: one scanner for the math and for the lint.

The rules for dollars are pandoc's, so that the site and the exports read a page alike: an opening
dollar stands before a character, a closing one after a character and not before a digit.
"""

import re
from collections.abc import Iterator

# A Jinja tag inside a formula is one piece, so that a dollar or brace in it ends nothing.
_PIECE = r"(?>\{\{.*?\}\}|\{%.*?%\}|\\.|(?!\n[ \t]*\n)[^$\\])"
_SPANS = re.compile(
    rf"""
      (?P<fence> ^[ \t>]*(?P<ticks>`{{3,}}|~{{3,}})[^\n]*\n .*? (?:^[ \t>]*(?P=ticks)[ \t]*$ | \Z))
    | (?P<raw> \{{%-?\s*raw\b.*?\bendraw\s*-?%\}})
    | (?P<comment> \{{\#.*?\#\}})
    | (?P<jinja> \{{\{{.*?\}}\}} | \{{%.*?%\}})
    | (?P<code> (?<!`)(?P<tick>`+)(?!`) (?:(?!\n[ \t]*\n).)+? (?<!`)(?P=tick)(?!`))
    | (?P<escape> \\.)
    | \$\$(?P<display> {_PIECE}+? )\$\$
    | \$(?![\s$])(?P<inline> {_PIECE}+? )(?<!\s)\$(?!\d)
    | (?P<dollar> \$)
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


def spans(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """Every special span of Markdown with Jinja, in order, as (kind, match).

    Kinds: fence, raw, comment, jinja, code, escape, display, inline (math; the formula is the
    group of that name), dollar (one that opens nothing).
    """
    for match in _SPANS.finditer(text):
        assert match.lastgroup  # every alternative ends with a named group
        yield match.lastgroup, match


def line_of(text: str, position: int) -> int:
    """The line, from 1, that holds a character."""
    return text.count("\n", 0, position) + 1
