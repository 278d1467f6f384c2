"""A Space whose turns can be looked at from outside: ``watched_space.py FOLDER PORT WATCH_PORT``.

``GET /ADDRESS`` on the second port tells how many requests run and wait, and how many are that visitor's.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def main(folder: Path, port: int, watch_port: int) -> None:
    sys.path.insert(0, str(folder))
    from playground.space.app import Space

    space = Space(folder)

    class Watch(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            running, waiting = space.gate.turns.counts()
            mine = space.gate.turns.of(self.path.strip("/"))
            said = {"running": running, "waiting": waiting, "mine": mine, "tabs": len(space.gate.places)}
            body = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    watch = ThreadingHTTPServer(("127.0.0.1", watch_port), Watch)
    threading.Thread(target=watch.serve_forever, daemon=True).start()
    space.serve(port=port)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
