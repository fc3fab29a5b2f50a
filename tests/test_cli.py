"""The commands: what is printed where, and exit codes."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from samples import small_arrays, write_small

from reportgen import pipeline
from reportgen.cli import main
from reportgen.engine.store import Store
from reportgen.errors import InputError, Interrupted, ReportgenError
from reportgen.publish import handin
from reportgen.terminal import Terminal

ROOT = Path(__file__).parents[1]
COMMANDS = sorted(main.commands)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """The commands take these signals; the tests give them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a data set and no results."""
    write_small(tmp_path / "own.npz", train=250, test=50)
    (tmp_path / "reportgen.toml").write_text('dataset = "own.npz"\nseeds = 2\n')
    return tmp_path


def reportgen(*words: object, expect: int) -> Result:
    """Call a command in this process; whatever is raised beside an exit fails the test."""
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert result.exit_code == expect, result.output
    return result


# --- bad input: exit code 2, what, where, the mend, nothing lost ----------------------------------


def _truncated(project: Path) -> None:
    path = project / "own.npz"
    path.write_bytes(path.read_bytes()[:-50])


def _pickled(project: Path) -> None:
    labels = np.array([{}] * 50, dtype=object)
    np.savez(project / "own.npz", **small_arrays(train=250, test=50) | {"y_test": labels})


def _toml(text: str) -> Any:
    return lambda project: (project / "reportgen.toml").write_text(text)


def _read_only_results(project: Path) -> None:
    # A file in the folder's place: permissions do not hold for root.
    (project / "results").write_text("")


BAD: dict[str, tuple[Any, str]] = {
    "no toml": (lambda project: (project / "reportgen.toml").unlink(), "no reportgen.toml"),
    "broken toml": (_toml("seeds = \n"), "line 1"),
    "out of range": (_toml("seeds = 0\nepochs = -1\n"), "2 problems"),
    "unknown key": (_toml("sedes = 3\n"), "did you mean 'seeds'"),
    "unknown initializer": (_toml('initializers = ["HeNrmal"]\n'), "did you mean 'HeNormal'"),
    "unknown dataset": (_toml('dataset = "minst"\n'), "did you mean 'mnist'"),
    "missing npz": (_toml('dataset = "absent.npz"\n'), "absent.npz: no such file"),
    "endless path": (_toml(f'dataset = "{"a/" * 2500}own.npz"\n'), "File name too long"),
    "truncated npz": (_truncated, "own.npz: damaged"),
    "pickled npz": (_pickled, "own.npz: damaged"),
    "read-only results": (_read_only_results, "results cannot be written"),
    "unknown experiment": (
        _toml('dataset = "own.npz"\n[experiments]\nasignment = false\n'),
        "did you mean 'assignment'",
    ),
}


@pytest.mark.parametrize(("damage", "told"), BAD.values(), ids=BAD)
def test_bad_input_is_told_with_its_mend_and_exits_with_2(
    project: Path, damage: Any, told: str
) -> None:
    damage(project)
    result = reportgen("run", "--project", project, expect=2)
    assert told in result.stderr
    assert "to mend it: " in result.stderr
    assert "Traceback" not in result.output


def test_an_export_is_one_of_those_there_are() -> None:
    (formats,) = (it for it in main.commands["export"].params if it.name == "formats")
    assert isinstance(formats.type, click.Choice)
    assert list(formats.type.choices) == list(handin.FILES)
    told = reportgen("export", "odt", expect=2).stderr
    assert all(f"'{name}'" in told for name in ("odt", *handin.FILES))


@pytest.mark.parametrize(
    "words", [["run", "--project", "absent"], ["rum"], ["run", "--loud"], ["status", "more"]]
)
def test_wrong_usage_exits_with_2(words: list[str]) -> None:
    assert "Error" in reportgen(*words, expect=2).stderr


def test_a_second_build_names_the_firsts_process(project: Path) -> None:
    with Store(project / "results"):
        result = reportgen("run", "--project", project, expect=2)
    assert f"in use by another build (process {os.getpid()})" in result.stderr


@pytest.mark.parametrize("command", ["render", "claims"])
def test_without_results_pages_say_what_to_run(project: Path, command: str) -> None:
    assert "reportgen run" in reportgen(command, "--project", project, expect=1).stderr


# --- exit codes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ReportgenError("work failed", hint="do it"), 1),
        (InputError("bad input", hint="do it"), 2),
        (Interrupted("stopped: 3 of 4", hint="do it"), 130),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_is_told_on_stderr(
    project: Path, monkeypatch: pytest.MonkeyPatch, error: ReportgenError, code: int
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "run", fail)
    result = reportgen("run", "--project", project, "--quiet", expect=code)
    assert result.stderr == f"reportgen: {error.message}\n  to mend it: do it\n"
    assert result.stdout == ""


def test_ctrl_c_outside_of_training_exits_with_130(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", interrupt)
    assert "stopped" in reportgen("run", "--project", project, expect=130).stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_told_to_end_exits_with_130_at_once(
    project: Path, monkeypatch: pytest.MonkeyPatch, sent: signal.Signals
) -> None:
    monkeypatch.setattr(pipeline, "run", lambda _: os.kill(os.getpid(), sent))
    reportgen("run", "--project", project, expect=130)


def test_a_second_ctrl_c_ends_at_once_what_the_first_one_cleans_up(project: Path) -> None:
    code = (
        "import signal, sys, time; from reportgen import cli, pipeline\n"
        "def run(_):\n"
        "    try: signal.raise_signal(signal.SIGINT)\n"
        "    finally: signal.raise_signal(signal.SIGINT); time.sleep(600)\n"
        "pipeline.run = run\n"
        "cli.main(['run', '--project', sys.argv[1]])"
    )
    done = subprocess.run([sys.executable, "-c", code, project], timeout=60, check=False)
    assert done.returncode == 130


def test_an_error_of_the_system_is_told_without_a_traceback(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "run", lambda _: (project / "absent").read_bytes())
    assert "absent" in reportgen("run", "--project", project, expect=1).stderr


# --- what is printed ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_nothing_heavy(command: str) -> None:
    code = (
        "import sys; from reportgen.cli import main\n"
        f"main({[*filter(None, [command]), '--help']!r}, standalone_mode=False)\n"
        "print(sorted({'tensorflow', 'keras', 'numpy', 'pandas', 'matplotlib', 'sklearn', 'scipy',"
        " 'mkdocs', 'jinja2', 'pydantic', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    assert done.stderr.strip() == "[]"


def test_status_without_results_tells_what_it_will_cost(project: Path) -> None:
    result = reportgen("status", "--project", project, expect=0)
    assert "dataset: own" in result.stdout
    assert "to train: " in result.stdout
    assert result.stderr == ""


def test_status_for_programs_is_json_and_nothing_else(project: Path) -> None:
    state = json.loads(reportgen("status", "--json", "--project", project, expect=0).stdout)
    (row,) = (row for row in state["experiments"] if row["name"] == "assignment")
    assert (row["runs"], row["missing"]) == (8, 8)
    quiet = reportgen("status", "--json", "--quiet", "--project", project, expect=0)
    assert json.loads(quiet.stdout) == state


def test_the_experiments_are_listed_with_their_questions(project: Path) -> None:
    with (project / "reportgen.toml").open("a") as file:
        file.write("[experiments]\nassignment = false\n")
    shutil.copytree(ROOT / "docs" / "experiments", project / "docs" / "experiments")
    told = reportgen("experiments", "--project", project, expect=0).stdout
    assert "assignment: off\n    How do zero" in told


def told_of(runs: int, *, quiet: bool = False) -> None:
    """A training of so many runs, as the pipeline tells it."""
    with Terminal(quiet=quiet) as terminal:
        terminal.say("one line")
        terminal.training(runs, 2.0 * runs)
        for _ in range(runs):
            terminal.trained(100, 2.0)


def test_off_a_terminal_there_are_plain_lines_and_not_one_a_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told_of(500)
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[:2] == ["one line", "training 500 runs"]
    assert lines[-1].startswith("trained 500 of 500 runs")
    assert len(lines) < 6
    assert "\x1b" not in printed.out
    assert "\r" not in printed.out
    assert printed.err == ""


def test_the_time_left_follows_what_runs_cost_and_not_their_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 60.0])
    monkeypatch.setattr("reportgen.terminal.time", SimpleNamespace(monotonic=times.__next__))
    with Terminal(quiet=False) as terminal:
        terminal.training(2, 40.0)
        terminal.trained(120, 30.0)
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == "trained 1 of 2 runs, 2 steps/s, 20 s left"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    told_of(3, quiet=True)
    printed = capsys.readouterr()
    assert printed.out + printed.err == ""


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_bar_tells_how_far_it_is_and_how_fast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = _Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    told_of(3)
    assert "3 of 3 runs" in screen.getvalue()
    assert "steps/s" in screen.getvalue()
    assert "\x1b" in screen.getvalue()


def test_every_command_says_what_it_does() -> None:
    assert {"build", "run", "render", "site", "serve", "status"} <= set(COMMANDS)
    assert all(main.commands[name].help for name in COMMANDS)
