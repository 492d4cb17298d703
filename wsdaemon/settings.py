"""What can be configured: a frozen dataclass for each section of the INI file. Defaults live here and nowhere else.

A subprotocol that needs options of its own subclasses `WebSocketSettings`; see `wsdaemon.subprotocols`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from wsdaemon.options import Choice, Hosts, Lines, Location, Number, Origins, Seconds, Size, Switch, Text, Words, option


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Where to listen and what to serve there."""

    port: int = option(Number(0, 65535), 8080, "The port for http and ws; 0 takes any free one and logs it.")
    interface: str = option(
        Text("an address of this machine"),
        "127.0.0.1",
        "The address to listen on: 127.0.0.1 only this machine, 0.0.0.0 every IPv4 network, :: IPv6 (and IPv4) too.",
    )
    endpoints: tuple[str, ...] = option(
        Lines("Twisted endpoint descriptions, one on each line, the lines indented"),
        (),
        "More places to listen on, as Twisted endpoint descriptions, for example unix:/run/wsdaemon.sock.",
    )
    docroot: Path | None = option(
        Location(folder=True), None, "The folder of static files; without it, the pages that come with wsdaemon."
    )
    listing: bool = option(Switch(), True, "Whether a folder without an index.html shows what it holds.")
    host_names: tuple[str, ...] = option(
        Hosts(),
        (),
        "The names that this server has: a request for another Host gets a 421, so that no page can have a name of its "
        "own lead here and pass for this server (DNS rebinding). None: any.",
    )
    default_subprotocol: str = option(
        Text("the name of a subprotocol"),
        "log",
        "What a client gets that offers no subprotocol and names none by its path (Jetty: the logging socket).",
    )
    unknown_subprotocol: str = option(
        Choice(("refuse", "default")),
        "refuse",
        "What a client gets that offers only unknown subprotocols: a 400 that names the known ones, or the default.",
    )
    idle_timeout: float = option(Seconds(1, 86400), 60.0, "How long an HTTP connection may wait for its next request.")
    stall_timeout: float = option(Seconds(0.1, 3600), 30.0, "How long a download may stand still before it is dropped.")
    shutdown_timeout: float = option(
        Seconds(0.1, 3600),
        10.0,
        "How long the daemon may take to end: peers that have not gone by then are cut.",
    )
    max_connections: int = option(
        Number(1, 1_000_000),
        10_000,
        "How many connections there may be, HTTP and WebSocket together; the next gets a 503.",
    )
    max_per_address: int = option(
        Number(1, 1_000_000), 5_000, "How many of them from one address, or one /64 of IPv6 addresses."
    )
    max_new_per_second: int = option(
        Number(0, 1_000_000),
        0,
        "How many new ones a second from one address, 0 for any: for a server that faces strangers.",
    )
    content_security_policy: str = option(
        Text("a policy as in the Content-Security-Policy header", may_be_empty=True),
        "",
        "What the docroot's pages may load; without it anything, but for the pages that come with wsdaemon.",
    )


@dataclass(frozen=True, kw_only=True)
class TlsSettings:
    """https and wss on a port of their own: TLS 1.2 and 1.3."""

    enabled: bool = option(Switch(), False, "Whether to serve https and wss too.")
    port: int = option(Number(0, 65535), 8443, "The port for https and wss, on the same interface.")
    certificate: Path | str | None = option(
        Location(keyword="auto"),
        None,
        "The certificate chain in PEM; auto makes a self-signed one once, keeps it and logs its fingerprint.",
    )
    private_key: Path | None = option(Location(), None, "The certificate's private key in PEM, without a passphrase.")
    client_ca: Path | None = option(
        Location(), None, "Certificates in PEM: where given, clients must show a certificate that one of these signed."
    )


