"""docs/ -> the files to hand in, by pandoc and typst: PDF, Word, one-file HTML.

All pages become one document in the order of the nav: the parts first, the rest as appendices.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from markdown.extensions.toc import slugify

from reportgen.errors import InputError
from reportgen.publish import pages, pandoc
from reportgen.publish.book import Evidence
from reportgen.publish.export_macros import BODY, ExportMacros
from reportgen.publish.files import timestamp, write_changed
from reportgen.publish.word import number_pages

_READER = "markdown-auto_identifiers-inline_notes-raw_html-raw_tex"
_LIVE = "try-it.md"  # lives in a browser only
# Among so much text figures float; before and after it each stands where it is named.
_PARTS = """\
```{=typst}
#pagebreak(weak: true)
#show figure.where(kind: image): set figure(placement: auto)
```"""
_APPENDIX = """\
```{=typst}
#pagebreak(weak: true)
#counter(heading).update(0)
#set heading(numbering: "A.1")
#show figure: set figure(placement: none)
```"""


@dataclass(frozen=True)
class Document:
    """The whole report as pandoc's Markdown, beside what a cover needs.

    Attributes:
        author: The author block's fields; those not given are empty.
        pages: Page of docs/ -> its text, for who wants them singly.
        docs, build: The folders of the prose and of what is built.
    """

    title: str
    abstract: str
    author: Mapping[str, str]
    pages: Mapping[str, str]
    docs: Path
    build: Path

    @property
    def body(self) -> str:
        """All pages as one text."""
        brief, *parts = [text for page, text in self.pages.items() if page in BODY]
        rest = [text for page, text in self.pages.items() if page not in BODY]
        return "\n\n".join([brief, _PARTS, *parts, _APPENDIX, *rest])


def compose(
    docs: Path,
    build: Path,
    *,
    evidence: Evidence,
    context: Mapping[str, Any],
    macros: type[ExportMacros] = ExportMacros,
    extra: Sequence[str] = (),
) -> Document:
    """Render docs/ for the files to hand in.

    Raises:
        InputError: With every fault of every page.
    """
    author = context["config"]["author"]
    # The cover names the author.
    plain = {**context, "config": {**context["config"], "author": dict.fromkeys(author, "")}}
    texts, _ = pages.compose(
        docs, build, evidence=evidence, context=plain, target=macros, extra=extra
    )
    opened = re.search(r"^# (.+)\n\s*(.+(?:\n.+)*)", texts["index.md"], re.M)
    if not opened:
        raise InputError(
            "docs/index.md: no heading with a paragraph below",
            hint="begin it with them: they become title and abstract",
        )
    title, opening = opened.groups()
    brief = re.sub(r"^(## .+)$", r"\1 {.unnumbered .unlisted}", texts["index.md"], flags=re.M)
    texts["index.md"] = "# The answer in brief {.unnumbered}\n" + brief.split(opening, 1)[1]
    named = {page: _as_section(page, text) for page, text in texts.items() if page != _LIVE}
    abstract = "\n\n".join(filter(None, [pages.stand_in(context), opening]))
    return Document(title, abstract, author, named, docs, build)


def pdf(document: Document, path: Path) -> list[str]:
    """Write the PDF (PDF/A-2u, tagged); returns warnings of characters that no font has."""
    import typst

    source = _pandoc(document, "typst", f"--template={document.docs / 'export' / 'report.typ'}")
    alts = dict(re.findall(r'\]\((evidence/[^)]+)\)\{#[\w-]+ alt="([^"]*)"\}', document.body))
    source = re.sub(
        r'image\("(evidence/[^"]+)"',
        lambda it: f"{it[0]}, alt: {json.dumps(alts.get(it[1], ''), ensure_ascii=False)}",
        # typst has renamed a symbol that pandoc writes by its old name.
        source.replace("dot.circle", "dot.o"),
    )
    typ = document.build / "report.typ"
    write_changed(typ, source.encode())
    author = document.author
    inputs = {"author": author["name"], "statement": author["statement"]}
    inputs |= {"about": "\n\n".join(about(author))}
    compiler = typst.Compiler(str(typ), root=str(document.build), sys_inputs=inputs)
    warnings: list[str] = []
    standard: Literal["a-2u"] | None
    for standard in ("a-2u", None):  # the standard refuses a character that no font has
        try:
            data = compiler.compile(format="pdf", timestamp=timestamp(), pdf_standards=standard)
            break
        except typst.TypstError as error:
            lacking = set(re.findall(r'text `"(.+?)"` could not be displayed', error.diagnostic))
            if warnings or not lacking:
                raise _explained(error.diagnostic, document, source) from error
            warnings.append(
                f"no font that is installed has {' '.join(sorted(lacking))}: the PDF shows boxes "
                "instead (install one, such as Noto Sans, and export again)"
            )
    assert isinstance(data, bytes)
    write_changed(path, data)
    return warnings


def docx(document: Document, path: Path) -> list[str]:
    """Write the Word file: real headings, native equations, figures as PNG at 300 dpi."""
    drawings(document)
    text = _stated(document).replace(".light.svg)", ".png)")
    _pandoc(document, "docx", "--toc", "--number-sections", f"--output={path}", text=text)
    number_pages(path, document.title)
    return []


def page(document: Document, path: Path) -> list[str]:
    """Write the whole report as one HTML file with everything embedded."""
    style = document.docs / "export" / "report.css"
    look = ("--toc", "--number-sections", "--mathml", "--embed-resources", f"--css={style}")
    text = _stated(document)
    _pandoc(document, "html5", "--standalone", *look, f"--output={path}", text=text)
    return []


def _stated(document: Document) -> str:
    """The document below the author's statement, where there is one."""
    return f"{_literal(document.author['statement'])}\n\n{document.body}"


