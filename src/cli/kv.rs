//! `picloud kv`: what functions keep, of the database or of a node elsewhere.

use std::io::{self, Read as _};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    client::{Client, Pairs, path_segment, query, understood},
    exit::Exit,
    output,
    records::{ListForm, Records},
    target::{ChangeArgs, NodeArgs},
};
use crate::{
    api::kv::{KvEntry, KvNamespace, KvNamespaceList, KvPage, KvStored},
    audit::{Actor, Origin},
    capability::kv::{Json, Key, KvError, MAX_PAGE, MAX_VALUE_BYTES, Range, Set as SetOrder, Ttl},
    clock::{Clock, SystemClock},
    function::grants::kv::Namespace,
    store::{
        Store,
        kv::{KvChange, KvWrite, WriteOutcome},
    },
    user,
};

/// `picloud kv`
#[derive(Debug, Subcommand)]
pub enum Kv {
    /// Print the value of a key
    Get(Get),
    /// Keep a value under a key
    Set(Set),
    /// List namespaces, or the keys of one in the order of their bytes
    List(List),
    /// Remove a key
    Delete(Delete),
}

/// A key of a namespace.
#[derive(Debug, Args)]
struct Place {
    /// The namespace: what `[kv] name` says in the function, else its top folder, or `default`
    namespace: Namespace,
    /// The key
    key: Key,
}

/// `picloud kv get NAMESPACE KEY`
#[derive(Debug, Args)]
pub struct Get {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    place: Place,
    /// Print one JSON object with the version and the end
    #[arg(long)]
    json: bool,
}

/// `picloud kv set NAMESPACE KEY VALUE`
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    node: ChangeArgs,
    #[command(flatten)]
    place: Place,
    /// The value as JSON; `-` reads it from stdin
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// How long it stays (`90s`, `30d`) [default: until it is deleted]
    #[arg(long, value_name = "SPAN")]
    ttl: Option<Ttl>,
    /// Only if the key has this version; 0: only if it is not there
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

/// `picloud kv list [NAMESPACE]`
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// Which [default: list the namespaces themselves]
    namespace: Option<Namespace>,
    /// Only keys that begin so
    #[arg(long, value_name = "TEXT", requires = "namespace")]
    prefix: Option<Key>,
    /// At most so many keys
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    form: ListForm,
}

/// `picloud kv delete NAMESPACE KEY`
#[derive(Debug, Args)]
pub struct Delete {
    #[command(flatten)]
    node: ChangeArgs,
    #[command(flatten)]
    place: Place,
}

impl Kv {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Get(get) => get.run(),
            Self::Set(set) => set.run(),
            Self::List(list) => list.run(),
            Self::Delete(delete) => delete.run(),
        }
    }
}

impl Place {
    /// Returns where it is in the API.
    fn path(&self) -> String {
        format!("/api/admin/kv/{}/{}", self.namespace, path_segment(self.key.as_str()))
    }

    /// Says that nothing is kept there.
    fn is_free(&self) -> anyhow::Error {
        let Self { namespace, key } = self;
        anyhow::anyhow!(
            "nothing is kept under `{key}` in the namespace `{namespace}`\n  hint: `picloud kv list {namespace}` lists its keys"
        )
    }
}

impl Get {
    fn run(self) -> anyhow::Result<Exit> {
        let Self { node, place, json } = self;
        let entry = node.records(async |records| match records {
            Records::Node(client) => client.read(&place.path()),
            Records::Database(store) => {
                let entry = store.kv_get(&place.namespace, &place.key, SystemClock.now_us()).await?;
                entry.map(|entry| KvEntry::of(&place.key, entry)).ok_or_else(|| place.is_free())
            }
        })?;
        if json {
            output::json(&entry)?
        } else {
            output::json(&entry.value)?
        }
        Ok(Exit::Done)
    }
}

impl Set {
    fn run(self) -> anyhow::Result<Exit> {
        let value = self.value()?;
        let version = match self.node.named("keep a value")? {
            Some(client) => self.order(&client, &value)?,
            None => {
                let Self { ttl, if_version, .. } = self;
                let WriteOutcome { is_done, version, .. } =
                    write(&self.node, &self.place, KvChange::Set(SetOrder { value, ttl, if_version }))?;
                match (is_done, version) {
                    (true, version) => version,
                    (false, 0) => bail!("`{}` is not there, and nothing was changed", self.place.key),
                    (false, version) => bail!("`{}` has the version {version}, and nothing was changed", self.place.key),
                }
            }
        };
        output::tell(format!("`{}` in `{}` has the version {version} now.", self.place.key, self.place.namespace));
        Ok(Exit::Done)
    }

