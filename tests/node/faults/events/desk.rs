//! An order desk whose functions write down what they do, and what must hold of that.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use picloud::{clock::rfc3339, queue::Tick};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::kit::node::{Node, Setup, node};

const DONE: &str = "CREATE TABLE done (seq BIGINT NOT NULL, handler TEXT NOT NULL, of TEXT NOT NULL, event TEXT NOT NULL,
    attempt BIGINT NOT NULL, missed BIGINT NOT NULL);
CREATE INDEX done_by_seq ON done (seq);";
const EMIT: &str = "let of = ctx.request.query.id;
emit(\"orders.created\", #{ of: of }, #{ id: of, key: of.split(\"-\")[0] });
of";
/// What comes before a function that writes down what it does.
const SQL: &str = "+++\ntimeout = \"60s\"\n[sql]\ndatabase = \"app\"\n";
const INSERT: &str = "sql::exec(\"INSERT INTO done VALUES ((SELECT COALESCE(MAX(seq), 0) + 1 FROM done), $1, $2, $3, $4, $5)\", ";

/// Clients that emit.
pub const WRITERS: u64 = 4;

/// Describes a node with the desk.
pub fn desk() -> Setup {
    let created = format!(
        "{SQL}+++\n{INSERT}[\"created\", ctx.event.payload.of, ctx.event.id, ctx.event.attempt, 0]);\nemit(\"orders.packed\", ctx.event.payload);"
    );
    let packed = format!("{SQL}+++\n{INSERT}[\"packed\", ctx.event.payload.of, ctx.event.id, ctx.event.attempt, 0]);");
    let tick = format!(
        "{SQL}[[schedule]]\nevery = \"1s\"\noverlap = \"allow\"\n+++\n{INSERT}[\"tick\", \"\", ctx.event.due, ctx.event.attempt, ctx.event.missed]);"
    );
    let files = [
        ("_sql/app/0001_done.sql", DONE),
        ("emit.post.rhai", EMIT),
        ("_events/orders.created.rhai", &created),
        ("_events/orders.packed.rhai", &packed),
        ("_cron/tick.rhai", &tick),
    ];
    // Few places, so that some events wait for one.
    node(&files).config("[databases.app]\nurl = \"sqlite\"\n[events]\nconcurrency = 5\n")
}

/// What clients sent, and what was answered.
#[derive(Default)]
pub struct Emitted {
    pub sent: BTreeSet<String>,
    pub answered: BTreeSet<String>,
}

impl Emitted {
    /// Has clients emit, each with numbers from there on, until the work is done or the node is gone.
    pub fn during(&mut self, node: &Node, first: u64, work: impl FnOnce(&Mutex<BTreeSet<String>>)) {
        let (sent, answered) = (Mutex::new(BTreeSet::new()), Mutex::new(BTreeSet::new()));
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (sent, answered, is_done) = (&sent, &answered, &is_done);
                scope.spawn(move || {
                    let mut client = node.client();
                    for number in (first..).take_while(|_| !is_done.load(Ordering::Relaxed)) {
                        let id = format!("{writer}-{number:09}");
                        sent.lock().unwrap().insert(id.clone());
                        match client.send("POST", &format!("/emit?id={id}"), &[], b"") {
                            Ok(answer) if answer.status == 200 => drop(answered.lock().unwrap().insert(id)),
                            // The database is away.
                            Ok(answer) if answer.status == 503 => {}
                            Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
                            Err(_) => break,
                        }
                    }
                });
            }
            let worked = catch_unwind(AssertUnwindSafe(|| work(&answered)));
            is_done.store(true, Ordering::Relaxed);
            worked.unwrap_or_else(|panic| resume_unwind(panic));
        });
        self.sent.extend(sent.into_inner().unwrap());
        self.answered.extend(answered.into_inner().unwrap());
    }
}

/// What a function wrote down.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Done {
    pub handler: String,
    /// The order.
    pub of: String,
    /// The id of the event, or the due time.
    pub event: String,
    pub attempt: i64,
    pub missed: i64,
}

/// Returns what functions wrote down, in its order.
pub fn done(node: &Node) -> Vec<Done> {
    let url = url(node, "PICLOUD_DATABASES_APP_URL", "sql/app.db");
    rows(&url, "SELECT handler, of, event, attempt, missed FROM done ORDER BY seq, attempt")
}

/// A delivery that is in the queue.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Queued {
    pub state: i64,
    receiver: String,
    id: Option<String>,
    tick: Option<String>,
}

impl Queued {
    /// Whether it brings an event.
    pub fn is_event(&self) -> bool {
        self.id.is_some()
    }

