#!/bin/sh
# Removes from a site-packages folder what a running service never reads. Used by the image builds;
# each line says why it is safe. Every package is imported afterwards (see the Dockerfile).
set -eu
packages=$1

# boto3 talks to S3, and asks the token services for credentials; 400 other services go.
find "$packages/botocore/data" -mindepth 1 -maxdepth 1 -type d \
    ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -rf {} +
find "$packages/boto3/data" -mindepth 1 -maxdepth 1 -type d ! -name s3 -exec rm -rf {} +

# Translations: sources are never read at run time, and the service speaks English (USE_I18N).
find "$packages" -name '*.po' -delete
find "$packages" -name '*.mo' ! -path '*/locale/en/*' -delete

# Static files were collected into one folder before this runs.
find "$packages" -type d -name static -prune -exec rm -rf {} +

# The packages' own tests (django.test is not among them), stubs and Cython sources.
find "$packages" -type d -name tests -prune -exec rm -rf {} +
find "$packages" \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' \) -delete

# Debug symbols. Libraries rewritten for their wheel (*.libs) do not survive stripping.
find "$packages" -name '*.so' ! -path '*.libs/*' -exec strip --strip-unneeded {} +
