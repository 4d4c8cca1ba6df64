"""Numbers as databases have them, larger and finer than a float: taken, shown, kept and found again digit for digit."""

import msgspec

from tests.support.books import event, hint, send, settled
from tests.support.running import Running

FINE = "0.1000000000000000055511151231257827021181583404541015625"
HUGE = "1e131071"


def row(id_: int, number: str) -> bytes:
    return msgspec.json.encode(hint(id_, data={"number": "N", "name": "ada"})).replace(b'"N"', number.encode())


async def test_a_number_beyond_floats_spoils_neither_its_event_nor_the_next_one(client: Running) -> None:
    await send(client, row(1, HUGE))
    await settled(client)
    await send(client, row(1, "2"))
    books = await settled(client)
    assert (books["applied"], books.get("dead", 0)) == (2, 0)
    answer = await client.get("/api/v1/records/supabase/users/1")
    assert (await answer.json())["data"] == {"number": 2, "name": "ada"}


async def test_a_copy_has_every_digit_that_was_sent(client: Running) -> None:
    await send(client, row(1, FINE))
    await settled(client)
    answer = await client.get("/api/v1/records/supabase/users/1")
    assert f'"number":{FINE}' in await answer.text()


async def test_the_test_endpoint_takes_and_shows_the_numbers_that_the_real_one_takes(client: Running) -> None:
    for number in (HUGE.upper().replace("E", "E+"), FINE):
        answer = await client.post("/api/v1/webhooks/test", row(1, number))
        assert answer.status == 200
        assert f'"number":{number}' in await answer.text()


async def test_numbers_beyond_the_store_are_a_refusal(client: Running) -> None:
    for path in ("/api/v1/events?cursor=9223372036854775808", "/api/v1/events/9223372036854775808"):
        assert (await client.get(path)).status == 422
    last = await send(client, hint(1))
    assert (await event(client, last))["id"] == last
    assert (await client.get("/api/v1/events?cursor=9223372036854775807")).status == 200
