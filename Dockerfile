# Two images from one file:
#
#   docker build -t understudy .                        the service (the last stage, so the default)
#   docker build -t understudy-trainer --target trainer .
#
#   --build-arg TENSORFLOW=full       TensorFlow's full build instead of the one for CPUs only
#   --build-arg PACKAGES=traces       with OpenTelemetry, which exports spans
#   --build-arg PACKAGES=replicas     with object stores, and PostgreSQL for events
#
# docs/guides/deploy-with-docker.md tells how they are run, and how large they are.

ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS base


# ---- The packages that serving needs, in a virtual environment without pip.
FROM base AS packages
# For strip; this stage is thrown away.
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils \
 && rm -rf /var/lib/apt/lists/*
ARG TENSORFLOW=cpu
# The lock of what is installed: serve, traces, object-store or replicas.
ARG PACKAGES=serve
COPY requirements/serve.lock requirements/traces.lock requirements/object-store.lock \
     requirements/replicas.lock /build/
COPY deploy/docker/image_lock.py deploy/docker/slim.sh /build/
# Left out is what TensorFlow's metadata asks for, but only building models or building TensorFlow
# uses. TensorFlow imports Keras whenever it finds it, so without Keras a start is quicker too.
RUN --mount=type=cache,target=/root/.cache/pip \
    python /build/image_lock.py "/build/$PACKAGES.lock" --tensorflow "$TENSORFLOW" \
        --without grpcio h5py keras libclang markdown-it-py mdurl namex optree pygments rich setuptools wheel \
        >/build/image.lock \
 && python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python install --disable-pip-version-check \
        --no-deps --only-binary :all: --require-hashes -r /build/image.lock \
 && /build/slim.sh /opt/venv
# If a later TensorFlow needs one of them after all, or a library what was stripped of it, the build
# fails here, not the service.
RUN /opt/venv/bin/python -c "import simdjson, tensorflow as tf; assert tf.reduce_sum([1, 2]) == 3; \
    assert simdjson.Parser().parse(b'[3]').as_list() == [3]"


# ---- The project's files. Modes are set here, because those of a checkout depend on its umask.
FROM base AS files
WORKDIR /app
COPY LICENSE ./
COPY deploy/docker/healthcheck.py deploy/docker/understudy deploy/docker/
COPY deploy/docker/entrypoint deploy/docker/tensorflow_model_server deploy/docker/
COPY service/ service/
COPY training/ training/
COPY understudy/ understudy/
COPY saved_models/ saved_models/
RUN chmod -R u=rwX,go=rX . \
 && python -m compileall -q service training understudy \
 && mkdir -p data events runs


# ---- What both images have in common.
FROM base AS runtime
# The trainer writes the volumes that the service reads, hence one user for both. It owns nothing
# but the folders that volumes are mounted on: a new volume takes over content and owner.
RUN groupadd --gid 10001 understudy \
 && useradd --uid 10001 --gid understudy --no-create-home --home-dir /app --shell /usr/sbin/nologin understudy
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=files /app/LICENSE ./
COPY --from=files --chmod=755 /app/deploy/docker/understudy /opt/venv/bin/
COPY --from=files /app/understudy understudy
COPY --from=files --chown=10001:10001 /app/saved_models saved_models
COPY --from=files --chown=10001:10001 /app/events events


# ---- The trainer: on top of what serving needs, what only training needs.
FROM runtime AS trainer
ARG TENSORFLOW=cpu
# pip keeps what is there as it is, TensorFlow above all: only the rest becomes a layer.
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=deploy/docker/image_lock.py,target=/build/image_lock.py \
    --mount=type=bind,source=requirements/train.lock,target=/build/train.lock \
    python /build/image_lock.py /build/train.lock --tensorflow "$TENSORFLOW" \
        --without grpcio libclang setuptools wheel >/tmp/image.lock \
 && /usr/local/bin/python -m pip --python /opt/venv/bin/python install --disable-pip-version-check \
        --no-deps --only-binary :all: --require-hashes -r /tmp/image.lock \
 && rm /tmp/image.lock \
 && python -c "import keras; assert keras.Sequential"
COPY --from=files /app/service service
COPY --from=files /app/training training
COPY --from=files --chown=10001:10001 /app/data data
COPY --from=files --chown=10001:10001 /app/runs runs
# Downloads, and what was parsed of them.
ENV KERAS_HOME=/app/data/keras \
    XDG_CACHE_HOME=/app/data/cache
USER 10001:10001
ENTRYPOINT ["understudy"]
CMD ["--help"]


# ---- The service.
FROM runtime AS serving
COPY --from=files /app/deploy deploy
COPY --from=files /app/service service
# The commands of TensorFlow Serving's image, for deployments that were written for it.
COPY --from=files --chmod=755 /app/deploy/docker/entrypoint /app/deploy/docker/tensorflow_model_server /opt/venv/bin/
RUN ln -s /opt/venv/bin/tensorflow_model_server /usr/bin/ \
 && ln -s /opt/venv/bin/entrypoint /usr/bin/tf_serving_entrypoint.sh
ENV HOST=0.0.0.0 \
    PORT=8501 \
    UNDERSTUDY_GRPC_PORT=8500
EXPOSE 8500 8501
USER 10001:10001
# start-period: importing TensorFlow and proving the models takes seconds on a fast machine, and
# may take a minute on a small share of a slow one.
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 \
    CMD ["/usr/local/bin/python", "-I", "-S", "deploy/docker/healthcheck.py"]
# It becomes gunicorn itself, without a shell around it: the stop signal reaches it, and it drains.
# The entry point starts what it is given; flags, or MODEL_NAME, mean tensorflow_model_server.
ENTRYPOINT ["entrypoint"]
CMD ["understudy", "serve"]
