# SPDX-License-Identifier: Apache-2.0
"""The same person inside the machine: every message on every socket as each role, every command and program, without a grant. From the tables: a row without a
case fails. What THREATS.md concedes is shown as what it is: root may play the gate to the keeper, and gets names and ciphertext, no content."""
import base64
import os
import secrets
import shutil
import socket
import subprocess
from types import SimpleNamespace

from lib import people, tables
from lib.attack import attack, held
from lib.case import Skip, limit, rows
from lib.evilfront import canonical_unsigned, sign
from lib.standing import WORDS, Standing
from lib.wire import ASK_API, AUTH_HEADER, AUTH_QUERY, ROLE_ACCESS, ROLE_FRONT, ROLE_GATE, ROLE_KEEPER, ROLE_STEWARD, VERSION, Conn, get_release_rows, put_headers

NOBODY = 65534
SOCKETS = {"gate/front": (ROLE_FRONT, ROLE_GATE), "gate/access": (ROLE_ACCESS, ROLE_GATE), "gate/steward": (ROLE_STEWARD, ROLE_GATE),
           "keeper/gate": (ROLE_GATE, ROLE_KEEPER), "keeper/front": (ROLE_FRONT, ROLE_KEEPER), "keeper/access": (ROLE_ACCESS, ROLE_KEEPER)}
TELLS = {"RELEASE", "TICKET", "LISTING", "LOGFILE", "FOUND", "ROWS", "USAGE", "READY"}          # keys, names, leaves


def asks(w):
    """ASKs for the customer's object, by a front that makes up what it likes."""
    get = canonical_unsigned("GET", f"{w.BUCKET}/{w.WANTED}")
    out = [dict(canonical=get), dict(canonical=canonical_unsigned("GET", w.BUCKET, "list-type=2")), dict(canonical=canonical_unsigned("HEAD", f"{w.BUCKET}/{w.WANTED}")),
           dict(canonical=canonical_unsigned("GET", "/v1/openings", "log=control"), flags=ASK_API), dict(canonical=canonical_unsigned("GET", "/v1/watch/x"), flags=ASK_API)]
    for x in w.sessions.values():
        c = SimpleNamespace(key=x["AccessKeyId"], secret=x["SecretAccessKey"], region=w.store.info["region"])
        for method, path, query in (("GET", f"{w.BUCKET}/{w.WANTED}", ""), ("HEAD", f"{w.BUCKET}/{w.WANTED}", ""), ("GET", w.BUCKET, "list-type=2"), ("PUT", f"{w.BUCKET}/new", "")):
            for bent in ({}, {"canonical": get}, {"auth": AUTH_QUERY}, {"signature": "0" * 64}, {"unsigned_headers": put_headers([("x-tillit-object", f"{w.BUCKET}/{w.WANTED}")])}):
                r = sign(c, method, path, query, {"x-amz-security-token": x["SessionToken"], "x-unique": secrets.token_hex(8)})        # each is taken once
                out.append({**dict(auth=AUTH_HEADER, canonical=r.canonical, credential=r.credential, signature=r.signature), **bent})
    return [{"peer": "192.0.2.66", **x} for x in out]


def messages(w, ids):
    """{message: [fields]}: what each row is tried with, by whoever may send it and whoever may not."""
    any16, some = os.urandom(16), secrets.token_hex(16)
    one = lambda **kw: [kw]
    find = dict(bucket=ids["bucket"], key=w.WANTED)
    return {
        "HELLO": one(role=ROLE_GATE, version=VERSION, boot=any16), "ASK": asks(w), "BODY": one(last=1, data=b"x"), "COMMIT": one(size=1, cipher_size=17), "ABORT": one(),
        "LOGREAD": [dict(capability=some, path="checkpoint"), dict(capability=some, path="tile/entries/000")], "TEND": [dict(what=n) for n in range(6)],
        "CHUNKS": one(last=1), "NEXT": [dict(sent=0), dict(sent=600)], "KILLED": one(), "NOTICES": one(), "ANSWER": one(status=200), "RELEASE": one(status=200),
        "TICKET": one(blob=any16), "LISTING": one(last=1), "WANTBODY": one(size_max=9), "LOGFILE": one(log=ids["log"]), "KILL": one(), "NOTICED": one(),
        "OPENINDEX": one(index_key=os.urandom(32)), "FIND": [dict(find, mode=n) for n in range(8)],
        "SCAN": [dict(bucket=ids["bucket"], log=ids["log"], kind=n, rows_max=1000, budget=1000) for n in range(4)], "APPLY": one(log=ids["log"], index=1 << 40, last=1),
        "MARK": one(log=any16), "GRANT": one(blob=any16, front_id=1, cipher_max=99, expiry_ms=99), "SETTLEDALL": one(), "READY": one(), "FOUND": one(present=1), "ROWS": one(last=1),
        "SETTLED": one(log=ids["log"]), "SPACE": one(writable=1), "USAGE": one(), "STAGE": one(blob=any16, last=1, data=b"x" * 40), "DROP": one(blob=any16),
        "READ": [dict(location=ids["location"], len=4096), dict(location=secrets.token_bytes(24), len=4096)], "CREDIT": one(blob=any16), "SEALED": one(blob=any16), "DATA": one(data=b"x"),
    }


