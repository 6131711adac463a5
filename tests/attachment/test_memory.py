"""Attachments in memory keep the contract."""

from __future__ import annotations

import pytest

from lrs.attachment.memory import MemoryAttachments
from tests.attachment.contract import AttachmentsContract, Home


class TestMemoryAttachments(AttachmentsContract):
    @pytest.fixture
    async def home(self) -> Home:
        accepted: set[tuple[int, bytes]] = set()

        async def accept(tenant: int, id: bytes) -> None:
            accepted.add((tenant, id))

        attachments = MemoryAttachments(lambda *statement: statement in accepted)
        return Home(attachments, attachments.sharing(grace=0), accept)
