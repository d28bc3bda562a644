"""The lock of a tree while images of servers are checked."""

from __future__ import annotations

import time
from types import SimpleNamespace

from ansible_collections.odh.persistency.plugins.module_utils._io.software import server_images


def test_the_lock_is_renewed_although_images_end_more_often(monkeypatch):
    monkeypatch.setattr(server_images, "_RENEWAL", 0.1)
    monkeypatch.setattr(server_images, "_PARALLEL", 1)

    def check_image(image, request, on_event):
        time.sleep(0.06)
        return {"failures": [{"module": image, "check": "kernel", "reason": "x"}]}

    renewals = []
    images = server_images.ServerImages(SimpleNamespace(check_image=check_image), [f"image{n}" for n in range(8)])
    failures = images.check({}, lambda event: None, lambda: renewals.append(1))
    assert [failure["image"] for failure in failures] == images.images
    assert renewals
