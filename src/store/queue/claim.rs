//! Claims what is due.

use sqlx::FromRow;

use super::{CLAIMED, HELD, READY, floor::Floor};
use crate::{
    function::topic::NotATopic,
    id::id_time_us,
    queue::{ClaimRequest, Delivery, DeliveryId, Load, Receiver, StoredEvent},
    store::{
        Lease, Store, StoreError,
        batch::json,
        columns::columns,
        database::{Database, read},
        transaction::EitherTransaction,
    },
};

/// How the node ended that claimed deliveries before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeEnd {
    /// It was stopped. What it had claimed is not what made it go.
    InOrder,
    /// Nobody knows: it was killed, it crashed, or it was another node.
    Unknown,
}

impl Store {
    /// Claims what is due, the earliest first. A lease that has ended makes its delivery due.
    ///
    /// Nobody waits for the disk: a claim that goes with the power is made again, and what was run is run again, as where a node goes.
    pub(super) async fn claim_deliveries(&self, claim: &ClaimRequest, floor: &Floor) -> sqlx::Result<Vec<Delivery>> {
        let look = floor.look(claim.now_us);
        let mut transaction = EitherTransaction::begin_repeatable(&self.database).await?;
        let (find, take) = self.database.claiming();
        let until_us = claim.until_us;
        let mut parameters = vec![claim.now_us.into(), (claim.most as i64).into(), look.from_us.into()];
        if take.is_none() {
            parameters.push(until_us.into());
        }
        let rows: Vec<ClaimedRow> = transaction.fetch(find, parameters).await?;
        if let Some(take) = take.filter(|_| !rows.is_empty()) {
            let seqs: Vec<[i64; 1]> = rows.iter().map(|row| [row.delivery.seq]).collect();
            transaction.execute(take, vec![json(&seqs).into(), until_us.into()]).await?;
        }
        // Also where nothing is due: to drop the transaction would close the connection.
        transaction.commit().await?;
        floor.raise(look, rows.last().filter(|_| rows.len() == claim.most).map_or(claim.now_us, |last| last.delivery.due_us));
        rows.into_iter().map(|row| row.delivery(until_us).map_err(|error| sqlx::Error::Decode(Box::new(error)))).collect()
    }

    /// Returns when something is due next, or the lease of something ends, between these times; and whether the inbox holds something. Both in
    /// one query, as an idle node asks only this.
    pub(super) async fn next_due(&self, from_us: i64, until_us: i64) -> sqlx::Result<(Option<i64>, bool)> {
        let find = "SELECT MIN(due_us), CAST((SELECT COUNT(*) FROM (SELECT 1 FROM inbox LIMIT 1) AS first) AS bigint)
             FROM deliveries WHERE state < 2 AND due_us >= $1 AND due_us <= $2";
        let (due_us, inbox): (Option<i64>, i64) = read!(self, pool => sqlx::query_as(find).bind(from_us).bind(until_us).fetch_one(pool))?;
        Ok((due_us, inbox > 0))
    }

    /// Makes due what is claimed: with this lease nobody else has the database, so whoever claimed it is gone. To be called before anything is
    /// claimed.
    pub async fn end_claims(&self, _alone: &Lease, before: NodeEnd, now_us: i64) -> Result<(), StoreError> {
        // What is claimed again counts as lost, what is ready does not.
        let state = match before {
            NodeEnd::InOrder => READY,
            NodeEnd::Unknown => CLAIMED,
        };
        let work = async {
            let mut transaction = EitherTransaction::begin(&self.database).await?;
            let update = format!("UPDATE deliveries SET due_us = $1, state = {state} WHERE state = {CLAIMED}");
            transaction.execute(update, vec![now_us.into()]).await?;
            transaction.commit().await
        };
        work.await.map_err(StoreError::query("take over what ran"))
    }

