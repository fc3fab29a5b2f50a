"""The macros drawn for the website: HTML that stands in plain Markdown.

Blocks begin a line and hold no blank line, so that Python-Markdown takes them as they are; what is
put into running text is shielded from it.
"""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import markdown

from reportgen.publish import numbers
from reportgen.publish.book import Exhibit
from reportgen.publish.macros import Macros
from reportgen.publish.mathml import Formula, MathError, convert, shield, to_mathml

# Shapes, so that a verdict is told without colour.
MARKS = {"supported": "✓", "contradicted": "✕", "inconclusive": "○"}
_CLAIM_COLUMNS = ("Claim", "Verdict", "Effect [95% interval]", "n", "Decided by", "Evidence")
_NUMBER = re.compile(r"[+−-]?[\d,]+(\.\d+)?")
_BLANK = ("", "–", numbers.DASH)
_markdown = markdown.Markdown(extensions=["smarty"])


class SiteMacros(Macros):
    """HTML for MkDocs, Zensical and their like; links are relative, pages lie side by side."""

    def draw_figure(self, figure: Exhibit) -> str:
        # One labelled image for a screen reader, whichever of the two drawings is shown. The dark
        # one is fetched where it is shown; the light one always, for prints from the dark scheme.
        alt, stem = _attribute(figure.data["alt"]), f"evidence/{figure.experiment}/{figure.id}"
        size = self._svg_size(figure)
        return _block(
            f'<figure class="figure" id="{figure.anchor}">',
            f'<div class="figure__image" role="img" aria-label="{alt}">',
            f'<img src="{stem}.light.svg#only-light" alt="{alt}"{size}>',
            f'<img src="{stem}.dark.svg#only-dark" alt="" aria-hidden="true"{size} loading="lazy">',
            "</div>",
            self._caption(figure),
            "</figure>",
        )

    def draw_table(self, table: Exhibit) -> str:
        data = table.data
        classes = [' class="num"' if align == "r" else "" for align in data["align"]]
        columns = [
            _on_the_point(column) if css else column
            for column, css in zip(zip(*table.rows, strict=True), classes, strict=False)
        ]
        head = "".join(
            f'<th scope="col"{css}>{self._inline(name)}</th>'
            for name, css in zip(data["columns"], classes, strict=True)
        )
        body = [
            "<tr>"
            + "".join(
                f"<td{css}>{self._inline(cell)}</td>"
                for cell, css in zip(row, classes, strict=True)
            )
            + "</tr>"
            for row in zip(*columns, strict=True)
        ]
        return _block(
            f'<figure class="table" id="{table.anchor}">',
            self._caption(table),
            f'<div class="scroll" role="region" aria-label="{table}" tabindex="0">',
            f'<table class="data"><thead><tr>{head}</tr></thead><tbody>',
            *body,
            "</tbody></table></div></figure>",
        )

    def draw_ref(self, exhibit: Exhibit) -> str:
        text = str(exhibit).replace(" ", "&nbsp;")
        return f'<a class="ref" href="{self._href(exhibit.page, exhibit.anchor)}">{text}</a>'

    def draw_claim(self, id: str) -> str:
        claim = self.book.claims[id]
        verdict = claim["verdict"]
        told = _attribute(f"Claim, {verdict}: {_effect(claim)}, n = {numbers.fixed(claim['n'])}")
        href = self._href(self.book.home("claims"), f"claim-{id}")
        first = sum(placed.claim == id for placed in self.book.placed) == 1
        anchor = f' id="said-{id}"' if first else ""
        # The word joiner keeps the mark on the line of the sentence's last word.
        return (
            f'<span class="claim"{anchor}>{self.prose(claim["sentence"])}&#8288;'
            f'<a class="claim__mark {verdict}" href="{href}" title="{told}" aria-label="{told}">'
            f"{MARKS[verdict]}</a></span>"
        )

    def draw_citation(self, keys: list[str], *, text: bool) -> str:
        page = self.book.home("references")
        parts = []
        for key in keys:
            author, year = self.book.citations.labels[key]
            label = f"{author} ({year})" if text else f"{author}, {year}"
            parts.append(f'<a class="cite" href="{self._href(page, f"ref-{key}")}">{label}</a>')
        return ", ".join(parts) if text else f"({'; '.join(parts)})"

    def note(self, title: str, *, caller: Callable[[], str]) -> str:
        opening = '<div class="note" role="note" markdown="1">'
        head = f'<p class="note__title">{self._inline(title)}</p>'
        return f"\n\n{opening}\n{head}\n\n{caller().strip()}\n\n</div>\n\n"

    def predict(self, question: str, *, caller: Callable[[], str]) -> str:
        opening = '<details class="predict" markdown="1">'
        head = f"<summary><span>Predict first</span> {self._inline(question)}</summary>"
        return f"\n\n{opening}\n{head}\n\n{caller().strip()}\n\n</details>\n\n"

    def draw_source(self, code: str, title: str) -> str:
        return f'\n\n```python title="{title}"\n{code}\n```\n\n'

    def draw_bibliography(self) -> str:
        entries = self.book.citations.entries.items()
        items = [f'<li id="ref-{key}">{body}</li>' for key, body in entries]
        return _block('<ul class="references">', *items, "</ul>")

    def draw_claims(self) -> str:
        head = "".join(f'<th scope="col">{name}</th>' for name in _CLAIM_COLUMNS)
        lines = [f'<table class="claims"><thead><tr>{head}</tr></thead>']
        for experiment, shown in self.book.evidence.items():
            if not shown.get("claims"):
                continue
            title = self._inline(shown["title"])
            if "experiments" in self.book.homes:
                href = self._href(self.book.homes["experiments"], f"experiment-{experiment}")
                title = f'<a href="{href}">{title}</a>'
            span = len(_CLAIM_COLUMNS)
            lines.append(f'<tbody><tr><th scope="rowgroup" colspan="{span}">{title}</th></tr>')
            lines += [self._claim_row(id, claim) for id, claim in shown["claims"].items()]
            lines.append("</tbody>")
        return _block(*lines, "</table>")

    def _claim_row(self, id: str, claim: Mapping[str, Any]) -> str:
        verdict, said = claim["verdict"], ""
        if id in self.book.said:
            href = self._href(self.book.said[id], f"said-{id}")
            said = f' <a class="said" href="{href}">in the text</a>'
        cells = (
            self._inline(claim["sentence"]) + said,
            f'<span class="verdict {verdict}">{MARKS[verdict]} {verdict}</span>',
            _effect(claim),
            numbers.fixed(claim["n"]),
            self._inline(numbers.typeset(claim["test"])),
            self.ref(claim["evidence"]) if claim["evidence"] else "",
        )
        row = "".join(
            f'<td data-label="{name}">{cell}</td>'
            for name, cell in zip(_CLAIM_COLUMNS, cells, strict=True)
        )
        return f'<tr id="claim-{id}">{row}</tr>'

    def draw_formula(self, formula: Formula) -> str:
        return self._or_fault(lambda: to_mathml(formula))

    def prose(self, text: str) -> str:
        return self._or_fault(lambda: convert(text))

    def _inline(self, text: str) -> str:
        return self._or_fault(lambda: _html(text))

    def _or_fault(self, work: Callable[[], str]) -> str:
        try:
            return work()
        except MathError as error:
            self.book.fault(str(error), "see math-core's list of commands")
            return ""

    def _caption(self, exhibit: Exhibit) -> str:
        href = f"evidence/{exhibit.experiment}/{exhibit.id}.csv"
        link = f'<a class="csv" href="{href}" download>Data (CSV)</a>'
        caption = self._inline(exhibit.data["caption"])
        return f"<figcaption><strong>{exhibit}.</strong> {caption} {link}</figcaption>"

    def _svg_size(self, figure: Exhibit) -> str:
        path = self.book.evidence_dir / figure.experiment / f"{figure.id}.light.svg"
        with path.open(encoding="utf-8") as file:
            head = file.read(2000)
        sides = re.findall(r' (width|height)="([\d.]+)pt"', head)
        return "".join(f' {side}="{round(float(points) * (4 / 3))}"' for side, points in sides)

    def _href(self, page: str, fragment: str) -> str:
        target = "" if page == self.book.page else page.removesuffix(".md") + ".html"
        return f"{target}#{fragment}"


