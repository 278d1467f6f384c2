"""What went wrong with a server, as one sentence for a person; never with a key in it."""

from __future__ import annotations

import re
import ssl

import openai

_LONGEST = 200
# OpenSSL's own words around the reason.
_TLS = re.compile(r"^\[SSL[^\]]*\]\s*|\s*\(_ssl\.c:\d+\)$")
_KEY = re.compile(r"\b(?:sk-[\w-]{6,}|Bearer\s+\S+)")


def sentence(error: BaseException, address: str, *, timeout_s: float, started: bool, key: str = "") -> str:
    """One sentence for an error of the client.

    Args:
        error: What was raised.
        address: The server's, to be shown.
        timeout_s: How long was waited for it to say something.
        started: Part of the answer had come already.
        key: What was sent, which a server may repeat.
    """
    certificate = _cause_of(error, ssl.SSLError)
    if certificate is not None:
        why = getattr(certificate, "verify_message", "") or _TLS.sub("", str(certificate))
        return f"The certificate of {address} cannot be trusted ({_short(why, key)}); check the address."
    if isinstance(error, openai.APITimeoutError) or "Timeout" in type(error).__name__:
        return f"The server at {address} said nothing for {timeout_s:g} s; it may be overloaded. Try again."
    if isinstance(error, openai.APIStatusError):
        return _status_sentence(error, address, key)
    if isinstance(error, openai.APIConnectionError | OSError) or _is_transport(error):
        if started:
            return f"The server at {address} ended the connection in the middle of the answer."
        return f"There is no server at {address}, or it ended the connection; start it or check the address."
    return f"The server at {address} sent something that is no answer; is it an OpenAI-compatible server?"


def _status_sentence(error: openai.APIStatusError, address: str, key: str) -> str:
    said = _said(error, key)
    code = error.status_code
    if code in (401, 403):
        return (
            f"The server at {address} refuses the key ({code}){said}; "
            "set PLAYGROUND_SERVER_KEY, or keep it with: playground servers key set HOST."
        )
    if code == 404:
        return f"The server at {address} has no such model or address (404){said}."
    if code == 429:
        return f"The server at {address} takes no more requests at present (429){said}; try again later."
    if code >= 500:
        return f"The server at {address} failed ({code}){said}."
    return f"The server at {address} refused the request ({code}){said}."


def _said(error: openai.APIStatusError, key: str) -> str:
    """The server's own words, in short."""
    body = error.body
    words = body.get("message") if isinstance(body, dict) else None
    return f": {_short(words, key)}" if isinstance(words, str) and words else ""


def _short(words: str, key: str) -> str:
    words = words.replace(key, "(key)") if key else words
    text = _KEY.sub("(key)", " ".join(words.split()))
    return (text[:_LONGEST] + "..." if len(text) > _LONGEST else text).rstrip(".")


def _is_transport(error: BaseException) -> bool:
    """Whether it is one of the HTTP library's own errors of a connection."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"TransportError", "StreamError"})


def _cause_of(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    """The error of that kind among the causes, also where only its words were kept."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, kind) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return error
        error = error.__cause__ or error.__context__
    return None
