import pytest

from support.asker import Asker


@pytest.fixture
def asker(stage, dns):
    asker = Asker(stage)
    yield asker
    asker.check()
