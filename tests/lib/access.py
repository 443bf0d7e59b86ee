# SPDX-License-Identifier: Apache-2.0
"""A store with a customer's data, the provider's people and the customer's approvers, and what both logs say of each step.

    w = Access(case, objects={"reports/q1": b"..."})
    with w.adds(control=["access.request allow"], access=[], provider=[]):      # exactly these leaves, in this order
        w.people.request(...)
"""
import contextlib
import datetime
import os
import stat
import subprocess
import time

from lib import clock, people, tlog
from lib.people import MIB, People
from lib.raw import Caller

PURPOSE = "support-ticket"
FORM = {"reports/q1": b"first quarter", "reports/q2": b"q" * (6 * MIB), "reports/old/q0": b"long ago", "letters/l1": b"not theirs"}


def short(leaf):
    """A leaf in one line: `access.approve deny own-request`, `person.set mirrored`, `GetObject allow 13`, `Expire`."""
    kind, act = leaf["kind"], leaf.get("act", "")
    if kind == "stmt" and "ref" in leaf:
        return f"{act} mirrored"
    if kind not in ("stmt", "acc"):
        return act or kind
    words = [act, leaf["dec"], leaf.get("why"), "goes on" if kind == "acc" and "ref" in leaf else None]
    if kind == "acc" and leaf.get("auth") == "sts" and "bytes" in leaf:
        words.append(str(leaf["bytes"]))
    return " ".join(x for x in words if x)


