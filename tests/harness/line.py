"""A line between a client and a server of this machine, on which somebody listens."""

import socket
import socketserver
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Line:
    """Hands on what goes over TCP connections to a port, and keeps it in ``seen``."""

    def __init__(self, to: int) -> None:
        self.seen = bytearray()
        listen = self._carrier(to)
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), listen)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def _carrier(self, to: int) -> type[socketserver.BaseRequestHandler]:
        hear = self.seen.extend

        class Carrier(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", to)) as server:
                    both = ((self.request, server), (server, self.request))
                    threads = [threading.Thread(target=_carry, args=(*ends, hear)) for ends in both]
                    for thread in threads:
                        thread.start()
                    for thread in threads:
                        thread.join()

        return Carrier

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _carry(source: socket.socket, target: socket.socket, hear: Callable[[bytes], None]) -> None:
    try:
        while data := source.recv(1 << 16):
            hear(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            end.close()
