"""The page: small, self-contained, and drawn by a real browser where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from api.page import files
from skb.draw import STYLE
from tests.draw.machines import HOSTILE

LIMIT_BYTES = 200 * 1024
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--log-level=0", "--window-size=1400,900"),
)


def test_page_is_small_and_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    """All parts together stay under 200 KB, and none names another server."""
    assert sum(len(content) for content, _ in files().values()) < LIMIT_BYTES
    for name, (content, media_type) in files().items():
        answer = client.get(f"/page/{name}")
        assert (answer.content, answer.headers["content-type"]) == (content, media_type)
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text.replace("http://localhost", "")), name


def test_page_has_no_inline_script_or_style(client: httpx.Client) -> None:
    """What the policy forbids is not in the page."""
    html = client.get("/").text
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html)
    for name, (content, _) in files().items():
        if name.endswith(".js"):
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|eval\(|document\.write", content.decode()
            )


def test_page_imports_only_what_is_there(client: httpx.Client) -> None:
    """Every file that the page and its modules name is served."""
    html = client.get("/").text
    wanted = set(re.findall(r'(?:src|href)="/page/([^"]+)"', html))
    for name, (content, _) in files().items():
        if name.endswith(".js"):
            wanted |= set(re.findall(r'from "\./([^"]+)"', content.decode()))
    assert wanted <= set(files())
    assert client.get("/page/drawing.css").text == STYLE


def test_page_is_revalidated_by_its_digest(client: httpx.Client) -> None:
    """A browser asks again and gets 304 as long as nothing has changed."""
    tag = client.get("/page/page.js").headers["etag"]
    assert client.get("/page/page.js", headers={"If-None-Match": tag}).status_code == 304


def _seen(address: str, fragment: str, profile: Path, expected: tuple[str, ...] = ()) -> str:
    """Return the page's DOM as a real browser has it.

    Fails where the browser's console has a line, a breach of the policy among them, that names
    nothing of `expected`.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    done = subprocess.run(
        [
            CHROMIUM,
            *QUIET,
            f"--user-data-dir={profile}",
            "--virtual-time-budget=8000",
            "--dump-dom",
            f"{address}/#{fragment}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert [line for line in console if not any(word in line for word in expected)] == []
    return done.stdout


def test_browser_draws_the_machine_and_a_part(address: str, tmp_path: Path) -> None:
    """Boxes are on the stage, the selected part is marked and its facts are told."""
    dom = _seen(address, "machine=tyan-s4985&part=l3:2&find=pu:31", tmp_path)
    assert dom.count('data-object="pu:') == 32
    assert re.search(r'class="[^"]*selected[^"]*"[^>]*data-object="l3:2"', dom)
    assert "1 part<" in dom
    assert "cache size" in dom and "2 MiB" in dom and "AMD Opteron 8350" in dom


def test_browser_plays_a_route(address: str, client: httpx.Client, tmp_path: Path) -> None:
    """A decided route lies over the boxes; at an early time later sends are faded out."""
    request = {"root": 0, "members": [0, 4, 8, 12, 16, 20]}
    decision = client.post("/v1/machines/tyan-s4985/ask/route", json=request).json()
    dom = _seen(address, f"machine=tyan-s4985&decision={decision['id']}&t=1", tmp_path)
    assert dom.count('class="hop') >= 5 + 1
    assert "hop critical" in dom and "later" in dom
    assert "0 ns · 1 of 6 PUs" in dom
    words = "proven optimal" if decision["status"] == "optimal" else "best found"
    assert words in dom and "Critical path" in dom


def test_browser_offers_questions_for_this_machine(address: str, tmp_path: Path) -> None:
    """The form is prefilled with an example that names devices of the machine."""
    dom = _seen(address, "machine=ex235a&tab=ask&question=buffers", tmp_path)
    assert "<textarea" in dom and "Time limit, s" in dom
    assert "hsi0" in dom


def test_browser_tells_what_is_wrong(address: str, tmp_path: Path) -> None:
    """An unknown machine in the address is a message that says what to do."""
    dom = _seen(address, "machine=nope", tmp_path, expected=("404",))
    assert "there is no machine 'nope'" in dom and "What to do:" in dom


def test_browser_executes_no_name(address: str, client: httpx.Client, tmp_path: Path) -> None:
    """A machine whose name, title and facts are scripts is shown as text."""
    name = "<img src=x onerror=alert(1)>"
    title = HOSTILE[0].replace('"', "'")
    body = f'[machine]\nname = "x"\ntitle = "{title}"\n[structure]\ntree = "core:2 pu:1"\n'
    stored = client.post("/v1/machines", params={"name": name, "replace": True}, content=body)
    assert stored.status_code == 201, stored.text
    fact = {"predicate": "info", "args": ["core:0", "<b>bold</b>", "<script>alert(1)</script>"]}
    changed = client.patch(f"/v1/machines/{quote(name)}/facts", json={"assert": [fact]})
    assert changed.status_code == 200, changed.text
    dom = _seen(address, str(httpx.QueryParams({"machine": name, "part": "core:0"})), tmp_path)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in dom
    assert "<script>alert" not in dom and "<img" not in dom and "<b>bold" not in dom
    client.delete(f"/v1/machines/{quote(name)}")
