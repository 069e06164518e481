"""What the admin's templates draw jobs with."""