    /// Lets what waited for these receivers be claimed again.
    pub(super) async fn release_deliveries(&self, receivers: &[Receiver], now_us: i64) -> sqlx::Result<u64> {
        let names: Vec<&str> = receivers.iter().map(Receiver::as_str).collect();
        let mut transaction = EitherTransaction::begin(&self.database).await?;
        let release = format!(
            "UPDATE deliveries SET state = {READY}, due_us = $2 WHERE state = {HELD} AND receiver IN ({})",
            self.database.texts_of_json()
        );
        let released = transaction.execute(release, vec![json(&names).into(), now_us.into()]).await?;
        transaction.commit().await?;
        Ok(released)
    }
}

impl Database {
    /// Writes the query for what is due, with its events. On Postgres it claims, too, which saves a round trip; on SQLite the statement does.
    fn claiming(&self) -> (String, Option<String>) {
        let set = format!("lost = lost + state, state = {CLAIMED}, attempt = attempt + 1, due_us =");
        let (taken, take) = match self {
            Self::Postgres { .. } => (format!(", taken AS (UPDATE deliveries SET {set} $4 WHERE seq IN (SELECT seq FROM due))"), None),
            Self::Sqlite { .. } => {
                let seqs = format!("SELECT CAST(value->>0 AS bigint) FROM {}", self.rows_of_json());
                (String::new(), Some(format!("UPDATE deliveries SET {set} $2 WHERE seq IN ({seqs})")))
            }
        };
        let find = format!(
            "WITH due AS (
                 SELECT {} FROM deliveries WHERE state < 2 AND due_us >= $3 AND due_us <= $1 ORDER BY due_us LIMIT $2 {}
             ){taken}
             SELECT due.*, events.id, events.topic, events.key AS event_key, events.payload, events.depth, events.emitted_by
             FROM due LEFT JOIN events ON events.seq = due.event
             ORDER BY due.due_us",
            columns!(deliveries),
            self.skipping_locked()
        );
        (find, take)
    }
}

/// A delivery with its event.
#[derive(FromRow)]
struct ClaimedRow {
    #[sqlx(flatten)]
    delivery: DeliveryRow,
    id: Option<String>,
    topic: Option<String>,
    event_key: Option<String>,
    payload: Option<String>,
    depth: Option<i64>,
    emitted_by: Option<String>,
}

#[derive(FromRow)]
struct DeliveryRow {
    seq: i64,
    event: Option<i64>,
    receiver: String,
    attempt: i64,
    tick: Option<String>,
    state: i64,
    due_us: i64,
    lost: i64,
    earlier: i64,
}

impl ClaimedRow {
    fn delivery(self, until_us: i64) -> Result<Delivery, StoreError> {
        let Self { delivery: row, id, topic, event_key, payload, depth, emitted_by } = self;
        let bad = |reason: &dyn ToString| StoreError::bad_row("deliveries", row.seq, reason.to_string());
        let (receiver, load) = match (row.event, id.zip(topic), payload.zip(emitted_by), depth) {
            (None, ..) => {
                let tick = serde_json::from_str(row.tick.as_deref().unwrap_or("{}")).map_err(|error| bad(&error))?;
                (Receiver::schedule(row.receiver), Load::Tick(tick))
            }
            (Some(event), Some((id, topic)), Some((payload, emitted_by)), Some(depth)) => {
                let event = StoredEvent {
                    id,
                    topic: topic.parse().map_err(|error: NotATopic| bad(&error))?,
                    key: event_key,
                    payload: payload.as_str().into(),
                    emitted_us: id_time_us(event),
                    by: serde_json::from_str(&emitted_by).map_err(|error| bad(&error))?,
                    depth: depth as u32,
                };
                (Receiver::handler(row.receiver), Load::Event(Box::new(event)))
            }
            (Some(_), ..) => return Err(bad(&"its event is not there")),
        };
        Ok(Delivery {
            id: DeliveryId(row.seq),
            receiver,
            attempt: (row.attempt + 1) as u32,
            lost: (row.lost + row.state) as u32,
            earlier: row.earlier as u32,
            until_us,
            load,
        })
    }
}