    /// Its function, and the id of its event or its due time.
    pub fn name(&self) -> (String, String) {
        let function = self.receiver.rsplit(['/', '.']).next().unwrap().to_owned();
        let due = || rfc3339(serde_json::from_str::<Tick>(self.tick.as_deref().unwrap()).unwrap().due_us);
        (function, self.id.clone().unwrap_or_else(due))
    }
}

/// The database of the node itself.
pub fn own_url(node: &Node) -> String {
    url(node, "PICLOUD_DATABASE_URL", "picloud.db")
}

/// Returns what is in the queue.
pub fn queued(url: &str) -> Vec<Queued> {
    rows(url, "SELECT state, receiver, id, tick FROM deliveries LEFT JOIN events ON events.seq = event")
}

/// Returns how many connections to this database nodes have; none on SQLite.
pub fn connections(url: &str) -> i64 {
    let count = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'picloud' AND datname = current_database()";
    if url.starts_with("postgres") { rows::<(i64,)>(url, count)[0].0 } else { 0 }
}

fn url(node: &Node, variable: &str, file: &str) -> String {
    let place = node.variables().find(|(name, _)| *name == variable);
    place.map_or_else(|| node.data().join(file).display().to_string(), |(_, url)| url.to_owned())
}

/// Returns what a query finds.
pub fn rows<T>(url: &str, sql: &'static str) -> Vec<T>
where
    T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if url.starts_with("postgres") {
            let mut connection = PgConnection::connect(url).await.unwrap();
            return sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
        }
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap()
    })
}

/// What may be done twice.
#[derive(Default)]
pub struct Again {
    /// Deliveries that were claimed when their lease ended.
    pub under_way: BTreeSet<(String, String)>,
    /// How many claims a crash of the database may have forgotten: such a delivery comes again as the same attempt.
    pub forgotten: usize,
}

/// Checks what functions wrote down: all that was answered is done, and nothing is done twice that may not be.
#[track_caller]
pub fn judge(done: &[Done], emitted: &Emitted, again: &Again) {
    let mut attempts: BTreeMap<(&str, &str), Vec<i64>> = BTreeMap::new();
    let mut packed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for Done { handler, of, event, attempt, .. } in done {
        attempts.entry((handler, event)).or_default().push(*attempt);
        match handler.as_str() {
            "packed" => drop(packed.entry(of).or_default().insert(event)),
            "created" => {
                let before = last.insert(of.split_once('-').unwrap().0, of);
                assert!(before <= Some(of), "{of} of one key came after {before:?}");
            }
            _ => {}
        }
    }
    let is_same = |attempts: &Vec<i64>| !attempts.is_sorted_by(|one, next| one < next);
    let forgotten: Vec<_> = attempts.iter().filter(|(_, attempts)| is_same(attempts)).collect();
    assert!(forgotten.len() <= again.forgotten, "{forgotten:?}");
    for ((handler, event), attempts) in &attempts {
        assert!(attempts.is_sorted(), "{handler} {event}: {attempts:?}");
        if is_same(attempts) {
            continue;
        }
        let was_under_way = again.under_way.contains(&((*handler).to_owned(), (*event).to_owned()));
        assert!(was_under_way || *attempts == [1], "{handler} {event}: {attempts:?}");
    }
    let created: BTreeSet<String> =
        attempts.keys().filter(|(handler, _)| *handler == "created").map(|(_, event)| (*event).to_owned()).collect();
    assert!(created.is_superset(&emitted.answered), "lost: {:?}", emitted.answered.difference(&created));
    assert!(created.is_subset(&emitted.sent), "nobody sent: {:?}", created.difference(&emitted.sent));
    // A run whose settlement was lost has emitted nothing, so each order is packed by one event.
    assert_eq!(packed.len(), created.len(), "orders that are packed");
    let twice: Vec<_> = packed.iter().filter(|(_, events)| events.len() > 1).collect();
    let of_those = done.iter().filter(|done| twice.iter().any(|(of, _)| **of == done.of)).collect::<Vec<_>>();
    assert!(twice.is_empty(), "packed by two events: {of_those:#?}");
    judge_ticks(done);
}

/// Each due time is there, or another run says that it stands for it.
#[track_caller]
fn judge_ticks(done: &[Done]) {
    let second = |done: &Done| done.event.parse::<jiff::Timestamp>().unwrap().as_second();
    let ticks: BTreeMap<i64, i64> = done.iter().filter(|done| done.handler == "tick").map(|done| (second(done), done.missed)).collect();
    for ((before, _), (due, missed)) in ticks.iter().zip(ticks.iter().skip(1)) {
        assert_eq!(due - before, missed + 1, "due times between {before} and {due}");
    }
}