def opened(w, path, role):
    """A connection that has said hello; None: it was closed instead."""
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(4)
    s.connect(os.path.join(w.store.dir, "run", path))
    c = Conn(s)
    try:
        c.send("HELLO", 0, role=role, version=VERSION, boot=os.urandom(16))
        c.hello = c.read_frame()
        # Who has the wrong role is told hello before its own was read, and nothing more.
        s.settimeout(0.25)
        return c if c.hello and (SOCKETS[path][0] == role or s.recv(1, socket.MSG_PEEK)) else None
    except (BrokenPipeError, ConnectionResetError):
        return None
    except TimeoutError:
        return c


def told(c, seconds=0.12):
    """Frames that come until it is quiet; the last is None when the connection ended."""
    out = []
    c.sock.settimeout(seconds)
    try:
        while True:
            out.append(c.read_frame())
            if out[-1] is None or out[-1][0] in ("ANSWER", "DATA"):
                return out
    except TimeoutError:
        return out
    except (ConnectionResetError, BrokenPipeError):
        return [*out, None]


def secret_of_front(w):
    """What an honest caller's own read tells the front that carries it: where one blob lies. Its key is told with it; the test keeps the place alone."""
    c = SimpleNamespace(key=w.store.credentials[0], secret=w.store.credentials[1], region=w.store.info["region"])
    r = sign(c, "GET", f"{w.BUCKET}/{w.WANTED}")
    conn = opened(w, "gate/front", ROLE_FRONT)
    conn.send("ASK", 1, auth=AUTH_HEADER, canonical=r.canonical, credential=r.credential, signature=r.signature, peer="192.0.2.1")
    name, _, m = conn.read_frame()
    assert name == "RELEASE", name                     # so these tests know a key when they see one
    conn.close()
    return get_release_rows(m["rows"])[0]["location"]


def try_message(w, path, role, name, fields):
    c = opened(w, path, role)
    assert c, path
    try:
        c.send(name, 1, **fields)
        frames = told(c)
    except (BrokenPipeError, ConnectionResetError):
        frames = [None]
    finally:
        c.close()
    where = f"{name} to {path}"
    row, (_, receiver) = tables.messages()[name], SOCKETS[path]
    if name == "HELLO" or not (row.senders & role and row.receiver & receiver):
        held(frames in ([None], [("SPACE", 0, None), None]) or all(f is None or f[0] == "SPACE" for f in frames) and frames[-1] is None, WORDS, f"{where}: not closed: {frames}"[:300])
    for f in frames:
        if f:
            w.harmless(where, repr(f), *[v for v in f[2].values() if isinstance(v, bytes)])
            held(f[0] not in TELLS, WORDS, f"{where}: {f}"[:300])
            held(f[0] != "ANSWER" or f[2]["status"] >= 400 or role == ROLE_STEWARD and name == "TEND", WORDS, f"{where}: {f}"[:300])
    return frames


def ids_of(w):
    raw = lambda text: base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    bucket = next(x for x in w.store.log_records("control") if x["kind"] == "bkt" and x["name"] == "docs")
    return {"bucket": raw(bucket["bkt"]), "log": raw(w.store.info["logs"]["access"]["origin"].rsplit("/", 1)[1]), "location": secret_of_front(w)}


def other_uid(w):
    """As somebody with a login on the machine: every socket is there, none of them says a word."""
    if os.getuid() != 0:
        return
    for path, (role, _) in SOCKETS.items():
        pid = os.fork()
        if pid == 0:
            os.setgroups([]), os.setgid(NOBODY), os.setuid(NOBODY)
            try:
                c = opened(w, path, role)
                c and c.send("ASK", 1, canonical=b"x")
                os._exit(0 if c is None or not [f for f in told(c, 1) if f] and c.hello is None else 9)
            except BaseException:
                os._exit(0)
        held(os.waitpid(pid, 0)[1] == 0, WORDS, f"{path} speaks to another user of the machine")


