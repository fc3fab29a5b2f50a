"""The site while somebody writes: edit docs/, see it in the browser.

MkDocs's live-reload server is used as it is, with our whole build as its builder: one watcher sees
the sources, so no page that we write can wake it again.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from mkdocs.livereload import LiveReloadServer

from reportgen.errors import InUseError, ReportgenError

_HOST = "127.0.0.1"
_WATCHED = ("docs", "results", "mkdocs.yml", "reportgen.toml")


def serve(
    project: Path,
    rebuild: Callable[[], object],
    *,
    say: Callable[[str], None],
    port: int,
) -> None:
    """Serve build/site until Ctrl-C; render and build again at each change.

    Args:
        project: The project's folder.
        rebuild: Makes the site; what it raises is said, and the last good site stays. While another
            build has the project it is tried again.
        say: Prints a line.
        port: Where to listen, on this machine alone.

    Raises:
        ReportgenError: The port is taken.
    """

    def build() -> None:
        while True:
            try:
                rebuild()
            except InUseError as error:
                say(f"{error.message}: waiting for it")
                time.sleep(5)
                continue
            except ReportgenError as error:
                last = "The last good site stays."
                say("\n".join(filter(None, [error.message, error.hint, last])))
            else:
                say("built")
            return

    logging.getLogger("mkdocs.livereload").setLevel(logging.WARNING)
    root = project / "build" / "site"
    server = LiveReloadServer(build, _HOST, port, str(root), polling_interval=0.2)
    server.build_delay = 0.05
    server.error_handler = lambda code: _page(root / f"{code}.html")
    for name in _WATCHED:
        if (project / name).exists():
            server.watch(str(project / name))
    build()
    say(server.url)
    try:
        server.serve()  # type: ignore[no-untyped-call]
    except OSError as error:
        raise ReportgenError(
            f"{_HOST}:{port} cannot be served: {error.strerror}", hint="Choose another port."
        ) from error
    finally:
        server.shutdown()


def _page(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
