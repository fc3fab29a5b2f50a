"""What the pipeline tells while it works: progress bars on a terminal, plain lines elsewhere."""

import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Terminal:
    """A `pipeline.Watcher` that prints."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._live = sys.stdout.isatty() and not quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._total = (0, 0)
        self._done = (0, 0)
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

    def training(self, runs: int, steps: int) -> None:
        """Training begins: so many runs of so many optimizer steps in all."""
        self._total, self._done = (runs, steps), (0, 0)
        self._began = self._spoke = time.monotonic()
        if not self._live:
            self.say(f"training {runs} runs" + (f", {steps:,} steps" if steps else ""))
            return
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("training"),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[runs]} of {task.fields[of]} runs"),
            progress.TextColumn("{task.fields[rate]} steps/s"),
            progress.TimeRemainingColumn(),
        )
        self._task = self._bar.add_task("training", total=steps, runs=0, of=runs, rate="–")
        self._bar.start()

    def trained(self, steps: int) -> None:
        """A run of so many steps is stored."""
        self._done = (self._done[0] + 1, self._done[1] + steps)
        now = time.monotonic()
        rate = self._done[1] / (now - self._began or 1)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=steps, runs=self._done[0], rate=f"{rate:,.0f}")
            if self._done[0] == self._total[0]:
                self._bar.stop()
        elif now - self._spoke >= 5 or self._done[0] == self._total[0]:
            self._spoke = now
            left = (self._total[1] - self._done[1]) / rate if rate else 0
            more = f", {rate:,.0f} steps/s, {left:.0f} s left" if rate else ""
            self.say(f"trained {self._done[0]} of {self._total[0]} runs{more}")
