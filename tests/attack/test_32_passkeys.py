# SPDX-License-Identifier: Apache-2.0
"""Attack 32: an approver's assertion that is not what it should be: of another kind, page, key, request, or of a device that somebody copied. Each is refused by a
name of its own; nothing comes of it; and what is not proven fills nobody's log."""
from lib.attack import attack, held, store
from lib.passkey import UP, UV, Passkey, raw
from lib.people import People, text
from lib.raw import Caller

RPID, ORIGIN = "sign.customer.example", "https://sign.customer.example"
PROVIDER = "console.provider.example"
WORDS = {"type": "an assertion made to enrol a key was taken", "origin": "an assertion of another page was taken", "cross-origin": "an assertion of a framed page was taken",
         "not-verified": "an assertion without PIN or finger was taken", "rpid": "an assertion for the provider's site was taken",
         "challenge": "an assertion over another request was taken", "counter": "an assertion of a copied device was taken",
         "algorithm": "an assertion of another algorithm was taken"}
BREAKS = {"not-verified": "uv"}


def approvers_side(case):
    """A tenant whose approver bo has a passkey, and a request that waits for him, and another."""
    s = store(case)
    assert Caller(s).call("PUT", "/docs").status == 200
    p = People(s)
    p.purpose()
    ines, mats, bo = p.person("ines"), p.person("mats", roles=["manager"]), Passkey(RPID, ORIGIN)
    p.say(p.owner, "origin.set", origin=ORIGIN, rpid=RPID)
    anna, bo = p.approver("anna"), p.approver("bo", bo)
    requests = [p.request(ines, "docs", prefix=x) for x in ("reports/", "other/")]
    for r in requests:
        p.approve(r, mats)
    assert p.look(bo).ok                           # the counter is above 0 from here on
    return s, p, anna, bo, requests


def approval(p, r):
    return text("access.approve", r.grant, p.tenant, {"request": r.digest})


def state(p, anna, r):
    return p.look(anna, r).answer["state"]


def wrongs(p, bo, requests):
    """(why it must be refused, what is sent): the first is wrong in one thing each."""
    key, first, other = bo.key, *(approval(p, r) for r in requests)
    copied, again = key.counter, approval(p, requests[0])      # its refusal has a leaf, so its nonce is taken
    return [("type", first, key.sign(first, type="webauthn.create")), ("origin", first, key.sign(first, origin="https://" + PROVIDER)),
            ("cross-origin", first, key.sign(first, crossOrigin=True)), ("not-verified", first, key.sign(first, flags=UP)),
            ("rpid", first, key.sign(first, rpid=PROVIDER)), ("challenge", first, key.sign(other)), ("counter", again, key.sign(again, counter=copied)),
            ("algorithm", first, key.sign(first, change=raw)), ("not-present", first, key.sign(first, flags=UV)), ("cross-origin", first, key.sign(first, topOrigin=ORIGIN)),
            ("origin", first, key.sign(first, origin=ORIGIN + ":8443")), ("rpid", first, key.sign(first, rpid="customer.example")),
            ("signature", first, key.sign(first, change=lambda sig: Passkey(RPID, ORIGIN).signature(b"x"))),
            ("credential-unknown", first, Passkey(RPID, ORIGIN).sign(first))]


@attack("32", *((f"passkey-{BREAKS.get(why, why)}-unchecked", words) for why, words in WORDS.items()))
def test_a_wrong_assertion_approves_nothing(case):
    s, p, anna, bo, requests = approvers_side(case)
    before = len(s.log_records("control"))
    for why, said, assertion in wrongs(p, bo, requests):
        answer = p.send(said, assertion, any=True)
        held(not answer.ok, WORDS.get(why, why), answer)
        assert answer.why == ("unknown-signer" if why == "credential-unknown" else why) and answer.status == 403, (why, answer)
    told = [x["why"] for x in s.log_records("control")[before:]]
    assert told == ["counter"], told               # a good signature by a known key; the others are counted on the provider's log (access.md section 6)
    assert state(p, anna, requests[0]) == state(p, anna, requests[1]) == "customer-pending"
    p.approve(requests[0], bo)                     # and the device itself is not the worse for it
    assert state(p, anna, requests[0]) == "approved" and state(p, anna, requests[1]) == "customer-pending"


def taken_away(s, p, anna, bo, request):
    """A passkey that was removed is refused by name, with a leaf; it is enrolled for nobody again, and its next counter is no way around."""
    p.say(anna, "approver.off", "bo")
    said = approval(p, request)
    answer = p.send(said, bo.key.sign(said), any=True)
    assert answer.why == "key-removed" and answer.answer["receipt"], answer
    last = s.log_records("control")[-1]
    assert (last["act"], last["dec"], last["why"], last["auth"]) == ("access.approve", "deny", "key-removed", "passkey"), last
    for name in ("bo", "carl"):
        p.say(anna, "approver.set", name, key=bo.key.term, name="Bo Lind", why="key-removed")
    p.approve(request, bo, why="key-removed")
    assert state(p, anna, request) == "customer-pending"


@attack("32", ("passkey-counter-unchecked", WORDS["counter"]))
def test_a_copied_device_and_one_that_was_taken_away(case):
    """A copy of the device signs for the other request with the counter that the first approval had; after a restart, too. Then the device is taken from its owner."""
    s, p, anna, bo, requests = approvers_side(case)
    p.approve(requests[0], bo)
    for again in range(2):
        said = approval(p, requests[1])
        answer = p.send(said, bo.key.sign(said, counter=bo.key.counter), any=True)
        held(not answer.ok, WORDS["counter"], answer)
        assert answer.why == "counter" and answer.answer["receipt"], answer
        if not again:
            s.stop()
            s.start()
    taken_away(s, p, anna, bo, requests[1])
