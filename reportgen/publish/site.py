"""build/pages -> build/site, by MkDocs in this process; any warning of its is an error."""

import base64
import hashlib
import html
import io
import logging
import os
import pickle
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import distribution
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any

from reportgen.errors import ReportgenError
from reportgen.publish.files import code, compiled, mirror, once, read_text, write_changed

# The typeface with a MATH table, without which roots and brackets do not stretch.
_MATH_FONT = "STIXTwoMath-Regular.ttf"
# Whose versions decide what becomes of a page.
_PACKAGES = (
    "fonttools", "Jinja2", "Markdown", "mkdocs", "mkdocs-material", "Pygments",
    "pymdown-extensions", "ziamath",
)  # fmt: skip
# What MkDocs knows of a page once it is converted.
_CONVERTED = ("content", "toc", "_title_from_render", "present_anchor_ids")
# What formulas show beside their own characters: a letter alone in <mi> turns italic, roots.
_ALWAYS = [0x210E, 0x221A, *range(0x20, 0x7F), *range(0x1D434, 0x1D468), *range(0x1D6E2, 0x1D71C)]


def build(project: Path) -> Path:
    """Build the site of the rendered pages; returns the path of its home page.

    The site before stays until the new one is whole, and where it is of the same pages.

    Raises:
        ReportgenError: MkDocs warned or failed; the message is its own.
    """
    pages, site = project / "build" / "pages", project / "build" / "site"
    stamp, inputs = project / "build" / "site.stamp", _inputs(project, pages)
    home = site / "index.html"
    if home.is_file() and stamp.is_file() and stamp.read_bytes() == inputs:
        return home
    _gather(project, pages)
    fresh = site.with_name("site.new")
    told = _mkdocs(project, fresh)
    if told:
        shutil.rmtree(fresh, ignore_errors=True)
        raise ReportgenError(
            "MkDocs does not build the site:\n" + "\n".join(f"  {line}" for line in told),
            hint="Mend the pages in docs/ that it names (or mkdocs.yml).",
        )
    stamp.unlink(missing_ok=True)
    shutil.rmtree(site, ignore_errors=True)
    fresh.rename(site)
    write_changed(stamp, inputs)
    return home


def _gather(project: Path, pages: Path) -> None:
    """Put beside the pages what they show: the theme's additions, the figures, the math font."""
    formulas = "".join(
        formula
        for page in sorted(pages.glob("*.md"))
        for formula in re.findall(r"(?s)<math.*?</math>", page.read_text(encoding="utf-8"))
    )
    characters = "".join(sorted({*html.unescape(re.sub("<[^>]*>", "", formulas))}))
    mirror(_under(project / "docs" / "assets"), pages / "assets")
    style = once(
        project / "build" / "math.pickle",
        lambda: _math_style(characters),
        of=(characters, _versions()),
    )
    write_changed(pages / "assets" / "math.css", style)  # after the mirror, which takes it away
    mirror(_shown(project), pages / "evidence")


def _math_style(characters: str) -> bytes:
    """A style sheet that holds the math font, cut to what formulas of these characters need.

    That is a twentieth of the font. As a part of the sheet it is there before the first line is
    drawn: a font that comes later moves the text below every formula.
    """
    from fontTools import subset

    # ziamath is not imported: that takes longer than all the rest.
    path = distribution("ziamath").locate_file(f"ziamath/fonts/{_MATH_FONT}")
    options = subset.Options(layout_features=["*"], hinting=False)
    file = io.BytesIO()
    with subset.load_font(path, options) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=[*_ALWAYS, *map(ord, characters)])
        cutter.subset(font)
        subset.save_font(font, file, options)
    data = base64.b64encode(file.getvalue()).decode()
    source = f'url("data:font/ttf;base64,{data}") format("truetype")'
    return f'@font-face {{\n  font-family: "STIX Two Math";\n  src: {source};\n}}\n'.encode()


@cache
def _versions() -> list[str]:
    return [distribution(name).version for name in _PACKAGES]


def _settings(project: Path) -> bytes:
    """Digest of how sites are built: mkdocs.yml, the variables that it may name, the code.

    Hooks, snippets and settings that a user has mkdocs.yml fetch from elsewhere are not seen, nor
    packages that Material uses where it finds them.
    """
    path = project / "mkdocs.yml"
    text = read_text(path) if path.is_file() else ""  # which MkDocs refuses
    names = ["SOURCE_DATE_EPOCH", *re.findall(r"[A-Za-z_]\w*", text)]
    environment = {name: os.environ[name] for name in names if name in os.environ}
    return hashlib.sha256(repr((text, environment, code(), _versions())).encode()).digest()


