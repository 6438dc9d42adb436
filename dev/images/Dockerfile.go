# The store's build stage, with the program that was built on this machine already in its place.
ARG BASE
FROM ${BASE}
ARG PROGRAM
COPY ${PROGRAM} /out/
