"""A service that is started anew finds its port free: the system gave it to nobody meanwhile."""

import socket

from hookbridge.demo.processes import free_port

GIVEN_AWAY = 32_768
"""From here on Linux takes ports for whoever asks for any; others begin higher."""


def test_a_free_port_is_none_that_the_system_gives_away() -> None:
    ports = [free_port() for _ in range(20)]
    assert max(ports) < GIVEN_AWAY
    with socket.create_server(("127.0.0.1", ports[0])) as taken:
        assert taken.getsockname()[1] == ports[0]
