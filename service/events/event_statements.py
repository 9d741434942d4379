"""The event store's tables and statements, in the SQL that SQLite and PostgreSQL share."""

# In format 1 there are no bundles of requests. In format 2 the layouts of bundles have the lengths
# of texts, which this software reads and the software before cannot read otherwise.
FORMAT = 3
# Audits are handed out in their order, from 0 to 2^53 - 1, and only one event in 32 is indexed by
# it: an index in an order of its own costs a page of the log for nearly each event.
FIRST_AUDITS = 2**48
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS understudy_store (format INTEGER PRIMARY KEY)",
    """CREATE TABLE IF NOT EXISTS understudy_events (
        model TEXT NOT NULL,
        request_id TEXT NOT NULL,
        answered_at DOUBLE PRECISION NOT NULL,
        version BIGINT NOT NULL,
        signature TEXT NOT NULL,
        status INTEGER NOT NULL,
        instances INTEGER NOT NULL,
        probability DOUBLE PRECISION NOT NULL,
        rate DOUBLE PRECISION NOT NULL,
        reason TEXT NOT NULL,
        audit_order BIGINT NOT NULL,
        bytes BIGINT NOT NULL,
        inputs TEXT NOT NULL,
        outputs TEXT,
        PRIMARY KEY (model, request_id))""",
    """CREATE INDEX IF NOT EXISTS understudy_events_by_time
        ON understudy_events (answered_at)""",
    f"""CREATE INDEX IF NOT EXISTS understudy_events_by_audit_order
        ON understudy_events (model, audit_order) WHERE audit_order < {FIRST_AUDITS}""",
    """CREATE TABLE IF NOT EXISTS understudy_truths (
        model TEXT NOT NULL,
        request_id TEXT NOT NULL,
        instance INTEGER NOT NULL,
        source TEXT NOT NULL,
        truth TEXT NOT NULL,
        given_at DOUBLE PRECISION NOT NULL,
        corrections INTEGER NOT NULL,
        PRIMARY KEY (model, request_id, instance, source),
        FOREIGN KEY (model, request_id)
            REFERENCES understudy_events (model, request_id) ON DELETE CASCADE)""",
    """CREATE TABLE IF NOT EXISTS understudy_audits (
        model TEXT NOT NULL,
        request_id TEXT NOT NULL,
        instance INTEGER NOT NULL,
        handed_at DOUBLE PRECISION NOT NULL,
        weight DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (model, request_id, instance),
        FOREIGN KEY (model, request_id)
            REFERENCES understudy_events (model, request_id) ON DELETE CASCADE)""",
    # Of the same format: who does not know this table leaves it alone.
    """CREATE TABLE IF NOT EXISTS understudy_second_answers (
        model TEXT NOT NULL,
        rollout TEXT NOT NULL,
        request_id TEXT NOT NULL,
        version BIGINT NOT NULL,
        outputs TEXT NOT NULL,
        PRIMARY KEY (model, rollout, request_id),
        FOREIGN KEY (model, request_id)
            REFERENCES understudy_events (model, request_id) ON DELETE CASCADE)""",
    # When somebody last looked for what is too old, by the time of day then; see ``expiry``.
    """CREATE TABLE IF NOT EXISTS understudy_retention (
        place INTEGER PRIMARY KEY,
        looked_at DOUBLE PRECISION NOT NULL,
        rests_until DOUBLE PRECISION NOT NULL)""",
    # Events are removed one by one, and these with them.
    """CREATE INDEX IF NOT EXISTS understudy_second_answers_by_request
        ON understudy_second_answers (model, request_id)""",
)
COLUMNS = (
    "model, request_id, answered_at, version, signature, status, instances, probability, rate, "
    "reason, inputs, outputs"
)
FORMATS = "SELECT format FROM understudy_store"
PUT_FORMAT = "INSERT INTO understudy_store (format) VALUES (:format) ON CONFLICT DO NOTHING"
DROP_EARLIER_FORMATS = "DELETE FROM understudy_store WHERE format < :format"
# A list of ids follows.
ANSWERED_AT = """SELECT request_id, answered_at FROM understudy_events
    WHERE model = :model AND request_id IN"""
FIND = f"""SELECT {COLUMNS} FROM understudy_events
    WHERE model = :model AND request_id = :request_id"""
PAGE = f"""SELECT {COLUMNS} FROM understudy_events
    WHERE model = :model AND request_id > :after ORDER BY request_id LIMIT :most"""
TRUTH = """SELECT truth FROM understudy_truths WHERE model = :model AND request_id = :request_id
    AND instance = :instance AND source = :source"""
PUT_TRUTH = """INSERT INTO understudy_truths
    (model, request_id, instance, source, truth, given_at, corrections)
    VALUES (:model, :request_id, :instance, :source, :truth, :given_at, 0)
    ON CONFLICT (model, request_id, instance, source) DO UPDATE SET
        truth = excluded.truth, given_at = excluded.given_at,
        corrections = understudy_truths.corrections + 1"""
TRUTHS_OF = """SELECT instance, source, truth, given_at, corrections FROM understudy_truths
    WHERE model = :model AND request_id = :request_id ORDER BY instance, source"""