class Access:
    """The cast: ines asks, mats is a manager, anna approves for the customer; bucket `docs`."""

    def __init__(self, case, objects=None, approver=True, at=None, **store):
        self.serve(case, at or case.store(**store))
        self.put("docs", FORM if objects is None else objects)
        self.people.purpose(PURPOSE)
        self.ines, self.mats = self.people.person("ines"), self.people.person("mats", roles=["manager"])
        self.anna = self.people.approver("anna") if approver else None

    def serve(self, case, store):
        self.case, self.store, self.owner, self.people, self.ahead = case, store, Caller(store), People(store), 0

    def put(self, bucket, objects):
        assert self.owner.call("PUT", "/" + bucket).status == 200
        for key, data in objects.items():
            assert self.owner.call("PUT", f"/{bucket}/{key}", body=data).status == 200

    # -- the logs --------------------------------------------------------------------------------------------------------

    def records(self, log):
        key, secret = self.store.credentials
        return self.store.log_records(log, env=self.clocked({**os.environ, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}))

    def clocked(self, env):
        """The environment of a program that has the store's time."""
        return {**env, "LD_PRELOAD": self.case.path("clock.so"), "CLOCK_OFF_S": str(self.ahead)} if self.ahead else env

    def leaves(self, log="control", since=0):
        """Opened leaves from `since` on, without those that reading them makes."""
        return [r for r in self.records(log) if r["index"] >= since and r.get("act") != "ReadOpenings"]

    def provider_leaves(self):
        """As anybody sees them: nobody is given their openings over the network."""
        return [x for x in tlog.leaves(self.store.endpoints["logs"]["provider"]["url"]) if x["kind"] not in ("sum", "start")]

    def sizes(self):
        return {log: len(self.records(log)) for log in ("control", "access")}

    @contextlib.contextmanager
    def adds(self, control=(), access=(), provider=None, within=2.0):
        """What is done inside leaves exactly these leaves; None: that log is not looked at (the provider's is published a little later than said).
        Mirrors of the provider's statements are looked at where one is expected."""
        before, out, begin = self.sizes(), {}, people.now_ms() + self.ahead * 1000
        yield out
        end = time.monotonic() + within
        while True:
            got = {"control": self.leaves("control", before["control"]), "access": self.leaves("access", before["access"]),
                   "provider": [x for x in self.provider_leaves() if x["t"] >= begin] if provider is not None else []}
            said = {log: [short(x) for x in leaves if x.get("act") not in (None, "ReadOpenings")] for log, leaves in got.items()}
            want = {"control": control, "access": access, "provider": provider}
            if control is not None and not any("mirrored" in x for x in control):
                said["control"] = [x for x in said["control"] if "mirrored" not in x]
            if all(w is None or list(w) == said[log] for log, w in want.items()):
                break
            assert time.monotonic() < end, f"the logs say {said}, not {want}"
            time.sleep(0.05)
        out.update(got)

    def last(self, **want):
        """The newest leaf of the control log; its fields must be these."""
        leaf = self.leaves()[-1]
        assert all(leaf.get(k) == v for k, v in want.items()), (want, leaf)
        return leaf

    # -- the command line ------------------------------------------------------------------------------------------------

    def tillit(self, *args, key=None, ok=(0,), **kw):
        """The tool as a person has it: nothing of the store's owner in its environment. Gives the finished process."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("TILLIT_", "AWS_"))}
        env.update(TILLIT_ENDPOINT=self.people.api, TILLIT_TENANT=self.people.tenant)
        if key is not None:
            args = [*args, "--key", key.path]
            env.update({k: v for k, v in key.env().items() if k == "SSH_SK_PROVIDER"})
        r = subprocess.run([os.path.join(self.store.build, "tillit"), *args], capture_output=True, text=True, timeout=60, env=self.clocked(env), stdin=subprocess.DEVNULL, **kw)
        assert r.returncode in ok, f"tillit {' '.join(args)}: exit {r.returncode}\n{r.stdout}\n{r.stderr}"
        return r

    # -- stock clients ---------------------------------------------------------------------------------------------------

    def profile(self, request, key, country="SE"):
        """Environment in which stock clients are the engineer: an AWS configuration with `tillit access login` as credential_process."""
        home = self.case.path("home-" + request.grant[:8] + "-" + country)
        os.makedirs(home, exist_ok=True)
        login = os.path.join(home, "login")
        with open(login, "w") as f:
            f.write(f"#!/bin/sh\nSSH_SK_PROVIDER={people.sk_provider()} exec {self.store.build}/tillit access login --grant {request.grant} --country {country} "
                    f"--tenant {self.people.tenant} --endpoint {self.people.api} --key {key.path}\n")
        os.chmod(login, stat.S_IRWXU)
        config = os.path.join(home, "config")
        with open(config, "w") as f:
            f.write(f"[profile customer]\nregion = {self.store.info['region']}\nendpoint_url = {self.store.s3_access}\ncredential_process = {login}\n"
                    "s3 =\n  addressing_style = path\n")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TILLIT_"))}
        env.update(HOME=home, AWS_CONFIG_FILE=config, AWS_SHARED_CREDENTIALS_FILE=os.path.join(home, "none"), AWS_PROFILE="customer",
                   AWS_EC2_METADATA_DISABLED="true", AWS_MAX_ATTEMPTS="1",
                   RCLONE_CONFIG=os.path.join(home, "rclone.conf"), RCLONE_CONFIG_T_TYPE="s3", RCLONE_CONFIG_T_PROVIDER="Other", RCLONE_CONFIG_T_ENV_AUTH="true",
                   RCLONE_CONFIG_T_ENDPOINT=self.store.s3_access, RCLONE_CONFIG_T_REGION=self.store.info["region"], RCLONE_LOW_LEVEL_RETRIES="1", RCLONE_RETRIES="1")
        return env

    def session(self, credentials):
        """A Caller with temporary credentials at the access front; get(...) and so on send the token with each request."""
        return Session(self.store, credentials, ahead=self.ahead)

    def later(self, seconds):
        """The store again, with its clock ahead by seconds of the true one, and everybody's with it."""
        self.store.stop()
        self.ahead = self.people.ahead = seconds
        clock.start_off_by(self.store, seconds)

    def settled(self):
        """A signature counts as seen when it is as old as the gate's start, and it tells whole seconds."""
        time.sleep(1.01)


class Session(Caller):
    def __init__(self, store, credentials, url=None, ahead=0):
        super().__init__(store, credentials["AccessKeyId"], credentials["SecretAccessKey"], url=url or store.s3_access)
        self.token, self.ahead = ["x-amz-security-token", credentials["SessionToken"]], ahead

    def call(self, method, target, headers=(), body=b"", **kw):
        if self.ahead:
            kw["when"] = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.ahead)
        return super().call(method, target, [*headers, self.token], body, **kw)


def client(env, *args, ok=True):
    """A stock client; gives the finished process."""
    r = subprocess.run(args, env=env, capture_output=True, text=True, timeout=120)
    assert (r.returncode == 0) == ok, f"{' '.join(args)}: exit {r.returncode}\n{r.stdout}\n{r.stderr}"
    return r
