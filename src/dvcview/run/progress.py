"""DVC with a counter of stages and the time left: `python -m dvcview.run.progress repro`.

It runs in DVC's process, so that a stage keeps the terminal, and no pipe breaks if `dvcview run` is
killed.

Source: `dvc.repo.reproduce` and `dvc.stage`, DVC 3.67.
"""

from __future__ import annotations

import json
import logging
import runpy
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from dvcview.errors import UserError
from dvcview.files.artifacts import write_json

TIMES = Path(".dvcview/times.json")
PUSH_ADVICE = "Use `dvc push` to send your updates to remote storage."
ENOUGH = 10  # seconds that say how fast this run is, compared with the times of earlier ones
# What DVC logs about each stage besides its beginning, and at the end its advice about git.
LEFT_OUT = (
    "", "Stage '%s' didn't change, skipping", "'%s' didn't change, skipping",
    "Updating lock file '%s'", "Generating lock file '%s'",
    "\nTo track the changes with git, run:\n\n%s",
    "\nTo enable auto staging, run:\n\n\tdvc config core.autostage true",
)  # fmt: skip


def read_times(file: Path) -> dict[str, float]:
    """The seconds that each stage took when it last ran; none if the file is missing or damaged."""
    try:
        times = json.loads(file.read_text(encoding="utf-8"))
        return {str(stage): float(seconds) for stage, seconds in times.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def duration(seconds: float) -> str:
    """A rounded duration.

    >>> [duration(seconds) for seconds in (0.2, 47, 100, 3599, 9000)]
    ['1 s', '50 s', '2 min', '1 h 0 min', '2 h 30 min']
    """
    if seconds < 95:
        return f"{max(1, round(seconds) if seconds < 10 else round(seconds, -1)):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def names(stages: Iterable[str]) -> str:
    """The names of stages; several variants of one stage are counted.

    >>> names(["digits", "optimizers@sgd", "optimizers@adam", "claims@sgd"])
    'digits, optimizers (2), claims@sgd'
    """
    variants: dict[str, list[str]] = {}
    for stage in stages:
        variants.setdefault(stage.partition("@")[0], []).append(stage)
    return ", ".join(
        found[0] if len(found) == 1 else f"{name} ({len(found)})"
        for name, found in variants.items()
    )


class Plan:
    """The stages that a run has to look at, and those that will run, as far as is known now.

    Args:
        stages: DVC's stages, each after those that it depends on.
        graph: DVC's graph of them; an edge leads from a stage to one that it depends on.
    """

    def __init__(self, stages: Sequence[Any], graph: Any) -> None:
        self._stages = [stage for stage in stages if stage.cmd]  # .dvc files have no command
        self._upstream = {
            stage: set(graph.successors(stage)) if graph else set() for stage in stages
        }
        self._changed = {stage for stage in stages if _has_changed(stage)}
        self._done: set[Any] = set()

    def changed(self) -> list[str]:
        """The stages that are certain to run."""
        return [stage.addressing for stage in self._stages if stage in self._changed - self._done]

    def left(self) -> list[str]:
        """The stages that will run if the outs of each stage before them become different."""
        found = set(self._changed)
        for stage in self._stages:
            if stage not in self._done and self._upstream[stage] & found:
                found.add(stage)
        return [stage.addressing for stage in self._stages if stage in found - self._done]

    def finish(self, stage: Any, *, is_different: bool) -> None:
        """Note that a stage has run or was skipped, and whether its outs are different now."""
        self._done.add(stage)
        (self._changed.add if is_different else self._changed.discard)(stage)


def _has_changed(stage: Any) -> bool:
    from dvc.exceptions import DvcException

    try:
        return bool(stage.changed())
    except DvcException:  # DVC reports it when it comes to this stage
        return True


class Progress(logging.Filter):
    """Counts the stages of one run, and rewrites DVC's messages about them.

    `times` has the seconds that each stage took when it last ran.
    """

    def __init__(self, plan: Plan, times: Mapping[str, float]) -> None:
        super().__init__()
        self._plan = plan
        self.times = dict(times)
        self._count = 0  # of the stages that have run or were restored
        self._expected = self._spent = 0.0  # seconds of those that have run
        self._is_running = False

    def announcement(self) -> str:
        """What will run, and how long it took the last time; empty if nothing will run."""
        changed, left = self._plan.changed(), self._plan.left()
        if not changed:
            return ""
        lines = [f"{len(changed)} stage{'s' * (len(changed) > 1)} to run: {names(changed)}"]
        others = [stage for stage in left if stage not in changed]
        if others:
            lines.append(f"then, if their inputs have changed: {names(others)}")
        time_of_all = self._time(left)
        if time_of_all:
            parts = [f"the last time that took {duration(time_of_all)}"]
            time_of_changed = self._time(changed)
            if others and time_of_changed:
                parts = [f"the last time they took {duration(time_of_changed)}"]
                parts.append(f"all together {duration(time_of_all)}")
            lines.append(", ".join(parts))
        return "\n".join(lines)

    def _time(self, stages: Sequence[str]) -> float:
        """The seconds that stages took the last time; 0 if that is not known of each."""
        if not all(stage in self.times for stage in stages):
            return 0
        return sum(self.times[stage] for stage in stages)

    def _counted(self, stage: str) -> str:
        """The stage's name with its number, and with the time left for the whole run."""
        left = self._plan.left()
        pace = self._spent / self._expected if self._expected > ENOUGH else 1
        seconds = pace * self._time(left)
        how_sure = "about" if left == self._plan.changed() else "at most"
        time_left = f", {how_sure} {duration(seconds)} left" if seconds else ""
        self._count += 1
        total = self._count + max(0, len(left) - 1)
        return f"[{self._count}/{total}] {stage}{time_left}"

    def finish(self, stage: Any, seconds: float, *, is_different: bool) -> bool:
        """Note that DVC has finished with a stage; returns whether its command has run."""
        self._plan.finish(stage, is_different=is_different)
        has_run, self._is_running = self._is_running, False
        name = stage.addressing
        if has_run:
            if name in self.times:
                self._expected += self.times[name]
                self._spent += seconds
            self.times[name] = round(seconds, 2)
        return has_run

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite or leave out DVC's messages about stages; warnings and errors stay."""
        if record.levelno != logging.INFO:
            return True
        match record.msg, record.args:
            case "Running stage '%s':", (str(stage),):
                self._is_running = True
                record.msg, record.args = self._counted(stage), ()
            case "Stage '%s' is cached - skipping run, checking out outputs", (str(stage), *_):
                record.msg, record.args = f"{self._counted(stage)}, from DVC's run cache", ()
            case "%s %s", (">", _):  # the command; dvc.yaml has it
                return False
        return record.msg not in LEFT_OUT


def main() -> None:
    """Run DVC as `python -m dvc` does, with the counter."""
    # Private names: another version of DVC that lacks them runs without the counter.
    with suppress(AttributeError):
        _count_stages()
    try:
        runpy.run_module("dvc", run_name="__main__", alter_sys=True)
    finally:
        # A terminal's Ctrl-C arrives a second time, from `dvcview run`. Python would print a
        # traceback if that happened while it exits.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _count_stages() -> None:
    """Have DVC call `Progress` for each stage of a run."""
    module: Any = import_module("dvc.repo.reproduce")
    console: Any = import_module("dvc.ui").ui
    run_stages, run_stage, write = module._reproduce, module._reproduce_stage, console.write
    times_file = Path.cwd() / TIMES

    def reproduce(
        stages: Sequence[Any], graph: Any = None, repro_fn: Any = run_stage, **options: Any
    ) -> Any:
        progress = Progress(Plan(stages, graph), read_times(times_file))
        announcement = progress.announcement()
        if announcement:
            print(announcement, flush=True)
        for handler in logging.getLogger("dvc").handlers:
            handler.addFilter(progress)

        def timed(stage: Any, **its_options: Any) -> Any:
            before = [out.hash_info for out in stage.outs]
            begun = time.monotonic()
            result = repro_fn(stage, **its_options)
            is_different = result is not None and before != [out.hash_info for out in stage.outs]
            seconds = time.monotonic() - begun
            if progress.finish(stage, seconds, is_different=is_different):
                with suppress(UserError):  # the disk may be full
                    write_json(times_file, progress.times)
            return result

        return run_stages(stages, graph, repro_fn=timed, **options)

    def write_all_but_advice(*objects: Any, **options: Any) -> None:
        if objects != (PUSH_ADVICE,):
            write(*objects, **options)

    module._reproduce, console.write = reproduce, write_all_but_advice


if __name__ == "__main__":
    main()