@limit(200)
@rows("P2.01")
@attack("P2.01", ("staff-no-grant-needed", WORDS))
def test_every_message_as_every_role_opens_nothing(case):
    """Each message of the table on each socket, by each role: whoever may not send it loses its connection, and who may is told no key, name or leaf."""
    w = Standing(case)
    other_uid(w)
    ids = ids_of(w)
    cases = messages(w, ids)
    assert not tables.missing(tables.messages(), cases), "wire.def and the cases here differ"
    for path, (right, _) in SOCKETS.items():
        for role in (ROLE_FRONT, ROLE_GATE, ROLE_KEEPER, ROLE_STEWARD, ROLE_ACCESS, ROLE_FRONT | ROLE_GATE, 0):
            if role != right:
                held(opened(w, path, role) is None, WORDS, f"{path} takes role {role}")
    answered = set()
    for path, (role, _) in SOCKETS.items():
        for name, tries in messages(w, ids).items():
            for fields in tries if path != "keeper/gate" else ():
                answered |= {(path, name, f[0]) for f in try_message(w, path, role, name, fields) if f}
    for expected in (("gate/front", "ASK", "ANSWER"), ("gate/access", "ASK", "ANSWER"), ("gate/steward", "TEND", "ANSWER"), ("gate/steward", "NOTICES", "NOTICED"),
                     ("keeper/front", "READ", "DATA"), ("keeper/access", "READ", "DATA")):
        assert expected in answered, (expected, sorted(answered))
    w.unchanged()
    concede(w, cases)


def concede(w, cases):
    """Root playing the gate: names, ciphertext, sizes; no content, metadata or tags. And the store goes on when it has left."""
    seen = set()
    for _ in range(5):
        for name, fields in [(n, f) for n in ("FIND", "SCAN") for f in cases[n] if len(seen) < 2]:
            c = opened(w, "keeper/gate", ROLE_GATE)
            if not c:
                continue
            try:
                c.send(name, 1, **fields)
                frames = [f for f in told(c, 0.3) if f]
            except (BrokenPipeError, ConnectionResetError):         # the gate came back: a new connection of it closes the old
                frames = []
            c.close()
            seen |= {f[0] for f in frames}
            raw = repr(frames).encode()
            held(not [f for f in w.forms[:3] if f in raw], WORDS, f"{name} as the gate: content")
    assert {"FOUND", "ROWS"} <= seen, seen
    w.store.stop()
    w.store.start()
    w.unchanged()


# -- commands and programs -----------------------------------------------------------------------------------------------------

def commands(w, home):
    """{first word: [(arguments, may succeed)]}. What may succeed is hers to say, or everybody's to read; nothing of the customer's is in it."""
    d, t = w.store.dir, "--tenant"
    grant = ["--grant", w.pending.grant]
    data = ["--bucket", "docs", "--key", w.WANTED]
    kinds = {}
    for kind, row in tables.statements().items():
        if kind not in people.OLD_KINDS:
            kinds.setdefault(kind.split(".")[0], []).append(([*kind.split("."), *(["--help"])], True))
    known = {
        "init": [([d, t, "evil"], False), ([d, t, "evil", "--json"], False)], "serve": [([d], False), ([d, "--s3-port", "0"], False)],
        "tenant": [(["create", d, t, "evil"], False), (["list", d, "--json"], True)],
        "account": [(["create", d], False), (["create", d, "--owner-key", home + "/key"], False)],
        "user": [([*a.split(), d, *more], False) for a, more in (("create", ["eve"]), ("list", []), ("delete", ["eve"]))],
        "log": [([a, d, "--log", log, *more], False) for a, more in (("query", ["--json"]), ("follow", []), ("export", ["--out", home + "/out"])) for log in ("access", "control")],
        "undelete": [([d, "docs", w.WANTED], False)], "doctor": [([d], True), ([d, "--json"], True)],
        "say": [(["key.add", w.store.info["account"], "--scope", w.eve.key.fingerprint], False), (["access.look"], True), (["no.kind"], False)],
        "who-can": [([*data, "--dir", d], False), ([*data, "--endpoint", w.people.api], False)],
        "person": [(["set", "eve", "role=officer"], False), (["list", "--export", d + "/gate/logs"], False)], "purpose": [(["set", "all", "role=support", "verb=read", "category=general"], False)],
        "approver": [(["set", "eve", "name=Eve", f"key={home}/key.pub"], False), (["off", "anna"], False)], "quorum": [(["set", "need=1"], False)],
        "rule": [(["set", "*", "need=1"], False)], "category": [(["set", "docs", "category=general"], False)],
        "origin": [(["set", "origin=https://eve.example", "rpid=eve.example"], False)], "recovery": [(["set", "need=1", f"key={home}/key.pub"], False), (["finish"], False)],
        "agree": [(["--request", w.pending.digest], False)], "notice": [(["set", "eve", "mail=eve@example.org"], False)],
        "access": [(["login", *grant, "--country", "SE"], False), (["approve", *grant, "--request", w.pending.digest, "--yes"], False), (["list", "--json"], True),
                   (["show", *grant, "--json"], True), (["watch", "--grant", w.done.grant], True), (["complete", *grant], False)],
    }
    return {word: tries + kinds.get(word, []) for word, tries in known.items()}


