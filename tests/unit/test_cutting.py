"""What follows when a destination does not take a message: which part is sent next, and who is at fault."""

from hookbridge.destinations.cutting import SERVER_ERROR_SECONDS, Cutting
from hookbridge.destinations.message import END, Message
from hookbridge.destinations.sender import About, Undelivered
from hookbridge.feed import Place
from tests.support.events import key

FEED = "0" * 32


def message(*seqs: int) -> Message:
    return Message(
        body=b"",
        id=f"msg_{seqs}",
        told=tuple((seq, key(seq)) for seq in seqs),
        begins=False,
        ends=False,
        next=Place(FEED, seqs[-1]),
        is_last=False,
    )


def error(about: About) -> Undelivered:
    return Undelivered("no", about=about)


def taken(cut: Cutting, *seqs: int) -> None:
    cut.passed(message(*seqs).next, taken=True)


def test_5xx_cuts_a_message_only_when_it_has_lasted_for_a_quarter_of_an_hour() -> None:
    cut, whole = Cutting(), message(1, 2, 3, 4)
    steps = [cut.refused(whole, error("server"), now) for now in (0.0, 600.0, SERVER_ERROR_SECONDS - 0.1)]
    assert steps == ["wait"] * 3
    assert cut.until == END
    assert cut.refused(whole, error("server"), SERVER_ERROR_SECONDS) == "otherwise"
    assert cut.until == 2
    assert cut.refused(message(1, 2), error("server"), SERVER_ERROR_SECONDS) == "otherwise"
    assert cut.until == 1


def test_5xx_with_other_failures_between_has_not_lasted() -> None:
    cut, whole = Cutting(), message(1, 2)
    cut.refused(whole, error("server"), 0.0)
    cut.refused(whole, error("destination"), 500.0)
    assert cut.refused(whole, error("server"), SERVER_ERROR_SECONDS) == "wait"
    assert cut.refused(whole, error("server"), 2 * SERVER_ERROR_SECONDS) == "otherwise"


def test_a_record_has_its_own_quarter_of_an_hour_and_then_a_neighbour_is_tried() -> None:
    cut, late = Cutting(), SERVER_ERROR_SECONDS
    cut.refused(message(1, 2), error("server"), 0.0)
    cut.refused(message(1, 2), error("server"), late)
    taken(cut, 1)  # before the destination itself may have gone down
    assert cut.refused(message(2), error("server"), late) == "wait"
    assert cut.refused(message(2), error("server"), 2 * late - 0.1) == "wait"
    assert cut.refused(message(2), error("server"), 2 * late) == "otherwise"
    assert cut.place(Place(FEED, 1)) == Place(FEED, 2)
    assert [one.seq for one in cut.suspects] == [2]
    # It is down: the neighbour fares as the record does, and nobody is at fault.
    assert cut.refused(message(3), error("server"), 2 * late) == "wait"
    assert (cut.suspects, cut.place(Place(FEED, 1))) == ([], Place(FEED, 1))
    # The record is not given another quarter of an hour.
    assert cut.refused(message(2), error("server"), 2 * late + 1) == "otherwise"
    assert [one.record for one in cut.suspects] == [key(2)]


def test_what_was_cut_is_sent_whole_again_behind_it() -> None:
    cut = Cutting()
    cut.refused(message(1, 2, 3, 4), error("message"), 0.0)
    cut.refused(message(1, 2), error("message"), 0.0)
    bounds = [cut.until]
    for seqs in ((1,), (2,), (3, 4)):
        taken(cut, *seqs)
        bounds.append(cut.until)
    assert bounds == [1, 2, 4, END]


def test_four_records_that_are_refused_alone_reject_none() -> None:
    cut = Cutting()
    steps = [cut.refused(message(seq), error("message"), 0.0) for seq in (1, 2, 3, 4)]
    assert steps == ["otherwise", "otherwise", "otherwise", "wait"]
    assert (cut.suspects, cut.place(Place(FEED, 0)), cut.until) == ([], Place(FEED, 0), 1)


def test_what_was_taken_counts_as_long_as_nothing_spoke_of_the_destination() -> None:
    cut = Cutting()
    cut.refused(message(1, 2), error("message"), 0.0)
    taken(cut, 1)
    assert cut.refused(message(2), error("message"), 0.0) == "reject"
    other = Cutting()
    other.refused(message(1, 2), error("message"), 0.0)
    taken(other, 1)
    other.refused(message(2), error("destination"), 0.0)
    assert other.refused(message(2), error("message"), 0.0) == "otherwise"
