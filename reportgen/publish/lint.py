"""What may not be typed in the prose: numbers, verdicts, and what pandoc does not read.

Measured numbers come by placeholder and verdicts by claim, so that neither can go stale. Only the
prose is read, of the pages and of docs/experiments/: code, formulas, Jinja, HTML tags and the
targets of links are blanked first.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from reportgen.publish.faults import Fault
from reportgen.publish.files import read_text
from reportgen.publish.pages import Rendered, read_nav
from reportgen.publish.scan import line_of, spans

_NOT_PROSE = re.compile(
    r"""\A---\n.*?\n---\n          # front matter
    | (?<=\])\([^)\s]*[^)]*\)      # the target of a link
    | ^\s*\[[^\]]+\]:.*$           # a reference definition
    | <[^>\n]+>                    # tags and autolinks
    | https?://\S+
    | \{:?\s*[#.][^}\n]*\}         # attributes
    | ^[ \t]*\d+[.)](?=\s)         # the marker of a list
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_DIGITS = re.compile(r"\w*\d[\w.,%]*")
_ADMONITION = re.compile(r"^[ \t]*(?:!!!|\?\?\?\+?)\s.*$", re.MULTILINE)
_COMPARES = re.compile(
    r"\b(better|worse|faster|slower|outperform\w*|beats?|best|worst|superior)\b", re.IGNORECASE
)
_INITIALIZER = re.compile(
    r"\b(He|HeNormal|Glorot\w*|Xavier|Kaiming|LeCun|Lecun\w*|[Oo]rthogonal|[Nn]ormal"
    r"|[Zz]eros?|[Ii]nitiali[sz]\w*|[Rr]andom(?:Normal)?)\b"
)
_SENTENCE = re.compile(
    r"(?:(?!\n[ \t]*\n|\n[ \t]*(?:[-*+#|>]|\d+\.)\s|[.?!:][\s)\"”*_]).)+[.?!:]?", re.S
)
_INTERVAL = re.compile(r"\b95\s?%")  # how all intervals are made; no measured number
_EXCUSE = re.compile(r"\{#-?\s*lint:\s*\w.*?#\}")


def check(docs: Path, *, rendered: Rendered | None = None) -> list[Fault]:
    """Read all prose; with `rendered`, also say which references nobody cites.

    A comparative word stands outside claims only in a question, in a sentence that names no
    initializer, or on a line that says why: `{# lint: a theorem, not a measurement #}`.
    """
    faults: list[Fault] = []
    for page in read_nav(docs):
        faults += _page(f"docs/{page}", read_text(docs / page))
    for path in sorted((docs / "experiments").glob("*.toml")):
        faults += _wording(f"docs/experiments/{path.name}", read_text(path))
    for key in rendered.uncited if rendered else ():
        faults.append(Fault("docs/references.bib", 1, f"no page cites {key!r}", "cite or drop it"))
    return faults


def _page(page: str, source: str, *, compares: bool = True) -> Iterator[Fault]:
    prose = _NOT_PROSE.sub(_blank, _blank_spans(source))
    for match in _DIGITS.finditer(prose):
        mend = "use a placeholder, words, math or code"
        yield Fault(page, line_of(prose, match.start()), f"a typed number: {match[0]!r}", mend)
    for match in _ADMONITION.finditer(prose):
        mend = 'use {% call note("Title") %}…{% endcall %}'
        yield Fault(page, line_of(prose, match.start()), f"admonition: {match[0].strip()!r}", mend)
    lines = source.splitlines()
    for sentence in _SENTENCE.finditer(prose) if compares else ():
        if sentence[0].endswith("?") or not _INITIALIZER.search(sentence[0]):
            continue
        for match in _COMPARES.finditer(sentence[0]):
            line = line_of(prose, sentence.start() + match.start())
            if not _EXCUSE.search(lines[line - 1]):
                text = f"{match[0]!r} said of an initializer outside a claim"
                yield Fault(page, line, text, "make it a claim, or say why: {# lint: … #}")


def _wording(page: str, source: str) -> Iterator[Fault]:
    """What is typed in an experiment's words; its claims' sentences may compare."""
    try:
        words = {key: [*_strings(text)] for key, text in tomllib.loads(source).items()}
    except (ValueError, RecursionError) as error:
        yield Fault(page, 1, str(error), "mend that line")
        return
    for key, texts in words.items():
        for said in texts:
            above = line_of(source, max(source.find(said), 0)) - 1
            for fault in _page(page, _INTERVAL.sub(_blank, said), compares=key != "claims"):
                yield replace(fault, line=fault.line + above)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else ():
        yield from _strings(item)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _blank_spans(source: str) -> str:
    prose = source
    for kind, match in spans(source):
        if kind not in ("escape", "dollar"):  # what is blanked keeps its length
            prose = prose[: match.start()] + _blank(match) + prose[match.end() :]
    return prose
