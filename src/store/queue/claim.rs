//! Claims what is due.

use std::collections::{BTreeSet, HashMap};

use sqlx::FromRow;

use super::{CLAIMED, HELD, READY, floor::Floor};
use crate::{
    function::topic::NotATopic,
    id::id_time_us,
    queue::{ClaimRequest, Delivery, DeliveryId, Load, Receiver, StoredEvent},
    store::{Lease, Store, StoreError, batch::json, columns::columns, database::read, transaction::EitherTransaction},
};

impl Store {
    /// Claims what is due, the earliest first. A lease that has ended makes its delivery due.
    ///
    /// Nobody waits for the disk: a claim that goes with the power is made again, and what was run is run again, as where a node goes.
    pub(super) async fn claim_deliveries(&self, claim: &ClaimRequest, floor: &Floor) -> sqlx::Result<Vec<Delivery>> {
        let look = floor.look(claim.now_us);
        let mut transaction = EitherTransaction::begin_repeatable(&self.database).await?;
        let find = format!(
            "SELECT {} FROM deliveries WHERE state < 2 AND due_us >= $3 AND due_us <= $1 ORDER BY due_us LIMIT $2 {}",
            columns!(deliveries),
            self.database.skipping_locked()
        );
        let parameters = vec![claim.now_us.into(), (claim.most as i64).into(), look.from_us.into()];
        let rows: Vec<DeliveryRow> = transaction.fetch(find, parameters).await?;
        let taken_us = rows.last().filter(|_| rows.len() == claim.most).map_or(claim.now_us, |last| last.due_us);
        if rows.is_empty() {
            // To drop the transaction would close the connection.
            transaction.commit().await?;
            floor.raise(look, taken_us);
            return Ok(Vec::new());
        }
        let from = self.database.rows_of_json();
        let seqs: BTreeSet<[i64; 1]> = rows.iter().filter_map(|row| Some([row.event?])).collect();
        let read = format!("SELECT {} FROM events WHERE seq IN (SELECT CAST(value->>0 AS bigint) FROM {from})", columns!(events));
        let events: Vec<EventRow> = transaction.fetch(read, vec![json(&seqs).into()]).await?;
        let events: HashMap<i64, EventRow> = events.into_iter().map(|event| (event.seq, event)).collect();
        let take = format!(
            "UPDATE deliveries SET lost = lost + state, state = {CLAIMED}, due_us = $2, attempt = attempt + 1
             WHERE seq IN (SELECT CAST(value->>0 AS bigint) FROM {from})"
        );
        let seqs: Vec<[i64; 1]> = rows.iter().map(|row| [row.seq]).collect();
        transaction.execute(take, vec![json(&seqs).into(), claim.until_us.into()]).await?;
        transaction.commit().await?;
        floor.raise(look, taken_us);
        rows.into_iter().map(|row| row.delivery(&events, claim.until_us).map_err(|error| sqlx::Error::Decode(Box::new(error)))).collect()
    }

    /// Returns when something is due next, or the lease of something ends, between these times; and whether the inbox holds something. Both in
    /// one query, as an idle node asks only this.
    pub(super) async fn next_due(&self, from_us: i64, until_us: i64) -> sqlx::Result<(Option<i64>, bool)> {
        let find = "SELECT MIN(due_us), CAST((SELECT COUNT(*) FROM (SELECT 1 FROM inbox LIMIT 1) AS first) AS bigint)
             FROM deliveries WHERE state < 2 AND due_us >= $1 AND due_us <= $2";
        let (due_us, inbox): (Option<i64>, i64) = read!(self, pool => sqlx::query_as(find).bind(from_us).bind(until_us).fetch_one(pool))?;
        Ok((due_us, inbox > 0))
    }

    /// Makes due what is claimed: with this lease nobody else has the database, so whoever claimed it is gone. Its next claim counts that as
    /// lost. To be called before anything is claimed.
    pub async fn end_claims(&self, _alone: &Lease, now_us: i64) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = EitherTransaction::begin(&self.database).await?;
            transaction.execute(format!("UPDATE deliveries SET due_us = $1 WHERE state = {CLAIMED}"), vec![now_us.into()]).await?;
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

#[derive(FromRow)]
struct EventRow {
    seq: i64,
    id: String,
    topic: String,
    key: Option<String>,
    payload: String,
    depth: i64,
    emitted_by: String,
}

impl DeliveryRow {
    fn delivery(self, events: &HashMap<i64, EventRow>, until_us: i64) -> Result<Delivery, StoreError> {
        let bad = |reason: String| StoreError::bad_row("deliveries", self.seq, reason);
        let (receiver, load) = match self.event {
            None => {
                let tick = serde_json::from_str(self.tick.as_deref().unwrap_or("{}")).map_err(|error| bad(error.to_string()))?;
                (Receiver::schedule(self.receiver), Load::Tick(tick))
            }
            Some(event) => {
                let event = events.get(&event).ok_or_else(|| bad("its event is not there".into()))?;
                (Receiver::handler(self.receiver), Load::Event(Box::new(event.event()?)))
            }
        };
        Ok(Delivery {
            id: DeliveryId(self.seq),
            receiver,
            attempt: (self.attempt + 1) as u32,
            lost: (self.lost + self.state) as u32,
            earlier: self.earlier as u32,
            until_us,
            load,
        })
    }
}

impl EventRow {
    fn event(&self) -> Result<StoredEvent, StoreError> {
        let bad = |reason: &dyn ToString| StoreError::bad_row("events", self.seq, reason.to_string());
        Ok(StoredEvent {
            id: self.id.clone(),
            topic: self.topic.parse().map_err(|error: NotATopic| bad(&error))?,
            key: self.key.clone(),
            payload: self.payload.as_str().into(),
            emitted_us: id_time_us(self.seq),
            by: serde_json::from_str(&self.emitted_by).map_err(|error| bad(&error))?,
            depth: self.depth as u32,
        })
    }
}
