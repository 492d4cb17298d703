"""Settings: a frozen dataclass for each section of the INI file. Defaults live here and nowhere else.

A subprotocol with options of its own subclasses `WebSocketSettings`; see docs/subprotocols.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from wsdaemon.options import Choice, Hosts, Lines, Location, Number, Origins, Seconds, Size, Switch, Text, Words, option

PAGES_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
"""The Content-Security-Policy of the pages that come with wsdaemon."""

_PORT = Number(0, 65535)
_ADDRESS = Text("an address of this machine")
_TIMEOUT = Seconds(0.1, 3600)
_MANY = Number(1, 1_000_000)


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Where to listen, and what to serve."""

    port: int = option(_PORT, 8080, "The port for http and ws; 0 takes a free one and logs it.", needs_restart=True)
    interface: str = option(
        _ADDRESS,
        "127.0.0.1",
        "The address to listen on: 127.0.0.1 for this machine only, 0.0.0.0 for all of IPv4, :: for IPv6 and IPv4.",
        needs_restart=True,
    )
    endpoints: tuple[str, ...] = option(
        Lines("Twisted endpoint descriptions, one on each line, the lines indented"),
        (),
        "More places to listen on, as Twisted endpoint descriptions, for example unix:/run/wsdaemon.sock.",
        example="\n    unix:/run/wsdaemon.sock",
        needs_restart=True,
    )
    docroot: Path | None = option(
        Location(folder=True),
        None,
        "The folder of static files. None: the pages that come with wsdaemon.",
        example="../static",
    )
    listing: bool = option(Switch(), True, "Whether to list the files of a folder that has no index.html.")
    host_names: tuple[str, ...] = option(
        Hosts(),
        (),
        "The names of this server; a request with another Host gets a 421. This stops a web page from reaching the "
        "server under a name of its own (DNS rebinding). None: every name is accepted.",
    )
    default_subprotocol: str = option(
        Text("the name of a subprotocol"),
        "log",
        "The subprotocol of a client that offers none and names none in its path (Jetty: the logging socket).",
    )
    unknown_subprotocol: str = option(
        Choice(("refuse", "default")),
        "refuse",
        "The response to a client that offers only unknown subprotocols: a 400 that lists the known ones, or a "
        "connection with the default subprotocol.",
    )
    idle_timeout: float = option(Seconds(1, 86400), 60.0, "How long an HTTP connection may wait for its next request.")
    stall_timeout: float = option(_TIMEOUT, 30.0, "How long a download may make no progress.")
    shutdown_timeout: float = option(_TIMEOUT, 10.0, "How long a shutdown may take; then connections are aborted.")
    max_connections: int = option(_MANY, 10_000, "The most connections, HTTP and WebSocket together; more get a 503.")
    max_per_address: int = option(_MANY, 5_000, "The most connections from one IPv4 address or one /64 of IPv6.")
    max_new_per_second: int = option(
        Number(0, 1_000_000),
        0,
        "The most new connections a second from one address. 0: no limit. For a server that is open to strangers.",
    )
    content_security_policy: str = option(
        Text("a policy as in the Content-Security-Policy header", may_be_empty=True),
        "",
        "What the docroot's pages may load. None: anything; the pages that come with wsdaemon have their own policy.",
        example=PAGES_POLICY,
    )


@dataclass(frozen=True, kw_only=True)
class TlsSettings:
    """https and wss on a port of their own, with TLS 1.2 and 1.3."""

    enabled: bool = option(Switch(), False, "Whether to serve https and wss too.", needs_restart=True)
    port: int = option(_PORT, 8443, "The port for https and wss, on the same interface.", needs_restart=True)
    certificate: Path | str | None = option(
        Location(keyword="auto"),
        None,
        "The certificate chain in PEM; auto makes a self-signed one, keeps it and logs its fingerprint.",
        example="auto",
    )
    private_key: Path | None = option(
        Location(), None, "The certificate's private key in PEM, without a passphrase.", example="key.pem"
    )
    client_ca: Path | None = option(
        Location(),
        None,
        "Certificates in PEM. If set, each client must present a certificate signed by one of them.",
        example="clients-ca.pem",
    )