@dataclass(frozen=True, kw_only=True)
class WebSocketSettings:
    """What holds for every WebSocket connection, unless [subprotocol:NAME] says otherwise."""

    compression: bool = option(Switch(), True, "Whether permessage-deflate (RFC 7692) is agreed to when offered.")
    compression_level: int = option(
        Number(1, 9), 1, "1 is fastest, 9 smallest. 1 to 3 are isal's where that is installed (the extra speed)."
    )
    compression_threshold: int = option(
        Size(0, 1 << 20), 64, "Messages of fewer bytes are sent as they are: little is gained by compressing them."
    )
    compression_window: int = option(
        Number(9, 15), 15, "The LZ77 window of what is sent, in bits: 2**n bytes of memory for each connection."
    )
    message_limit: int = option(
        Size(0, 1 << 32),
        64 << 10,
        "The largest message that is collected, after inflating; beyond it the connection ends with 1009. 0: none.",
    )
    ping_interval: float = option(
        Seconds(0, 86400), 30.0, "How often to ask a peer with a ping whether it is still there."
    )
    ping_timeout: float = option(Seconds(0.1, 3600), 20.0, "How long the pong may take before the peer counts as dead.")
    handshake_timeout: float = option(
        Seconds(0.1, 3600), 10.0, "How long a TLS handshake may take, and then a request's headers, in all."
    )
    close_timeout: float = option(
        Seconds(0.1, 3600), 10.0, "How long a closing connection may take to be gone, whatever its peer does."
    )
    stall_timeout: float = option(
        Seconds(0.1, 3600), 30.0, "How long a peer may take to read what waits for it, before it is dropped."
    )
    message_timeout: float = option(
        Seconds(0, 86400),
        60.0,
        "How long a collected message may stay unfinished, before the connection ends with 1008.",
    )
    allowed_origins: tuple[str, ...] = option(
        Origins(), ("*",), "Whose pages may connect: * any, same only pages from here, or a list of origins."
    )


@dataclass(frozen=True, kw_only=True)
class StreamingSettings(WebSocketSettings):
    """Messages are not collected: they may be endless, in size and in time."""

    message_limit: ClassVar[int] = 0  # type: ignore[misc]  # withdraws the option: the INI file cannot set it
    message_timeout: float = option(
        Seconds(0, 86400), 0.0, "How long a message may stay unfinished, before the connection ends with 1008."
    )


FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "look": "what the server sees of a client",
        "close": "how a connection ends",
        "handshake": "how the opening handshake is answered",
        "time": "late, slow, stalled, and pongs as they should not be",
        "stream": "what comes without being asked for, and what only goes in",
        "frames": "how messages are cut into frames, and frames that are wrong",
        "order": "replies dropped, doubled, swapped or corrupted",
        "compression": "permessage-deflate forced, declined or wrong",
        "status": "who is connected",
    }
)
"""The families of behaviours, each in a line."""


