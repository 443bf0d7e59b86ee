# SPDX-License-Identifier: Apache-2.0
"""What may be so, for a client that did not hear every answer.

A thing (a key with its versions, an upload with its parts, a policy, a user) is a set of worlds. Each world is a state and the requests
whose answer was lost: any of these may have had its effect, may have it at any later moment, or never has it. What a client is told
keeps the worlds in which that could be said; when none is left, the store has said something that cannot be.
"""

WORLDS_MAX = 300                        # more, and the client leaves the thing alone until the end
PENDING_MAX = 3


class Unlike(Exception):
    """No world is left."""


class Worlds:
    """apply(state, mode) everywhere: gives the states that may follow; none when what was told cannot be in this state.
    mode is what else the effect depends on when it comes (the bucket's versioning)."""

    def __init__(self, state):
        self.worlds, self.ops = {(state, frozenset())}, {}
        self.history = []

    def reach(self, mode=None):
        """All worlds, with any of the pending requests done by now in any order."""
        seen, todo = set(self.worlds), list(self.worlds)
        while todo:
            state, pending = todo.pop()
            for number in pending:
                for after in self.ops[number](state, mode):
                    world = (after, pending - {number})
                    if world not in seen:
                        seen.add(world)
                        todo.append(world)
        return seen

    def told(self, what, apply, mode=None):
        after = {(t, pending) for state, pending in self.reach(mode) for t in apply(state, mode)}
        self.history.append(what)
        if not after:
            raise Unlike(f"{what}; it could only be one of {sorted(map(str, self.possible(mode)))[:4]}; before: {self.history[-9:-1]}")
        self.worlds = after

    def unsure(self, what, number, apply, mode=None):
        self.history.append(f"{what}: no answer")
        self.ops[number] = apply
        self.worlds = {(state, pending | {number}) for state, pending in self.worlds}

    def either(self, what, orders, mode=None):
        """Two requests at once: the worlds of each order in which both could be told."""
        worlds, found = self.worlds, set()
        for order in orders:
            self.worlds = worlds
            try:
                for apply in order:
                    self.told(what, apply, mode)
                found |= self.worlds
            except Unlike:
                pass
        self.worlds = worlds
        if not found:
            raise Unlike(f"{what}; in no order, from {sorted(map(str, self.possible(mode)))[:4]}; before: {self.history[-9:-1]}")
        self.worlds = found

    def drop(self, number):
        """This request can have no effect of its own any more."""
        self.worlds = {(state, pending - {number}) for state, pending in self.worlds}

    def told_again(self, what, number, done_now, done_before, mode=None):
        """A request whose answer was lost was made again, and this is the answer: one of the two had the effect."""
        before, after = self.worlds, set()
        for state, pending in self.reach(mode):
            apply = done_now if number in pending else done_before
            after |= {(t, pending - {number}) for t in apply(state, mode)}
        self.worlds = after
        self.history.append(what)
        if not after:
            self.worlds = before
            raise Unlike(f"{what}; from {sorted(map(str, before))[:4]}; before: {self.history[-9:-1]}")

    def came(self, what, number, fits, mode=None):
        """This request has had its effect, and the state then fits."""
        self.worlds, before = {(s, p) for s, p in self.reach(mode) if number not in p and fits(s)}, self.worlds
        self.history.append(what)
        if not self.worlds:
            raise Unlike(f"{what}; from {sorted(map(str, before))[:4]}; before: {self.history[-9:-1]}")

    def never(self, what, number):
        """This request has had none and will have none."""
        self.worlds, before = {(s, p - {number}) for s, p in self.worlds if number in p}, self.worlds
        self.history.append(what)
        if not self.worlds:
            raise Unlike(f"{what}; from {sorted(map(str, before))[:4]}; before: {self.history[-9:-1]}")

    def settle(self, mode):
        """mode is about to change: what comes later comes under the new one."""
        self.worlds = self.reach(mode)

    def possible(self, mode=None):
        return {state for state, _ in self.reach(mode)}

    @property
    def open(self):
        """Not all is known."""
        return len(self.worlds) > 1 or any(pending for _, pending in self.worlds)

    @property
    def crowded(self):
        return len(self.worlds) > WORLDS_MAX or max(len(p) for _, p in self.worlds) >= PENDING_MAX


class Anything:
    """Of what others write too: nothing is expected but what the log and replay say. An upload that somebody ended is over."""
    crowded, open, history = False, False, ()

    def __init__(self, state):
        self.worlds = {(state, frozenset())}

    def told(self, what, apply=None, mode=None):
        if apply in (is_over, over) or what.startswith("complete") and "-> 200" in what:
            self.worlds = set()

    def either(self, what, orders, mode=None):
        self.told(what)

    def unsure(self, *_):
        pass

    told_again = never = drop = settle = came = unsure

    def possible(self, mode=None):
        return set()


# -- a key: versions, newest first, each (version id, etag or None of a delete marker, tags) ----------------------------------------------------
# A version whose answer was lost has an id that is a number, and matches whatever is shown there.

ENABLED, SUSPENDED, OFF = "Enabled", "Suspended", None
NULL = "null"


def same_id(have, shown):
    return have == shown or isinstance(have, int) and shown != NULL


def guard_says(state, guard):
    """None when the condition holds, else the status."""
    etag = state[0][1] if state else None
    if guard == "*":
        return 412 if etag else None
    if guard:
        return 404 if not etag else 412 if etag != guard else None
    return None


