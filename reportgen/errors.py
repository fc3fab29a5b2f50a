"""The errors that a user may see: what went wrong, where, and the mend.

The rooms raise them; only `reportgen.cli` prints them and chooses the exit code.
"""


class ReportgenError(Exception):
    """Work that could not be done (exit code 1).

    Args:
        message: What went wrong and where, in one or more lines.
        hint: How to mend it, as an instruction.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(ReportgenError):
    """Something that the user gave cannot be used: configuration, data, a page (exit code 2)."""

    exit_code = 2


class InUseError(InputError):
    """Another build has the project."""


class Interrupted(ReportgenError):
    """Ctrl-C: what was finished is kept (exit code 130)."""

    exit_code = 130
