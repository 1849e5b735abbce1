# The command alone: docker run --rm -v "$PWD:/work:ro" IMAGE verify .
# Go builds for every platform on the one of the machine that builds.
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags="-s -w" -o /plumbline ./cmd/plumbline

FROM scratch
LABEL org.opencontainers.image.title="Plumbline" \
      org.opencontainers.image.description="Says of a recorded kernel output whether the kernel's own arithmetic explains it" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /src/LICENSE /LICENSE
COPY --from=build /plumbline /plumbline
WORKDIR /work
USER 65532:65532
ENTRYPOINT ["/plumbline"]
CMD ["help"]
