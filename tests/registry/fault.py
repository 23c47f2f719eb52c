#!/usr/bin/env python3
"""A registry that misbehaves on purpose, for tests; the first component of a repository says how.

usage: fault.py PORT [--second PORT] [--tls CERT KEY] [--log FILE] [--ready FILE]

Every repository FAULT/NAME:1 holds the same small image of two layers (the first ~3 MiB that do not compress).
FAULT is one of the methods do_* of class Faults below, or "plain". The second port is where redirects lead: it
answers 400 when it sees an Authorization header. Log: one line a request, METHOD PATH STATUS key=value...
Only for 127.0.0.1. Standard library alone.
"""
import argparse
import base64
import gzip
import hashlib
import io
import json
import random
import socketserver
import ssl
import tarfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CUT_AT = 1 << 20


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def make_image(tars):
    blobs = [gzip.compress(tar, 1, mtime=0) for tar in tars]
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/small"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]},
    }).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                   "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": digest(blob), "size": len(blob)} for blob in blobs],
    }).encode()
    store = {digest(blob): blob for blob in blobs + [config]}
    return manifest, store, digest(blobs[0])


TARS = [layer([("big", random.Random(7).randbytes(3 << 20))]), layer([("small", b"hello\n")])]
IMAGE, BLOBS, BIG = make_image(TARS)
SMALL_IMAGE, SMALL_BLOBS, _ = make_image(TARS[1:])
BLOBS.update(SMALL_BLOBS)


