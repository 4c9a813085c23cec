#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worked session of docs/protocol.md, from a run: prints it, for the page; check() holds the page to its own bytes.

    session.py SOURCE        with KONTOR_SERVER, as the tests have it
"""

import hashlib
import json
import os
import pathlib
import re
import socket
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "system"))
from client import Page, digest_text, record_sum  # noqa: E402

TITLE = "A session, byte for byte"
ACME = "019c0000-0000-7000-8000-000000000001"
BOLT = "019c0000-0000-7000-8000-000000000002"
PHOTO = b"not really a photo\n"


class Wire:
    """Requests as bytes, one connection each; what a reader needs of them goes onto the page."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.token = None
        self.out = []

    def say(self, text):
        self.out.append(text + "\n")

    def send(self, method, path, body=None, show=("content-type", "etag", "content-range"), headers=(), hide=False):
        """Sends, writes down, and gives the answer's body."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1:8400"]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        lines += headers
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        request = ("\r\n".join(lines + ["Connection: close", "", ""])).encode() + (body or b"")
        with socket.create_connection(self.address, timeout=30) as line:
            line.sendall(request)
            answer = b""
            while data := line.recv(65536):
                answer += data
        head, _, data = answer.partition(b"\r\n\r\n")
        status, *rest = head.decode().split("\r\n")
        shown = [line for line in rest if line.split(":")[0].lower() in show]
        text = ["> " + line for line in lines if not line.startswith("Host")]
        if body is not None:
            text += ["> "] + ["> " + line for line in body.decode().splitlines()]
        text += ["< " + line for line in [status] + shown]
        if hide:
            text += ["< ", f"< ({len(data)} bytes)"]
        elif data:
            text += ["< "] + ["< " + line for line in data.decode().splitlines()]
        self.out.append("\n".join("    " + line.rstrip() for line in text) + "\n")
        return data

    def live(self):
        """The handshake and the first frame."""
        lines = ["GET /v1/live HTTP/1.1", "Host: 127.0.0.1:8400", f"Authorization: Bearer {self.token}", "Upgrade: websocket",
                 "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        with socket.create_connection(self.address, timeout=30) as line:
            line.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            answer = b""
            while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < 2:
                answer += line.recv(1)
            head, _, frame = answer.partition(b"\r\n\r\n")
            while len(frame) < 2 + frame[1]:
                frame += line.recv(1)
        shown = [x for x in head.decode().split("\r\n") if x.lower().startswith(("http", "upgrade", "connection", "sec-"))]
        text = ["> " + x for x in lines if not x.startswith("Host")] + ["< " + x for x in shown] + ["< ", "< " + frame.hex(" ")]
        self.out.append("\n".join("    " + x.rstrip() for x in text) + "\n")

    def json(self, *words, **more):
        return json.loads(self.send(*words, **more))


def mutation(number, ops, **more):
    return {"id": f"019c0000-0000-7000-8000-0000000000a{number}", "number": number, "at": f"2026-01-31T08:0{number}:00.000Z",
            "origin": "client", **more, "ops": ops}


def tell(url, password):
    """The whole session on a fresh workspace; the text of the section."""
    wire = Wire(url)
    wire.say("`>` is what the client sends, `<` what the server answers; heads are cut to what matters (every request has a `Host`). A fresh workspace, one user.")
    wire.say("**Meeting.**")
    wire.send("GET", "/v1/hello")
    login = wire.json("POST", "/v1/login", {"user": "ben", "password": password, "device": {"name": "Ben's laptop"}})
    wire.token, device, epoch = login["token"], login["device"], login["epoch"]
    wire.say("The schema is fetched once; its ETag is what login, pages and verdicts call `schema`.")
    wire.send("GET", "/v1/schema", hide=True)
    wire.say("An administrator may do everything:")
    wire.send("GET", "/v1/access")
    wire.say("**The first pull**, here in pages of at most three rows. The cursor of a page asks for the next one. (In practice: 5,000 rows, and a page or two.)")
    page = Page(wire.send("GET", "/v1/pull?limit=3&epoch=" + epoch))
    quiet = Wire(url)
    quiet.token = wire.token
    while page.end["more"]:
        page = Page(quiet.send("GET", "/v1/pull?cursor=" + page.end["cursor"]))
    cursor = page.end["cursor"]
    wire.say(f"… and so on, until a page says `\"more\":false`. The device stands at commit {page.end['seq']}.")
    wire.say("**An edit goes out.**")

    def push(*mutations, device=device):
        return wire.json("POST", "/v1/push", {"device": device, "epoch": epoch, "mutations": list(mutations)})

    first = mutation(1, [{"op": "create", "object": "account", "id": ACME, "fields": {"name": [None, "Acme"], "phone": [None, "+49 40 1"]}}])
    push(first)
    wire.say("The answer was lost? The same bytes again, and the same verdict:")
    push(first)
    wire.say("A number left out is an error, and nothing is done:")
    push(mutation(3, [{"op": "delete", "object": "account", "id": ACME, "base_rev": 0}]))
    wire.say("The pull brings it back with everything that the server added (`settled`: number 1 is in these rows):")
    page = Page(wire.send("GET", "/v1/pull?cursor=" + cursor))
    cursor = page.end["cursor"]
    rev = page.rows[0][2]
    wire.say("**A conflict.** Ben's other device, meanwhile:")
    other = wire.json("POST", "/v1/device", {"name": "Ben's telephone"})
    laptop, wire.token = wire.token, other["token"]
    push(dict(mutation(1, [{"op": "update", "object": "account", "id": ACME, "base_rev": rev, "fields": {"phone": ["+49 40 1", "+49 40 22"]}}]),
              id="019c0000-0000-7000-8000-0000000000b1"), device=other["device"])
    wire.say("The laptop, which has not seen that, changes the same field and another:")
    wire.token = laptop
    push(mutation(2, [{"op": "update", "object": "account", "id": ACME, "base_rev": rev,
                       "fields": {"phone": ["+49 40 1", "+49 40 333"], "website": [None, "https://acme.example"]}}]))
    wire.say("The website is in, the telephone waits for Ben: what stands is in the row, and all sides are in the `sync_conflict`.")
    page = Page(wire.send("GET", "/v1/pull?cursor=" + cursor))
    cursor = page.end["cursor"]
    (item,) = [row for row in page.rows if row[0] == "sync_conflict"]
    revs = {row[1]: row[2] for row in page.rows}
    wire.say("He takes his own number. The decision and the edit are one mutation:")
    push(mutation(3, [{"op": "update", "object": "account", "id": ACME, "base_rev": revs[ACME], "fields": {"phone": ["+49 40 22", "+49 40 333"]}}],
                  resolves=item[1], resolution="kept_mine"))
    page = Page(wire.send("GET", "/v1/pull?cursor=" + cursor))
    wire.say("No news, asked and answered as shortly as can be:")
    wire.send("GET", "/v1/pull?cursor=" + page.end["cursor"] + "&schema=" + login["schema"][:8])
    wire.say("**One is refused**, the next is not concerned:")
    push(mutation(4, [{"op": "create", "object": "contact", "id": BOLT, "fields": {"last_name": [None, "Li"], "account": [None, BOLT]}}]),
         mutation(5, [{"op": "create", "object": "competitor", "id": BOLT, "fields": {"name": [None, "Bolt"]}}]))
    page = Page(wire.send("GET", "/v1/pull?cursor=" + page.end["cursor"]))
    wire.say("**Proving.** The digest of the one competitor, and its record by record:")
    wire.send("GET", "/v1/digest?object=competitor")
    wire.send("GET", "/v1/digest?object=competitor&under=")
    wire.send("POST", "/v1/rows", {"object": "competitor", "ids": [BOLT]})
    name = hashlib.sha256(PHOTO).hexdigest()
    wire.say("**An attachment**, broken off after seven bytes and continued:")
    wire.send("PUT", f"/v1/blob/{name}?offset=0&size={len(PHOTO)}", PHOTO[:7])
    wire.send("GET", f"/v1/blob-state/{name}")
    wire.send("PUT", f"/v1/blob/{name}?offset=7&size={len(PHOTO)}", PHOTO[7:])
    push(mutation(6, [{"op": "create", "object": "file", "id": BOLT, "fields": {
        "name": [None, "photo.txt"], "sha256": [None, name], "size": [None, len(PHOTO)], "mime": [None, "text/plain"],
        "parent": [None, {"object": "account", "id": ACME}]}}]))
    wire.send("GET", f"/v1/blob/{name}", headers=["Range: bytes=11-"])
    wire.say("**The live channel.** The first frame (hex) is the server's `{\"seq\":9}`.")
    wire.live()
    wire.say("**Leaving.**")
    wire.send("POST", "/v1/logout", {})
    wire.send("GET", "/v1/pull?cursor=" + cursor)
    return "\n".join(wire.out)


# ---- the page against itself ----

def answers(text):
    """[(request line, body of the answer)] as the page has them."""
    found, request, body, inside = [], None, None, False
    for line in text.splitlines() + [""]:
        if line.startswith("    > ") or line == "    >":
            if body is not None:
                found.append((request, body))
                body = None
            if re.match(r"    > (GET|POST|PUT) /", line):
                request = line[6:]
            inside = False
        elif line.startswith("    <"):
            if line.startswith("    < HTTP/1.1"):
                body, inside = b"", False
            elif line == "    <":
                inside = True
            elif inside:
                body += line[6:].encode() + b"\n"
        elif body is not None:
            found.append((request, body))
            body = None
    return found


def check(path):
    """Every page of the session fits its crc, and the digest is that of the rows."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    start = text.index(TITLE)
    end = text.find("\n## ", start)
    session = text[start:end if end > 0 else len(text)]
    pages, rows, digests = 0, {}, []
    for request, body in answers(session):
        if request.split(" ")[1].startswith(("/v1/pull", "/v1/rows")) and body.startswith(b'{"page"'):
            pages += 1
            for thing, ident, _rev, fields in Page(body).rows:
                rows.setdefault(thing, {})[ident] = fields
        if "/v1/digest" in request:
            digests.append(json.loads(body))
    assert pages >= 5, f"{pages} pages in the session"
    want = digest_text(record_sum("competitor", ident, fields) for ident, fields in rows["competitor"].items())
    assert len(digests) == 2 and digests[0]["objects"]["competitor"]["digest"] == want == digests[1]["digest"], (want, digests)
    return pages


def main(source):
    from kontor import workplace
    from stage import Host, PASSWORD
    place = workplace()
    os.environ.setdefault("KONTOR_DATADIR", str(pathlib.Path(source, "data")))
    host = Host(pathlib.Path(place.name, "Acme"), admin="ben", arguments=("--currency", "EUR")).start()
    try:
        text = tell(host.url, PASSWORD)
    finally:
        host.close()
        place.cleanup()
    print(text)


if __name__ == "__main__":
    main(*sys.argv[1:2])
