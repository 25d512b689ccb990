"""Who proposes what."""

from simulator.load import WINDOW, Load


def load(conflict_per_mille: int, seed: int = 1) -> Load:
    """Return a load of 1000 operations on five members."""
    return Load((0, 1, 2, 3, 4), 4, 1000, conflict_per_mille, False, seed)


def test_rival_shares_item_and_instant_but_not_the_initiator() -> None:
    """A conflict is two proposals for one item from two members at one time."""
    first, rival = load(1000).group(6, 77)
    assert (first.operation, rival.operation) == (6, 7)
    assert first.item == rival.item
    assert first.start_ps == rival.start_ps == 77
    assert first.initiator == 4 != rival.initiator


def test_last_operation_has_no_rival() -> None:
    """There is no operation left to be one."""
    assert len(load(1000).group(999, 0)) == 1


def test_conflict_share_follows_the_setting() -> None:
    """Two hundred per mille give about two hundred rivals in a thousand draws."""
    rivals = sum(len(load(200).group(op, 0)) - 1 for op in range(999))
    assert 150 < rivals < 250
    assert all(len(load(0).group(op, 0)) == 1 for op in range(999))


def test_operations_without_rival_do_not_share_an_item_in_flight() -> None:
    """Only rivals conflict: a window's worth of operations uses a window's worth of items."""
    items = {load(0).group(op, 0)[0].item for op in range(WINDOW)}
    assert len(items) == WINDOW
