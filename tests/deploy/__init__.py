"""What the files of deploy/ say: well-formed, careful, and known to start."""
