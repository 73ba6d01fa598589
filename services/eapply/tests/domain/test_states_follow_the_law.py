"""No walk through the steps leaves the graph of the law."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Conflict
from services.eapply.domain.states import GRAPH, OPEN, State, Step, after, may


@given(st.lists(st.sampled_from(Step)))
def test_any_walk_stays_in_the_graph(steps):
    state = State.SUBMITTED
    for step in steps:
        if may(state, step):
            following = after(state, step)
            assert GRAPH[state, step] == following
            state = following
        else:
            with pytest.raises(Conflict):
                after(state, step)


@pytest.mark.parametrize("state", [State.DECIDED, State.WITHDRAWN])
@pytest.mark.parametrize("step", Step)
def test_what_has_ended_never_changes(state, step):
    with pytest.raises(Conflict) as stopped:
        after(state, step)
    assert stopped.value.message.endswith("。")


@pytest.mark.parametrize("state", sorted(OPEN))
def test_withdrawal_is_possible_until_the_decision(state):
    assert after(state, Step.WITHDRAW) is State.WITHDRAWN


def test_there_is_no_way_to_not_accept_an_application():
    """行政手続法7条: every way out of SUBMITTED is examination or the applicant's own withdrawal."""
    assert {following for (state, _), following in GRAPH.items() if state is State.SUBMITTED} == {
        State.IN_REVIEW,
        State.WITHDRAWN,
    }
