# SPDX-License-Identifier: Apache-2.0
"""Tools that nobody wrote with Tillit in mind: curl, rclone, s3cmd, restic. What they need beyond this version (multipart, copy) is left out
by staying below their thresholds."""
import filecmp
import os
import subprocess

from lib.case import limit, program

SIZES = [0, 1, 2048, 65536, 65537, 1 << 20, (4 << 20) + 1]


def run(s, *command, ok=0, **env):
    key, secret = s.credentials
    # What the machine has set for other stores (a bundle of authorities, a profile) is not for this one.
    mine = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    r = subprocess.run(command, capture_output=True, text=True, timeout=600,
                       env={**mine, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "HOME": s.case.dir, **env})
    assert r.returncode == ok, f"{' '.join(command[:6])} ...: exit {r.returncode}\n{r.stdout[-2000:]}{r.stderr[-3000:]}"
    return r.stdout


def tree(case):
    """A directory with files of all sizes and odd names."""
    top = case.path("tree")
    os.makedirs(os.path.join(top, "sub dir", "å"))
    for i, size in enumerate(SIZES):
        for name in (f"{size}", f"sub dir/{size}+%25.bin", f"sub dir/å/{size} ö"):
            with open(os.path.join(top, name), "wb") as f:
                f.write(os.urandom(size))
    return top


def recorded(s, bucket, *acts):
    """Each of these operations of the tool stands on the record, allowed, with the owner's key."""
    seen = {r["act"] for r in s.log_records() + s.log_records("control") if (r.get("bucket") or r.get("name")) == bucket and r.get("dec") == "allow"
            and s.info["access_key_id"] in r["who"]}
    assert set(acts) <= seen, (bucket, seen)


def same(a, b):
    """Names of what differs between two trees."""
    wrong = []
    for top, _, names in os.walk(a):
        for n in names:
            path = os.path.join(top, n)
            other = os.path.join(b, os.path.relpath(path, a))
            if not os.path.exists(other) or not filecmp.cmp(path, other, shallow=False):
                wrong.append(other)
    return wrong


