"""The names that a page may use, and how a wrong one is told."""

from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2.runtime import Undefined
from jinja2.utils import missing

from reportgen.publish import mathml, numbers
from reportgen.publish.book import Book
from reportgen.publish.faults import nearest
from reportgen.publish.macros import Macros


def environment(book: Book, macros: Macros, context: Mapping[str, Any]) -> jinja2.Environment:
    """Jinja with the filters and macros of a page, the experiments' values and the context."""

    # With the context it runs on no constant while a template is compiled: what is kept compiled
    # holds for every book.
    @jinja2.pass_context
    def told(_context: jinja2.runtime.Context, value: Any) -> Any:
        if not isinstance(value, Undefined):
            return value
        book.fault(value._undefined_message)
        return ""

    class Missing(jinja2.ChainableUndefined, jinja2.StrictUndefined):
        """Strict, but `a.b.c` tells of the first part that is missing, and what there is."""

        @property
        def _undefined_message(self) -> str:
            known = env.globals if self._undefined_obj is missing else self._undefined_obj
            path = _path(known, env.globals)
            if self._undefined_hint or path is None:
                return super()._undefined_message
            name = str(self._undefined_name)
            mend = nearest(name, known)
            return f"{path}{name} does not exist" + (f"; {mend}" if mend else "")

    env = jinja2.Environment(
        undefined=Missing, finalize=told, keep_trailing_newline=True, optimized=False
    )
    env.getattr = env.getitem  # type: ignore[assignment]  # a key wins over a dict's method
    env.filters |= numbers.FILTERS
    env.filters["sci"] = numbers.passing(
        lambda value, n=1: macros.formula(numbers.scientific(value, n))
    )
    env.filters["ranges"] = numbers.ranges
    env.filters["verbatim"] = numbers.passing(mathml.verbatim)
    env.filters["prose"] = macros.prose
    env.globals |= {
        "values": {name: shown.get("values", {}) for name, shown in book.evidence.items()},
        "experiments": book.evidence,
        "target": macros.target,
        **context,
        **macros.names(),
    }
    return env


def _path(wanted: object, names: Mapping[str, Any], at: str = "") -> str | None:
    """`a.b.`, which stands before the names of the mapping `wanted`, if it is found in `names`."""
    if wanted is names:
        return at
    below = (
        _path(wanted, value, f"{at}{name}.")
        for name, value in names.items()
        if isinstance(value, Mapping)
    )
    return next(filter(None, below), None)
