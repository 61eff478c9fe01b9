"""Text recognition by the `tesseract` program, where it is installed: a process a page, bounded in time and memory."""

import os
import resource
import shutil
import subprocess  # a program the operator installed, never one that a document names
from pathlib import Path

from pilothouse.kernel.errors import Unavailable
from pilothouse.steps.knowledge.ports import Picture

SECONDS_MAX = 60.0
MEMORY_BYTES_MAX = 1536 * 1024 * 1024
ANSWER_BYTES_MAX = 4 * 1024 * 1024
_PASSED = ("PATH", "LANG", "LC_ALL", "TESSDATA_PREFIX")
"""What the program sees of the environment; never a credential."""


def installed(command: str = "", *, languages: str = "eng") -> "Tesseract | None":
    """Return the engine that `command` names (a path, or `none` for none), or the one on the path; None without."""
    if command == "none":
        return None
    found = shutil.which(command or "tesseract")
    return Tesseract(Path(found), languages=languages) if found else None


class Tesseract:
    """Reads pictures of pages; `languages` as the program takes them, such as `eng+deu`."""

    def __init__(self, program: Path, *, languages: str = "eng", seconds: float = SECONDS_MAX,
                 memory_bytes: int = MEMORY_BYTES_MAX) -> None:
        self._program, self._languages, self._seconds, self._memory = program, languages, seconds, memory_bytes
        said = self._run(["--version"], b"").split("\n", 1)[0].strip()
        self.name = "-".join(said.split()[:2]) or "tesseract"

    def read(self, picture: Picture) -> str:
        """Return the text of a page; raises Unavailable when the program fails, hangs or wants too much memory."""
        drawn = b"P5\n%d %d\n255\n" % (picture.width, picture.height) + picture.pixels
        return self._run(["stdin", "stdout", "-l", self._languages, "--dpi", str(picture.dots_per_inch)], drawn)

    def _run(self, options: list[str], given: bytes) -> str:
        environment = {k: v for k in _PASSED if (v := os.environ.get(k))} | {"OMP_THREAD_LIMIT": "1"}
        try:
            process = subprocess.Popen([str(self._program), *options], stdin=subprocess.PIPE, env=environment,  # noqa: S603
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, close_fds=True)
        except OSError as broken:
            raise Unavailable(f"the OCR engine cannot be started: {broken.strerror}") from broken
        if hasattr(resource, "prlimit"):
            resource.prlimit(process.pid, resource.RLIMIT_AS, (self._memory, self._memory))
        try:
            told, _ = process.communicate(given, timeout=self._seconds)
        except subprocess.TimeoutExpired as slow:
            raise Unavailable(f"the OCR engine took longer than {self._seconds:g} seconds for a page") from slow
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if process.returncode:
            raise Unavailable(f"the OCR engine ended with {process.returncode}")
        return told[:ANSWER_BYTES_MAX].decode("utf-8", "replace").replace("\f", "\n\n")
