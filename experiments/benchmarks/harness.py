"""Every row lives in its own process; the driver calls them in turn, A B C ... A B C ..., and compares their answers.

A turn after the first is as many calls as fit into 20 ms, at least one: a call of a millisecond alone would measure how fast a
process wakes up.
"""

import dataclasses
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import numpy as np

_TURN = 0.02  # seconds


@dataclasses.dataclass
class Row:
    """One contestant: the function that sets it up, its arguments, and the memory traffic it cannot do without, if known."""

    name: str
    setup: str
    arguments: dict
    least_bytes: float = 0.0


@dataclasses.dataclass
class Timing:
    """What came of it.

    Attributes:
        first: seconds of the first call, compilation included.
        median: of the later ones.
        fastest: of the later ones.
        difference: of the answer from that of the first row.
        bandwidth: bytes a second, of those it cannot do without.
        memory: bytes at the peak of its process.
    """

    name: str
    first: float = float("nan")
    median: float = float("nan")
    fastest: float = float("nan")
    difference: float = float("nan")
    bandwidth: float = float("nan")
    memory: float = float("nan")
    failure: str = ""


def race(rows: list[Row], repeats: int, threads: int = 1) -> list[Timing]:
    """Time all rows interleaved; answers are compared with those of the first row that has one."""
    workers = [_Worker(row, threads) for row in rows]
    timings = [Timing(row.name) for row in rows]
    seconds: list[list[float]] = [[] for _ in rows]
    answers: list[np.ndarray | None] = [None] * len(rows)
    for turn in range(repeats + 1):
        for k, worker in enumerate(workers):
            if worker.failure:
                continue
            reply = worker.call()
            if reply is None:
                continue
            took, answer = reply["seconds"], np.array(reply["answer"])
            timings[k].memory = reply["memory"]
            if turn == 0:
                timings[k].first = took
            else:
                seconds[k].append(took)
            answers[k] = answer
    reference = next((answer for answer in answers if answer is not None), None)
    for k, worker in enumerate(workers):
        worker.close()
        timings[k].failure = worker.failure
        if seconds[k] and reference is not None and answers[k] is not None:
            timings[k].median, timings[k].fastest = statistics.median(seconds[k]), min(seconds[k])
            if rows[k].least_bytes:
                timings[k].bandwidth = rows[k].least_bytes / timings[k].median
            timings[k].difference = float(np.max(np.abs(answers[k] - reference)))
    return timings


class _Worker:
    """A process that holds one row and runs it on request."""

    def __init__(self, row: Row, threads: int):
        pools = {name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        command = [sys.executable, "-m", "experiments.benchmarks.harness", row.setup, json.dumps(row.arguments)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | pools,
        )
        self.failure = ""
        self._read()  # ready

    def call(self):
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self._read()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _read(self):
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        for line in self.process.stdout:
            if line.startswith("@"):
                return json.loads(line[1:])
        self.failure = (self.process.stderr.read().strip().splitlines() or ["ended without a word"])[-1]
        return None


def _serve() -> None:
    module, function = sys.argv[1].split(":")
    call = getattr(importlib.import_module(f"experiments.benchmarks.{module}"), function)(**json.loads(sys.argv[2]))
    print('@{"ready": true}', flush=True)
    for turn, _ in enumerate(sys.stdin):
        start, seconds, calls = time.perf_counter(), 0.0, 0
        while calls == 0 or (turn > 0 and seconds < _TURN):
            answer = call()
            if hasattr(answer, "block_until_ready"):
                answer.block_until_ready()
            seconds, calls = time.perf_counter() - start, calls + 1
        seconds = seconds / calls
        numbers = np.asarray(answer, float).ravel()
        numbers = numbers[:: max(1, numbers.size // 2**16)]  # of a long vector every so many entries
        memory = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print("@" + json.dumps({"seconds": seconds, "memory": memory, "answer": numbers.tolist()}), flush=True)


if __name__ == "__main__":
    _serve()