class State:
    """What the faults remember: a count per (fault, path)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {}
        self.tokens = {}
        self.uploads = {}

    def count(self, key):
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]


class Faults(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = State()
    log_file = None
    second = 0
    port = 0
    scheme = "http"

    def log_message(self, *args):
        pass

    def note(self, status, **more):
        if not self.log_file:
            return
        pairs = "".join(f" {key}={value}" for key, value in more.items())
        auth = " auth=yes" if self.headers.get("Authorization") else ""
        span = f" range={self.headers['Range']}" if self.headers.get("Range") else ""
        with self.state.lock:
            self.log_file.write(f"{self.command} {self.path} {status}{auth}{span}{pairs}\n")
            self.log_file.flush()

    def answer(self, status, body=b"", headers=(), length=None):
        self.note(status)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code, message, headers=()):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, body, [("Content-Type", "application/json"), *headers])

    def cut(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(2)

    # ---- what a good registry does ----

    def start_of_range(self):
        span = self.headers.get("Range")
        return int(span.split("=")[1].split("-")[0]) if span else 0

    def blob(self, data, first=None, limit=None, drip=0.0):
        first = self.start_of_range() if first is None else first
        rest = data[first:]
        status = 206 if self.headers.get("Range") and first else 200
        self.note(status, sent=len(rest) if limit is None else limit)
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(rest)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        if drip:
            for at in range(0, len(rest), 1 << 16):
                self.wfile.write(rest[at:at + (1 << 16)])
                self.wfile.flush()
                time.sleep(drip)
        else:
            self.wfile.write(rest if limit is None else rest[:limit])
        if limit is not None:
            self.cut()

    def manifest(self, body=IMAGE, kind=MANIFEST, name=None):
        self.answer(200, body, [("Content-Type", kind), ("Docker-Content-Digest", name or digest(body))])

    def plain(self, kind, target):
        if kind == "manifests":
            if target not in ("1", "latest", digest(IMAGE)):
                return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
            return self.manifest()
        if target in BLOBS:
            return self.blob(BLOBS[target])
        return self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")

    # ---- faults: each takes ("manifests" or "blobs", the tag or digest) ----

    def do_plain(self, kind, target):
        self.plain(kind, target)

    def do_small(self, kind, target):
        """An image of the small layer alone."""
        if kind == "manifests" and target == "1":
            return self.manifest(SMALL_IMAGE)
        self.plain(kind, target)

    def do_cut(self, kind, target):
        """The big layer's connection is lost after each MiB; ranges work."""
        if target == BIG and len(BLOBS[BIG]) - self.start_of_range() > CUT_AT:
            return self.blob(BLOBS[BIG], limit=CUT_AT)
        self.plain(kind, target)

    def do_cutnorange(self, kind, target):
        """Lost after one MiB once; afterwards all of it from the start, whatever range was asked for."""
        if target != BIG:
            return self.plain(kind, target)
        limit = CUT_AT if self.state.count(("cutnorange", self.path)) == 1 else None
        self.blob_whole(limit)

    def blob_whole(self, limit):
        data = BLOBS[BIG]
        self.note(200, sent=limit or len(data))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if limit is None else data[:limit])
        if limit is not None:
            self.cut()

    def do_liarrange(self, kind, target):
        """Cut once, then a 206 that begins elsewhere; without a range it is honest."""
        if target != BIG:
            return self.plain(kind, target)
        if self.state.count(("liarrange", self.path)) == 1:
            return self.blob(BLOBS[BIG], limit=CUT_AT)
        first = self.start_of_range()
        self.blob(BLOBS[BIG], first=first - 100 if first else 0)

    def do_lost(self, kind, target):
        """Cut always, nothing new ever comes."""
        if target != BIG:
            return self.plain(kind, target)
        self.blob(BLOBS[BIG], limit=0)

    def do_long(self, kind, target):
        """Announces another length than the manifest does."""
        if target != BIG:
            return self.plain(kind, target)
        self.answer(200, BLOBS[BIG] + b"x")

    def do_endless(self, kind, target):
        """Says no length and sends more than it should."""
        if target != BIG:
            return self.plain(kind, target)
        self.note(200)
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(BLOBS[BIG] + b"y" * 100000)
        self.close_connection = True

    def do_wrongdigest(self, kind, target):
        if target != BIG:
            return self.plain(kind, target)
        data = bytearray(BLOBS[BIG])
        data[-9] ^= 1
        self.blob(bytes(data))

    def do_mirrored(self, kind, target):
        """Bad bytes for who asks through a proxy for another host (a mirror), good ones at home."""
        if "far.example" in self.path:
            return self.do_wrongdigest(kind, target)
        self.plain(kind, target)

    def do_wrongmanifest(self, kind, target):
        """The header's digest is not the body's."""
        if kind != "manifests":
            return self.plain(kind, target)
        self.manifest(name="sha256:" + "0" * 64)

    def do_busy(self, kind, target):
        """503 twice for everything."""
        if self.state.count(("busy", self.path)) <= 2:
            return self.error(503, "UNAVAILABLE", "come back")
        self.plain(kind, target)

    def do_later(self, kind, target):
        """429 with Retry-After: 1, once for everything."""
        if self.state.count(("later", self.path)) == 1:
            return self.error(429, "TOOMANYREQUESTS", "slow down", [("Retry-After", "1")])
        self.plain(kind, target)

    def do_rate(self, kind, target):
        self.error(429, "TOOMANYREQUESTS", "you have reached your limit",
                   [("Retry-After", "3600"), ("RateLimit-Limit", "100;w=21600"), ("RateLimit-Remaining", "0;w=21600")])

    def do_drip(self, kind, target):
        """64 KiB every 20 ms."""
        if target != BIG:
            return self.plain(kind, target)
        self.blob(BLOBS[BIG], drip=0.02)

    def do_redirect(self, kind, target):
        if kind == "manifests":
            return self.authorized("redirect", kind, target)
        if not self.headers.get("Authorization"):
            return self.challenge("redirect")
        self.answer(307, b"", [("Location", f"{self.scheme}://127.0.0.1:{self.second}/signed/{target}?sig=abc%2Fdef")])

    def do_loop(self, kind, target):
        if kind == "manifests":
            return self.plain(kind, target)
        self.answer(307, b"", [("Location", self.path)])

    def do_nowhere(self, kind, target):
        if kind == "manifests":
            return self.plain(kind, target)
        self.answer(307, b"", [("Location", "file:///etc/passwd")])

    def do_signed(self, kind, target):
        """The signed address has expired the first time: 403 there."""
        if kind == "manifests":
            return self.plain(kind, target)
        word = "expired" if self.state.count(("signed", self.path)) == 1 else "signed"
        self.answer(307, b"", [("Location", f"{self.scheme}://127.0.0.1:{self.second}/{word}/{target}")])

    def do_expire(self, kind, target):
        """Every token is good for two requests; the big blob is cut after each MiB."""
        self.authorized("expire", kind, target, uses=2, then=self.do_cut)

    def do_token(self, kind, target):
        self.authorized("token", kind, target)

    def do_refresh(self, kind, target):
        """The token server knows identity tokens only (POST)."""
        self.authorized("refresh", kind, target)

    def do_never(self, kind, target):
        """No token is ever good enough."""
        self.challenge("never", error="invalid_token")

    def do_badrealm(self, kind, target):
        self.answer(401, b"", [("WWW-Authenticate", 'Bearer realm="http://192.0.2.1/token",service="x"')])

    def do_negotiate(self, kind, target):
        self.answer(401, b"", [("WWW-Authenticate", "Negotiate")])

    def do_garbage(self, kind, target):
        if kind != "manifests":
            return self.plain(kind, target)
        self.answer(200, b"<html>\x1b[31mhello</html>", [("Content-Type", "text/html")])

    def do_huge(self, kind, target):
        if kind != "manifests":
            return self.plain(kind, target)
        self.manifest(b"{" + b" " * (5 << 20) + b"}")

    def do_headers(self, kind, target):
        self.answer(200, b"{}", [(f"X-{i}", "y" * 1000) for i in range(80)])

    def do_index(self, kind, target):
        """An index with an attestation in front of the image."""
        if target != "1":
            return self.plain(kind, target)
        entry = {"mediaType": MANIFEST, "digest": digest(IMAGE), "size": len(IMAGE),
                 "platform": {"os": "linux", "architecture": "amd64"}}
        proof = {"mediaType": MANIFEST, "digest": "sha256:" + "1" * 64, "size": 9,
                 "platform": {"os": "unknown", "architecture": "unknown"},
                 "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [proof, entry]}).encode()
        self.manifest(body, INDEX)

    def do_selfindex(self, kind, target):
        """An index in an index in an index."""
        if kind != "manifests":
            return self.plain(kind, target)
        level = int(target) if target.isdigit() else next(
            (n for n in range(9) if digest(self.nested(n)) == target), 0)
        self.manifest(self.nested(level), INDEX)

    def nested(self, level):
        below = self.nested(level + 1) if level < 8 else IMAGE
        return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": INDEX, "digest": digest(below), "size": len(below),
             "platform": {"os": "linux", "architecture": "amd64"}}]}).encode()

    def do_empty(self, kind, target):
        """A mirror that has nothing."""
        self.error(404, "NAME_UNKNOWN", "repository name not known to registry")

    # ---- pushes: uploads are kept by name; the first PUT of a large blob is cut after one MiB ----

    def read_some(self, upload, limit=None):
        left = int(self.headers.get("Content-Length", 0))
        left = left if limit is None else min(left, limit)
        while left:
            data = self.rfile.read(min(left, 1 << 16))
            if not data:
                break
            upload += data
            left -= len(data)

    def do_cutpush(self, kind, target):
        url = urllib.parse.urlparse(self.path)
        parts = url.path.strip("/").split("/")
        if kind == "manifests":
            body = bytearray()
            self.read_some(body)
            return self.answer(201, b"", [("Docker-Content-Digest", digest(bytes(body)))])
        if self.command == "HEAD":
            return self.error(404, "BLOB_UNKNOWN", "blob unknown")
        if self.command == "POST":
            name = str(self.state.count("uploads"))
            self.state.uploads[name] = bytearray()
            return self.answer(202, b"", [("Location", f"/v2/cutpush/x/blobs/uploads/{name}?state=a%2Fb")])
        upload = self.state.uploads[parts[-1]]
        if self.command == "GET":
            return self.answer(204, b"", [("Range", f"0-{max(len(upload) - 1, 0)}"), ("Location", self.path)])
        if self.command == "PUT" and int(self.headers["Content-Length"]) > CUT_AT and not upload:
            self.read_some(upload, CUT_AT)
            self.note("cut")
            return self.cut()
        if self.command == "PATCH" and self.headers["Content-Range"].split("-")[0] != str(len(upload)):
            return self.error(416, "BLOB_UPLOAD_INVALID", "another range is wanted")
        self.read_some(upload)
        if self.command == "PATCH":
            return self.answer(202, b"", [("Location", self.path), ("Range", f"0-{len(upload) - 1}")])
        wanted = urllib.parse.parse_qs(url.query)["digest"][0]
        if digest(bytes(upload)) != wanted or "state=a%2Fb" not in self.path:
            return self.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.answer(201, b"")

    # ---- tokens ----

    def challenge(self, service, error=None):
        more = f',error="{error}"' if error else ""
        self.answer(401, b"", [("WWW-Authenticate", "Negotiate, Basic realm=\"x, y\""), (
            "WWW-Authenticate",
            f'Bearer realm="{self.scheme}://127.0.0.1:{self.port}/token",service="{service}"{more}')])

    def authorized(self, service, kind, target, uses=10**9, then=None):
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        with self.state.lock:
            known = token in self.state.tokens
            left = self.state.tokens.get(token, 0)
            if known:
                self.state.tokens[token] = left - 1
        if not known:
            return self.challenge(service)
        if left <= 0:
            return self.challenge(service, error="invalid_token")
        (then or self.plain)(kind, target)

    def token(self):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        if self.command == "POST":
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            query = urllib.parse.parse_qs(body)
            if query.get("refresh_token") != ["identity-secret"]:
                return self.error(401, "UNAUTHORIZED", "bad refresh token")
        service = query["service"][0]
        if self.command == "GET" and service == "refresh":
            return self.error(401, "UNAUTHORIZED", "identity tokens only")
        if self.command == "GET" and service == "token":
            pair = base64.b64encode(b"user:pass").decode()
            if self.headers.get("Authorization") != f"Basic {pair}":
                return self.error(401, "UNAUTHORIZED", "who are you")
        token = f"t-{service}-{self.state.count('token')}"
        with self.state.lock:
            self.state.tokens[token] = 2 if service == "expire" else 10**9
        self.answer(200, json.dumps({"token": token, "expires_in": 300}).encode())

    # ---- dispatch ----

    def at_second(self):
        word, target = urllib.parse.urlparse(self.path).path.strip("/").split("/")
        if self.headers.get("Authorization"):
            return self.error(400, "LEAK", "Authorization was sent to the storage")
        if word == "expired":
            return self.error(403, "AccessDenied", "Request has expired")
        self.blob(BLOBS[target])

    def handle_request(self):
        path = urllib.parse.urlparse(self.path).path
        if self.server.server_address[1] == self.second:
            return self.at_second()
        if path == "/token":
            return self.token()
        parts = path.strip("/").split("/")
        if len(parts) < 4 or parts[0] != "v2":
            return self.answer(200 if path == "/v2/" else 404)
        kind, target = parts[-2:]
        getattr(self, "do_" + parts[1], self.plain)(kind, target)

    def guarded(self):
        try:
            self.handle_request()
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = guarded


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


def serve(port, tls):
    server = Server(("127.0.0.1", port), Faults)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--second", type=int, default=0)
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--log")
    parser.add_argument("--ready")
    options = parser.parse_args()
    Faults.port, Faults.second = options.port, options.second
    Faults.scheme = "https" if options.tls else "http"
    Faults.log_file = open(options.log, "a", encoding="utf-8") if options.log else None
    serve(options.port, options.tls)
    if options.second:
        serve(options.second, options.tls)
    if options.ready:
        open(options.ready, "w", encoding="utf-8").close()
    threading.Event().wait()


if __name__ == "__main__":
    main()