@dataclass(frozen=True, kw_only=True)
class BehaviourSettings:
    """The behaviours that are chosen by URL (docs/behaviours.md): which there are, and how far they may go."""

    enabled: tuple[str, ...] = option(
        Words(), ("all",), "Which there are: all, none, or families (look close handshake stream frames …) and names."
    )
    max_bytes: int = option(
        Size(1, 1 << 50), 4 << 30, "The largest message that /bytes sends; it takes bandwidth, but no memory."
    )
    max_count: int = option(Number(1, 1_000_000_000), 100_000, "How many messages /burst and /ticker may send.")
    max_bomb: int = option(Size(1, 1 << 40), 256 << 20, "What the message of /bomb may inflate to, at the client.")
    max_rate: int = option(Number(1, 1_000_000), 1000, "How many pings a second a flood of them may have.")
    max_wait: float = option(
        Seconds(0.1, 86400),
        60.0,
        "How long a delay may be, and for how long a connection is held that stalls, or is never answered.",
    )
    redirect: str = option(
        Choice(("site", "anywhere")),
        "site",
        "Where a handshake may be redirected to: only to this site (by the request's Host), or anywhere.",
    )
    show_addresses: bool = option(Switch(), False, "Whether lws-status shows the addresses of who is connected.")


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """Bounds on what the daemon holds and does at once. Few need another value than this."""

    backlog: int = option(
        Number(1, 65535),
        4096,
        "Connections that the kernel holds while we are busy, so that a burst gets in; net.core.somaxconn may cap it.",
    )
    header_limit: int = option(Size(1 << 10, 1 << 20), 16 << 10, "How long a request's headers may be; then 431.")
    max_headers: int = option(Number(10, 10_000), 100, "How many headers a request may have; then 431.")
    max_ranges: int = option(
        Number(0, 100), 5, "How many ranges of a file one request may ask for; with more it gets the whole file."
    )
    max_listed: int = option(
        Number(1, 1_000_000), 20_000, "How many entries of a folder its listing shows, so that it has a bound too."
    )
    max_refusing: int = option(
        Number(0, 10_000),
        100,
        "How many connections beyond a cap get a 503 at once; the others are cut without a word.",
    )
    read_ahead: int = option(
        Size(0, 1 << 30),
        1 << 20,
        "How many bytes of answers may wait for one peer, before nothing more is read from it: as much can a client "
        "send before it begins to read.",
    )
    read_ahead_all: int = option(
        Size(0, 1 << 40), 64 << 20, "How many bytes of answers may wait for all peers; then none of the slow is read."
    )
    turn_budget: float = option(
        Seconds(0.0001, 1),
        0.005,
        "How long one turn of the loop works on what floods of frames bring, before all others have theirs.",
    )
    inflate_limit: int = option(
        Size(1 << 10, 1 << 40),
        16 << 20,
        "What a compressed message may inflate to where no message_limit is set; beyond it 1009, unless inflate_ratio.",
    )
    inflate_ratio: int = option(
        Number(1, 2000), 200, "Beyond inflate_limit, the multiple of its own size that a message may inflate to."
    )
    max_compressors: int = option(
        Number(1, 1_000_000),
        32,
        "How many connections keep a compressor (up to 268 KB each) between messages; the others begin a new one.",
    )
    compressor_idle: float = option(
        Seconds(0.1, 3600), 5.0, "How long a compressor is kept for a connection that sends no message."
    )
    frame_hold: int = option(
        Size(125, 1 << 24),
        64 << 10,
        "Frames up to this size are echoed when they are complete, larger ones while they come in.",
    )
    fill_limit: int = option(
        Size(0, 1 << 30),
        1 << 20,
        "How much of an echoed frame is filled with spaces when its text turns out invalid, so that 1007 can follow.",
    )


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """A listener for the operator, off the public port: /metrics for Prometheus, /healthz, /readyz and a live page."""

    enabled: bool = option(Switch(), False, "Whether there is one.")
    interface: str = option(
        Text("an address of this machine"), "127.0.0.1", "The address to listen on: nobody is asked for a password."
    )
    port: int = option(Number(0, 65535), 8081, "Its port; 0 takes any free one and logs it.")
    host_names: tuple[str, ...] = option(
        Hosts(),
        (),
        "The names that it goes by, beside localhost and its address: a request for another gets a 421. Where it "
        "listens on every address, any name will do unless some are given here.",
    )


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """What is logged, to where twistd logs (the standard output, or its --logfile)."""

    level: str = option(
        Choice(("debug", "info", "warn", "error", "critical")),
        "info",
        "The least level to log; debug shows every frame, as --verbose does.",
    )
    format: str = option(Choice(("text", "json")), "text", "A readable line for each event, or a JSON object.")
    lag_threshold: float = option(
        Seconds(0.01, 3600), 0.5, "How long the loop may be held before that is logged, with what was running."
    )
    repeat_after: float = option(
        Seconds(0.1, 86400), 60.0, "How long until the same cause of a refusal is logged again; all are counted."
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings; `subprotocols` has one entry for each known subprotocol, by its short name."""

    server: ServerSettings = field(default_factory=ServerSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    websocket: WebSocketSettings = field(default_factory=WebSocketSettings)
    behaviours: BehaviourSettings = field(default_factory=BehaviourSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    admin: AdminSettings = field(default_factory=AdminSettings)
    log: LogSettings = field(default_factory=LogSettings)
    subprotocols: Mapping[str, WebSocketSettings] = field(default_factory=lambda: MappingProxyType({}))


SECTIONS: Mapping[str, type] = MappingProxyType(
    {
        "server": ServerSettings,
        "tls": TlsSettings,
        "websocket": WebSocketSettings,
        "behaviours": BehaviourSettings,
        "limits": LimitSettings,
        "admin": AdminSettings,
        "log": LogSettings,
    }
)
