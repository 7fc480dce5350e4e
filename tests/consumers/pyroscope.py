#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""pyroscope.py busy|refusing|silent: stands in for Pyroscope: takes what its HTTP API says of POST /ingest with format=pprof,
strictly. "port" has the port, "asked" the number of requests; of each push that is taken NR.pb.gz is the profile and NR.json the rest, of any that is no such
request "wrong" says why. busy: 503 to every other request; refusing: 422 to all; silent: takes connections and says nothing."""
import email
import email.policy
import http.server
import json
import os
import sys
import urllib.parse

how = sys.argv[1]
asked = taken = 0


def form(handler, body):
    kind = handler.headers["Content-Type"]
    assert kind.startswith("multipart/form-data; boundary="), kind
    message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP)
    assert not message.defects, message.defects
    return {part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True) for part in message.iter_parts()}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global asked, taken
        try:
            asked += 1
            with open("asked", "w") as f:
                print(asked, file=f)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Host"] == "127.0.0.1:%d" % server.server_port, self.headers["Host"]
            url = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(url.query, strict_parsing=True))
            assert url.path == "/some/ingest" and query.pop("format") == "pprof", self.path
            fields = form(self, body)
            assert set(fields) == {"profile", "sample_type_config"} and fields["profile"][:2] == b"\x1f\x8b", fields.keys()
            query["types"] = json.loads(fields["sample_type_config"])
            status = 422 if how == "refusing" else 503 if asked % 2 else 200
            if status == 200:
                taken += 1
                with open("%d.pb.gz" % taken, "wb") as f:
                    f.write(fields["profile"])
                with open("%d.json" % taken, "w") as f:
                    json.dump(query, f)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        except Exception as e:
            with open("wrong", "a") as f:
                print(repr(e), file=f)
            raise


if how == "silent":
    Handler.handle = lambda self: self.rfile.read()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port.new", "w") as f:
    print(server.server_port, file=f)
os.rename("port.new", "port")
server.serve_forever()
