"""A template's new version is joined with what a municipality made of the old one: no local change is ever lost."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.eapply.forms.differences import MISSING, differences, join, put
from services.eapply.forms.document import check, common
from services.eapply.tests.domain.definitions import document, field, page


def base() -> dict[str, Any]:
    one = page("one", field("a"), field("b", "choice"), field("c"))
    two = page("two", field("d"), field("e", "number", max=9))
    return document(steps=[one, two, page("three", field("f"))])


def fields(doc: dict[str, Any]) -> list[tuple[dict[str, Any], int]]:
    return [
        (section, n) for step in doc["steps"] for section in step["sections"] for n in range(len(section["fields"]))
    ]


@st.composite
def edits(draw: Any, side: str) -> dict[str, Any]:
    """A document as one side made it of the base: words changed, questions added, taken away, moved, pages reordered."""
    doc = copy.deepcopy(base())
    for number in range(draw(st.integers(0, 5))):
        places = fields(doc)
        kind = draw(
            st.sampled_from(["label", "help", "need", "options", "add", "remove", "move", "title", "order", "page"])
        )
        if kind in ("label", "help", "need", "options", "remove", "move") and not places:
            continue
        section, n = draw(st.sampled_from(places)) if places else ({}, 0)
        word = f"{side} {number} {draw(st.sampled_from('xyz'))}"
        match kind:
            case "label" | "help":
                section["fields"][n][kind] = word
            case "need":
                section["fields"][n]["need"] = False
            case "options" if section["fields"][n]["type"] == "choice":
                section["fields"][n]["options"].append({"value": f"{side}{number}", "label": word})
            case "add":
                draw(st.sampled_from(doc["steps"]))["sections"][0]["fields"].append(field(f"{side}{number}"))
            case "remove":
                del section["fields"][n]
            case "move":
                moved = section["fields"].pop(n)
                draw(st.sampled_from(doc["steps"]))["sections"][0]["fields"].insert(0, moved)
            case "title":
                doc["title"] = word
            case "order":
                doc["steps"] = doc["steps"][1:] + doc["steps"][:1]
            case "page":
                doc["steps"].append(page(f"{side}p{number}", field(f"{side}q{number}")))
    return doc


def placed(doc: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Question → (page, the question)."""
    return {
        f["key"]: (step["key"], f) for step in doc["steps"] for section in step["sections"] for f in section["fields"]
    }


@settings(max_examples=200, deadline=None)
@given(edits("o"), edits("t"))
def test_no_local_change_is_ever_lost(ours, theirs):
    before = base()
    joined, collisions = join(before, ours, theirs)
    was, mine, result, other = placed(before), placed(ours), placed(joined), placed(theirs)
    for key, (step, question) in mine.items():
        if key not in was:
            assert result[key] == (step, question), "what we added stands where we put it"
            continue
        assert key in result or key not in other or question == was[key][1], f"{key} was ours and changed"
        if key not in result:
            continue
        if step != was[key][0]:
            assert result[key][0] == step, "where we moved it"
        for name in {**question, **was[key][1]}:
            if question.get(name) != was[key][1].get(name) and name != "options":
                assert result[key][1].get(name) == question.get(name), f"{key}.{name} as we changed it"
    for key in was:
        if key not in mine:
            assert key not in result, "what we took away does not come back"
    if ours["title"] != before["title"]:
        assert joined["title"] == ours["title"]
    assert all(each.ours != each.theirs for each in collisions)
    assert len(result) == sum(len(section["fields"]) for step in joined["steps"] for section in step["sections"]), (
        "nothing twice"
    )


@settings(max_examples=60, deadline=None)
@given(edits("t"))
def test_without_local_changes_the_new_version_is_taken_as_it_is(theirs):
    assert join(base(), base(), theirs) == (theirs, [])


@settings(max_examples=200, deadline=None)
@given(edits("o"))
def test_without_news_nothing_changes(ours):
    assert join(base(), ours, base()) == (ours, [])


@settings(max_examples=200, deadline=None)
@given(edits("o"), edits("t"))
def test_a_difference_names_what_changed_and_the_same_gives_none(ours, theirs):
    assert list(differences(ours, copy.deepcopy(ours))) == []
    assert bool(list(differences(ours, theirs))) == (ours != theirs)


def test_both_sides_changing_the_same_words_is_said_and_ours_stays():
    ours, theirs = base(), base()
    ours["title"], theirs["title"] = "わが町の", "県の新しい"
    joined, [collision] = join(base(), ours, theirs)
    assert joined["title"] == "わが町の"
    assert (collision.path, collision.theirs) == (("title",), "県の新しい")
    assert put(joined, collision.path, collision.theirs)["title"] == "県の新しい"


def test_an_inserted_question_does_not_make_the_rest_look_changed():
    theirs = base()
    theirs["steps"][0]["sections"][0]["fields"].insert(0, field("new"))
    found = list(differences(base(), theirs))
    assert [each.path[-1] for each in found] == ["new"]
    assert found[0].old is MISSING


def test_a_new_choice_of_theirs_comes_among_ours():
    ours, theirs = base(), base()
    choices = ours["steps"][0]["sections"][0]["fields"][1]["options"]
    choices[0]["label"] = "わが町の呼び方"
    theirs["steps"][0]["sections"][0]["fields"][1]["options"].append({"value": "z", "label": "新しい選択肢"})
    joined, collisions = join(base(), ours, theirs)
    labels = [option["label"] for option in joined["steps"][0]["sections"][0]["fields"][1]["options"]]
    assert (labels[0], labels[-1], collisions) == ("わが町の呼び方", "新しい選択肢", [])


def test_every_common_procedure_can_be_published_as_it_is():
    assert len(common()) >= 10
    assert [(each.key, check(each.document)[1]) for each in common() if check(each.document)[1]] == []
