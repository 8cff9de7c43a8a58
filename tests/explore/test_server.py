"""The server answers its own page alone, and says in a line what it does not take."""

import http.client
import io
import json
import threading

import pytest
import small_session as small
from PIL import Image

import cem_jax as cem
from cem_jax.explore.server import LARGEST_PHOTOGRAPH, Server

HOSTILE = "</script><img src=x onerror=alert(1)>\u202egnp.\x1b[31m$(reboot).png"


@pytest.fixture(scope="module")
def server():
    with Server(small.session()) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ask(server):
    def asked(method, way, body=None, token=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
        token = server.token if token is None else token
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"/{token}/{way}", body, headers)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found

    return asked


def test_it_listens_to_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.address.startswith("http://127.0.0.1:") and len(server.token) >= 32


def test_the_page_may_load_nothing_from_elsewhere(ask):
    status, headers, body = ask("GET", "")
    assert status == 200 and b"Explore effects" in body
    allowed = headers["Content-Security-Policy"]
    assert allowed.startswith("default-src 'none'; img-src data:;") and "unsafe" not in allowed
    assert "connect-src 'self'" in allowed and "frame-ancestors 'none'" in allowed
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "how",
    [
        {"token": "wrong"}, {"token": ""}, {"Host": "evil.example"}, {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)  # fmt: skip
@pytest.mark.parametrize(("method", "way"), [("GET", ""), ("POST", "sweep"), ("POST", "stop")])
def test_others_are_refused(ask, method, way, how):
    status, _, body = ask(method, way, b"{}" if method == "POST" else None, **how)
    assert status == 403 and len(body.splitlines()) == 1


def test_its_own_origin_is_let_in(ask, server):
    origin = f"http://127.0.0.1:{server.server_port}"
    assert ask("GET", "", Origin=origin, Sec_Fetch_Site="same-origin")[0] == 200


def test_a_photograph_with_a_hostile_name_is_a_photograph(ask):
    from urllib.parse import quote

    drawn = io.BytesIO()
    Image.fromarray(small.photograph()).save(drawn, "png")
    status, _, body = ask("POST", "photograph", drawn.getvalue(), X_Name=quote(HOSTILE))
    found = json.loads(body)
    assert status == 200 and (found["height"], found["width"]) == (96, 112)
    assert found["name"].isprintable() and "\u202e" not in found["name"]
    _, _, page = ask("GET", "")
    assert b"onerror=alert" not in page.replace(b"\\u003c", b"")[: page.index(b"<main")]
    assert b"<img src=x" not in page


@pytest.mark.parametrize("body", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_photograph_is_said_in_a_line(ask, body):
    status, _, told = ask("POST", "photograph", body, X_Name="a.png")
    assert status == 400 and len(told.decode().splitlines()) == 1
    assert "/tmp" not in told.decode()


def test_too_large_is_said_before_it_is_read(ask):
    status, _, told = ask("POST", "photograph", None, Content_Length=str(LARGEST_PHOTOGRAPH + 1))
    assert status == 400 and f"expected {LARGEST_PHOTOGRAPH} at most".encode() in told
    assert ask("POST", "photograph", None, Content_Length="many")[0] == 400


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b"{", b"\xff", b"[" * 5000, b'{"tab": "x", "roi": [1]}']
)
def test_what_is_no_question_is_said_in_a_line(ask, body):
    status, _, told = ask("POST", "sweep", body)
    assert status == 400 and len(told.decode().splitlines()) == 1


def test_ways_that_are_none_end_in_404(ask):
    for way in ("../etc/passwd", "map", "page.html", "sweep/x"):
        assert ask("GET", way)[0] == 404
    assert ask("GET", "map.npz?number=9999")[0] == 400
    assert ask("GET", "map.npz?number=x")[0] == 400


def test_a_sweep_is_told_line_by_line_and_its_map_can_be_saved(ask, tmp_path):
    status, _, body = ask("POST", "sweep", json.dumps(small.told()))
    lines = [json.loads(line) for line in body.splitlines()]
    assert status == 200 and sum("round" in line for line in lines) > 2
    number = next(line["done"] for line in lines if "done" in line)
    status, headers, saved = ask("GET", f"map.npz?number={number}")
    assert status == 200 and "attachment" in headers["Content-Disposition"]
    (tmp_path / "map.npz").write_bytes(saved)
    small.same(cem.EffectMap.load(tmp_path / "map.npz"), small.expected())
    status, _, drawn = ask("GET", f"map.png?number={number}")
    assert status == 200 and Image.open(io.BytesIO(drawn)).width > 1000


def test_what_does_not_fit_is_a_line_of_the_sweep(ask):
    status, _, body = ask("POST", "sweep", json.dumps(small.told(roi=[0, 0, 640, 16])))
    last = json.loads(body.splitlines()[-1])
    assert status == 200 and "leaves the image" in last["problem"]