def pushed(state, mode, version_id, etag, tags):
    if mode == OFF:
        return ((NULL, etag, tags),) if etag else ()
    if mode == SUSPENDED:
        return ((NULL, etag, tags), *(v for v in state if v[0] != NULL))
    return ((version_id, etag, tags), *state)


def put(version_id, etag, tags=("",), guard=None):
    """tags: those it may have (a copy takes its source's). version_id: as answered, or a number."""
    def apply(state, mode):
        right = isinstance(version_id, int) or (version_id == NULL) == (mode != ENABLED)
        if guard_says(state, guard) is None and right:
            for t in tags:
                yield pushed(state, mode, version_id, etag, t)
    return apply


def refused(guard, status):
    return lambda state, mode: [state] if guard_says(state, guard) == status else []


def completed_before(version_id, etag):
    """What Complete says when it is asked for again: the version it made, which is current."""
    def apply(state, mode):
        if state and state[0][1] == etag and same_id(state[0][0], version_id):
            yield ((version_id, *state[0][1:]), *state[1:])
    return apply


def marked(version_id):
    def apply(state, mode):
        if isinstance(version_id, int) or (version_id == NULL) == (mode != ENABLED):
            yield pushed(state, mode, version_id, None, "")
    return apply


def ended(version_id):
    return lambda state, mode: [tuple(v for v in state if v[0] != version_id)]


def at_id(state, version_id):
    """Index of the version meant: the current one without an id."""
    if version_id is None:
        return 0 if state else None
    return next((i for i, v in enumerate(state) if v[0] == version_id), None)


def tagged(version_id, tags):
    def apply(state, mode):
        at = at_id(state, version_id)
        if at is not None and state[at][1]:
            yield (*state[:at], (*state[at][:2], tags), *state[at + 1:])
    return apply


def no_object(version_id):
    return lambda state, mode: [state] if (at := at_id(state, version_id)) is None or state[at][1] is None else []


def shows_tags(version_id, tags):
    return lambda state, mode: [state] if (at := at_id(state, version_id)) is not None and state[at][1] and state[at][2] == tags else []


def shows(version_id, shown_id, etag):
    """A read: version_id as asked for, shown_id and etag as answered."""
    def apply(state, mode):
        at = at_id(state, version_id)
        if at is not None and state[at][1] == etag and same_id(state[at][0], shown_id):
            yield (*state[:at], (shown_id, *state[at][1:]), *state[at + 1:])
    return apply


def shows_none(version_id, status):
    """404: nothing, or a current marker; 405: the version asked for is a marker."""
    def apply(state, mode):
        at = at_id(state, version_id)
        if status == 404 and (at is None or version_id is None and state[at][1] is None) or status == 405 and at is not None and state[at][1] is None:
            yield state
    return apply


def shows_all(listed):
    """listed: (version id, etag or None), newest first."""
    def apply(state, mode):
        if len(state) == len(listed) and all(same_id(v[0], x[0]) and v[1] == x[1] for v, x in zip(state, listed)):
            yield tuple((x[0], *v[1:]) for v, x in zip(state, listed))
    return apply


# -- an upload: None when it is over, else its parts, sorted (number, etag) ------------------------------------------------------------------

def part_set(number, etag):
    return lambda state, mode: [tuple(sorted({**dict(state), number: etag}.items()))] if state is not None else []


def is_over(state, mode):
    return [state] if state is None else []


def fits(parts):
    """Complete with these parts: it ends the upload."""
    return lambda state, mode: [None] if state is not None and all(dict(state).get(n) == e for n, e in parts) else []


def fits_not(parts):
    return lambda state, mode: [state] if state is not None and not all(dict(state).get(n) == e for n, e in parts) else []


def over(state, mode):
    return [None]


def is_now(value):
    """A document, or whatever else is replaced as a whole."""
    return lambda state, mode: [value]


def reads(value):
    return lambda state, mode: [state] if state == value else []


def any_state(state, mode):
    return [state]


# -- a user: (there, ((key id, active), ...) sorted) --------------------------------------------------------------------------------------------

KEYS_PER_USER_MAX = 2


def ordered(keys):
    return tuple(sorted(keys, key=str))


def user_act(act, key, on=True):
    def apply(state, mode):
        there, keys = state
        has = key in dict(keys)
        if act == "CreateUser":
            return [] if there else [(True, ())]
        if act == "DeleteUser":
            return [(False, ())] if there and not keys else []
        if act == "CreateAccessKey":
            return [(True, ordered([*keys, (key, True)]))] if there and len(keys) < KEYS_PER_USER_MAX else []
        if not there or not has:
            return []
        rest = [x for x in keys if x[0] != key]
        return [(True, ordered(rest if act == "DeleteAccessKey" else [*rest, (key, on)]))]
    return apply


def shows_keys(shown):
    """None: there is no such user. A key whose answer was lost has a number, and is any other than those known."""
    def apply(state, mode):
        there, keys = state
        if shown is None or not there:
            return [state] if shown is None and not there else []
        known = [x for x in keys if not isinstance(x[0], int)]
        rest = [x for x in shown if x not in known]
        if not all(x in shown for x in known) or [True] * (len(keys) - len(known)) != [x[1] for x in rest]:
            return []
        return [(True, ordered(shown))]
    return apply


def key_is(key, active):
    return lambda state, mode: [state] if dict(state[1]).get(key, False) == active else []
