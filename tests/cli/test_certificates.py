"""A service behind https: a private CA is believed where the environment names it, and what is wrong is named."""

from pathlib import Path

import pytest

from scripts.faulting.proxy import TRUSTED, UNTRUSTED, proxied
from tests.support.commands import command
from tests.support.faults import Scene, states
from tests.support.running import Running

SEND = ("send", "supabase", "--unsigned")


@pytest.mark.parametrize("words", [("stats",), SEND, ("events", "list"), ("check",)])
async def test_a_private_ca_is_believed_where_the_environment_names_it(
    client: Running, tmp_path: Path, words: tuple[str, ...]
) -> None:
    async with proxied(client.url, TRUSTED) as proxy:
        ran = await command(tmp_path, *words, "--url", proxy.url, SSL_CERT_FILE=str(TRUSTED))
    assert ran.code == 0, ran


@pytest.mark.parametrize("words", [("stats",), SEND, ("events", "list"), ("tail",)])
async def test_a_certificate_that_nobody_trusts_is_named_as_such(
    client: Running, tmp_path: Path, words: tuple[str, ...]
) -> None:
    async with proxied(client.url, UNTRUSTED) as proxy:
        for trusted in ("", str(TRUSTED)):
            ran = await command(tmp_path, *words, "--url", proxy.url, SSL_CERT_FILE=trusted)
            assert (ran.code, ran.out) == (2, "")
            said, remedy = ran.err.splitlines()
            assert said == f"error: The certificate of {proxy.url} is not trusted: self-signed certificate"
            assert remedy == "try: name the certificate of its CA in SSL_CERT_FILE"


async def test_a_certificate_for_another_name_is_named_as_such(client: Running, tmp_path: Path) -> None:
    async with proxied(client.url, TRUSTED) as proxy:
        url = proxy.url.replace("127.0.0.1", "localhost")
        ran = await command(tmp_path, "stats", "--url", url, SSL_CERT_FILE=str(TRUSTED))
    assert ran.code == 2
    assert ran.err.startswith(f"error: The certificate of {url} is not trusted: Hostname mismatch")
    assert "try: ask for it by a name that the certificate has" in ran.err


async def test_a_service_that_does_not_encrypt_is_named_as_such(client: Running, tmp_path: Path) -> None:
    url = client.url.replace("http:", "https:")
    ran = await command(tmp_path, "stats", "--url", url)
    assert ran.code == 2
    assert ran.err.startswith(f"error: No secure connection to {url}: ")
    assert "try: if nothing encrypts there, begin the URL with http://" in ran.err


async def test_the_doctor_tells_a_certificate_from_a_service_that_is_not_there(scene: Scene, client: Running) -> None:
    async with proxied(client.url, UNTRUSTED) as proxy:
        scene.server_url = proxy.url
        found = await scene.findings()
    assert states(found, "failed")["server"] == (
        f"The certificate of {proxy.url} is not trusted: self-signed certificate"
    )


@pytest.mark.parametrize("content", [None, "no certificate"])
@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("stats",), ("poll", "--to", "http://127.0.0.1:9")])
async def test_a_file_of_certificates_that_cannot_be_used_is_named(
    tmp_path: Path, words: tuple[str, ...], content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    (tmp_path / "config.toml").write_text('[[supabase.tables]]\nname = "users"\n')
    secrets = "SUPABASE_URL=http://127.0.0.1:9\nSUPABASE_KEY=a-key-of-some-length\n"
    (tmp_path / ".env").write_text(secrets)
    ran = await command(tmp_path, *words, SSL_CERT_FILE=str(file))
    assert ran.code == 2
    said, remedy = ran.err.splitlines()[-2:]
    assert said.startswith(f"error: SSL_CERT_FILE ({file}) cannot be used: ")
    assert remedy == "try: name a file of certificates (PEM), or unset it"
    ran = await command(tmp_path, "check", "--json", SSL_CERT_FILE=str(file))
    assert ran.code == 1
    assert [line["check"] for line in ran.lines if line.get("state") == "failed"] == ["certificates"]
