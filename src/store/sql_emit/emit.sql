-- Every name and operator is looked for in pg_catalog alone: this runs with the rights of the node's user.
CREATE OR REPLACE FUNCTION picloud.emit(
    topic   text,
    payload jsonb    DEFAULT 'null',
    key     text     DEFAULT NULL,
    delay   interval DEFAULT '0',
    id      text     DEFAULT NULL
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $emit$
#variable_conflict use_variable
DECLARE
    chosen  text := coalesce(id, gen_random_uuid()::text);
    body    text := coalesce(payload, 'null'::jsonb)::text;
    bytes   int  := octet_length(convert_to(body, 'UTF8'));
    later   interval := coalesce(delay, interval '0');
    is_full boolean := false;
BEGIN
    IF topic IS NULL OR octet_length(topic) > {max_topic} OR topic !~ '^[a-z0-9_-]+([.][a-z0-9_-]+)*$' THEN
        RAISE EXCEPTION '% is no topic', quote_nullable(left(topic, {max_topic} + 1)) USING ERRCODE = 'invalid_parameter_value',
            HINT = '{topic_hint}';
    ELSIF split_part(topic, '.', 1) = '{own}' THEN
        RAISE EXCEPTION 'only the node emits on %', topic USING ERRCODE = 'invalid_parameter_value', HINT = 'choose another first word';
    ELSIF bytes > {max_payload} THEN
        RAISE EXCEPTION 'the payload has % bytes, and {max_payload} are allowed', bytes USING ERRCODE = 'program_limit_exceeded',
            HINT = 'keep it in a table, and emit its key';
    ELSIF jsonb_path_exists(payload, 'strict $.**{{{max_depth} to last}} ? (@.type() == "array" || @.type() == "object")'::jsonpath) THEN
        RAISE EXCEPTION 'the payload is nested more than {max_depth} deep' USING ERRCODE = 'program_limit_exceeded', HINT = 'emit less of it';
    ELSIF jsonb_path_exists(payload, 'strict $.** ? (@.type() == "number" && (@ > {max_number} || @ < -{max_number}))'::jsonpath) THEN
        RAISE EXCEPTION 'a number of the payload is too large for whoever reads JSON' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'emit it as text';
    ELSIF chosen = '' OR octet_length(convert_to(chosen, 'UTF8')) > {max_id} OR chosen ~ {control} THEN
        RAISE EXCEPTION 'the id has 1 to {max_id} bytes, without control characters' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'leave it out where one event need not be told from its repetition';
    ELSIF key = '' OR octet_length(convert_to(key, 'UTF8')) > {max_id} OR key ~ {control} THEN
        RAISE EXCEPTION 'the key has 1 to {max_id} bytes, without control characters' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'NULL is no key';
    ELSIF later < interval '0' OR later > make_interval(secs => {max_delay_seconds}) THEN
        RAISE EXCEPTION 'the delay is a time up to %', make_interval(days => {max_delay_seconds} / 86400) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'write delay => interval ''5 minutes''';
    END IF;
    -- A table so small has room. Its size is no row, so serializable transactions that ask for it stay apart.
    -- In a larger one the ends of the key are found at once, and only where they are far apart are the events counted.
    IF pg_relation_size($inbox${inbox}$inbox$::regclass) >= {max_waiting} * {min_row_bytes} THEN
        SELECT max(seq) - min(seq) >= {max_waiting} - 1 INTO is_full FROM {inbox};
    END IF;
    IF is_full AND (SELECT count(*) FROM {inbox}) >= {max_waiting} THEN
        RAISE EXCEPTION 'as many events as the node may leave untaken wait: {max_waiting}' USING ERRCODE = 'configuration_limit_exceeded',
            HINT = 'does the node run? its log says why it takes none';
    END IF;
    INSERT INTO {inbox} ({columns})
    VALUES (
        chosen, topic, key, body, (id IS NOT NULL)::int,
        ((extract(epoch FROM clock_timestamp()) + extract(epoch FROM later)) * 1000000)::bigint
    );
    -- Of one transaction the node hears once, when it is committed.
    PERFORM pg_notify('{channel}', '');
    RETURN chosen;
END
$emit$;
REVOKE ALL ON FUNCTION picloud.emit FROM PUBLIC;
