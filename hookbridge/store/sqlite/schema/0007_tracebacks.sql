-- Where a failed attempt failed; what says everything itself has none.
ALTER TABLE failures ADD COLUMN traceback TEXT;
