"""What is said of an experiment: numbers in their places, and every fault at once."""

import errno
import tomllib
from pathlib import Path
from typing import Any

import jinja2
import pytest

from reportgen.errors import InputError
from reportgen.experiments.evidence import Claim
from reportgen.experiments.registry import experiments
from reportgen.publish import files, wording

DOCS = Path(__file__).parents[2] / "docs"
WORDS = r"""title = "Trial"
question = '''
How much?'''
setup = '''
{{ layers }} layers on {{ dataset.train | fixed }} images.'''

[figures.drawing]
caption = '''
**At {{ arms.he | fixed(2) }}
it stands.** Up to $\frac{1}{ {2} }$.'''
alt = '''
A line at {{ tiny | sci }}.'''

[tables.list]
caption = "{{ arms.he | percent(1) }}"

[claims.leads]
supported = "Ahead by {{ effect | signed(2) }} within {{ margin | short }} of {{ layers }}."
contradicted = "Behind by {{ effect | signed(2) }}."
inconclusive = "Open, at {{ effect | fixed(2) }} from {{ low | fixed(2) }}."
"""


def claim(verdict: str = "supported", effect: float | None = 0.25) -> dict[str, Any]:
    found = {"verdict": verdict, "effect": effect, "low": None, "high": None, "n": 5}
    return {**found, "test": "", "evidence": "drawing", "details": {"margin": 0.002}}


def fill(docs: Path, shown: dict[str, Any] | None = None, **texts: str) -> dict[str, Any]:
    """The words of `trial`, or of the experiments named, filled for made-up evidence."""
    folder = docs / "experiments"
    folder.mkdir(exist_ok=True)
    for name, text in (texts or {"trial": WORDS}).items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    evidence = {
        "values": {"layers": 3, "tiny": 2e-5, "arms": {"he": 0.5}},
        "figures": {"drawing": {}},
        "tables": {"list": {"columns": ["Name"], "align": ["l"], "rows": [["x"]]}},
        "claims": {"leads": claim()},
        **(shown or {}),
    }
    names = texts or {"trial": ""}
    context = {"dataset": {"train": 48000}, "config": {"epochs": 10}}
    return wording.fill(dict.fromkeys(names, evidence), docs, context)


