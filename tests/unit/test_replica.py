"""What ``scripts/replica.py`` holds against a feed: each thing that no consumer may be told is found out."""

from typing import Any

from scripts.replica import Held, Replica


def upsert(id_: str, seq: int, number: int, *, markdown: str | None = None) -> dict[str, Any]:
    content = None if markdown is None else {"markdown": markdown}
    data = {"id": id_, "name": f"edit {number}"}
    return {"type": "upsert", "source": "supabase", "table": "t", "id": id_, "seq": seq, "data": data} | {
        "content": content
    }


def delete(id_: str, seq: int) -> dict[str, Any]:
    return {"type": "delete", "source": "supabase", "table": "t", "id": id_, "seq": seq}


BEGIN, END = {"type": "snapshot_begin", "seq": 9}, {"type": "snapshot_end", "seq": 9}


def told(*entries: dict[str, Any], overlap_seconds: float = 0.0) -> Replica:
    one = Replica("one", overlap_seconds=overlap_seconds)
    one.take(entries, now=0.0)
    return one


def test_what_a_snapshot_does_not_tell_of_is_gone_when_it_ends() -> None:
    one = told(BEGIN, upsert("1", 1, 1), upsert("2", 2, 1), END)
    one.take([BEGIN, upsert("2", 2, 1)], now=0.0)
    assert set(one.records) == {"supabase:t:1", "supabase:t:2"}
    one.take([upsert("3", 3, 1), END], now=0.0)
    assert set(one.records) == {"supabase:t:2", "supabase:t:3"}
    assert (one.wrong, one.snapshots, one.told) == ([], 2, 4)


def test_what_comes_again_behind_a_lost_answer_is_no_finding() -> None:
    one = told(BEGIN, upsert("1", 1, 1), upsert("2", 2, 1), END)
    one.go_on()
    one.take([upsert("1", 1, 1), upsert("2", 2, 1), END, delete("1", 3)], now=0.0)
    assert one.wrong == []
    assert one.differing({"supabase:t:2": Held({"id": "2", "name": "edit 1"}, None)}) == []


def test_what_may_never_be_told_is_found_out() -> None:
    again = told(upsert("1", 2, 1))
    again.go_on()
    again.take([upsert("1", 1, 1)], now=0.0)
    other = told(upsert("1", 2, 1))
    other.go_on()
    other.take([upsert("1", 2, 2)], now=0.0)
    for one, says in (
        (told(upsert("1", 2, 1), upsert("2", 2, 1)), "behind place 2"),
        (told(upsert("1", 2, 2), upsert("1", 3, 1)), "had edit 2 and has edit 1 again"),
        (told(upsert("1", 2, 2), delete("1", 3), upsert("1", 4, 1)), "had edit 2 and has edit 1 again"),
        (told(upsert("1", 1, 1, markdown="body 5"), upsert("1", 2, 1, markdown="body 4")), "has body 4 again"),
        (told(END), "had not begun"),
        (again, "as of place 1 after it had come as of 2"),
        (other, "at place 2, and is"),
    ):
        assert len(one.wrong) == 1
        assert says in one.wrong[0]


def test_reads_that_overlapped_may_end_in_either_order_for_a_while() -> None:
    one = told(upsert("1", 1, 2), overlap_seconds=5.0)
    one.take([upsert("1", 2, 1)], now=4.0)
    assert one.wrong == []
    one.take([upsert("1", 3, 1)], now=6.0)
    assert len(one.wrong) == 1


def test_what_is_not_held_as_it_is_there_is_named() -> None:
    one = told(upsert("1", 1, 1), upsert("2", 2, 1))
    there = {"supabase:t:1": Held({"id": "1", "name": "edit 2"}, None), "supabase:t:3": Held({}, None)}
    named = one.differing(there)
    assert len(named) == 3
    assert named[0] == "one holds supabase:t:1 as name: edit 1, and it is edit 2"
