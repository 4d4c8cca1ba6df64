"""The pages of docs/: links lead somewhere, and what the troubleshooting quotes is what is said."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hookbridge.web.replies import TABLE
from tests.support.curl import parse_curl
from tests.support.processes import REPOSITORY
from tests.support.running import make_settings, running

PAGES = sorted([*(REPOSITORY / "docs").glob("*.md"), *REPOSITORY.glob("*.md"), *REPOSITORY.glob("examples/**/*.md")])
TROUBLE = (REPOSITORY / "docs" / "troubleshooting.md").read_text()
GUIDES = ["Webhook not being received", "Signature verification failing", "High failure rate", "Processing too slow"]
"""The guide's own words, under "Troubleshooting"."""


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_what_happens_is_found_under_the_guides_words() -> None:
    assert re.findall(r"^## (.+)$", TROUBLE, re.MULTILINE) == GUIDES


def said_by(folder: str) -> str:
    """The texts of a package; where a value is put in, an ellipsis, and long ones on one line."""
    source = "\n".join(path.read_text() for path in sorted((REPOSITORY / "hookbridge" / folder).rglob("*.py")))
    joined = re.sub(r'"\n\s*f?"', "", source)
    return re.sub(r"\{[^{}]*\}", "…", joined)


def quoted(heading: str) -> list[str]:
    """What the tables with this heading quote in their first column."""
    tables = re.findall(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", TROUBLE, re.MULTILINE)
    rows = [row.split(" | ")[0] for table in tables for row in table.splitlines()]
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row)]


NAMES = re.compile(r"[\w. ]+: …|\w+")
"""A finding's name, or the word of a state: who says it is a whole sentence is quoted."""


def test_what_check_is_quoted_with_is_what_it_says() -> None:
    texts = said_by("doctor")
    sentences = [text for text in quoted("`check` says") if not NAMES.fullmatch(text)]
    assert len(sentences) > 10
    for sentence in sentences:
        for part in sentence.split("…"):
            assert part.strip() in texts, sentence


def test_reasons_of_refused_signatures_are_those_that_are_given() -> None:
    given = said_by("sources")
    reasons = quoted("reason")
    assert len(reasons) > 6
    for reason in reasons:
        assert f'"{reason}"' in given, reason
    assert "`events rejected --reason invalid_signature`" in TROUBLE
    assert "invalid_signature" in {row.code for row in TABLE.values()}


@pytest.mark.parametrize(
    ("sections", "status"),
    [
        ({"secrets": {"webhook_secrets": ("a-secret-of-the-senders",)}, "signatures": {"verify": True}}, 401),
        ({"server": {"allowed_hosts": ["hooks.example.com"]}}, 422),
        ({}, 421),
    ],
)
async def test_what_is_sent_from_another_network_is_answered_as_the_page_says(
    tmp_path: Path, sections: dict[str, Any], status: int
) -> None:
    (command,) = re.findall(r"^curl .+$", TROUBLE, re.MULTILINE)
    assert "https://hooks.example.com/" in command
    sent = parse_curl(command)
    async with running(make_settings(tmp_path, **sections)) as service:
        answer = await service.post(sent.path, sent.body, {**sent.headers, "Host": "hooks.example.com"})
        assert (answer.status, sent.method) == (status, "POST")
        assert re.search(rf"\b{status}\b", TROUBLE)
        assert [one.status for one in service.service.rejections.latest()] == [status]
