"""What a page may call: the part that is the same for every target.

A macro looks things up, notes where they stand and what is wrong, and leaves the drawing to its
target: `SiteMacros`, `ExportMacros`, `NotebookMacros`.
"""

import ast
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import reportgen
from reportgen.publish.book import Book, Exhibit, Placed
from reportgen.publish.faults import nearest
from reportgen.publish.mathml import Formula
from reportgen.publish.wording import VERDICTS

_PACKAGE = Path(reportgen.__file__).parent
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class Macros(ABC):
    """The macros of a page; what is wrong is noted, and "" stands in its place."""

    target = "site"
    """What a page may ask for, to leave out what only one target needs."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._in_formula = False

    def names(self) -> dict[str, Callable[..., str]]:
        """The macros by the names that pages use."""
        public = (self.figure, self.table, self.exhibits, self.ref, self.claim, self.cite)
        blocks = (self.note, self.predict, self.source, self.bibliography, self.claims_table)
        return {macro.__name__: macro for macro in (*public, *blocks)} | {"math_": self.math}

    def figure(self, id: str) -> str:
        """A figure, alone in its paragraph."""
        exhibit = self.book.place("figure", id)
        return self.draw_figure(exhibit) if exhibit else ""

    def table(self, id: str) -> str:
        """A table, alone in its paragraph."""
        exhibit = self.book.place("table", id)
        return self.draw_table(exhibit) if exhibit else ""

    def exhibits(self, experiment: str) -> str:
        """An experiment's figures and tables that no page places, and references to the others."""
        book = self.book
        book.homes["experiments"] = book.page
        mine = [it for it in book.exhibits.values() if it.experiment == experiment]
        book.spare |= {it.id: book.page for it in mine}
        here = [it for it in mine if it.page == book.page]
        drawn = [self.figure(it.id) if it.kind == "figure" else self.table(it.id) for it in here]
        others = ", ".join(
            self.draw_ref(it)
            for it in sorted(mine, key=lambda it: (it.kind, it.number))
            if it not in here
        )
        return "".join(drawn) + (f"In the text: {others}." if others else "")

    def ref(self, id: str) -> str:
        """ "Figure 3", linked; also to what comes later or stands on another page."""
        exhibit = self.book.find(id)
        return self.draw_ref(exhibit) if exhibit else ""

    def claim(self, id: str, *, assumes: str) -> str:
        """The claim's sentence for its verdict, marked; the prose around it assumes a verdict."""
        book = self.book
        if assumes not in VERDICTS:
            book.fault(f"a claim cannot be {assumes!r}", nearest(assumes, VERDICTS))
        if id not in book.claims:
            book.fault(f"there is no claim {id!r}", nearest(id, book.claims))
            return ""
        book.said.setdefault(id, book.page)
        verdict = book.claims[id]["verdict"]
        book.placed.append(Placed(id, assumes, verdict, f"docs/{book.page}", book.line()))
        return self.draw_claim(id)

    def cite(self, *keys: str, text: bool = False) -> str:
        """ "(He et al., 2015)", or with `text` "He et al. (2015)"; several keys in one pair."""
        known = self.book.citations.labels
        for key in [key for key in keys if key not in known]:
            self.book.fault(f"references.bib has no entry {key!r}", nearest(key, known))
        self.book.cited.update(keys)
        return self.draw_citation([key for key in keys if key in known], text=text)

    def source(self, file: str, name: str) -> str:
        """A function or class of this package (`Class.method` too) as it stands in the source."""
        if file not in (files := _sources()):
            self.book.fault(f"the package has no file {file!r}", nearest(file, files))
            return ""
        text, found = _parsed(file)
        if name not in found:
            self.book.fault(f"{file} defines no {name!r}", nearest(name, found))
            return ""
        node = found[name]
        first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
        lines = text.splitlines()[first - 1 : node.end_lineno]
        return self.draw_source(textwrap.dedent("\n".join(lines)), f"reportgen/{file}")

    def bibliography(self) -> str:
        """The list of references."""
        self.book.homes["references"] = self.book.page
        return self.draw_bibliography()

    def claims_table(self) -> str:
        """All claims, by experiment: sentence, verdict, effect, how it was decided, evidence."""
        self.book.homes["claims"] = self.book.page
        return self.draw_claims() if self.book.drawing else ""

    def math(self, display: bool, before: str, after: str, *, caller: Callable[[], str]) -> str:
        """A formula of the page, whose placeholders Jinja has rendered; see `mathml.mark`."""
        self._in_formula = True
        try:
            latex = caller()
        finally:
            self._in_formula = False
        return self.draw_formula(Formula(latex, display, before, after))

    def formula(self, latex: str) -> str:
        """A formula that a filter makes; inside another one it is a part of that."""
        return latex if self._in_formula else self.draw_formula(Formula(latex))

    @abstractmethod
    def prose(self, text: str) -> str:
        """Markdown of the evidence, with its formulas, for the page's own text."""

    @abstractmethod
    def note(self, title: str, *, caller: Callable[[], str]) -> str:
        """An aside with a title."""

    @abstractmethod
    def predict(self, question: str, *, caller: Callable[[], str]) -> str:
        """A question whose answer unfolds."""

    @abstractmethod
    def draw_figure(self, figure: Exhibit) -> str: ...
    @abstractmethod
    def draw_table(self, table: Exhibit) -> str: ...
    @abstractmethod
    def draw_ref(self, exhibit: Exhibit) -> str: ...
    @abstractmethod
    def draw_claim(self, id: str) -> str: ...
    @abstractmethod
    def draw_citation(self, keys: list[str], *, text: bool) -> str: ...
    @abstractmethod
    def draw_source(self, code: str, title: str) -> str: ...
    @abstractmethod
    def draw_bibliography(self) -> str: ...
    @abstractmethod
    def draw_claims(self) -> str: ...
    @abstractmethod
    def draw_formula(self, formula: Formula) -> str: ...


@cache
def _sources() -> list[str]:
    return [file.relative_to(_PACKAGE).as_posix() for file in sorted(_PACKAGE.rglob("*.py"))]


@cache  # pages are rendered twice
def _parsed(file: str) -> tuple[str, dict[str, _Definition]]:
    text = (_PACKAGE / file).read_text(encoding="utf-8")
    return text, dict(_definitions(ast.parse(text)))


def _definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, _Definition]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _Definition):
            yield prefix + node.name, node
            yield from _definitions(node, f"{prefix}{node.name}.")
