-- The Data API knows functions from its cache.
notify pgrst, 'reload schema';
