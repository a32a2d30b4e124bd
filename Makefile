.PHONY: run test bench

run:
	scripts/run

test:
	scripts/test

bench:
	scripts/install requirements-dev.lock
	.venv/bin/python tests/bench/actors.py
	.venv/bin/python tests/bench/media.py