@dataclass(frozen=True, kw_only=True)
class WebSocketSettings:
    """All WebSocket connections; [subprotocol:NAME] overrides these options for one subprotocol."""

    compression: bool = option(Switch(), True, "Whether to accept permessage-deflate (RFC 7692) if it is offered.")
    compression_level: int = option(
        Number(1, 9), 1, "1 is fastest, 9 smallest. 1 to 3 use isal if it is installed (the extra `speed`)."
    )
    compression_threshold: int = option(
        Size(0, 1 << 20), 64, "Messages smaller than this are sent uncompressed: compression would gain little."
    )
    compression_window: int = option(
        Number(9, 15), 15, "The LZ77 window for sending, in bits: 2**n bytes of memory for each connection."
    )
    message_limit: int = option(
        Size(0, 1 << 32),
        64 << 10,
        "The largest message that is collected, after inflating; a larger one closes the connection with 1009. 0: no "
        "limit.",
    )
    ping_interval: float = option(Seconds(0, 86400), 30.0, "How often to ping a peer, to find out whether it is alive.")
    ping_timeout: float = option(_TIMEOUT, 20.0, "How long a pong may take; then the connection ends.")
    handshake_timeout: float = option(
        _TIMEOUT, 10.0, "How long the TLS handshake may take, and after it the headers of a request."
    )
    close_timeout: float = option(_TIMEOUT, 10.0, "How long a closing handshake may take; then TCP is aborted.")
    stall_timeout: float = option(_TIMEOUT, 30.0, "How long a peer may leave queued data unread; then TCP is aborted.")
    message_timeout: float = option(
        Seconds(0, 86400), 60.0, "How long a collected message may take; then the connection closes with 1008."
    )
    allowed_origins: tuple[str, ...] = option(
        Origins(), ("*",), "Which pages may connect: * all, same only those of this server, or a list of origins."
    )


@dataclass(frozen=True, kw_only=True)
class StreamingSettings(WebSocketSettings):
    """Messages are streamed, not collected, so they may be endless in size and in time."""

    message_limit: ClassVar[int] = 0  # type: ignore[misc]  # withdraws the option: the INI file cannot set it
    message_timeout: float = option(
        Seconds(0, 86400), 0.0, "How long a message may stay unfinished; then the connection closes with 1008."
    )


