"""Which files are let in under which name: safe paths, and the reasons that keep a file out."""

from pilothouse.kernel.errors import Invalid

PATH_LENGTH_MAX = 1_000
WITHDRAWN = "withdrawn"

WHY = {
    "link": "a link: links are never followed; put the file itself into the folder",
    "unreadable": "it cannot be read; check its permissions",
    "unreadable-folder": "this folder cannot be looked into; check its permissions (what was taken in from it stays)",
    "bad-name": "its name is not valid UTF-8; rename it",
    "too-deep": "it lies more than 40 folders deep; move it up",
    "not-a-file": "a device or pipe, not a file",
    "too-large": "larger than 50 MB; split it, or leave out what nobody asks about",
    "no-text": "no text was found; a scan needs OCR first",
    "no-access-rule": "no access rule covers it, so nobody could read it; add a rule for its folder",
    "own-permissions": "its system says who may read it, and that cannot be kept here yet; take it in another way",
    WITHDRAWN: "a person withdrew it; upload it again, or change the file, to let it back in",
}
"""What to do about each reason, by its stable word."""


def safe_path(path: str) -> str:
    """Return a path within a source in normal form; raises Invalid for one that leads out of it or names nothing."""
    parts = [p for p in path.replace("\\", "/").split("/") if p not in ("", ".")]
    if not parts or ".." in parts or len(path) > PATH_LENGTH_MAX or not path.isprintable():
        raise Invalid("give a file name or a path under the source, such as policies/leave.md", field="path")
    return "/".join(parts)
