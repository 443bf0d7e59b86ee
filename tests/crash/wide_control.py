# SPDX-License-Identifier: Apache-2.0
"""The wide load's requests for the control log: versioning, policies, users and their access keys."""
import time

from crash import worlds as w
from crash.wide_kit import elements, md5_header
from lib.raw import encode

TOGGLE_SECONDS_MIN = 10                                 # after a change of versioning without an answer: it may still come
FORM = [["Content-Type", "application/x-www-form-urlencoded"]]


class User:
    def __init__(self, name):
        self.name, self.worlds, self.secrets, self.broken, self.begun = name, w.Worlds((False, ())), {}, False, False


class Control:
    """Of WideClient."""

    @staticmethod
    def versioning(mode):
        return f"<VersioningConfiguration><Status>{mode}</Status></VersioningConfiguration>".encode()

    def toggle(self):
        if time.monotonic() < self.toggled or self.mode == w.OFF or self.shared:
            return
        mode = w.SUSPENDED if self.mode == w.ENABLED else w.ENABLED
        for k in self.keys_by_name.values():
            if not k.broken:
                k.worlds.settle(self.mode)
        before = self.unsure
        body = self.versioning(mode)
        if self.until_sure(lambda: self.tell("PutBucketVersioning", "PUT", f"/{self.bucket}?versioning", (), body)) is not None:
            self.mode = mode
        if self.unsure != before:
            self.toggled = time.monotonic() + TOGGLE_SECONDS_MIN
        a = self.tell("GetBucketVersioning", "GET", f"/{self.bucket}?versioning")
        if a is not None and a.element("Status") != self.mode:
            raise w.Unlike(f"versioning is {a.element('Status')}, {self.mode} was acknowledged")

    def set_policy(self):
        n = self.next()
        if self.random.random() < 0.3:
            value, a = None, self.tell("DeleteBucketPolicy", "DELETE", f"/{self.bucket}?policy")
        else:
            value = (f'{{"Version":"2012-10-17","Statement":[{{"Sid":"s{n}","Effect":"Deny","Principal":"*","Action":"s3:GetObject",'
                     f'"Resource":"arn:aws:s3:::{self.bucket}/never/*"}}]}}')
            a = self.tell("PutBucketPolicy", "PUT", f"/{self.bucket}?policy", [md5_header(value.encode())], value.encode())
        if a is None:
            self.policy.unsure(f"policy {value}", n, w.is_now(value))
        else:
            self.policy.told(f"policy {value}", w.is_now(value))
        self.get_policy()

    def get_policy(self):
        a = self.tell("GetBucketPolicy", "GET", f"/{self.bucket}?policy", also=(404,))
        if a is not None:
            shown = a.body.decode() if a.status == 200 else None
            self.policy.told(f"policy -> {shown}", w.reads(shown))

    def other_bucket(self):
        """A bucket that comes and goes."""
        name, n = f"wide-{self.number}-{self.random.randint(0, 2)}", self.next()
        b = self.buckets.setdefault(name, w.Worlds(False))
        act, method = self.random.choice([("CreateBucket", "PUT"), ("CreateBucket", "PUT"), ("DeleteBucket", "DELETE"), ("HeadBucket", "HEAD")])
        if b.crowded:
            return
        a = self.tell(act, method, f"/{name}", also=(404, 409))
        if act == "HeadBucket":
            if a is not None:
                b.told(f"head of {name} -> {a.status}", w.reads(a.status == 200))
            return
        make = act == "CreateBucket"
        if a is None:
            b.unsure(f"{act} {name}", n, w.is_now(make))
        elif a.status in (200, 204):
            b.told(f"{act} {name}", lambda state, mode: [make] if state != make else [])
        else:
            b.told(f"{act} {name} -> {a.status}", w.reads(make))

    def new_user(self):
        self.users.append(User(f"u{self.number}-{self.next()}"))

    def call(self, act, also=(), **named):
        body = "&".join([f"Action={act}", "Version=2010-05-08", *[f"{k}={encode(v)}" for k, v in named.items()]]).encode()
        return self.tell(act, "POST", "/", FORM, body, also=also, service="iam")

    def iam(self):
        self.about = user = self.users[-1]
        n, key = self.next(), self.random.choice(list(user.secrets)) if user.secrets else None
        act = self.random.choice(["CreateUser", "CreateAccessKey", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "DeleteUser", "use", "list"] if user.begun else ["CreateUser"])
        user.begun = True
        if user.worlds.crowded or len(user.secrets) > 5:
            self.new_user()
        elif act == "list":
            self.list_keys(user)
        elif act == "use" and key:
            self.use(user, key)
        elif act in ("CreateUser", "DeleteUser", "CreateAccessKey"):
            a = self.call(act, (404, 409), UserName=user.name)
            new = a.element("AccessKeyId") if a is not None and act == "CreateAccessKey" and a.status == 200 else n
            if new != n:
                user.secrets[new] = a.element("SecretAccessKey")
            self.iam_answered(user, n, act, w.user_act(act, new), a)
        elif key and act != "use":
            on = self.random.random() < 0.5
            more = {"Status": "Active" if on else "Inactive"} if act == "UpdateAccessKey" else {}
            self.iam_answered(user, n, f"{act} {key} {more}", w.user_act(act, key, on), self.call(act, (404,), UserName=user.name, AccessKeyId=key, **more))

    def iam_answered(self, user, n, what, apply, a):
        """apply(state, mode) gives the state after; none when it is refused."""
        if a is None:
            user.worlds.unsure(what, n, apply)
        elif a.status == 200:
            user.worlds.told(what, apply)
        else:
            user.worlds.told(f"{what} -> {a.status}", lambda state, mode: [] if apply(state, mode) else [state])

    def list_keys(self, user):
        a = self.call("ListAccessKeys", (404,), UserName=user.name)
        if a is not None:
            shown = tuple(sorted(zip(elements(a.body, "AccessKeyId"), (x == "Active" for x in elements(a.body, "Status"))))) if a.status == 200 else None
            user.worlds.told(f"keys -> {shown}", w.shows_keys(shown))

    def use(self, user, key):
        body = b"Action=GetCallerIdentity&Version=2011-06-15"
        a = self.ask("POST", "/", FORM, body, service="sts", key=key, secret=user.secrets[key])
        if a is not None and a.status == 200:
            a = self.noted(a, "GetCallerIdentity")
            user.worlds.told(f"{key} works", w.key_is(key, True))
        elif a is not None and a.status == 403:
            user.worlds.told(f"{key} does not work", w.key_is(key, False))
