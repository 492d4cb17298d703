"""Shapes of load: one column of the tables each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Shape of load: the options of `wsload`, and the `field` of its output that is the result.

    `needs` are the features that a server must have. Idle shapes have no field: `idle` is the number of connections,
    and the server's memory is measured from outside.
    """

    name: str
    title: str
    unit: str
    group: str
    needs: frozenset[str]
    load: tuple[str, ...] = ()
    field: str = ""
    idle: int = 0

    @property
    def less_is_better(self) -> bool:
        """Whether the result is a cost: memory is, everything else is a rate."""
        return self.idle > 0

    @property
    def tls(self) -> bool:
        """Whether the load goes to the TLS port."""
        return "-T" in self.load


PLAIN = "Echo and broadcast"
ENCODED = "TLS and permessage-deflate"
AROUND = "Handshakes, memory, files"


def _echo(name: str, title: str, unit: str, load: str, group: str = PLAIN, needs: str = "echo") -> Shape:
    return Shape(
        name=name, title=title, unit=unit, group=group, needs=frozenset(needs.split()),
        load=("-m", "echo", *load.split()), field="MB_per_s" if unit == "MB/s" else "msgs_per_s",
    )  # fmt: skip


SHAPES = (
    _echo("echo-1x1", "echo 1 × 1, 64 B", "msg/s", "-c 1 -d 1 -s 64"),
    _echo("echo-100x1", "echo 100 × 1, 64 B", "msg/s", "-c 100 -d 1 -s 64"),
    _echo("echo-16x32", "echo 16 × 32, 64 B", "msg/s", "-c 16 -d 32 -s 64"),
    _echo("echo-16x4-4k", "echo 16 × 4, 4 KiB", "MB/s", "-c 16 -d 4 -s 4096"),
    _echo("echo-4x2-1m", "echo 4 × 2, 1 MB", "MB/s", "-c 4 -d 2 -s 1000000 -b"),
    Shape(
        name="broadcast", title="broadcast 1 → 500, 64 B", unit="deliveries/s", group=PLAIN, field="msgs_per_s",
        needs=frozenset({"broadcast"}), load=("-m", "broadcast", "-c", "500", "-d", "4", "-s", "64"),
    ),
    _echo("tls-100x1", "TLS 100 × 1, 64 B", "msg/s", "-T -c 100 -d 1 -s 64", ENCODED, "echo tls"),
    _echo("tls-4x4-64k", "TLS 4 × 4, 64 KiB", "MB/s", "-T -c 4 -d 4 -s 65536 -b", ENCODED, "echo tls"),
    _echo("deflate-16x4-1k", "deflate 16 × 4, 1 KiB JSON", "msg/s", "-z -j -c 16 -d 4 -s 1024", ENCODED, "deflate"),
    _echo("deflate-4x2-64k", "deflate 4 × 2, 64 KiB JSON", "MB/s", "-z -j -c 4 -d 2 -s 65536", ENCODED, "deflate"),
    Shape(
        name="handshakes", title="opened, 32 at a time", unit="handshakes/s", group=AROUND,
        needs=frozenset({"handshakes"}), load=("-m", "connect", "-c", "32"), field="handshakes_per_s",
    ),
    Shape(
        name="idle", title="4,000 idle", unit="KiB each", group=AROUND,
        needs=frozenset({"memory"}), load=("-m", "idle", "-c", "4000"), idle=4000,
    ),
    Shape(
        name="idle-tls", title="1,000 idle, TLS", unit="KiB each", group=AROUND,
        needs=frozenset({"memory", "tls"}), load=("-m", "idle", "-T", "-c", "1000"), idle=1000,
    ),
    Shape(
        name="files", title="4 KiB file, 50 × 1", unit="GET/s", group=AROUND,
        needs=frozenset({"files"}), load=("-m", "get", "-c", "50", "-u", "/static/4k.txt"), field="gets_per_s",
    ),
)  # fmt: skip
"""All shapes, in the order of the tables' columns."""
