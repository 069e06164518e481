"""The job type `generate`: from a request to images in storage."""