def _block(*lines: str) -> str:
    return "\n\n" + "\n".join(line.replace("\n", " ") for line in lines) + "\n\n"


def _attribute(text: str) -> str:
    return shield(html.escape(text))


def _effect(claim: Mapping[str, Any]) -> str:
    return numbers.interval(claim["effect"], claim["low"], claim["high"])


def _on_the_point(cells: Sequence[str]) -> Sequence[str]:
    """Pad a column of plain numbers with blanks as wide as digits, to align it on the point."""
    if not all(_NUMBER.fullmatch(cell) or cell in _BLANK for cell in cells):
        return cells
    tails = [len(cell) - cell.find(".") if "." in cell else 0 for cell in cells]
    # A figure space is as wide as a digit, a punctuation space as wide as the point.
    return [
        cell + ("\u2008" if 0 == tail < max(tails) else "") + "\u2007" * (max(tails) - max(tail, 1))
        for cell, tail in zip(cells, tails, strict=True)
    ]


@lru_cache(maxsize=8192)
def _html(text: str) -> str:
    if not re.search(r"[*_`$\\<&\['\"]|--", text):
        return html.escape(text, quote=False)
    found: str = _markdown.reset().convert(convert(text))
    return found.removeprefix("<p>").removesuffix("</p>").replace("\n", " ")