LATE_AUDITS = f"""SELECT {", ".join(f"e.{c}" for c in COLUMNS.split(", "))}, a.instance
    FROM understudy_audits a JOIN understudy_events e
        ON e.model = a.model AND e.request_id = a.request_id
    WHERE a.model = :model AND (a.handed_at <= :before OR a.handed_at > :after) AND NOT EXISTS (
        SELECT 1 FROM understudy_truths t WHERE t.model = a.model AND t.request_id = a.request_id
            AND t.instance = a.instance AND t.source = 'audit')
    ORDER BY a.handed_at, e.audit_order LIMIT :most"""
# Of the requests that all had the same chance, and in an order that depends on their ids alone.
_NEW_AUDITS = f"""SELECT {COLUMNS}, audit_order FROM understudy_events e
    WHERE model = :model AND reason = 'sample' AND status < 400 AND NOT EXISTS (
        SELECT 1 FROM understudy_audits a
        WHERE a.model = e.model AND a.request_id = e.request_id)"""
# First those that are indexed, and the others, which are all read and sorted, when there are none.
FIRST_NEW_AUDITS, OTHER_NEW_AUDITS = (
    f"{_NEW_AUDITS} AND {part} ORDER BY audit_order LIMIT :most"
    for part in (
        f"audit_order < {FIRST_AUDITS}",
        f"audit_order >= {FIRST_AUDITS} AND audit_order < :below",
    )
)
# While a rollout is under way, before all others: those that both its versions have answered.
NEW_AUDITS_OF_PAIRS = f"""{_NEW_AUDITS} AND request_id IN (
        SELECT request_id FROM understudy_second_answers
        WHERE model = :model AND rollout = :rollout)
    ORDER BY audit_order LIMIT :most"""
HAND_OUT = """INSERT INTO understudy_audits (model, request_id, instance, handed_at, weight)
    VALUES (:model, :request_id, :instance, :handed_at, :weight)
    ON CONFLICT (model, request_id, instance) DO UPDATE SET handed_at = excluded.handed_at"""
AUDIT = """SELECT weight FROM understudy_audits
    WHERE model = :model AND request_id = :request_id AND instance = :instance"""
AUDITED = """SELECT e.signature, e.outputs, e.instances, t.instance, t.truth
    FROM understudy_truths t JOIN understudy_events e
        ON e.model = t.model AND e.request_id = t.request_id
    WHERE t.model = :model AND t.source = 'audit' AND e.version = :version
        AND e.outputs IS NOT NULL
    ORDER BY t.given_at, t.request_id, t.instance"""
AUDITED_PAIRS = """SELECT
        e.signature, e.version, e.outputs, s.outputs, e.instances, a.instance, a.weight, t.truth
    FROM understudy_second_answers s
    JOIN understudy_events e ON e.model = s.model AND e.request_id = s.request_id
    JOIN understudy_audits a ON a.model = s.model AND a.request_id = s.request_id
    LEFT JOIN understudy_truths t ON t.model = a.model AND t.request_id = a.request_id
        AND t.instance = a.instance AND t.source = 'audit'
    WHERE s.model = :model AND s.rollout = :rollout AND e.outputs IS NOT NULL
    ORDER BY a.handed_at, e.audit_order"""
LAST_LOOK = "SELECT looked_at, rests_until FROM understudy_retention WHERE place = 1"
NOTE_LOOK = """INSERT INTO understudy_retention (place, looked_at, rests_until)
    VALUES (1, :looked_at, :rests_until)
    ON CONFLICT (place) DO UPDATE SET
        looked_at = excluded.looked_at, rests_until = excluded.rests_until"""
EXPIRE = """DELETE FROM understudy_events WHERE (model, request_id) IN (
    SELECT model, request_id FROM understudy_events WHERE answered_at < :before
    ORDER BY answered_at LIMIT :most)"""
COUNTS = "SELECT model, COUNT(*) FROM understudy_events GROUP BY model"
TOTAL = "SELECT COALESCE(SUM(bytes), 0) FROM understudy_events"
# What an answer takes beside its text, with its place in the index.
SECOND_ANSWER_BYTES = 100
TOTAL_OF_SECOND_ANSWERS = f"""SELECT COALESCE(SUM(LENGTH(outputs) + {SECOND_ANSWER_BYTES}), 0)
    FROM understudy_second_answers"""
_WITH_SECOND_ANSWERS = f"""SELECT answered_at,
        bytes + ({TOTAL_OF_SECOND_ANSWERS} s
            WHERE s.model = e.model AND s.request_id = e.request_id),
        model, request_id FROM understudy_events e"""
OLDEST = f"""{_WITH_SECOND_ANSWERS}
    WHERE NOT EXISTS (SELECT 1 FROM understudy_truths t
        WHERE t.model = e.model AND t.request_id = e.request_id)
    ORDER BY answered_at LIMIT :most"""
OLDEST_OF_ALL = f"{_WITH_SECOND_ANSWERS} ORDER BY answered_at LIMIT :most"
REMOVE = "DELETE FROM understudy_events WHERE model = :model AND request_id = :request_id"
