"""A server on loopback that speaks S3: moto's, with what it was given kept in a journal.

`start(folder)` runs this file as a process that can be killed; started again, it holds what it
held.
"""

import contextlib
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

BUCKET = "results"


def start(folder: Path, port: int = 0, fail_every: int = 0) -> tuple[subprocess.Popen, int]:
    """The server's process and its port.

    Args:
        folder: of its journal.
        port: where it listened before; 0 takes a free one.
        fail_every: every n-th request is answered that it should come later; 0 for none.
    """
    words = [sys.executable, __file__, str(folder / "journal"), str(port), str(fail_every)]
    process = subprocess.Popen(words, stdout=-1, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def stop(process: subprocess.Popen) -> None:
    """Ends a server at once, as a crash would."""
    process.kill()
    process.communicate()


@contextlib.contextmanager
def environment(port: int) -> Iterator[str]:
    """The variables by which users say where a store is; gives the address of its bucket."""
    wanted = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield f"s3://{BUCKET}"
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


class Journal:
    """An application that writes down what it has changed, and fails now and then."""

    def __init__(self, app, path: Path, fail_every: int):
        self._app, self._path, self._every, self._count = app, path, fail_every, 0

    def __call__(self, environ, start_response):
        self._count += 1
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if self._every and self._count % self._every == 0:
            start_response("503 Slow Down", [("Content-Length", "0")])
            return [b""]
        from io import BytesIO

        environ["wsgi.input"] = BytesIO(body)
        status = []

        def began(line, headers, *more):
            status.append(line)
            return start_response(line, headers, *more)

        answer = list(self._app(environ, began))
        if environ["REQUEST_METHOD"] in ("PUT", "DELETE") and status[0].startswith("2"):
            with self._path.open("ab") as file:
                pickle.dump((environ["REQUEST_METHOD"], environ["PATH_INFO"], body), file)
        return answer

    def replay(self) -> None:
        """Does again what was done."""
        from werkzeug.test import Client

        client = Client(self._app)
        client.put(f"/{BUCKET}", base_url="http://127.0.0.1")
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            while True:
                try:
                    method, path, body = pickle.load(file)
                except (EOFError, pickle.UnpicklingError):  # cut off with the process
                    return
                client.open(path, method=method, data=body, base_url="http://127.0.0.1")


def serve(journal: str, port: int, fail_every: int) -> None:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *more):
            pass

    app = Journal(DomainDispatcherApplication(create_backend_app), Path(journal), fail_every)
    app.replay()
    for _ in range(100):
        try:
            server = make_server("127.0.0.1", port, app, threaded=True, request_handler=Quiet)
            break
        except (OSError, SystemExit):  # the port of one that was killed is not free at once
            time.sleep(0.1)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
