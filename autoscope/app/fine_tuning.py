"""Fine-tuning beside a running session: a process of its own that gets out of everybody's way.

    python -m autoscope.app.fine_tuning

reads a task as one line of JSON from its standard input and writes what came of it to its standard output. It
lives no longer than whoever holds the other end of its input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from autoscope.session import Failed, Judged, Task

NICENESS = 15
"""How far the training stands back behind everything else on the machine."""


class Order(BaseModel):
    """What the process is told.

    Attributes:
        queue: URL of the label queue.
        session: whose answers.
        start: the model to begin with.
        output: the file to write.
        learn: requests whose answers are learnt from.
        judge: requests whose answers are held out.
        steps: optimiser steps.
        seed: of training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    queue: str
    session: str
    start: Path
    output: Path
    learn: tuple[int, ...]
    judge: tuple[int, ...]
    steps: int
    seed: int


class Reply(BaseModel):
    """What it answers; ``problem`` is empty where it trained a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    problem: str = ""
    sha256: str = ""
    mean_iou: float = 0.0
    mean_iou_before: float = 0.0


class FineTuningProcess:
    """A :class:`autoscope.session.Trainer`.

    Args:
        queue: URL of the label queue.
        session: the session's name in it.
        steps: optimiser steps.
        seed: of training.
    """

    def __init__(self, queue: str, session: str, *, steps: int, seed: int) -> None:
        self._queue, self._session, self._steps, self._seed = queue, session, steps, seed
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def process_id(self) -> int | None:
        """Of the training that goes on; None where none does."""
        return None if self._process is None else self._process.pid

    def begin(self, task: Task) -> None:
        """Starts a training; what it says besides its answer goes to a log beside the model."""
        order = Order(
            queue=self._queue, session=self._session, start=task.start.resolve(),
            output=task.output.resolve(), learn=task.learn, judge=task.judge, steps=self._steps,
            seed=self._seed,
        )  # fmt: skip
        self._log = task.output.with_suffix(".log").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            start_new_session=True,  # a Ctrl-C is for the session, which ends its training itself
        )
        if self._process.stdin is not None:
            self._process.stdin.write(order.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()

    def outcome(self) -> Judged | Failed | None:
        """What came of it; None while it goes on."""
        process = self._process
        if process is None or process.poll() is None:
            return None
        said = b"" if process.stdout is None else process.stdout.read()
        try:
            reply = Reply.model_validate_json(said)
        except ValidationError:
            reply = Reply(problem=f"its process ended with status {process.returncode}: {self._last_words()}")
        self.end()
        if reply.problem:
            return Failed(reply.problem)
        return Judged(reply.sha256, reply.mean_iou, reply.mean_iou_before)

    def _last_words(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    def end(self) -> None:
        """Ends the process, if it runs, and waits until it is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
            process.wait()
        if self._log is not None:
            self._log.close()
            Path(self._log.name).unlink(missing_ok=True)
            self._log = None


def main() -> int:
    """Carries out one order."""
    order = Order.model_validate_json(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICENESS)
    from autoscope.core import AutoscopeError

    try:
        reply = _carry_out(order)
    except AutoscopeError as error:
        reply = Reply(problem=str(error))
    print(json.dumps(reply.model_dump()), flush=True)
    return 0


def _end_with_parent() -> None:
    """Ends this process at once when the other end of its input is closed, however that happened."""
    if not os.read(sys.stdin.fileno(), 1):
        os._exit(1)


def _carry_out(order: Order) -> Reply:
    from autoscope.app.retraining import fine_tune, first_answers
    from autoscope.labels import LabelQueue

    with LabelQueue.open(order.queue) as queue:
        answered: dict[Any, Any] = {one.facts["request"]: one for one in first_answers(queue, order.session)}
    learn, judge = ([answered[number] for number in chosen] for chosen in (order.learn, order.judge))
    done = fine_tune(learn, judge, order.start, order.output, steps=order.steps, seed=order.seed)
    return Reply(sha256=done.sha256, mean_iou=done.mean_iou, mean_iou_before=done.mean_iou_before)


if __name__ == "__main__":
    sys.exit(main())
