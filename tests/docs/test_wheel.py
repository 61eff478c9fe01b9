"""The wheel stands alone: built from the checkout, installed elsewhere, it serves the same demo."""

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_installed_into_an_empty_environment_serves_the_demo(tmp_path: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    built = subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=ROOT,
                           text=True, capture_output=True, check=False, timeout=120)
    assert built.returncode == 0, built.stderr
    wheel = next(tmp_path.glob("*.whl"))
    for words in (["venv", str(tmp_path / "env")],
                  ["pip", "install", "--python", str(tmp_path / "env"), "--require-hashes", "-r",
                   str(ROOT / "requirements.lock")],
                  ["pip", "install", "--python", str(tmp_path / "env"), "--no-deps", str(wheel)]):
        done = subprocess.run([str(uv), *words], text=True, capture_output=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PILOTHOUSE_", "PYTHON"))}
    words = ["demo", "--home", str(tmp_path / "home"), "--port", "0"]
    server = subprocess.Popen([str(tmp_path / "env/bin/pilothouse"), *words], cwd=tmp_path, env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout is not None
        address = re.search(r"http://\S+", server.stdout.readline())
        assert address is not None
        with urllib.request.urlopen(address.group() + "/sign-in", timeout=30) as page:
            assert "henrike-adebayo" in page.read().decode()
    finally:
        server.terminate()
        server.wait(60)
        assert server.stdout is not None
        server.stdout.close()
