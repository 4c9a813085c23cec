# SPDX-License-Identifier: GPL-3.0-or-later
"""A second client of Kontor's protocol, written from docs/protocol.md alone, in Python's standard library.

It is a proof that the page suffices, not a product: it keeps its state in one JSON file and everything in memory.
Numbers in brackets are the sections of the page.
"""

import base64
import datetime
import hashlib
import http.client
import json
import os
import pathlib
import secrets
import socket
import struct
import time
import urllib.parse
import zlib

PROTOCOL = 1
BATCH = 200                 # mutations a push
PIECE = 1 << 20             # bytes of an attachment a request
MAX_OPS_BYTES = 15 << 20


class Refused(Exception):
    """An answer of 400 and above. error: what stands inside "error"."""

    def __init__(self, status, error):
        super().__init__(f"{status} {error.get('code')}: {error.get('message')}")
        self.status = status
        self.error = error
        self.code = error.get("code")


class Cut(Exception):
    """The network: nothing is known about what the server did."""


class NotKontor(Exception):
    pass


# ---- small things ----

def new_id():
    """A UUID of version 7."""
    milliseconds = time.time_ns() // 1000000
    number = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.time_ns() // 1000000 % 1000:03d}Z"


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def no_repeats(pairs):
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name stands twice")
    return document


def parse(data):
    return json.loads(data, object_pairs_hook=no_repeats)


# ---- digests (7) ----

def record_sum(thing, ident, fields):
    """A record's part of a digest."""
    data = bytearray()
    for text in (thing, ident):
        data += text.encode() + b"\0"
    for name in sorted(fields, key=lambda n: n.encode()):
        value = fields[name]
        if value is not None:
            data += name.encode() + b"\0" + (value if isinstance(value, str) else compact(value)).encode() + b"\0"
    return int.from_bytes(hashlib.sha256(bytes(data)).digest()[:16], "big")


def digest_text(sums):
    count, total = 0, 0
    for each in sums:
        count += 1
        total += each
    return f"{count}:{total % (1 << 128):032x}"


# ---- pages (6) ----

class Page:
    """One answer of a pull, checked whole before anything of it is used."""

    def __init__(self, body):
        lines = body.split(b"\n")
        if len(lines) < 3 or lines[-1] != b"":
            raise Cut("the page breaks off")
        self.end = parse(lines[-2])
        if "end" not in self.end:
            raise Cut("the page has no last line")
        digits = self.end["crc"]
        where = body.rindex(b'"crc":"') + len(b'"crc":"')
        if zlib.crc32(body[:where]) != int(digits, 16):
            raise Cut("the page does not fit its crc")
        self.head = parse(lines[0])
        if self.head.get("page") != 1:
            raise NotKontor("a page of another form")
        self.rows, self.gone, self.others = [], [], []
        thing, names = None, None
        for line in lines[1:-2]:
            item = parse(line)
            if isinstance(item, list):
                fields = {n: v for n, v in zip(names, item[2:]) if v is not None}
                self.rows.append((thing, item[0], item[1], fields))
            elif "object" in item:
                thing, names = item["object"], item["fields"]
            elif "gone" in item:
                self.gone += zip(item["gone"][::2], item["gone"][1::2])
            else:
                self.others.append(item)
        if "rows" in self.end and self.end["rows"] != len(self.rows):
            raise Cut("the page has fewer rows than it says")


# ---- the client ----

