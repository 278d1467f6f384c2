"""A Hub of dataset repositories on loopback: what huggingface_hub asks for to push and pull small files."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_small_test"


@dataclass
class Repository:
    """Files by path, and the commits so far; the last one is the head."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=lambda: ["a" * 40])
    messages: list[str] = field(default_factory=list)


class SmallHub(ThreadingHTTPServer):
    """Repositories by name. ``before_commit`` is called between a push's reading and its commit."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.asked: list[str] = []
        self.status = 0
        self.before_commit = lambda: None
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: SmallHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        if self.server.status:
            return self._send(self.server.status, {"error": "told to"})
        signed_in = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if path == "/api/repos/create":
            return self._create(json.loads(body), signed_in=signed_in)
        parts = path.removeprefix("/api").removeprefix("/datasets/").split("/")
        name = "/".join(parts[:2])
        repository = self.server.repositories.get(name)
        if repository is None or (repository.private and not signed_in):
            return self._send(404 if signed_in else 401, {"error": "none"}, {"X-Error-Code": "RepoNotFound"})
        return self._of(repository, name, parts[2:], body, signed_in=signed_in)

    def _create(self, asked: dict[str, object], *, signed_in: bool) -> None:
        if not signed_in:
            return self._send(401, {"error": "sign in"})
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        assert asked["type"] == "dataset"
        self.server.repositories[name] = Repository(private=asked.get("visibility") == "private")
        return self._send(200, {"url": f"{self.server.endpoint}/datasets/{name}", "name": name})

    def _of(
        self, repository: Repository, name: str, rest: list[str], body: bytes, *, signed_in: bool
    ) -> None:
        head = repository.commits[-1]
        what = rest[0] if rest else "info"
        if what in ("info", "revision"):
            if what == "revision" and rest[1] not in ("main", *repository.commits):
                return self._send(404, {"error": "none"}, {"X-Error-Code": "RevisionNotFound"})
            return self._send(
                200, {"id": name, "sha": head, "private": repository.private, "tags": [], "siblings": []}
            )
        if what == "tree":
            folder = "/".join([*rest[2:], ""]) if rest[2:] else ""
            found = [
                {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for path, content in repository.files.items()
                if path.startswith(folder)
            ]
            if not found:
                return self._send(404, {"error": "none"}, {"X-Error-Code": "EntryNotFound"})
            return self._send(200, found)
        if what == "resolve":
            content = repository.files["/".join(rest[2:])]
            etag = hashlib.sha1(content).hexdigest()
            return self._send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": rest[1]})
        if not signed_in:
            return self._send(401, {"error": "sign in"})
        if what == "preupload":
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            return self._send(200, {"files": files})
        assert what == "commit"
        self.server.before_commit()
        lines = [json.loads(line) for line in body.splitlines()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        if header.get("parentCommit") not in (None, repository.commits[-1]):
            return self._send(412, {"error": "A commit has happened since."})
        for line in lines:
            if line["key"] == "file":
                repository.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        repository.messages.append(header["summary"])
        repository.commits.append(hashlib.sha1(body).hexdigest())
        oid = repository.commits[-1]
        url = f"{self.server.endpoint}/datasets/{name}/commit/{oid}"
        return self._send(200, {"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})

    def _send(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for key, text in (headers or {}).items():
            self.send_header(key, text)
        self.send_header("Content-Type", "text/plain" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
