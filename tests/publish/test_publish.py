"""What reaches the readers: the branch gh-pages, and the site as a host serves it below a path."""

import http.server
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urldefrag, urljoin, urlsplit
from urllib.request import urlopen

import pytest
from publish.sample_report import REPO, Report
from publish.test_every_page import Page
from publish.test_site import built

from reportgen.publish import site
from reportgen.publish.pages import read_nav

PATH = "/repo-name/"
needs_make = pytest.mark.skipif(
    not (shutil.which("make") and shutil.which("git")), reason="needs make and git"
)


@pytest.fixture(autouse=True)
def git_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of the machine's, and no address of a site."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    for name in ("SITE_URL", "GIT_DIR", "GIT_WORK_TREE", "MAKEFLAGS", "MAKELEVEL"):
        monkeypatch.delenv(name, raising=False)


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def publish(project: Path) -> "subprocess.CompletedProcess[str]":
    """`make publish`, with this environment in the place of the project's own."""
    installed = ("-o", ".venv/requirements.lock", f"BIN={Path(sys.executable).parent}")
    words = ["make", "--no-print-directory", "-f", str(REPO / "Makefile"), *installed, "publish"]
    return subprocess.run(words, cwd=project, capture_output=True, text=True, timeout=60)


def with_remote(project: Path, bare: Path) -> None:
    if not bare.exists():
        git(bare.parent, "init", "--quiet", "--bare", bare.name)
    git(project, "init", "--quiet")
    git(project, "remote", "add", "origin", str(bare))


class Host(http.server.SimpleHTTPRequestHandler):
    """Serves a folder below PATH and answers the rest with its 404.html, as GitHub Pages does."""

    def translate_path(self, path: str) -> str:
        inside = path.startswith(PATH)
        return super().translate_path("/" + path.removeprefix(PATH) if inside else "/nowhere")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write((Path(self.directory) / f"{code}.html").read_bytes())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = partial(Host, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{PATH}"
        server.shutdown()


def crawl(home: str, folder: Path) -> tuple[set[str], list[str]]:
    """Follow every address from the home page on; returns the addresses, and what is amiss."""
    pages: dict[str, Page | None] = {}
    links: list[tuple[str, str]] = []
    amiss: list[str] = []
    todo = [home]
    while todo:
        url = todo.pop()
        if url in pages:
            continue
        try:
            with urlopen(url) as answer:
                text = answer.read().decode(errors="replace")
        except HTTPError as error:
            amiss.append(f"{url}: {error.code}")
            pages[url] = None
            continue
        path = urlsplit(url).path.removeprefix(PATH) or "index.html"
        page = pages[url] = Page(folder / path) if path.endswith(".html") else None
        found = page.addresses if page else []
        if path.endswith(".css"):
            found = [name for name in re.findall(r"url\(\W?(.*?)\W?\)", text) if ":" not in name]
        here = [address for address in found if not urlsplit(address).scheme]
        links += [(url, address) for address in here]
        todo += [urldefrag(urljoin(url, address)).url for address in here]
    for url, address in links:
        target, fragment = urldefrag(urljoin(url, address))
        aim = pages[target]
        named = fragment and "=" not in fragment  # with it, a setting of the laboratory
        if address.startswith("/") or (named and aim and fragment not in aim.ids):
            amiss.append(f"{url}: {address}")
    return set(pages), amiss


def addresses_on_the_404_page(url: str) -> list[str]:
    with pytest.raises(HTTPError) as caught:
        urlopen(url)
    with caught.value as answer:
        text = answer.read().decode()
    assert "There is no such page" in text
    return [urljoin(url, address) for address in re.findall(r'(?:href|src)="([^"#:]+)"', text)]


@needs_make
def test_what_is_published_works_below_a_path(report: Report, tmp_path: Path) -> None:
    pushed, folder = tmp_path / "pushed.git", tmp_path / "checkout"
    home = built(report)
    with_remote(report.root, pushed)
    done = publish(report.root)
    assert done.returncode == 0, done.stderr
    git(tmp_path, "clone", "--quiet", "--branch", "gh-pages", str(pushed), folder.name)
    names = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert set(git(folder, "ls-files").split("\n")) == names | {".nojekyll"}
    with served(folder) as address:
        reached, amiss = crawl(address, folder)
        assert amiss == []
        assert {address + name.replace(".md", ".html") for name in read_nav(report.docs)} <= reached
        assert address + "assets/math.css" in reached
        for url in addresses_on_the_404_page(address + "nowhere.html"):
            assert urlopen(url).status == 200


@needs_make
def test_publishing_again_from_another_clone_keeps_the_history(
    report: Report, tmp_path: Path
) -> None:
    pushed, second = tmp_path / "pushed.git", tmp_path / "second"
    home = built(report)
    shutil.copytree(home, second / "build" / "site")
    (second / "build" / "site" / "index.html").write_text("mended")
    for project in (report.root, second):
        with_remote(project, pushed)
        done = publish(project)
        assert done.returncode == 0, done.stderr
    assert git(pushed, "rev-list", "--count", "gh-pages") == "2"
    assert git(pushed, "show", "gh-pages:index.html") == "mended"


@needs_make
@pytest.mark.parametrize(
    ("has_site", "has_remote", "told"),
    [(False, True, "there is no site"), (True, False, "git knows no remote origin")],
)
def test_publishing_without_a_site_or_a_remote_is_refused_in_a_line(
    tmp_path: Path, has_site: bool, has_remote: bool, told: str
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    if has_site:
        (project / "build/site").mkdir(parents=True)
        (project / "build/site/index.html").write_text("home")
    if has_remote:
        with_remote(project, tmp_path / "pushed.git")
    done = publish(project)
    first, *rest = done.stderr.splitlines()
    assert done.returncode == 2
    assert told in first
    assert len(rest) == 1  # make's own


def test_a_site_that_knows_its_address_tells_it(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"https://ada.example.org{PATH}"
    monkeypatch.setenv("SITE_URL", address.rstrip("/"))
    report.render()
    folder = site.build(report.root).parent
    names = {name.replace(".md", ".html") for name in read_nav(report.docs)}
    listed = re.findall("<loc>(.*)</loc>", (folder / "sitemap.xml").read_text())
    assert set(listed) == {address + name for name in names}
    for name in names:
        text = (folder / name).read_text()
        assert f'<link rel="canonical" href="{address}{name}">' in text
    with served(folder) as local:
        assert crawl(local, folder)[1] == []
        for url in addresses_on_the_404_page(local + "deep/down/nowhere.html"):
            assert urlopen(url).status == 200


def test_every_page_but_the_home_page_has_a_description_of_its_own() -> None:
    descriptions = []
    for path in sorted((REPO / "docs").glob("*.md")):
        found = re.match(r'---\ndescription: "(.+)"\n', path.read_text(encoding="utf-8"))
        assert found or path.name == "index.md", path.name  # which has the site's
        descriptions += [found[1]] if found else []
    assert len(set(descriptions)) == len(descriptions)
    assert max(map(len, descriptions)) <= 160  # what a search result shows