class Client:
    def __init__(self, url, folder):
        self.url = url
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "state.json"
        self.connection = None
        self.trace = None       # a list: what went over the wire
        self.state = {"token": None, "device": None, "user": None, "epoch": None, "cursor": None, "seq": 0, "schema": None,
                      "last_number": 0, "outbox": [], "settled": [], "parked": [], "records": {}, "incoming": None, "kept": [],
                      "covered": 0, "landing": [], "access": None}
        if self.file.exists():
            self.state = parse(self.file.read_bytes())

    def save(self):
        """One file, replaced whole: after a crash it is the old or the new."""
        new = self.file.with_suffix(".new")
        with open(new, "w", encoding="utf-8") as out:
            out.write(compact(self.state))
            out.flush()
            os.fsync(out.fileno())
        os.replace(new, self.file)

    # ---- requests (1) ----

    def _connect(self):
        parts = urllib.parse.urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname, parts.port, timeout=30)

    def _send(self, method, path, body, headers):
        if self.connection is None:
            self._connect()
        try:
            self.connection.request(method, path, body=body, headers=headers)
            answer = self.connection.getresponse()
            data = answer.read()
            length = answer.getheader("Content-Length")
            if length is not None and len(data) != int(length) and method != "HEAD" and answer.status != 304:
                raise Cut("the answer breaks off")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Cut(str(error)) from error
        if answer.getheader("Connection", "").lower() == "close":
            self.close()
        return answer, data

    def request(self, method, path, body=None, query=None, headers=None, raw=False):
        """The body of the answer as JSON, or (status, headers, bytes) if raw. Refused from 400 on."""
        headers = dict(headers or {})
        if query:
            path += "?" + urllib.parse.urlencode({k: v for k, v in query.items() if v is not None})
        if self.state["token"] and path not in ("/v1/hello", "/v1/login"):
            headers["Authorization"] = "Bearer " + self.state["token"]
        if body is not None and not isinstance(body, bytes):
            body = compact(body).encode()
            headers["Content-Type"] = "application/json"
        answer, data = self._send(method, path, body, headers)
        if self.trace is not None:
            self.trace.append((method, path, body, answer.status, data))
        if answer.status >= 400:
            try:
                error = parse(data)["error"]
                error["code"], error["message"]
            except (ValueError, KeyError, TypeError) as why:
                # Somebody between us and the server answers in its name.
                raise Cut(f"{answer.status} without an error of Kontor") from why
            raise Refused(answer.status, error)
        if raw:
            return answer.status, answer.headers, data
        try:
            return parse(data)
        except ValueError as why:
            raise Cut("not JSON: somebody else answers") from why

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    # ---- meeting (3) ----

    def hello(self):
        document = self.request("GET", "/v1/hello")
        if document.get("kontor") != PROTOCOL:
            raise NotKontor("no Kontor server of this version")
        return document

    def login(self, user, password, name="interop"):
        self.hello()
        device = {"name": name}
        if self.state["device"]:
            device["id"] = self.state["device"]
        answer = self.request("POST", "/v1/login", {"user": user, "password": password, "device": device})
        state = self.state
        if state["user"] and state["user"]["id"] != answer["user"]["id"]:
            raise Refused(403, {"code": "forbidden", "message": "this copy belongs to somebody else"})
        state["token"], state["user"] = answer["token"], answer["user"]
        if state["device"] != answer["device"]:
            self._become(answer["device"], answer["last_number"])
        if state["epoch"] is None:
            state["epoch"] = answer["epoch"]
        self.save()
        return answer

    def logout(self):
        self.request("POST", "/v1/logout", {})
        self.state["token"] = None
        self.save()

    def _become(self, device, last_number):
        """Another device: what has no verdict gets numbers of its own, and keeps its ids."""
        self.state["device"] = device
        self.state["last_number"] = last_number
        self.state["covered"] = 0
        for mutation in self.state["outbox"]:
            mutation.pop("number", None)

    def fetch_schema(self):
        path = self.folder / "schema.json"
        known = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
        headers = {"If-None-Match": f'"{known}"'} if known else {}
        status, answer, data = self.request("GET", "/v1/schema", headers=headers, raw=True)
        if status == 200:
            if answer["ETag"].strip('"') != hashlib.sha256(data).hexdigest():
                raise Cut("the schema is not what its name says")
            path.write_bytes(data)
            known = answer["ETag"].strip('"')
        self.state["schema"] = known
        self.save()
        return parse(path.read_bytes())

    def fetch_access(self):
        """What this user may do."""
        path = self.folder / "access.json"
        headers = {"If-None-Match": f'"{self.state["access"]}"'} if self.state["access"] and path.exists() else {}
        status, answer, data = self.request("GET", "/v1/access", headers=headers, raw=True)
        if status == 200:
            path.write_bytes(data)
            self.state["access"] = answer["ETag"].strip('"')
            self._take_away(parse(data))
            self.save()
        return parse(path.read_bytes())

    def _take_away(self, rights):
        """Fields that are hidden now leave at once, wherever they are kept."""
        for thing, own in rights["objects"].items():
            hidden = {name for name, field in own.get("fields", {}).items() if field.get("read") == "no"}
            for copy in (self.state["records"], self.state["incoming"] or {}):
                for _rev, fields in copy.get(thing, {}).values():
                    for name in hidden & set(fields):
                        del fields[name]

    # ---- what is seen: the synced version, and on top what is not settled ----

    def synced(self, thing, ident):
        row = self.state["records"].get(thing, {}).get(ident)
        return (row[0], row[1]) if row is not None else (0, None)

    def _over(self):
        """What is laid over the rows: decided, but its effect has not been pulled yet; then what waits."""
        return [entry["mutation"] for entry in self.state["landing"]] + self.state["outbox"]

    def get(self, thing, ident):
        fields = dict(self.synced(thing, ident)[1] or {})
        for mutation in self._over():
            for op in mutation["ops"]:
                # What the rows hold already is not laid over them once more.
                if (op["object"], op["id"]) != (thing, ident) or mutation.get("number", 1 << 62) <= self.state["covered"]:
                    continue
                for name, (_before, after) in op.get("fields", {}).items():
                    fields[name] = after
                if op["op"] == "delete":
                    fields["deleted_at"] = mutation["at"]
                elif op["op"] == "restore":
                    fields["deleted_at"] = None
        return {n: v for n, v in fields.items() if v is not None} or None

    def all(self, thing):
        idents = set(self.state["records"].get(thing, {}))
        for mutation in self._over():
            idents |= {op["id"] for op in mutation["ops"] if op["object"] == thing}
        return {ident: self.get(thing, ident) for ident in idents}

    # ---- acting ----

    def act(self, ops, **more):
        """One action of a person: a mutation in the outbox, whole and durable."""
        mutation = {"id": new_id(), "at": now(), "origin": "client", "ops": ops, **more}
        self.state["outbox"].append(mutation)
        self.save()
        return mutation

    def create_op(self, thing, ident=None, **fields):
        return {"op": "create", "object": thing, "id": ident or new_id(), "fields": {n: [None, v] for n, v in fields.items()}}

    def update_op(self, thing, ident, **fields):
        seen = self.get(thing, ident) or {}
        return {"op": "update", "object": thing, "id": ident, "base_rev": self.synced(thing, ident)[0],
                "fields": {n: [seen.get(n), v] for n, v in fields.items()}}

    def create(self, thing, **fields):
        op = self.create_op(thing, **fields)
        self.act([op])
        return op["id"]

    def update(self, thing, ident, **fields):
        self.act([self.update_op(thing, ident, **fields)])

    def delete(self, thing, ident):
        self.act([{"op": "delete", "object": thing, "id": ident, "base_rev": self.synced(thing, ident)[0]}])

    def restore(self, thing, ident):
        self.act([{"op": "restore", "object": thing, "id": ident, "base_rev": self.synced(thing, ident)[0]}])

    # ---- pushing (4) ----

    def push(self):
        """Until the outbox is empty. Gives the verdicts."""
        verdicts = []
        while self.state["outbox"]:
            batch = self._number()
            try:
                answer = self.request("POST", "/v1/push", {"device": self.state["device"], "epoch": self.state["epoch"],
                                                           "mutations": batch})
            except Refused as no:
                if no.status == 410:
                    self._another_life(no.error)
                    continue
                if no.status == 409 and no.error.get("reason") == "copied":
                    self._copied()
                    continue
                if no.status == 409 and no.error.get("last_number", batch[0]["number"]) + 1 < batch[0]["number"]:
                    # Old files were put back over there, and nobody told: another life that does not know it.
                    self._replay(no.error["last_number"], 0)
                    continue
                raise
            verdicts += self._settle(answer)
        return verdicts

    def _number(self):
        """Numbered when first sent, and never otherwise from then on."""
        last = max([self.state["last_number"]] + [m["number"] for m in self.state["outbox"] if "number" in m])
        size, batch = 0, []
        for mutation in self.state["outbox"][:BATCH]:
            if "number" not in mutation:
                last += 1
                mutation["number"] = last
            size += len(compact(mutation))
            if batch and size > MAX_OPS_BYTES:
                break
            batch.append(mutation)
        self.save()
        return batch

    def _settle(self, answer):
        by_number = {m["number"]: m for m in self.state["outbox"] if "number" in m}
        done = []
        for verdict in answer["verdicts"]:
            mutation = by_number.get(verdict["number"])
            if mutation is None:
                continue
            self.state["outbox"].remove(mutation)
            self.state["last_number"] = max(self.state["last_number"], verdict["number"])
            if verdict["outcome"] in ("applied", "merged"):
                self.state["landing"].append({"mutation": mutation, "seq": verdict["seq"]})
            if verdict["outcome"] == "refused":
                self.state["parked"].append({"mutation": mutation, "verdict": verdict})
            self.state["settled"].append({"mutation": mutation, "outcome": verdict["outcome"], "seq": verdict["seq"],
                                          "device": self.state["device"]})
            done.append(verdict)
        self.save()
        return done

    # ---- pulling (6) ----

    def pull(self, limit=None):
        """Until the device stands at one commit. Gives the pages."""
        pages = []
        while True:
            try:
                status, _headers, body = self.request("GET", "/v1/pull", raw=True,
                                                       query=self._where(limit))
            except Refused as no:
                if no.status == 410:
                    self._another_life(no.error)
                    self.push()
                    continue
                if no.status == 400 and no.code == "invalid" and self.state["cursor"] is not None:
                    self.state["cursor"] = self.state["incoming"] = None
                    continue
                raise
            if status == 204:
                return pages
            page = Page(body)
            if page.head["schema"] != self.state["schema"]:
                self.fetch_schema()
            if page.head.get("access") != self.state["access"]:
                self.fetch_access()
            self._apply(page)
            pages.append(page)
            if not page.end["more"]:
                return pages

    def _where(self, limit):
        state = self.state
        if state["cursor"] is None:
            return {"limit": limit, "epoch": state["epoch"]}
        # Everything that was pulled is shown: no news may be said shortly.
        short = state["schema"][:8] if state["incoming"] is None and state["schema"] else None
        return {"cursor": state["cursor"], "limit": limit, "schema": short}

    def _apply(self, page):
        """Rows and cursor are one step. A snapshot is shown when it is whole."""
        state = self.state
        snapshot = page.head["mode"] == "snapshot" or state["cursor"] is None
        if snapshot and state["cursor"] is None:
            state["incoming"] = {}
        records = state["records"] if state["incoming"] is None else state["incoming"]
        for thing, ident, rev, fields in page.rows:
            records.setdefault(thing, {})[ident] = [rev, fields]
        for thing, ident in page.gone:
            records.get(thing, {}).pop(ident, None)
        state["cursor"] = page.end["cursor"]
        settled = page.end.get("settled", 0)
        known = {m["id"] for m in state["outbox"] if "number" in m} | {s["mutation"]["id"] for s in state["settled"]}
        if page.end.get("settled_id") is None or page.end["settled_id"] in known:
            state["covered"] = settled
        state["seq"] = page.end["seq"]
        if not page.end["more"]:
            state["landing"] = [entry for entry in state["landing"] if entry["seq"] > state["seq"]]
        if not page.end["more"] and state["incoming"] is not None:
            self._keep_what_went(state["records"], state["incoming"])
            state["records"], state["incoming"] = state["incoming"], None
        self.save()

    def _keep_what_went(self, before, after):
        for thing, rows in before.items():
            for ident, row in rows.items():
                if ident not in after.get(thing, {}):
                    self.state["kept"].append([thing, ident, row])

    def sync(self):
        self.push()
        return self.pull()

    # ---- another life, another device (6, 4) ----

    def _another_life(self, error):
        """410: the server was restored. One step of this device, then it pushes, then it pulls."""
        if error["epoch"] == self.state["epoch"] and self.state["cursor"] is None:
            raise Refused(410, error)
        self._replay(error["last_number"], error["common"])
        self.state["epoch"] = error["epoch"]
        self.state["cursor"] = self.state["incoming"] = None
        self.save()

    def _replay(self, last, common):
        """What the server has lost goes out again, before everything that waits."""
        state = self.state
        lost = [s for s in state["settled"] if s["seq"] > common or s["mutation"]["number"] > last and s["device"] == state["device"]]
        state["settled"] = [s for s in state["settled"] if s not in lost]
        again = [s["mutation"] for s in lost if s["outcome"] != "refused"]
        state["outbox"] = again + state["outbox"]
        state["last_number"] = last
        state["covered"] = 0
        state["landing"] = []
        for mutation in state["outbox"]:
            mutation.pop("number", None)
            for op in mutation["ops"]:
                if op.get("base_rev", 0) > common:
                    op["base_rev"] = common
        self.save()

    def _copied(self):
        """409 copied: the other copy keeps the device and its session."""
        answer = self.request("POST", "/v1/device", {"name": "a copy"})
        self.state["token"] = answer["token"]
        self._become(answer["device"], answer["last_number"])
        self.save()

    # ---- deciding (5) ----

    def conflicts(self):
        """What waits for me."""
        return {ident: row for ident, row in self.all("sync_conflict").items()
                if row and row.get("state") == "open" and row.get("assigned_to") == self.state["user"]["id"]}

    def decide(self, ident, resolution, ops=()):
        self.act(list(ops), resolves=ident, resolution=resolution)

    def decide_for_mine(self, ident):
        item = self.get("sync_conflict", ident)
        thing = item["record"]
        mine = item["mine"]
        if item["kind"] == "delete_edit" and mine == {"deleted": True}:
            ops = [{"op": "delete", **thing, "base_rev": self.synced(thing["object"], thing["id"])[0]}]
        else:
            ops = [self.update_op(thing["object"], thing["id"], **{item["field"]: mine})]
        self.decide(ident, "kept_mine", ops)

    # ---- proving (7) ----

    def _synced_objects(self):
        return {thing: rows for thing, rows in self.state["records"].items() if rows}

    def digests(self):
        return {thing: digest_text(record_sum(thing, ident, row[1]) for ident, row in rows.items())
                for thing, rows in self._synced_objects().items()}

    def verify(self, repair=True):
        """(equal at first, objects that differed). Both ends must stand at the same commit."""
        for _try in range(10):
            theirs = self.request("GET", "/v1/digest", query={"fresh": 1, "epoch": self.state["epoch"]})
            if theirs["seq"] == self.state["seq"] and theirs["schema"] == self.state["schema"]:
                break
            self.pull()
        else:
            raise Cut("the server is never still")
        mine = self.digests()
        wanted = {thing: entry["digest"] for thing, entry in theirs["objects"].items()}
        differ = sorted(thing for thing in set(mine) | set(wanted) if mine.get(thing) != wanted.get(thing))
        total = digest_text(record_sum(thing, ident, row[1]) for thing, rows in self._synced_objects().items()
                            for ident, row in rows.items())
        if not differ and total != theirs["digest"]:
            raise AssertionError("the parts agree and the whole does not")
        if repair:
            for thing in differ:
                self._repair(thing, "")
            self.save()
        return not differ, differ

    def _repair(self, thing, under):
        branch = self.request("GET", "/v1/digest", query={"object": thing, "under": under})
        if branch["seq"] != self.state["seq"]:
            raise Cut("the server has moved on: pull, and verify again")
        rows = self.state["records"].setdefault(thing, {})
        mine = {i: r for i, r in rows.items() if i.replace("-", "").endswith(under)}
        if digest_text(record_sum(thing, i, r[1]) for i, r in mine.items()) == branch["digest"]:
            return
        if "children" in branch:
            own = {}
            for ident in mine:
                text = ident.replace("-", "")
                own.setdefault(text[len(text) - len(under) - 2:len(text) - len(under)], []).append(ident)
            for byte in sorted(set(own) | set(branch["children"])):
                text = digest_text(record_sum(thing, i, mine[i][1]) for i in own.get(byte, []))
                if text != branch["children"].get(byte, digest_text([])):
                    self._repair(thing, byte + under)
            return
        theirs = dict(branch["leaves"])
        wanted = [i for i in set(mine) | set(theirs)
                  if i not in mine or theirs.get(i) != f"{record_sum(thing, i, mine[i][1]):032x}"]
        while wanted:
            _status, _headers, body = self.request("POST", "/v1/rows", {"object": thing, "ids": wanted[:1000]}, raw=True)
            page = Page(body)
            came = set()
            for name, ident, rev, fields in page.rows:
                came.add(ident)
                if name == thing and rev <= self.state["seq"]:
                    rows[ident] = [rev, fields]
            for name, ident in page.gone:
                came.add(ident)
                if page.end["seq"] == self.state["seq"] and ident in rows:
                    self.state["kept"].append([thing, ident, rows.pop(ident)])
            if not came:
                raise Cut("the rows that were asked for did not come")
            wanted = [i for i in wanted if i not in came]

    # ---- looking back (8) ----

    def history(self, thing, ident):
        entries, before = [], None
        while True:
            answer = self.request("GET", "/v1/history", query={"object": thing, "id": ident, "before": before, "limit": 100})
            entries += answer["history"]
            if not answer["more"]:
                return entries
            before = answer["history"][-1]["seq"]

    # ---- attachments (9) ----

    def upload(self, data):
        """Whole pieces, from where the server stands, however often the line breaks. Gives the name."""
        name = hashlib.sha256(data).hexdigest()
        at = None
        while True:
            if at is None:
                state = self.request("GET", f"/v1/blob-state/{name}")
                if state["whole"]:
                    return name
                at = state["have"]
            piece = data[at:at + PIECE]
            try:
                state = self.request("PUT", f"/v1/blob/{name}", piece, {"offset": at, "size": len(data)})
                at = state["have"]
            except Cut:
                at = None
                continue
            except Refused as no:
                if no.status == 409:
                    at = None
                    continue
                raise
            if state["whole"]:
                return name

    def download(self, name, path, pieces=None):
        """Goes on inside the file; whole only when it is what its name says. pieces: give up after so many."""
        path = pathlib.Path(path)
        part = path.with_suffix(path.suffix + ".part")
        while True:
            have = part.stat().st_size if part.exists() else 0
            status, headers, data = self.request("GET", f"/v1/blob/{name}", headers={"Range": f"bytes={have}-{have + PIECE - 1}"}, raw=True)
            if status == 206:
                begin, total = headers["Content-Range"].removeprefix("bytes ").split("/")
                if int(begin.split("-")[0]) != have:
                    raise Cut("another piece than was asked for")
                with open(part, "ab") as out:
                    out.write(data)
                whole = have + len(data) == int(total)
            else:
                part.write_bytes(data)
                whole = True
            if whole:
                break
            if pieces is not None:
                pieces -= 1
                if pieces == 0:
                    return False
        if hashlib.sha256(part.read_bytes()).hexdigest() != name:
            part.unlink()
            raise Cut("the content is not what its name says")
        os.replace(part, path)
        return True

    # ---- the live channel (10) ----

    def live(self):
        return Live(self.url, self.state["token"])


class Live:
    """A WebSocket (RFC 6455) by hand. next(): the seq of the next message."""

    def __init__(self, url, token):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=30)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.socket.sendall((f"GET /v1/live HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {token}\r\n\r\n").encode())
        self.buffer = b""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._take(1)
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        if not head.startswith(b"HTTP/1.1 101") or accept.lower() not in head.lower():
            raise Cut(head.split(b"\r\n")[0].decode("latin-1"))

    def _take(self, n):
        while len(self.buffer) < n:
            data = self.socket.recv(65536)
            if not data:
                raise Cut("the channel is closed")
            self.buffer += data
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def _send(self, kind, data):
        mask = secrets.token_bytes(4)
        self.socket.sendall(bytes([0x80 | kind, 0x80 | len(data)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def next(self):
        text = b""
        while True:
            first, second = self._take(2)
            length = second & 0x7f
            if length == 126:
                length = struct.unpack(">H", self._take(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self._take(8))[0]
            data = self._take(length)
            kind = first & 0x0f
            if kind == 9:
                self._send(10, data)
            elif kind == 8:
                raise Cut("the channel is closed")
            elif kind in (0, 1):
                text += data
                if first & 0x80:
                    return parse(text)["seq"]

    def close(self):
        self.socket.close()
