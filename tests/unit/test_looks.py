"""How often an idle lane looks whether other nodes have made something dirty."""

import math

from hookbridge.pipeline.looks import GAP_SECONDS, GAP_SECONDS_MAX, LIVELY_SECONDS, Looks


def looked(looks: Looks, *times: float) -> Looks:
    for now in times:
        looks = looks.after(now, found=False)
    return looks


def test_a_lane_that_never_found_anything_waits_to_be_told() -> None:
    assert Looks().gap_seconds(30.0) == 30.0
    assert looked(Looks(), 1.0, 2.0).gap_seconds(30.0) == 30.0


def test_after_a_find_the_gaps_begin_small_and_grow_to_their_bound() -> None:
    looks = Looks().after(100.0, found=True)
    gaps = []
    for _ in range(10):
        gaps.append(looks.gap_seconds(30.0))
        looks = looks.after(100.0 + sum(gaps), found=False)
    assert gaps[0] == GAP_SECONDS
    assert gaps == sorted(gaps)
    assert gaps[-1] == GAP_SECONDS_MAX
    assert looks.after(101.0, found=True).gap_seconds(30.0) == GAP_SECONDS, "a find begins it anew"


def test_what_a_lane_was_told_of_by_its_own_node_is_no_reason_to_look_for_others() -> None:
    assert Looks().after(100.0, found=True, told=True).gap_seconds(30.0) == 30.0


def test_some_time_after_the_last_find_it_waits_to_be_told_again() -> None:
    looks = looked(Looks().after(100.0, found=True), 100.0 + LIVELY_SECONDS - 0.1)
    assert looks.gap_seconds(30.0) < 1.0
    assert looked(looks, 100.0 + LIVELY_SECONDS).gap_seconds(30.0) == 30.0
    assert not math.isinf(looks.looked_at)
