"""Plain texts become HTML that holds only what we put in."""

from pilothouse.doors.console.prose import prose, ticked


def test_course_texts_become_paragraphs_lists_and_emphasis() -> None:
    told = prose("First **bold** and *soft*.\n\nWhat helps:\n- one\n  goes on\n- two `x`\n\n1. a\n2. b")
    assert told == ("<p>First <strong>bold</strong> and <em>soft</em>.</p>\n<p>What helps:</p><ul><li>one goes on</li>"
                    "<li>two <code>x</code></li></ul>\n<ol><li>a</li><li>b</li></ol>")


def test_markup_in_a_text_stays_text() -> None:
    assert prose("<script>alert(1)</script> **<b>**") == (
        "<p>&lt;script&gt;alert(1)&lt;/script&gt; <strong>&lt;b&gt;</strong></p>")
    assert ticked("`<i>` & \"x\"") == "<code>&lt;i&gt;</code> &amp; &#34;x&#34;"


def test_stars_that_are_no_emphasis_stay() -> None:
    assert prose("2 * 3 * 4 is 24") == "<p>2 * 3 * 4 is 24</p>"
