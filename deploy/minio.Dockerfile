# MinIO from its source: no registry serves its images any more (docs/adr/0012-deployables.md).
# The Go checksum database vouches that this is the release everybody else gets.

FROM golang:1.25.3-alpine3.22 AS builder
ENV CGO_ENABLED=0 GOFLAGS=-trimpath
RUN go install -ldflags="-s -w" github.com/minio/minio@RELEASE.2025-10-15T17-29-55Z

FROM alpine:3.22.2
RUN addgroup -g 10001 minio \
    && adduser -D -H -u 10001 -G minio minio \
    && install -d -o 10001 -g 10001 -m 0750 /data
COPY --from=builder /go/bin/minio /usr/local/bin/minio
# It wants to make a folder for certificates at home.
ENV HOME=/tmp
USER 10001:10001
EXPOSE 9000
ENTRYPOINT ["minio"]
CMD ["server", "/data"]
