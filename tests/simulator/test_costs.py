"""Message costs: what they accept, what they refuse, and what they answer."""

import pytest

from simulator.costs import LOGP, POSTAL, MessageCosts, require_model
from simulator.errors import CostsError, ScenarioError, UnknownNameError

SEND = {(0, 1): 5, (1, 0): 6}
RECEIVE = {(0, 1): 7, (1, 0): 8}


def test_costs_default_propagation_is_zero_and_gap_is_send() -> None:
    """Absent tables mean no flight and no saving in bursts."""
    costs = MessageCosts((0, 1), SEND, RECEIVE)
    assert costs.propagation(0, 1) == 0
    assert costs.further_send(1, 0, LOGP) == 6
    assert costs.one_way(0, 1) == 12


def test_costs_gap_counts_only_in_logp() -> None:
    """The postal model ignores gaps."""
    costs = MessageCosts((0, 1), SEND, RECEIVE, None, {(0, 1): 2, (1, 0): 3})
    assert costs.further_send(0, 1, LOGP) == 2
    assert costs.further_send(0, 1, POSTAL) == 5


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({(0, 1): 5}, "receive_ps has no cost from PU 1 to PU 0"),
        ({(0, 1): 5, (1, 0): -1}, "receive_ps from PU 1 to PU 0 is negative"),
        ({(0, 1): 5, (1, 0): 1.5}, "whole picoseconds"),
    ],
)
def test_costs_refuse_a_bad_table(table: dict[tuple[int, int], int], words: str) -> None:
    """The error names the table and the pair, and is a ValueError of the simulator."""
    with pytest.raises(CostsError, match=words) as caught:
        MessageCosts((0, 1), SEND, table)
    assert isinstance(caught.value, ScenarioError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("members", [(), (0, 0)])
def test_costs_refuse_bad_members(members: tuple[int, ...]) -> None:
    """Nobody, or somebody twice, is no machine."""
    with pytest.raises(CostsError):
        MessageCosts(members, SEND, RECEIVE)


def test_costs_keep_their_own_copy() -> None:
    """A caller who changes a table later does not change the costs."""
    table = dict(SEND)
    costs = MessageCosts((0, 1), table, RECEIVE)
    table[0, 1] = 99
    assert costs.send(0, 1) == 5


def test_model_unknown_lists_the_known() -> None:
    """The error repeats the name and shows what could have been meant."""
    with pytest.raises(UnknownNameError, match=r"'logpp': known are logp, postal"):
        require_model("logpp")
