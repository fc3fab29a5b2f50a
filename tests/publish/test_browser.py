"""What only a browser can tell: search works from disk, paper has its own look, links lead back."""

import http.server
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from publish.browsing import Visit

pytestmark = pytest.mark.browser


def search(visit: Visit, address: str) -> str:
    visit.page.goto(address)
    visit.page.click("input[name=query]")
    visit.page.keyboard.type("angle")
    visit.page.wait_for_selector(".md-search-result__item a", state="attached", timeout=20_000)
    return str(visit.page.text_content(".md-search-result__list"))


def test_search_works_from_disk(browser: Any, folder: Path) -> None:
    with Visit(browser) as visit:
        assert "He keeps length" in search(visit, f"file://{folder}/index.html")
        assert visit.troubles == []


def test_the_site_works_under_a_sub_path(browser: Any, folder: Path) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            return super().translate_path(path.removeprefix("/some/path"))

        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/some/path/"
        with Visit(browser) as visit:
            assert "He keeps length" in search(visit, address)
            visit.page.goto(address + "part-1.html")
            visit.page.click("a.cite >> nth=0")
            assert visit.page.url == address + "references.html#ref-he2015"
            assert visit.troubles == []
        server.shutdown()


@pytest.mark.parametrize(("scheme", "shown"), [("light", "light"), ("dark", "dark")])
def test_one_of_the_two_drawings_shows(browser: Any, folder: Path, scheme: str, shown: str) -> None:
    with Visit(browser, color_scheme=scheme) as visit:
        visit.page.goto(f"file://{folder}/index.html")
        images = visit.page.locator("figure img")
        seen = [images.nth(i).get_attribute("src") for i in range(2) if images.nth(i).is_visible()]
        assert [name.split("#")[1] for name in seen] == [f"only-{shown}"]


def test_print_shows_light_figures_and_open_answers_also_from_the_dark_scheme(
    browser: Any, folder: Path
) -> None:
    with Visit(browser, color_scheme="dark") as visit:
        visit.page.goto(f"file://{folder}/part-1.html")
        visit.page.emulate_media(media="print")
        images = visit.page.locator("details figure img")
        assert [images.nth(i).is_visible() for i in range(2)] == [True, False]
        assert visit.page.locator(".md-header").is_visible() is False
        paper = "getComputedStyle(document.body).getPropertyValue('--paper')"
        assert visit.page.evaluate(paper) == "#fffefb"


def test_formulas_are_set_in_the_math_font_and_roots_stretch(browser: Any, folder: Path) -> None:
    with Visit(browser) as visit:
        visit.page.goto(f"file://{folder}/part-1.html")
        visit.page.evaluate("document.fonts.ready")
        assert visit.page.evaluate("document.fonts.check('16px \"STIX Two Math\"')")
        loaded = "[...document.fonts].map(f => f.family + ' ' + f.status)"
        assert visit.page.evaluate(loaded) == ["STIX Two Math loaded"]
        root, text = (
            visit.page.locator(name).first.bounding_box()["height"] for name in ("msqrt", "mtext")
        )
        assert root > 2 * text


def test_figures_hold_their_place_before_they_load(browser: Any, folder: Path) -> None:
    with Visit(browser) as visit:
        visit.page.route("**/*.svg*", lambda route: route.abort())
        visit.page.goto(f"file://{folder}/index.html")
        box = visit.page.locator("figure img").first.bounding_box()
        assert (round(box["width"]), round(box["height"])) == (614, 326)


def test_the_search_dialog_has_a_name_and_what_scrolls_takes_the_keyboard(
    browser: Any, folder: Path
) -> None:
    with Visit(browser, viewport={"width": 390, "height": 844}) as visit:
        visit.page.goto(f"file://{folder}/part-1.html")
        assert visit.page.get_attribute("[data-md-component=search]", "aria-label") == "Search"
        visit.page.wait_for_selector(".math-block[tabindex='0']", timeout=5000)
        visit.page.goto(f"file://{folder}/index.html")
        assert visit.page.get_attribute(".scroll", "tabindex") == "0"
        visit.page.wait_for_selector(".figure__image[tabindex='0']", timeout=5000)
        visit.page.goto(f"file://{folder}/part-3.html")
        assert visit.page.get_attribute(".md-code__nav", "role") == "none"


def test_a_claim_leads_to_its_row_and_back(browser: Any, folder: Path) -> None:
    with Visit(browser) as visit:
        visit.page.goto(f"file://{folder}/index.html")
        visit.page.click("a.claim__mark")
        assert visit.page.url.endswith("claims.html#claim-he-glorot")
        visit.page.click("#claim-he-glorot a.said")
        assert visit.page.url.endswith("index.html#said-he-glorot")
