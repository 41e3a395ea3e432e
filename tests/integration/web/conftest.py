"""The same server as the tests of recorded exchanges have."""

from tests.wire.conftest import door, folder, template

__all__ = ["door", "folder", "template"]