def drawings(document: Document) -> None:
    """Draw every figure of the document as PNG, 300 dots an inch, unless that is there."""
    import typst

    for name in re.findall(r"\((evidence/\S+)\.light\.svg\)", document.body):
        svg, png = (document.build / f"{name}{suffix}" for suffix in (".light.svg", ".png"))
        if not png.exists() or png.stat().st_mtime < svg.stat().st_mtime:
            show = f'#set page(width: auto, height: auto, margin: 0pt)\n#image("/{name}.light.svg")'
            compiler = typst.Compiler(show.encode(), root=str(document.build))
            drawn = compiler.compile(format="png", ppi=300)
            assert isinstance(drawn, bytes)
            write_changed(png, drawn)


def _pandoc(document: Document, target: str, *options: str, text: str = "") -> str:
    """Convert the document; pandoc's own complaint is raised as it stands."""
    cover = {"lang": "en", "link-citations": True, "abstract": document.abstract}
    cover |= {"title": _literal(document.title)}
    author = filter(None, [document.author["name"], *about(document.author)])
    if named := " · ".join(map(_literal, author)):
        cover |= {"author": named}
    metadata = document.build / "cover.json"
    # Pandoc takes JSON for YAML, which knows no surrogates: 🎓 is itself, not two escapes.
    write_changed(metadata, json.dumps(cover, ensure_ascii=False).encode())
    options = (
        "--citeproc",
        f"--bibliography={document.docs / 'references.bib'}",
        f"--metadata-file={metadata}",
        f"--resource-path={document.build}",
        "--columns=10000",  # a table's columns are as wide as their text
        "--syntax-highlighting=idiomatic" if target == "typst" else "--wrap=none",
        *options,
    )
    converted, told = pandoc.convert(
        f"--from={_READER}", f"--to={target}", *options, text=text or document.body
    )
    if lost := re.search(r"(Could not convert TeX math (.*?)), rendering as TeX", told, re.S):
        message, formula = (" ".join(part.split()) for part in lost.groups())
        raise InputError(
            f"{_place(document, formula)}{message}", hint="write that formula another way"
        )
    return converted


def about(author: Mapping[str, str]) -> list[str]:
    """What the author block says besides name and statement."""
    return [author[key] for key in ("student_id", "course", "institution", "date") if author[key]]


def _literal(text: str) -> str:
    """Text that pandoc shall not read as Markdown."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)  # all of ASCII's marks


def _explained(diagnostic: str, document: Document, source: str) -> InputError:
    """Typst's first error, at the page and line of docs/ that say what stands there."""
    message = diagnostic.split("\n", 1)[0].removeprefix("error: ")
    words = ""
    if found := re.search(r"report\.typ:(\d+):", diagnostic):
        line = source.splitlines()[int(found[1]) - 1]
        words = max(re.findall(r"[A-Za-z][A-Za-z ,]{8,}", line), key=len, default="").strip()
    return InputError(f"{_place(document, words)}{message}", hint="mend that line of docs/")


def _place(document: Document, words: str) -> str:
    """`docs/page.md:line: ` of the first line that says so, or nothing."""
    for name in document.pages if words else ():
        lines = (document.docs / name).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            if words in line:
                return f"docs/{name}:{number}: "
    return ""


def _as_section(page: str, text: str) -> str:
    """A page as part of one document: headings named as on the site, links become fragments."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    top = page.removesuffix(".md")
    text = re.sub(
        r"^```.*?^```$|^(?P<level>#+) (?P<title>.+?)(?: \{ ?(?P<name>[#.][\w. -]+?) ?\})?$",
        lambda it: _name(it, top) if it["level"] else it[0],
        re.sub(r"^\{:.*\}$", "", text, flags=re.M),
        flags=re.M | re.S,
    )
    text = re.sub(r"</?a\b[^>]*>", "", text)  # to a setting of the laboratory
    text = re.sub(r"\]\(([\w-]+)\.md\)", r"](#\1)", text)
    return re.sub(r"\]\([\w-]+\.md(#[\w-]+)\)", r"](\1)", text)


def _name(heading: re.Match[str], top: str) -> str:
    level, title, name = heading["level"], heading["title"], heading["name"] or ""
    if not name.startswith("#"):
        plain = re.sub(r"[`*$]|\\\w+", "", title)
        name = f"#{top if level == '#' else slugify(plain, '-')} {name}"
    return f"{level} {title} {{{name.strip()}}}"
