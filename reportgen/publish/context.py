"""The names that a page may use, and how a wrong one is told."""

from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
from jinja2.runtime import Undefined

from reportgen.publish import mathml, numbers
from reportgen.publish.book import Book
from reportgen.publish.faults import nearest
from reportgen.publish.macros import Macros


class Names(Mapping[str, Any]):
    """Nested values that know their path, so that a wrong name is told in full.

    A key always wins over a method of the mapping: `values.x.items` is the value, if there is one.
    """

    def __init__(self, path: str, values: Mapping[str, Any]) -> None:
        self._path, self._values = path, values

    def __getitem__(self, key: str) -> Any:
        value = self._values[key]
        return Names(f"{self._path}.{key}", value) if isinstance(value, Mapping) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def missing(self, key: str) -> str:
        """What to say of a key that is not there."""
        return f"{self._path}.{key} does not exist; {nearest(key, self._values)}"


class Missing(jinja2.ChainableUndefined, jinja2.StrictUndefined):
    """Strict, but `a.b.c` names the first part that is missing, and printing it ends no page."""


class _Environment(jinja2.Environment):
    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Names):
            if attribute in obj:
                return obj[attribute]
            if attribute not in ("items", "keys", "values", "get"):
                return self.undefined(obj.missing(attribute))
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Names) and argument not in obj:
            return self.undefined(obj.missing(str(argument)))
        return super().getitem(obj, argument)


def environment(book: Book, macros: Macros, context: Mapping[str, Any]) -> jinja2.Environment:
    """Jinja with the filters and macros of a page, the experiments' values and the context."""

    # With the context it runs on no constant while a template is compiled: what is kept compiled
    # holds for every book.
    @jinja2.pass_context
    def told(_context: jinja2.runtime.Context, value: Any) -> Any:
        if not isinstance(value, Undefined):
            return value
        if value._undefined_hint:
            text, _, mend = value._undefined_hint.partition("; ")
        else:
            name = str(value._undefined_name)
            text, mend = f"{name} does not exist", nearest(name, env.globals)
        book.fault(text, mend)
        return ""

    env = _Environment(
        undefined=Missing, finalize=told, keep_trailing_newline=True, optimized=False
    )
    env.filters |= numbers.FILTERS
    env.filters["sci"] = numbers.passing(
        lambda value, n=1: macros.formula(numbers.scientific(value, n))
    )
    env.filters["ranges"] = numbers.ranges
    env.filters["verbatim"] = numbers.passing(mathml.verbatim)
    env.filters["prose"] = macros.prose
    values = {name: shown.get("values", {}) for name, shown in book.evidence.items()}
    shared = {
        "values": values,
        "experiments": book.evidence,
        "target": macros.target,
        **context,
    }
    for name, value in shared.items():
        env.globals[name] = Names(name, value) if isinstance(value, Mapping) else value
    env.globals |= macros.names()
    return env