def faults(docs: Path, shown: dict[str, Any] | None = None, **texts: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        fill(docs, shown, **texts)
    return [line.strip() for line in str(caught.value).splitlines()[1:] if ".toml" in line]


def test_numbers_are_filled_in(tmp_path: Path) -> None:
    trial = fill(tmp_path)["trial"]
    assert (trial["title"], trial["question"]) == ("Trial", "How much?")
    assert trial["setup"] == "3 layers on 48,000 images."
    assert trial["figures"]["drawing"] == {
        "caption": r"**At 0.50 it stands.** Up to $\frac{1}{ {2} }$.",
        "alt": r"A line at $2.0 \times 10^{-5}$.",
    }
    table = trial["tables"]["list"]
    assert (table["caption"], table["rows"]) == ("50.0%", [["x"]])
    assert trial["values"]["layers"] == 3


@pytest.mark.parametrize(
    ("verdict", "effect", "sentence"),
    [
        ("supported", 0.25, "Ahead by +0.25 within 0.002 of 3."),
        ("contradicted", -0.25, "Behind by −0.25."),
        ("inconclusive", 0.25, "Open, at 0.25 from —."),
    ],
)
def test_a_claim_says_the_sentence_of_its_verdict(
    tmp_path: Path, verdict: str, effect: float, sentence: str
) -> None:
    shown = {"claims": {"leads": claim(verdict, effect)}}
    told = fill(tmp_path, shown)["trial"]["claims"]["leads"]
    assert told["sentence"] == sentence
    assert (told["verdict"], told["n"], told["evidence"]) == (verdict, 5, "drawing")


def test_a_missing_value_becomes_a_dash_in_every_filter(tmp_path: Path) -> None:
    filters = ("fixed(4)", "signed(4)", "percent", "short", "words")
    text = " ".join(f"{{{{ arms.he | {each} }}}}" for each in filters) + " {{ arms.he | sci }}"
    values = {"layers": 3, "tiny": None, "arms": {"he": None}}
    trial = fill(
        tmp_path,
        {"values": values, "claims": {"leads": claim("inconclusive", None)}},
        trial=WORDS.replace("How much?", text),
    )["trial"]
    assert trial["question"] == r"— — — — — $\text{—}$"
    assert trial["claims"]["leads"]["sentence"] == "Open, at — from —."


def test_a_name_that_does_not_exist_is_told_with_its_line_and_what_there_is(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, trial=WORDS.replace("{{ layers }} layers", "{{ layer }} layers"))
    assert fault.startswith("docs/experiments/trial.toml:5: setup: 'layer' is undefined")
    assert "it can name: arms, config, dataset, layers, tiny" in fault


def test_a_fault_in_a_sentence_is_told_whatever_the_verdict(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, trial=WORDS.replace("Behind by {{ effect", "Behind by {{ efect"))
    assert fault.startswith("docs/experiments/trial.toml:19: claims.leads.contradicted: ")
    known = fault.partition("it can name: ")[2].split(", ")
    assert {"effect", "low", "high", "n", "margin", "layers", "config"} <= {*known}


@pytest.mark.parametrize("verdict", wording.VERDICTS)
def test_a_missing_sentence_of_any_verdict_is_told(tmp_path: Path, verdict: str) -> None:
    lines = [line for line in WORDS.splitlines() if not line.startswith(verdict)]
    assert faults(tmp_path, trial="\n".join(lines)) == [
        f"docs/experiments/trial.toml:1: claims.leads.{verdict} is missing; add it"
    ]


@pytest.mark.parametrize(
    ("cut", "missing"),
    [
        ('title = "Trial"', ["title"]),
        ('caption = "{{ arms.he | percent(1) }}"', ["tables.list.caption"]),
        ("[figures.drawing]", ["figures.drawing.alt", "figures.drawing.caption"]),
    ],
)
def test_missing_words_are_told(tmp_path: Path, cut: str, missing: list[str]) -> None:
    told = faults(tmp_path, trial=WORDS.replace(cut, "" if cut[0] != "[" else "[figures.other]"))
    assert told == [f"docs/experiments/trial.toml:1: {key} is missing; add it" for key in missing]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{{ layers", "expected token 'end of print statement'"),
        ("{{ layers | fixd }}", "No filter named 'fixd'"),
        ("{{ arms | fixed }}", "a number is needed here"),
        ("{{ layers.x.y }}", "has no attribute 'x'"),
        ("{{ [].pop() }}", "pop from empty list"),
        ("{{ '{}'.format() }}", "out of range"),
    ],
)
def test_a_placeholder_that_cannot_be_filled_is_told(tmp_path: Path, text: str, what: str) -> None:
    (fault,) = faults(tmp_path, trial=WORDS.replace("{{ layers }} layers", text))
    assert fault.startswith("docs/experiments/trial.toml:5: setup: ")
    assert what in fault


def test_a_file_that_is_not_there_or_no_toml_is_one_fault(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "experiments" / "trial.toml").unlink()
    with pytest.raises(InputError, match=r"docs/experiments/trial.toml:1: there is no such file"):
        wording.fill({"trial": {"claims": {"leads": claim()}}}, tmp_path, {})
    (fault,) = faults(tmp_path, trial=WORDS.replace('title = "Trial"', 'title = "Trial'))
    assert fault.startswith("docs/experiments/trial.toml:1: ")
    assert "line 1" in fault
    for beyond in ("[" * 5000, "9" * 5000):
        (fault,) = faults(tmp_path, trial=f"{WORDS}x = {beyond}")
        assert fault.startswith("docs/experiments/trial.toml:1: ")


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    told = faults(
        tmp_path,
        one="title = ",
        two=WORDS.replace("{{ tiny | sci }}", "{{ small | sci }}").replace("margin", "margn"),
        three=WORDS.replace("setup", "set-up"),
    )
    assert [fault.split(": ")[0] for fault in told] == [
        "docs/experiments/one.toml:1",
        "docs/experiments/three.toml:1",
        "docs/experiments/two.toml:12",
        "docs/experiments/two.toml:18",
    ]


def test_a_question_is_told_without_any_results(tmp_path: Path) -> None:
    fill(tmp_path)
    assert wording.Wording(tmp_path, "trial").said("question", {}) == "How much?"


@pytest.mark.parametrize("experiment", experiments(), ids=lambda each: each.name)
def test_every_experiment_has_its_words(experiment: Any) -> None:
    path = DOCS / "experiments" / f"{experiment.name}.toml"
    words = tomllib.loads(path.read_text(encoding="utf-8"))
    assert all(words[key].strip() for key in ("title", "question", "setup"))
    assert "{" not in words["question"]  # asked before there are results
    assert words["question"].rstrip().endswith("?")
    claims: tuple[Claim, ...] = experiment.claims
    assert sorted(words.get("claims", {})) == sorted(claim.id for claim in claims)
    for claim in claims:
        sentences = words["claims"][claim.id]
        assert sorted(sentences) == sorted(wording.VERDICTS)
        assert all(text.strip().endswith(".") for text in sentences.values())
        assert len(set(sentences.values())) == 3
    for figure in words.get("figures", {}).values():
        assert sorted(figure) == ["alt", "caption"]
        assert figure["caption"].lstrip().startswith("**")


def test_no_words_are_kept_of_an_experiment_that_is_gone() -> None:
    written = {path.stem for path in (DOCS / "experiments").glob("*.toml")}
    assert written == {experiment.name for experiment in experiments()}


def test_what_other_code_compiled_is_not_used_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    words = WORDS.replace("Trial", "Of {{ 0.981 | percent }}")
    assert fill(docs, trial=words)["trial"]["title"] == "Of 98%"
    (before,) = (tmp_path / "build" / "templates").iterdir()
    monkeypatch.setattr(wording._jinja, "cache", {})  # as in a new process
    monkeypatch.setattr(files, "code", lambda: "other")
    monkeypatch.setitem(wording._jinja.filters, "percent", lambda _value, _digits=0: "98.1 %")
    assert fill(docs, trial=words)["trial"]["title"] == "Of 98.1 %"
    assert not before.exists()


def test_a_full_disk_is_no_fault_of_the_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    docs = tmp_path / "docs"
    docs.mkdir()
    monkeypatch.setattr(jinja2.FileSystemBytecodeCache, "dump_bytecode", full)
    with pytest.raises(OSError, match="No space left"):
        fill(docs, trial=WORDS.replace("Trial", "Another"))
