"""The server: on this machine alone, for pages that know the token in its address.

Whatever asks is refused unless it names this host and port, comes from this origin where it says
its origin, and has the token. The page may load nothing from elsewhere.
"""

import hmac
import io
import json
import secrets
import select
import socket
import string
import tempfile
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

from cem_jax.explore.asked import Asked, Photograph
from cem_jax.explore.session import BusyError, Session, StoppedError
from cem_jax.plain_text import shortened, told, visible
from cem_jax.scene.image import open_image
from cem_jax.view.figure_file import figure_bytes
from cem_jax.view.report.page import PARTS, as_json, as_script, part, policy

LARGEST_PHOTOGRAPH = 2**26
"""Bytes of a photograph that a page may send."""
_LARGEST_QUESTION = 2**16
_HOST = "127.0.0.1"


def page(session: Session) -> tuple[str, str]:
    """The page's HTML and its content security policy.

    Args:
        session: whose networks and photographs can be chosen.
    """
    folder = resources.files(__package__)
    own = {name: (folder / name).read_text("utf-8") for name in ("page.html", "explore.js")}
    style = part("style.css") + (folder / "explore.css").read_text("utf-8")
    script = as_script([*map(part, PARTS), own["explore.js"]])
    choices = {
        "photographs": session.photographs(),
        "tasks": session.tasks(),
        "networks": [
            {"label": label, "tasks": list(choice.tasks)}
            for label, choice in session.choices.items()
        ],
        "largest": LARGEST_PHOTOGRAPH,
    }
    text = string.Template(own["page.html"]).substitute(
        style=style, main=part("main.html"), choices=as_json(choices), script=script
    )
    more = "; connect-src 'self'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
    return text, policy(style, script, more)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request; `server` holds the session and the token."""

    server: "Server"
    timeout = 60  # a page that stops sending is let go
    server_version, sys_version = "cem-jax", ""

    def do_GET(self) -> None:
        """The page, a photograph, a map or its picture."""
        self._answer(
            {
                "": self._page, "photograph": self._photograph, "map.npz": self._map,
                "map.png": self._picture,
            }
        )  # fmt: skip

    def do_POST(self) -> None:
        """A photograph that is sent, a sweep, or its end."""
        self._answer({"photograph": self._keep, "sweep": self._sweep, "stop": self._stop})

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the address holds the token."""

    def _answer(self, ways: dict[str, Callable[[], None]]) -> None:
        problem = self._refused()
        if problem:
            self._send(403, problem.encode(), "text/plain")
            return
        address = urllib.parse.urlsplit(self.path)
        _, _, name = address.path.removeprefix("/").partition("/")
        self.query = dict(urllib.parse.parse_qsl(address.query))
        if name not in ways:
            self._send(404, b"there is nothing here", "text/plain")
            return
        try:
            ways[name]()
        except (ValueError, MemoryError) as error:
            self._send(400, shortened(told(error), 300).encode(), "text/plain")
        except OSError:
            self.close_connection = True  # the page is closed

    def _refused(self) -> str:
        """Why a request is none of the page's, in words; empty if it is one."""
        hosts = [f"{name}:{self.server.server_port}" for name in (_HOST, "localhost")]
        if self.headers.get("Host") not in hosts:
            return "another host"
        origin = self.headers.get("Origin")
        if origin is not None and origin not in [f"http://{host}" for host in hosts]:
            return "another origin"
        if self.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            return "another site"
        token = self.path.removeprefix("/").partition("/")[0]
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            return "another token"
        return ""

    def _send(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        try:
            self._head(status, kind, headers | {"Content-Length": str(len(body))})
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def _head(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        fixed = {
            "Content-Type": kind, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
        }  # fmt: skip
        for name, value in {**fixed, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _body(self, largest: int) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise ValueError("expected a Content-Length")
        if int(length) > largest:
            self.close_connection = True
            raise ValueError(f"{int(length)} bytes: expected {largest} at most")
        return self.rfile.read(int(length))

    def _page(self) -> None:
        text, allowed = page(self.server.session)
        self._send(200, text.encode(), "text/html; charset=utf-8", Content_Security_Policy=allowed)

    def _photograph(self) -> None:
        self._json(self.server.session.about(int(self.query.get("number", ""))))

    def _keep(self) -> None:
        name = shortened(visible(urllib.parse.unquote(self.headers.get("X-Name", ""))), 120)
        body = self._body(LARGEST_PHOTOGRAPH)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "photograph"
            file.write_bytes(body)
            try:
                pixels = open_image(file)
            except ValueError as error:
                raise ValueError(str(error).replace(str(file), name)) from error
        self._json(self.server.session.keep(Photograph(name or "photograph", pixels)))

    def _json(self, values: Any) -> None:
        self._send(200, json.dumps(values).encode(), "application/json")

    def _map(self) -> None:
        found = self.server.session.map(int(self.query.get("number", "")))
        with tempfile.TemporaryDirectory() as folder:
            found.save(Path(folder) / "map.npz")
            body = (Path(folder) / "map.npz").read_bytes()
        self._download(body, "map.npz", "application/octet-stream")

    def _picture(self) -> None:
        from matplotlib import pyplot

        from cem_jax.view.plot import plot

        figure = plot(self.server.session.map(int(self.query.get("number", "")))).figure
        body = figure_bytes(figure, "png", dpi=200)  # pyright: ignore[reportArgumentType]
        pyplot.close(figure)  # pyright: ignore[reportArgumentType]
        self._download(body, "map.png", "image/png")

    def _download(self, body: bytes, name: str, kind: str) -> None:
        self._send(200, body, kind, Content_Disposition=f'attachment; filename="{name}"')

    def _stop(self) -> None:
        self.server.session.stop(str(_parsed(self._body(_LARGEST_QUESTION)).get("tab")))
        self._json({})

    def _sweep(self) -> None:
        asked = Asked.read(_parsed(self._body(_LARGEST_QUESTION)))
        self._head(200, "application/x-ndjson", {})  # its end is that of the connection

        def send(values: dict[str, Any]) -> None:
            self.wfile.write(json.dumps(values, separators=(",", ":")).encode() + b"\n")
            self.wfile.flush()

        try:
            self.server.session.sweep(asked, send, self._closed)
        except (StoppedError, OSError):
            return
        except (BusyError, ValueError, MemoryError, RuntimeError) as error:
            problem = str(error) if isinstance(error, BusyError) else told(error)
            send({"problem": shortened(problem, 300)})

    def _closed(self) -> bool:
        """Whether the page has closed the connection."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = json.load(io.BytesIO(body))
    except (ValueError, RecursionError) as error:
        raise ValueError("expected JSON") from error
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return found


class Server(ThreadingHTTPServer):
    """Serves a session to this machine.

    Args:
        session: what is explored.
        port: of this machine; 0 takes one that is free.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, session: Session, port: int = 0) -> None:
        self.session, self.token = session, secrets.token_urlsafe(24)
        super().__init__((_HOST, port), _Handler)

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        return f"http://{_HOST}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: pages close connections as they like."""
