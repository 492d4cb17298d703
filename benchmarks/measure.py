"""Measurement of one server in one shape, and of all servers in turn."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.certificate import write_certificate
from benchmarks.process import BenchmarkError, Started, cores, pinned, running, settled_memory
from benchmarks.results import Cell, Results, figure
from benchmarks.servers import BUILD, Server
from benchmarks.shapes import Shape

WSLOAD = BUILD / "wsload"
SLACK_SECONDS = 150
"""Time allowed to wsload beyond its measurement; it stops opening connections after 120 s itself."""


@dataclass(frozen=True)
class Sample:
    """One measurement; `generator_cpu` is the generator's CPU use in percent of its core, if it was measured."""

    value: float
    generator_cpu: float | None = None


def parse(line: str) -> dict[str, float]:
    """Return the numbers in wsload's output line, without percent signs.

    Raises `BenchmarkError` if it is no such line, or if it reports lost or closed connections or wrong replies.
    """
    found: dict[str, float] = {}
    for pair in line.split():
        name, equals, value = pair.partition("=")
        if not equals:
            raise BenchmarkError(f"wsload printed: {line.strip()}")
        if name != "mode":
            found[name] = float(value.removesuffix("%"))
    for name, what in (("errors", "lost or answered wrongly"), ("close_frames", "closed"), ("lost", "lost")):
        if found.get(name):
            raise BenchmarkError(f"{found[name]:.0f} connections were {what}")
    if not found:
        raise BenchmarkError("wsload printed nothing")
    return found


def measure(started: Started, shape: Shape, seconds: float, warm_up: float) -> Sample:
    """Measure a running server; raises `BenchmarkError` on failure."""
    if shape.idle:
        sample = _measure_idle(started, shape)
    else:
        numbers = parse(_run(_command(started, shape, seconds, warm_up), seconds + warm_up + SLACK_SECONDS))
        sample = Sample(numbers[shape.field], numbers["gen_cpu"])
    if sample.value <= 0:
        raise BenchmarkError("nothing came back" if shape.field else "the server did not grow")
    return sample


def _command(started: Started, shape: Shape, seconds: float, warm_up: float) -> list[str | Path]:
    server, places = started.server, started.places
    port = places.tls_port if shape.tls else places.port
    target = server.echo
    if "broadcast" in shape.needs:
        target = server.broadcast
    elif "files" in shape.needs:
        target = ()
        if server.has_files_port:
            port = places.files_port
    return [WSLOAD, "-p", str(port), *target, *shape.load, "-t", str(seconds), "-w", str(warm_up)]


def _run(command: list[str | Path], timeout: float) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, preexec_fn=pinned(cores()[1])
    )
    if done.returncode:
        raise BenchmarkError(done.stderr.strip() or f"wsload ended with {done.returncode}")
    return done.stdout


def _measure_idle(started: Started, shape: Shape) -> Sample:
    """Measure the server's growth per open, silent connection in KiB."""
    # The first connection also pays for what is loaded once.
    first = ["-c", "1", "-m", "echo"] + (["-T"] if shape.tls else [])
    port = started.places.tls_port if shape.tls else started.places.port
    _run([WSLOAD, "-p", str(port), *started.server.echo, *first, "-t", "0.1", "-w", "0"], SLACK_SECONDS)
    before = settled_memory(started.pid)
    generator = subprocess.Popen(
        _command(started, shape, SLACK_SECONDS, 0), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=pinned(cores()[1]),
    )  # fmt: skip
    assert generator.stdout is not None
    try:
        opened = generator.stdout.readline()
        grown = settled_memory(started.pid) - before
    finally:
        generator.terminate()
        rest, errors = generator.communicate(timeout=SLACK_SECONDS)
    if generator.returncode:
        raise BenchmarkError(errors.strip())
    parse(opened)
    parse(rest)
    return Sample(grown / shape.idle / 1024)


def measure_all(
    shapes: list[Shape],
    servers: list[Server],
    results: Results,
    tell: Callable[[str], None],
) -> None:
    """Measure all servers in all shapes and add the samples to `results`, as its settings say.

    Each round runs all shapes, and each shape all servers in turn, so that a change in the machine's speed affects all
    of them. A server runs only while it is measured. After a failure in a shape, it is not tried there again.
    """
    settings = results.settings
    with tempfile.TemporaryDirectory(prefix="wsdaemon-bench-") as name:
        folder = Path(name)
        certificate = write_certificate(folder)
        files = folder / "docroot"
        (files / "static").mkdir(parents=True)
        (files / "static" / "4k.txt").write_bytes(b"0123456789abcde\n" * 256)
        for round_number in range(1, settings.rounds + 1):
            for shape in shapes:
                for server in servers:
                    if not shape.needs <= server.features or server.name in results.failures.get(shape.name, {}):
                        continue
                    where = f"round {round_number} of {settings.rounds}: {shape.name}, {server.title}"
                    try:
                        with running(server, folder, certificate, files) as started:
                            sample = measure(started, shape, settings.seconds, settings.warm_up)
                    except (BenchmarkError, subprocess.TimeoutExpired) as error:
                        results.failures.setdefault(shape.name, {})[server.name] = str(error)
                        tell(f"{where}: failed: {error}")
                        continue
                    cell = results.cells.setdefault(shape.name, {}).setdefault(server.name, Cell())
                    cell.add(sample.value, sample.generator_cpu)
                    tell(f"{where}: {figure(sample.value)} {shape.unit}{_warning(sample)}")


def _warning(sample: Sample) -> str:
    if sample.generator_cpu is None or sample.generator_cpu <= Cell.GENERATOR_LIMIT:
        return ""
    return f" (the generator used {sample.generator_cpu:.0f}% of its core: it may be the limit)"
