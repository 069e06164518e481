"""Jobs over HTTP: parse, one call, render."""
