"""The guide's curl commands as requests: read by a shell's rules, sent by our test client."""

import shlex

import msgspec
from yarl import URL


class CurlRequest(msgspec.Struct, frozen=True):
    """What one curl command sends."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def parse_curl(command: str) -> CurlRequest:
    """Read a command that uses `-X`, `-H`, `-d` and a URL."""
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    method, path, headers, body = "GET", "", {}, b""
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(":")
                headers[name.strip()] = value.strip()
            case "-d":
                # curl's -d takes line breaks out of files only: a literal argument is sent as it stands.
                body = next(words).encode()
            case _:
                path = URL(word).path_qs
    return CurlRequest(method, path, headers, body)
