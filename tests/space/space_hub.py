"""A Hub of Spaces on loopback: what huggingface_hub asks for to upload a folder, large files included."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TOKEN = "hf_space_test"


@dataclass
class Repository:
    """Files by path, and whether strangers see them."""

    private: bool
    sdk: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=lambda: ["a" * 40])


class SpaceHub(ThreadingHTTPServer):
    """Spaces by name. Files that a real Hub would keep apart (LFS) come by their own requests here too."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spaces: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
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
    server: SpaceHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path.startswith("/large/"):
            self.server.large[path.removeprefix("/large/")] = body
            return self._send(200, {})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._send(401, {"error": "sign in"})
        if path == "/api/validate-yaml":
            return self._send(200, {"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        parts = path.removeprefix("/api/spaces/").split("/")
        name = "/".join(parts[:2])
        space = self.server.spaces.get(name)
        if space is None:
            return self._send(404, {"error": "none"}, {"X-Error-Code": "RepoNotFound"})
        return self._of(space, name, parts[2:], body)

    def _create(self, asked: dict[str, object]) -> None:
        assert asked["type"] == "space"
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        private = asked.get("private") is True or asked.get("visibility") == "private"
        self.server.spaces[name] = Repository(private, str(asked.get("sdk", "")))
        return self._send(200, {"url": f"{self.server.endpoint}/spaces/{name}", "name": name})

    def _batch(self, asked: dict[str, object]) -> None:
        objects = [
            {
                **one,
                "actions": {"upload": {"href": f"{self.server.endpoint}/large/{one['oid']}", "header": {}}},
            }
            for one in asked["objects"]  # type: ignore[attr-defined]
        ]
        return self._send(200, {"transfer": "basic", "objects": objects})

    def _of(self, space: Repository, name: str, rest: list[str], body: bytes) -> None:
        what = rest[0] if rest else "info"
        if what in ("info", "revision"):
            files = [{"rfilename": path} for path in space.files]
            found = {"id": name, "sha": space.commits[-1], "private": space.private, "siblings": files}
            return self._send(200, {**found, "tags": []})
        if what == "tree":
            found_files = [
                {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for path, data in space.files.items()
            ]
            return self._send(200, found_files)
        if what == "preupload":
            files = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith(".gguf") else "regular",
                    "shouldIgnore": False,
                }
                for one in json.loads(body)["files"]
            ]
            return self._send(200, {"files": files})
        assert what == "commit", what
        lines = [json.loads(line) for line in body.splitlines()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        if header.get("parentCommit") not in (None, space.commits[-1]):
            return self._send(412, {"error": "A commit has happened since."})
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                space.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                space.files[value["path"]] = self.server.large[value["oid"]]
            elif line["key"] == "deletedFile":
                space.files.pop(value["path"], None)
        oid = hashlib.sha1(body).hexdigest()
        space.commits.append(oid)
        url = f"{self.server.endpoint}/spaces/{name}/commit/{oid}"
        return self._send(200, {"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})

    def _send(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for key, text in (headers or {}).items():
            self.send_header(key, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