    fn value(&self) -> anyhow::Result<Json> {
        let text = match self.value.as_str() {
            "-" => {
                let (mut text, most) = (String::new(), MAX_VALUE_BYTES as u64 + 1);
                io::stdin().take(most).read_to_string(&mut text).context("cannot read the value from stdin")?;
                text
            }
            text => text.to_owned(),
        };
        match text.parse() {
            Err(KvError::NotJson(why)) => bail!("the value is not JSON: {why}\n  hint: a text stands in double quotes: '\"hello\"'"),
            parsed => Ok(parsed?),
        }
    }

    fn order(&self, client: &Client, value: &Json) -> anyhow::Result<u64> {
        let ttl = self.ttl.map(|ttl| ("ttl", humantime::format_duration(ttl.into()).to_string()));
        let pairs: Pairs = ttl.into_iter().chain(self.if_version.map(|version| ("if_version", version.to_string()))).collect();
        let answer = client.put(&format!("{}?{}", self.place.path(), query(&pairs)), "application/json", value.as_str().as_bytes())?;
        Ok(understood::<KvStored>(answer)?.version)
    }
}

impl List {
    fn run(self) -> anyhow::Result<Exit> {
        match &self.namespace {
            Some(namespace) => self.keys(namespace),
            None => self.namespaces(),
        }
    }

    fn namespaces(&self) -> anyhow::Result<Exit> {
        let namespaces: Vec<KvNamespace> = self.node.records(async |records| match records {
            Records::Node(client) => Ok(client.read::<KvNamespaceList>("/api/admin/kv")?.namespaces),
            Records::Database(store) => Ok(store.kv_namespaces().await?.into_iter().map(Into::into).collect()),
        })?;
        let row = |namespace: &KvNamespace| [namespace.name.clone(), namespace.keys.to_string(), namespace.bytes.to_string()];
        self.form.list(&namespaces, |namespace| json!(namespace), ["NAMESPACE", "KEYS", "BYTES"], row)
    }

    fn keys(&self, namespace: &Namespace) -> anyhow::Result<Exit> {
        let entries: Vec<KvEntry> = self.node.records(async |records| match records {
            Records::Node(client) => {
                let pairs = self.prefix.iter().map(|prefix| ("prefix", prefix.to_string())).collect();
                let parts = |page: KvPage| (page.entries, page.next);
                client.pages(&format!("/api/admin/kv/{namespace}"), &pairs, self.limit as usize, MAX_PAGE as usize, parts)
            }
            Records::Database(store) => self.read(&store, namespace).await,
        })?;
        self.form.list(&entries, |entry| json!(entry), ["KEY", "VERSION", "EXPIRES", "VALUE"], row)
    }

    async fn read(&self, store: &Store, namespace: &Namespace) -> anyhow::Result<Vec<KvEntry>> {
        let (mut entries, mut after) = (Vec::new(), None);
        while entries.len() < self.limit as usize {
            let limit = (self.limit - entries.len() as u32).min(MAX_PAGE);
            let range = Range::new(self.prefix.clone(), after, limit, PAGE_BYTES)?;
            let page = store.kv_list(namespace, &range, SystemClock.now_us()).await?;
            after = page.next.clone();
            entries.extend(KvPage::from(page).entries);
            if after.is_none() {
                break;
            }
        }
        Ok(entries)
    }
}

/// Bytes of the values of a page that is read from the database.
const PAGE_BYTES: usize = 4 << 20;
/// Characters of a value in a table.
const SHOWN: usize = 60;

fn row(entry: &KvEntry) -> [String; 4] {
    let value = entry.value.to_string();
    let shown = match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    };
    [entry.key.clone(), entry.version.to_string(), entry.expires.clone().unwrap_or_else(|| "never".into()), shown]
}

impl Delete {
    fn run(self) -> anyhow::Result<Exit> {
        match self.node.named("remove a key")? {
            Some(client) => drop(client.delete(&self.place.path())?),
            None if write(&self.node, &self.place, KvChange::Delete)?.is_done => {}
            None => return Err(self.place.is_free()),
        }
        output::tell(format!("`{}` in `{}` is not there any more.", self.place.key, self.place.namespace));
        Ok(Exit::Done)
    }
}

/// Writes to the database that the configuration names, whether a node uses it or not.
fn write(node: &ChangeArgs, Place { namespace, key }: &Place, change: KvChange) -> anyhow::Result<WriteOutcome> {
    let configured = &node.node.configured;
    let config = configured.load()?;
    let actor = Actor { who: user::name(), origin: Origin::Cli };
    let write = KvWrite::of_operator(&actor, namespace, key, change, SystemClock.now_us(), config.kv);
    configured.with_writable_store(&config, async |store| Ok(store.kv_write(write).await?))
}
