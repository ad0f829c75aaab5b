# docker build -t waystation . && docker run --rm -p 8080:8080 -e WAYSTATION_API_KEY -e OPENAI_API_KEY waystation
FROM rust:1.91-slim-bookworm AS build
# The allocator is built with make.
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked -p waystation-server

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin waystation
COPY --from=build /src/target/dist/waystation /usr/local/bin/waystation
USER 10001
WORKDIR /etc/waystation
# Others can reach this address, so the gateway refuses to start without WAYSTATION_API_KEY.
ENV WAYSTATION_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=6s --start-period=5s CMD ["waystation", "health", "--listen", "127.0.0.1:8080"]
ENTRYPOINT ["waystation"]
