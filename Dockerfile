# nserbench with the CPU build of torch, in the versions of constraints.txt.
# docs/install.md says how it is built and run.
FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
ARG EXTRAS=download,stats
WORKDIR /source

RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH

# torch changes less often than the code, so that its layer is kept.
COPY constraints.txt .
RUN pip install -c constraints.txt torch \
    --extra-index-url https://download.pytorch.org/whl/cpu

COPY . .
RUN pip install -c constraints.txt ".[${EXTRAS}]"

FROM python:3.11-slim-bookworm

COPY --from=build /venv /venv
RUN useradd --create-home --uid 1000 nserbench \
    && install --directory --owner nserbench /data /store /results

ENV PATH=/venv/bin:$PATH \
    HF_HOME=/store/huggingface \
    NSERBENCH_RESULTS=/results \
    NSERBENCH_STORE=/store \
    MPLCONFIGDIR=/tmp/matplotlib
USER 1000
WORKDIR /data
VOLUME ["/data", "/store", "/results"]
ENTRYPOINT ["nserbench"]
CMD ["--help"]
