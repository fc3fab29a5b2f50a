"""Faults in pages: where, what, and the mend; all of them at once."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reportgen.errors import InputError


@dataclass(frozen=True, order=True)
class Fault:
    """One fault. `page` is a path from the project's folder, `line` counts from 1."""

    page: str
    line: int
    text: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}" + (f"; {self.mend}" if self.mend else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """The mend for a name that does not exist: those nearest to it, or the few that there are."""
    names = sorted(set(known))
    if near := difflib.get_close_matches(name, names, n=3, cutoff=0.5):
        return "nearest: " + ", ".join(near)
    return "there are: " + ", ".join(names[:8] + ["…"] * (len(names) > 8)) if names else ""


def refuse(faults: Sequence[Fault]) -> None:
    """Raise one InputError that lists every fault, if there is any."""
    if listed := sorted(set(faults)):
        raise InputError(
            f"faults in the pages ({len(listed)}):\n" + "\n".join(f"  {it}" for it in listed),
            hint="mend these lines; the pages and the site built before stay as they were",
        )
