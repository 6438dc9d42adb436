"""A TCP proxy that counts what clients send, and breaks off for good after so many bytes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 64 * 1024


@dataclass
class BreakingLine:
    """Forwards to ``target``; once ``sent`` has reached ``limit`` nothing passes, until `mend`."""

    target: int
    limit: float
    port: int = 0
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def mend(self) -> None:
        """Let everything pass from now on, and count from 0."""
        with self._lock:
            self.sent, self.limit = 0, float("inf")

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                if self._is_broken(0):
                    client.close()
                    continue
                upstream = socket.create_connection(("127.0.0.1", self.target))
                for source, sink, counts in ((client, upstream, 1), (upstream, client, 0)):
                    ends = (source, sink, counts)
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, counts: int) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if self._is_broken(counts * len(data)):
                    break
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _is_broken(self, more: int) -> bool:
        with self._lock:
            if self.sent >= self.limit:
                return True
            self.sent += more
            return False


@contextmanager
def breaking_line(target: int, limit: float) -> Iterator[BreakingLine]:
    """Run a line to a port on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = BreakingLine(target, limit, listener.getsockname()[1])
        threading.Thread(target=line.serve, args=(listener,), daemon=True).start()
        yield line
        listener.shutdown(socket.SHUT_RDWR)
