"""What is known of the whole report while its pages are rendered: numbers, places, faults."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportgen.publish import numbers
from reportgen.publish.citations import Citations
from reportgen.publish.faults import Fault, nearest, refuse

Evidence = Mapping[str, Mapping[str, Any]]


@dataclass
class Exhibit:
    """A figure or table: `kind` says which; number and page are known after the first pass."""

    id: str
    kind: str
    experiment: str
    data: Mapping[str, Any]
    number: int = 0
    page: str = ""

    @property
    def anchor(self) -> str:
        """Its fragment in the page's address."""
        return f"{self.kind}-{self.id}"

    @property
    def rows(self) -> list[list[str]]:
        """A table's cells as they are printed."""
        return [[numbers.powers(cell) for cell in row] for row in self.data["rows"]]

    def __str__(self) -> str:
        return f"{self.kind.capitalize()} {self.number}"


@dataclass(frozen=True)
class Placed:
    """A claim in the prose: where, the verdict that the prose assumes, and the data's verdict."""

    claim: str
    assumes: str
    verdict: str
    page: str
    line: int


@dataclass
class Book:
    """The state of one rendering: the first pass finds where things stand, the second draws."""

    evidence: Evidence
    evidence_dir: Path
    citations: Citations
    page: str = ""
    drawing: bool = False
    exhibits: dict[str, Exhibit] = field(default_factory=dict)
    claims: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    stands: dict[str, str] = field(default_factory=dict)
    spare: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    placed: list[Placed] = field(default_factory=list)
    cited: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        clashes = []
        for name, shown in self.evidence.items():
            for kind in ("figure", "table"):
                for id, data in shown.get(f"{kind}s", {}).items():
                    clashes += [(name, id)] if id in self.exhibits else []
                    self.exhibits[id] = Exhibit(id, kind, name, data)
            for id, claim in shown.get("claims", {}).items():
                clashes += [(name, id)] if id in self.claims else []
                self.claims[id] = claim
        refuse(
            [
                Fault(f"build/evidence/{name}", 1, f"the id {id!r} is used twice", "rename one")
                for name, id in clashes
            ]
        )

    def number(self, nav: Sequence[str]) -> None:
        """End the first pass: number the exhibits in the order of the nav."""
        stands = self.stands | {id: at for id, at in self.spare.items() if id not in self.stands}
        count = {"figure": 0, "table": 0}
        for page in nav:
            for exhibit in [self.exhibits[id] for id, where in stands.items() if where == page]:
                count[exhibit.kind] += 1
                exhibit.number, exhibit.page = count[exhibit.kind], page
        self.drawing = True
        self.stands, self.placed, self.cited, self.faults = {}, [], set(), []

    def fault(self, text: str, mend: str = "", *, line: int = 0) -> None:
        """Note a fault at the line of the page that is being rendered."""
        self.faults.append(Fault(f"docs/{self.page}", line or self.line(), text, mend))

    def line(self) -> int:
        """The line of the template that is calling, found on the stack."""
        frame = sys._getframe()
        while back := frame.f_back:
            frame = back
            if template := frame.f_globals.get("__jinja_template__"):
                return int(template.get_corresponding_lineno(frame.f_lineno))
        return 1

    def place(self, kind: str, id: str) -> Exhibit | None:
        """Note that an exhibit stands here; a fault if there is none or it stands elsewhere."""
        exhibit = self.exhibits.get(id)
        if exhibit is None or exhibit.kind != kind:
            ids = [other.id for other in self.exhibits.values() if other.kind == kind]
            self.fault(f"there is no {kind} {id!r}", nearest(id, ids))
            return None
        if id in self.stands:
            text = f"{kind} {id!r} stands in docs/{self.stands[id]} already"
            self.fault(text, f'refer to it: ref("{id}")')
            return None
        self.stands[id] = self.page
        return exhibit if self.drawing else None

    def find(self, id: str) -> Exhibit | None:
        """The exhibit to refer to; in the second pass, a fault if it stands on no page."""
        exhibit = self.exhibits.get(id)
        if exhibit and exhibit.page:
            return exhibit
        if self.drawing and exhibit:
            self.fault(f"{exhibit.kind} {id!r} stands on no page", "place it")
        elif self.drawing:
            self.fault(f"there is no figure or table {id!r}", nearest(id, self.exhibits))
        return None

    def home(self, thing: str) -> str:
        """The page that lists the claims or the references; a fault if none does."""
        if thing not in self.homes and self.drawing:
            self.fault(f"no page lists the {thing}", "links lead there: add the list to a page")
        return self.homes.get(thing, self.page)
