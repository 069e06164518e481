"""`manage.py dreamforge`: one process that starts the others, watches them and takes them along.

preparation   lock, folders, database, boot checks, first admin; whatever is wrong ends here
supervise     the loop: start, restart, stop        children, descendants   whom it owns
output, lines what the children say                  readiness, banner      what the user reads
"""
