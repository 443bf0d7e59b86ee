# SPDX-License-Identifier: Apache-2.0
"""The product's own tables, read from its source, so that a test has a case for each row, and misses one that is new.

    for name, method, target, headers, body in requests("/docs", "reports/q1", upload, version): ...
    assert not missing(tables.statements(), cases)
"""
import os
import re
from collections import namedtuple

from lib.case import ROOT
from lib.people import OLD_KINDS

Operation = namedtuple("Operation", "level method sub name")
Statement = namedtuple("Statement", "kind parts required more")
Message = namedtuple("Message", "senders receiver")
BODIES = {"delete": b"<Delete><Object><Key>%s</Key></Object></Delete>", "tagging": b"<Tagging><TagSet/></Tagging>", "uploadId": b"<CompleteMultipartUpload/>"}


def source(*path):
    with open(os.path.join(ROOT, "src", *path)) as f:
        return re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)


def whole(found, text, begin):
    """A row that the pattern does not read must not be passed over."""
    count = len(re.findall(rf"(?m)^\s*{begin}\(", text))
    assert len(found) == count and count > 0, f"{len(found)} of {count} rows {begin}( were read"
    return found


def operations():
    """s3_op.def"""
    text = source("lib", "s3", "s3_op.def")
    return whole([Operation(*x) for x in re.findall(r'^S3_OP\((\w+), "(\w+)", "([^"]*)", (\w+),', text, re.M)], text, "S3_OP")


def acts():
    """Names of policy_act.def: what can be done and is no S3 operation."""
    text = source("lib", "policy", "policy_act.def")
    return whole(re.findall(r"^POLICY_ACT\((\w+),", text, re.M), text, "POLICY_ACT")


def statements():
    """{kind: its row} of statement.def; required, more: names of terms."""
    text = source("lib", "record", "statement.def").split("#undef")[0]
    names = lambda letter, s: [x.lower().replace("_", "-") for x in re.findall(letter + r"\((\w+)\)", s)]
    rows = [re.split(r",(?![^(]*\))", row.strip()[:-1]) for row in text.split("STATEMENT(")[1:]]
    found = [Statement(kind.strip(' "'), names("S", allowed), names("T", required), names("T", more)) for _, kind, _, allowed, required, more in rows]
    return {s.kind: s for s in whole(found, text, "STATEMENT")}


def terms():
    """{name: type} of statement_term.def."""
    text = source("lib", "record", "statement_term.def")
    return dict(whole(re.findall(r'^TERM\(\w+,\s*"([\w-]+)",\s*(\w+),', text, re.M), text, "TERM"))


def messages():
    """{name: (roles that may send it, roles that may be told it)} of wire.def."""
    bit = {"WIRE_ROLE_FRONT": 1, "WIRE_ROLE_GATE": 2, "WIRE_ROLE_KEEPER": 4, "WIRE_ROLE_STEWARD": 8, "WIRE_ROLE_ACCESS": 16, "WIRE_ROLE_ANY": 31}
    text = source("lib", "wire", "wire.def")
    roles = lambda s: sum(bit[x.strip()] for x in s.split("|"))
    found = re.findall(r"^MSG\((\w+), \w+, 0x\w+, ([^,]+), ([^,]+),", text, re.M)
    return {name: Message(roles(senders), roles(receiver)) for name, senders, receiver in whole(found, text, "MSG")}


def commands():
    """What `tillit` knows as its first word: its table, and the first words of statements with terms."""
    table = re.search(r"commands\[\] = \{(.*?)\};", source("tools", "tillit.c"), re.S).group(1)
    return sorted(set(re.findall(r'\{"([\w-]+)", cmd_', table)) | {kind.split(".")[0] for kind in statements() if kind not in OLD_KINDS})


def programs():
    """Executables of the product."""
    found = []
    for room in os.listdir(os.path.join(ROOT, "src")):
        path = os.path.join(ROOT, "src", room, "meson.build")
        if os.path.exists(path):
            with open(path) as f:
                found += re.findall(r"= executable\('(tillit[\w-]*)'", f.read())
    return sorted(found)


def roles():
    """Roles of the provider's people (policy_access.h)."""
    with open(os.path.join(ROOT, "src", "lib", "policy", "policy_access.h")) as f:
        return re.findall(r"X\((\w+)\)", re.search(r"#define POLICY_ROLES\(X\) (.*)", f.read()).group(1))


def missing(rows, cases):
    """Rows without a case, and cases of rows that are gone."""
    return sorted(set(rows) ^ set(cases))


def requests(bucket, key, upload, version="null"):
    """(name, method, target, headers, body) for each row of s3_op.def; bucket with its slash."""
    for o in operations():
        query, headers = [], []
        for part in o.sub.split("&") if o.sub else []:
            if part.startswith("h:"):
                headers.append([part[2:], f"{bucket}/{key}"])
            else:
                query.append({"uploadId": f"uploadId={upload}", "versionId": f"versionId={version}", "partNumber": "partNumber=1", "list-type": "list-type=2"}.get(part, part))
        if o.name in ("UploadPart", "UploadPartCopy"):
            query.append("partNumber=1")
        if o.method == "OPTIONS":
            headers += [["Origin", "https://staff.example"], ["Access-Control-Request-Method", "GET"]]
        path = {"SERVICE": "/", "BUCKET": bucket, "OBJECT": f"{bucket}/{key}"}[o.level]
        body = b""
        if o.method in ("PUT", "POST"):
            body = BODIES.get(query[0].split("=")[0] if query else "", b"written by staff")
            body = body % key.encode() if b"%s" in body else body
        if o.name == "IamOrSts":
            body, headers = b"Action=ListUsers&Version=2010-05-08", [["Content-Type", "application/x-www-form-urlencoded"]]
        if o.name in ("CopyObject", "UploadPartCopy"):
            body = b""
        yield o.name, o.method, path + ("?" + "&".join(query) if query else ""), headers, body
