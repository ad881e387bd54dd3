"""What the collector takes: requests and events a second, one process, each acknowledged after fsync.

Run: python benchmarks/collector.py [SECONDS]. The client shares the machine's cores with it. Ratios are against answering
/health, which stores nothing, and against one connection, where each request pays for an fsync of its own.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KEY = "a-write-key-for-the-benchmark"
ROOT = Path(__file__).resolve().parents[1]
CALL = {
    "type": "track",
    "event": "Product Viewed",
    "userId": "u-4711",
    "anonymousId": "23adfd82-aa0f-45a7-a756-24f2a7a4c895",
    "timestamp": "2026-11-01T00:00:00.000Z",
    "properties": {"product_id": "P-1", "name": "A tile", "price": 14.99, "currency": "EUR", "url": "https://shop.example/p/1"},
    "context": {"page": {"path": "/p/1", "title": "A tile"}, "library": {"name": "analytics.js", "version": "2.11.1"}},
}


def request(path: str, payload: object) -> bytes:
    """Return the bytes of one request."""
    body = json.dumps(payload).encode() if payload else b""
    auth = base64.b64encode(f"{KEY}:".encode()).decode()
    verb = "POST" if payload else "GET"
    head = f"{verb} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {auth}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def send(port: int, content: bytes, until: float, seconds: list[float]) -> None:
    """Send one request after the other on one connection, noting how long each took."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        started = time.perf_counter()
        writer.write(content)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(head.decode())
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
        seconds.append(time.perf_counter() - started)
    writer.close()


async def measure(port: int, content: bytes, connections: int, seconds: float) -> tuple[float, float]:
    """Return requests a second and the 99th percentile of their milliseconds."""
    times: list[float] = []
    until = time.monotonic() + seconds
    await asyncio.gather(*(send(port, content, until, times) for _ in range(connections)))
    return len(times) / seconds, sorted(times)[len(times) * 99 // 100] * 1000


def cpu_seconds(pid: int) -> float:
    """Return what a process has used of the processor."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"TESSERA_HOME": home, "TESSERA_WRITE_KEYS": f"web:{KEY}", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", "from orchestration.cli import main; main()", "collect", "--port", "0"]
        server = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        try:
            port = int((server.stderr.readline() if server.stderr else "").split(" from ")[0].rpartition(":")[2])
            batch = {"batch": [CALL] * 100, "sentAt": CALL["timestamp"]}
            cases = [
                ("health", request("/health", None), 64, 0),
                ("track", request("/v1/track", CALL), 1, 1),
                ("track", request("/v1/track", CALL), 16, 1),
                ("track", request("/v1/track", CALL), 64, 1),
                ("batch of 100", request("/v1/batch", batch), 1, 100),
                ("batch of 100", request("/v1/batch", batch), 16, 100),
            ]
            print(f"{'':>14} connections  requests/s   events/s  p99 ms  ms CPU/request  of health")
            health = 0.0
            for name, content, connections, events in cases:
                before = cpu_seconds(server.pid)
                rate, p99 = asyncio.run(measure(port, content, connections, seconds))
                cost = (cpu_seconds(server.pid) - before) / (rate * seconds) * 1000
                health = health or rate
                print(
                    f"{name:>14} {connections:11} {rate:11,.0f} {rate * events:10,.0f} {p99:7.1f} {cost:15.2f} {rate / health:10.2f}"
                )
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5)
