"""``tin browse``, really started: strangers here and pages of other origins get nothing."""

import http.client
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tin_lib.analysis import runs

KERNEL = "0a1b2c3d-0000-4000-8000-000000000000"  # of the form that the server expects
CONFIG = 'c.Voila.ip = "0.0.0.0"\nc.Voila.token = ""\nopen("ran", "w").close()\n'
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass(frozen=True)
class Server:
    """A running ``tin browse`` with an open page."""

    port: int
    token: str
    kernel: str  # of the open page
    cookie: str  # of the open page
    folder: Path  # the server's working folder
    process: int

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, bytes]:
        """Status, Location and body of an answer; header names with _ for -."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            link.request(method, path, headers=given)
            answer = link.getresponse()
            body = b"" if answer.status == 101 else answer.read()
            return answer.status, answer.headers.get("Location", ""), body
        finally:
            link.close()

    def closed(self, path: str, method: str = "GET", **headers: str) -> bool:
        """Whether nothing is given: refused, or led to the page that asks for the token."""
        status, location, body = self.ask(path, method, **headers)
        return (status >= 400 or "/login?" in location) and b"saliency" not in body.lower()


@pytest.fixture(scope="module")
def server(run: runs.Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Started in a folder in which a stranger has left settings."""
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "voila.py").write_text(CONFIG)
    # -P: as the command tin, which does not look for modules in the working folder.
    command = [sys.executable, "-P", "-m", "tin_lib", "browse", str(run.path), "--no-open"]
    temporary = folder.parent / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]+)\n", line)
        assert found, line
        kernel, cookie = opened(int(found[1]), found[2])
        yield Server(int(found[1]), found[2], kernel, cookie, folder, process.pid)
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def opened(port: int, token: str) -> tuple[str, str]:
    """Open the page as its reader does; the id of its kernel and the cookie."""
    last = time.monotonic() + 60
    while True:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            link.request("GET", f"/?token={token}")
            answer = link.getresponse()
            cookies = [c.partition(";")[0] for c in answer.headers.get_all("Set-Cookie") or ()]
            kernel = re.search(r'"kernelId": *"([\w-]+)"', answer.read().decode())
            assert kernel, answer.status
            return kernel[1], "; ".join(cookies)
        except ConnectionRefusedError:
            assert time.monotonic() < last
            time.sleep(0.2)
        finally:
            link.close()


def test_the_reader_is_let_in(server: Server) -> None:
    """Else the refusals below would mean nothing."""
    assert server.ask(f"/api/kernels/{server.kernel}", Cookie=server.cookie)[0] == 200
    channels = f"/api/kernels/{server.kernel}/channels"
    assert server.ask(channels, Cookie=server.cookie, **UPGRADE)[0] == 101


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/?token=guess"),
        ("GET", f"/api/kernels/{KERNEL}"),
        ("GET", "/api/kernels"),
        ("GET", "/api/contents"),
        ("GET", "/api/terminals"),
        ("POST", "/api/kernels"),
        ("DELETE", "/api/kernels/THEIRS"),
        ("POST", "/voila/api/shutdown/THEIRS"),
        ("GET", "/api/kernels/THEIRS/channels"),
        ("GET", "/saliency-browser.ipynb"),
    ],
)
def test_without_the_token(server: Server, fault: Callable, method: str, path: str) -> None:
    path = path.replace("THEIRS", server.kernel)
    with fault("unauthorised request to the browser", f"no token: {method} {path}"):
        headers = UPGRADE if path.endswith("channels") else {}
        assert server.closed(path, method, **headers)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:PORT", "10.0.0.1", "localhost.evil"]
)
def test_another_host_name(server: Server, fault: Callable, host: str) -> None:
    """A name of the attacker's whose address becomes 127.0.0.1 after its page was loaded."""
    host = host.replace("PORT", str(server.port))
    for path in (f"/?token={server.token}", f"/api/kernels/{server.kernel}"):
        with fault("unauthorised request to the browser", f"Host {host} {path[:9]}"):
            assert server.closed(path, Host=host, Cookie=server.cookie)
    with fault("unauthorised request to the browser", f"WebSocket, Host {host}"):
        path = f"/api/kernels/{server.kernel}/channels"
        assert server.closed(path, Host=host, Cookie=server.cookie, **UPGRADE)


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null"])
def test_another_origin(server: Server, fault: Callable, origin: str) -> None:
    """A page that the reader has open elsewhere sends the reader's cookie along."""
    kernel = f"/api/kernels/{server.kernel}"
    for method, path, more in (
        ("DELETE", kernel, {}),
        ("POST", f"{kernel}/interrupt", {}),
        ("POST", f"/voila/api/shutdown/{server.kernel}", {}),
        ("GET", f"{kernel}/channels", UPGRADE),
    ):
        with fault("unauthorised request to the browser", f"Origin {origin}: {method} {path}"):
            assert server.closed(path, method, Origin=origin, Cookie=server.cookie, **more)
    assert server.ask(kernel, Cookie=server.cookie)[0] == 200  # it still runs


@pytest.mark.parametrize(
    "prefix", ["/voila/static/", "/voila/files/", "/voila/templates/tin/static/"]
)
@pytest.mark.parametrize(
    "path", ["../../../../../../etc/passwd", "..%2f..%2f..%2f..%2f..%2fetc/passwd", "/etc/passwd"]
)
def test_paths_that_leave_the_folder(
    server: Server, fault: Callable, prefix: str, path: str
) -> None:
    with fault("unauthorised request to the browser", prefix + path):
        status, _, body = server.ask(prefix + path, Cookie=server.cookie)
        assert status >= 400
        assert b"root:" not in body


def test_it_listens_here_only_and_follows_no_strangers_settings(
    server: Server, fault: Callable
) -> None:
    with fault("unauthorised request to the browser", "settings in the working folder"):
        assert not (server.folder / "ran").exists()
        assert server.closed("/")
    with fault("unauthorised request to the browser", "the address"):
        lines = Path(f"/proc/{server.process}/net/tcp").read_text().splitlines()[1:]
        mine = [row.split()[1] for row in lines if row.split()[3] == "0A"]
        here = [address for address in mine if address.endswith(f":{server.port:04X}")]
        assert here == [f"0100007F:{server.port:04X}"]


def test_the_token_is_in_no_file_and_no_command_line(server: Server, fault: Callable) -> None:
    with fault("unauthorised request to the browser", "reading the command lines"):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                assert server.token.encode() not in path.read_bytes()
            except OSError:
                continue  # it has ended
    with fault("unauthorised request to the browser", "reading the temporary folders"):
        folder = server.folder.parent / "temporary"
        ours = [*folder.glob("tin-browse-*"), *folder.glob("voila_*")]
        assert len(ours) >= 2
        assert not any(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) for path in ours)
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert not any(server.token.encode() in path.read_bytes() for path in files)
