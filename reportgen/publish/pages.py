"""docs/*.md and evidence -> plain Markdown pages, all or none.

Two passes: the first finds where figures, tables and claims stand, the second draws them with
their numbers and can so refer forward and across pages. The nav of mkdocs.yml is the one order.
"""

import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from reportgen.errors import InputError
from reportgen.publish import citations, mathml
from reportgen.publish.book import Book, Evidence, Label, Placed
from reportgen.publish.context import environment
from reportgen.publish.faults import Fault, nearest, refuse
from reportgen.publish.files import write_changed
from reportgen.publish.macros import Macros
from reportgen.publish.numbers import ranges
from reportgen.publish.scan import line_of
from reportgen.publish.site_macros import SiteMacros

EXPERIMENTS = "experiments.md"

_EXPERIMENTS = """\
# Experiments

Each experiment of this report: what it asks, how it is set up, what it drew and which runs it took.
{% for name, it in experiments %}
## {{ it.title | prose }} { #experiment-{{ name }} }

{{ it.question | prose }}

{{ it.setup | prose }}
{% for id in it.exhibits %}{% if id in here %}
{{ figure(id) if id in it.figures else table(id) }}
{% endif %}{% endfor %}
{% set elsewhere = it.exhibits | reject("in", here) | list %}
{%- if elsewhere %}
In the text: {% for id in elsewhere %}{{ ref(id) }}{{ "" if loop.last else ", " }}{% endfor %}.
{% endif %}
Runs: {{ it.runs.count }}
{%- if it.runs.seeds %}, seeds {{ ranges(it.runs.seeds) }}{% endif %}
{%- if it.runs.seconds is not none %}, {{ it.runs.seconds | fixed }} s of training{% endif %}.
{: .runs }
{% endfor %}"""

_FALLBACK = """\
<p class="banner" role="note"><strong>Stand-in data.</strong> The data set asked for could not be \
had: this copy of the report was computed from {title} ({train} images to train on, {test} to test \
on). Its numbers are not those of the full report.</p>

"""


@dataclass(frozen=True)
class Rendered:
    """The pages of a report, and what they say.

    Attributes:
        pages: Names of the pages, in the order of the nav.
        changed: Those written or removed this time.
        claims: Every claim in the prose, with what the prose around it assumes.
        unplaced: Ids of claims that no page says.
        uncited: Keys of references.bib that no page cites.
        labels: The numbers and pages of the figures and tables.
    """

    pages: tuple[str, ...]
    changed: tuple[str, ...]
    claims: tuple[Placed, ...]
    unplaced: tuple[str, ...]
    uncited: tuple[str, ...]
    labels: Mapping[str, Label]

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
    if _of(context.get("dataset"), "fallback"):
        banner = _FALLBACK.format_map(
            {key: _of(context["dataset"], key) for key in ("title", "train", "test")}
        )
        texts = {page: _below_front_matter(text, banner) for page, text in texts.items()}
    changed = [page for page, text in texts.items() if write_changed(out / page, text)]
    for path in sorted(out.glob("*.md")):
        if path.name not in texts:
            path.unlink()
            changed.append(path.name)
    said = {placed.claim for placed in book.placed}
    return Rendered(
        pages=tuple(texts),
        changed=tuple(changed),
        claims=tuple(book.placed),
        unplaced=tuple(id for id in book.claims if id not in said),
        uncited=tuple(key for key in book.citations.labels if key not in book.cited),
        labels=book.labels,
    )


def compose(
    docs: Path,
    build: Path,
    *,
    evidence: Evidence,
    context: Mapping[str, Any],
    target: type[Macros],
) -> tuple[dict[str, str], Book]:
    """The text of every page for a target, in the order of the nav, and what is known of them all.

    Raises:
        InputError: With every fault of every page.
    """
    nav = read_nav(docs)
    known = citations.load(docs / "references.bib", build / "citations.json")
    book = Book(evidence, build / "evidence", known)
    if EXPERIMENTS in nav:
        book.homes["experiments"] = EXPERIMENTS
    env = environment(book, target(book), context)
    sources = {
        page: (docs / page).read_text(encoding="utf-8") for page in nav if page != EXPERIMENTS
    }
    for page, source in sources.items():
        _page(env, book, page, source)
    book.number(nav, EXPERIMENTS)
    texts = {
        page: _experiments(env, book) if page == EXPERIMENTS else _page(env, book, page, sources[page])
        for page in nav
    }
    refuse(book.faults)
    return texts, book


def read_nav(docs: Path) -> list[str]:
    """The pages in the order of mkdocs.yml's nav; the generated one needs no source.

    Raises:
        InputError: A page without a source, or a source that the nav does not name.
    """
    file = docs.parent / "mkdocs.yml"
    try:
        nav = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)["nav"]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise InputError(
            f"mkdocs.yml cannot be read: {str(error) or type(error).__name__}",
            hint="It needs a `nav` that lists the pages of docs/.",
        ) from error
    pages = _leaves(nav)
    sources = {path.name for path in docs.glob("*.md")}
    refuse(
        [
            Fault("mkdocs.yml", 1, f"the nav names {page}, which docs/ has not", nearest(page, sources))
            for page in pages
            if page not in sources | {EXPERIMENTS}
        ]
        + [
            Fault(f"docs/{page}", 1, "the nav of mkdocs.yml does not name this page", "add it there")
            for page in sources - set(pages)
        ]
    )
    return pages


class _Loader(yaml.SafeLoader):
    """mkdocs.yml may hold tags such as !ENV, which do not matter to its nav."""


_Loader.add_multi_constructor("!", lambda *_: None)


def _leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav] if nav.endswith(".md") else []
    items = nav.values() if isinstance(nav, dict) else nav or []
    return [page for item in items for page in _leaves(item)]


def _page(env: jinja2.Environment, book: Book, page: str, source: str) -> str:
    book.page = page
    marked, lone = mathml.mark(source)
    for position in lone:
        book.fault(
            "a dollar that opens no formula", r"write \$", line=line_of(source, position)
        )
    return _rendered(env, book, marked, {})


def _experiments(env: jinja2.Environment, book: Book) -> str:
    book.page = EXPERIMENTS
    entries = [
        (name, {**it, "exhibits": [*it.get("figures", {}), *it.get("tables", {})]})
        for name, it in book.evidence.items()
    ]
    here = {id for id, label in book.labels.items() if label.page == EXPERIMENTS}
    return _rendered(env, book, _EXPERIMENTS, {"experiments": entries, "here": here, "ranges": ranges})


def _rendered(env: jinja2.Environment, book: Book, source: str, more: Mapping[str, Any]) -> str:
    try:
        return env.from_string(source).render(more)
    except jinja2.TemplateSyntaxError as error:
        book.fault(error.message or "not Jinja", line=error.lineno)
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
        # Jinja rewrites the traceback of what a page raised to the page's own lines.
        lines = [at.lineno for at in traceback.extract_tb(error.__traceback__) if at.filename == "<template>"]
        name = re.fullmatch(r"'(\w+)' is undefined", str(error))
        text, mend = (f"{name[1]} does not exist", nearest(name[1], env.globals)) if name else (str(error), "")
        book.fault(text, mend, line=(lines or [1])[-1] or 1)
    return ""


def _of(thing: Any, key: str) -> Any:
    return thing.get(key) if isinstance(thing, Mapping) else getattr(thing, key, None)


def _below_front_matter(text: str, banner: str) -> str:
    front = re.match(r"---\n.*?\n---\n+", text, re.S)
    at = front.end() if front else 0
    return text[:at] + banner + text[at:]
