"""A registry that refuses each repository in a way of its own; the Airflow image runs it on the node's own port 5000."""

import http.server

REFUSALS = {"none": (404, "MANIFEST_UNKNOWN"), "denied": (403, "DENIED"), "limited": (429, "TOOMANYREQUESTS")}
INDEX = "application/vnd.oci.image.index.v1+json"
OTHER = (
    '{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",'
    '"digest":"sha256:%s","size":2,"platform":{"architecture":"s390x","os":"linux"}}]}' % (INDEX, "0" * 64)
).encode()


class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        parts = self.path.split("/")
        repository = parts[3] if len(parts) > 3 else ""
        if repository in REFUSALS:
            status, code = REFUSALS[repository]
            body, kind = ('{"errors":[{"code":"%s","message":"as the test wants it"}]}' % code).encode(), "application/json"
        else:
            status, body, kind = 200, OTHER, INDEX
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET


http.server.ThreadingHTTPServer(("127.0.0.1", 5000), Registry).serve_forever()
