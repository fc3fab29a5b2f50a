"""A window of Chromium for the tests of what only a browser can tell."""

from pathlib import Path
from typing import Any

CHROMIUM = Path("/usr/bin/chromium")


class Visit:
    """A page in a window of its own; notes errors and requests that leave."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.troubles: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda request: self._request(request.url))

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self.troubles.append(message.text)

    def _request(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "about:", "http://127.0.0.1")):
            self.troubles.append(url)

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()
