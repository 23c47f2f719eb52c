#!/usr/bin/env python3
"""A token server for docker-registry, for tests: JWTs signed with RS256 by openssl.

usage: token.py PORT KEY CERT        user "user", password "pass"; anonymous callers may only pull from public/*
"""
import base64
import json
import subprocess
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, KEY, CERT = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims):
    der = subprocess.run(["openssl", "x509", "-in", CERT, "-outform", "DER"], check=True, capture_output=True).stdout
    header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
    text = encode(json.dumps(header).encode()) + "." + encode(json.dumps(claims).encode())
    proof = subprocess.run(["openssl", "dgst", "-sha256", "-sign", KEY], input=text.encode(), check=True,
                           capture_output=True).stdout
    return text + "." + encode(proof)


def granted(scope, is_user):
    kind, name, actions = scope.split(":")
    allowed = actions.split(",") if is_user else ["pull"] if name.startswith("public/") else []
    return {"type": kind, "name": name, "actions": allowed}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        pair = self.headers.get("Authorization", "")
        is_user = pair == "Basic " + base64.b64encode(b"user:pass").decode()
        if pair and not is_user:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        now = int(time.time())
        token = sign({
            "iss": "tests", "sub": "user" if is_user else "", "aud": query["service"][0],
            "exp": now + 300, "nbf": now - 10, "iat": now, "jti": str(time.time_ns()),
            "access": [granted(scope, is_user) for scope in query.get("scope", [])],
        })
        body = json.dumps({"token": token, "expires_in": 300}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
