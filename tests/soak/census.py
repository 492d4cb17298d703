"""Subprotocol that reports the objects of the daemon's process, where a leak shows that is too small for its memory."""

from __future__ import annotations

import gc
import json
import sys
from collections import Counter

from wsdaemon.websocket.connection import Connection

COUNTED = ("wsdaemon", "twisted", "autobahn", "OpenSSL", "zlib", "_io", "tests")


class Census(Connection):
    """Answers any message with a JSON object: the allocated blocks, and the live objects by class."""

    names = ("census",)

    def message_received(self, message: bytes, is_binary: bool) -> None:
        """Count after a garbage collection."""
        gc.collect()
        blocks = sys.getallocatedblocks()
        kinds = [type(each) for each in gc.get_objects()]
        names = (f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)
        counted = Counter(name for name in names if name.partition(".")[0] in COUNTED)
        self.send_message(json.dumps({"blocks": blocks, "objects": counted}).encode(), is_binary=False)
