# SPDX-License-Identifier: Apache-2.0
"""Statements as a person makes them: a text editor's JSON, `ssh-keygen -Y sign`, a POST. Nothing of ours signs here (docs/spec/statement.md)."""
import base64
import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request


def text(kind, tenant=None, subject=None, scope=None, t=None, **more):
    s = {"v": 1, "kind": kind, "t": int(time.time() * 1000) if t is None else t,
         "nonce": base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode(), **more}
    for name, value in (("tenant", tenant), ("subject", subject), ("scope", scope)):
        if value is not None:
            s[name] = value
    return json.dumps(s, sort_keys=True, separators=(",", ":"))


def sign(key_file, statement, namespace="tillit-statement@v1"):
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "statement")
        with open(path, "w") as f:
            f.write(statement)
        subprocess.run(["ssh-keygen", "-Y", "sign", "-f", key_file, "-n", namespace, path], check=True, capture_output=True)
        with open(path + ".sig") as f:
            return f.read()


def post(api, statement, signature):
    """(HTTP status, answer). signature: armored SSHSIG, or a passkey's assertion (a dict)."""
    body = json.dumps({"statement": statement, "assertion" if isinstance(signature, dict) else "signature": signature}).encode()
    request = urllib.request.Request(api + "/v1/statements", body, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as r:
            return r.status, json.loads(r.read())
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read() or b"{}")


def say(store, kind, subject=None, scope=None, key_file=None, tenant=None):
    """An owner's statement at a served store (the demonstration's key unless another is given); gives the answer or fails."""
    s = text(kind, tenant=tenant or store.info["tenant"], subject=subject, scope=scope)
    status, answer = post(store.endpoints["api"], s, sign(key_file or os.path.join(store.dir, "demo", "owner"), s))
    assert status == 200, (status, answer)
    return answer
