-- What held a lane by an operator's word had another name once.
UPDATE OR IGNORE notes SET name = 'paused:' || substr(name, 6) WHERE name LIKE 'held:%';
