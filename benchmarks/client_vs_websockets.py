"""Benchmark of `wsdaemon load` beside a client on websockets and uvloop: both run the same closed-loop echo.

    python -m pip install -e '.[bench]'
    python -m benchmarks.client_vs_websockets [--rounds 5] [--seconds 4] [--json FILE]

wsdaemon serves on one core, the client runs on another. The two clients take turns, so that a change in the machine's
speed affects both. Prints, for each setting, the median of messages per second, the spread, and the ratio of the
medians. If both are equally fast, the server is the limit; therefore the CPU time per message is measured too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.certificate import write_certificate
from benchmarks.process import cores, pinned, running
from benchmarks.servers import OWN, SERVERS

BIN = Path(sys.executable).parent
SETTINGS = [
    {"clients": 1, "in_flight": 1, "size": 64},
    {"clients": 50, "in_flight": 1, "size": 64},
    {"clients": 50, "in_flight": 16, "size": 64},
    {"clients": 50, "in_flight": 1, "size": 4096},
]


def main() -> None:
    """Run all settings and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--seconds", type=float, default=4.0, metavar="S")
    parser.add_argument("--json", type=Path, metavar="FILE", default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--websockets", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.websockets:
        url, *numbers = options.websockets
        websockets_client(url, int(numbers[0]), int(numbers[1]), int(numbers[2]), float(numbers[3]))
        return
    own = next(server for server in SERVERS if server.name == OWN)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(own, folder, write_certificate(folder), folder) as started:
            url = f"ws://127.0.0.1:{started.places.port}/echo"
            results = [measure(url, setting, options.rounds, options.seconds) for setting in SETTINGS]
    options.json.write_text(json.dumps(results, indent=1) + "\n")


def measure(url: str, setting: dict[str, int], rounds: int, seconds: float) -> dict[str, Any]:
    """Measure both clients in turn; print and return the results."""
    runs: dict[str, list[dict[str, float]]] = {"wsdaemon": [], "websockets": []}
    for number in range(rounds):
        order = list(runs) if number % 2 == 0 else list(reversed(runs))
        for name in order:
            runs[name].append(run_client(name, url, setting, seconds))
    rates = {name: [each["messages_per_second"] for each in found] for name, found in runs.items()}
    cpu = {name: statistics.median(each["cpu_us_per_message"] for each in found) for name, found in runs.items()}
    medians = {name: statistics.median(each) for name, each in rates.items()}
    ratio = medians["wsdaemon"] / medians["websockets"]
    print(f"{setting['clients']} clients, {setting['in_flight']} in flight each, {setting['size']} B")
    for name in runs:
        print(
            f"  {name:<12}{medians[name]:>10,.0f} messages/s  ({min(rates[name]):,.0f} to {max(rates[name]):,.0f})"
            f"{cpu[name]:>8.1f} us of client CPU each"
        )
    print(f"  ratio       {ratio:>10.2f}; by CPU time {cpu['websockets'] / cpu['wsdaemon']:.2f}", flush=True)
    return {
        **setting, "messages_per_second": rates, "median_messages_per_second": medians, "ratio": round(ratio, 3),
        "median_cpu_us_per_message": cpu,
    }  # fmt: skip


def run_client(name: str, url: str, setting: dict[str, int], seconds: float) -> dict[str, float]:
    """Run one client on its core."""
    numbers = [str(setting[each]) for each in ("clients", "in_flight", "size")]
    if name == "wsdaemon":
        command: list[str | Path] = [
            BIN / "wsdaemon", "load", url, f"--clients={numbers[0]}", f"--in-flight={numbers[1]}",
            f"--size={numbers[2]}", f"--duration={seconds}", "--json=-", "--quiet",
        ]  # fmt: skip
    else:
        command = [sys.executable, "-m", "benchmarks.client_vs_websockets", "--websockets", url, *numbers, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=pinned(cores()[1]))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if name == "wsdaemon":
        rate = found["rates"]["messages_per_second"]
        share = found["client"]["cpu_percent_of_a_core"] / 100
        return {"messages_per_second": rate, "cpu_us_per_message": 1e6 * share / rate}
    result: dict[str, float] = found
    return result


def websockets_client(url: str, clients: int, in_flight: int, size: int, seconds: float) -> None:
    """Do what `wsdaemon load` does, with websockets: check each reply and record each latency."""
    import asyncio
    import time
    from collections import deque

    import uvloop
    from websockets.asyncio.client import connect

    message = "x" * size
    latencies: list[float] = []

    async def one(end: float, connection: Any) -> None:
        waiting: deque[float] = deque()
        for _ in range(in_flight):
            waiting.append(time.perf_counter())
            await connection.send(message)
        while waiting:
            reply = await connection.recv()
            assert reply == message
            now = time.perf_counter()
            latencies.append(now - waiting.popleft())
            if now < end:
                waiting.append(now)
                await connection.send(message)

    async def run() -> None:
        connections = [await connect(url, compression=None, max_queue=None, proxy=None) for _ in range(clients)]
        begin, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one(begin + seconds, each) for each in connections))
        elapsed = time.perf_counter() - begin
        used = time.process_time() - cpu
        count = len(latencies)
        print(json.dumps({"messages_per_second": count / elapsed, "cpu_us_per_message": 1e6 * used / count}))
        await asyncio.gather(*(each.close() for each in connections))

    uvloop.run(run())


if __name__ == "__main__":
    main()
