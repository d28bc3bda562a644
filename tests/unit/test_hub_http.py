"""Addresses and tokens of hubs that are rejected before the first request."""

from __future__ import annotations

import pytest
from ansible_collections.odh.persistency.plugins.module_utils._io.hub import http
from ansible_collections.odh.persistency.plugins.module_utils._io.hub.client import HubClient, HubError
from ansible_collections.odh.persistency.plugins.module_utils._io.hub.http import api_address


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://hub.example.org", "https://hub.example.org/hub/api"),
        ("https://hub.example.org/", "https://hub.example.org/hub/api"),
        (" https://hub.example.org/hub\n", "https://hub.example.org/hub/api"),
        ("https://hub.example.org/hub/api/", "https://hub.example.org/hub/api"),
        ("http://hub:8081", "http://hub:8081/hub/api"),
        ("http://[::1]:8081/a/b/", "http://[::1]:8081/a/b/hub/api"),
        ("https://hub.example.org/github", "https://hub.example.org/github/hub/api"),
        ("https://hub.example.org/hub/hub", "https://hub.example.org/hub/hub/api"),
    ],
)
def test_addresses(url: str, api: str) -> None:
    assert api_address(url) == api


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is not a URL"),
        ("hub.example.org", "is not a URL"),
        ("ftp://hub.example.org", "is not a URL"),
        ("https://", "is not a URL"),
        ("https://hub:port", "is not a URL"),
        ("https://hub:99999", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://ann:hunter2@hub.example.org", "user or password"),
        ("ann:hunter2@hub.example.org", "is not a URL"),
        ("https://hub.example.org/hub/api?token=hunter2", "has a `?` or `#`"),
    ],
)
def test_wrong_addresses(url: str, words: str) -> None:
    with pytest.raises(HubError) as caught:
        HubClient(url, "0123456789")
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("token", ["", "abc def", "abcdef\n", "\tabcdef", "abc\x00def", "schlüssel"])
def test_tokens_that_cannot_be_sent(token: str) -> None:
    with pytest.raises(HubError, match="The token") as caught:
        HubClient("https://hub.example.org", token)
    assert not token or token not in str(caught.value)


def test_without_urllib3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "IMPORT_ERROR", ImportError("No module named urllib3"))
    with pytest.raises(HubError, match="urllib3"):
        HubClient("https://hub.example.org", "0123456789")
