import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from publish.browsing import Visit
from publish.sample_report import Report

from reportgen.engine.store import Store

_SERVER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from publish.sample_report import Report
from reportgen.engine.store import Store
from reportgen.publish import site
from reportgen.publish.serve import serve
report = Report(Path(sys.argv[1]))
say = lambda line: print(line, flush=True)
def rebuild():
    with Store(report.root / "results"):
        report.render()
        site.build(report.root)
try:
    serve(report.root, rebuild, say=say, port=int(sys.argv[2]))
except KeyboardInterrupt:
    print("ended")
"""


class Served:
    """A server in a process of its own, and what it said."""

    def __init__(self, report: Report) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        tests = Path(__file__).parents[1]
        paths = [str(tests), str(tests.parent)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(report.root), str(port), *paths],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def said(self, what: str) -> str:
        assert self.process.stdout
        lines = ""
        for line in self.process.stdout:
            lines += line
            if what in line:
                return lines
        raise AssertionError(lines)

    def text(self, page: str) -> str:
        with urllib.request.urlopen(self.url + page, timeout=5) as answer:
            return str(answer.read().decode())

    def shows(self, page: str, text: str, *, within: float) -> bool:
        end = time.monotonic() + within
        while time.monotonic() < end:
            with contextlib.suppress(OSError):  # it may not listen yet
                if text in self.text(page):
                    return True
            time.sleep(0.05)
        return False


@pytest.fixture
def served(report: Report) -> Iterator[Served]:
    server = Served(report)
    server.said(server.url)
    yield server
    if server.process.poll() is None:
        server.process.kill()
    server.process.wait()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page whose browser ends with it: closing one that waits for the next edit may never end."""
    yield Visit(browser).page
    browser.new_browser_cdp_session().send("Browser.close")


def test_an_edit_shows_and_a_broken_page_is_told_while_the_last_one_stays(
    report: Report, served: Served
) -> None:
    assert served.shows("part-2.html", "Part two", within=5)
    assert "livereload" in served.text("part-2.html")
    report.page("part-2.md", "# An edit\n\n{{ cite('lu2020b') }}\n")
    assert served.shows("part-2.html", "An edit", within=5)
    report.page("part-2.md", "# Broken\n\n{{ nothing }}\n")
    assert "docs/part-2.md:3: nothing does not exist" in served.said("stays")
    assert served.shows("part-2.html", "An edit", within=5)
    report.page("part-2.md", "# Mended\n\n{{ cite('lu2020b') }}\n")
    assert served.shows("part-2.html", "Mended", within=5)


def test_an_edit_while_another_build_works_shows_when_that_is_done(
    report: Report, served: Served
) -> None:
    assert served.shows("part-2.html", "Part two", within=5)
    with Store(report.root / "results"):
        report.page("part-2.md", "# An edit\n\n{{ cite('lu2020b') }}\n")
        assert "waiting for it" in served.said("in use by another build")
    assert served.shows("part-2.html", "An edit", within=10)


@pytest.mark.browser
def test_an_open_page_follows_edits_by_itself_and_stays_at_the_last_good_one(
    report: Report, served: Served, page: Any
) -> None:
    page.goto(served.url + "part-2.html")
    for title in ("An edit", "Mended"):
        report.page("part-2.md", f"# {title}\n\n{{{{ cite('lu2020b') }}}}\n")
        page.wait_for_selector(f"h1:has-text('{title}')", timeout=20_000)
        report.page("part-2.md", "# Broken\n\n{{ nothing }}\n")
        assert "docs/part-2.md:3: nothing does not exist" in served.said("stays")
        assert title in page.inner_text("h1")


def test_ctrl_c_ends_it(served: Served) -> None:
    served.shows("index.html", "start", within=5)
    served.process.send_signal(signal.SIGINT)
    assert "ended" in served.said("ended")
    assert served.process.wait(timeout=5) == 0
