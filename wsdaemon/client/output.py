"""The summary of a run of `wsping`, its JSON document, errors and progress. Pure: values in, text out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from wsdaemon.client.check import Counts, Fault
from wsdaemon.client.errors import ClientError, HandshakeRefused
from wsdaemon.client.plan import PingResult
from wsdaemon.client.statistics import Times, per_second
from wsdaemon.observe.log import one_line

FORMAT = "wsping/1"
"""The name of the JSON document's format; a new one when a field is removed or changes its meaning."""

_SHOWN_BODY = 200  # characters of a refusal's body


def error_lines(error: ClientError, url: str) -> list[str]:
    """Return why a connection failed; for a refused handshake also the headers and the start of the body."""
    lines = [f"cannot connect to {one_line(url)}: {one_line(str(error))}"]
    if isinstance(error, HandshakeRefused):
        lines += [f"  {one_line(name)}: {one_line(value)}" for name, value in error.headers]
        body = error.body.decode("utf-8", "replace").strip()[:_SHOWN_BODY]
        lines += ["", *(f"  {one_line(line)}" for line in body.splitlines())] if body else []
    return lines


def progress_line(result: PingResult, counts: Counts, elapsed: float) -> str:
    """Return the line that shows how far a run is."""
    plan = result.plan
    total = f"/{plan.count * plan.clients}" if plan.count else ""
    rtt = f", p50 {ms(result.rtt.percentile(50))} p99 {ms(result.rtt.percentile(99))} ms" if counts.answered else ""
    left = f", {max(0.0, plan.count * plan.delay - elapsed):.0f} s left" if plan.count and plan.delay else ""
    lost = counts.faults[Fault.LOST]
    return f"{result.messages_sent}{total} sent, {counts.answered} answered, {lost} lost{rtt}{left}"


def summary_lines(result: PingResult) -> list[str]:
    """Return the summary: at most 80 columns wide, except for the longest host names and counts."""
    plan, counts = result.plan, result.counts
    connections = "1 connection" if plan.clients == 1 else f"{plan.clients} connections"
    kind = "ping/pong" if plan.use_pings else "mesg"
    pending = f", {result.pending} outstanding" if result.pending else ""
    lines = [
        f"--- {plan.target.host} websocket ping statistics using {connections} ---",
        f"{result.frames_sent}/{result.frames_received} frames sent/recv, "
        f"{result.messages_sent}/{result.messages_received} {kind} sent/recv, "
        f"{counts.faults[Fault.LOST]} lost{pending}",
        f"time {result.duration * 1000:.0f}ms, {_rate(per_second(result.messages_received, result.duration))}m/s, "
        f"{_bits(per_second(8 * result.bytes_received, result.duration))}",
    ]
    if result.rtt.count:
        rtt = result.rtt
        lines.append(f"rtt min/ave/max = {ms(rtt.minimum)}/{ms(rtt.mean)}/{ms(rtt.maximum)} ms")
        shown = "/".join(ms(rtt.percentile(percent)) for percent in (50, 90, 99, 99.9))
        lines.append(f"rtt p50/p90/p99/p99.9 = {shown} ms, stddev {ms(rtt.deviation)} ms")
    if result.upgrade.count:
        tls = ms(result.tls.mean) if result.tls.count else "-"
        lines.append(f"handshake tcp/tls/upgrade = {ms(result.tcp.mean)}/{tls}/{ms(result.upgrade.mean)} ms")
    names = {Fault.WRONG_OPCODE: "with the wrong opcode"}
    wrong = [f"{counts.faults[fault]} {names.get(fault, fault)}" for fault in Fault if counts.faults[fault]]
    early = len(result.closed_early)
    wrong += [f"{early} connection{'s' if early > 1 else ''} closed early"] if early else []
    return lines + ([f"replies: {', '.join(wrong)}"] if wrong else [])


def as_json(result: PingResult, exit_code: int) -> dict[str, Any]:
    """Return the JSON document; docs/wsping.md says what each field means."""
    plan, counts, error = result.plan, result.counts, result.error
    return {
        "format": FORMAT,
        "url": plan.target.url,
        "exit_code": exit_code,
        "interrupted": result.interrupted,
        "mode": "ping" if plan.use_pings else "broadcast" if result.is_broadcast else "echo",
        "subprotocol": result.subprotocol,
        "extensions": result.extensions,
        "clients": plan.clients,
        "count": plan.count,
        "size_bytes": plan.size,
        "fragment_bytes": plan.fragment,
        "delay_ms": plan.delay * 1000,
        "wait_ms": plan.wait * 1000,
        "frames_sent": result.frames_sent,
        "frames_received": result.frames_received,
        "messages_sent": result.messages_sent,
        "messages_received": result.messages_received,
        "payload_sent_bytes": result.bytes_sent,
        "payload_received_bytes": result.bytes_received,
        "replies_expected": counts.expected,
        "replies_answered": counts.answered,
        "replies_outstanding": result.pending,
        **{f"replies_{each.name.lower()}": counts.faults[each] for each in Fault if each is not Fault.UNASKED},
        "messages_unasked": counts.faults[Fault.UNASKED],
        "duration_ms": result.duration * 1000,
        "received_messages_per_s": per_second(result.messages_received, result.duration),
        "received_payload_bits_per_s": per_second(8 * result.bytes_received, result.duration),
        **_rtt(result.rtt),
        "handshake_tcp_ms": _mean(result.tcp),
        "handshake_tls_ms": _mean(result.tls),
        "handshake_upgrade_ms": _mean(result.upgrade),
        "closed_early": [asdict(each) for each in result.closed_early],
        "error": None if error is None else _error(error),
    }


def _error(error: ClientError) -> dict[str, Any]:
    shown: dict[str, Any] = {"step": error.step, "text": str(error)}
    if isinstance(error, HandshakeRefused):
        shown |= {
            "http_status": error.status,
            "http_reason": error.reason,
            "http_headers": [list(header) for header in error.headers],
            "http_body": error.body.decode("utf-8", "replace"),
        }
    return shown


def _rtt(rtt: Times) -> dict[str, float | None]:
    seconds = {
        "rtt_min_ms": rtt.minimum, "rtt_mean_ms": rtt.mean, "rtt_max_ms": rtt.maximum, "rtt_stddev_ms": rtt.deviation,
        "rtt_p50_ms": rtt.percentile(50), "rtt_p90_ms": rtt.percentile(90), "rtt_p99_ms": rtt.percentile(99),
        "rtt_p99_9_ms": rtt.percentile(99.9),
    }  # fmt: skip
    return {name: value * 1000 if rtt.count else None for name, value in seconds.items()}


def _mean(times: Times) -> float | None:
    return times.mean * 1000 if times.count else None


def ms(seconds: float) -> str:
    """Return milliseconds with three decimals, or fewer for long times."""
    ms = seconds * 1000
    return f"{ms:.3f}" if ms < 100 else f"{ms:.1f}" if ms < 10000 else f"{ms:.0f}"


def _rate(rate: float) -> str:
    return f"{rate:.2f}" if rate < 100 else f"{rate:.0f}"


def _bits(rate: float) -> str:
    for unit in ("", "k", "M", "G"):
        if rate < 1000:
            return f"{rate:.2f}{unit}bps"
        rate /= 1000
    return f"{rate:.2f}Tbps"