@limit(180)
def test_curl_signs_by_itself(case):
    """curl --aws-sigv4: put, get, range, head, list, delete."""
    s = case.store()
    key, secret = s.credentials
    for url, more in ((s.endpoints["s3"], []), (s.endpoints["s3_tls"], ["--cacert", s.info["ca_cert"]])):
        def curl(*args, target=""):
            return run(s, program("curl"), "-sS", "--noproxy", "*", *more, "--user", f"{key}:{secret}", "--aws-sigv4", f"aws:amz:{s.info['region']}:s3",
                       "-w", "\n%{http_code}", *args, url + target).rsplit("\n", 1)
        bucket = "/curl-tls" if more else "/curl-http"
        data = case.path("data", os.urandom(100) + b"curl's own")
        # curl 7.88 signs the body it is given; x-amz-content-sha256 is the caller's to add.
        assert curl("-X", "PUT", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", target=bucket)[1] == "200"
        assert curl("-T", data, "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", target=bucket + "/k")[1] == "200"
        assert curl("-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-H", "Range: bytes=100-", target=bucket + "/k") == ["curl's own", "206"]
        assert "<Key>k</Key>" in curl("-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", target=bucket)[0]
        assert curl("-X", "DELETE", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", target=bucket + "/k")[1] == "204"
        recorded(s, bucket[1:], "CreateBucket", "PutObject", "GetObject", "ListObjects", "DeleteObject")


@limit(180)
def test_rclone_copies_checks_and_purges(case):
    """rclone: copy a tree there and back, check it, list, delete, purge; http and https."""
    s, top = case.store(), tree(case)
    rclone, (key, secret) = program("rclone"), s.credentials
    for tls in (False, True):
        env = {"RCLONE_CONFIG_T_TYPE": "s3", "RCLONE_CONFIG_T_PROVIDER": "Other", "RCLONE_CONFIG_T_ENDPOINT": s.endpoints["s3_tls" if tls else "s3"],
               "RCLONE_CONFIG_T_ACCESS_KEY_ID": key, "RCLONE_CONFIG_T_SECRET_ACCESS_KEY": secret, "RCLONE_CONFIG_T_REGION": s.info["region"],
               "RCLONE_CONFIG": "/dev/null", "RCLONE_CA_CERT": s.info["ca_cert"], "NO_PROXY": "*"}
        to, back = "t:rclone-tls/x" if tls else "t:rclone-http/x", case.path("back-tls" if tls else "back-http")
        run(s, rclone, "mkdir", to.split("/")[0], **env)
        run(s, rclone, "copy", "--retries", "1", top, to, **env)
        run(s, rclone, "check", "--retries", "1", top, to, **env)
        run(s, rclone, "copy", "--retries", "1", to, back, **env)
        assert not same(top, back) and not same(back, top)
        listed = run(s, rclone, "lsf", "-R", "--files-only", to, **env).split("\n")
        assert len([x for x in listed if x]) == 3 * len(SIZES), listed
        run(s, rclone, "deletefile", to + "/1", **env)
        run(s, rclone, "purge", to.split("/")[0], **env)
        recorded(s, to[2:].split("/")[0], "CreateBucket", "PutObject", "HeadObject", "GetObject", "DeleteObject", "DeleteBucket")


@limit(180)
def test_s3cmd_puts_gets_and_deletes(case):
    """s3cmd: mb, put, ls, get, del, rb; it compares MD5 and ETag itself; http and https."""
    s, top = case.store(), tree(case)
    for tls in (False, True):
        host = s.endpoints["s3_tls" if tls else "s3"].split("//")[1]
        conf = case.path("s3cfg", (f"[default]\naccess_key = {s.credentials[0]}\nsecret_key = {s.credentials[1]}\nhost_base = {host}\nhost_bucket = {host}\n"
                                   f"use_https = {tls}\nca_certs_file = {s.info['ca_cert']}\nbucket_location = {s.info['region']}\n").encode())

        def s3cmd(*args):
            return run(s, program("s3cmd"), "-c", conf, "--no-progress", *args)
        bucket = "s3://s3cmd-tls" if tls else "s3://s3cmd-http"
        s3cmd("mb", bucket)
        s3cmd("put", "--recursive", top + "/", bucket + "/t/")
        assert len(s3cmd("ls", "--recursive", bucket).strip().splitlines()) == 3 * len(SIZES)
        back = case.path("s3cmd-tls" if tls else "s3cmd-http")
        os.makedirs(back)
        s3cmd("get", "--recursive", bucket + "/t/", back)
        assert not same(top, back)
        s3cmd("info", bucket + "/t/1")
        s3cmd("del", "--recursive", "--force", bucket)
        s3cmd("rb", bucket)
        recorded(s, bucket[5:], "CreateBucket", "PutObject", "GetObject", "ListObjects", "DeleteObjects", "DeleteBucket")


@limit(180)
def test_restic_backs_up_and_restores(case):
    """restic over http (its bodies in signed chunks) and https: init, backup, check --read-data, restore, forget --prune."""
    s, top = case.store(), tree(case)
    ca = ["--cacert", s.info["ca_cert"]]
    for scheme, url, more in (("http", s.endpoints["s3"], []), ("https", s.endpoints["s3_tls"], ca)):
        restic_journey(s, case, top, f"restic-{scheme}", url, more)
    written = [r["body"] for r in s.log_records() if r.get("w") and r["act"] == "PutObject" and r["bucket"] == "restic-http"]
    assert written and set(written) == {"chunk"}, written


def restic_journey(s, case, top, bucket, url, ca):
    restic = program("restic")
    env = {"RESTIC_PASSWORD": "correct horse", "RESTIC_REPOSITORY": f"s3:{url}/{bucket}", "RESTIC_CACHE_DIR": case.path(f"cache-{bucket}"),
           "AWS_DEFAULT_REGION": s.info["region"]}
    # Packs above 16 MiB are sent in parts; restic 0.14 makes packs of 16 MiB at most unless told otherwise, and ours here are smaller.
    run(s, restic, *ca, "init", **env)
    run(s, restic, *ca, "backup", top, **env)
    run(s, restic, *ca, "check", "--read-data", **env)
    back = case.path(f"restored-{bucket}")
    run(s, restic, *ca, "restore", "latest", "--target", back, **env)
    assert not same(top, back + top)
    run(s, restic, *ca, "forget", "--keep-last", "1", "--prune", **env)
    recorded(s, bucket, "CreateBucket", "PutObject", "HeadObject", "GetObject", "DeleteObject")
