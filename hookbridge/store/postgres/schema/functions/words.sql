-- The index: what copies are found by.
--
-- ``words.tokens`` has the tokens of the three fields in their order, each between spaces, a line break between the fields:
-- words that stand next to each other are a part of it, and none of two fields are.  ``words.lexemes`` has their beginnings
-- (words.py says how long), names of source and table, and of the stretches of places it lies in.  A later change of words has a larger
-- ``place``.  An entry belongs to the copy of exactly one ticket.

-- The names of the stretches of places that a place lies in: see search.sql.
CREATE OR REPLACE FUNCTION hookbridge.stretches_1(place bigint) RETURNS text[] LANGUAGE sql IMMUTABLE
RETURN ARRAY['@12.' || (place >> 12), '@16.' || (place >> 16)];

-- Write the entries of copies, where they are others than the index has.  ``documents``: the tokens; null leaves the entry, and
-- an empty one takes it away, as a copy without data does.  ``lexemes``: with spaces between them.  Whoever calls it has locked
-- the copies.  Words that change come first from then on; those that are indexed ``anew`` stay where they were, or come last.
CREATE OR REPLACE FUNCTION hookbridge.words_1(
    records text[], tickets bigint[], datas bytea[], documents text[], lexemes text[], anew boolean DEFAULT false
) RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    DELETE FROM words WHERE record = ANY (ARRAY(
        SELECT r.record
        FROM unnest(records, tickets, datas, documents) AS r (record, ticket, data, document)
        CROSS JOIN LATERAL (SELECT c.ticket FROM copies AS c WHERE c.record = r.record OFFSET 0) AS c
        WHERE c.ticket = r.ticket AND (r.document = '' OR r.data IS NULL AND NOT anew)
    ));
    INSERT INTO words AS w (record, place, tokens, lexemes)
    SELECT changed.record, changed.place, changed.document,
           array_to_tsvector(string_to_array(changed.lexemes, ' ') || stretches_1(changed.place))
    FROM (
        SELECT r.record, r.document, r.lexemes,
               CASE WHEN NOT anew THEN nextval('words_newest')
                    ELSE coalesce(known.place, nextval('words_oldest')) END AS place
        FROM unnest(records, tickets, datas, documents, lexemes)
            WITH ORDINALITY AS r (record, ticket, data, document, lexemes, n)
        CROSS JOIN LATERAL (SELECT c.ticket FROM copies AS c WHERE c.record = r.record OFFSET 0) AS c
        LEFT JOIN LATERAL (
            SELECT w.place, w.tokens FROM words AS w WHERE w.record = r.record OFFSET 0
        ) AS known ON true
        WHERE c.ticket = r.ticket AND r.document <> '' AND (r.data IS NOT NULL OR anew)
          AND known.tokens IS DISTINCT FROM r.document
        ORDER BY r.n
    ) AS changed
    ORDER BY changed.record COLLATE "C"
    ON CONFLICT (record) DO UPDATE
    SET place = excluded.place, tokens = excluded.tokens, lexemes = excluded.lexemes;
END
$$;
