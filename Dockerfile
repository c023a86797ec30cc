# docker build -t lockstep:0.1.0 .
# Pin the base by digest where builds must repeat: --build-arg PYTHON=python:3.12-slim@sha256:…
ARG PYTHON=python:3.12-slim

FROM ${PYTHON} AS build
WORKDIR /src
# Build tools have an environment of their own: neither pip nor hatchling reaches the image.
COPY requirements-dev.lock ./
RUN python -m venv /tools \
 && /tools/bin/pip install --no-cache-dir --require-hashes -r requirements-dev.lock
COPY requirements.lock ./
RUN python -m venv --without-pip /opt/lockstep \
 && /tools/bin/pip --python /opt/lockstep/bin/python install --no-cache-dir --require-hashes -r requirements.lock
# The sources last, so that a change in them installs nothing else anew.
COPY pyproject.toml README.md ./
COPY webhook ./webhook
RUN /tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
 && /tools/bin/pip --python /opt/lockstep/bin/python install --no-cache-dir --no-deps /dist/*.whl

FROM ${PYTHON}
COPY --from=build /opt/lockstep /opt/lockstep
# The root filesystem may be read-only: .pyc files were made by the build.
ENV PATH=/opt/lockstep/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that Kubernetes can check runAsNonRoot.
USER 65532:65532
EXPOSE 8080 8081 8082
ENTRYPOINT ["lockstep"]
CMD ["serve"]
