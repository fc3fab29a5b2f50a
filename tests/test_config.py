"""reportgen.toml: what is accepted, and what each mistake gets."""

import re
import tomllib
from pathlib import Path

import pytest

from reportgen.config import ASSIGNMENT_INITIALIZERS, Author, Config, Initializer, load, parse
from reportgen.errors import InputError

REPO = Path(__file__).parents[1]


def problems(text: str) -> list[str]:
    """The problems that a TOML document gets, one a line."""
    with pytest.raises(InputError) as caught:
        parse(tomllib.loads(text), origin="reportgen.toml")
    first, *lines = caught.value.message.splitlines()
    assert first.startswith(f"reportgen.toml has {len(lines)} problem")
    return [line.strip() for line in lines]


def initializers(*entries: str) -> str:
    """A document whose list holds the assignment's four and further entries."""
    four = '"Zeros", { name = "RandomNormal", mean = 0, stddev = 1 }, "GlorotNormal", "HeNormal"'
    return f"initializers = [{', '.join([four, *entries])}]"


# --- what is accepted ---------------------------------------------------------------------------


def test_an_empty_document_is_the_assignment() -> None:
    config = parse({}, origin="reportgen.toml")
    assert (config.dataset, config.seeds, config.epochs, config.batch_size) == ("mnist", 10, 10, 64)
    assert config.fallback
    assert [initializer.label for initializer in config.initializers] == [
        "Zeros",
        "RandomNormal(mean=0, stddev=1)",
        "GlorotNormal",
        "HeNormal",
    ]


def test_the_projects_own_file_states_the_defaults() -> None:
    own = load(REPO)
    assert own.model_copy(update={"author": Author()}) == Config()


def test_every_option_stands_in_the_projects_own_file() -> None:
    """The hint of every problem sends the reader there."""
    text = (REPO / "reportgen.toml").read_text(encoding="utf-8")
    options = {*Config.model_fields, *Author.model_fields}
    assert {option for option in options if not re.search(rf"\b{option}\b", text)} == set()


def test_further_initializers_keep_their_order_and_parameters() -> None:
    document = tomllib.loads(
        initializers('"LecunNormal"', '{ name = "VarianceScaling", scale = 2, mode = "fan_out" }')
    )
    added = parse(document, origin="").initializers[4:]
    assert added == (
        Initializer("LecunNormal"),
        Initializer("VarianceScaling", (("mode", "fan_out"), ("scale", 2.0))),
    )


def test_an_integer_parameter_is_the_same_initializer_as_its_float() -> None:
    whole = Initializer.of("RandomNormal", mean=0, stddev=1)
    assert whole == ASSIGNMENT_INITIALIZERS[1]
    assert all(isinstance(value, float) for _, value in whole.parameters)


# --- what is refused ----------------------------------------------------------------------------


def test_a_missing_file_is_told_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no reportgen\.toml in") as caught:
        load(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert "--project" in caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"seeds = ",
        b"seeds 3",
        b"seeds = 3\nseeds = 4",
        b'dataset = "mnist',
        b"\xff\xfe",
        b"[[",
        b"a = " + b"[" * 5000,  # beyond Python's own limits, as is the next
        b"seeds = " + b"9" * 5000,
    ],
)
def test_what_is_not_toml_is_told_with_its_path(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "reportgen.toml").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read") as caught:
        load(tmp_path)
    assert str(tmp_path / "reportgen.toml") in caught.value.message


def test_a_folder_in_the_files_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "reportgen.toml").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)


def test_a_syntax_error_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "reportgen.toml").write_text("seeds = 3\nepochs == 4\n")
    with pytest.raises(InputError, match="line 2"):
        load(tmp_path)


def test_every_problem_is_reported_at_once_with_its_key() -> None:
    found = problems(
        """
        sedes = 3
        epochs = 0
        batch_size = "64"
        fallback = 1
        initializers = ["Zeroes", "HeNormal"]
        [author]
        nmae = "A"
        """
    )
    keys = sorted(problem.split(":")[0] for problem in found)
    expected = ["author.nmae", "batch_size", "epochs", "fallback", "initializers.0", "sedes"]
    assert keys == expected


def test_a_missing_initializer_is_reported_beside_the_other_problems() -> None:
    found = problems('seeds = 0\ninitializers = ["Zeros", "GlorotNormal"]')
    assert any(line.startswith("seeds:") for line in found)
    assert any("HeNormal" in line for line in found)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("seed = 3", "seeds"), ("epoch = 3", "epochs"), ("[autor]\nname = ''", "author")],
)
def test_a_misspelt_option_is_told_with_the_nearest(text: str, nearest: str) -> None:
    (found,) = problems(text)
    assert "unknown option" in found
    assert f"did you mean {nearest!r}" in found


def test_a_misspelt_option_of_a_section_gets_the_sections_names() -> None:
    (found,) = problems("[author]\nstudent = '7'")
    assert "did you mean 'student_id'" in found


