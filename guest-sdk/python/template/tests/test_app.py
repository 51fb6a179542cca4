import sys
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("src", ".tollgate/guest-sdk/python/src")]

from app import Stamp  # noqa: E402
from tollgate_filter.testing import TestGateway  # noqa: E402


class Stamps(unittest.TestCase):
    def test_only_requests_without_a_stamp_get_one(self):
        gateway = TestGateway(Stamp, {"value": "new"})
        self.assertEqual(gateway.request().forwarded["x-stamp"], "new")
        self.assertEqual(gateway.request(fields={"x-stamp": "old"}).forwarded["x-stamp"], "old")


if __name__ == "__main__":
    unittest.main()
