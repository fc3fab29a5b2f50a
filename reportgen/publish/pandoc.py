"""Runs pandoc, which pypandoc brings along, within limits of time and memory.

Its readers have inputs of a line or two that take hours (forty times `^[`) or unfold into gigabytes
(`@string` lines, each twice the one before).
"""

import subprocess

from reportgen.errors import ReportgenError

SECONDS = 120  # the whole report takes two
MEGABYTES = 400  # of its heap; the whole report takes 114


def convert(*options: str, text: str = "") -> tuple[str, str]:
    """What pandoc made of the text, and what it warned of.

    Raises:
        ReportgenError: pandoc refused, or came to a limit.
    """
    import pypandoc  # only here: most builds have no need of it

    command = [pypandoc.get_pandoc_path(), *options, "+RTS", f"-M{MEGABYTES}m", "-RTS"]
    try:
        done = subprocess.run(
            command, input=text.encode(), capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ReportgenError(
            f"pandoc was not done after {SECONDS} s", hint="look for many [ ^ * _ without an end"
        ) from error
    told = done.stderr.decode(errors="replace")
    if done.returncode:
        raise ReportgenError(f"pandoc: {' '.join(told.split())}")
    return done.stdout.decode(), told
