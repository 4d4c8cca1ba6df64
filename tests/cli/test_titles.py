"""Titles and labels in the lines of commands, whatever they hold; `records list` and `records search`."""

from pathlib import Path

import pytest

from hookbridge.cli.titles import SHOWN_MAX
from hookbridge.text import WORDS_MAX
from tests.support.books import hint, send, settled
from tests.support.commands import command
from tests.support.running import Running

DATABASE = "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"
PAGE = "a1b2c3d4-e5f6-4890-abcd-ef1234567890"
HEBREW = "\N{HEBREW LETTER ALEF}\N{HEBREW LETTER BET} 7"
JOINED = "\U0001f469\u200d\U0001f4bb \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
ODD = {
    "1": "x" * 2_000,
    "2": f"{HEBREW} \u202egnp.exe",
    "3": "two\r\nlines\u2028\tand \x1b[31mred\x9b1m",
    "4": "grin \U0001f600",
    "6": JOINED,
    "5": '"quoted" <b>[bold]</b>',
}
SHOWN = {
    "1": "x" * (SHOWN_MAX - 1) + "…",
    "2": f"{HEBREW} \N{REPLACEMENT CHARACTER}gnp.exe",
    "3": "two lines and [31mred 1m",
    "4": "grin \U0001f600",
    "6": JOINED,
    "5": '"quoted" <b>[bold]</b>',
}


@pytest.fixture
async def odd(client: Running) -> Running:
    """A service with rows of odd names, and a page of a database with a label."""
    await client.service.store.put_label("notion", DATABASE, "Tasks")
    for id_, name in ODD.items():
        await send(client, hint(id_, data={"id": int(id_), "name": name}))
    said = [{"type": "text", "plain_text": "Buy milk", "text": {"content": "Buy milk"}}]
    page = {"object": "page", "id": PAGE, "properties": {"Name": {"type": "title", "title": said}}}
    await send(client, hint(PAGE, table=DATABASE, source="notion", data=page), source="notion")
    await settled(client)
    return client


async def test_json_has_every_character_and_shows_in_the_order_that_it_has(odd: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "records", "list", "--source", "supabase", "--json", "--url", odd.url)
    assert [one["title"] for one in ran.lines if one["id"] == "2"] == [ODD["2"]]
    assert "\u202e" not in ran.out
    assert r"\u202egnp.exe" in ran.out


@pytest.mark.parametrize("words", [("events", "list"), ("records", "list")])
async def test_each_line_ends_with_what_people_call_its_record_and_is_one_line(
    odd: Running, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ran = await command(tmp_path, *words, "--url", odd.url)
    assert ran.code == 0, ran.err
    *lines, last = ran.out.split("\n")
    assert (len(lines), last) == (len(ODD) + 1, "")
    assert all(line.replace("\u200d", "").replace("\u200c", "").isprintable() for line in lines)
    for id_, title in SHOWN.items():
        assert [line for line in lines if f":{id_} " in line and line.endswith(f' "{title}"')], id_
    assert [line for line in lines if PAGE in line and line.endswith(' "Buy milk" in "Tasks"')]


async def test_records_are_listed_by_name_with_a_cursor_where_there_are_more(odd: Running, tmp_path: Path) -> None:
    of_users = ("records", "list", "--source", "supabase", "--table", "users", "--url", odd.url)
    ran = await command(tmp_path, *of_users, "--limit", "2")
    assert [line.split()[2:4] for line in ran.out.splitlines()] == [
        ["present", "supabase:public.users:1"],
        ["present", "supabase:public.users:2"],
    ]
    assert ran.err == "There are more: --cursor supabase:public.users:2\n"
    ran = await command(tmp_path, *of_users, "--cursor", "supabase:public.users:3", "--json")
    assert [(one["id"], one["title"]) for one in ran.lines] == [(id_, ODD[id_]) for id_ in "456"]
    assert ran.err == ""
    ran = await command(tmp_path, *of_users, "--text", "grin")
    line, around = ran.out.splitlines()
    assert line.split()[3] == "supabase:public.users:4"
    assert around == "    [grin] \U0001f600"
    ran = await command(tmp_path, *of_users, "--state", "absent")
    assert (ran.code, ran.out, ran.err) == (0, "", "No record matches\n")


async def test_records_are_listed_by_their_last_change_with_columns_and_the_words_around(
    odd: Running, tmp_path: Path
) -> None:
    await send(odd, hint("2", data={"id": 2, "name": "grin and bear it", "a,b%": "Lon\ndon"}))
    await settled(odd)
    of_users = ("records", "list", "--source", "supabase", "--order", "changed", "--url", odd.url)
    ran = await command(tmp_path, *of_users, "--text", "grin", "--column", "a,b%", "--column", "id", "--limit", "1")
    first, *below = ran.out.split("\n")
    assert first.endswith(' "grin and bear it"')
    assert [*map(" ".join, map(str.split, below))] == ["a,b%: Lon don", "id: 2", "[grin] and bear it", ""]
    cursor = ran.err.removeprefix("There are more: --cursor ").rstrip("\n")
    ran = await command(tmp_path, *of_users, "--text", "grin", "--cursor", cursor, "--json")
    assert ([one["id"] for one in ran.lines], ran.err) == (["4"], "")


async def test_a_search_shows_the_record_and_the_words_around(odd: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "records", "search", "milk", "--url", odd.url)
    assert ran.code == 0, ran.err
    assert ran.out == f'notion:{DATABASE}:{PAGE} "Buy milk" in "Tasks"\n    Buy [milk]\n'
    ran = await command(tmp_path, "records", "search", "lines", "--source", "supabase", "--json", "--url", odd.url)
    assert [(one["id"], one["table_label"], one["title"]) for one in ran.lines] == [("3", "users", SHOWN["3"])]
    ran = await command(tmp_path, "records", "search", "nowhere", "--url", odd.url)
    assert (ran.code, ran.out, ran.err) == (0, "", "No record has these words\n")


async def test_what_of_a_record_search_does_not_know_is_said_where_it_is_shown_and_found(
    odd: Running, tmp_path: Path
) -> None:
    await send(odd, hint("6", data={"id": 6, "name": "Ledger", "lines": f"opening {'sum ' * (WORDS_MAX // 4)}closing"}))
    await settled(odd)
    said = "search knows only its beginning: what stands behind is not found"
    of_6 = ("supabase", "users", "6", "--url", odd.url)
    ran = await command(tmp_path, "records", "show", *of_6)
    assert said in ran.out.splitlines()
    ran = await command(tmp_path, "records", "show", *of_6, "--json")
    assert [one["words_cut"] for one in ran.lines] == [True]
    ran = await command(tmp_path, "records", "search", "opening", "--url", odd.url)
    assert ran.out.splitlines()[2:] == [f"    {said}"]
    ran = await command(tmp_path, "records", "search", "opening", "--json", "--url", odd.url)
    assert [one["words_cut"] for one in ran.lines] == [True]
    ran = await command(tmp_path, "records", "search", "closing", "--url", odd.url)
    assert ran.err == "No record has these words\n"
    ran = await command(tmp_path, "records", "show", "supabase", "users", "4", "--url", odd.url)
    assert said not in ran.out


async def test_a_record_is_shown_under_its_title(odd: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "records", "show", "notion", DATABASE, PAGE, "--url", odd.url)
    assert ran.out.splitlines()[0] == '"Buy milk" in "Tasks"'
    ran = await command(tmp_path, "events", "show", "3", "--url", odd.url)
    assert f"{'title':>14}  {SHOWN['3']}" in ran.out.splitlines()
