"""What a node asks of the machine it starts on."""

import resource

from veza.gateway.main import allow_open_files


def test_a_node_may_open_more_files_than_a_shell_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (low, before[1]))
    try:
        allow_open_files(low + 50)
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)
        allow_open_files(low)
        kept = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert raised == kept == (low + 50, before[1])
