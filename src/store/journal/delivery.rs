//! Brings executions to the store, or to the spool while the store is away.

use std::{
    mem,
    sync::{Arc, MutexGuard, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    COUNT_EVERY, MAX_UNCOUNTED, PendingCounts, Queue, Shared,
    retry::Retry,
    spool::{Chunk, Spool},
};
use crate::{
    blocking,
    clock::monotonic,
    execution::Execution,
    stats::{Run, RunCounts},
    store::{Store, StoreError, Turn},
};

/// The time limit of the store for a batch that is only in memory. After that the batch goes to the spool, so that neither it nor the queue
/// behind it waits in memory.
const FIRST_LIMIT: Duration = Duration::from_millis(500);
/// The time limit of the store for a batch that is in the spool: a server whose answers take seconds answers several times for each batch.
const REPLAY_LIMIT: Duration = Duration::from_secs(30);

impl Shared {
    /// Brings the spool and the queue to the store, or the queue to the spool. Counts may wait for others, if not everything has to go.
    pub(super) async fn deliver(self: &Arc<Self>, extent: Extent) {
        let mut retry = self.retry.lock().await;
        let store = self.store.lock().expect("nothing panics while it holds the store").clone();
        let Some(store) = store else { return self.spool(self.take_queue(), 0).await };
        if self.spool_has_rows.load(Ordering::Relaxed) && !self.replay(&store, &mut retry).await {
            return self.spool(self.take_queue(), 0).await;
        }
        let executions = self.take_queue();
        let mut written = 0;
        for batch in executions.chunks(self.settings.batch) {
            if let Err((outage, before_it)) = self.append(&store, batch, Turn::First).await {
                self.postpone(&mut retry, &outage);
                self.feed.tell(&executions, written..written + before_it);
                return self.spool(executions, written + before_it).await;
            }
            self.feed.tell(&executions, written..written + batch.len());
            written += batch.len();
        }
        if retry.is_early() {
            return;
        }
        let is_due = extent == Extent::Everything || self.counts_due().is_some_and(|at| at <= monotonic());
        let counted = if is_due { self.count(&store).await } else { Ok(false) };
        match counted {
            Ok(has_counted) => self.note_recovery(&mut retry, has_counted || written > 0),
            Err(outage) => self.postpone(&mut retry, &outage),
        }
    }

    /// Returns when the counts that wait are to be brought to the store, if that is known.
    pub(super) fn counts_due(&self) -> Option<Instant> {
        self.store.lock().expect("nothing panics while it holds the store").as_ref()?;
        let uncounted = self.uncounted();
        uncounted.since.filter(|_| !uncounted.tally.is_empty()).map(|since| since + COUNT_EVERY)
    }

    /// Brings counts of unrecorded runs to the store. Returns whether there were any. After an outage they wait in memory. If it was only the
    /// answer that was lost, they count twice.
    async fn count(&self, store: &Store) -> Result<bool, Outage> {
        let counts = mem::take(&mut *self.uncounted()).tally;
        if counts.is_empty() {
            return Ok(false);
        }
        match self.answer(store.count_runs(&counts), FIRST_LIMIT).await {
            Ok(()) => self.written.send_modify(|written| written.counted += 1),
            Err(AppendError::Refused(error)) => {
                tracing::error!(error = error.explained(), "the database refuses counts of runs; they are lost")
            }
            Err(AppendError::Outage(outage)) => {
                let mut uncounted = self.uncounted();
                counts.iter().for_each(|(run, counts)| uncounted.tally.merge(run.clone(), counts));
                uncounted.since = Some(monotonic());
                return Err(outage);
            }
        }
        Ok(true)
    }

    /// Notes that nothing waits any more.
    fn note_recovery(&self, retry: &mut Retry, has_written: bool) {
        let was_away = retry.reset();
        if has_written {
            let problems = mem::take(&mut *self.problems());
            if was_away || problems.store.is_some() {
                tracing::info!("the database is back; every execution that was kept is in it");
            }
        }
    }

    /// Brings the spool to the store, and executions that come meanwhile behind it. Returns whether the spool is empty.
    async fn replay(self: &Arc<Self>, store: &Store, retry: &mut Retry) -> bool {
        if retry.is_early() {
            return false;
        }
        // The store may need a while to come back, and a full spool drops its oldest executions meanwhile. So the batch is read after that.
        if retry.at().is_some() && !self.spool_until(self.is_back(store)).await {
            let known = self.outage.borrow().clone();
            self.note_outage(known.or_else(|| Some("the database does not answer".into())).filter(|_| !self.is_stopping.is_cancelled()));
            retry.postpone();
            return false;
        }
        let limit = self.settings.batch;
        let mut has_written = false;
        loop {
            let chunk = match self.on_spool(move |spool| spool.oldest(limit)).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "cannot read the spool of executions; they stay there for now");
                    retry.postpone();
                    return false;
                }
            };
            let append = self.append(store, &chunk.executions, Turn::Again);
            if let Err((error, _)) = self.spool_until(append).await {
                self.postpone(retry, &error);
                return false;
            }
            has_written = true;
            self.advance(chunk).await;
            // The queue goes to the store directly now. Through the spool this loop would not end while requests come.
            if !self.spool_has_rows.load(Ordering::Relaxed) {
                break;
            }
            self.spool(self.take_queue(), 0).await;
        }
        self.note_recovery(retry, has_written);
        true
    }

    async fn is_back(&self, store: &Store) -> bool {
        tokio::select! {
            () = self.is_stopping.cancelled() => false,
            answers = store.answers() => answers,
        }
    }

    /// Waits for an answer of the store. Meanwhile the queue goes to the spool at the usual pace.
    async fn spool_until<T>(self: &Arc<Self>, answer: impl Future<Output = T>) -> T {
        let mut answer = std::pin::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                () = tokio::time::sleep(self.settings.flush_interval) => self.spool(self.take_queue(), 0).await,
            }
        }
    }

    fn postpone(&self, retry: &mut Retry, outage: &Outage) {
        if self.problems().store.replace(outage.to_string()).is_none() {
            tracing::warn!(error = %outage, "the database is away; executions wait in the spool");
        }
        retry.postpone();
    }

    /// Appends to the store, and drops executions that it refuses for their content.
    ///
    /// After an outage, the number says how many of the executions are written or dropped.
    async fn append(&self, store: &Store, executions: &[Execution], turn: Turn) -> Result<(), (Outage, usize)> {
        match self.try_append(store, executions, turn).await {
            Ok(()) => return Ok(()),
            Err(AppendError::Outage(outage)) => return Err((outage, 0)),
            Err(AppendError::Refused(_)) => {}
        }
        for (settled, execution) in executions.iter().enumerate() {
            match self.try_append(store, std::slice::from_ref(execution), turn).await {
                Ok(()) => {}
                Err(AppendError::Outage(outage)) => return Err((outage, settled)),
                Err(AppendError::Refused(error)) => self.refuse(execution, &error),
            }
        }
        Ok(())
    }

    fn refuse(&self, execution: &Execution, error: &StoreError) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let (id, function) = (execution.id, &execution.function);
        let error = error.explained();
        tracing::error!(execution.id = %id, function.name = %function, error, "the database refuses execution `{id}`; it is not recorded");
    }

    async fn try_append(&self, store: &Store, executions: &[Execution], turn: Turn) -> Result<(), AppendError> {
        let limit = match turn {
            Turn::First => FIRST_LIMIT,
            Turn::Again => REPLAY_LIMIT,
        };
        let bytes = self.answer(store.append_executions(executions, turn), limit).await?;
        self.written.send_modify(|written| {
            written.executions += executions.len() as u64;
            written.bytes += bytes;
            written.counted += 1;
        });
        if let Some(tell) = self.on_written.get() {
            tell(executions);
        }
        Ok(())
    }

    /// Waits so long for an answer of the store.
    async fn answer<T>(&self, answer: impl Future<Output = Result<T, StoreError>>, limit: Duration) -> Result<T, AppendError> {
        let answer = async {
            tokio::select! {
                biased;
                () = self.is_stopping.cancelled() => Err(Outage::Stopping),
                answer = tokio::time::timeout(limit, answer) => answer.map_err(|_| Outage::TimedOut(limit)),
            }
        };
        let answer = match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_outage() => Err(AppendError::Outage(Outage::Store(error))),
            Ok(Err(error)) => Err(AppendError::Refused(error)),
            Err(outage) => Err(AppendError::Outage(outage)),
        };
        self.is_away.store(matches!(answer, Err(AppendError::Outage(_))), Ordering::Relaxed);
        match &answer {
            Err(AppendError::Outage(outage @ Outage::Store(_))) => self.note_outage(Some(outage.to_string())),
            // It may only be slow, or not be asked any more.
            Err(AppendError::Outage(Outage::TimedOut(_) | Outage::Stopping)) => {}
            Ok(_) | Err(AppendError::Refused(_)) => self.note_outage(None),
        }
        answer
    }

    /// Notes why the database does not answer, or that it does.
    fn note_outage(&self, why: Option<String>) {
        self.outage.send_if_modified(|known| {
            let is_news = *known != why;
            *known = why;
            is_news
        });
    }

    /// Takes the executions that wait. Runs that are only counted are added up in memory.
    fn take_queue(&self) -> Arc<Vec<Execution>> {
        let Queue { executions, runs, .. } = {
            let mut queue = self.queue.lock().expect("nothing panics while it holds the queue");
            // The new lists have as much room as these needed, so that requests rarely wait while they grow.
            let room = |length: usize| length.min(self.settings.batch);
            let (executions, runs) = (Vec::with_capacity(room(queue.executions.len())), Vec::with_capacity(room(queue.runs.len())));
            mem::replace(&mut *queue, Queue { executions, runs, capture_bytes: 0 })
        };
        if !runs.is_empty() {
            self.uncounted().add(&runs);
        }
        Arc::new(executions)
    }

    fn uncounted(&self) -> MutexGuard<'_, PendingCounts> {
        self.uncounted.lock().expect("nothing panics while it holds the counts")
    }

    /// Brings executions to the spool, without the first `from` of them.
    async fn spool(self: &Arc<Self>, executions: Arc<Vec<Execution>>, from: usize) {
        if executions.len() == from {
            return;
        }
        let spooled = executions.clone();
        let appended = self.on_spool(move |spool| spool.append(&spooled[from..])).await;
        let mut problems = self.problems();
        let was_losing = mem::replace(&mut problems.spool, appended.err().map(|error| error.to_string()));
        match (&was_losing, &problems.spool) {
            (None, Some(error)) => tracing::error!(error, "cannot write the spool; executions are lost"),
            (Some(_), None) => tracing::info!("the spool can be written again"),
            _ => {}
        }
        drop(problems);
        self.feed.tell(&executions, from..executions.len());
    }

    async fn advance(self: &Arc<Self>, chunk: Chunk) {
        if let Err(error) = self.on_spool(move |spool| spool.advance(&chunk)).await {
            tracing::error!(%error, "cannot remove a file of the spool that is in the database already");
        }
    }

    /// Works on the spool's files on a thread that may block.
    async fn on_spool<T: Send + 'static>(self: &Arc<Self>, work: impl FnOnce(&mut Spool) -> T + Send + 'static) -> T {
        let shared = self.clone();
        let done = blocking::run(move || {
            let mut spool = shared.spool.lock().expect("nothing panics while it holds the spool");
            let done = work(&mut spool);
            shared.spool_has_rows.store(!spool.is_empty(), Ordering::Relaxed);
            shared.spooled_bytes.store(spool.bytes(), Ordering::Relaxed);
            shared.spool_dropped.store(spool.lost().dropped, Ordering::Relaxed);
            shared.spool_torn.store(spool.lost().torn, Ordering::Relaxed);
            done
        });
        done.await.expect("work on the spool does not panic, and nobody aborts it")
    }
}

impl PendingCounts {
    /// Adds up runs. Those of one function often follow one another.
    fn add(&mut self, runs: &[Run]) {
        self.since.get_or_insert_with(monotonic);
        for alike in runs.chunk_by(|one, next| one.key == next.key) {
            let mut counts = RunCounts::default();
            alike.iter().for_each(|run| counts.add(run));
            let key = &alike[0].key;
            if self.tally.len() < MAX_UNCOUNTED || self.tally.has(key) {
                self.tally.merge(key.clone(), &counts);
            }
        }
    }
}

/// What a delivery brings to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All but counts that may wait.
    Regular,
    /// Everything.
    Everything,
}

/// Why the store cannot take anything now.
#[derive(Debug, thiserror::Error)]
enum Outage {
    #[error("{}", .0.explained())]
    Store(StoreError),
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the node stops")]
    Stopping,
}

/// Why executions were not appended.
enum AppendError {
    Outage(Outage),
    /// The store refuses their content.
    Refused(StoreError),
}
