# SPDX-License-Identifier: Apache-2.0
"""The kill test's model: what it takes for possible, and what it does not."""
from crash import worlds as w


def key(*steps, mode=w.ENABLED):
    """A key of which a client was told these."""
    k = w.Worlds(())
    for apply in steps:
        k.told("step", apply, mode)
    return k


def cannot(k, apply, mode=w.ENABLED):
    before = k.worlds
    try:
        k.told("this cannot be", apply, mode)
    except w.Unlike:
        k.worlds = before
        return True
    return False


def test_what_was_acknowledged_must_be_shown(t):
    """An acknowledged version that is missing, has other bytes or another place is noticed."""
    k = key(w.put("a", "1"), w.put("b", "2"))
    assert cannot(k, w.shows_all([("a", "1")])) and cannot(k, w.shows_all([("a", "1"), ("b", "2")])) and cannot(k, w.shows_all([("b", "1"), ("a", "1")]))
    assert cannot(k, w.shows(None, "a", "1")) and cannot(k, w.shows_none("a", 404)) and cannot(k, w.shows_all([("c", "9"), ("b", "2"), ("a", "1")]))
    k.told("both", w.shows_all([("b", "2"), ("a", "1")]), w.ENABLED)


def test_what_was_deleted_must_not_come_back(t):
    """A version that was ended, and what a marker hides, are not shown again."""
    k = key(w.put("a", "1"), w.put("b", "2"), w.ended("b"), w.marked("m"))
    assert cannot(k, w.shows("b", "b", "2")) and cannot(k, w.shows(None, "a", "1")) and not cannot(k, w.shows_none(None, 404))
    k.told("all", w.shows_all([("m", None), ("a", "1")]), w.ENABLED)


def test_an_answer_that_was_lost_leaves_both_ways_open_until_one_is_seen(t):
    """An unanswered write may be there, may come later, and once seen stays; it is never there twice."""
    k = key(w.put("a", "1"))
    k.unsure("lost", 7, w.put(7, "2"))
    assert not cannot(k, w.shows(None, "a", "1"))
    k.told("not yet", w.shows_all([("a", "1")]), w.ENABLED)
    assert cannot(k, w.shows_all([("x", "2"), ("y", "2"), ("a", "1")]))
    k.told("came", w.shows_all([("x", "2"), ("a", "1")]), w.ENABLED)
    assert cannot(k, w.shows_all([("a", "1")])) and cannot(k, w.shows_all([("y", "2"), ("a", "1")])) and cannot(k, w.shows_all([("z", "2"), ("x", "2"), ("a", "1")]))


def test_a_null_version_replaces_the_null_version(t):
    """With versioning suspended there is one null version, and what came before keeps its id."""
    k = key(w.put("a", "1"))
    k.settle(w.ENABLED)
    k.told("null", w.put(w.NULL, "2"), w.SUSPENDED)
    k.told("null again", w.put(w.NULL, "3"), w.SUSPENDED)
    assert cannot(k, w.put("b", "4"), w.SUSPENDED) and cannot(k, w.shows_all([(w.NULL, "3"), (w.NULL, "2"), ("a", "1")]), w.SUSPENDED)
    k.told("one null", w.shows_all([(w.NULL, "3"), ("a", "1")]), w.SUSPENDED)


def test_conditions_and_their_refusals_must_fit(t):
    """If-None-Match that passed though something was there, and 412 though nothing was, are noticed."""
    k = key(w.put("a", "1"))
    assert cannot(k, w.put("b", "2", guard="*")) and cannot(k, w.refused("1", 412)) and not cannot(k, w.refused("*", 412))
    assert cannot(key(), w.refused("*", 412)) and cannot(key(), w.put("b", "2", guard="1"))


def test_complete_and_a_rival_part_cannot_both_win(t):
    """A part with other bytes is before Complete, which then refuses, or after it, and then finds no upload."""
    u = w.Worlds(())
    u.told("part", w.part_set(1, "1"))
    complete, rival = w.fits([(1, "1")]), w.part_set(1, "2")
    try:
        u.either("both", [(complete, rival), (rival, complete)])
        raise AssertionError("both passed")
    except w.Unlike:
        pass
    u.either("refused", [(w.fits_not([(1, "1")]), rival), (rival, w.fits_not([(1, "1")]))])
    assert not cannot(u, w.reads(((1, "2"),))) and cannot(u, w.is_over)


def test_an_upload_completed_again_makes_no_second_version(t):
    """Complete whose answer was lost, and again: one version, under the id that was answered, whichever of the two made it."""
    k = key(w.put("a", "1"))
    k.unsure("complete", 5, w.put(5, "set-2"))
    k.told_again("again", 5, w.put("v", "set-2"), w.completed_before("v", "set-2"), w.ENABLED)
    assert cannot(k, w.shows_all([("v", "set-2"), ("x", "set-2"), ("a", "1")]))
    k.told("one", w.shows_all([("v", "set-2"), ("a", "1")]), w.ENABLED)


def test_a_key_that_was_deleted_must_not_work(t):
    """Access keys: made, turned off, deleted; one whose answer was lost may be there."""
    u = w.Worlds((False, ()))
    for act, name in (("CreateUser", 1), ("CreateAccessKey", "AK1")):
        u.told(act, w.user_act(act, name))
    u.unsure("lost", 9, w.user_act("CreateAccessKey", 9))
    assert cannot(u, w.key_is("AK1", False)) and not cannot(u, w.shows_keys((("AK1", True),)))
    u.told("both", w.shows_keys((("AK1", True), ("AK2", True))))
    u.told("deleted", w.user_act("DeleteAccessKey", "AK1"))
    assert cannot(u, w.key_is("AK1", True)) and cannot(u, w.shows_keys(())) and cannot(u, w.user_act("DeleteUser", 1))
