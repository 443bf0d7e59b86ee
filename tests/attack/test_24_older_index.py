# SPDX-License-Identifier: Apache-2.0
"""Attack 24: the index is put back as it was an hour ago."""
import json
import os
import re
import shutil
import time

from lib.attack import another_tenant, attack, held, leaves, records, store
from lib.evilfront import Web


def doctor(s):
    return json.loads(s.tillit("doctor", s.dir, "--json", ok=(0, 1)))


@attack("24", ("watermark-unchecked", "served from an older index"))
def test_an_older_index_is_not_served(case):
    s = store(case)
    globex = another_tenant(s)
    acme, quiet = Web(s), Web(s, info=globex)
    for web, bucket in ((acme, "/acmes"), (quiet, "/globexs")):
        web.ok("PUT", bucket)
        web.ok("PUT", bucket + "/k", body=b"old")
    s.stop()
    index, copy = os.path.join(s.dir, "keeper", "index"), case.path("index-of-an-hour-ago")
    copy_tree(index, copy)
    s.start()
    for i in range(5):
        acme.ok("PUT", "/acmes/k", body=b"new%d" % i)
    acme.ok("PUT", "/acmes/later", body=b"later")
    written = [r for r in records(s) if r.get("w")]
    s.stop()
    shutil.rmtree(index)
    copy_tree(copy, index)
    s.start()

    r = acme.request("GET", "/acmes/k")
    held(r.status == 503 and b"old" not in r.body, "served from an older index", f"GET: {r.status} {r.body[:60]!r}")
    for method, path in [("GET", "/acmes/later"), ("PUT", "/acmes/k"), ("GET", "/acmes"), ("DELETE", "/acmes/k"), ("HEAD", "/acmes/k")]:
        status = acme.request(method, path).status
        held(status == 503, "served from an older index", f"{method} {path}: {status}")
    # Who wrote nothing meanwhile is served, reads and writes.
    assert quiet.request("GET", "/globexs/k").body == b"old"
    quiet.ok("PUT", "/globexs/k", body=b"goes on")
    end = time.monotonic() + 5                                 # the gate says how it is once a second
    while True:
        said = [x for x in doctor(s) if "NOT served" in x["what"]]
        if time.monotonic() > end or (len(said) == 1 and "put back" in said[0]["remedy"]):
            break
        time.sleep(0.2)
    assert len(said) == 1 and s.info["tenant"] in said[0]["what"], said
    numbers = [int(n) for n in re.findall(r"\d+", said[0]["remedy"])]
    assert len(numbers) >= 2 and written[0]["index"] < numbers[0] < numbers[1] <= written[-1]["index"] + 1, (said, written[0]["index"], written[-1]["index"])
    # With the right copy back everything is as it was: nothing was voided, and the log's order goes on.
    assert not [x for x in leaves(s, "access") if x["kind"] == "void"]


def copy_tree(a, b):
    """With owners and modes, as a restored backup has them."""
    shutil.copytree(a, b, symlinks=True)
    for directory, names, files in os.walk(a):
        for n in [""] + names + files:
            path = os.path.join(directory, n)
            to = os.path.join(b, os.path.relpath(path, a))
            st = os.stat(path)
            os.chown(to, st.st_uid, st.st_gid)
            os.chmod(to, st.st_mode & 0o7777)

