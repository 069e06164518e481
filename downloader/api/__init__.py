"""`/v1/…` about downloads, and models by way of them."""
