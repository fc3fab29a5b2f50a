"""The commands: what is printed, and exit codes. No logic.

Exit codes: 0 done; 1 work failed or the answer is contradicted; 2 usage or input; 130 Ctrl-C.
Each command imports what it needs inside itself, so that `--help` is instant.
"""

import functools
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reportgen.errors import ReportgenError
from reportgen.terminal import Terminal

if TYPE_CHECKING:
    from reportgen.pipeline import Project
    from reportgen.publish.pages import Rendered


class _Guarded(click.Group):
    """Prints what the rooms raise, and turns it into an exit code; no traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ReportgenError as error:
            click.echo(f"reportgen: {error.message}", err=True)
            if error.hint:
                click.echo(f"  to mend it: {error.hint}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("reportgen: stopped", err=True)
            sys.exit(130)
        except OSError as error:  # a folder or disk that the rooms did not name themselves
            click.echo(f"reportgen: {error}", err=True)
            sys.exit(1)


@click.group(cls=_Guarded, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="reportgen")
def main() -> None:
    """Train the assignment's models, measure, and write the answer as a website."""
    # A build that is told to end leaves as on Ctrl-C: workers ended, finished runs kept.
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, _stop)


def _stop(*_: object) -> None:
    """The first Ctrl-C lets the work clean up; a second one, while it does, ends it at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave_at_once)
    raise KeyboardInterrupt


def _leave_at_once(*_: object) -> None:
    if sys.stdout.isatty():
        os.write(1, b"\x1b[?25h\n")  # the progress bar has hidden the cursor
    os._exit(130)  # the workers end with their parent


def _command(function: Callable[..., None]) -> click.Command:
    """A command whose function takes the opened project, and what it prints with."""

    @main.command()
    @click.option(
        "--project",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        help="The folder that holds reportgen.toml (default: this one).",
    )
    @click.option("--quiet", is_flag=True, help="Print errors only.")
    @functools.wraps(function)  # with the options that it declares
    def opened(project: Path, quiet: bool, **options: Any) -> None:
        with Terminal(quiet=quiet) as terminal:
            function(_open(project, terminal), terminal, **options)

    return opened


def _open(root: Path, terminal: Terminal) -> "Project":
    from reportgen import config, pipeline

    return pipeline.Project(root, config.load(root), terminal)


@_command
def build(project: "Project", terminal: Terminal) -> None:
    """Do all of it: train what is missing, write the answer, build the site."""
    from reportgen import pipeline

    terminal.say(f"reportgen: building the report in {project.root.resolve().name}/")
    home, rendered = pipeline.build(project)
    _tell_accuracies(project, terminal)
    terminal.say(_count(rendered))
    took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in project.seconds.items())
    terminal.say(f"time: {took}")
    terminal.say(f"open {home}")


@_command
@click.option("--cluster", metavar="ADDRESS", default="", help="Train with this Dask scheduler.")
def run(project: "Project", terminal: Terminal, cluster: str) -> None:
    """Train the runs that are missing, and analyse the results."""
    from reportgen import pipeline

    terminal.say("reportgen: looking for missing runs")
    project.cluster = cluster
    pipeline.run(project)
    terminal.say("all runs are there")


@_command
def render(project: "Project", terminal: Terminal) -> None:
    """Fill the pages of docs/ with the results (into build/pages)."""
    from reportgen import pipeline

    rendered = pipeline.render(project)
    terminal.say(f"{len(rendered.pages)} pages, {len(rendered.changed)} changed")


@_command
def site(project: "Project", terminal: Terminal) -> None:
    """Build the website of the rendered pages (into build/site)."""
    from reportgen import pipeline

    terminal.say(f"open {pipeline.site(project)}")


@_command
@click.argument(  # publish.handin's, which is not imported for it
    "formats", nargs=-1, type=click.Choice(["pdf", "docx", "html", "notebook", "submission"])
)
@click.option("--execute", is_flag=True, help="Run the notebook's training cells too (minutes).")
def export(project: "Project", terminal: Terminal, formats: tuple[str, ...], execute: bool) -> None:
    """Write what is handed in: PDF, Word, one-file HTML, notebook, submission.zip (into build)."""
    from reportgen import pipeline

    done = pipeline.export(project, formats, execute=execute)
    for path in done.written:
        terminal.say(f"{path.relative_to(project.root)}  {path.stat().st_size / 1e6:.1f} MB")
    for warning in done.warnings:
        terminal.say(warning)
    if done.failures:
        raise ReportgenError("not everything could be written:\n" + "\n".join(done.failures))


@_command
@click.argument("submission", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--runs", default=3, show_default=True, help="How many runs to train again.")
@click.option("--seed", default=None, type=int, help="Draw the same runs once more.")
def verify(
    project: "Project", terminal: Terminal, submission: Path, runs: int, seed: int | None
) -> None:
    """Check a submission.zip: its digests, and runs drawn at random by training them again."""
    from reportgen.publish import submission as checker

    for line in checker.verify(submission, project.root, project.config, runs=runs, seed=seed):
        terminal.say(line)


@_command
@click.option("--port", default=8000, show_default=True, help="Where to listen.")
def serve(project: "Project", terminal: Terminal, port: int) -> None:
    """Show the site on this machine; edits to docs/ appear in the browser."""
    from reportgen import pipeline
    from reportgen.publish import serve as publisher

    def rebuild() -> None:
        opened = _open(project.root, terminal)
        with opened.store:
            pipeline.render(opened)
            pipeline.site(opened)

    publisher.serve(project.root, rebuild, say=terminal.say, port=port)


@_command
@click.option("--json", "as_json", is_flag=True, help="Print it for programs.")
def status(project: "Project", terminal: Terminal, as_json: bool) -> None:
    """Tell what is there, what is missing, and what it will cost."""
    from reportgen import pipeline

    state = pipeline.status(project)
    if as_json:
        click.echo(json.dumps(state, indent=1))
        return
    rows = [row for row in state["experiments"] if row["on"]]
    runs, missing, expected = (sum(r[k] for r in rows) for k in ("runs", "missing", "expected"))
    terminal.say(f"dataset: {state['dataset']}")
    terminal.say(f"runs: {runs - missing} of {runs} are there")
    if missing:
        terminal.say(f"to train: {missing} runs, about {expected / 60:.1f} min; reportgen run")
    for sentence in state["damage"]:
        terminal.say(f"results: {sentence}")


@_command
def experiments(project: "Project", terminal: Terminal) -> None:
    """List the experiments: what each asks, what it costs, and what is there of it."""
    from reportgen import pipeline

    for row in pipeline.status(project)["experiments"]:
        there = f"{row['runs'] - row['missing']} of {row['runs']} runs there"
        cost = f", about {row['expected']:.0f} s to train" if row["missing"] else ""
        state = f"{there}, {row['spent']:.0f} s spent{cost}" if row["on"] else "off"
        terminal.say(f"{row['name']}: {state}\n    {row['question']}")


@_command
def claims(project: "Project", terminal: Terminal) -> None:
    """List the claims with their verdicts; exit 1 where prose and data do not agree."""
    from reportgen import pipeline

    rendered, faults = pipeline.check(project)
    for placed in rendered.claims:
        terminal.say(f"{placed.verdict:<13} {placed.claim} ({placed.page}:{placed.line})")
    told = _contradictions(rendered) + [str(fault) for fault in faults]
    if told:
        raise ReportgenError(
            f"prose and data do not agree in {len(told)} places:\n"
            + "\n".join(f"  {line}" for line in told),
            hint="mend the prose in docs/: what a claim says follows the data by itself",
        )
    terminal.say(_count(rendered))


def _contradictions(rendered: "Rendered") -> list[str]:
    wrong = [
        f"{it.page}:{it.line}: the prose takes {it.claim} to be {it.assumes}; it is {it.verdict}"
        for it in rendered.mismatches
    ]
    return wrong + [f"{claim}: no page places this claim" for claim in rendered.unplaced]


def _count(rendered: "Rendered") -> str:
    verdicts = {it.claim: it.verdict for it in rendered.claims}
    counts = Counter(verdicts.values())
    told = ", ".join(f"{counts[v]} {v}" for v in ("supported", "contradicted", "inconclusive"))
    against = len(rendered.mismatches)
    more = f"; {against} against what the prose assumes: reportgen claims" if against else ""
    return f"claims: {told}{more}"


def _tell_accuracies(project: "Project", terminal: Terminal) -> None:
    from reportgen.experiments import kept

    path = kept.folder(project.root) / "assignment" / "evidence.json"
    if not path.exists():  # the configuration leaves the experiment out
        return
    shown = json.loads(path.read_text(encoding="utf-8"))["tables"]["assignment-results"]
    rows = [shown["columns"], *shown["rows"]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        terminal.say("  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip())
