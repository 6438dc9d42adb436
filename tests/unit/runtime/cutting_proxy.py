"""A TCP proxy that cuts its first connections in the middle of a transfer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 64 * 1024


@dataclass
class CuttingProxy:
    """Forwards to ``target``; each of the first ``cuts`` transfers ends after ``after`` bytes."""

    target: int
    cuts: int
    after: int
    port: int = 0
    done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                upstream = socket.create_connection(("127.0.0.1", self.target))
                for source, sink in ((client, upstream), (upstream, client)):
                    pair = (source, sink)
                    threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(CHUNK):
                sink.sendall(data)
                passed += len(data)
                if passed >= self.after and self._cut():
                    break
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _cut(self) -> bool:
        with self._lock:
            if self.done >= self.cuts:
                return False
            self.done += 1
            return True


@contextmanager
def cutting_proxy(target: int, cuts: int, after: int) -> Iterator[CuttingProxy]:
    """Run a proxy before a port on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = CuttingProxy(target, cuts, after, listener.getsockname()[1])
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
