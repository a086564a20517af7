"""A registry that refuses each repository in a way of its own; the Airflow image runs it on the node's own port 5000.

`large` is an image that is there, and takes 8 MiB of the node's disk.
"""

import hashlib
import http.server
import json

REFUSALS = {
    "none": (404, "MANIFEST_UNKNOWN"),
    "denied": (403, "DENIED"),
    "limited": (429, "TOOMANYREQUESTS"),
    "broken": (500, "UNKNOWN"),
}
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OTHER = (
    '{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",'
    '"digest":"sha256:%s","size":2,"platform":{"architecture":"s390x","os":"linux"}}]}' % (INDEX, "0" * 64)
).encode()


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def described(kind, content):
    return {"mediaType": "application/vnd.oci.image." + kind, "digest": digest(content), "size": len(content)}


LAYER = bytes(8 << 20)
CONFIG = json.dumps(
    {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest(LAYER)]}}
).encode()
LARGE = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described("config.v1+json", CONFIG),
        "layers": [described("layer.v1.tar", LAYER)],
    }
).encode()
BLOBS = {digest(content): content for content in (LAYER, CONFIG, LARGE)}


class Registry(http.server.BaseHTTPRequestHandler):
    def answer(self):
        parts = self.path.split("/")
        repository = parts[3] if len(parts) > 3 else ""
        if repository in REFUSALS:
            status, code = REFUSALS[repository]
            return status, "application/json", ('{"errors":[{"code":"%s","message":"as the test wants it"}]}' % code).encode()
        if repository == "large" and "/blobs/" in self.path:
            return 200, "application/octet-stream", BLOBS[parts[-1]]
        if repository == "large":
            return 200, MANIFEST, LARGE
        return 200, INDEX, OTHER

    def do_GET(self):
        status, kind, body = self.answer()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET


http.server.ThreadingHTTPServer(("127.0.0.1", 5000), Registry).serve_forever()
