"""Bad input for the tests: how much of it, what it may cost, and what it is made of.

Each test is a target: a grammar of near misses and plain junk, held to success or the report's own
words. The few examples are the same each time; REPORTGEN_FUZZ=100000 takes so many new ones.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st

from reportgen import config
from reportgen.errors import ReportgenError

MANY = os.environ.get("REPORTGEN_FUZZ", "")
SECONDS, MEGABYTES = 120, 1000  # many times what any example needs


def cases(usual: int) -> settings:
    """So many examples, always the same ones, or as many new ones as the environment asks for."""
    return settings(
        max_examples=int(MANY or usual),
        derandomize=not MANY,
        database=None,
        deadline=None,  # `bounded` ends a hang; a slow moment of the machine is no fault
        suppress_health_check=list(HealthCheck),
    )


class HangError(BaseException):
    """Beyond the seconds allowed; no Exception, so that no handler takes it for bad input."""


@contextmanager
def bounded() -> Iterator[None]:
    """Let nothing pass but success and our own errors, nor a hang, nor a gigabyte."""

    def stop(*_: object) -> None:
        raise HangError(f"not done in {SECONDS} s")

    before, handler = megabytes(), signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
        event("works")
    except ReportgenError:
        event("is refused")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
    assert megabytes() - before < MEGABYTES


def megabytes() -> float:
    """The peak of this process's memory, and that of its largest child (pandoc)."""
    unit = 1e6 if sys.platform == "darwin" else 1e3
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(it).ru_maxrss for it in who) / unit


# Characters that some format takes for its own, and some that none can show.
SPECIAL = "\0\x01\x1b\n\r\t \"'\\#[]{}()=.,:;$%&@<>|*_~^`-+!?/0aé\u00a0\u2028\u202eא𝔘\U000e0001"
junk = st.text(st.one_of(st.sampled_from(SPECIAL), st.characters(codec="utf-8")), max_size=30)


def mutated(good: bytes) -> st.SearchStrategy[bytes]:
    """Good bytes of which a few pieces are replaced, left out or doubled."""
    edit = st.tuples(
        st.integers(0, len(good)), st.integers(0, 40), st.one_of(st.binary(max_size=9), junk)
    )

    def apply(content: bytes, change: tuple[int, int, bytes | str]) -> bytes:
        at, length, new = change
        new = new.encode() if isinstance(new, str) else new
        return content[:at] + new + content[at + length :]

    return st.lists(edit, min_size=1, max_size=4).map(lambda edits: reduce(apply, edits, good))


# Pieces of TOML.
OPTIONS = [*config.Config.model_fields, *(f"author.{it}" for it in config.Author.model_fields)]
KEYS = [
    *OPTIONS, "experiments.symmetry", "experiments.x.seeds", "seds", "name", "stddev", '""',
    ".".join("x" * 3000),
]  # fmt: skip
scalars = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.booleans().map(lambda it: str(it).lower()),
    junk.map(json.dumps),
    st.sampled_from([
        "2026-01-01", "07:30:00", "1e999", "0x_", "'''", '"""', "9" * 5000, "[" * 5000, "{a=" * 999,
        "mnist", '"mnist"', '"quick"', '"HeNormal"', '"../" ', f'"{"a/" * 3000}.npz"', "[]", "{}",
        '"\\u0000.npz"',
        '["Zeros",{name="RandomNormal",mean=0,stddev=1},"GlorotNormal","HeNormal"]',
    ]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda them: f"[{', '.join(them)}]"),
        st.lists(st.tuples(st.sampled_from(KEYS), inner), max_size=4).map(
            lambda them: "{" + ", ".join(f"{key} = {value}" for key, value in them) + "}"
        ),
    ),
    max_leaves=6,
)
headers = st.sampled_from(["[author]", "[experiments]", "[[initializers]]", "[a.b]", "[", "[[]]"])
