"""A review server in a process of its own, so that it can be killed: STORE PORT TOKEN."""

from __future__ import annotations

import sys

from weaklabel.review.app import serve_store
from weaklabel.review.store import Store

if __name__ == "__main__":
    serve_store(Store(sys.argv[1]), port=int(sys.argv[2]), token=sys.argv[3])