@pytest.mark.parametrize(
    "text",
    [
        "seeds = 0",
        "seeds = 1001",
        "seeds = true",
        "seeds = 2.0",
        "seeds = '3'",
        "epochs = 0",
        "epochs = 1001",
        "batch_size = 0",
        "batch_size = 10001",
        "workers = -1",
        "workers = 257",
        "fallback = 'no'",
        "dataset = ''",
        "dataset = 3",
        "initializers = 'HeNormal'",
        "initializers = 3",
        "author = 'A'",
        "author = { name = 3 }",
    ],
)
def test_values_of_the_wrong_type_or_size_are_refused_by_their_key(text: str) -> None:
    (found,) = problems(text)
    assert found.startswith(text.split(" ")[0])


@pytest.mark.parametrize("text", ["seeds = 1000", "epochs = 1", "workers = 256", "workers = 0"])
def test_values_at_the_edge_of_their_range_are_accepted(text: str) -> None:
    key, value = text.split(" = ")
    assert getattr(parse(tomllib.loads(text), origin=""), key) == int(value)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('"HeNorml"', "unknown initializer 'HeNorml'; did you mean 'HeNormal'?"),
        ('"he_normal"', "unknown initializer 'he_normal'; did you mean 'HeNormal'?"),
        ('"Qwfpgj"', "unknown initializer 'Qwfpgj'"),
        ('{ name = "HeNormal", gain = 2 }', "HeNormal has no parameter 'gain' (it takes: none)"),
        (
            '{ name = "RandomNormal", std = 2 }',
            "RandomNormal has no parameter 'std' (it takes: mean, stddev)",
        ),
        ('{ name = "HeNormal", cls = 1 }', "HeNormal has no parameter 'cls' (it takes: none)"),
        ('{ name = "HeNormal", seed = 1 }', "HeNormal has no parameter 'seed' (it takes: none)"),
        ('{ name = "RandomNormal", stddev = -1 }', "RandomNormal: stddev must be >= 0"),
        ('{ name = "RandomNormal", stddev = "1" }', "RandomNormal: stddev must be a number"),
        ('{ name = "RandomNormal", stddev = true }', "RandomNormal: stddev must be a number"),
        (
            '{ name = "RandomNormal", mean = nan }',
            "RandomNormal: mean must be a finite number of at most 1e6 in size",
        ),
        (
            '{ name = "Constant", value = -inf }',
            "Constant: value must be a finite number of at most 1e6 in size",
        ),
        ('{ name = "VarianceScaling", scale = 0 }', "VarianceScaling: scale must be > 0"),
        (
            '{ name = "VarianceScaling", mode = "fan" }',
            "VarianceScaling: mode must be one of fan_in, fan_out, fan_avg",
        ),
        (
            '{ name = "VarianceScaling", mode = ["fan_in"] }',
            "VarianceScaling: mode must be one of fan_in, fan_out, fan_avg",
        ),
        ("3", 'write "HeNormal" or { name = "RandomNormal", stddev = 0.05 }'),
        ("{ stddev = 1 }", 'write "HeNormal" or { name = "RandomNormal", stddev = 0.05 }'),
    ],
)
def test_an_unusable_initializer_is_told_by_its_place_and_names_keep_their_case(
    entry: str, said: str
) -> None:
    (found,) = problems(initializers(entry))
    assert found == f"initializers.4: {said}"


def test_an_initializer_that_stands_twice_is_named() -> None:
    (found,) = problems(initializers('"HeNormal"'))
    assert found == "initializers: HeNormal stands there twice"


@pytest.mark.parametrize("label", [i.label for i in ASSIGNMENT_INITIALIZERS])
def test_none_of_the_assignments_four_may_be_missing(label: str) -> None:
    rest = [i for i in ASSIGNMENT_INITIALIZERS if i.label != label]
    with pytest.raises(InputError) as caught:
        parse({"initializers": rest}, origin="reportgen.toml")
    assert label in caught.value.message
    assert all(other.label not in caught.value.message for other in rest)


def test_an_empty_list_of_initializers_names_all_four() -> None:
    (found,) = problems("initializers = []")
    assert all(initializer.label in found for initializer in ASSIGNMENT_INITIALIZERS)


def test_the_quick_profile_takes_three_seeds_at_most() -> None:
    def seeds(**options: object) -> int:
        return parse({"profile": "quick", **options}, origin="it").seeds

    assert (seeds(), seeds(seeds=2), seeds(seeds=20)) == (3, 2, 3)


def test_an_author_stands_on_one_line_and_the_statement_in_its_paragraphs() -> None:
    given = {"name": " Ada\nM.\u2028Lovelace ", "statement": "Mine,\nall of it.\n \n\nReally.\n"}
    author = parse({"author": given}, origin="it").author
    assert (author.name, author.statement) == ("Ada M. Lovelace", "Mine, all of it.\n\nReally.")


@pytest.mark.parametrize("char", ["\\u0000", "\\u001b", "\\u0085x\\u009f", "\\uffff"])
def test_a_character_that_no_file_can_show_is_refused_in_an_author(char: str) -> None:
    (found,) = problems(f'[author]\nname = "Ada{char}"')
    assert found.startswith("author.name: the character '")
