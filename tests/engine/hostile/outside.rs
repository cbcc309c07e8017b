//! What is outside of the scripts that are tried: a service, a store, a database and a secret, which answer at once.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use picloud::{
    cancel::CancelFlag,
    capability::{
        Capabilities,
        http::{HttpClient, OutboundError, OutboundRequest, OutboundResponse},
        kv::{Add, Entry, EntryPage, Key, KeyValue, KeyedEntry, KvError, Range, Set, SetResult},
        secret::{NoSecret, SecretValues, Secrets},
        sql::{Databases, Rows, SqlError, SqlValue, Statement, StatementBounds, Transaction},
    },
    engine::Wait,
    function::{
        FunctionName,
        grants::{http::AllowList, kv::Namespace, secret::SecretName, sql::DatabaseName},
    },
    secret::Secret,
};
use tokio::runtime::{Builder, Runtime};

/// Declares all of it.
pub const FRONT: &str = "+++\nsecrets = [\"KEY\"]\n[http]\nallow = [\"http://a.test\"]\n[kv]\nname = \"n\"\n[sql]\ndatabase = \"d\"\n+++\n";

/// The template `page.html`, which writes `a` whatever it is.
pub const PAGE: (&str, &str) =
    ("_templates/page.html", "{% if a is iterable %}{% for x in a %}{{ x }}{% endfor %}{% endif %}{{ a }}{{ a | tojson }}");

/// Returns all of it.
pub fn capabilities() -> Capabilities {
    let outside = Arc::new(Outside);
    Capabilities { http: Some(outside.clone()), kv: Some(outside.clone()), sql: Some(outside.clone()), secrets: Some(outside) }
}

struct Outside;

/// Waits on the thread of the run.
pub struct Here(Runtime);

impl Here {
    pub fn new() -> Self {
        Self(Builder::new_current_thread().enable_all().build().unwrap())
    }
}

impl Wait for Here {
    fn wait(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>, left: Duration) {
        let _ = self.0.block_on(async { tokio::time::timeout(left, future).await });
    }
}

/// Another thread keeps it for a while, as in a node. It is no leak of the run.
fn drop_elsewhere(held: impl Send + 'static) {
    thread::spawn(move || drop(held)).join().unwrap();
}

#[async_trait]
impl HttpClient for Outside {
    async fn send(&self, _: &FunctionName, _: &AllowList, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let headers = vec![("x-one".into(), "1".into()), ("x-one".into(), "2".into())];
        let url = request.url().to_string();
        drop_elsewhere(request);
        Ok(OutboundResponse { status: 200, headers, body: "{\"a\":[1,null]}".into(), url, ms: 1 })
    }
}

fn entry() -> Entry {
    Entry { value: "[1]".parse().unwrap(), version: 7, expires_us: None }
}

#[async_trait]
impl KeyValue for Outside {
    async fn get(&self, _: &Namespace, _: &Key) -> Result<Option<Entry>, KvError> {
        Ok(Some(entry()))
    }

    async fn set(&self, _: &Namespace, key: &Key, set: Set) -> Result<SetResult, KvError> {
        drop_elsewhere((key.clone(), set));
        Ok(SetResult::Done(8))
    }

    async fn add(&self, _: &Namespace, _: &Key, add: Add) -> Result<i64, KvError> {
        Ok(add.delta)
    }

    async fn delete(&self, _: &Namespace, _: &Key) -> Result<bool, KvError> {
        Ok(true)
    }

    async fn list(&self, _: &Namespace, _: &Range) -> Result<EntryPage, KvError> {
        Ok(EntryPage { entries: vec![KeyedEntry { key: "k".parse().unwrap(), entry: entry() }], next: None })
    }
}

fn rows() -> Rows {
    let values = vec![SqlValue::Int(1), SqlValue::Null, SqlValue::Numeric("1.50".into()), SqlValue::Json("{\"a\":[]}".into())];
    Rows { columns: ["a", "b", "c", "d"].map(String::from).to_vec(), rows: vec![values], affected: 1 }
}

#[async_trait]
impl Databases for Outside {
    fn names(&self) -> Vec<DatabaseName> {
        vec!["d".parse().unwrap()]
    }

    async fn query(&self, _: &DatabaseName, statement: &Statement, _: StatementBounds) -> Result<Rows, SqlError> {
        drop_elsewhere(statement.clone());
        Ok(rows())
    }

    async fn begin(&self, _: &DatabaseName, _: Instant, _: &CancelFlag) -> Result<Box<dyn Transaction>, SqlError> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl Transaction for Outside {
    async fn query(&mut self, _: &Statement, _: StatementBounds) -> Result<Rows, SqlError> {
        Ok(rows())
    }

    async fn commit(self: Box<Self>) -> Result<(), SqlError> {
        Ok(())
    }

    async fn rollback(self: Box<Self>) {}
}

impl Secrets for Outside {
    fn get(&self, _: &SecretName) -> Result<SecretValues, NoSecret> {
        Ok(SecretValues { current: Arc::new(Secret::new("open-sesame-open-sesame-open-sesame")), previous: None })
    }

    fn names(&self) -> BTreeSet<SecretName> {
        BTreeSet::from(["KEY".parse().unwrap()])
    }
}