def _inputs(project: Path, pages: Path) -> bytes:
    """Digest of all that the site depends on: how it is built, pages and what they show."""
    digest = hashlib.sha256(_settings(project))
    shown = [*_under(project / "docs").values(), *_shown(project).values()]
    for path in [*sorted(pages.glob("*.md")), *shown]:
        digest.update(os.fsencode(path) + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest().encode()


def _shown(project: Path) -> dict[str, Path]:
    """What pages show of the evidence, beside which lie its numbers and what an export drew."""
    evidence = _under(project / "build" / "evidence")
    return {name: path for name, path in evidence.items() if path.suffix in (".svg", ".csv")}


def _under(folder: Path) -> dict[str, Path]:
    return {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}


def _hasten(theme: Any, build: Path) -> None:
    """Keep the theme's templates compiled, and pass over its icons, of which it has thousands."""
    make = theme.get_env

    def files(filter_func: Callable[[str], bool]) -> list[str]:
        # For copies in the site; MkDocs takes none that is hidden.
        tops = [(Path(it), top) for it in theme.dirs for top in Path(it).glob("[!.]*")]
        found = {
            path.relative_to(folder).as_posix()
            for folder, top in tops
            for path in (top, *top.rglob("*"))
            if path.is_file()
        }
        return sorted(filter(filter_func, found))

    def get_env() -> Any:
        env = make()
        env.bytecode_cache = compiled(build)
        env.list_templates = files
        return env

    theme.get_env = get_env


@contextmanager
def _converting_changed(project: Path, warnings: Sequence[Any]) -> Iterator[None]:
    """Have MkDocs convert and index only pages that changed since the last build: half its time."""
    from material.plugins.search.plugin import SearchIndex
    from mkdocs.structure import pages

    Page: Any = pages.Page  # Any: a method of it is assigned to
    convert, index = Page.render, SearchIndex.add_entry_from_context
    kept = project / "build" / "converted.pickle"
    settings, before, now = _settings(project), {}, {}
    with suppress(Exception):  # none is there, or not whole: then all are converted
        before = pickle.loads(kept.read_bytes())

    def found(make: Callable[[], Any], *of: Any) -> Any:
        key = hashlib.sha256(repr((settings, *of)).encode()).digest()
        now[key] = before[key] if key in before else make()
        return now[key]

    def render(page: Any, config: Any, files: Any) -> None:
        def converted() -> tuple[dict[str, Any], dict[str, Any]]:
            convert(page, config, files)
            links = {to.src_uri: it for to, it in (page.links_to_anchors or {}).items()}
            return {name: vars(page)[name] for name in _CONVERTED}, links

        # Also by all files, as links are checked while a page is converted.
        there = sorted(it.src_uri for it in files)
        fields, links = found(converted, page.file.src_uri, page.markdown, there)
        vars(page).update(fields)
        page.links_to_anchors = {files.get_file_from_path(to): it for to, it in links.items()}

    def add_entry(search: Any, page: Any) -> None:
        def entries() -> Any:
            alone = SearchIndex()
            index(alone, page)
            return alone.entries

        search.entries += found(entries, page.url, page.title, page.meta, page.content)

    Page.render, SearchIndex.add_entry_from_context = render, add_entry
    try:
        yield
        if not warnings and now.keys() != before.keys():
            with suppress(ReportgenError):  # a disk too full for it: all are converted again
                write_changed(kept, pickle.dumps(now))
    finally:
        Page.render, SearchIndex.add_entry_from_context = convert, index


def _mkdocs(project: Path, site: Path) -> list[str]:
    """Run MkDocs; returns what it warned of."""
    os.environ.setdefault("NO_MKDOCS_2_WARNING", "1")  # Material's notice, on import
    from mkdocs.commands.build import build as mkdocs_build
    from mkdocs.config import load_config
    from mkdocs.exceptions import MkDocsException

    failures: list[str] = []
    log, warnings = logging.getLogger("mkdocs"), BufferingHandler(sys.maxsize)
    warnings.setLevel(logging.WARNING)
    kept = log.propagate
    log.addHandler(warnings)
    log.propagate = False
    try:
        config = load_config(str(project / "mkdocs.yml"), site_dir=str(site))
        _hasten(config.theme, project / "build")
        config.plugins.on_startup(command="build", dirty=False)
        try:
            with _converting_changed(project, warnings.buffer):
                mkdocs_build(config)
        finally:
            config.plugins.on_shutdown()
    except MkDocsException as error:
        failures.append(str(error))
    finally:
        log.removeHandler(warnings)
        log.propagate = kept
    return [record.getMessage() for record in warnings.buffer] + failures