@dataclass(frozen=True, kw_only=True)
class BehaviourSettings:
    """Behaviours, which clients choose by URL (docs/behaviours.md), and their limits."""

    enabled: tuple[str, ...] = option(
        Words(),
        ("all",),
        "The enabled behaviours: all, none, or a list of families (look close handshake …) and names.",
    )
    max_bytes: int = option(Size(1, 1 << 50), 4 << 30, "The largest message of /bytes; it takes bandwidth, not memory.")
    max_count: int = option(Number(1, 1_000_000_000), 100_000, "The most messages that /burst and /ticker send.")
    max_bomb: int = option(Size(1, 1 << 40), 256 << 20, "The largest size that the message of /bomb inflates to.")
    max_rate: int = option(_MANY, 1000, "The most pings a second that ping_rate sends.")
    max_wait: float = option(
        Seconds(0.1, 86400), 60.0, "The longest delay, and how long a stalled or unanswered connection is kept."
    )
    redirect: str = option(
        Choice(("site", "anywhere")),
        "site",
        "Where handshakes may be redirected to: site allows only the request's host.",
    )
    show_addresses: bool = option(Switch(), False, "Whether lws-status shows the addresses of the connected clients.")


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """Limits on what the daemon holds and does at once. The defaults suit nearly everyone."""

    backlog: int = option(
        Number(1, 65535),
        4096,
        "How many connections the kernel queues for us to accept, so that none of a burst is refused; "
        "net.core.somaxconn caps it.",
        needs_restart=True,
    )
    header_limit: int = option(Size(1 << 10, 1 << 20), 16 << 10, "The most bytes of request headers; more get a 431.")
    max_headers: int = option(Number(10, 10_000), 100, "The most headers of a request; more get a 431.")
    max_ranges: int = option(Number(0, 100), 5, "The most ranges in one request; with more, the whole file is sent.")
    max_listed: int = option(_MANY, 20_000, "The most entries that the listing of a folder shows.")
    max_refusing: int = option(
        Number(0, 10_000), 100, "How many connections over a limit get a 503 at a time; more are aborted."
    )
    read_ahead: int = option(
        Size(0, 1 << 30),
        1 << 20,
        "How many bytes of replies may queue for one peer before we stop reading from it. A client can send this much "
        "before it starts reading.",
    )
    read_ahead_all: int = option(
        Size(0, 1 << 40), 64 << 20, "The same limit for all peers together; above it, nothing is read from slow peers."
    )
    turn_budget: float = option(
        Seconds(0.0001, 1), 0.005, "How long the loop works on floods of frames before other connections get a turn."
    )
    inflate_limit: int = option(
        Size(1 << 10, 1 << 40),
        16 << 20,
        "How large a compressed message may inflate if there is no message_limit. A larger one closes the connection "
        "with 1009, unless inflate_ratio allows it.",
    )
    inflate_ratio: int = option(
        Number(1, 2000), 200, "A message over inflate_limit may inflate to this multiple of its compressed size."
    )
    max_compressors: int = option(
        _MANY,
        32,
        "How many connections keep their compressor (up to 268 KB each) between messages; the others begin a new one.",
    )
    compressor_idle: float = option(_TIMEOUT, 5.0, "How long a connection that sends no message keeps its compressor.")
    frame_hold: int = option(
        Size(125, 1 << 24), 64 << 10, "Frames up to this size are echoed once complete, larger ones as they arrive."
    )
    fill_limit: int = option(
        Size(0, 1 << 30),
        1 << 20,
        "How much of a half-echoed frame is filled up with spaces if its text turns out invalid, so that a Close with "
        "1007 can follow.",
    )


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """A listener for the operator, apart from the public port: /metrics, /healthz, /readyz and a live page."""

    enabled: bool = option(Switch(), False, "Whether to run the admin listener.", needs_restart=True)
    interface: str = option(
        _ADDRESS, "127.0.0.1", "The address to listen on. There is no password: keep it private.", needs_restart=True
    )
    port: int = option(_PORT, 8081, "The admin listener's port; 0 takes a free one and logs it.", needs_restart=True)
    host_names: tuple[str, ...] = option(
        Hosts(),
        (),
        "Host names accepted in addition to localhost and the listener's own address; others get a 421. When it "
        "listens on all addresses, every name is accepted unless this is set.",
        needs_restart=True,
    )


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """The log, which goes where twistd logs: the standard output, or --logfile."""

    level: str = option(
        Choice(("debug", "info", "warn", "error", "critical")),
        "info",
        "The lowest level to log; debug logs every frame, as --verbose does.",
        needs_restart=True,
    )
    format: str = option(Choice(("text", "json")), "text", "One event a line, as text or JSON.", needs_restart=True)
    lag_threshold: float = option(
        Seconds(0.01, 3600), 0.5, "How long the event loop may block before that is logged, with what ran."
    )
    repeat_after: float = option(
        Seconds(0.1, 86400), 60.0, "How long until a refusal of the same cause is logged again; all are counted."
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
    {each.name: type(getattr(Settings(), each.name)) for each in fields(Settings) if each.name != "subprotocols"}
)
"""The class of each section, by its name."""
