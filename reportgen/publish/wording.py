"""What is said of each experiment: docs/experiments/NAME.toml, filled with what was measured.

The code holds numbers, the file holds words: question, set-up, captions, and for each claim the
sentence of each verdict. In all of them Jinja's placeholders name the experiment's values, in a
claim's sentences the figures of its outcome too.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from reportgen.publish import numbers
from reportgen.publish.book import Evidence
from reportgen.publish.faults import Fault, refuse
from reportgen.publish.files import compiled
from reportgen.publish.scan import line_of

VERDICTS = ("supported", "contradicted", "inconclusive")
_HEAD = ("title", "question", "setup")

# A text is the name of its own template, by which the compiled one is found, here or on the disk.
_jinja = jinja2.Environment(
    loader=jinja2.FunctionLoader(str),
    cache_size=-1,
    undefined=jinja2.StrictUndefined,
    finalize=lambda value: numbers.DASH if value is None else value,
)

_jinja.filters |= numbers.FILTERS
_jinja.filters["sci"] = numbers.passing(lambda value, n=1: f"${numbers.scientific(value, n)}$")


def fill(evidence: Evidence, docs: Path, context: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The evidence with its words, numbers in their places.

    Raises:
        InputError: With every fault of every file.
    """
    _jinja.bytecode_cache = compiled(docs.parent / "build")
    filled, faults = {}, []
    for name, shown in evidence.items():
        wording = Wording(docs, name)
        filled[name] = _fill(wording, shown, {**context, **shown.get("values", {})})
        faults += wording.faults
    refuse(faults)
    return filled


def _fill(wording: "Wording", shown: Mapping[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    head = {key: wording.said(key, names) for key in _HEAD}
    figures = {
        id: {key: wording.said(f"figures.{id}.{key}", names) for key in ("caption", "alt")}
        for id in shown.get("figures", ())
    }
    tables = {
        id: {**table, "caption": wording.said(f"tables.{id}.caption", names)}
        for id, table in shown.get("tables", {}).items()
    }
    claims = {}
    for id, claim in shown.get("claims", {}).items():
        told = {**names, **claim, **claim.get("details", {})}
        texts = {v: wording.said(f"claims.{id}.{v}", told) for v in VERDICTS}
        claims[id] = {**claim, "sentence": texts[claim["verdict"]]}
    return {**shown, **head, "figures": figures, "tables": tables, "claims": claims}


class Wording:
    """One experiment's file; `faults` holds what is wrong with it and with what was said."""

    def __init__(self, docs: Path, name: str) -> None:
        path = docs / "experiments" / f"{name}.toml"
        self.page, self.source = f"docs/experiments/{path.name}", ""
        self.faults: list[Fault] = []
        self.content: Any = None
        try:
            self.source = path.read_text(encoding="utf-8")
            self.content = tomllib.loads(self.source)
        except OSError:
            self._fault("there is no such file", "it says what the experiment's figures show")
        except (ValueError, RecursionError) as error:  # as of reportgen.toml
            self._fault(str(error), "mend that line")

    def said(self, key: str, names: Mapping[str, Any]) -> str:
        """The text under a dotted key, its placeholders filled with what `names` holds."""
        raw = self.content
        for part in key.split("."):
            raw = raw.get(part) if isinstance(raw, dict) else None
        if not isinstance(raw, str):
            if self.content is not None:
                self._fault(f"{key} is missing", "add it")
            return ""
        text = " ".join(raw.split())
        try:
            return _jinja.get_template(text).render(names)
        except OSError:  # of the disk, where compiled ones are kept
            raise
        except Exception as error:  # as of a page
            self._fault(f"{key}: {error}", f"it can name: {', '.join(sorted(names))}", raw)
            return ""

    def _fault(self, text: str, mend: str, raw: str = "") -> None:
        line = line_of(self.source, max(self.source.find(raw), 0)) if raw else 1
        self.faults.append(Fault(self.page, line, text, mend))
