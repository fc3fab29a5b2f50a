"""docs/*.md and evidence -> plain Markdown pages, all or none.

Two passes: the first finds where figures, tables and claims stand, the second draws them with
their numbers and can so refer forward and across pages. The nav of mkdocs.yml is the one order.
"""

import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from mkdocs.utils.yaml import yaml_load

from reportgen.errors import InputError
from reportgen.publish import citations, mathml, numbers
from reportgen.publish.book import Book, Evidence, Exhibit, Placed
from reportgen.publish.context import environment
from reportgen.publish.faults import Fault, nearest, refuse
from reportgen.publish.files import compiled, read_text, write_changed
from reportgen.publish.macros import Macros
from reportgen.publish.scan import line_of
from reportgen.publish.site_macros import SiteMacros

_FRONT_MATTER = re.compile(r"\A(?:---\n.*?\n---\n+)?", re.S)


@dataclass(frozen=True)
class Rendered:
    """The pages of a report, and what they say.

    Attributes:
        pages: Names of the pages, in the order of the nav.
        changed: Those written or removed this time.
        claims: Every claim in the prose, with what the prose around it assumes.
        unplaced: Ids of claims that no page says.
        uncited: Keys of references.bib that no page cites.
        exhibits: The figures and tables by id, with their numbers and pages.
    """

    pages: tuple[str, ...]
    changed: tuple[str, ...]
    claims: tuple[Placed, ...]
    unplaced: tuple[str, ...]
    uncited: tuple[str, ...]
    exhibits: Mapping[str, Exhibit]

    @property
    def mismatches(self) -> tuple[Placed, ...]:
        """Claims whose verdict is another than the prose assumes."""
        return tuple(claim for claim in self.claims if claim.verdict != claim.assumes)


def render(docs: Path, out: Path, *, evidence: Evidence, context: Mapping[str, Any]) -> Rendered:
    """Render every page of the nav into `out`; pages that did not change are not touched.

    Args:
        docs: The folder of the prose; mkdocs.yml lies beside it.
        out: The folder of the pages (build/pages); figures are looked for in evidence/ beside it,
            and what pandoc said of references.bib is kept there.
        evidence: What each experiment hands over, by its name.
        context: Further names for the pages: `config`, `dataset`.

    Raises:
        InputError: With every fault of every page; then nothing is written.
    """
    texts, book = compose(docs, out.parent, evidence=evidence, context=context, target=SiteMacros)
    if told := stand_in(context):
        banner = f'<p class="banner" role="note" markdown="1">{told}</p>\n\n'
        texts = {
            page: _FRONT_MATTER.sub(lambda front: front[0] + banner, text)
            for page, text in texts.items()
        }
    changed = [page for page, text in texts.items() if write_changed(out / page, text.encode())]
    for path in sorted(out.glob("*.md")):
        if path.name not in texts:
            path.unlink()
            changed.append(path.name)
    return Rendered(
        pages=tuple(texts),
        changed=tuple(changed),
        claims=tuple(book.placed),
        unplaced=tuple(id for id in book.claims if id not in book.said),
        uncited=tuple(key for key in book.citations.labels if key not in book.cited),
        exhibits=book.exhibits,
    )


def compose(
    docs: Path,
    build: Path,
    *,
    evidence: Evidence,
    context: Mapping[str, Any],
    target: type[Macros],
    extra: Sequence[str] = (),
) -> tuple[dict[str, str], Book]:
    """The text of every page for a target, in the order of the nav, and what is known of them.

    `extra` names files of docs/ that are no pages of the site, and come last.

    Raises:
        InputError: With every fault of every page.
    """
    nav = read_nav(docs)
    known = citations.load(docs / "references.bib", build / "citations.pickle")
    book = Book(evidence, build / "evidence", known)
    env = environment(book, target(book), context)
    sources = {page: read_text(docs / page) for page in [*nav, *extra]}
    marked = {page: mathml.mark(source) for page, source in sources.items()}
    env.loader = jinja2.DictLoader({page: text for page, (text, _) in marked.items()})
    env.bytecode_cache = compiled(build)
    for page in sources:
        _page(env, book, page)
    book.number(nav)
    texts = {page: _page(env, book, page) for page in sources}
    text, mend = "a dollar that opens no formula", r"write \$"
    for page, (_, lone) in marked.items():
        for at in lone:
            book.faults.append(Fault(f"docs/{page}", line_of(sources[page], at), text, mend))
    refuse(book.faults)
    return texts, book


def stand_in(context: Mapping[str, Any]) -> str:
    """What a reader has to know first, where the data set asked for could not be had; else ""."""
    dataset = context.get("dataset", {})
    if not dataset.get("fallback"):
        return ""
    return (
        "**Stand-in data.** The data set asked for could not be had: this copy of the report was "
        f"computed from {dataset['title']} ({numbers.fixed(dataset['train'])} images to train on, "
        f"{numbers.fixed(dataset['test'])} to test on), and its numbers are not those of the full "
        "report."
    )


def read_nav(docs: Path) -> list[str]:
    """The pages in the order of mkdocs.yml's nav.

    Raises:
        InputError: A page without a source, or a source that the nav does not name.
    """
    try:
        with (docs.parent / "mkdocs.yml").open(encoding="utf-8") as file:
            nav = _leaves(yaml_load(file)["nav"])
    except Exception as error:  # YAML's dates, bytes and depth raise what they like
        raise InputError(
            f"mkdocs.yml cannot be read: {error}", hint="its nav has to list the pages of docs/"
        ) from error
    sources = {path.name for path in docs.glob("*.md")}
    faults = [
        Fault("mkdocs.yml", 1, f"the nav names {page}, which docs/ has not", nearest(page, sources))
        for page in nav
        if page not in sources
    ]
    text = "the nav of mkdocs.yml does not name this page"
    faults += [Fault(f"docs/{page}", 1, text, "add it there") for page in sources - set(nav)]
    refuse(faults)
    return nav


def _leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav] if nav.endswith(".md") else []
    items = nav.values() if isinstance(nav, dict) else nav
    return [page for item in items for page in _leaves(item)]


def _page(env: jinja2.Environment, book: Book, page: str) -> str:
    book.page = page
    try:
        return env.get_template(page).render()
    except jinja2.TemplateSyntaxError as error:
        book.fault(error.message or "not Jinja", line=error.lineno)
    except Exception as error:  # a page is a program, and may raise anything
        # Jinja rewrites the traceback of what a page raised to the page's own lines.
        stack = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno or 1 for frame in stack if frame.filename == "<template>"]
        book.fault(str(error) or repr(error), line=[1, *lines][-1])
    return ""
