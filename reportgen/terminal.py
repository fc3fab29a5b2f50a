"""What the pipeline tells while it works: progress bars on a terminal, plain lines elsewhere."""

import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress


class Terminal:
    """A `pipeline.Watcher` that prints."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._live = sys.stdout.isatty() and not quiet
        self._bar: Progress | None = None
        self._total = self._done = self._steps = 0  # runs, runs, their steps
        self._left = self._spent = 0.0  # of the cost
        self._began = self._spoke = 0.0

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """One line of news."""
        if not self.quiet:
            click.echo(text)

    def training(self, runs: int, cost: float) -> None:
        """Training begins: so many runs, and what they will cost in all."""
        self._total, self._left = runs, cost
        self._began = self._spoke = time.monotonic()
        if not self._live:
            self.say(f"training {runs} runs")
            return
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("training"),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[runs]} of {task.fields[of]} runs"),
            progress.TextColumn("{task.fields[rate]} steps/s"),
            progress.TimeRemainingColumn(),
        )
        self._bar.add_task("training", total=cost, runs=0, of=runs, rate="–")
        self._bar.start()

    def trained(self, steps: int, cost: float) -> None:
        """A run of so many steps is stored."""
        self._done, self._steps = self._done + 1, self._steps + steps
        self._left, self._spent = self._left - cost, self._spent + cost
        now = time.monotonic()
        took = now - self._began or 1
        rate = f"{self._steps / took:,.0f}"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], advance=cost, runs=self._done, rate=rate)
            if self._done == self._total:
                self._bar.stop()
        elif now - self._spoke >= 5 or self._done == self._total:
            self._spoke = now
            left = f"{max(self._left, 0) * took / self._spent:.0f} s left"
            self.say(f"trained {self._done} of {self._total} runs, {rate} steps/s, {left}")
