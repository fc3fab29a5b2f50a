"""Faults in pages: where, what, and the mend; all of them at once."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reportgen.errors import InputError


@dataclass(frozen=True, order=True)
class Fault:
    """One fault of a page. `page` is a path from the project's folder, `line` counts from 1."""

    page: str
    line: int
    text: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}" + (f"; {self.mend}" if self.mend else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """The mend for a name that does not exist: the names nearest to it, or the few that there are."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return "nearest: " + ", ".join(near)
    if not names:
        return "there is none"
    return "there are: " + ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


def refuse(faults: Sequence[Fault]) -> None:
    """Raise one InputError that lists every fault, if there is any."""
    if faults:
        listed = sorted(set(faults))
        count = "1 fault" if len(listed) == 1 else f"{len(listed)} faults"
        raise InputError(
            f"The pages have {count}:\n" + "\n".join(f"  {fault}" for fault in listed),
            hint="Mend the lines named above; the pages built before stay as they were.",
        )
