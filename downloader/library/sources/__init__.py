"""The places models come from; each behind the interface of `base`."""