def programs(w, home):
    d, logs = w.store.dir, w.store.info["logs"]
    return {
        "tillit": [([], False), (["--help"], True)], "tillit-gate": [([d], False), ([d, "--export-provider", home + "/out"], False), ([d, "--init"], False)],
        "tillit-keeper": [([d], False), ([d, "--uid", "0"], False)], "tillit-serve": [([d], False)], "tillit-steward": [([d], False)],
        "tillit-verify": [(["log", w.store.endpoints["logs"]["control"]["url"].replace("/log/", "/log/x"), "--vkey", logs["control"]["vkey"]], False),
                          (["log", d + "/gate/logs", "--vkey", logs["control"]["vkey"]], False),
                          (["replay", d + "/gate/logs", "--provider-vkey", logs["provider"]["vkey"]], False)],
    }


class Login:
    """Somebody with a login on the machine, her key and the product's programs. Not the store's user: only root can make one."""
    def __init__(self, w):
        self.w = w
        if os.getuid() != 0:
            raise Skip("only root can be another user of the machine")
        self.bin = w.case.path("bin")
        shutil.copytree(w.store.build, self.bin, ignore=lambda folder, names: [n for n in names if n not in tables.programs()])
        self.sk = shutil.copy(people.sk_provider(), w.case.path("sk.so"))
        self.key = w.staff_key(NOBODY)
        self.home = os.path.dirname(self.key.path)

    def run(self, program, args, session=None):
        env = {"PATH": "/usr/bin:/bin", "HOME": self.home, "SSH_SK_PROVIDER": self.sk, "TILLIT_ENDPOINT": self.w.people.api, "TILLIT_TENANT": self.w.people.tenant,
               "TILLIT_KEY": self.key.path}
        if session:
            env.update(AWS_ACCESS_KEY_ID=session["AccessKeyId"], AWS_SECRET_ACCESS_KEY=session["SecretAccessKey"], AWS_SESSION_TOKEN=session["SessionToken"])
        p = subprocess.Popen([os.path.join(self.bin, program), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env, cwd=self.home,
                             user=NOBODY, group=NOBODY, extra_groups=[])
        try:
            out, err = p.communicate(timeout=2 if program == "tillit-steward" else 40)
        except subprocess.TimeoutExpired:
            p.kill()
            out, err = p.communicate()
        return p.returncode, out, err

    def tries(self, program, args, may, session=None):
        code, out, err = self.run(program, args, session)
        where = f"{program} {' '.join(args)}"
        held(may or code != 0, WORDS, f"{where}: {out[:300]!r}")
        assert code >= 0 or program in ("tillit-steward", "tillit-serve"), (where, code, err)       # a crash is no refusal
        self.w.harmless(where, out, err)


@limit(150)
@rows("P2.01")
def test_every_command_and_program_opens_nothing(case):
    """Each command of the tool and each program, by somebody with a login, a key and every role, who does not run the store: refused, and nothing of the customer's is told."""
    w = Standing(case)
    login = Login(w)
    of_tool, of_all = commands(w, login.home), programs(w, login.home)
    assert not tables.missing(tables.commands(), of_tool), "the tool's commands and the cases here differ"
    assert not tables.missing(tables.programs(), of_all), "the programs and the cases here differ"
    for word, tries in of_tool.items():
        for args, may in tries:
            login.tries("tillit", [word, *args], may)
    for args, may in of_tool["log"] + of_tool["user"] + of_tool["undelete"] + of_tool["who-can"]:
        login.tries("tillit", [next(word for word in of_tool if (args, may) in of_tool[word]), *args], may, w.sessions["elsewhere"])
    for program, tries in of_all.items():
        for args, may in tries:
            login.tries(program, args, may)
    w.no_read_follows("commands")
    w.unchanged()
    # What the operator himself runs, with the store's files below it, tells states and counts.
    for args in (["doctor", w.store.dir], ["doctor", w.store.dir, "--json"], ["tenant", "list", w.store.dir], ["tenant", "list", w.store.dir, "--json"]):
        r = subprocess.run([os.path.join(w.store.build, "tillit"), *args], capture_output=True, timeout=60)
        w.harmless(" ".join(args), r.stdout, r.stderr)
    with open(w.store.log_path, "rb") as f:
        w.harmless("the server's own log", f.read())
    w.replayed()
    for name in os.listdir(w.case.path("replayed")):
        if name.startswith("provider"):
            with open(os.path.join(w.case.path("replayed"), name), "rb") as f:
                w.harmless(name, f.read())
