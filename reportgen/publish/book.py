"""What is known of the whole report while its pages are rendered: numbers, places, faults."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reportgen.publish.citations import Citations
from reportgen.publish.faults import Fault, nearest

Evidence = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Exhibit:
    """A figure or table of an experiment; `kind` is "figure" or "table"."""

    id: str
    kind: str
    experiment: str
    data: Mapping[str, Any]

    @property
    def anchor(self) -> str:
        """Its fragment in the page's address."""
        return f"{self.kind}-{self.id}"


@dataclass(frozen=True)
class Label:
    """An exhibit's number in the report and the page where it stands."""

    kind: str
    number: int
    page: str

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
    """The state of one rendering.

    The first pass collects where exhibits stand, the second draws; `labels` is empty in the first.
    """

    evidence: Evidence
    evidence_dir: Path
    citations: Citations
    page: str = ""
    drawing: bool = False
    labels: dict[str, Label] = field(default_factory=dict)
    stands: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    placed: list[Placed] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)
    cited: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exhibits: dict[str, Exhibit] = {}
        self.claims: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for name, shown in self.evidence.items():
            for kind in ("figure", "table"):
                for id, data in shown.get(f"{kind}s", {}).items():
                    self._once(id, self.exhibits, name)
                    self.exhibits[id] = Exhibit(id, kind, name, data)
            for id, claim in shown.get("claims", {}).items():
                self._once(id, self.claims, name)
                self.claims[id] = (name, claim)

    def _once(self, id: str, known: Mapping[str, object], experiment: str) -> None:
        if id in known:
            where = f"build/evidence/{experiment}/evidence.json"
            self.faults.append(Fault(where, 1, f"the id {id!r} is used twice", "rename one"))

    def number(self, nav: Sequence[str], generated: str) -> None:
        """End the first pass: number the exhibits in the order of the nav, and begin the second.

        Exhibits that no page placed stand on the generated page, if the nav has it.
        """
        if generated in nav:
            self.stands |= {id: generated for id in self.exhibits if id not in self.stands}
        count = {"figure": 0, "table": 0}
        for page in nav:
            for id in [id for id, where in self.stands.items() if where == page]:
                kind = self.exhibits[id].kind
                count[kind] += 1
                self.labels[id] = Label(kind, count[kind], page)
        for claim in self.placed:
            self.said.setdefault(claim.claim, claim.page.removeprefix("docs/"))
        self.drawing = True
        self.stands, self.placed, self.cited = {}, [], set()
        # A clash of ids is found before any page is; what pages did wrong, the second pass finds.
        self.faults = [fault for fault in self.faults if fault.page.endswith(".json")]

    def fault(self, text: str, mend: str = "", *, line: int = 0) -> None:
        """Note a fault of the page that is being rendered, at the line that is being rendered."""
        self.faults.append(Fault(self.path, line or self.line(), text, mend))

    @property
    def path(self) -> str:
        """The page's source, from the project's folder; the generated page is its own."""
        generated = self.page == self.homes.get("experiments")
        return f"{'build/pages' if generated else 'docs'}/{self.page}"

    def line(self) -> int:
        """The line of the template that is calling, found on the stack."""
        frame = sys._getframe()
        while frame := frame.f_back:  # type: ignore[assignment]  # None ends the loop
            if template := frame.f_globals.get("__jinja_template__"):
                return int(template.get_corresponding_lineno(frame.f_lineno))
        return 1

    def place(self, kind: str, id: str) -> Exhibit | None:
        """Note that an exhibit stands here; None and a fault if there is none or it stands twice."""
        exhibit = self.exhibits.get(id)
        if exhibit is None or exhibit.kind != kind:
            ids = [other.id for other in self.exhibits.values() if other.kind == kind]
            self.fault(f"there is no {kind} {id!r}", nearest(id, ids))
            return None
        if id in self.stands:
            where = f"docs/{self.stands[id]}"
            self.fault(f"{kind} {id!r} stands in {where} already", f'refer to it: ref("{id}")')
            return None
        self.stands[id] = self.page
        return exhibit

    def label(self, id: str) -> Label | None:
        """An exhibit's label; None in the first pass, or with a fault if it stands nowhere."""
        if id not in self.labels and self.drawing:
            if id in self.exhibits:
                self.fault(f"{self.exhibits[id].kind} {id!r} stands on no page", "place it")
            else:
                self.fault(f"there is no figure or table {id!r}", nearest(id, self.exhibits))
        return self.labels.get(id)

    def home(self, thing: str, needed_by: str) -> str:
        """The page that shows the claims or the references; a fault if none does."""
        if thing not in self.homes and self.drawing:
            self.fault(f"no page shows the {thing}, which {needed_by} links to", "add it to a page")
        return self.homes.get(thing, self.page)
