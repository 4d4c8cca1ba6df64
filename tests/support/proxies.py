"""nginx and Caddy with what docs/deploy.md shows for them, before a service of the test."""

import asyncio
import os
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import ClientSession, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from scripts.programs import free_port
from tests.support.examples import run
from tests.support.processes import REPOSITORY
from tests.support.waiting import wait_until

PAGE = (REPOSITORY / "docs" / "deploy.md").read_text()
NAME = "hooks.example.com"
CLIENT = "127.0.0.2"
"""Where the test's requests come from: on this machine, and not the proxy's own address."""


def block(language: str, containing: str) -> str:
    """The page's one fenced block of this language that contains a text."""
    found = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if containing in text]
    assert len(found) == 1, f"docs/deploy.md has {len(found)} blocks of {language} with {containing!r}"
    return str(found[0])


def replaced(text: str, pairs: dict[str, str]) -> str:
    """What the page shows, with what is otherwise on the test's machine.  Each has to be there."""
    for old, new in pairs.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


class Certificate(msgspec.Struct, frozen=True):
    """A key and a certificate of the name that the page uses."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "fullchain.pem"

    @property
    def key(self) -> Path:
        return self.folder / "privkey.pem"


async def certificate(folder: Path) -> Certificate:
    made = Certificate(folder)
    subject = ("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-days", "2")
    kind = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    code, said = await run("openssl", "req", *kind, *subject, "-keyout", made.key, "-out", made.file)
    assert code == 0, said
    return made


def nginx(page: str, port: int, service: int, made: Certificate) -> dict[str, str]:
    """The files of an nginx that serves what the page shows."""
    shown = replaced(
        page,
        {
            "server 127.0.0.1:8080;": f"server 127.0.0.1:{service};",
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            f"/etc/letsencrypt/live/{NAME}": str(made.folder),
        },
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own = "\n".join(f"{kind}_temp_path {made.folder}/{kind};" for kind in kinds)
    user = "user root;\n" if os.geteuid() == 0 else ""  # the folder of a test is its user's alone
    http = f"http {{\naccess_log off;\n{own}\n{shown}\n}}"
    return {"nginx.conf": f"{user}daemon off;\npid {made.folder}/nginx.pid;\nevents {{}}\n{http}"}


def caddy(page: str, port: int, service: int, made: Certificate) -> dict[str, str]:
    """The file of a Caddy that serves what the page shows, with a certificate that is there."""
    shown = replaced(
        page,
        {
            f"{NAME} {{": f"https://{NAME}:{port} {{\n    bind 127.0.0.1\n    tls {made.file} {made.key}",
            "127.0.0.1:8080": f"127.0.0.1:{service}",
        },
    )
    return {"Caddyfile": f"{{\n    admin off\n    auto_https disable_redirects\n}}\n{shown}"}


COMMANDS: dict[str, tuple[Callable[[str, int, int, Certificate], dict[str, str]], tuple[str, ...]]] = {
    "nginx": (nginx, ("nginx", "-e", "stderr", "-p", ".", "-c", "nginx.conf")),
    "caddy": (caddy, ("caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile")),
}
LANGUAGES = {"nginx": "nginx", "caddy": "caddyfile"}


def missing(program: str) -> str:
    """Why a proxy cannot be run here; empty where it can."""
    for needed in (program, "openssl"):
        if shutil.which(needed) is None:
            return f"{needed} is not installed"
    with socket.socket() as tried:
        try:
            tried.bind((CLIENT, 0))
        except OSError:
            return f"{CLIENT} is no address of this machine"
    return ""


class Nearby(AbstractResolver):
    """Every name is this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)
        return [found]

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def proxy(program: str, page: str, service: int, folder: Path) -> AsyncIterator[ClientSession]:
    """Run a proxy of this page before the service at that port; gives who asks it, from the outside."""
    made, port = await certificate(folder), free_port()
    files, command = COMMANDS[program]
    for name, content in files(page, port, service, made).items():
        (folder / name).write_text(content)
    with (folder / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    trusted = ssl.create_default_context(cafile=str(made.file))
    connector = TCPConnector(ssl=trusted, local_addr=(CLIENT, 0), resolver=Nearby(), use_dns_cache=False)
    try:
        await wait_until(lambda: listens(port) or process.returncode is not None)
        assert process.returncode is None, (folder / "said").read_text()
        async with ClientSession(f"https://{NAME}:{port}", connector=connector) as outside:
            yield outside
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
