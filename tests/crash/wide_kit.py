# SPDX-License-Identifier: Apache-2.0
"""What the wide load and its judge read answers with."""
import base64
import hashlib
import re
import urllib.parse


def md5_header(body):
    return ["Content-MD5", base64.b64encode(hashlib.md5(body).digest()).decode()]


def elements(body, name):
    return [urllib.parse.unquote(x) for x in re.findall(rf"<{name}>([^<]*)</{name}>", body.decode())]


def unquoted(etag):
    return (etag or "").replace("&quot;", "").strip('"')


def versions_of(body):
    """[(key, version id, etag or None, latest)] in the order of a ListObjectVersions asked with encoding-type=url."""
    found = []
    for kind, inner in re.findall(r"<(Version|DeleteMarker)>(.*?)</\1>", body.decode(), re.S):
        one = inner.encode()
        found.append((elements(one, "Key")[0], elements(one, "VersionId")[0], unquoted(elements(one, "ETag")[0]) if kind == "Version" else None,
                      elements(one, "IsLatest")[0] == "true"))
    return found
