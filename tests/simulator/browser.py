"""Reports in a real browser: Debian's Chromium, headless, where it is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest

needs_chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")

_INDEX = """<!doctype html><meta charset="utf-8"><body>{frames}<pre id="seen"></pre><script>
addEventListener("load", () => {{
  const seen = {{}};
  for (const frame of document.querySelectorAll("iframe")) {{
    const page = frame.contentDocument, box = page.documentElement;
    seen[frame.name] = {{
      heading: page.querySelector("h1").textContent,
      drawn: [...page.querySelectorAll("polyline")].filter((line) => line.getBBox().width > 0).length,
      tables: page.querySelectorAll("table").length,
      hangs_out: Math.max(0, box.scrollWidth - box.clientWidth),
    }};
  }}
  document.getElementById("seen").textContent = JSON.stringify(seen);
}});
</script>"""
_FRAME = '<iframe name="{name}" src="{name}.html" width="1250" height="2600"></iframe>'
_SEEN = re.compile(r'<pre id="seen">(.*?)</pre>', re.DOTALL)


def opened(pages: Mapping[str, str], directory: Path) -> dict[str, dict[str, Any]]:
    """Open pages side by side, by one start of the browser. By name: the `heading` that it shows, how many
    lines are `drawn`, how many `tables` there are, by how many pixels it `hangs_out` of a wide window."""
    for name, html in pages.items():
        (directory / f"{name}.html").write_text(html, "utf-8")
    index = directory / "index.html"
    index.write_text(_INDEX.format(frames="".join(_FRAME.format(name=name) for name in pages)), "utf-8")
    done = subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"),
            *(f"--user-data-dir={directory / 'profile'}", "--dump-dom", index.as_uri()),
        ],
        check=True,
        capture_output=True,
        timeout=200,
    )
    found = _SEEN.search(done.stdout.decode())
    assert found is not None, done.stderr.decode()[-2000:]
    seen: dict[str, dict[str, Any]] = json.loads(unescape(found[1]))
    return seen
