"""What holds for every page: of the sample report, or of the site that REPORTGEN_SITE names."""

import os
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from publish.browsing import Visit
from publish.sample_report import REPO

from reportgen.publish.pages import read_nav

pytestmark = pytest.mark.slow
WIDTHS = (1280, 390)
LOOKS = [("light", 1280), ("dark", 390), ("dark", 1280), ("light", 390)]
# Over a gradient axe does not judge contrast. Here it shades what scrolls; what unfolds is judged.
PREPARE = """() => {
  for (const it of document.querySelectorAll(".scroll, .math-block")) it.style.background = "none"
  for (const it of document.querySelectorAll("details")) it.open = true
}"""
# What a page from disk may not read again ("preload") are style sheets, for the rules on videos.
AXE = """async () => (await axe.run({ resultTypes: ["violations"], preload: false })).violations
  .map((it) => `${it.id}: ${it.nodes.map((node) => node.html.slice(0, 200)).join(" ")}`)"""
SHIFT = """() => new Promise((done) => {
  let sum = 0
  new PerformanceObserver((list) => list.getEntries().forEach((it) => (sum += it.value)))
    .observe({ type: "layout-shift", buffered: true })
  setTimeout(() => done(sum), 300)
})"""


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest) -> Path:
    """The folder of the site."""
    named = os.environ.get("REPORTGEN_SITE")
    return Path(named).absolute() if named else request.getfixturevalue("folder")


class Page(HTMLParser):
    """The addresses that a page asks for, and the fragments that it offers."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.addresses.append(value)
            if name == "id" and value:
                self.ids.append(value)


def test_every_link_and_fragment_resolves_and_none_leaves_but_citations(site: Path) -> None:
    pages = {path: Page(path) for path in site.glob("*.html")}
    assert len(pages) == len(read_nav(REPO / "docs")) + 1  # and the page for what is not there
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), path.name
        for address in page.addresses:
            parts = urlsplit(address)
            if parts.scheme:
                assert path.name == "references.html", address
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            assert target.is_file(), (path.name, address)
            if target.name == "try-it.html" and "=" in parts.fragment:
                continue  # a setting of the laboratory: see test_lab.py
            if parts.fragment and target.suffix == ".html":
                assert parts.fragment in pages[target].ids, (path.name, address)


def visits(browser: Any, site: Path, scheme: str, width: int) -> Iterator[tuple[str, Visit]]:
    """Every page, each read to its end in a window of its own."""
    for path in sorted(site.glob("*.html")):
        size = {"width": width, "height": 844}
        with Visit(browser, color_scheme=scheme, viewport=size) as visit:
            visit.page.goto(path.as_uri())
            yield path.name, visit


@pytest.mark.browser
# The sample has each scheme and each width once: axe takes longest of all that looks at pages.
@pytest.mark.parametrize(
    ("scheme", "width"), LOOKS if "REPORTGEN_SITE" in os.environ else LOOKS[:2]
)
def test_axe_finds_nothing_and_no_page_errs_or_asks_another_host(
    browser: Any, site: Path, scheme: str, width: int
) -> None:
    axe = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    found = {}
    for name, visit in visits(browser, site, scheme, width):
        visit.page.evaluate(PREPARE)
        visit.page.evaluate(axe)
        found[name] = visit.page.evaluate(AXE) + visit.troubles
    assert len(found) > 1
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_moves_while_it_loads_or_scrolls_sideways(
    browser: Any, site: Path, width: int
) -> None:
    for name, visit in visits(browser, site, "light", width):
        assert visit.page.evaluate(SHIFT) < 0.01, name  # from 0.1 on a reader is disturbed
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width, name
