"""Following jobs as they happen: one reader a process, any number of listeners in memory."""
