"""The helper library on a real GPU: `make test-gpu` on a machine that has one."""
