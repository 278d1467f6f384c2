"""Python imports this in every process that has this folder on its path: what each opens and whom it asks.

One JSON line an event, ``[event, arguments, process id]``, at the end of the file that WATCH_LOG names.
"""

import json
import os
import sys

EVENTS = frozenset(
    (
        "open",
        "os.chmod",
        "os.exec",
        "os.link",
        "os.mkdir",
        "os.posix_spawn",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.system",
        "os.truncate",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.sendto",
        "subprocess.Popen",
    )
)


def _watch(path: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in EVENTS:
            told = [str(os.fsdecode(one)) if isinstance(one, bytes) else str(one) for one in arguments]
            os.write(handle, json.dumps([event, told, os.getpid()]).encode() + b"\n")

    sys.addaudithook(hook)


if "WATCH_LOG" in os.environ:
    _watch(os.environ["WATCH_LOG"])
