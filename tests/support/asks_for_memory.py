"""A decoder child whose decoder wants more memory than any frame needs."""

from __future__ import annotations

import inference.decoder_pool
from inference.decoding import Stored


def greedy(*_: object) -> Stored:
    """Ask for what a bomb asks for."""
    bytearray(8 * 2**30)
    raise AssertionError("a child got eight gigabytes")


if __name__ == "__main__":
    inference.decoder_pool.decode_codestream = greedy
    inference.decoder_pool.main()
