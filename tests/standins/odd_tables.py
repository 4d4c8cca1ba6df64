"""The tables and rows that the odd requests recorded with a real PostgREST were asked of."""

from decimal import Decimal

from hookbridge.standins import PostgrestStandin
from hookbridge.standins.postgrest import JSON_NULL

MOST, BEYOND_A_FLOAT = 9_223_372_036_854_775_807, 9_007_199_254_740_993
ODD = 'é😀 "q" \\ / \nnl'
TEXTS = ["", "a", "b", "A", "a,b", 'q"x', "(p)", "\\", "null", "true", "é", "z é", " lead", "trail "]
TEXTS += ["1", "1.0", "%", "+", ".", "a.b", "{x}", "*", "in.(1)", "not", "x:y"]
TYPES = {
    "id": "bigint",
    "n": "numeric",
    "f": "double precision",
    "r": "real",
    "b": "boolean",
    "u": "uuid",
    "ts": "timestamptz",
    "d": "date",
    "by": "bytea",
    "jb": "jsonb",
    "j": "json",
    "ia": "integer[]",
    "ta": "text[]",
    "vc": "varchar",
    "t": "text",
}
FIRST = {
    "id": 1,
    "n": "1.50",
    "f": "0.1",
    "r": "0.1",
    "b": True,
    "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "ts": "2026-01-01T00:00:00Z",
    "d": "2026-01-01",
    "by": b"\xde\xad",
    "jb": {"b": Decimal("1.10"), "aa": 2, "a": "ü"},
    "j": b'{"b": 1}',
    "ia": [1, 2],
    "ta": ["x", "a,b"],
    "vc": "v",
    "t": "a",
}


def fill(standin: PostgrestStandin) -> None:
    """Create the tables."""
    standin.create_table("tk", {"k": "text", "v": "bigint"}, key=("k",))
    standin.insert_many("tk", ({"k": text, "v": number} for number, text in enumerate(TEXTS, start=1)))
    standin.create_table("d1", TYPES)
    standin.insert_many("d1", _rows())
    for name, kind in (("bytekey", "bytea"), ("tzkey", "timestamptz"), ("numkey", "numeric"), ("datekey", "date")):
        standin.create_table(name, {"k": kind, "v": "bigint"}, key=("k",))
    standin.insert("datekey", {"k": "infinity", "v": 2})
    standin.create_table("enumkey", {"k": "enum mood(sad, ok, happy)", "v": "bigint"}, key=("k",))
    for name in ("users", "uuidkey", "natv", "things", "ident"):
        standin.create_table(name, {"id": "bigint", "updated_at": "timestamptz", "v": "bigint"})
    standin.time_out("ident")
    _parts(standin)


def _rows() -> list[dict[str, object]]:
    second = {
        "id": 2,
        "n": "100",
        "b": False,
        "ts": "2026-06-01T10:30:00.123456Z",
        "d": "2026-06-01",
        "vc": "",
        "t": "",
    }
    most = {"id": MOST, "n": "-1e-27", "b": True, "ts": "1999-12-31T23:59:59.9Z", "d": "1999-12-31", "t": ODD}
    return [
        FIRST,
        second | {"jb": [], "ia": [], "ta": []},
        {"id": 3},
        most | {"jb": "s", "ia": [3], "ta": ["y"]},
        {"id": BEYOND_A_FLOAT, "n": "12345678901234567890.123456789", "b": False, "jb": JSON_NULL},
        {"id": 10, "n": "NaN", "f": "NaN", "r": "NaN", "ts": "infinity"},
        {"id": 11, "n": "Infinity", "f": "Infinity", "r": "Infinity", "ts": "-infinity"},
    ]


def _parts(standin: PostgrestStandin) -> None:
    types = {"id": "bigint", "region": "text", "v": "bigint", "updated_at": "timestamptz"}
    standin.create_table("parts", types, key=("id", "region"))
    shown = [
        (17, "us", 691, "46.708764"),
        (13, "us", 757, "48.393165"),
        (25, "x,y", 861, "49.742856"),
        (27, "us", 887, "50.812707"),
        (37, "eu", 924, "51.544452"),
        (23, "us", 1000, "52.508508"),
        (28, "x,y", 1017, "52.616008"),
    ]
    later = [(number, "eu", number, "59") for number in range(100, 130)]
    for id_, region, v, second in shown + later:
        at = f"2026-11-28T04:21:{second}Z"
        standin.insert("parts", {"id": id_, "region": region, "v": v, "updated_at": at})
