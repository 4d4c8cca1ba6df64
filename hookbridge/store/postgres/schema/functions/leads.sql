-- What only one node may write at a time.

-- Hold the lead until the end of the transaction, so that nobody else takes it meanwhile; without a duty nothing is asked.
-- HB001 is the error by which the caller knows that it is somebody else's by now; its message is the duty.
CREATE OR REPLACE FUNCTION hookbridge.require_lead_1(the_duty text, the_epoch bigint, moment double precision)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, hookbridge, pg_temp
AS $$
BEGIN
    IF the_duty IS NULL THEN
        RETURN;
    END IF;
    PERFORM FROM leads WHERE duty = the_duty AND epoch = the_epoch FOR SHARE;
    -- Looked at when the row is ours: who waited for it may have waited until its end.
    IF NOT FOUND OR (SELECT until FROM leads WHERE duty = the_duty) <= now_1(moment) THEN
        RAISE EXCEPTION USING ERRCODE = 'HB001', MESSAGE = the_duty;
    END IF;
END
$$;
