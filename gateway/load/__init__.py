"""The load tester: an open-loop generator, its targets, its checks and its reports."""
