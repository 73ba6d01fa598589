"""No walk through the steps leaves the graph of the law."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Conflict
from services.eapply.domain.states import GRAPH, OPEN, State, Step, after, may

LAW = {
    State.SUBMITTED: {State.IN_REVIEW, State.WITHDRAWN},  # 行政手続法7条: examined without delay
    State.IN_REVIEW: {
        State.IN_REVIEW,  # another takes it over
        State.CORRECTION_REQUESTED,  # 7条: 補正 within a stated period …
        State.AWAITING_APPROVAL,
        State.DECIDED,  # … or an answer
        State.WITHDRAWN,
    },
    State.CORRECTION_REQUESTED: {State.IN_REVIEW, State.WITHDRAWN},  # who is asked to mend is not answered meanwhile
    State.AWAITING_APPROVAL: {State.DECIDED, State.IN_REVIEW, State.WITHDRAWN},
    State.DECIDED: set(),
    State.WITHDRAWN: set(),
}
"""What may follow what, written down from the law and not from the program."""


@given(st.lists(st.sampled_from(Step)))
def test_any_walk_stays_in_the_graph_of_the_law(steps):
    state = State.SUBMITTED
    for step in steps:
        if may(state, step):
            following = after(state, step)
            assert following in LAW[state], f"{state} --{step}--> {following}"
            assert (following is State.DECIDED) is (step in (Step.DECIDE, Step.APPROVE))
            state = following
        else:
            with pytest.raises(Conflict):
                after(state, step)


def test_no_single_step_leaves_the_law_and_all_that_the_law_knows_can_be_reached():
    assert {(state, following) for (state, _), following in GRAPH.items()} == {
        (state, following) for state, allowed in LAW.items() for following in allowed
    }


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
